/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making volumes and taking them away.
 *
 * An image gets its name when it is whole and durable: until then it is a file without a name (O_TMPFILE), which a kill
 * takes away.  A device cannot be made in one step: a label of generation 0 is written before its filesystem, so that
 * what a kill left is known as ours and not refused as somebody else's. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
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

static const char *const root_folders[] = { "etc", "var", "home", "root", "srv", NULL };
static const char *const data_folders[] = { "data", NULL };

static bool is_root(const struct conf_volume *v)
{
	return strcmp(v->name, "root") == 0;
}

static int size_check(const struct conf_volume *v, uint64_t bytes, struct err *err)
{
	uint64_t min = mkfs_min_bytes(v->fs, is_root(v));
	char want[16];

	if (bytes >= min && bytes <= INT64_MAX / 2)
		return 0;
	(void)err_set(err, -EINVAL, "%s is no size for %s volume %s", size_human(bytes, want, sizeof(want)),
		      conf_fs_name(v->fs), v->name);
	return err_hint(err, -EINVAL, "it takes at least %" PRIu64 " MiB", min / LABEL_BYTES);
}

static int check_image(const struct psv *psv, const char *server, const struct conf_volume *v, struct err *err)
{
	const struct conf_pool *p;
	char path[4096];
	struct stat st;
	int r = size_check(v, v->size_bytes, err);

	if (r == 0)
		r = pool_find(psv, v, &p, err);
	if (r == 0)
		r = volume_path(psv, server, v, path, sizeof(path), err);
	if (r < 0)
		return r;
	if (lstat(path, &st) == 0) {
		(void)err_set(err, -EEXIST, "there is a file %s already", path);
		return err_hint(err, -EEXIST, "what a server left can be had again: `vnas volume add %s %s --orphan`, `vnas adopt`",
				server, v->name);
	}
	return pool_admit(p, round_up_mib(v->size_bytes), err);
}

/* Ours and never completed: what a kill of this very command left. */
static bool is_unfinished(const struct blockdev *b, const char *server, const struct conf_volume *v)
{
	struct label l = { 0 };
	bool ours = label_read(b->fd, &l, NULL) == 0 && l.generation == 0 && strcmp(l.server, server) == 0 &&
		    strcmp(l.role, v->name) == 0;

	label_free(&l);
	return ours;
}

static int refuse_foreign(const struct blockdev *b, const char *what, struct err *err)
{
	(void)err_set(err, -EEXIST, "%s carries %s", b->device, what);
	return err_hint(err, -EEXIST, "if nothing on it is needed any more: wipefs --all %s, or --force", b->device);
}

static int check_blockdev(const struct blockdev *b, const char *server, const struct conf_volume *v, bool force,
			  struct err *err)
{
	struct label l = { 0 };
	char what[160];
	int r = size_check(v, round_down_mib(b->size_bytes), err);

	if (r < 0)
		return r;
	if (v->size_bytes > b->size_bytes)
		return err_set(err, -ENOSPC, "%s has %" PRIu64 " bytes, less than the size that is wanted", b->device,
			       b->size_bytes);
	if (force || is_unfinished(b, server, v))
		return 0;
	r = label_read(b->fd, &l, err);
	if (r != 1) {
		(void)str_format(what, sizeof(what), "volume %s of server %s", r ? "?" : l.role, r ? "?" : l.server);
		label_free(&l);
		return refuse_foreign(b, what, err);
	}
	r = blockdev_signature(b, what, sizeof(what), err);
	return r > 0 ? refuse_foreign(b, what, err) : r;
}

static int check_device(const char *server, const struct conf_volume *v, bool force, struct err *err)
{
	struct blockdev b;
	int r = blockdev_open(v->device, true, &b, err);

	if (r < 0)
		return r;
	r = check_blockdev(&b, server, v, force, err);
	(void)close(b.fd);
	return r;
}

int volume_check(const struct psv *psv, const char *server, const struct conf_volume *v, bool force, struct err *err)
{
	int r = v->device ? check_device(server, v, force, err) : check_image(psv, server, v, err);

	return r < 0 ? err_wrap(err, r, "volume %s", v->name) : r;
}

/* The filesystem's own first folders: what is attached inside later are these, never its root. */
static int make_folders(const struct volume *vol, struct err *err)
{
	const char *const *folders = is_root(vol->conf) ? root_folders : data_folders;
	_cleanup_close_ int root = fs_folder(vol->mount_fd, ".", err);

	if (root < 0)
		return root;
	for (; *folders; folders++) {
		mode_t mode = strcmp(*folders, "root") == 0 ? 0700 : 0755;
		_cleanup_close_ int fd = -1;

		if (mkdirat(root, *folders, mode) < 0)
			return err_set(err, -errno, "cannot make the folder '%s': %m", *folders);
		fd = fs_folder(root, *folders, err);
		if (fd < 0)
			return fd;
		if (fchmod(fd, mode) < 0) /* whatever the umask is */
			return err_set(err, -errno, "cannot set the rights of '%s': %m", *folders);
	}
	return syncfs(root) < 0 ? err_set(err, -errno, "cannot write the filesystem: %m") : 0;
}

static int make_filesystem(struct volume *vol, bool zeroed, struct err *err)
{
	int r = mkfs_make(vol->conf->fs, vol->device, vol->label.uuid, vol->label.fs_bytes, zeroed, err);

	if (r == 0)
		r = volume_mount(vol, err);
	if (r >= 0)
		r = make_folders(vol, err);
	cleanup_close(&vol->mount_fd);
	vol->mount_fd = -1;
	return r;
}

/* btrfs writes every block to a new place, for which a full file system has no room: what is allocated must be
 * overwritten in place.  That can be said of an empty file only. */
static int set_overwrite(int fd, struct err *err)
{
	struct statfs s;
	int flags;

	if (fstatfs(fd, &s) < 0 || s.f_type != BTRFS_SUPER_MAGIC)
		return 0;
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0) {
		flags |= FS_NOCOW_FL;
		if (ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0)
			return 0;
	}
	return err_set(err, -errno, "cannot switch copy on write off for the image: %m");
}

static int allocate(const struct conf_pool *p, int fd, uint64_t bytes, struct err *err)
{
	char size[16];
	int r = p->thin ? 0 : set_overwrite(fd, err);

	if (r < 0)
		return r;
	if (p->thin ? ftruncate(fd, (off_t)bytes) == 0 : fallocate(fd, 0, 0, (off_t)bytes) == 0)
		return 0;
	r = err_set(err, -errno, "cannot allocate %s in pool '%s': %m", size_human(bytes, size, sizeof(size)), p->name);
	if (r == -EOPNOTSUPP)
		(void)err_hint(err, r, "the file system of %s cannot allocate in advance: choose another, or thin = yes",
			       p->path);
	return r;
}

/* What a kill left.  Locked, it is not: another command is making it right now. */
static int remove_leftover(int dir, const char *name_new)
{
	_cleanup_close_ int fd = openat(dir, name_new, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	int r;

	/* A link, a folder or a socket is nothing that we made. */
	if (fd < 0)
		return errno == ENOENT || errno == ELOOP || errno == EISDIR || errno == ENXIO ? 0 : -errno;
	r = image_lock(fd, name_new, 0, NULL);
	if (r < 0)
		return r == -EBUSY ? 0 : r;
	return unlinkat(dir, name_new, 0) < 0 && errno != ENOENT ? -errno : 0;
}

/* A file without a name where the file system has that, else one named IMAGE.new. */
static int make_nameless(int dir, const char *name_new, bool *ret_named, struct err *err)
{
	int fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	*ret_named = false;
	if (fd >= 0)
		return fd;
	if (errno != EOPNOTSUPP && errno != EISDIR)
		return err_set(err, -errno, "cannot make an image: %m");
	(void)remove_leftover(dir, name_new);
	fd = openat(dir, name_new, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(err, -errno, "cannot make %s: %m", name_new);
	*ret_named = true;
	return fd;
}

static int give_name(int dir, int fd, bool named, const char *name_new, const char *name, struct err *err)
{
	int r;

	if (fsync(fd) < 0)
		return err_set(err, -errno, "cannot write the image: %m");
	r = named ? renameat2(dir, name_new, dir, name, RENAME_NOREPLACE)
		  : linkat(fd, "", dir, name, AT_EMPTY_PATH);
	if (r < 0)
		return err_set(err, -errno, "cannot give the image its name %s: %m", name);
	if (fsync(dir) < 0) {
		r = err_set(err, -errno, "cannot write the pool's folder: %m");
		(void)unlinkat(dir, name, 0);
		return r;
	}
	return 0;
}

static int fill_image(struct volume *vol, const struct conf_pool *p, uint64_t bytes, struct err *err)
{
	int r = image_lock(vol->backing_fd, vol->path, 0, err);

	if (r == 0)
		r = allocate(p, vol->backing_fd, bytes, err);
	if (r == 0)
		r = volume_attach(vol, err);
	if (r == 0)
		r = make_filesystem(vol, true, err);
	cleanup_close(&vol->device_fd);
	vol->device_fd = -1;
	if (r == 0 && !p->thin)
		volume_fill_holes(vol);
	if (r == 0 && vol->sparse)
		r = err_set(err, -ENOSPC, "pool '%s' is full", p->name);
	if (r == 0)
		r = label_write(vol->backing_fd, &vol->label, err);
	return r;
}

static int create_image(const struct psv *psv, const char *server, struct volume *vol, struct err *err)
{
	char name[NAME_MAX + 1], name_new[NAME_MAX + 1];
	_cleanup_close_ int dir = -1;
	const struct conf_pool *p;
	bool named;
	int r;

	r = pool_find(psv, vol->conf, &p, err);
	if (r == 0)
		r = pool_image_name(server, vol->conf->name, name, sizeof(name), err);
	if (r < 0)
		return r;
	(void)str_format(name_new, sizeof(name_new), "%s.new", name);
	dir = pool_open(p, err);
	if (dir < 0)
		return dir;
	vol->backing_fd = make_nameless(dir, name_new, &named, err);
	if (vol->backing_fd < 0)
		return vol->backing_fd;
	vol->label.fs_offset = LABEL_BYTES;
	vol->label.fs_bytes = round_up_mib(vol->conf->size_bytes) - LABEL_BYTES;
	r = fill_image(vol, p, vol->label.fs_offset + vol->label.fs_bytes, err);
	if (r == 0)
		r = give_name(dir, vol->backing_fd, named, name_new, name, err);
	if (r < 0 && named)
		(void)unlinkat(dir, name_new, 0);
	return r;
}

/* Takes what makes it a volume away, and what makes it anything else. */
static int strip_device_fd(const struct blockdev *b, struct err *err)
{
	struct label l = { 0 };
	int r = 0;

	if (label_read(b->fd, &l, NULL) == 0)
		r = label_erase(b->fd, label_offset(l.fs_offset, l.fs_bytes), err);
	label_free(&l);
	/* A damaged label at the usual place goes too. */
	if (r == 0 && b->size_bytes >= 2 * LABEL_BYTES)
		r = label_erase(b->fd, round_down_mib(b->size_bytes) - LABEL_BYTES, err);
	return r < 0 ? r : blockdev_wipe(b, err);
}

static void strip_device(const char *path)
{
	struct blockdev b;

	if (blockdev_open(path, true, &b, NULL) < 0)
		return;
	(void)strip_device_fd(&b, NULL);
	(void)close(b.fd);
}

static int fill_device(struct volume *vol, uint64_t generation, struct err *err)
{
	int r;

	vol->label.generation = 0;
	r = label_write(vol->backing_fd, &vol->label, err);
	if (r == 0)
		r = volume_release_claim(vol, err);
	if (r == 0)
		r = make_filesystem(vol, false, err);
	vol->label.generation = generation;
	if (r == 0)
		r = label_write(vol->backing_fd, &vol->label, err);
	return r;
}

static int create_device(const char *server, struct volume *vol, bool force, struct err *err)
{
	struct blockdev b;
	int r = blockdev_open(vol->path, true, &b, err);

	if (r < 0)
		return r;
	vol->backing_fd = b.fd;
	vol->rdev = b.rdev;
	(void)str_copy(vol->device, sizeof(vol->device), b.device);
	/* Asked again on the descriptor that is held: since volume_check() somebody may have used it. */
	r = check_blockdev(&b, server, vol->conf, force, err);
	if (r < 0)
		return r;
	vol->label.fs_offset = 0;
	vol->label.fs_bytes = round_down_mib(b.size_bytes) - LABEL_BYTES;
	r = strip_device_fd(&b, err);
	if (r == 0)
		r = fill_device(vol, vol->label.generation, err);
	if (r < 0) {
		cleanup_close(&vol->backing_fd);
		vol->backing_fd = -1;
		strip_device(vol->path);
	}
	return r;
}

/* As new as the server is, or one of that name was before it: see volumes_check(). */
static int label_fill(const struct psv *psv, const char *server, struct volume *vol, const char *conf_text,
		      struct err *err)
{
	uint64_t known;
	int r = volume_generation_known(psv, server, &known, err);

	if (r == 0)
		r = uuid_make(vol->label.uuid, err);
	if (r < 0)
		return r;
	if (!str_copy(vol->label.server, sizeof(vol->label.server), server) ||
	    !str_copy(vol->label.role, sizeof(vol->label.role), vol->conf->name))
		return err_set(err, -ENAMETOOLONG, "its name is too long");
	vol->label.generation = known ? known : 1;
	vol->label.conf = xstrdup(conf_text);
	return 0;
}

int volume_create(const struct psv *psv, const char *server, const struct conf_volume *v, const char *conf_text,
		  bool force, char ret_uuid[37], struct err *err)
{
	struct volume vol;
	int r = volume_check(psv, server, v, force, err);

	if (r < 0)
		return r;
	r = volume_init(psv, server, v, &vol, err);
	if (r == 0)
		r = label_fill(psv, server, &vol, conf_text, err);
	if (r == 0)
		r = v->device ? create_device(server, &vol, force, err) : create_image(psv, server, &vol, err);
	if (r == 0)
		memcpy(ret_uuid, vol.label.uuid, sizeof(vol.label.uuid));
	volume_close(&vol);
	return r < 0 ? err_wrap(err, r, "volume %s", v->name) : 0;
}

static bool is_leftover(const char *name, const char *server)
{
	size_t n = strlen(server), len = strlen(name);
	static const char end[] = ".img.new";

	return strncmp(name, server, n) == 0 && name[n] == '.' && len > n + sizeof(end) &&
	       strcmp(name + len - (sizeof(end) - 1), end) == 0;
}

static int sweep_pool(const struct conf_pool *p, const char *server, struct err *err)
{
	_cleanup_closedir_ DIR *d = opendir(p->path);
	struct dirent *e;

	if (!d)
		return errno == ENOENT ? 0 : err_set(err, -errno, "cannot read pool %s: %m", p->path);
	for (errno = 0; (e = readdir(d)); errno = 0) {
		int r = is_leftover(e->d_name, server) ? remove_leftover(dirfd(d), e->d_name) : 0;

		if (r < 0)
			return err_set(err, r, "cannot remove %s/%s: %m", p->path, e->d_name);
	}
	return errno ? err_set(err, -errno, "cannot read pool %s: %m", p->path) : 0;
}

int volume_sweep(const struct psv *psv, const char *server, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < psv->conf.n_pools; i++)
		if (psv->conf.pools[i].type == CONF_POOL_FILE)
			r = sweep_pool(&psv->conf.pools[i], server, err);
	return r;
}

static int purge_image(const char *server, const struct volume *vol, struct err *err)
{
	_cleanup_close_ int fd = -1, dir = -1;
	struct label l = { 0 };
	bool theirs;
	char *slash;
	char folder[4096];
	int r;

	if (access(vol->path, F_OK) < 0 && errno == ENOENT)
		return 0;
	fd = image_open(vol->path, err);
	if (fd < 0)
		return fd;
	r = label_read(fd, &l, err);
	theirs = r == 0 && strcmp(l.server, server) != 0;
	label_free(&l);
	/* One without a label, or with a damaged one, is told by its name. */
	if (r < 0 && r != -EBADMSG)
		return err_wrap(err, r, "%s was not deleted", vol->path);
	if (theirs)
		return err_set(err, -EPERM, "%s carries another server's label and was not deleted", vol->path);
	(void)str_copy(folder, sizeof(folder), vol->path);
	slash = strrchr(folder, '/');
	*slash = '\0';
	dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || unlinkat(dir, slash + 1, 0) < 0 || fsync(dir) < 0)
		return err_set(err, -errno, "cannot delete %s: %m", vol->path);
	return 0;
}

static int purge_device(const char *server, const struct volume *vol, struct err *err)
{
	struct label l = { 0 };
	struct blockdev b;
	bool ours;
	int r = blockdev_open(vol->path, true, &b, err);

	if (r < 0)
		return r;
	r = label_read(b.fd, &l, err);
	ours = r == 0 && strcmp(l.server, server) == 0;
	label_free(&l);
	r = r < 0 && r != -EBADMSG ? err_wrap(err, r, "%s was not wiped", vol->path) :
	    ours ? strip_device_fd(&b, err)
		 : err_set(err, -EPERM, "%s does not carry this server's label and was not wiped", vol->path);
	(void)close(b.fd);
	return r;
}

int volume_purge(const struct psv *psv, const char *server, const struct conf_volume *v, struct err *err)
{
	struct volume vol;
	int r = volume_init(psv, server, v, &vol, err);

	if (r == 0)
		r = v->device ? purge_device(server, &vol, err) : purge_image(server, &vol, err);
	return r < 0 ? err_wrap(err, r, "volume %s", v->name) : 0;
}
