/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The template as a Vsv's /usr.  One loop device and one EROFS superblock serve all Vsv of a template: whoever comes later
 * finds the device by the note in RUN/locks/.template-NAME and gets the same superblock from the kernel, and with it the
 * same page cache.  The Psv has it mounted, too, at RUN/templates/NAME, until the template is removed: else the superblock would end
 * with the last Vsv, and with it all pages, which the next start would have to read again.  The device clears itself after the last
 * mount.  RUN/templates/empty is the second lower layer that each overlay needs, likewise.
 *
 * Each Vsv gets an overlay of its own over it: a superblock that leads nowhere by file handle. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/loop.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/str.h"
#include "psv/psv.h"
#include "psv/root-mount.h"
#include "psv/template-parts.h"
#include "psv/template.h"

enum { LOOP_TRIES = 64, LOOP_BLOCK_BYTES = 4096 };

static int open_locks(const struct psv *psv, struct err *err)
{
	char path[PATH_MAX];
	int fd, r;

	if (!str_format(path, sizeof(path), "%s/locks", psv->run))
		return err_set(err, -ENAMETOOLONG, "the path of the locks is too long");
	r = dir_make_path(path, 0700);
	fd = r < 0 ? r : dir_open(AT_FDCWD, path);
	return fd < 0 ? err_set(err, fd, "cannot open %s: %s", path, strerror(-fd)) : fd;
}

static int open_image(const struct psv *psv, const char *name, struct err *err)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	struct stat st;

	if (strlen(name) != 64 || strspn(name, "0123456789abcdef") != 64)
		return err_set(err, -EINVAL, "'%s' is no template's name", name);
	if (!str_format(path, sizeof(path), "%s/templates/%s.erofs", psv->lib, name))
		return err_set(err, -ENAMETOOLONG, "the path of the templates is too long");
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		(void)err_set(err, -ENOENT, "template %.12s is not there", name);
		return err_hint(err, -ENOENT, "see vnas template list; vnas template build makes one of the installed packages");
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, -errno, "cannot open %s: %m", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, -EINVAL, "%s is not a file", path);
	return steal_fd(&fd);
}

/* The device that the note names, if it still carries that image.  -ENOENT: none does. */
static int loop_noted(int locks, const char *name, int image, char device[32])
{
	_cleanup_close_ int fd = -1;
	struct loop_info64 info;
	char note[96], text[32];
	struct stat st;
	int r;

	if (!str_format(note, sizeof(note), ".template-%s", name))
		return -ENAMETOOLONG;
	r = file_read_small(locks, note, text, sizeof(text));
	if (r < 0)
		return r;
	if (!str_starts(text, "/dev/loop"))
		return -ENOENT;
	fd = open(text, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, LOOP_GET_STATUS64, &info) < 0) /* ENXIO: the number is there, and carries nothing */
		return errno == ENXIO || errno == ENODEV ? -ENOENT : -errno;
	if (fstat(image, &st) < 0)
		return -errno;
	if (info.lo_device != st.st_dev || info.lo_inode != st.st_ino || !(info.lo_flags & LO_FLAGS_READ_ONLY))
		return -ENOENT;
	(void)str_copy(device, 32, text);
	return steal_fd(&fd);
}

static int loop_make(int image, const char *name, char device[32], struct err *err)
{
	_cleanup_close_ int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	/* Blocks of EROFS's own size. */
	struct loop_config config = {
		.fd = (uint32_t)image,
		.block_size = LOOP_BLOCK_BYTES,
		.info = { .lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR },
	};

	if (control < 0) {
		int r = err_set(err, -errno, "cannot open /dev/loop-control: %m");

		return err_hint(err, r, "this kernel needs the module loop");
	}
	(void)snprintf((char *)config.info.lo_file_name, sizeof(config.info.lo_file_name), "vnas template %.40s", name);
	for (int i = 0; i < LOOP_TRIES; i++) {
		_cleanup_close_ int fd = -1;
		int n = ioctl(control, LOOP_CTL_GET_FREE);

		if (n < 0)
			return err_set(err, -errno, "cannot find a free loop device: %m");
		(void)snprintf(device, 32, "/dev/loop%d", n);
		fd = open(device, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			return err_set(err, -errno, "cannot open %s: %m", device);
		if (ioctl(fd, LOOP_CONFIGURE, &config) == 0)
			return steal_fd(&fd);
		if (errno != EBUSY) /* EBUSY: somebody was faster */
			return err_set(err, -errno, "cannot put the template on %s: %m", device);
	}
	return err_set(err, -EBUSY, "cannot get a loop device: others were faster %d times", LOOP_TRIES);
}

/* An open loop device with the image; it stays as long as it is open or mounted. */
static int loop_get(int locks, const char *name, int image, char device[32], struct err *err)
{
	_cleanup_close_ int fd = loop_noted(locks, name, image, device);
	char note[96];
	int r;

	if (fd >= 0)
		return steal_fd(&fd);
	if (fd != -ENOENT)
		return err_set(err, fd, "cannot look for the loop device of a template: %s", strerror(-fd));
	fd = loop_make(image, name, device, err);
	if (fd < 0)
		return fd;
	(void)str_format(note, sizeof(note), ".template-%s", name);
	r = file_write_atomic_at(locks, note, device, strlen(device), 0600);
	return r < 0 ? err_set(err, r, "cannot note the loop device of a template: %s", strerror(-r)) : steal_fd(&fd);
}

static int lock_devices(int locks, struct err *err)
{
	_cleanup_close_ int fd = openat(locks, ".template.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return err_set(err, -errno, "cannot open the lock of the templates' devices: %m");
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_set(err, -errno, "cannot lock the templates' devices: %m");
	return steal_fd(&fd);
}

static const struct mount_option small[] = { { "size", "4096" }, { "nr_inodes", "1" }, { NULL, NULL } };

#define EMPTY "empty" /* no template has such a name */

static bool kept_path(const struct psv *psv, const char *name, char path[PATH_MAX])
{
	return str_format(path, PATH_MAX, "%s/templates/%s", psv->run, name);
}

/* kept_open: what the Psv keeps mounted under that name; -1: nothing, or something else.  loop: the device that a template
 * must be on; -1: it is the empty one, a tmpfs in which nothing has room. */
static int kept_open(const struct psv *psv, const char *name, int loop)
{
	_cleanup_close_ int at = -1;
	struct stat st, device;
	char path[PATH_MAX];
	struct statfs fs;

	if (!kept_path(psv, name, path))
		return -1;
	at = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (at < 0 || fstatfs(at, &fs) < 0 || !(fs.f_flags & ST_RDONLY))
		return -1;
	if (loop < 0)
		return fs.f_type == TMPFS_MAGIC && fs.f_files == 1 && fs.f_ffree == 0 ? steal_fd(&at) : -1;
	if (fs.f_type != EROFS_SUPER_MAGIC_V1 || fstat(at, &st) < 0 || fstat(loop, &device) < 0 || st.st_dev != device.st_rdev)
		return -1;
	return steal_fd(&at);
}

/* keep: mounts it for the Psv.  What fails here costs the next start some time, and nobody anything else. */
static void keep(const struct psv *psv, const char *name, const char *type, const struct mount_option *options)
{
	_cleanup_close_ int at = -1, mnt = -1;
	char path[PATH_MAX];

	if (!kept_path(psv, name, path) || dir_make_path(path, 0700) < 0)
		return;
	at = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (at < 0)
		return;
	mnt = mount_new(type, options, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, NULL);
	if (mnt >= 0)
		(void)move_mount(mnt, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

static void unkeep(const struct psv *psv, const char *name)
{
	char path[PATH_MAX];

	if (!kept_path(psv, name, path))
		return;
	while (umount2(path, UMOUNT_NOFOLLOW) == 0)
		; /* one may lie over another, if that could not be seen for a moment */
	(void)rmdir(path);
}

/* The two lower layers of a Vsv's overlay.  Those that the Psv keeps mounted are taken as they are: to make two mounts for one
 * start costs a millisecond on a busy machine, most of it for the kernel to close them again. */
struct layers {
	int template, empty;
	bool kept;
};

static void layers_close(struct layers *l)
{
	cleanup_close(&l->template);
	cleanup_close(&l->empty);
	l->template = l->empty = -1;
}

static int open_layers(const struct psv *psv, const char *name, bool keeps, struct layers *ret, struct err *err)
{
	_cleanup_close_ int image = open_image(psv, name, err), locks = -1, lock = -1, loop = -1;
	char device[32];
	const struct mount_option options[] = { { "source", device }, { "ro", NULL }, { NULL, NULL } };
	struct layers l = { -1, -1, false };

	if (image < 0)
		return image;
	locks = open_locks(psv, err);
	if (locks < 0)
		return locks;
	lock = lock_devices(locks, err);
	if (lock < 0)
		return lock;
	loop = loop_get(locks, name, image, device, err);
	if (loop < 0)
		return loop;
	if (keeps) {
		l.template = kept_open(psv, name, loop);
		l.empty = kept_open(psv, EMPTY, -1);
		l.kept = l.template >= 0 && l.empty >= 0;
	}
	if (!l.kept) {
		bool keep_template = l.template < 0, keep_empty = l.empty < 0;

		layers_close(&l);
		l.template = mount_new("erofs", options, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, err);
		if (l.template < 0)
			return l.template;
		/* An overlay without an upper layer wants two lower ones. */
		l.empty = mount_new("tmpfs", small, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, err);
		if (l.empty < 0) {
			int r = l.empty;

			layers_close(&l);
			return r;
		}
		if (keeps && keep_template)
			keep(psv, name, "erofs", options);
		if (keeps && keep_empty)
			keep(psv, EMPTY, "tmpfs", small);
	}
	*ret = l;
	return 0;
}

static int overlay(const struct psv *psv, const char *name, bool keeps, bool *ret_kept, struct err *err)
{
	struct layers l;
	int r = open_layers(psv, name, keeps, &l, err);

	if (r < 0)
		return r;
	*ret_kept = l.kept;
	r = (l.kept ? mount_overlay_directly : mount_overlay)((const int[]){ l.template, l.empty }, err);
	layers_close(&l);
	return r;
}

int template_overlay(const struct psv *psv, const char *name, struct err *err)
{
	bool kept = false;
	int r = overlay(psv, name, true, &kept, err);

	/* What is kept can be of another mount namespace than ours. */
	if (r < 0 && kept) {
		err_clear(err);
		r = overlay(psv, name, false, &kept, err);
	}
	return r < 0 ? err_wrap(err, r, "template") : r;
}

bool template_let_go(const struct psv *psv, const char *name)
{
	_cleanup_close_ int locks = open_locks(psv, NULL), image = open_image(psv, name, NULL), lock = -1,
		      loop = -1, kept = -1;
	char device[32];
	const struct mount_option options[] = { { "source", device }, { "ro", NULL }, { NULL, NULL } };

	if (locks < 0 || image < 0)
		return locks >= 0 && image == -ENOENT;
	lock = lock_devices(locks, NULL);
	if (lock >= 0) {
		unkeep(psv, name);
		unkeep(psv, EMPTY); /* the next start makes it again */
	}
	loop = loop_noted(locks, name, image, device);
	/* A start that is just taking it may have kept it from being unmounted. */
	kept = loop >= 0 ? kept_open(psv, name, loop) : -1;
	if (loop >= 0 && lock >= 0 && kept < 0)
		keep(psv, name, "erofs", options);
	return loop == -ENOENT;
}
