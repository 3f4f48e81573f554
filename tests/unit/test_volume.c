/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test_volume.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/process.h"
#include "lib/str.h"
#include "psv/fsmount.h"
#include "psv/label.h"
#include "psv/loop.h"
#include "test.h"

static void image_path(const struct volume_host *h, const char *name, char buf[256])
{
	CHECK(str_format(buf, 256, "%s/%s", h->pool_path, name));
}

static void make(struct volume_host *h, struct conf_volume *v)
{
	OK(volume_create(&h->psv, "a", v, "[server]\n", false, v->uuid, err));
}

TEST(volume_life)
{
	static const char *const folders[] = { "etc", "var", "home", "root", "srv" };
	struct volume_host h;
	struct conf_volume v;
	struct volume vol;
	char path[256];
	struct stat st;

	volume_host_make(&h, "128m");
	v = volume_conf("root", CONF_FS_EXT4, 64);
	make(&h, &v);
	CHECK_INT(loop_count(test_dir()), 0);
	CHECK_INT(pool_files(&h), 1);
	image_path(&h, "a.root.img", path);
	CHECK_INT(stat(path, &st), 0);
	CHECK_INT(st.st_size, 64 << 20);
	CHECK(st.st_blocks * 512 >= st.st_size);
	CHECK_INT(st.st_mode & 0777, 0600);

	OK(volume_open(&h.psv, "a", &v, 0, &vol, err));
	CHECK_INT(vol.label.generation, 1);
	CHECK_STR(vol.label.conf, "[server]\n");
	CHECK(volume_is_held(&h.psv, "a", &v));
	OK(volume_mount(&vol, err));
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		_cleanup_close_ int fd = -1;
		struct err e = { 0 };

		fd = volume_subtree(&vol, folders[i], &e);
		CHECK(fd >= 0);
		CHECK_INT(fstat(fd, &st), 0);
		CHECK(st.st_dev == vol.rdev);
		CHECK_INT(st.st_mode & 07777, strcmp(folders[i], "root") == 0 ? 0700 : 0755);
	}
	FAILS(volume_subtree(&vol, "..", err), -EXDEV, "..");
	FAILS(volume_subtree(&vol, "nothing", err), -ENOENT, "nothing");
	volume_close(&vol);
	CHECK_INT(loop_count(test_dir()), 0);
	CHECK(!volume_is_held(&h.psv, "a", &v));
	OK(volume_purge(&h.psv, "a", &v, err));
	CHECK_INT(pool_files(&h), 0);
}

TEST(volume_xfs_life)
{
	struct volume_host h;
	struct conf_volume v;
	struct volume vol;
	_cleanup_close_ int fd = -1;
	struct err e = { 0 };

	volume_host_make(&h, "400m");
	v = volume_conf("data", CONF_FS_XFS, 300);
	FAILS(volume_create(&h.psv, "a", &v, "", false, v.uuid, err), -EINVAL, "300M is no size");
	v = volume_conf("data", CONF_FS_XFS, 301);
	make(&h, &v);
	OK(volume_open(&h.psv, "a", &v, 0, &vol, err));
	OK(volume_mount(&vol, err));
	fd = volume_subtree(&vol, "data", &e);
	CHECK(fd >= 0);
	volume_close(&vol);
	/* The clone alone keeps device and lock. */
	CHECK(volume_is_held(&h.psv, "a", &v));
	CHECK_INT(loop_count(test_dir()), 1);
	FAILS(volume_open(&h.psv, "a", &v, 0, &vol, err), -EBUSY, "in use");
	(void)close(steal_fd(&fd));
	OK(volume_wait_gone(&h.psv, "a", &v, 2000, err));
	CHECK_INT(loop_count(test_dir()), 0);
}

/* What kernels before 6.15 need. */
TEST(volume_subtree_of_older_kernels)
{
	struct volume_host h;
	struct conf_volume v;
	struct volume vol;
	struct err e = { 0 };
	struct stat st;
	int etc, home, again;

	volume_host_make(&h, "128m");
	v = volume_conf("root", CONF_FS_EXT4, 32);
	make(&h, &v);
	OK(volume_open(&h.psv, "a", &v, 0, &vol, err));
	OK(volume_mount(&vol, err));
	etc = fs_subtree_attached(vol.mount_fd, "etc", &e);
	home = fs_subtree_attached(vol.mount_fd, "home", &e);
	FAILS(fs_subtree_attached(vol.mount_fd, "nothing", err), -ENOENT, "nothing");
	again = fs_subtree_attached(vol.mount_fd, "etc", &e);
	CHECK(etc >= 0 && home >= 0 && again >= 0);
	CHECK_INT(fstat(home, &st), 0);
	CHECK(st.st_dev == vol.rdev);
	CHECK_INT(move_mount(etc, "", AT_FDCWD, h.psv.etc, MOVE_MOUNT_F_EMPTY_PATH), 0);
	CHECK_INT(umount2(h.psv.etc, MNT_DETACH), 0);
	(void)close(etc);
	(void)close(home);
	(void)close(again);
	volume_close(&vol);
	OK(volume_wait_gone(&h.psv, "a", &v, 2000, err));
}

TEST(volume_second_open_is_refused)
{
	struct volume_host h;
	struct conf_volume v;
	struct volume vol, second;

	volume_host_make(&h, "128m");
	v = volume_conf("root", CONF_FS_EXT4, 32);
	make(&h, &v);
	OK(volume_open(&h.psv, "a", &v, 0, &vol, err));
	FAILS(volume_open(&h.psv, "a", &v, 0, &second, err), -EBUSY, "in use");
	FAILS(volume_purge(&h.psv, "a", &v, err), -EBUSY, "in use");
	volume_close(&vol);
	OK(volume_open(&h.psv, "a", &v, 0, &second, err));
	volume_close(&second);
}

/* Somebody's losetup or mount -o loop does not know our lock. */
TEST(volume_on_another_loop_device_is_refused)
{
	struct volume_host h;
	struct conf_volume v;
	struct volume vol;
	struct loop l = { .fd = -1 };
	char path[256];
	int fd;

	volume_host_make(&h, "128m");
	v = volume_conf("root", CONF_FS_EXT4, 32);
	make(&h, &v);
	image_path(&h, "a.root.img", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0);
	/* A reader is none: a backup must not keep a server down. */
	OK(volume_open(&h.psv, "a", &v, 0, &vol, err));
	volume_close(&vol);
	OK(loop_attach(fd, LABEL_BYTES, "other", &l, err));
	(void)close(fd);
	FAILS(volume_open(&h.psv, "a", &v, 0, &vol, err), -EBUSY, l.device);
	(void)close(l.fd);
	OK(volume_open(&h.psv, "a", &v, 0, &vol, err));
	volume_close(&vol);
}

TEST(volume_conf_is_stored_while_it_runs)
{
	struct volume_host h;
	struct conf_volume v;
	struct volume vol;

	volume_host_make(&h, "128m");
	v = volume_conf("root", CONF_FS_EXT4, 32);
	make(&h, &v);
	OK(volume_open(&h.psv, "a", &v, 0, &vol, err));
	OK(volume_mount(&vol, err));
	OK(volumes_advance(&h.psv, &vol, 1, "two", err));
	OK(volume_store_conf(&h.psv, "a", &v, "three", err));
	FAILS(volume_store_conf(&h.psv, "b", &v, "three", err), -ENOENT, "cannot open");
	volume_close(&vol);
	OK(volume_open(&h.psv, "a", &v, 2, &vol, err));
	CHECK_STR(vol.label.conf, "three");
	CHECK_INT(vol.label.generation, 2);
	volume_close(&vol);
}

/* A pool that has no files without a name, and one that never overwrites. */
TEST(volume_pools_on_other_file_systems)
{
	static const struct {
		const char *mkfs, *type, *options;
	} rows[] = {
		{ "mkfs.vfat", "vfat", "" }, { "mkfs.btrfs", "btrfs", "" }, { "mkfs.ext4", "ext4", "" },
		{ "mkfs.xfs", "xfs", "" },
	};
	unsigned done = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct volume_host h;
		struct conf_volume v;
		struct volume vol;
		char device[64];
		const char *const mkfs[] = { rows[i].mkfs, device, NULL };
		_cleanup_close_ int loop = -1, leftover = -1;

		volume_host_make(&h, "420m");
		loop = host_loop(&h, "disk", 400, device);
		CHECK_INT(mkdir(h.pool_path, 0700), 0);
		if (run(mkfs, NULL, NULL) < 0 || mount(device, h.pool_path, rows[i].type, 0, rows[i].options) < 0)
			continue;
		leftover = open(h.pool_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		(void)close(openat(leftover, "a.root.img.new", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
		(void)close(openat(leftover, "b.root.img.new", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
		v = volume_conf("root", CONF_FS_EXT4, 64);
		make(&h, &v);
		OK(volume_sweep(&h.psv, "a", err));
		CHECK_INT(faccessat(leftover, "a.root.img.new", F_OK, 0), -1);
		CHECK_INT(faccessat(leftover, "b.root.img.new", F_OK, 0), 0);
		OK(volume_open(&h.psv, "a", &v, 0, &vol, err));
		OK(volume_mount(&vol, err));
		volume_close(&vol);
		OK(volume_grow(&h.psv, "a", &v, 100 << 20, -1, err));
		OK(volume_purge(&h.psv, "a", &v, err));
		(void)close(steal_fd(&leftover));
		CHECK_INT(umount2(h.pool_path, 0), 0);
		done++;
	}
	if (!done)
		SKIP("no file system could be made");
}

/* One volume full to the last block, and another one's writes still work: its blocks are its own. */
TEST(volume_neighbour_of_a_full_one_still_writes)
{
	static char block[1 << 20];
	struct volume_host h;
	struct conf_volume c[2];
	struct volume vol[2];
	char path[256];
	_cleanup_close_ int filler = -1;
	struct err e = { 0 };

	volume_host_make(&h, "140m");
	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 2; i++) {
		c[i] = volume_conf(i ? "data" : "root", CONF_FS_EXT4, 64);
		make(&h, &c[i]);
		OK(volume_open(&h.psv, "a", &c[i], 0, &vol[i], err));
		OK(volume_mount(&vol[i], err));
	}
	/* The pool itself is full, too. */
	(void)str_format(path, sizeof(path), "%s/filler", h.pool_path);
	filler = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	while (write(filler, block, sizeof(block)) > 0)
		;
	for (int i = 0; i < 2; i++) {
		_cleanup_close_ int dir = fs_folder(vol[i].mount_fd, i ? "data" : "srv", &e);
		_cleanup_close_ int fd = openat(dir, "f", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		unsigned mib = 0;

		CHECK(fd >= 0);
		while (write(fd, block, sizeof(block)) == sizeof(block))
			mib++;
		CHECK_INT(errno, ENOSPC);
		CHECK(mib > 40);
		CHECK_INT(fsync(fd), 0);
	}
	for (int i = 0; i < 2; i++)
		volume_close(&vol[i]);
}

TEST(volume_create_refuses)
{
	struct volume_host h;
	struct conf_volume v;
	struct volume vol;

	volume_host_make(&h, "128m");
	v = volume_conf("root", CONF_FS_EXT4, 8);
	FAILS(volume_create(&h.psv, "a", &v, "", false, v.uuid, err), -EINVAL, "no size");
	v = volume_conf("root", CONF_FS_EXT4, 0);
	FAILS(volume_create(&h.psv, "a", &v, "", false, v.uuid, err), -EINVAL, "no size");
	v = volume_conf("root", CONF_FS_EXT4, 4096);
	FAILS(volume_create(&h.psv, "a", &v, "", false, v.uuid, err), -ENOSPC, "not enough room");
	v.size_bytes = UINT64_MAX;
	FAILS(volume_create(&h.psv, "a", &v, "", false, v.uuid, err), -EINVAL, "no size");
	CHECK_INT(pool_files(&h), 0);
	v = volume_conf("root", CONF_FS_EXT4, 32);
	(void)str_copy(v.pool, sizeof(v.pool), "fast");
	FAILS(volume_create(&h.psv, "a", &v, "", false, v.uuid, err), -EINVAL, "no pool 'fast'");
	v.pool[0] = '\0';
	make(&h, &v);
	FAILS(volume_create(&h.psv, "a", &v, "", false, v.uuid, err), -EEXIST, "already");
	v.uuid[0] = '\0';
	FAILS(volume_open(&h.psv, "b", &v, 0, &vol, err), -ENOENT, "missing");
	CHECK_INT(pool_files(&h), 1);
	CHECK_INT(loop_count(test_dir()), 0);
}

TEST(volume_refuses_what_is_not_its_own)
{
	struct volume_host h;
	struct conf_volume v, w;
	struct volume vol;
	char a[256], b[256];

	volume_host_make(&h, "128m");
	v = volume_conf("root", CONF_FS_EXT4, 32);
	make(&h, &v);
	w = volume_conf("root", CONF_FS_EXT4, 32);
	OK(volume_create(&h.psv, "b", &w, "", false, w.uuid, err));
	image_path(&h, "a.root.img", a);
	image_path(&h, "b.root.img", b);
	CHECK_INT(renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE), 0);
	FAILS(volume_open(&h.psv, "a", &v, 0, &vol, err), -ESTALE, "of server b");
	CHECK_INT(renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE), 0);
	v.uuid[0] = v.uuid[0] == '0' ? '1' : '0';
	FAILS(volume_open(&h.psv, "a", &v, 0, &vol, err), -ESTALE, "swapped");
	v.uuid[0] = '\0';
	FAILS(volume_open(&h.psv, "a", &v, 2, &vol, err), -ESTALE, "older copy");
	CHECK_INT(truncate(a, 20 << 20), 0);
	FAILS(volume_open(&h.psv, "a", &v, 0, &vol, err), -EUCLEAN, "cut off");
	CHECK_INT(truncate(a, 0), 0);
	FAILS(volume_open(&h.psv, "a", &v, 0, &vol, err), -EUCLEAN, "no label");
	CHECK_INT(unlink(a), 0);
	CHECK_INT(mkdir(a, 0700), 0);
	FAILS(volume_open(&h.psv, "a", &v, 0, &vol, err), -EISDIR, "cannot open");
	CHECK_INT(loop_count(test_dir()), 0);
}

static void poke(const struct volume_host *h, const char *image, off_t at, const void *data, size_t len)
{
	char path[256];
	_cleanup_close_ int fd = -1;

	image_path(h, image, path);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	CHECK(fd >= 0);
	CHECK_INT(pwrite(fd, data, len, at), len);
}

TEST(volume_damage_is_repaired_or_refused)
{
	static const char zero[4096];
	struct volume_host h;
	struct conf_volume v;
	struct volume vol;
	struct err e = { 0 };
	char path[256];
	_cleanup_strbuf_ struct strbuf device = { 0 };

	volume_host_make(&h, "128m");
	v = volume_conf("root", CONF_FS_EXT4, 64);
	make(&h, &v);
	image_path(&h, "a.root.img", path);
	strbuf_addf(&device, "%s?offset=1048576", path);
	const char *const set[] = { "debugfs", "-w", "-R", "set_super_value state 2", strbuf_str(&device), NULL };
	OK(run(set, NULL, err));
	OK(volume_open(&h.psv, "a", &v, 0, &vol, err));
	CHECK_INT(volume_mount(&vol, &e), VOLUME_REPAIRED);
	volume_close(&vol);
	OK(volume_open(&h.psv, "a", &v, 0, &vol, err));
	CHECK_INT(volume_mount(&vol, &e), 0);
	volume_close(&vol);
	/* The whole first superblock is gone. */
	poke(&h, "a.root.img", LABEL_BYTES, zero, sizeof(zero));
	OK(volume_open(&h.psv, "a", &v, 0, &vol, err));
	FAILS(volume_mount(&vol, err), -EUCLEAN, "e2fsck cannot repair");
	volume_close(&vol);
	CHECK_INT(loop_count(test_dir()), 0);
}

TEST(volume_repair_after_loss)
{
	static const struct {
		enum conf_fs fs;
		unsigned mib;
	} rows[] = { { CONF_FS_EXT4, 200 }, { CONF_FS_XFS, 301 } }; /* large enough for a second superblock */
	static const char zero[8192];
	struct volume_host h;
	struct volume vol;
	struct err e = { 0 };

	volume_host_make(&h, "420m");
	for (size_t i = 0; i < 2; i++) {
		struct conf_volume v = volume_conf("data", rows[i].fs, rows[i].mib);

		make(&h, &v);
		CHECK_INT(volume_repair(&h.psv, "a", &v, "text", &e), 0);
		/* The first superblock. */
		poke(&h, "a.data.img", LABEL_BYTES, zero, 4096);
		OK(volume_open(&h.psv, "a", &v, 0, &vol, err));
		CHECK(volume_mount(&vol, &e) != 0);
		volume_close(&vol);
		CHECK_INT(volume_repair(&h.psv, "a", &v, "text", &e), i == 0 ? VOLUME_REPAIRED : 0);
		OK(volume_open(&h.psv, "a", &v, 0, &vol, err));
		CHECK_INT(volume_mount(&vol, &e), 0);
		volume_close(&vol);
		/* Both copies of the label. */
		poke(&h, "a.data.img", 0, zero, sizeof(zero));
		poke(&h, "a.data.img", LABEL_SLOT_BYTES, zero, sizeof(zero));
		FAILS(volume_open(&h.psv, "a", &v, 0, &vol, err), -EUCLEAN, "no label");
		CHECK_INT(volume_repair(&h.psv, "a", &v, "text", &e), VOLUME_REPAIRED);
		OK(volume_open(&h.psv, "a", &v, 0, &vol, err));
		CHECK_STR(vol.label.conf, "text");
		volume_close(&vol);
		/* Another filesystem stands there: nothing is written. */
		poke(&h, "a.data.img", 0, zero, sizeof(zero));
		poke(&h, "a.data.img", LABEL_SLOT_BYTES, zero, sizeof(zero));
		v.uuid[0] = v.uuid[0] == '0' ? '1' : '0';
		FAILS(volume_repair(&h.psv, "a", &v, "text", err), -EUCLEAN, "not the one");
		FAILS(volume_open(&h.psv, "a", &v, 0, &vol, err), -EUCLEAN, "no label");
		OK(volume_purge(&h.psv, "a", &v, err));
	}
}

static void cut_power(struct volume_host *h, struct conf_volume *v)
{
	char from[256], to[256], name[64];
	const char *cp[] = { "cp", "--sparse=always", from, to, NULL };
	_cleanup_close_ int fd = -1;
	struct err e = { 0 };
	struct volume vol;
	struct stat st;

	(void)str_format(name, sizeof(name), "a.%s.img", v->name);
	image_path(h, name, from);
	(void)str_format(to, sizeof(to), "%s/copy", test_dir());
	OK(volume_open(&h->psv, "a", v, 0, &vol, err));
	OK(volume_mount(&vol, err));
	CHECK_INT(mkdirat(vol.mount_fd, "data/kept", 0700), 0);
	fd = fs_folder(vol.mount_fd, "data", &e);
	CHECK_INT(fsync(fd), 0);
	(void)close(steal_fd(&fd));
	OK(run(cp, NULL, err));
	volume_close(&vol);
	CHECK_INT(rename(to, from), 0);
	CHECK_INT(stat(from, &st), 0);
	CHECK(st.st_blocks * 512 < st.st_size);
}

/* The journal is to be replayed, and no check runs. */
TEST(volume_power_cut_needs_no_check)
{
	static const struct {
		enum conf_fs fs;
		unsigned mib;
	} rows[] = { { CONF_FS_EXT4, 64 }, { CONF_FS_XFS, 301 } };
	struct volume_host h;

	volume_host_make(&h, "720m");
	for (size_t i = 0; i < 2; i++) {
		struct conf_volume v = volume_conf("data", rows[i].fs, rows[i].mib);
		struct volume vol;
		struct err e = { 0 };
		struct stat st;

		make(&h, &v);
		cut_power(&h, &v);
		OK(volume_open(&h.psv, "a", &v, 0, &vol, err));
		CHECK(!vol.sparse);
		CHECK_INT(volume_mount(&vol, &e), 0);
		CHECK_INT(fstatat(vol.mount_fd, "data/kept", &st, 0), 0);
		/* And the holes of the copy are filled again. */
		CHECK_INT(fstat(vol.backing_fd, &st), 0);
		CHECK(st.st_blocks * 512 >= st.st_size);
		volume_close(&vol);
		OK(volume_purge(&h.psv, "a", &v, err));
	}
}

TEST(volume_hostile_superblocks_are_not_mounted)
{
	struct volume_host h;
	struct conf_volume v;
	struct volume vol;
	char path[256];
	_cleanup_strbuf_ struct strbuf device = { 0 };

	volume_host_make(&h, "128m");
	v = volume_conf("data", CONF_FS_EXT4, 32);
	make(&h, &v);
	image_path(&h, "a.data.img", path);
	strbuf_addf(&device, "%s?offset=1048576", path);
	for (int i = 0; i < 2; i++) {
		const char *const set[] = { "debugfs", "-w", "-R",
					    i ? "set_super_value journal_dev 0x801" : "set_super_value mount_opts journal_path=/dev/vda",
					    strbuf_str(&device), NULL };

		OK(run(set, NULL, err));
		OK(volume_open(&h.psv, "a", &v, 0, &vol, err));
		FAILS(volume_mount(&vol, err), -EUCLEAN, i ? "" : "carries mount options");
		volume_close(&vol);
	}
}

TEST(volume_generations)
{
	struct volume_host h;
	struct conf_volume c[2];
	struct volume vol[2];
	uint64_t known = 9;

	volume_host_make(&h, "128m");
	c[0] = volume_conf("root", CONF_FS_EXT4, 32);
	c[1] = volume_conf("data", CONF_FS_EXT4, 32);
	make(&h, &c[0]);
	OK(volume_generation_known(&h.psv, "a", &known, err));
	CHECK_INT(known, 0);
	make(&h, &c[1]);
	for (int i = 0; i < 2; i++)
		OK(volume_open(&h.psv, "a", &c[i], 0, &vol[i], err));
	OK(volumes_check(&h.psv, vol, 2, err));
	OK(volumes_advance(&h.psv, vol, 2, "new", err));
	OK(volume_generation_known(&h.psv, "a", &known, err));
	CHECK_INT(known, 2);
	CHECK_INT(vol[1].label.generation, 2);
	/* Killed between the two labels. */
	OK(volume_set_generation(&vol[1], 3, "new", err));
	OK(volumes_check(&h.psv, vol, 2, err));
	OK(volumes_advance(&h.psv, vol, 2, "new", err));
	CHECK_INT(vol[0].label.generation, 3);
	CHECK_INT(vol[1].label.generation, 3);
	/* An old copy of one, of the other, of both. */
	OK(volume_set_generation(&vol[1], 2, "new", err));
	FAILS(volumes_check(&h.psv, vol, 2, err), -ESTALE, "volume data");
	OK(volume_set_generation(&vol[1], 5, "new", err));
	FAILS(volumes_check(&h.psv, vol, 2, err), -ESTALE, "volume root");
	OK(volume_set_generation(&vol[0], 2, "new", err));
	OK(volume_set_generation(&vol[1], 2, "new", err));
	FAILS(volumes_check(&h.psv, vol, 2, err), -ESTALE, "older copy");
	for (int i = 0; i < 2; i++)
		volume_close(&vol[i]);
}

/* Children that do one whole round are killed at random points: nothing stays attached or locked, no file without a
 * whole volume behind it, and the next command works. */
static void round_trip(struct volume_host *h)
{
	struct conf_volume v = volume_conf("data", CONF_FS_EXT4, 16);
	struct volume vol;

	if (volume_create(&h->psv, "k", &v, "x", false, v.uuid, NULL) < 0 && access(h->pool_path, F_OK) < 0)
		_exit(1);
	v.uuid[0] = '\0';
	if (volume_open(&h->psv, "k", &v, 0, &vol, NULL) == 0) {
		(void)volume_mount(&vol, NULL);
		(void)volume_subtree(&vol, "data", NULL);
		(void)volumes_advance(&h->psv, &vol, 1, "x", NULL);
		volume_close(&vol);
	}
	(void)volume_purge(&h->psv, "k", &v, NULL);
	_exit(0);
}

TEST(volume_kill_at_random_points_leaves_nothing)
{
	struct volume_host h;
	struct conf_volume v;
	unsigned seed = 1;

	volume_host_make(&h, "128m");
	v = volume_conf("data", CONF_FS_EXT4, 16);
	for (int i = 0; i < 40; i++) {
		struct timespec ts = { .tv_nsec = (rand_r(&seed) % 40000) * 1000L };
		struct volume vol;
		pid_t pid = fork();

		if (pid == 0)
			round_trip(&h);
		(void)nanosleep(&ts, NULL);
		CHECK_INT(kill(pid, SIGKILL), 0);
		CHECK_INT(waitpid(pid, NULL, 0), pid);
		OK(volume_wait_gone(&h.psv, "k", &v, 2000, err));
		for (int wait = 0; loop_count(test_dir()) && wait < 200; wait++)
			(void)usleep(10000);
		CHECK_INT(loop_count(test_dir()), 0);
		if (pool_files(&h) == 0)
			continue;
		OK(volume_open(&h.psv, "k", &v, 0, &vol, err));
		OK(volume_mount(&vol, err));
		volume_close(&vol);
		OK(volume_purge(&h.psv, "k", &v, err));
	}
}

TEST(volume_create_undoes_a_failure)
{
	struct volume_host h;
	struct conf_volume v;

	volume_host_make(&h, "128m");
	v = volume_conf("data", CONF_FS_EXT4, 32);
	/* mkfs is not there. */
	CHECK_INT(mount("none", "/usr/sbin", "tmpfs", 0, NULL), 0);
	FAILS(volume_create(&h.psv, "a", &v, "", false, v.uuid, err), -ENOENT, "no such program");
	CHECK_INT(umount2("/usr/sbin", MNT_DETACH), 0);
	CHECK_INT(pool_files(&h), 0);
	CHECK_INT(loop_count(test_dir()), 0);
	CHECK_INT(volume_check(&h.psv, "a", &v, false, NULL), 0);
}

TEST(volume_grow_stopped)
{
	static const struct {
		enum conf_fs fs;
		unsigned from, to;
	} rows[] = { { CONF_FS_EXT4, 32, 200 }, { CONF_FS_XFS, 301, 400 } };
	struct volume_host h;

	volume_host_make(&h, "700m");
	for (size_t i = 0; i < 2; i++) {
		struct conf_volume v = volume_conf("data", rows[i].fs, rows[i].from);
		struct volume vol;
		struct statfs s;
		uint64_t bytes = (uint64_t)rows[i].to << 20;

		make(&h, &v);
		FAILS(volume_grow(&h.psv, "a", &v, 20 << 20, -1, err), -EINVAL, "smaller");
		FAILS(volume_grow(&h.psv, "a", &v, v.size_bytes, -1, err), -EALREADY, "already");
		FAILS(volume_grow(&h.psv, "a", &v, UINT64_C(1) << 40, -1, err), -ENOSPC, "not enough room");
		OK(volume_grow(&h.psv, "a", &v, bytes, -1, err));
		OK(volume_open(&h.psv, "a", &v, 0, &vol, err));
		CHECK_INT(vol.label.fs_bytes, bytes - LABEL_BYTES);
		OK(volume_mount(&vol, err));
		CHECK_INT(fstatfs(vol.mount_fd, &s), 0);
		CHECK((uint64_t)s.f_blocks * (uint64_t)s.f_bsize > bytes - bytes / 4);
		volume_close(&vol);
		OK(volume_purge(&h.psv, "a", &v, err));
	}
}

TEST(volume_grow_running)
{
	static const struct {
		enum conf_fs fs;
		unsigned from, to;
	} rows[] = { { CONF_FS_EXT4, 32, 200 }, { CONF_FS_XFS, 301, 400 } };
	struct volume_host h;

	volume_host_make(&h, "700m");
	for (size_t i = 0; i < 2; i++) {
		struct conf_volume v = volume_conf("data", rows[i].fs, rows[i].from);
		uint64_t bytes = (uint64_t)rows[i].to << 20;
		struct err e = { 0 };
		struct volume vol;
		struct statfs s;
		int fd, r;

		make(&h, &v);
		OK(volume_open(&h.psv, "a", &v, 0, &vol, err));
		OK(volume_mount(&vol, err));
		fd = volume_subtree(&vol, "data", &e);
		volume_close(&vol);
		FAILS(volume_grow(&h.psv, "a", &v, bytes, -1, err), -EBUSY, "in use");
		r = volume_grow(&h.psv, "a", &v, bytes, fd, &e);
		if (r < 0)
			(void)fprintf(stderr, "    %s\n", e.text);
		CHECK(r == 0 || (r == VOLUME_GROW_AT_START && rows[i].fs == CONF_FS_EXT4));
		CHECK_INT(fstatfs(fd, &s), 0);
		CHECK(r || (uint64_t)s.f_blocks * (uint64_t)s.f_bsize > bytes - bytes / 4);
		(void)close(fd);
		OK(volume_wait_gone(&h.psv, "a", &v, 2000, err));
		OK(volume_open(&h.psv, "a", &v, 0, &vol, err));
		CHECK_INT(vol.label.fs_bytes, bytes - LABEL_BYTES);
		OK(volume_mount(&vol, err));
		CHECK_INT(fstatfs(vol.mount_fd, &s), 0);
		CHECK((uint64_t)s.f_blocks * (uint64_t)s.f_bsize > bytes - bytes / 4);
		volume_close(&vol);
		OK(volume_purge(&h.psv, "a", &v, err));
	}
}

TEST(volume_device_pool)
{
	struct volume_host h;
	struct conf_volume v = { 0 };
	struct volume vol, second;
	char device[64];
	_cleanup_close_ int loop = -1, sub = -1;
	struct err e = { 0 };

	volume_host_make(&h, "128m");
	loop = host_loop(&h, "disk", 64, device);
	v = volume_conf("data", CONF_FS_EXT4, 0);
	v.device = device;
	OK(volume_check(&h.psv, "a", &v, false, err));
	make(&h, &v);
	FAILS(volume_check(&h.psv, "b", &v, false, err), -EEXIST, "volume data of server a");
	OK(volume_check(&h.psv, "b", &v, true, err));
	OK(volume_open(&h.psv, "a", &v, 0, &vol, err));
	CHECK_STR(vol.device, device);
	FAILS(volume_open(&h.psv, "a", &v, 0, &second, err), -EBUSY, "in use");
	OK(volume_mount(&vol, err));
	FAILS(volume_open(&h.psv, "a", &v, 0, &second, err), -EBUSY, "in use");
	FAILS(volume_check(&h.psv, "b", &v, true, err), -EBUSY, "in use");
	sub = volume_subtree(&vol, "data", &e);
	CHECK(sub >= 0);
	OK(volume_set_generation(&vol, 2, "later", err));
	volume_close(&vol);
	CHECK(volume_is_held(&h.psv, "a", &v));
	(void)close(steal_fd(&sub));
	CHECK(!volume_is_held(&h.psv, "a", &v));
	OK(volume_open(&h.psv, "a", &v, 2, &vol, err));
	CHECK_STR(vol.label.conf, "later");
	volume_close(&vol);
	OK(volume_purge(&h.psv, "a", &v, err));
	OK(volume_check(&h.psv, "b", &v, false, err));
}

TEST(volume_device_refusals)
{
	struct volume_host h;
	struct conf_volume v = { 0 };
	char device[64];
	const char *const mkfs[] = { "mkfs.ext4", "-q", device, NULL };
	_cleanup_close_ int loop = -1;
	struct fs_mounting *mounting;
	struct err e = { 0 };
	int mnt;

	volume_host_make(&h, "128m");
	loop = host_loop(&h, "disk", 64, device);
	v = volume_conf("data", CONF_FS_EXT4, 0);
	v.device = device;
	OK(run(mkfs, NULL, err));
	FAILS(volume_create(&h.psv, "a", &v, "", false, v.uuid, err), -EEXIST, "ext4");
	/* One that is abandoned leaves no superblock: a second would be refused beside it. */
	OK(fs_mount_begin(CONF_FS_EXT4, device, makedev(7, (unsigned)atoi(device + 9)), &mounting, err));
	fs_mount_abandon(mounting);
	OK(fs_mount_begin(CONF_FS_EXT4, device, makedev(7, (unsigned)atoi(device + 9)), &mounting, err));
	mnt = fs_mount_end(mounting, &e);
	CHECK(mnt >= 0);
	FAILS(volume_create(&h.psv, "a", &v, "", true, v.uuid, err), -EBUSY, "in use");
	(void)close(mnt);
	v.device = (char *)(uintptr_t)"/dev/null";
	FAILS(volume_create(&h.psv, "a", &v, "", true, v.uuid, err), -ENOTBLK, "no block device");
	v.device = (char *)(uintptr_t)"/dev/not-there";
	FAILS(volume_create(&h.psv, "a", &v, "", true, v.uuid, err), -ENOENT, "cannot find");
	v.device = device;
	OK(volume_create(&h.psv, "a", &v, "", true, v.uuid, err));
}

/* lvextend underneath: the label is found behind the filesystem, and grow moves it. */
TEST(volume_device_that_was_enlarged)
{
	struct volume_host h;
	struct conf_volume v = { 0 };
	struct volume vol;
	char device[64], path[256];
	_cleanup_close_ int loop = -1;

	volume_host_make(&h, "256m");
	loop = host_loop(&h, "disk", 64, device);
	v = volume_conf("data", CONF_FS_EXT4, 0);
	v.device = device;
	make(&h, &v);
	(void)str_format(path, sizeof(path), "%s/disk", h.psv.lib);
	CHECK_INT(truncate(path, (128 << 20) + 5000 * 4096), 0);
	CHECK_INT(ioctl(loop, 0x4C07 /* LOOP_SET_CAPACITY */, 0), 0);
	OK(volume_open(&h.psv, "a", &v, 0, &vol, err));
	CHECK_INT(vol.label.fs_bytes, 63 << 20);
	OK(volume_mount(&vol, err));
	volume_close(&vol);
	OK(volume_grow(&h.psv, "a", &v, 0, -1, err));
	OK(volume_open(&h.psv, "a", &v, 0, &vol, err));
	CHECK_INT(vol.label.fs_bytes, 146 << 20);
	volume_close(&vol);
}

TEST(volume_orphans_are_listed)
{
	static const char text[] = "[server]\n[volume root]\nsize = 32M\n";
	struct volume_host h;
	struct conf_volume v;
	_cleanup_close_ int etc = -1;
	struct orphan *o;
	size_t n;

	volume_host_make(&h, "128m");
	v = volume_conf("root", CONF_FS_EXT4, 32);
	make(&h, &v);
	OK(volume_orphans(&h.psv, &o, &n, err));
	CHECK_INT(n, 1);
	CHECK_STR(o[0].label.server, "a");
	CHECK_INT(o[0].size_bytes, 32 << 20);
	orphans_free(o, n);
	etc = dir_open(AT_FDCWD, h.psv.etc);
	CHECK_INT(file_write_atomic_at(etc, "a.conf", text, strlen(text), 0600), 0);
	v = volume_conf("removed", CONF_FS_EXT4, 32);
	OK(volume_create(&h.psv, "a", &v, "", false, v.uuid, err));
	OK(volume_orphans(&h.psv, &o, &n, err));
	CHECK_INT(n, 1);
	CHECK_STR(o[0].label.role, "removed");
	orphans_free(o, n);
}

static double ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Not a bound, but a word when a start has become slow: the kernel's own part is 0.6 ms. */
TEST(volume_open_and_mount_is_quick)
{
	enum { ROUNDS = 21 };
	double open_ms[ROUNDS], mount_ms[ROUNDS], close_ms[ROUNDS];
	struct volume_host h;
	struct conf_volume v;

	volume_host_make(&h, "128m");
	v = volume_conf("root", CONF_FS_EXT4, 64);
	make(&h, &v);
	for (int i = 0; i < ROUNDS; i++) {
		struct volume vol;
		double t = ms();

		OK(volume_open(&h.psv, "a", &v, 0, &vol, err));
		open_ms[i] = ms() - t;
		t = ms();
		OK(volume_mount(&vol, err));
		mount_ms[i] = ms() - t;
		t = ms();
		volume_close(&vol);
		close_ms[i] = ms() - t;
	}
	qsort(open_ms, ROUNDS, sizeof(*open_ms), by_value);
	qsort(mount_ms, ROUNDS, sizeof(*mount_ms), by_value);
	qsort(close_ms, ROUNDS, sizeof(*close_ms), by_value);
	if (getenv("VNAS_TEST_FIGURES"))
		(void)printf("open %.3f ms, mount %.3f ms, close %.3f ms (medians of %d)\n", open_ms[ROUNDS / 2],
			     mount_ms[ROUNDS / 2], close_ms[ROUNDS / 2], ROUNDS);
	CHECK(open_ms[ROUNDS / 2] + mount_ms[ROUNDS / 2] < 100);
}
