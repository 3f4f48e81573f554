/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psv/blockdev.h"

#include <blkid/blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/str.h"

/* Where it is mounted in this mount namespace, for the message only. */
static bool find_mount(dev_t rdev, char *where, size_t size)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
	_cleanup_free_ char *line = NULL;
	size_t alloc = 0;

	while (f && getline(&line, &alloc, f) > 0) {
		unsigned maj, min;
		char point[PATH_MAX];

		if (sscanf(line, "%*u %*u %u:%u %*s %4095s", &maj, &min, point) == 3 && makedev(maj, min) == rdev)
			return str_copy(where, size, point);
	}
	return false;
}

static int refuse_in_use(const char *device, dev_t rdev, struct err *err)
{
	char where[256];

	if (find_mount(rdev, where, sizeof(where)))
		return err_exit(err, VNAS_EXIT_IN_USE, -EBUSY, "%s is in use: mounted on %s", device, where);
	return err_exit(err, VNAS_EXIT_IN_USE, -EBUSY,
			"%s is in use: mounted in another namespace, or a part of something (a partition table, LVM, RAID, swap)",
			device);
}

int blockdev_open(const char *path, bool exclusive, struct blockdev *ret, struct err *err)
{
	_cleanup_free_ char *real = NULL;
	_cleanup_close_ int fd = -1;
	struct blockdev b = { .fd = -1 };
	struct stat before, st;

	if (path[0] != '/')
		return err_set(err, -EINVAL, "%s is no absolute path of a device", path);
	real = realpath(path, NULL);
	if (!real || stat(real, &before) < 0)
		return err_set(err, -errno, "cannot find %s: %m", path);
	/* Looked at first: opening something else, a tape or a terminal, can have effects. */
	if (!S_ISBLK(before.st_mode))
		return err_set(err, -ENOTBLK, "%s is no block device", path);
	if (!str_copy(b.device, sizeof(b.device), real))
		return err_set(err, -ENAMETOOLONG, "the name of device %s is too long", real);
	fd = open(real, O_RDWR | O_CLOEXEC | O_NOFOLLOW | (exclusive ? O_EXCL : 0));
	if (fd < 0 && errno == EBUSY)
		return refuse_in_use(real, before.st_rdev, err);
	if (fd < 0)
		return err_set(err, -errno, "cannot open %s: %m", real);
	if (fstat(fd, &st) < 0 || !S_ISBLK(st.st_mode) || st.st_rdev != before.st_rdev)
		return err_set(err, -ESTALE, "%s was replaced while it was opened", real);
	if (ioctl(fd, BLKGETSIZE64, &b.size_bytes) < 0)
		return err_set(err, -errno, "cannot read the size of %s: %m", real);
	b.rdev = st.st_rdev;
	b.fd = steal_fd(&fd);
	*ret = b;
	return 0;
}

static blkid_probe probe_new(const struct blockdev *b)
{
	blkid_probe p = blkid_new_probe();

	if (!p)
		return NULL;
	if (blkid_probe_set_device(p, b->fd, 0, (blkid_loff_t)b->size_bytes) == 0 &&
	    blkid_probe_enable_superblocks(p, 1) == 0 &&
	    blkid_probe_set_superblocks_flags(p, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_MAGIC | BLKID_SUBLKS_BADCSUM) == 0 &&
	    blkid_probe_enable_partitions(p, 1) == 0 &&
	    blkid_probe_set_partitions_flags(p, BLKID_PARTS_MAGIC | BLKID_PARTS_FORCE_GPT) == 0)
		return p;
	blkid_free_probe(p);
	return NULL;
}

int blockdev_signature(const struct blockdev *b, char *what, size_t size, struct err *err)
{
	blkid_probe p = probe_new(b);
	const char *type = NULL;
	int r;

	if (!p)
		return err_set(err, -EIO, "cannot look for signatures on %s", b->device);
	r = blkid_do_probe(p);
	if (r == 0 && blkid_probe_lookup_value(p, "TYPE", &type, NULL) == 0)
		(void)str_format(what, size, "a filesystem or the like, %s", type);
	else if (r == 0 && blkid_probe_lookup_value(p, "PTTYPE", &type, NULL) == 0)
		(void)str_format(what, size, "a partition table, %s", type);
	else if (r == 0)
		(void)str_format(what, size, "a signature");
	blkid_free_probe(p);
	if (r < 0)
		return err_set(err, -EIO, "cannot look for signatures on %s", b->device);
	return r == 0;
}

int blockdev_wipe(const struct blockdev *b, struct err *err)
{
	blkid_probe p = probe_new(b);
	int r = p ? blkid_do_probe(p) : -EIO;

	/* 0: one was found; 1: none. */
	while (r == 0)
		r = blkid_do_wipe(p, 0) < 0 ? -EIO : blkid_do_probe(p);
	blkid_free_probe(p);
	if (r < 0 || fsync(b->fd) < 0)
		return err_set(err, -EIO, "cannot wipe the signatures of %s", b->device);
	return 0;
}
