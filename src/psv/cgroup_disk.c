/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psv/cgroup_disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/str.h"
#include "psv/cgroup_layout.h"
#include "psv/cgroup_tree.h"

enum { LIST_MAX_BYTES = 1024 * 1024, NUMBER_MAX = 32, TARGETS = 2, BELOW_MAX = 4 };

static const struct {
	const char *v2; /* word of io.max */
	const char *v1; /* file */
} names[CGROUP_DISK_BOUNDS] = {
	[CGROUP_DISK_READ_BYTES] = { "rbps", "blkio.throttle.read_bps_device" },
	[CGROUP_DISK_WRITE_BYTES] = { "wbps", "blkio.throttle.write_bps_device" },
	[CGROUP_DISK_READ_IOPS] = { "riops", "blkio.throttle.read_iops_device" },
	[CGROUP_DISK_WRITE_IOPS] = { "wiops", "blkio.throttle.write_iops_device" },
};

uint64_t cgroup_disk_limit(const struct conf_limits *l, enum cgroup_disk_bound which)
{
	const uint64_t values[CGROUP_DISK_BOUNDS] = {
		[CGROUP_DISK_READ_BYTES] = l->disk_read_bytes,
		[CGROUP_DISK_WRITE_BYTES] = l->disk_write_bytes,
		[CGROUP_DISK_READ_IOPS] = l->disk_read_iops,
		[CGROUP_DISK_WRITE_IOPS] = l->disk_write_iops,
	};

	return values[which];
}

/* The groups that bound it.  Of v1 the Vsv has one of its own besides if it has a weight; what it reads and writes directly is
 * counted there. */
struct targets {
	bool v2;
	int fd[TARGETS];
};
#define TARGETS_NONE { .fd = { -1, -1 } }

static void close_targets(struct targets *t)
{
	for (size_t i = 0; i < TARGETS; i++)
		cleanup_close(&t->fd[i]);
}
#define _cleanup_targets_ __attribute__((cleanup(close_targets)))

static int open_targets(const struct psv *psv, const char *name, struct targets *ret, struct err *err)
{
	struct cgroup_layout l;
	int r = cgroup_layout(&l, err);

	if (r < 0)
		return r;
	ret->v2 = l.in_v2[CGROUP_IO];
	if (ret->v2 || l.v1[CGROUP_IO][0])
		ret->fd[0] = cgroup_tree_open(ret->v2 ? l.v2 : l.v1[CGROUP_IO], psv->tag, name);
	if (l.v1[CGROUP_IO][0])
		ret->fd[1] = dir_open(AT_FDCWD, l.v1[CGROUP_IO]);
	return 0;
}

/* What the kernel calls the device of a bound: of a partition its disk.  false: v1, which would bound the others on it too. */
static bool device_number(dev_t rdev, bool v2, char ret[NUMBER_MAX])
{
	char path[64];

	(void)str_format(ret, NUMBER_MAX, "%u:%u", major(rdev), minor(rdev));
	(void)str_format(path, sizeof(path), "/sys/dev/block/%s/partition", ret);
	if (access(path, F_OK) < 0)
		return true;
	(void)str_format(path, sizeof(path), "/sys/dev/block/%s/../dev", ret);
	return v2 && file_read_small(AT_FDCWD, path, ret, NUMBER_MAX) == 0;
}

/* The rest of the line that begins with that device; NULL: there is none. */
static const char *find_line(const char *text, const char *device)
{
	size_t n = strlen(device);

	for (; text && *text; text = strchr(text, '\n'), text += text != NULL)
		if (strncmp(text, device, n) == 0 && text[n] == ' ')
			return text + n + 1;
	return NULL;
}

/* write_line: file and device may have gone, or never been. */
static int write_line(int fd, const char *file, const char *line, struct err *err)
{
	int r = file_write_at(fd, file, line);

	return r < 0 && r != -ENOENT && r != -ENODEV ? err_set(err, r, "cannot set %s to '%s': %m", file, line) : 0;
}

bool cgroup_disk_bounded(const struct conf_limits *l)
{
	for (enum cgroup_disk_bound i = 0; i < CGROUP_DISK_BOUNDS; i++)
		if (cgroup_disk_limit(l, i))
			return true;
	return false;
}

/* The devices of a Vsv's volumes, as the kernel calls them; one that cannot be bounded is not there. */
struct devices {
	char name[CONF_MAX_VOLUMES][NUMBER_MAX];
	size_t n;
};

static void find_devices(const struct state_volume *volumes, size_t n, bool v2, struct devices *ret)
{
	ret->n = 0;
	for (size_t i = 0; i < n && ret->n < CONF_MAX_VOLUMES; i++)
		ret->n += device_number(volumes[i].rdev, v2, ret->name[ret->n]);
}

static void format_v2(const char *device, const struct conf_limits *l, struct strbuf *ret)
{
	strbuf_addstr(ret, device);
	for (enum cgroup_disk_bound i = 0; i < CGROUP_DISK_BOUNDS; i++) {
		if (cgroup_disk_limit(l, i))
			strbuf_addf(ret, " %s=%" PRIu64, names[i].v2, cgroup_disk_limit(l, i));
		else
			strbuf_addf(ret, " %s=max", names[i].v2);
	}
}

/* read_list: one that is not there bounds nothing. */
static int read_list(int fd, const char *file, char **ret, struct err *err)
{
	int r = file_read_at(fd, file, LIST_MAX_BYTES, ret, NULL);

	return r < 0 && r != -ENOENT ? err_set(err, r, "cannot read %s: %s", file, strerror(-r)) : 0;
}

/* What is not bounded is written only where it was: a file is read once, not for each volume. */
static int set_v2(int fd, const struct devices *d, const struct conf_limits *l, struct err *err)
{
	_cleanup_free_ char *now = NULL;
	bool bounded = cgroup_disk_bounded(l);
	int r = 0;

	if (!bounded)
		r = read_list(fd, "io.max", &now, err);
	for (size_t i = 0; i < d->n && r == 0; i++) {
		_cleanup_strbuf_ struct strbuf line = { 0 };

		if (!bounded && !find_line(now, d->name[i]))
			continue;
		format_v2(d->name[i], l, &line);
		r = write_line(fd, "io.max", strbuf_str(&line), err);
	}
	return r;
}

static int set_v1_file(int fd, const char *file, uint64_t value, const struct devices *d, struct err *err)
{
	_cleanup_free_ char *now = NULL;
	int r = 0;

	if (!value)
		r = read_list(fd, file, &now, err);
	for (size_t i = 0; i < d->n && r == 0; i++) {
		char line[64];

		(void)str_format(line, sizeof(line), "%s %" PRIu64, d->name[i], value);
		if (value || find_line(now, d->name[i]))
			r = write_line(fd, file, line, err);
	}
	return r;
}

static int set_v1(int fd, const struct devices *d, const struct conf_limits *l, struct err *err)
{
	int r = 0;

	for (enum cgroup_disk_bound i = 0; i < CGROUP_DISK_BOUNDS && r == 0; i++)
		r = set_v1_file(fd, names[i].v1, cgroup_disk_limit(l, i), d, err);
	return r;
}

int cgroup_disk_set(const struct psv *psv, const char *name, const struct conf_limits *limits, const struct state_volume *volumes,
		    size_t n, struct err *err)
{
	_cleanup_targets_ struct targets t = TARGETS_NONE;
	struct devices d;
	int r = n ? open_targets(psv, name, &t, err) : 0;

	find_devices(volumes, n, t.v2, &d);
	for (size_t k = 0; k < TARGETS && r == 0; k++)
		if (t.fd[k] >= 0)
			r = t.v2 ? set_v2(t.fd[k], &d, limits, err) : set_v1(t.fd[k], &d, limits, err);
	return r;
}

int cgroup_disk_free(const struct psv *psv, const char *name, const struct state_volume *volumes, size_t n, struct err *err)
{
	return cgroup_disk_set(psv, name, &(struct conf_limits){ 0 }, volumes, n, err);
}

/* Of v2 "rbps=1048576 wbps=max …", of v1 the number alone. */
static bool line_says(const char *rest, bool v2, enum cgroup_disk_bound which, uint64_t value)
{
	char want[64], line[192];

	if (!rest || !str_format(line, sizeof(line), "%.*s", (int)strcspn(rest, "\n"), rest))
		return false;
	if (v2)
		(void)str_format(want, sizeof(want), "%s=%" PRIu64, names[which].v2, value);
	else
		(void)str_format(want, sizeof(want), "%" PRIu64, value);
	return cgroup_word(line, want);
}

bool cgroup_disk_real(const struct psv *psv, const char *name, const struct conf_limits *limits,
		      const struct state_volume *volumes, size_t n, enum cgroup_disk_bound which)
{
	_cleanup_targets_ struct targets t = TARGETS_NONE;
	uint64_t value = cgroup_disk_limit(limits, which);

	if (open_targets(psv, name, &t, NULL) < 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *text = NULL;
		char device[NUMBER_MAX];

		if (!device_number(volumes[i].rdev, t.v2, device) ||
		    file_read_at(t.fd[t.v2 ? 0 : 1], t.v2 ? "io.max" : names[which].v1, LIST_MAX_BYTES, &text, NULL) < 0 ||
		    !line_says(find_line(text, device), t.v2, which, value))
			return false;
	}
	return true;
}

/* The cost model of v2, where somebody has switched it on: "8:0 enable=1 …" */
static bool has_cost(const char *device)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int root = -1;
	struct cgroup_layout l;
	const char *rest;

	if (cgroup_layout(&l, NULL) < 0)
		return false;
	root = dir_open(AT_FDCWD, l.v2);
	if (root < 0 || file_read_at(root, "io.cost.qos", LIST_MAX_BYTES, &text, NULL) < 0)
		return false;
	rest = find_line(text, device);
	return rest && str_starts(rest, "enable=1");
}

/* A disk, a partition, or what is put together of such (LVM, RAID): then all of them. */
static bool weighs(int dir, unsigned depth)
{
	_cleanup_close_ int slaves = openat(dir, "slaves", O_RDONLY | O_DIRECTORY | O_CLOEXEC), whole = -1;
	_cleanup_closedir_ DIR *d = NULL;
	char text[256];
	struct dirent *e;
	bool some = false;

	if (faccessat(dir, "partition", F_OK, 0) == 0) {
		whole = openat(dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		return whole >= 0 && depth && weighs(whole, depth - 1);
	}
	d = slaves >= 0 ? fdopendir(slaves) : NULL;
	if (d)
		slaves = -1;
	while (d && (e = readdir(d))) {
		_cleanup_close_ int below = -1;

		if (e->d_name[0] == '.')
			continue;
		some = true;
		below = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (below < 0 || !depth || !weighs(below, depth - 1))
			return false;
	}
	if (some)
		return true;
	if (file_read_small(dir, "queue/scheduler", text, sizeof(text)) == 0 && strstr(text, "[bfq]"))
		return true;
	return file_read_small(dir, "dev", text, sizeof(text)) == 0 && has_cost(text);
}

bool cgroup_disk_weighs(dev_t below)
{
	_cleanup_close_ int dir = -1;
	char path[64];

	(void)str_format(path, sizeof(path), "/sys/dev/block/%u:%u", major(below), minor(below));
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir >= 0 && weighs(dir, BELOW_MAX);
}

int cgroup_disk_some_weigh(void)
{
	_cleanup_closedir_ DIR *d = opendir("/sys/block");
	struct dirent *e;

	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		_cleanup_close_ int dir = -1;

		/* A loop device is what a volume is, not what it lies on. */
		if (e->d_name[0] == '.' || str_starts(e->d_name, "loop"))
			continue;
		dir = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir >= 0 && weighs(dir, BELOW_MAX))
			return 1;
	}
	return 0;
}

bool cgroup_disk_is_v1(void)
{
	struct cgroup_layout l;

	return cgroup_layout(&l, NULL) == 0 && l.v1[CGROUP_IO][0];
}
