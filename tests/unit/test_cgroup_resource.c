/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/str.h"
#include "psv/cgroup.h"
#include "psv/cgroup_disk.h"
#include "psv/cgroup_resource.h"
#include "psv/resources.h"
#include "test.h"

/* A folder of plain files in place of a control group: each layout is tried on any machine. */
static int folder(const char *name)
{
	char path[512];
	int fd;

	CHECK(str_format(path, sizeof(path), "%s/%s", test_dir(), name));
	CHECK(mkdir(path, 0700) == 0 || access(path, F_OK) == 0);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(fd >= 0);
	return fd;
}

static void put(int dir, const char *file, const char *text)
{
	_cleanup_close_ int fd = openat(dir, file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK_INT(fd_write_all(fd, text, strlen(text)), 0);
}

static const char *get(int dir, const char *file)
{
	static char text[128];

	CHECK_INT(file_read_small(dir, file, text, sizeof(text)), 0);
	return text;
}

static const struct conf_limits half = { .cpu_weight = 300, .cpu_percent = 50, .disk_weight = 1200, .reserve_bytes = 1 << 24,
					 .cpus = "0-1" };
static const struct conf_limits idle = { .cpu_weight = CONF_CPU_IDLE };
static const struct conf_limits none = { 0 };

TEST(cgroup_keep_writes_what_differs)
{
	_cleanup_close_ int dir = folder("keep");
	struct err e = { 0 };

	CHECK_INT(cgroup_keep(dir, "no-such", "1", &e), 1);
	put(dir, "weight", "default 100\n8:0 200\n");
	CHECK_INT(cgroup_keep(dir, "weight", "default 100", &e), 0);
	CHECK_STR(get(dir, "weight"), "default 100\n8:0 200");
	CHECK_INT(cgroup_keep(dir, "weight", "default 300", &e), 0);
	CHECK_STR(get(dir, "weight"), "default 300\n8:0 200");
	CHECK_INT(mkdirat(dir, "folder", 0700), 0);
	CHECK_INT(cgroup_keep(dir, "folder", "1", &e), -EISDIR);
	CHECK(strstr(e.text, "cannot set folder to 1"));
}

TEST(cgroup_resources_of_v2)
{
	_cleanup_close_ int dir = folder("v2");
	struct cgroup_resource_real real = { 0 };
	struct err e = { 0 };

	/* Nothing is there. */
	for (enum cgroup_controller c = 0; c < CGROUP_CONTROLLERS; c++) {
		CHECK_INT(cgroup_resource_set(dir, c, true, &half, &e), 0);
		cgroup_resource_real(dir, c, true, true, &half, &real);
	}
	CHECK(!real.cpu_weight && !real.cpu && !real.cpus && !real.disk_weight && !real.reserve);
	put(dir, "cpu.idle", "0");
	put(dir, "cpuset.cpus", "\n");
	put(dir, "cpuset.cpus.effective", "0-7\n");
	put(dir, "cpu.weight", "");
	put(dir, "cpu.max", "");
	put(dir, "io.weight", "");
	put(dir, "io.bfq.weight", "");
	put(dir, "memory.low", "");
	for (enum cgroup_controller c = 0; c < CGROUP_CONTROLLERS; c++) {
		CHECK_INT(cgroup_resource_set(dir, c, true, &half, &e), 0);
		cgroup_resource_real(dir, c, true, true, &half, &real);
	}
	CHECK_STR(get(dir, "cpu.idle"), "0");
	CHECK_STR(get(dir, "cpu.weight"), "300");
	CHECK_STR(get(dir, "cpu.max"), "50000 100000");
	CHECK_STR(get(dir, "io.weight"), "default 1200");
	CHECK_STR(get(dir, "io.bfq.weight"), "default 200");
	CHECK_STR(get(dir, "memory.low"), "16777216");
	CHECK(real.cpu_weight && real.cpu && !real.cpus && real.disk_weight && real.reserve);
	CHECK_STR(get(dir, "cpuset.cpus"), "0-1");
	put(dir, "cpuset.cpus.effective", "0-1\n");
	cgroup_resource_real(dir, CGROUP_CPUSET, true, true, &half, &real);
	CHECK(real.cpus);
	CHECK_INT(cgroup_resource_set(dir, CGROUP_CPUSET, true, &none, &e), 0);
	CHECK(*get(dir, "cpuset.cpus") == '\n');
	/* An idle group takes no weight. */
	put(dir, "cpu.max", "");
	CHECK_INT(cgroup_resource_set(dir, CGROUP_CPU, true, &idle, &e), 0);
	CHECK_STR(get(dir, "cpu.idle"), "1");
	CHECK_STR(get(dir, "cpu.weight"), "300");
	CHECK_STR(get(dir, "cpu.max"), "max 100000");
	cgroup_resource_real(dir, CGROUP_CPU, true, true, &idle, &real);
	CHECK(real.cpu_weight);
	cgroup_resource_real(dir, CGROUP_CPU, true, true, &half, &real);
	CHECK(!real.cpu);
	/* What has no idle groups. */
	CHECK_INT(unlinkat(dir, "cpu.idle", 0), 0);
	put(dir, "cpu.weight", "");
	CHECK_INT(cgroup_resource_set(dir, CGROUP_CPU, true, &idle, &e), 0);
	CHECK_STR(get(dir, "cpu.weight"), "1");
	cgroup_resource_real(dir, CGROUP_CPU, true, true, &idle, &real);
	CHECK(!real.cpu_weight);
}

TEST(cgroup_resources_of_v1)
{
	_cleanup_close_ int above = folder("above"), dir = folder("above/v1");
	struct cgroup_resource_real real = { 0 };
	struct err e = { 0 };

	put(dir, "cpu.shares", "");
	put(dir, "cpu.cfs_quota_us", "");
	put(dir, "blkio.bfq.weight", "");
	put(dir, "memory.soft_limit_in_bytes", "1");
	put(above, "cpuset.cpus", "0-7\n");
	put(above, "cpuset.mems", "0\n");
	put(dir, "cpuset.cpus", "\n");
	put(dir, "cpuset.mems", "\n");
	put(dir, "cpuset.effective_cpus", "0-1\n");
	for (enum cgroup_controller c = 0; c < CGROUP_CONTROLLERS; c++) {
		CHECK_INT(cgroup_resource_set(dir, c, false, &half, &e), 0);
		cgroup_resource_real(dir, c, false, true, &half, &real);
	}
	CHECK_STR(get(dir, "cpu.shares"), "3072");
	CHECK_STR(get(dir, "cpu.cfs_quota_us"), "50000");
	CHECK_STR(get(dir, "blkio.bfq.weight"), "200");
	CHECK_STR(get(dir, "memory.soft_limit_in_bytes"), "1");
	CHECK_STR(get(dir, "cpuset.mems"), "0");
	CHECK_STR(get(dir, "cpuset.cpus"), "0-1");
	/* Nobody is in it; at a start that is as it should be. */
	cgroup_resource_real(dir, CGROUP_CPUSET, false, false, &half, &real);
	CHECK(real.cpus);
	cgroup_resource_real(dir, CGROUP_CPUSET, false, true, &half, &real);
	CHECK(real.cpu_weight && real.cpu && !real.cpus && !real.disk_weight && !real.reserve);
	put(dir, "tasks", "1\n");
	cgroup_resource_real(dir, CGROUP_CPUSET, false, true, &half, &real);
	CHECK(real.cpus);
	CHECK_INT(cgroup_resource_set(dir, CGROUP_CPUSET, false, &none, &e), 0);
	CHECK_STR(get(dir, "cpuset.cpus"), "0-7");
	cgroup_resource_real(dir, CGROUP_IO, false, true, &half, &real);
	CHECK(real.disk_weight);
	put(dir, "cpu.shares", "");
	put(dir, "cpu.cfs_quota_us", "");
	CHECK_INT(cgroup_resource_set(dir, CGROUP_CPU, false, &none, &e), 0);
	CHECK_STR(get(dir, "cpu.shares"), "1024");
	CHECK_STR(get(dir, "cpu.cfs_quota_us"), "-1");
	put(dir, "cpu.shares", "");
	CHECK_INT(cgroup_resource_set(dir, CGROUP_CPU, false, &(struct conf_limits){ .cpu_weight = 10000 }, &e), 0);
	CHECK_STR(get(dir, "cpu.shares"), "102400");
}

/* The kernel's own files take what we write, in any order of going from one to another. */
TEST(cgroup_resources_are_taken_by_the_kernel)
{
	static const struct conf_limits steps[] = {
		{ .cpu_weight = 1, .cpu_percent = 1 },	   { .cpu_weight = CONF_CPU_IDLE, .cpu_percent = 102400 },
		{ .cpu_weight = 10000, .cpu_percent = 100, .cpus = "0" }, { .cpu_weight = CONF_CPU_IDLE, .cpus = "8191" }, { 0 },
	};
	struct cgroup_resource_real real;
	struct psv psv = { 0 };
	struct cgroup_layout l;
	struct err e = { 0 };

	if (geteuid() != 0 || cgroup_layout(&l, NULL) < 0 || access(l.v2, W_OK) < 0)
		SKIP("needs root and a cgroup v2 that can be written");
	CHECK(str_format(psv.tag, sizeof(psv.tag), "vnas-t%d", getpid()));
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		int fd = cgroup_up(&psv, "a", &steps[i], &e);

		if (fd < 0)
			test_fail(__FILE__, __LINE__, e.text);
		(void)close(fd);
		cgroup_real(&psv, "a", false, &steps[i], &real);
		if (l.in_v2[CGROUP_CPU] || l.v1[CGROUP_CPU][0])
			CHECK(real.cpu_weight && real.cpu);
		if (l.in_v2[CGROUP_CPUSET] || l.v1[CGROUP_CPUSET][0])
			CHECK(real.cpus == (strcmp(steps[i].cpus, "0") == 0));
	}
	CHECK_INT(cgroup_down(&psv, "a", &e), 0);
	cgroup_real(&psv, "a", false, &steps[0], &real);
	CHECK(!real.cpu_weight && !real.cpu && !real.disk_weight && !real.reserve);
}

TEST(cgroup_reserves_are_added_up)
{
	_cleanup_close_ int tag = folder("tag"), a = folder("tag/a"), b = folder("tag/b"), c = folder("tag/c");
	struct err e = { 0 };

	(void)c; /* of which the kernel has no reserve */
	put(a, "memory.low", "1000\n");
	put(b, "memory.low", "24\n");
	CHECK_INT(cgroup_resource_reserve(tag, 24, &e), 0);
	put(tag, "memory.low", "0\n");
	CHECK_INT(cgroup_resource_reserve(tag, 24, &e), 0);
	CHECK_STR(get(tag, "memory.low"), "1024");
	/* One goes, or has no reserve any more. */
	put(b, "memory.low", "0\n");
	CHECK_INT(cgroup_resource_reserve(tag, 0, &e), 0);
	CHECK_STR(get(tag, "memory.low"), "1000");
	/* Where there was none and comes none, a thousand are not asked. */
	put(tag, "memory.low", "0\n");
	CHECK_INT(cgroup_resource_reserve(tag, 0, &e), 0);
	CHECK_STR(get(tag, "memory.low"), "0");
}

/* A device that is not there, and one that lies on none. */
TEST(cgroup_disk_bounds_of_no_device)
{
	static const struct conf_limits l = { .disk_write_bytes = 1 << 20, .disk_read_iops = 100 };
	const struct state_volume v = { .name = "data", .rdev = makedev(7, 1048575) };
	struct psv psv = { 0 };
	struct cgroup_layout layout;
	struct err e = { 0 };

	if (geteuid() != 0 || cgroup_layout(&layout, NULL) < 0)
		SKIP("needs root and cgroup v2");
	CHECK(str_format(psv.tag, sizeof(psv.tag), "vnas-t%d", getpid()));
	CHECK_INT(cgroup_disk_set(&psv, "a", &l, &v, 1, &e), 0);
	CHECK(!cgroup_disk_real(&psv, "a", &l, &v, 1, CGROUP_DISK_WRITE_BYTES));
	CHECK_INT(cgroup_disk_free(&psv, "a", &v, 1, &e), 0);
	CHECK(!cgroup_disk_weighs(makedev(0, 0)) && !cgroup_disk_weighs(v.rdev));
	CHECK(cgroup_disk_limit(&l, CGROUP_DISK_WRITE_BYTES) == 1 << 20 && cgroup_disk_limit(&l, CGROUP_DISK_READ_IOPS) == 100);
	CHECK(cgroup_disk_limit(&l, CGROUP_DISK_READ_BYTES) == 0 && cgroup_disk_limit(&l, CGROUP_DISK_WRITE_IOPS) == 0);
}

TEST(cgroup_resources_in_words)
{
	_cleanup_strbuf_ struct strbuf text = { 0 }, more = { 0 };
	struct conf c = { .limits = { .cpu_weight = CONF_CPU_IDLE, .cpu_percent = 5, .cpus = "2-3", .disk_read_bytes = 3 << 20,
				      .disk_write_iops = 70, .reserve_bytes = UINT64_C(1) << 30, .disk_weight = 7 } };

	resources_text(&c, &text);
	CHECK_STR(strbuf_str(&text),
		  "memory reserve 1G, cpu weight idle, cpu 0.05, cpus 2-3, disk weight 7, disk read 3M/s, disk write iops 70/s");
	c.limits = none;
	resources_text(&c, &more);
	CHECK_STR(strbuf_str(&more), "cpu weight 100");
}
