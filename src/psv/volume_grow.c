/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Growing: allocate, write the new size into the label (durable), enlarge the device, enlarge the filesystem.
 *
 * A kill before the label: the image is longer than its label says, and the next volume_open() or volume_grow() cuts it
 * back.  A kill after: the label is longer than the filesystem, and the next volume_mount() completes it.  An image's
 * label stands at its beginning and never moves.  A device's label moves to the new end, and there it is whole and
 * durable before the old one, which the filesystem will cover, is blanked. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/str.h"
#include "psv/fsmount.h"
#include "psv/label.h"
#include "psv/mkfs.h"
#include "psv/pool.h"
#include "psv/psv.h"
#include "psv/volume_internal.h"

static int size_step_check(const struct label *l, uint64_t fs_bytes, struct err *err)
{
	char now[16], want[16];

	if (fs_bytes == l->fs_bytes)
		return err_set(err, -EALREADY, "it has that size already");
	(void)size_human(l->fs_bytes + LABEL_BYTES, now, sizeof(now));
	(void)size_human(fs_bytes + LABEL_BYTES, want, sizeof(want));
	if (fs_bytes < l->fs_bytes)
		return err_set(err, -EINVAL, "it has %s, and cannot be made smaller (%s)", now, want);
	if (fs_bytes - l->fs_bytes < GROW_MIN_BYTES)
		return err_set(err, -EINVAL, "it grows by %d MiB or more", (int)(GROW_MIN_BYTES / LABEL_BYTES));
	return 0;
}

int image_extend(const struct psv *psv, const struct volume *v, uint64_t from, uint64_t bytes, struct err *err)
{
	const struct conf_pool *p;
	int r = pool_find(psv, v->conf, &p, err);

	if (r == 0)
		r = pool_admit(p, bytes - from, err);
	if (r < 0)
		return r;
	if (p->thin ? ftruncate(v->backing_fd, (off_t)bytes) == 0
		    : fallocate(v->backing_fd, 0, (off_t)from, (off_t)(bytes - from)) == 0)
		return fsync(v->backing_fd) < 0 ? err_set(err, -errno, "cannot write %s: %m", v->path) : 0;
	r = err_set(err, -errno, "cannot enlarge %s: %m", v->path);
	if (ftruncate(v->backing_fd, (off_t)from) < 0)
		(void)err_hint(err, r, "its next start cuts it back");
	return r;
}

/* The label with its new size, in both its copies: none that is left may tell of the old one.  A device's old label is blanked: it will lie inside the filesystem. */
static int relabel(struct volume *v, uint64_t fs_bytes, struct err *err)
{
	uint64_t old = label_offset(v->label.fs_offset, v->label.fs_bytes);
	uint64_t now = label_offset(v->label.fs_offset, fs_bytes);
	int r;

	v->label.fs_bytes = fs_bytes;
	r = label_write(v->backing_fd, &v->label, err);
	if (r == 0)
		r = label_write(v->backing_fd, &v->label, err);
	if (r == 0 && old != now)
		r = label_erase(v->backing_fd, old, err);
	return r;
}

static int grow_running_fs(const struct volume *v, int running_fs_fd, struct err *err)
{
	struct superblock sb;
	int r = superblock_read(volume_fs_fd(v), 0, &sb);

	if (r != 0)
		return err_set(err, r < 0 ? r : -EUCLEAN, "cannot read the running filesystem's superblock");
	r = fs_grow(running_fs_fd, &sb, v->label.fs_bytes, err);
	if (r == -EPERM && sb.fs == CONF_FS_EXT4)
		return VOLUME_GROW_AT_START;
	return r;
}

static int label_of(const char *server, struct volume *v, struct err *err)
{
	int r = label_read(v->backing_fd, &v->label, err);

	if (r == 0 && strcmp(v->label.server, server) == 0 && strcmp(v->label.role, v->conf->name) == 0)
		return 0;
	return r < 0 ? r : err_set(err, -EUCLEAN, "%s does not carry this volume's label", v->path);
}

/* The running volume's descriptors: its lock is held by its device, the caller holds the server's. */
static int attach_running(const struct psv *psv, const char *server, const struct conf_volume *conf, int running_fs_fd,
			  struct volume *v, struct err *err)
{
	struct stat st;
	struct blockdev b;
	struct loop l;
	int r = volume_init(psv, server, conf, v, err);

	if (r < 0)
		return r;
	if (fstat(running_fs_fd, &st) < 0)
		return err_set(err, -errno, "cannot look at the running filesystem: %m");
	if (conf->device) {
		r = blockdev_open(v->path, false, &b, err);
		if (r < 0)
			return r;
		v->backing_fd = b.fd;
		if (b.rdev != st.st_dev)
			return err_set(err, -ESTALE, "the running filesystem lies on another device than %s", v->path);
		return label_of(server, v, err);
	}
	v->backing_fd = open(v->path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (v->backing_fd < 0)
		return err_set(err, -errno, "cannot open %s: %m", v->path);
	/* ext4 and xfs give their device's number as st_dev: no search, and no guess by name. */
	r = loop_open(st.st_dev, v->backing_fd, &l, err);
	if (r < 0)
		return err_wrap(err, r, "%s", v->path);
	v->device_fd = l.fd;
	v->rdev = l.rdev;
	(void)str_copy(v->device, sizeof(v->device), l.device);
	return label_of(server, v, err);
}

static int wanted_fs_bytes(const struct volume *v, uint64_t size_bytes, uint64_t *ret, struct err *err)
{
	uint64_t have;
	int r;

	if (!v->conf->device) {
		if (size_bytes > INT64_MAX / 2)
			return err_set(err, -EINVAL, "that is no size for a volume");
		if (size_bytes < 2 * LABEL_BYTES)
			return err_set(err, -EINVAL, "a volume cannot be made smaller");
		*ret = round_up_mib(size_bytes) - LABEL_BYTES;
		return 0;
	}
	r = fd_size(v->backing_fd, &have);
	if (r < 0)
		return err_set(err, r, "cannot read the size of %s: %m", v->path);
	if (size_bytes > have)
		return err_set(err, -ENOSPC, "%s has %" PRIu64 " bytes", v->path, have);
	*ret = round_down_mib(have) - LABEL_BYTES;
	return 0;
}

/* Everything but the filesystem. */
static int grow_below(const struct psv *psv, struct volume *v, uint64_t size_bytes, struct err *err)
{
	uint64_t fs_bytes = 0;
	int r = wanted_fs_bytes(v, size_bytes, &fs_bytes, err);

	if (r == 0)
		r = size_step_check(&v->label, fs_bytes, err);
	if (r == 0 && !v->conf->device)
		r = image_extend(psv, v, v->label.fs_offset + v->label.fs_bytes, v->label.fs_offset + fs_bytes, err);
	if (r == 0)
		r = relabel(v, fs_bytes, err);
	if (r == 0 && v->device_fd >= 0) {
		struct loop l = { .fd = v->device_fd };

		(void)str_copy(l.device, sizeof(l.device), v->device);
		r = loop_refresh(&l, err);
	}
	return r;
}

static int grow_stopped(const struct psv *psv, const char *server, const struct conf_volume *v, uint64_t size_bytes,
			struct err *err)
{
	struct volume vol;
	int r = volume_open(psv, server, v, 0, &vol, err);

	if (r < 0)
		return r;
	r = grow_below(psv, &vol, size_bytes, err);
	/* Mounting it completes the growth. */
	if (r == 0)
		r = volume_mount(&vol, err);
	if (r >= 0 && !v->device && !volume_is_thin(psv, v))
		volume_fill_holes(&vol);
	volume_close(&vol);
	return r < 0 ? r : 0;
}

static int grow_running(const struct psv *psv, const char *server, const struct conf_volume *v, uint64_t size_bytes,
			int running_fs_fd, struct err *err)
{
	struct volume vol;
	int r = attach_running(psv, server, v, running_fs_fd, &vol, err);

	if (r == 0)
		r = grow_below(psv, &vol, size_bytes, err);
	if (r == 0)
		r = grow_running_fs(&vol, running_fs_fd, err);
	if (r >= 0 && !v->device && !volume_is_thin(psv, v))
		volume_fill_holes(&vol);
	volume_close(&vol);
	return r;
}

int volume_grow(const struct psv *psv, const char *server, const struct conf_volume *v, uint64_t size_bytes,
		int running_fs_fd, struct err *err)
{
	int r = running_fs_fd >= 0 ? grow_running(psv, server, v, size_bytes, running_fs_fd, err)
				   : grow_stopped(psv, server, v, size_bytes, err);

	return r < 0 ? err_wrap(err, r, "volume %s", v->name) : r;
}
