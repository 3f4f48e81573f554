/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What volumes promise about space: an image keeps its blocks, a thin pool says when it fills, and a growth that was
 * interrupted at any point is undone or completed. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/str.h"
#include "psv/fsmount.h"
#include "psv/label.h"
#include "psv/pool.h"
#include "test.h"
#include "test_volume.h"

static int64_t allocated(const struct volume *v)
{
	struct stat st;

	CHECK_INT(fstat(v->backing_fd, &st), 0);
	return (int64_t)st.st_blocks * 512;
}

/* Small writes into allocated space, and freeing it: nothing of that may reach the image as a hole. */
static void write_in_steps(const struct volume *vol)
{
	static char page[4096] = "x";
	_cleanup_close_ int dir = -1, fd = -1;
	struct err e = { 0 };

	dir = fs_folder(vol->mount_fd, "data", &e);
	fd = openat(dir, "f", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	CHECK_INT(fallocate(fd, 0, 0, 16 << 20), 0);
	for (off_t at = 0; at < 16 << 20; at += 128 << 10)
		CHECK_INT(pwrite(fd, page, sizeof(page), at), sizeof(page));
	CHECK_INT(fsync(fd), 0);
	CHECK_INT(ftruncate(fd, 0), 0);
	CHECK_INT(syncfs(fd), 0);
}

TEST(volume_image_keeps_its_blocks)
{
	static const struct {
		enum conf_fs fs;
		unsigned mib;
	} rows[] = { { CONF_FS_EXT4, 64 }, { CONF_FS_XFS, 301 } };
	struct volume_host h;
	struct volume vol;

	volume_host_make(&h, "500m");
	for (size_t i = 0; i < 2; i++) {
		struct conf_volume v = volume_conf("data", rows[i].fs, rows[i].mib);

		OK(volume_create(&h.psv, "a", &v, "", false, v.uuid, err));
		OK(volume_open(&h.psv, "a", &v, 0, &vol, err));
		OK(volume_mount(&vol, err));
		CHECK(allocated(&vol) >= (int64_t)v.size_bytes);
		write_in_steps(&vol);
		CHECK(allocated(&vol) >= (int64_t)v.size_bytes);
		volume_close(&vol);
		OK(volume_purge(&h.psv, "a", &v, err));
	}
}

TEST(volume_thin_pool_says_when_it_fills)
{
	struct volume_host h;
	struct conf_volume v;
	struct pool_usage u;
	_cleanup_close_ int fd = -1;
	struct err e = { 0 };
	char path[256];

	volume_host_make(&h, "100m");
	h.pool.thin = true;
	v = volume_conf("data", CONF_FS_EXT4, 4096);
	OK(volume_create(&h.psv, "a", &v, "", false, v.uuid, err));
	OK(pool_usage(&h.pool, &u, err));
	CHECK(u.used_percent < 10);
	(void)str_format(path, sizeof(path), "%s/filler", h.pool_path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CHECK_INT(fallocate(fd, 0, 0, 85 << 20), 0);
	v = volume_conf("more", CONF_FS_EXT4, 4096);
	CHECK_INT(volume_check(&h.psv, "a", &v, false, &e), VOLUME_POOL_FILLING);
	CHECK(strstr(e.text, " % full"));
	CHECK_INT(fallocate(fd, 0, 0, 93 << 20), 0);
	FAILS(volume_create(&h.psv, "a", &v, "", false, v.uuid, err), -ENOSPC, "nothing more is promised");
}

/* The pool fills between the question and the allocation. */
TEST(volume_create_out_of_space_leaves_nothing)
{
	struct rlimit limit = { 20 << 20, 20 << 20 };
	struct volume_host h;
	struct conf_volume v;
	struct statfs before, after;

	volume_host_make(&h, "128m");
	CHECK_INT(mkdir(h.pool_path, 0700), 0);
	CHECK_INT(statfs(h.pool_path, &before), 0);
	(void)signal(SIGXFSZ, SIG_IGN);
	CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
	v = volume_conf("data", CONF_FS_EXT4, 32);
	FAILS(volume_create(&h.psv, "a", &v, "", false, v.uuid, err), -EFBIG, "cannot allocate 32M");
	CHECK_INT(statfs(h.pool_path, &after), 0);
	CHECK_INT(after.f_bfree, before.f_bfree);
	CHECK_INT(pool_files(&h), 0);
}

static void image_path(const struct volume_host *h, const char *name, char buf[256])
{
	CHECK(str_format(buf, 256, "%s/%s", h->pool_path, name));
}

static uint64_t fs_bytes(const struct volume_host *h, struct conf_volume *v, uint64_t label_bytes)
{
	struct volume vol;
	struct statfs s;

	OK(volume_open(&h->psv, "a", v, 0, &vol, err));
	CHECK_INT(vol.label.fs_bytes, label_bytes);
	OK(volume_mount(&vol, err));
	CHECK_INT(fstatfs(vol.mount_fd, &s), 0);
	volume_close(&vol);
	return (uint64_t)s.f_blocks * (uint64_t)s.f_bsize;
}

TEST(volume_grow_killed_before_the_label_is_undone)
{
	struct volume_host h;
	struct conf_volume v;
	struct stat st;
	char path[256];

	volume_host_make(&h, "200m");
	v = volume_conf("data", CONF_FS_EXT4, 32);
	OK(volume_create(&h.psv, "a", &v, "", false, v.uuid, err));
	image_path(&h, "a.data.img", path);
	CHECK_INT(truncate(path, 100 << 20), 0);
	CHECK(fs_bytes(&h, &v, 31 << 20) < 32 << 20);
	CHECK_INT(stat(path, &st), 0);
	CHECK_INT(st.st_size, 32 << 20);
	/* And grow itself begins anew. */
	CHECK_INT(truncate(path, 100 << 20), 0);
	OK(volume_grow(&h.psv, "a", &v, 64 << 20, -1, err));
	CHECK(fs_bytes(&h, &v, 63 << 20) > 50 << 20);
}

TEST(volume_grow_killed_after_the_label_is_completed)
{
	struct volume_host h;
	struct conf_volume v;
	struct label l = { 0 };
	_cleanup_close_ int fd = -1;
	char path[256];

	volume_host_make(&h, "200m");
	v = volume_conf("data", CONF_FS_EXT4, 32);
	OK(volume_create(&h.psv, "a", &v, "", false, v.uuid, err));
	image_path(&h, "a.data.img", path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	CHECK_INT(ftruncate(fd, 100 << 20), 0);
	OK(label_read(fd, &l, err));
	l.fs_bytes = 99 << 20;
	OK(label_write(fd, &l, err));
	label_free(&l);
	CHECK(fs_bytes(&h, &v, 99 << 20) > 80 << 20);
}

/* The label tells of the size before a growth, and the filesystem has grown: nothing is cut off. */
TEST(volume_never_cuts_a_filesystem)
{
	struct volume_host h;
	struct conf_volume v;
	struct volume vol;
	struct label l = { 0 };
	_cleanup_close_ int fd = -1;
	struct stat st;
	char path[256];

	volume_host_make(&h, "200m");
	v = volume_conf("data", CONF_FS_EXT4, 32);
	OK(volume_create(&h.psv, "a", &v, "", false, v.uuid, err));
	OK(volume_grow(&h.psv, "a", &v, 100 << 20, -1, err));
	image_path(&h, "a.data.img", path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	OK(label_read(fd, &l, err));
	l.fs_bytes = 31 << 20;
	OK(label_write(fd, &l, err));
	label_free(&l);
	OK(volume_open(&h.psv, "a", &v, 0, &vol, err));
	FAILS(volume_mount(&vol, err), -EUCLEAN, "larger than its label says");
	volume_close(&vol);
	CHECK_INT(stat(path, &st), 0);
	CHECK_INT(st.st_size, 100 << 20);
}

static void grow_and_exit(const struct volume_host *h, struct conf_volume *v, uint64_t bytes)
{
	(void)volume_grow(&h->psv, "a", v, bytes, -1, NULL);
	_exit(0);
}

TEST(volume_grow_killed_at_random_points)
{
	struct volume_host h;
	unsigned seed = 7;

	volume_host_make(&h, "400m");
	for (int i = 0; i < 12; i++) {
		struct conf_volume v = volume_conf("data", CONF_FS_EXT4, 32);
		struct timespec ts = { .tv_nsec = (rand_r(&seed) % 40000) * 1000L };
		struct volume vol;
		pid_t pid;

		OK(volume_create(&h.psv, "a", &v, "", false, v.uuid, err));
		pid = fork();
		if (pid == 0)
			grow_and_exit(&h, &v, 64 << 20);
		(void)nanosleep(&ts, NULL);
		CHECK_INT(kill(pid, SIGKILL), 0);
		CHECK_INT(waitpid(pid, NULL, 0), pid);
		OK(volume_wait_gone(&h.psv, "a", &v, 2000, err));
		OK(volume_open(&h.psv, "a", &v, 0, &vol, err));
		CHECK(vol.label.fs_bytes == 31 << 20 || vol.label.fs_bytes == 63 << 20);
		OK(volume_mount(&vol, err));
		volume_close(&vol);
		OK(volume_purge(&h.psv, "a", &v, err));
	}
}

/* A running device: the administrator enlarges it, then we take it. */
TEST(volume_grow_running_device)
{
	struct volume_host h;
	struct conf_volume v;
	struct volume vol;
	char device[64], path[256];
	_cleanup_close_ int loop = -1, sub = -1;
	struct err e = { 0 };
	int r;

	volume_host_make(&h, "256m");
	loop = host_loop(&h, "disk", 64, device);
	v = volume_conf("data", CONF_FS_EXT4, 0);
	v.device = device;
	OK(volume_create(&h.psv, "a", &v, "text", false, v.uuid, err));
	OK(volume_open(&h.psv, "a", &v, 0, &vol, err));
	OK(volume_mount(&vol, err));
	sub = volume_subtree(&vol, "data", &e);
	volume_close(&vol);
	FAILS(volume_grow(&h.psv, "a", &v, 0, sub, err), -EALREADY, "already");
	(void)str_format(path, sizeof(path), "%s/disk", h.psv.lib);
	CHECK_INT(truncate(path, 128 << 20), 0);
	CHECK_INT(ioctl(loop, 0x4C07 /* LOOP_SET_CAPACITY */, 0), 0);
	r = volume_grow(&h.psv, "a", &v, 0, sub, &e);
	CHECK(r == 0 || r == VOLUME_GROW_AT_START);
	FAILS(volume_grow(&h.psv, "a", &v, 0, loop, err), -ESTALE, "another device");
	(void)close(steal_fd(&sub));
	OK(volume_open(&h.psv, "a", &v, 0, &vol, err));
	CHECK_INT(vol.label.fs_bytes, 127 << 20);
	CHECK_STR(vol.label.conf, "text");
	OK(volume_mount(&vol, err));
	volume_close(&vol);
}

static void create_and_exit(const struct volume_host *h, const struct conf_volume *v)
{
	char uuid[37];

	(void)volume_create(&h->psv, "a", v, "x", false, uuid, NULL);
	_exit(0);
}

/* Whatever point a device was left at, the same command makes it again without being forced. */
TEST(volume_create_on_a_device_killed_at_random_points)
{
	struct volume_host h;
	unsigned seed = 11;
	char device[64];
	_cleanup_close_ int loop = -1;

	volume_host_make(&h, "200m");
	loop = host_loop(&h, "disk", 64, device);
	for (int i = 0; i < 15; i++) {
		struct conf_volume v = volume_conf("data", CONF_FS_EXT4, 0);
		struct timespec ts = { .tv_nsec = (rand_r(&seed) % 60000) * 1000L };
		struct err e = { 0 };
		struct label l = { 0 };
		struct volume vol;
		pid_t pid;

		v.device = device;
		pid = fork();
		if (pid == 0)
			create_and_exit(&h, &v);
		(void)nanosleep(&ts, NULL);
		CHECK_INT(kill(pid, SIGKILL), 0);
		CHECK_INT(waitpid(pid, NULL, 0), pid);
		/* mkfs dies with its parent, and lets go a little later. */
		OK(volume_wait_gone(&h.psv, "a", &v, 2000, err));
		if (label_read(loop, &l, &e) == 0 && l.generation > 0)
			FAILS(volume_create(&h.psv, "a", &v, "x", false, v.uuid, err), -EEXIST, "volume data of server a");
		else
			OK(volume_create(&h.psv, "a", &v, "x", false, v.uuid, err));
		label_free(&l);
		v.uuid[0] = '\0';
		OK(volume_open(&h.psv, "a", &v, 0, &vol, err));
		OK(volume_mount(&vol, err));
		volume_close(&vol);
		OK(volume_purge(&h.psv, "a", &v, err));
	}
}
