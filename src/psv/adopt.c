/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psv/adopt.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "psv/label.h"
#include "psv/pool.h"
#include "psv/psv.h"
#include "psv/volume_internal.h"

/* Opened and held against everybody else: an image by its lock, a device by O_EXCL.  Descriptor or -errno. */
static int hold(const char *path, bool *ret_device, struct err *err)
{
	struct blockdev b;
	struct stat st;
	int r;

	if (stat(path, &st) < 0)
		return err_set(err, -errno, "cannot find %s: %m", path);
	*ret_device = S_ISBLK(st.st_mode);
	if (!*ret_device)
		return image_open(path, err);
	r = blockdev_open(path, true, &b, err);
	return r < 0 ? r : b.fd;
}

static int check_filesystem(int fd, struct adopt_volume *v, struct err *err)
{
	struct superblock sb;
	int r = superblock_read(fd, v->label.fs_offset, &sb);

	if (r < 0)
		return err_set(err, r, "cannot read %s: %m", v->path);
	if (r > 0)
		return err_set(err, -EUCLEAN, "%s holds a label and no filesystem behind it", v->path);
	if (strcmp(sb.uuid, v->label.uuid) != 0)
		return err_set(err, -ESTALE, "%s: its label does not belong to its filesystem (UUID %s and %s)", v->path,
			       v->label.uuid, sb.uuid);
	if (sb.hazard)
		return err_set(err, -EUCLEAN, "%s is not safe to mount: %s", v->path, sb.hazard);
	v->fs = sb.fs;
	return 0;
}

static int check_label(const struct adopt_volume *v, struct err *err)
{
	const struct label *l = &v->label;

	if ((l->fs_offset != 0) == v->device)
		return err_set(err, -EUCLEAN, "%s is %s", v->path,
			       v->device ? "a device that holds the copy of an image" : "an image that was copied from a device");
	if (l->fs_offset + l->fs_bytes + (v->device ? LABEL_BYTES : 0) > v->size_bytes)
		return err_set(err, -EUCLEAN, "%s is cut off: its label tells of %" PRIu64 " bytes", v->path,
			       l->fs_offset + l->fs_bytes);
	if (l->generation == 0)
		return err_set(err, -EUCLEAN, "%s was never completed", v->path);
	return 0;
}

static int load(const char *path, struct adopt_volume *v, struct err *err)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *real = realpath(path, NULL);
	int r;

	if (!real)
		return err_set(err, -errno, "cannot find %s: %m", path);
	fd = hold(real, &v->device, err);
	if (fd < 0)
		return fd;
	/* A device keeps the name it was given: /dev/disk/by-id/… outlives /dev/sdb. */
	if (!str_copy(v->path, sizeof(v->path), v->device && path[0] == '/' ? path : real))
		return err_set(err, -ENAMETOOLONG, "the path %s is too long", real);
	r = label_read(fd, &v->label, err);
	if (r < 0)
		return err_wrap(err, r, "%s", v->path);
	if (r > 0)
		return err_set(err, -EINVAL, "%s carries no label of vnas", v->path);
	r = fd_size(fd, &v->size_bytes);
	if (r < 0)
		return err_set(err, r, "cannot read the size of %s: %m", v->path);
	r = check_label(v, err);
	return r < 0 ? r : check_filesystem(fd, v, err);
}

int adopt_look(const char *path, struct adopt_volume *ret, struct err *err)
{
	struct adopt_volume v = { 0 };
	int r = load(path, &v, err);

	if (r < 0)
		label_free(&v.label);
	else
		*ret = v;
	return r;
}

static bool is_root(const struct adopt_volume *v)
{
	return strcmp(v->label.role, "root") == 0;
}

/* The root first. */
static int sort_volumes(struct adopt *a, struct err *err)
{
	for (size_t i = 0; i < a->n_volumes; i++) {
		struct adopt_volume v = a->volumes[i];

		if (!is_root(&v))
			continue;
		a->volumes[i] = a->volumes[0];
		a->volumes[0] = v;
		return 0;
	}
	(void)err_set(err, -EINVAL, "the root volume of server %s is not among them", a->volumes[0].label.server);
	return err_hint(err, -EINVAL, "name all volumes of the server");
}

static int check_together(const struct psv *psv, struct adopt *a, bool force, struct err *err)
{
	const struct adopt_volume *root = &a->volumes[0];
	int r = volume_generation_known(psv, a->server, &a->known_generation, err);

	if (r < 0)
		return r;
	if (a->generation < a->known_generation && !force) {
		(void)err_set(err, -ESTALE, "%s is an older copy: generation %" PRIu64 ", and this machine has started %" PRIu64,
			      root->path, a->generation, a->known_generation);
		return err_hint(err, -ESTALE, "if there is no newer one any more: --force");
	}
	for (size_t i = 1; i < a->n_volumes; i++) {
		const struct adopt_volume *v = &a->volumes[i];

		if (strcmp(v->label.server, a->server) != 0)
			return err_set(err, -EINVAL, "%s belongs to server %s, %s to server %s", root->path, a->server, v->path,
				       v->label.server);
		for (size_t j = 0; j < i; j++)
			if (strcmp(v->label.role, a->volumes[j].label.role) == 0)
				return err_set(err, -EINVAL, "%s and %s are both volume %s", a->volumes[j].path, v->path,
					       v->label.role);
		if (v->label.generation != a->generation && v->label.generation != a->generation + 1)
			return err_set(err, -ESTALE, "%s has generation %" PRIu64 " and %s has %" PRIu64 ": one is an older copy",
				       root->path, a->generation, v->path, v->label.generation);
	}
	return 0;
}

/* An image that lies in a pool stays in it; another goes where the configuration says, if there is such a pool here. */
static const struct conf_pool *choose_pool(const struct psv *psv, const struct adopt_volume *v, const char *configured)
{
	const struct conf_pool *p;
	struct stat folder, st;
	char path[4096];
	char *slash;

	(void)str_copy(path, sizeof(path), v->path);
	slash = strrchr(path, '/');
	slash[slash == path] = '\0';
	for (size_t i = 0; i < psv->conf.n_pools; i++) {
		p = &psv->conf.pools[i];
		if (p->type == CONF_POOL_FILE && stat(path, &folder) == 0 && stat(p->path, &st) == 0 &&
		    folder.st_dev == st.st_dev && folder.st_ino == st.st_ino)
			return p;
	}
	p = conf_pool_find(&psv->conf, configured);
	return p && p->type == CONF_POOL_FILE ? p : conf_pool_find(&psv->conf, "");
}

static int find_target(const struct psv *psv, const struct adopt *a, struct adopt_volume *v, const char *configured,
		       const struct conf_pool **ret_pool, struct err *err)
{
	const struct conf_pool *p = choose_pool(psv, v, configured);
	char name[NAME_MAX + 1];
	int r;

	if (!p || p->type != CONF_POOL_FILE)
		return err_set(err, -EINVAL, "there is no file pool for %s", v->path);
	r = pool_image_name(a->server, v->label.role, name, sizeof(name), err);
	if (r < 0)
		return r;
	if (!str_format(v->target, sizeof(v->target), "%s/%s", p->path, name))
		return err_set(err, -ENAMETOOLONG, "the path of volume %s is too long", v->label.role);
	*ret_pool = p;
	return 0;
}

static void edit(char **text, const char *section, const char *key, const char *value)
{
	char *edited = confedit_set(*text, section, key, value);

	/* NULL: there was nothing to remove. */
	if (!edited)
		return;
	free(*text);
	*text = edited;
}

/* Where a volume lies is told by the administrator, never by the disk. */
static int place_volume(const struct psv *psv, const struct adopt *a, struct adopt_volume *v,
			const struct conf_volume *old, char **text, struct err *err)
{
	const struct conf_pool *pool = NULL;
	char section[VOLUME_NAME_MAX + 16], size[24];
	bool other_pool;
	int r;

	if (v->fs != old->fs)
		return err_set(err, -EUCLEAN, "%s holds %s, its configuration says %s", v->path, conf_fs_name(v->fs),
			       conf_fs_name(old->fs));
	(void)str_format(section, sizeof(section), "volume %s", v->label.role);
	if (!v->device) {
		r = find_target(psv, a, v, old->pool, &pool, err);
		if (r < 0)
			return r;
	}
	(void)str_format(size, sizeof(size), "%" PRIu64, v->label.fs_offset + v->label.fs_bytes);
	edit(text, section, "device", v->device ? v->path : NULL);
	if (v->device)
		edit(text, section, "size", NULL);
	else if (old->size_bytes != v->label.fs_offset + v->label.fs_bytes)
		edit(text, section, "size", size);
	other_pool = pool && strcmp(pool->name, old->pool[0] ? old->pool : "default") != 0;
	if (v->device || other_pool)
		edit(text, section, "pool", v->device || strcmp(pool->name, "default") == 0 ? NULL : pool->name);
	edit(text, section, "uuid", v->label.uuid);
	return 0;
}

static struct adopt_volume *find_role(const struct adopt *a, const char *role)
{
	for (size_t i = 0; i < a->n_volumes; i++)
		if (strcmp(a->volumes[i].label.role, role) == 0)
			return &a->volumes[i];
	return NULL;
}

static int place_volumes(const struct psv *psv, struct adopt *a, const struct conf *c, struct err *err)
{
	char *text = xstrdup(a->found_text);
	int r = 0;

	for (size_t i = 0; r == 0 && i < a->n_volumes; i++)
		if (!conf_volume_find(c, a->volumes[i].label.role))
			r = err_set(err, -EINVAL, "%s is volume %s, which the configuration on %s does not know",
				    a->volumes[i].path, a->volumes[i].label.role, a->volumes[0].path);
	for (size_t i = 0; r == 0 && i < c->n_volumes; i++) {
		struct adopt_volume *v = find_role(a, c->volumes[i].name);

		if (v) {
			r = place_volume(psv, a, v, &c->volumes[i], &text, err);
			continue;
		}
		r = err_set(err, -EINVAL, "volume %s of server %s is not among them", c->volumes[i].name, a->server);
		(void)err_hint(err, r, "name all volumes of the server");
	}
	if (r < 0)
		free(text);
	else
		a->conf_text = text;
	return r;
}

static int read_conf(const struct psv *psv, struct adopt *a, struct err *err)
{
	struct conf c = { 0 }, again = { 0 };
	int r;

	a->found_text = xstrdup(a->volumes[0].label.conf);
	r = conf_parse(a->found_text, strlen(a->found_text), "the configuration on the root volume", a->server, &c, err);
	if (r < 0)
		return r;
	r = place_volumes(psv, a, &c, err);
	conf_free(&c);
	if (r < 0)
		return r;
	r = conf_parse(a->conf_text, strlen(a->conf_text), "the adopted configuration", a->server, &again, err);
	conf_free(&again);
	return r;
}

static int read_all(const struct psv *psv, const char *const *paths, size_t n_paths, bool force, struct adopt *a,
		    struct err *err)
{
	int r;

	if (n_paths == 0)
		return err_exit(err, VNAS_EXIT_USAGE, -EINVAL, "no image and no device is given");
	a->volumes = xcalloc(n_paths, sizeof(*a->volumes));
	for (size_t i = 0; i < n_paths; i++) {
		a->n_volumes++;
		r = load(paths[i], &a->volumes[i], err);
		if (r < 0)
			return r;
	}
	r = sort_volumes(a, err);
	if (r < 0)
		return r;
	(void)str_copy(a->server, sizeof(a->server), a->volumes[0].label.server);
	a->generation = a->volumes[0].label.generation;
	r = conf_name_check(a->server, err);
	if (r < 0)
		return r;
	r = psv_exists(psv, a->server, err);
	if (r < 0)
		return r;
	if (r > 0) {
		(void)err_set(err, -EEXIST, "there is a server %s here already", a->server);
		return err_hint(err, -EEXIST, "destroy that one first; without --purge its volumes stay");
	}
	r = check_together(psv, a, force, err);
	return r < 0 ? r : read_conf(psv, a, err);
}

int adopt_read(const struct psv *psv, const char *const *paths, size_t n_paths, bool force, struct adopt *ret,
	       struct err *err)
{
	struct adopt a = { 0 };
	int r = read_all(psv, paths, n_paths, force, &a, err);

	if (r < 0) {
		adopt_free(&a);
		return r;
	}
	*ret = a;
	return 0;
}

void adopt_free(struct adopt *a)
{
	for (size_t i = 0; i < a->n_volumes; i++)
		label_free(&a->volumes[i].label);
	free(a->volumes);
	free(a->found_text);
	free(a->conf_text);
	*a = (struct adopt){ 0 };
}

/* Held from here to the end, so that what was shown is what is taken. */
static int hold_unchanged(const struct adopt_volume *v, struct err *err)
{
	_cleanup_close_ int fd = -1;
	struct label now = { 0 };
	bool device, same;
	int r;

	fd = hold(v->path, &device, err);
	if (fd < 0)
		return fd;
	r = label_read(fd, &now, err);
	if (r < 0)
		return r;
	same = r == 0 && device == v->device && now.generation == v->label.generation &&
	       now.fs_offset == v->label.fs_offset && now.fs_bytes == v->label.fs_bytes &&
	       strcmp(now.uuid, v->label.uuid) == 0 && strcmp(now.server, v->label.server) == 0 &&
	       strcmp(now.role, v->label.role) == 0 && strcmp(now.conf, v->label.conf) == 0;
	label_free(&now);
	if (!same)
		return err_set(err, -ESTALE, "%s has changed meanwhile", v->path);
	return steal_fd(&fd);
}

static bool is_in_place(const struct adopt_volume *v)
{
	struct stat a, b;

	if (v->device)
		return true;
	return stat(v->path, &a) == 0 && stat(v->target, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int sync_folder_of(const char *path)
{
	char folder[4096];
	_cleanup_close_ int fd = -1;
	char *slash;

	(void)str_copy(folder, sizeof(folder), path);
	slash = strrchr(folder, '/');
	slash[slash == folder] = '\0';
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int move_image(const char *from, const char *to, struct err *err)
{
	int r;

	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) < 0) {
		r = err_set(err, -errno, "cannot move %s to %s: %m", from, to);
		if (r == -EXDEV)
			(void)err_hint(err, r, "copy it into the pool, and adopt the copy: cp --sparse=never %s %s", from, to);
		return r;
	}
	r = sync_folder_of(to);
	if (r == 0)
		r = sync_folder_of(from);
	return r < 0 ? err_set(err, r, "cannot write the folder of %s: %m", to) : 0;
}

/* Where there is no pool folder yet, it is made. */
static int make_pools(const struct psv *psv, const struct adopt *a, struct err *err)
{
	for (size_t i = 0; i < psv->conf.n_pools; i++) {
		const struct conf_pool *p = &psv->conf.pools[i];
		bool wanted = false;

		for (size_t j = 0; j < a->n_volumes && p->type == CONF_POOL_FILE; j++)
			wanted |= !a->volumes[j].device && str_starts(a->volumes[j].target, p->path);
		if (wanted) {
			_cleanup_close_ int fd = pool_open(p, err);

			if (fd < 0)
				return fd;
		}
	}
	return 0;
}

static int move_images(const struct adopt *a, size_t *moved, struct err *err)
{
	for (; *moved < a->n_volumes; (*moved)++) {
		const struct adopt_volume *v = &a->volumes[*moved];
		int r = is_in_place(v) ? 0 : move_image(v->path, v->target, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static void move_back(const struct adopt *a, size_t moved)
{
	struct stat st;

	while (moved-- > 0) {
		const struct adopt_volume *v = &a->volumes[moved];

		if (!v->device && stat(v->path, &st) < 0)
			(void)move_image(v->target, v->path, NULL);
	}
}

static int write_conf(const struct psv *psv, const struct adopt *a, struct err *err)
{
	_cleanup_close_ int etc = dir_open(AT_FDCWD, psv->etc);
	char file[VSV_NAME_MAX + 8];
	int r = etc;

	(void)str_format(file, sizeof(file), "%s.conf", a->server);
	if (r >= 0)
		r = file_write_atomic_at(etc, file, a->conf_text, strlen(a->conf_text), 0600);
	/* It can fail after the file has its name, when that is not durable. */
	if (r < 0 && etc >= 0)
		(void)unlinkat(etc, file, 0);
	return r < 0 ? err_set(err, r, "cannot write %s/%s: %m", psv->etc, file) : 0;
}

static int register_held(const struct psv *psv, const struct adopt *a, struct err *err)
{
	size_t moved = 0;
	int r;

	r = make_pools(psv, a, err);
	if (r == 0)
		r = move_images(a, &moved, err);
	if (r == 0)
		r = volume_generation_remember(psv, a->server, a->generation, err);
	if (r == 0)
		r = write_conf(psv, a, err);
	if (r < 0 && psv_exists(psv, a->server, NULL) == 0)
		move_back(a, moved);
	return r;
}

int adopt_register(const struct psv *psv, const struct adopt *a, struct err *err)
{
	_cleanup_free_ int *fds = xcalloc(a->n_volumes, sizeof(*fds));
	size_t held = 0;
	int r = psv_exists(psv, a->server, err);

	if (r < 0)
		return r;
	if (r > 0)
		return err_set(err, -EEXIST, "cannot adopt server %s: it is here already", a->server);
	for (; held < a->n_volumes; held++) {
		fds[held] = hold_unchanged(&a->volumes[held], err);
		if (fds[held] < 0) {
			r = fds[held];
			break;
		}
	}
	if (r == 0)
		r = register_held(psv, a, err);
	while (held-- > 0)
		(void)close(fds[held]);
	return r < 0 ? err_wrap(err, r, "cannot adopt server %s", a->server) : 0;
}
