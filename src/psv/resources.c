/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psv/resources.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/process.h"
#include "lib/str.h"
#include "psv/cgroup.h"
#include "psv/cgroup_disk.h"
#include "psv/cgroup_resource.h"
#include "psv/loop.h"
#include "psv/psv.h"
#include "psv/volume.h"
#include "psv/walk.h"

static const struct {
	const char *key;
	enum resource_unit unit;
} disk_bounds[CGROUP_DISK_BOUNDS] = {
	[CGROUP_DISK_READ_BYTES] = { "disk read", RESOURCE_BYTES_A_SECOND },
	[CGROUP_DISK_WRITE_BYTES] = { "disk write", RESOURCE_BYTES_A_SECOND },
	[CGROUP_DISK_READ_IOPS] = { "disk read iops", RESOURCE_OPERATIONS },
	[CGROUP_DISK_WRITE_IOPS] = { "disk write iops", RESOURCE_OPERATIONS },
};

/* What a configuration says, as if all of it were real. */
static size_t wanted(const struct conf *conf, struct resource ret[RESOURCES_MAX])
{
	const struct conf_limits *l = &conf->limits;
	const uint64_t cpu_weight = l->cpu_weight ? l->cpu_weight : CONF_WEIGHT_DEFAULT;
	const struct resource first[] = {
		{ .key = "memory reserve", .unit = RESOURCE_BYTES, .value = l->reserve_bytes },
		{ .key = "cpu weight", .unit = RESOURCE_WEIGHT, .value = cpu_weight },
		{ .key = "cpu", .unit = RESOURCE_PROCESSORS, .value = l->cpu_percent },
		{ .key = "cpus", .unit = RESOURCE_LIST, .value = l->cpus[0] != '\0', .list = l->cpus },
		{ .key = "disk weight", .unit = RESOURCE_WEIGHT, .value = l->disk_weight },
	};
	size_t n = 0;

	for (size_t i = 0; i < sizeof(first) / sizeof(*first); i++)
		if (first[i].value)
			ret[n++] = first[i];
	for (enum cgroup_disk_bound i = 0; i < CGROUP_DISK_BOUNDS; i++)
		if (cgroup_disk_limit(l, i))
			ret[n++] = (struct resource){ .key = disk_bounds[i].key, .unit = disk_bounds[i].unit,
						   .value = cgroup_disk_limit(l, i) };
	for (size_t i = 0; i < n; i++) {
		ret[i].real = true;
		ret[i].configured = strcmp(ret[i].key, "cpu weight") != 0 || l->cpu_weight;
		if (ret[i].unit == RESOURCE_WEIGHT && ret[i].value == CONF_CPU_IDLE)
			ret[i].value = 0;
	}
	return n;
}

/* Where each volume lies: an image on a disk, or a device. */
static bool disks_weigh(const struct psv *psv, const char *name, const struct conf *conf)
{
	for (size_t i = 0; i < conf->n_volumes; i++) {
		char path[PATH_MAX];
		struct stat st;

		if (volume_path(psv, name, &conf->volumes[i], path, sizeof(path), NULL) < 0 || stat(path, &st) < 0 ||
		    !cgroup_disk_weighs(S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev))
			return false;
	}
	return true;
}

static void judge(struct resource *s, bool real, const char *why)
{
	s->real = real;
	s->why = real ? NULL : why;
}

static void judge_disk_weight(const struct psv *psv, const char *name, const struct conf *conf, bool told, struct resource *s)
{
	if (!told)
		judge(s, false, "no group of its own is divided by weight: the kernel has no bfq, or it was started without a weight");
	else
		judge(s, disks_weigh(psv, name, conf), "the disk below has neither the scheduler bfq nor the cost model io.cost");
}

static size_t look(const struct psv *psv, const char *name, const struct conf *conf, const struct state *st, bool runs,
		   struct resource ret[RESOURCES_MAX])
{
	struct cgroup_resource_real real;
	size_t n = wanted(conf, ret);

	cgroup_real(psv, name, runs, &conf->limits, &real);
	for (size_t i = 0; i < n; i++) {
		struct resource *s = &ret[i];

		if (strcmp(s->key, "memory reserve") == 0)
			judge(s, real.reserve, "only the memory controller of cgroup v2 knows a reserve");
		else if (strcmp(s->key, "cpu weight") == 0)
			judge(s, real.cpu_weight, s->value ? "no controller divides the processors" :
							     "the kernel has no idle control groups (Linux 5.15)");
		else if (strcmp(s->key, "cpu") == 0)
			judge(s, real.cpu, "no controller bounds processors (CONFIG_CFS_BANDWIDTH)");
		else if (strcmp(s->key, "cpus") == 0)
			judge(s, real.cpus, "not all of these processors are there, or no controller binds to them (cpuset; of v1 from a start on)");
		else if (strcmp(s->key, "disk weight") == 0)
			judge_disk_weight(psv, name, conf, real.disk_weight, s);
		for (enum cgroup_disk_bound b = 0; b < CGROUP_DISK_BOUNDS; b++)
			if (strcmp(s->key, disk_bounds[b].key) == 0)
				judge(s, cgroup_disk_real(psv, name, &conf->limits, st->volumes, st->n_volumes, b),
				      "no controller bounds each of its volumes (CONFIG_BLK_DEV_THROTTLING; with cgroup v1 no "
				      "partition)");
	}
	return n;
}

size_t resources_look(const struct psv *psv, const char *name, const struct conf *conf, const struct state *st,
		      struct resource ret[RESOURCES_MAX])
{
	return look(psv, name, conf, st, true, ret);
}

char *resource_value(const struct resource *s, char *buf, size_t size)
{
	char bytes[24];

	switch (s->unit) {
	case RESOURCE_PROCESSORS:
		(void)str_format(buf, size, "%" PRIu64 ".%02" PRIu64, s->value / 100, s->value % 100);
		break;
	case RESOURCE_LIST:
		(void)str_copy(buf, size, s->list);
		break;
	case RESOURCE_BYTES:
	case RESOURCE_BYTES_A_SECOND:
		(void)str_format(buf, size, "%s%s", size_human(s->value, bytes, sizeof(bytes)),
				 s->unit == RESOURCE_BYTES ? "" : "/s");
		break;
	case RESOURCE_OPERATIONS:
		(void)str_format(buf, size, "%" PRIu64 "/s", s->value);
		break;
	case RESOURCE_WEIGHT:
		if (s->value)
			(void)str_format(buf, size, "%" PRIu64, s->value);
		else
			(void)str_copy(buf, size, "idle");
		break;
	}
	return buf;
}

void resources_text(const struct conf *conf, struct strbuf *ret)
{
	struct resource list[RESOURCES_MAX];
	size_t n = wanted(conf, list);
	char value[CONF_CPUS_BYTES];

	for (size_t i = 0; i < n; i++)
		strbuf_addf(ret, "%s%s %s", ret->len ? ", " : "", list[i].key, resource_value(&list[i], value, sizeof(value)));
}

/* Held by who bounds the devices that its state file names, and by who looks into those of others before it frees its own.  The
 * file stays (until the machine's end, as bounds do), so that a machine on which nobody ever bounded a disk pays for none. */
static int lock_numbers(const struct psv *psv, bool make)
{
	char path[PATH_MAX];
	int fd;

	(void)str_format(path, sizeof(path), "%s/locks/.numbers", psv->run);
	fd = open(path, O_RDONLY | O_CLOEXEC | (make ? O_CREAT : 0), 0600);
	if (fd >= 0)
		(void)flock(fd, LOCK_EX);
	return fd;
}

int resources_up(struct walk *w, bool fresh, struct err *err)
{
	const struct conf_limits *l = &w->conf.limits;
	bool bounded = cgroup_disk_bounded(l);
	struct resource list[RESOURCES_MAX];
	size_t n = wanted(&w->conf, list);
	_cleanup_close_ int numbers = -1;
	int r = 0;

	w->unbound = false;
	/* The file names every device that can be bounded before one is. */
	if (bounded)
		r = state_write(w->psv, w->name, &w->st, err);
	numbers = lock_numbers(w->psv, bounded);
	/* Of v1 a number may have the bound of a server that was killed with its supervisor. */
	if (r == 0 && (bounded || !fresh || numbers >= 0))
		r = cgroup_disk_set(w->psv, w->name, l, w->st.volumes, w->st.n_volumes, err);
	/* Of the defaults nobody wants to be told. */
	if (r < 0 || (n == 1 && !list[0].configured))
		return r;
	n = look(w->psv, w->name, &w->conf, &w->st, !fresh, list);
	for (size_t i = 0; i < n; i++)
		if (!list[i].real && list[i].configured)
			walk_notice(w, "[limits] %s is not enforced: %s", list[i].key, list[i].why);
	return 0;
}

/* A state file that was damaged names no devices; they are still there, and so is the configuration. */
static void find_lost(struct walk *w)
{
	for (size_t i = 0; i < w->conf.n_volumes; i++) {
		_cleanup_close_ int fd = -1;
		char path[PATH_MAX], device[64];
		struct stat st;

		if (volume_path(w->psv, w->name, &w->conf.volumes[i], path, sizeof(path), NULL) < 0 || stat(path, &st) < 0)
			continue;
		if (!S_ISBLK(st.st_mode)) {
			fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
			if (fd < 0 || loop_find(fd, device) != 1 || stat(device, &st) < 0)
				continue;
		}
		walk_add_device(w, w->conf.volumes[i].name, st.st_rdev);
	}
}

static bool has_number(const struct state *st, dev_t rdev)
{
	for (size_t i = 0; i < st->n_volumes; i++)
		if (st->volumes[i].rdev == rdev)
			return true;
	return false;
}

/* Takes out of the list what the state file of another server names, too: of two that are gone, the last one frees it. */
static int leave_to_others(const struct walk *w, struct state_volume *list, size_t *n, struct err *err)
{
	_cleanup_strlist_ struct strlist names = { 0 };
	int r = psv_list(w->psv, &names, err);

	for (size_t i = 0; r == 0 && i < names.n && *n; i++) {
		struct state st = { 0 };

		if (strcmp(names.v[i], w->name) == 0)
			continue;
		r = state_read(w->psv, names.v[i], &st, err);
		if (r == -EBADMSG) { /* it names nothing */
			err_clear(err);
			r = 0;
		}
		for (size_t k = *n; k > 0; k--)
			if (has_number(&st, list[k - 1].rdev))
				list[k - 1] = list[--*n];
		state_free(&st);
	}
	return r;
}

int resources_down(struct walk *w, struct err *err)
{
	_cleanup_close_ int init = -1, numbers = -1;
	_cleanup_free_ struct state_volume *list = NULL;
	size_t n;
	int r;

	if (w->unbound)
		return 0;
	if (w->st.n_volumes == 0 && cgroup_disk_bounded(&w->conf.limits))
		find_lost(w);
	n = w->st.n_volumes;
	list = xcalloc(n, sizeof(*list));
	for (size_t i = 0; i < n; i++)
		list[i] = w->st.volumes[i];
	/* A bound of v1 is the number's, which the volumes had for certain as long as its PID 1 lives. */
	if (n && cgroup_disk_is_v1() && (init = pid_open_checked(w->st.init_pid, w->st.init_start)) < 0) {
		numbers = lock_numbers(w->psv, true);
		r = leave_to_others(w, list, &n, err);
		if (r < 0)
			return r;
	}
	r = cgroup_disk_free(w->psv, w->name, list, n, err);
	w->unbound = r == 0;
	return r;
}
