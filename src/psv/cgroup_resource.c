/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psv/cgroup_resource.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/str.h"
#include "psv/conf.h"

enum {
	CPU_PERIOD_US = 100 * 1000, /* the kernel's own */
	V1_CPU_DEFAULT = 1024,      /* cpu.shares of a group of weight 100 */
	V1_CPU_LEAST = 2,
	BFQ_WEIGHT_MAX = 1000,
	SUM_TRIES = 10,
	LIST_MAX_BYTES = 65536,
};

int cgroup_keep(int fd, const char *file, const char *text, struct err *err)
{
	char now[256];
	int r = file_read_small(fd, file, now, sizeof(now));

	if (r == -ENOENT)
		return 1;
	if (r == 0) {
		now[strcspn(now, "\n")] = '\0';
		if (strcmp(now, text) == 0)
			return 0;
	}
	r = file_write_at(fd, file, text);
	return r < 0 ? err_set(err, r, "cannot set %s to %s: %m", file, text) : 0;
}

static bool says(int fd, const char *file, const char *text)
{
	char now[256];

	if (fd < 0 || file_read_small(fd, file, now, sizeof(now)) < 0)
		return false;
	now[strcspn(now, "\n")] = '\0';
	return strcmp(now, text) == 0;
}

static uint32_t weight_or_default(uint32_t weight)
{
	return weight ? weight : CONF_WEIGHT_DEFAULT;
}

/* Of v1 a process is in a group from its start or not at all: one that a reload has made has none in it. */
static bool has_tasks(int fd)
{
	_cleanup_close_ int tasks = openat(fd, "tasks", O_RDONLY | O_CLOEXEC);
	char c;

	return tasks >= 0 && read(tasks, &c, 1) == 1;
}

/* The files of one controller, as they should be; an empty name ends the list. */
struct knob {
	const char *file;
	char text[40];
};
enum { KNOBS = 2 };

static struct knob cpu_weight_knob(bool v2, const struct conf_limits *l)
{
	/* Idle where the kernel does not know it (Linux 5.15): the least weight is the nearest. */
	uint64_t w = l->cpu_weight == CONF_CPU_IDLE ? 1 : weight_or_default(l->cpu_weight);
	struct knob k = { .file = v2 ? "cpu.weight" : "cpu.shares" };

	if (!v2)
		w = w * V1_CPU_DEFAULT / CONF_WEIGHT_DEFAULT;
	(void)str_format(k.text, sizeof(k.text), "%" PRIu64, !v2 && w < V1_CPU_LEAST ? V1_CPU_LEAST : w);
	return k;
}

static struct knob cpu_bound_knob(bool v2, const struct conf_limits *l)
{
	unsigned quota_us = l->cpu_percent * (CPU_PERIOD_US / 100);
	struct knob k = { .file = v2 ? "cpu.max" : "cpu.cfs_quota_us" };

	if (v2 && l->cpu_percent)
		(void)str_format(k.text, sizeof(k.text), "%u %d", quota_us, CPU_PERIOD_US);
	else if (v2)
		(void)str_format(k.text, sizeof(k.text), "max %d", CPU_PERIOD_US);
	else if (l->cpu_percent)
		(void)str_format(k.text, sizeof(k.text), "%u", quota_us);
	else
		(void)str_copy(k.text, sizeof(k.text), "-1");
	return k;
}

/* The kernel divides a disk by weight in two ways: the scheduler bfq, and the cost model of v2.  Whichever is there is told. */
static void disk_weight_knobs(bool v2, const struct conf_limits *l, struct knob ret[KNOBS])
{
	uint32_t w = weight_or_default(l->disk_weight), bfq = w;

	/* Up to the default they count the same, above it bfq ends at a tenth. */
	if (w > CONF_WEIGHT_DEFAULT)
		bfq = CONF_WEIGHT_DEFAULT + (w - CONF_WEIGHT_DEFAULT) * (BFQ_WEIGHT_MAX - CONF_WEIGHT_DEFAULT) /
						    (CONF_WEIGHT_MAX - CONF_WEIGHT_DEFAULT);
	ret[0].file = v2 ? "io.weight" : "blkio.bfq.weight";
	(void)str_format(ret[0].text, sizeof(ret[0].text), v2 ? "default %u" : "%u", v2 ? w : bfq);
	ret[1].file = v2 ? "io.bfq.weight" : NULL;
	(void)str_format(ret[1].text, sizeof(ret[1].text), "default %u", bfq);
}

static int set_cpu(int fd, bool v2, const struct conf_limits *l, struct err *err)
{
	bool idle = l->cpu_weight == CONF_CPU_IDLE;
	struct knob weight = cpu_weight_knob(v2, l), bound = cpu_bound_knob(v2, l);
	int r = cgroup_keep(fd, "cpu.idle", idle ? "1" : "0", err);

	/* An idle group refuses a weight. */
	if (r > 0 || (r == 0 && !idle))
		r = cgroup_keep(fd, weight.file, weight.text, err);
	return r < 0 ? r : cgroup_keep(fd, bound.file, bound.text, err);
}

static int set_disk_weight(int fd, bool v2, const struct conf_limits *l, struct err *err)
{
	struct knob knobs[KNOBS] = { 0 };
	int r = 0;

	disk_weight_knobs(v2, l, knobs);
	for (size_t i = 0; i < KNOBS && knobs[i].file && r >= 0; i++)
		r = cgroup_keep(fd, knobs[i].file, knobs[i].text, err);
	return r;
}

static struct knob reserve_knob(const struct conf_limits *l)
{
	struct knob k = { .file = "memory.low" };

	(void)str_format(k.text, sizeof(k.text), "%" PRIu64, l->reserve_bytes);
	return k;
}

/* inherit: `file` says what `above` says, a file of the group above. */
static int inherit(int fd, const char *file, const char *above, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	int r = file_read_at(fd, above, LIST_MAX_BYTES, &text, NULL);

	if (r < 0)
		return err_set(err, r, "cannot read %s: %m", above);
	text[strcspn(text, "\n")] = '\0';
	return cgroup_keep(fd, file, text, err);
}

int cgroup_resource_inherit(int fd, struct err *err)
{
	int r = inherit(fd, "cpuset.mems", "../cpuset.mems", err);

	return r < 0 ? r : inherit(fd, "cpuset.cpus", "../cpuset.cpus", err);
}

static bool is_empty(int fd, const char *file)
{
	char c;
	_cleanup_close_ int f = openat(fd, file, O_RDONLY | O_CLOEXEC);

	return f < 0 || read(f, &c, 1) != 1 || c == '\n';
}

/* Processors that are not there are no reason to stay down: then it has all (cgroup_resource_real()). */
static int set_cpus(int fd, bool v2, const struct conf_limits *l, struct err *err)
{
	int r = 0;

	if (!v2 && is_empty(fd, "cpuset.mems"))
		r = inherit(fd, "cpuset.mems", "../cpuset.mems", err);
	if (r < 0 || (l->cpus[0] && cgroup_keep(fd, "cpuset.cpus", l->cpus, NULL) >= 0))
		return r < 0 ? r : 0;
	if (!v2) {
		r = inherit(fd, "cpuset.cpus", "../cpuset.cpus", err);
		if (r >= 0 && is_empty(fd, "cpuset.cpus"))
			r = err_set(err, -ENOSPC, "the group above has no processors");
	} else if (!is_empty(fd, "cpuset.cpus") && file_write_at(fd, "cpuset.cpus", "\n") < 0) {
		/* While a process is in it no group may give up its list (linux kernel/cgroup/cpuset.c, validate_change(): ENOSPC). */
		r = inherit(fd, "cpuset.cpus", "../cpuset.cpus.effective", err);
	}
	return r < 0 ? r : 0;
}

int cgroup_resource_set(int fd, enum cgroup_controller which, bool v2, const struct conf_limits *limits, struct err *err)
{
	struct knob reserve = reserve_knob(limits);
	int r = 0;

	if (which == CGROUP_CPU)
		r = set_cpu(fd, v2, limits, err);
	else if (which == CGROUP_IO)
		r = set_disk_weight(fd, v2, limits, err);
	else if (which == CGROUP_CPUSET)
		r = set_cpus(fd, v2, limits, err);
	/* v1's soft limit is no reserve: who has one above it is taken from first, and who has none never. */
	else if (which == CGROUP_MEMORY && v2)
		r = cgroup_keep(fd, reserve.file, reserve.text, err);
	return r < 0 ? r : 0;
}

static int sum_reserves(int tag_fd, uint64_t *ret)
{
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *e;
	int fd = dir_open(tag_fd, ".");

	*ret = 0;
	if (fd < 0)
		return fd;
	d = fdopendir(fd);
	if (!d) {
		int r = -errno;

		(void)close(fd);
		return r;
	}
	while ((e = readdir(d))) {
		char path[VSV_NAME_MAX + 16], text[64];
		uint64_t v;

		if (e->d_type == DT_DIR && e->d_name[0] != '.' && str_format(path, sizeof(path), "%s/memory.low", e->d_name) &&
		    file_read_small(tag_fd, path, text, sizeof(text)) == 0 && parse_u64(text, UINT64_MAX, &v) == 0)
			*ret += v;
	}
	return 0;
}

/* Two that start at once each write what they have read: the later one has read both, and the earlier one looks again. */
int cgroup_resource_reserve(int tag_fd, uint64_t own_bytes, struct err *err)
{
	uint64_t sum = 0, again;
	int r;

	if (own_bytes == 0 && says(tag_fd, "memory.low", "0"))
		return 0;
	r = sum_reserves(tag_fd, &sum);
	for (int i = 0; r == 0 && i < SUM_TRIES; i++) {
		char text[32];

		(void)str_format(text, sizeof(text), "%" PRIu64, sum);
		r = cgroup_keep(tag_fd, "memory.low", text, err);
		if (r != 0)
			return r < 0 ? r : 0;
		r = sum_reserves(tag_fd, &again);
		if (again == sum)
			break;
		sum = again;
	}
	return r < 0 ? err_set(err, r, "cannot add up what all servers have reserved: %m") : 0;
}

void cgroup_resource_real(int fd, enum cgroup_controller which, bool v2, bool runs, const struct conf_limits *limits,
			  struct cgroup_resource_real *ret)
{
	struct knob weight = cpu_weight_knob(v2, limits), bound = cpu_bound_knob(v2, limits), reserve = reserve_knob(limits);
	struct knob disk[KNOBS] = { 0 };

	switch (which) {
	case CGROUP_CPU:
		ret->cpu_weight = limits->cpu_weight == CONF_CPU_IDLE ? says(fd, "cpu.idle", "1") : says(fd, weight.file, weight.text);
		ret->cpu = says(fd, bound.file, bound.text);
		break;
	case CGROUP_IO:
		disk_weight_knobs(v2, limits, disk);
		for (size_t i = 0; i < KNOBS && disk[i].file; i++)
			ret->disk_weight |= says(fd, disk[i].file, disk[i].text) && (v2 || !runs || has_tasks(fd));
		break;
	case CGROUP_MEMORY:
		ret->reserve = v2 && says(fd, reserve.file, reserve.text);
		break;
	case CGROUP_CPUSET:
		ret->cpus = says(fd, v2 ? "cpuset.cpus.effective" : "cpuset.effective_cpus", limits->cpus) && (v2 || !runs || has_tasks(fd));
		break;
	case CGROUP_PIDS:
	case CGROUP_CONTROLLERS:
		break;
	}
}
