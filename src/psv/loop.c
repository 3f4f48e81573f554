/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loop devices.  LOOP_CONFIGURE takes all settings in one call, so there is no moment at which the device exists without
 * LO_FLAGS_AUTOCLEAR: a kill before leaves nothing, a kill after closes the last descriptor.
 *
 * The logical block is 4096 bytes whatever the disk below has: direct I/O is aligned everywhere, and an image moves
 * between disks of 512 and 4096 byte sectors. */
#include "psv/loop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/str.h"
#include "lib/when.h"

enum { ATTACH_TRIES = 2000, ATTACH_PAUSE_MS = 1 };

static int open_device(unsigned number, struct loop *ret)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	(void)snprintf(ret->device, sizeof(ret->device), "/dev/loop%u", number);
	fd = open(ret->device, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISBLK(st.st_mode) || major(st.st_rdev) != 7)
		return -ENOTBLK;
	ret->rdev = st.st_rdev;
	ret->fd = steal_fd(&fd);
	return 0;
}

static int configure(int control, int file_fd, uint64_t offset_bytes, const char *name, struct loop *ret, struct err *err)
{
	struct loop_config c = {
		.fd = (uint32_t)file_fd,
		.block_size = LOOP_BLOCK_BYTES,
		.info = { .lo_offset = offset_bytes, .lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO },
	};
	_cleanup_close_ int fd = -1;
	struct loop l = { .fd = -1 };
	int number, r;

	/* The tenant can read this name by LOOP_GET_STATUS: never the image's path. */
	(void)snprintf((char *)c.info.lo_file_name, LO_NAME_SIZE, "%s", name);
	number = ioctl(control, LOOP_CTL_GET_FREE);
	if (number < 0)
		return err_set(err, -errno, "cannot get a free loop device: %m");
	r = open_device((unsigned)number, &l);
	if (r < 0)
		return err_set(err, r, "cannot open %s: %m", l.device);
	fd = l.fd;
	if (ioctl(fd, LOOP_CONFIGURE, &c) < 0)
		return err_set(err, -errno, "cannot attach %s: %m", l.device);
	*ret = l;
	(void)steal_fd(&fd);
	return 0;
}

int loop_attach(int file_fd, uint64_t offset_bytes, const char *name, struct loop *ret, struct err *err)
{
	_cleanup_close_ int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int r = -EBUSY;

	if (control < 0) {
		r = err_set(err, -errno, "cannot open /dev/loop-control: %m");
		return err_hint(err, r, "load the kernel's loop module: modprobe loop");
	}
	/* Another program may take the free device between the two calls, and the kernel names it as free until that is
	 * done, which is some milliseconds. */
	for (int i = 0; i < ATTACH_TRIES && r == -EBUSY; i++) {
		if (i > 0)
			sleep_ms(ATTACH_PAUSE_MS);
		r = configure(control, file_fd, offset_bytes, name, ret, err);
	}
	return r;
}

/* is_attached_to: 1, 0 or -errno.  Both numbers: an inode number alone names nothing. */
static int is_attached_to(int loop_fd, const struct stat *file)
{
	struct loop_info64 info;

	if (ioctl(loop_fd, LOOP_GET_STATUS64, &info) < 0)
		return errno == ENXIO ? 0 : -errno; /* ENXIO: to none */
	return major(info.lo_device) == major(file->st_dev) && minor(info.lo_device) == minor(file->st_dev) &&
	       info.lo_inode == file->st_ino;
}

/* is_out_of_reach: there is no such device any more, or one that this process may not use, nor anybody for it. */
static bool is_out_of_reach(int code)
{
	return code == -ENOENT || code == -ENXIO || code == -ENODEV || code == -EPERM || code == -EACCES;
}

int loop_find(int file_fd, char device[64])
{
	_cleanup_closedir_ DIR *d = opendir("/sys/block");
	const struct dirent *e;
	struct stat file;

	if (!d || fstat(file_fd, &file) < 0)
		return -errno;
	for (errno = 0; (e = readdir(d)); errno = 0) {
		_cleanup_close_ int fd = -1;
		char path[64];
		int r;

		if (!str_starts(e->d_name, "loop") || !str_format(path, sizeof(path), "/dev/%s", e->d_name))
			continue;
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0 && is_out_of_reach(-errno))
			continue;
		r = fd < 0 ? -errno : is_attached_to(fd, &file);
		if (r < 0)
			return r;
		if (r == 0)
			continue;
		memcpy(device, path, sizeof(path));
		return 1;
	}
	return -errno;
}

int loop_open(dev_t rdev, int file_fd, struct loop *ret, struct err *err)
{
	_cleanup_close_ int fd = -1;
	struct loop l = { .fd = -1 };
	struct stat st;
	int r;

	if (fstat(file_fd, &st) < 0)
		return err_set(err, -errno, "cannot look at the image: %m");
	if (major(rdev) != 7)
		return err_set(err, -ESTALE, "the filesystem does not lie on a loop device");
	r = open_device(minor(rdev), &l);
	if (r < 0)
		return err_set(err, r, "cannot open loop device %u: %m", minor(rdev));
	fd = l.fd;
	r = l.rdev == rdev ? is_attached_to(fd, &st) : 0;
	if (r < 0)
		return err_set(err, r, "cannot look at %s: %m", l.device);
	if (r == 0)
		return err_set(err, -ESTALE, "%s is attached to another file", l.device);
	*ret = l;
	(void)steal_fd(&fd);
	return 0;
}

int loop_refresh(const struct loop *l, struct err *err)
{
	if (ioctl(l->fd, LOOP_SET_CAPACITY, 0) < 0)
		return err_set(err, -errno, "cannot enlarge %s: %m", l->device);
	return 0;
}
