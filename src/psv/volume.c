/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening, mounting and closing volumes. */
#include "psv/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/str.h"
#include "lib/when.h"
#include "psv/fsmount.h"
#include "psv/label.h"
#include "psv/mkfs.h"
#include "psv/pool.h"
#include "psv/psv.h"
#include "psv/volume_internal.h"

int volume_init(const struct psv *psv, const char *server, const struct conf_volume *v, struct volume *ret,
		struct err *err)
{
	*ret = (struct volume){ .conf = v, .backing_fd = -1, .device_fd = -1, .mount_fd = -1 };
	return volume_path(psv, server, v, ret->path, sizeof(ret->path), err);
}

bool volume_is_thin(const struct psv *psv, const struct conf_volume *v)
{
	const struct conf_pool *p = v->device ? NULL : conf_pool_find(&psv->conf, v->pool);

	return p && p->thin;
}

int image_lock(int fd, const char *path, int patience_ms, struct err *err)
{
	int64_t end = now_ms() + patience_ms;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK)
			return err_set(err, -errno, "cannot lock %s: %m", path);
		if (now_ms() >= end)
			return err_exit(err, VNAS_EXIT_IN_USE, -EBUSY, "%s is in use", path);
		sleep_ms(1);
	}
	return 0;
}

/* The lock is ours alone: losetup and `mount -o loop` do not ask for it.  A lease is given only if nobody else has the file
 * open, in which case there is nothing to look for. */
static int refuse_other_loop(int fd, const char *path, struct err *err)
{
	char device[64];
	int r;

	if (fcntl(fd, F_SETLEASE, F_WRLCK) == 0) {
		(void)fcntl(fd, F_SETLEASE, F_UNLCK);
		return 0;
	}
	r = loop_find(fd, device);
	if (r <= 0)
		return r < 0 ? err_set(err, r, "cannot look for loop devices: %m") : 0;
	r = err_exit(err, VNAS_EXIT_IN_USE, -EBUSY, "%s is in use: attached to %s, not by vnas", path, device);
	return err_hint(err, r, "losetup --detach %s", device);
}

int image_open(const char *path, struct err *err)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st, named;
	int r;

	if (fd < 0 && errno == ENOENT) {
		r = err_set(err, -errno, "the image %s is missing", path);
		return err_hint(err, r, "put it back, or take the volume out of the configuration");
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, -errno, "cannot open %s: %m", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, -EINVAL, "%s is no regular file", path);
	r = image_lock(fd, path, LOCK_PATIENCE_MS, err);
	if (r < 0)
		return r;
	/* While we waited it may have been deleted or replaced: then the lock is of a file without a name. */
	if (stat(path, &named) < 0 || named.st_dev != st.st_dev || named.st_ino != st.st_ino)
		return err_set(err, -ESTALE, "%s was replaced while it was opened", path);
	r = refuse_other_loop(fd, path, err);
	return r < 0 ? r : steal_fd(&fd);
}

void volume_fill_holes(struct volume *v)
{
	uint64_t want = v->label.fs_offset + v->label.fs_bytes;
	struct stat st;

	if (fstat(v->backing_fd, &st) == 0 && (uint64_t)st.st_blocks * 512 < want)
		v->sparse = fallocate(v->backing_fd, 0, 0, (off_t)want) < 0;
}

/* Whether nothing of the filesystem lies behind what the label says.  If the newer copy of the label is lost, the older
 * one may tell of the size before a growth: that must not cost the data behind it. */
static bool fs_fits_label(const struct volume *v)
{
	struct superblock sb;

	return superblock_read(v->backing_fd, v->label.fs_offset, &sb) == 0 && sb.intact &&
	       strcmp(sb.uuid, v->label.uuid) == 0 && sb.bytes <= v->label.fs_bytes;
}

/* An image is exactly its label and its filesystem.  Longer: it was being grown, and killed before the label knew. */
static int image_fit(struct volume *v, bool thin, struct err *err)
{
	uint64_t want = v->label.fs_offset + v->label.fs_bytes;
	struct stat st;

	if (fstat(v->backing_fd, &st) < 0)
		return err_set(err, -errno, "cannot look at %s: %m", v->path);
	if ((uint64_t)st.st_size < want)
		return err_set(err, -EUCLEAN, "%s is cut off: it has %" PRIu64 " bytes of %" PRIu64, v->path,
			       (uint64_t)st.st_size, want);
	if ((uint64_t)st.st_size > want && fs_fits_label(v) && ftruncate(v->backing_fd, (off_t)want) < 0)
		return err_set(err, -errno, "cannot undo the growth of %s that was interrupted: %m", v->path);
	if (!thin)
		volume_fill_holes(v);
	return 0;
}

static int label_check(const char *server, const struct volume *v, uint64_t generation, struct err *err)
{
	const struct label *l = &v->label;

	if (strcmp(l->server, server) != 0 || strcmp(l->role, v->conf->name) != 0)
		return err_set(err, -ESTALE, "%s is not this volume: its label says volume %s of server %s", v->path,
			       l->role, l->server);
	if (l->generation == 0)
		return err_set(err, -ESTALE, "%s was never completed", v->path);
	if (v->conf->uuid[0] && strcmp(l->uuid, v->conf->uuid) != 0) {
		(void)err_set(err, -ESTALE, "%s was swapped: it holds UUID %s, the configuration says %s", v->path,
			      l->uuid, v->conf->uuid);
		return err_hint(err, -ESTALE, "bring the right disk back, or correct uuid in the configuration");
	}
	if (l->generation < generation) {
		(void)err_set(err, -ESTALE, "%s is an older copy: generation %" PRIu64 ", and %" PRIu64 " was started",
			      v->path, l->generation, generation);
		return err_hint(err, -ESTALE, "bring the newest copy back");
	}
	return 0;
}

static int label_load(const char *server, struct volume *v, uint64_t generation, struct err *err)
{
	int r = label_read(v->backing_fd, &v->label, err);

	if (r < 0)
		return err_wrap(err, r, "%s", v->path);
	if (r > 0)
		return err_set(err, -EUCLEAN, "%s carries no label of vnas", v->path);
	return label_check(server, v, generation, err);
}

int volume_attach(struct volume *v, struct err *err)
{
	struct loop l;
	char name[VSV_NAME_MAX + VOLUME_NAME_MAX + 2];
	int r;

	(void)str_format(name, sizeof(name), "%s.%s", v->label.server, v->label.role);
	r = loop_attach(v->backing_fd, v->label.fs_offset, name, &l, err);
	if (r < 0)
		return err_wrap(err, r, "%s", v->path);
	v->device_fd = l.fd;
	v->rdev = l.rdev;
	(void)str_copy(v->device, sizeof(v->device), l.device);
	return 0;
}

static int open_image(const struct psv *psv, const char *server, struct volume *v, uint64_t generation, struct err *err)
{
	bool thin = volume_is_thin(psv, v->conf);
	int r;

	v->backing_fd = image_open(v->path, err);
	if (v->backing_fd < 0)
		return v->backing_fd;
	r = label_load(server, v, generation, err);
	if (r < 0)
		return r;
	if (v->label.fs_offset != LABEL_BYTES)
		return err_set(err, -EUCLEAN, "%s is a copy of a device, not an image", v->path);
	r = image_fit(v, thin, err);
	return r < 0 ? r : volume_attach(v, err);
}

static int open_device(const char *server, struct volume *v, uint64_t generation, struct err *err)
{
	struct blockdev b;
	int r = blockdev_open(v->path, true, &b, err);

	if (r < 0)
		return r;
	v->backing_fd = b.fd;
	v->rdev = b.rdev;
	(void)str_copy(v->device, sizeof(v->device), b.device);
	r = label_load(server, v, generation, err);
	if (r < 0)
		return r;
	if (v->label.fs_offset != 0)
		return err_set(err, -EUCLEAN, "%s holds a copy of an image, not a volume", v->path);
	if (v->label.fs_bytes + LABEL_BYTES > b.size_bytes)
		return err_set(err, -EUCLEAN, "%s is smaller than its volume", v->path);
	return 0;
}

int volume_open(const struct psv *psv, const char *server, const struct conf_volume *v, uint64_t generation,
		struct volume *ret, struct err *err)
{
	struct volume vol;
	int r = volume_init(psv, server, v, &vol, err);

	if (r == 0)
		r = v->device ? open_device(server, &vol, generation, err)
			      : open_image(psv, server, &vol, generation, err);
	if (r < 0) {
		volume_close(&vol);
		return err_wrap(err, r, "volume %s", v->name);
	}
	*ret = vol;
	return 0;
}

int volume_release_claim(struct volume *v, struct err *err)
{
	struct blockdev b;
	int r;

	if (v->device_fd >= 0)
		return 0;
	r = blockdev_open(v->path, false, &b, err);
	if (r < 0)
		return r;
	if (b.rdev != v->rdev) {
		(void)close(b.fd);
		return err_set(err, -ESTALE, "%s is another device now", v->path);
	}
	(void)close(v->backing_fd);
	v->backing_fd = b.fd;
	return 0;
}

/* What the kernel shall mount: exactly the filesystem that the label tells of. */
static int superblock_check(const struct volume *v, const struct superblock *sb, struct err *err)
{
	if (sb->fs != v->conf->fs)
		return err_set(err, -EUCLEAN, "it holds %s, the configuration says %s", conf_fs_name(sb->fs),
			       conf_fs_name(v->conf->fs));
	if (sb->hazard)
		return err_set(err, -EUCLEAN, "its filesystem is not safe to mount: %s", sb->hazard);
	if (strcmp(sb->uuid, v->label.uuid) != 0)
		return err_set(err, -ESTALE, "its filesystem has UUID %s, its label says %s", sb->uuid, v->label.uuid);
	if (sb->bytes > v->label.fs_bytes)
		return err_set(err, -EUCLEAN, "its filesystem is larger than its label says");
	return 0;
}

static int check_filesystem(struct volume *v, struct err *err)
{
	int r = mkfs_check(v->conf->fs, v->device, false, err);

	if (r == -EUCLEAN)
		(void)err_hint(err, r, "vnas repair %s does it with every question answered yes; keep a copy of %s first",
			       v->label.server, v->path);
	return r;
}

/* Reads the superblock, and has the filesystem checked if that says so.  VOLUME_REPAIRED; 0; -errno. */
static int prepare(struct volume *v, struct superblock *sb, struct err *err)
{
	/* Of the image itself: a loop device's thread would have to be woken for each read. */
	int repaired = 0, r = superblock_read(v->backing_fd, v->label.fs_offset, sb);

	if (r < 0)
		return err_set(err, r, "cannot read its superblock: %m");
	/* What is wrong in a superblock that is whole is no damage, and nothing for a check. */
	if (r == 0 && sb->intact) {
		r = superblock_check(v, sb, err);
		if (r < 0 || sb->clean)
			return r;
	}
	repaired = check_filesystem(v, err);
	if (repaired < 0)
		return repaired;
	r = superblock_read(volume_fs_fd(v), 0, sb);
	if (r != 0)
		return err_set(err, r < 0 ? r : -EUCLEAN, "its superblock is damaged");
	r = superblock_check(v, sb, err);
	return r < 0 ? r : repaired;
}

bool volume_is_damage(int r)
{
	return r == -EUCLEAN || r == -EBADMSG || r == -EINVAL || r == -EIO;
}

struct volume_mounting {
	struct superblock sb;
	bool repaired;
	struct fs_mounting *fs;
};

static void mounting_free(struct volume *v)
{
	if (v->mounting)
		fs_mount_abandon(v->mounting->fs);
	free(v->mounting);
	v->mounting = NULL;
}

static int mount_begin(struct volume *v, struct err *err)
{
	return fs_mount_begin(v->conf->fs, v->device, v->rdev, &v->mounting->fs, err);
}

/* VOLUME_REPAIRED; 0; -errno. */
static int mount_end(struct volume *v, struct err *err)
{
	int fd = fs_mount_end(v->mounting->fs, err), repaired = 0;

	v->mounting->fs = NULL;
	if (fd < 0 && volume_is_damage(fd)) {
		repaired = check_filesystem(v, err);
		if (repaired < 0)
			return repaired;
		fd = mount_begin(v, err);
		if (fd == 0)
			fd = fs_mount_end(v->mounting->fs, err);
		v->mounting->fs = NULL;
	}
	if (fd < 0)
		return fd;
	v->mount_fd = fd;
	return repaired;
}

/* The label knows a size that the filesystem does not have yet.  Serving at the old size is better than not serving. */
static int complete_growth(struct volume *v, const struct superblock *sb, struct err *err)
{
	int r;

	if (sb->bytes + GROW_SLACK_BYTES > v->label.fs_bytes)
		return 0;
	r = fs_grow(v->mount_fd, sb, v->label.fs_bytes, err);
	if (r != -EPERM || sb->fs != CONF_FS_EXT4) {
		err_clear(err);
		return 0;
	}
	/* Without CAP_SYS_RESOURCE ext4 grows only while it is not mounted. */
	(void)close(v->mount_fd);
	v->mount_fd = -1;
	r = mkfs_enlarge_ext4(v->device, v->label.fs_bytes, err);
	if (r == 0)
		r = mount_begin(v, err);
	return r < 0 ? r : mount_end(v, err);
}

int volume_mount_begin(struct volume *v, struct err *err)
{
	int r = volume_release_claim(v, err);

	if (r < 0)
		return err_wrap(err, r, "volume %s", v->conf->name);
	v->mounting = xcalloc(1, sizeof(*v->mounting));
	r = prepare(v, &v->mounting->sb, err);
	v->mounting->repaired = r > 0;
	if (r >= 0)
		r = mount_begin(v, err);
	if (r == 0)
		return 0;
	mounting_free(v);
	return err_wrap(err, r, "volume %s (%s)", v->conf->name, v->path);
}

int volume_mount_end(struct volume *v, struct err *err)
{
	int repaired = mount_end(v, err), grown = repaired < 0 ? repaired : complete_growth(v, &v->mounting->sb, err);

	if (grown >= 0)
		repaired += v->mounting->repaired + grown;
	mounting_free(v);
	if (grown < 0)
		return err_wrap(err, grown, "volume %s (%s)", v->conf->name, v->path);
	return repaired ? VOLUME_REPAIRED : 0;
}

int volume_mount(struct volume *v, struct err *err)
{
	int r = volume_mount_begin(v, err);

	return r < 0 ? r : volume_mount_end(v, err);
}

int volume_subtree(const struct volume *v, const char *folder, struct err *err)
{
	int r = fs_subtree(v->mount_fd, folder, err);

	return r < 0 ? err_wrap(err, r, "volume %s", v->conf->name) : r;
}

void volume_close(struct volume *v)
{
	if (!v->path[0])
		return;
	mounting_free(v);
	/* The mount first: a device that clears itself needs its last user gone. */
	cleanup_close(&v->mount_fd);
	cleanup_close(&v->device_fd);
	cleanup_close(&v->backing_fd);
	v->mount_fd = v->device_fd = v->backing_fd = -1;
	label_free(&v->label);
}

static bool image_is_held(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

static bool device_is_held(const char *path)
{
	struct blockdev b;
	int r = blockdev_open(path, true, &b, NULL);

	if (r == 0)
		(void)close(b.fd);
	return r == -EBUSY;
}

bool volume_is_held(const struct psv *psv, const char *server, const struct conf_volume *v)
{
	char path[4096];

	if (volume_path(psv, server, v, path, sizeof(path), NULL) < 0)
		return false;
	return v->device ? device_is_held(path) : image_is_held(path);
}

int volume_wait_gone(const struct psv *psv, const char *server, const struct conf_volume *v, int timeout_ms,
		     struct err *err)
{
	int64_t end = now_ms() + timeout_ms;

	while (volume_is_held(psv, server, v)) {
		if (now_ms() >= end)
			return err_exit(err, VNAS_EXIT_IN_USE, -ETIME, "volume %s is still in use", v->name);
		sleep_ms(1);
	}
	return 0;
}
