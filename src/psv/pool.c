/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psv/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/str.h"
#include "psv/label.h"
#include "psv/psv.h"
#include "psv/volume.h"

#define GIB UINT64_C(1073741824)

int pool_find(const struct psv *psv, const struct conf_volume *v, const struct conf_pool **ret, struct err *err)
{
	const struct conf_pool *p = conf_pool_find(&psv->conf, v->pool);

	if (!p)
		return err_set(err, -EINVAL, "there is no pool '%s' in vnas.conf", v->pool[0] ? v->pool : "default");
	if (p->type != CONF_POOL_FILE) {
		(void)err_set(err, -EINVAL, "pool '%s' is of type device and no device is given", p->name);
		return err_hint(err, -EINVAL, "name it: device = /dev/disk/by-id/…");
	}
	*ret = p;
	return 0;
}

int pool_open(const struct conf_pool *p, struct err *err)
{
	int fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT) {
		int r = dir_make_path(p->path, 0700);

		if (r < 0)
			return err_set(err, r, "cannot make the folder %s of pool '%s': %m", p->path, p->name);
		fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd < 0)
		return err_set(err, -errno, "cannot open the folder %s of pool '%s': %m", p->path, p->name);
	return fd;
}

int pool_usage(const struct conf_pool *p, struct pool_usage *ret, struct err *err)
{
	_cleanup_close_ int fd = pool_open(p, err);
	uint64_t unit, used, usable;
	struct statfs s;

	if (fd < 0)
		return fd;
	if (fstatfs(fd, &s) < 0)
		return err_set(err, -errno, "cannot read the free space of %s: %m", p->path);
	unit = (uint64_t)(s.f_frsize ? s.f_frsize : s.f_bsize);
	/* As df counts: blocks kept for root belong to neither. */
	used = s.f_blocks - s.f_bfree;
	usable = used + s.f_bavail;
	*ret = (struct pool_usage){
		.total_bytes = usable * unit,
		.available_bytes = s.f_bavail * unit,
		.used_percent = usable ? (unsigned)((used * 100 + usable - 1) / usable) : 100,
	};
	return 0;
}

/* A little is left free, because the pool may lie on the Psv's own root file system. */
static uint64_t reserve_bytes(const struct pool_usage *u)
{
	return u->total_bytes / 50 < GIB ? u->total_bytes / 50 : GIB;
}

int pool_admit(const struct conf_pool *p, uint64_t more_bytes, struct err *err)
{
	struct pool_usage u;
	char want[16], have[16];
	int r = pool_usage(p, &u, err);

	if (r < 0)
		return r;
	if (p->thin && u.used_percent > POOL_REFUSE_PERCENT) {
		(void)err_set(err, -ENOSPC, "thin pool '%s' is %u %% full: beyond %d %% nothing more is promised",
			      p->name, u.used_percent, POOL_REFUSE_PERCENT);
		return err_hint(err, -ENOSPC, "make room on %s", p->path);
	}
	if (p->thin && u.used_percent > POOL_WARN_PERCENT) {
		(void)err_set(err, 0, "thin pool '%s' is %u %% full: when it is full, every server on it gets write errors",
			      p->name, u.used_percent);
		return VOLUME_POOL_FILLING;
	}
	if (!p->thin && (more_bytes > u.available_bytes || u.available_bytes - more_bytes < reserve_bytes(&u))) {
		(void)err_set(err, -ENOSPC, "pool '%s' has not enough room: %s wanted, %s free", p->name,
			      size_human(more_bytes, want, sizeof(want)),
			      size_human(u.available_bytes, have, sizeof(have)));
		return err_hint(err, -ENOSPC, "choose a smaller size or another pool, or make room on %s", p->path);
	}
	return 0;
}

int pool_image_name(const char *server, const char *volume, char *buf, size_t size, struct err *err)
{
	if (!str_format(buf, size, "%s.%s.img", server, volume))
		return err_set(err, -ENAMETOOLONG, "the name of volume %s is too long", volume);
	return 0;
}

int volume_path(const struct psv *psv, const char *server, const struct conf_volume *v, char *buf, size_t size,
		struct err *err)
{
	const struct conf_pool *p;
	char name[NAME_MAX + 1];
	int r;

	if (v->device) {
		if (!str_copy(buf, size, v->device))
			return err_set(err, -ENAMETOOLONG, "the path of the device is too long");
		return 0;
	}
	r = pool_find(psv, v, &p, err);
	if (r == 0)
		r = pool_image_name(server, v->name, name, sizeof(name), err);
	if (r < 0)
		return r;
	if (!str_format(buf, size, "%s/%s", p->path, name))
		return err_set(err, -ENAMETOOLONG, "the path of volume %s is too long", v->name);
	return 0;
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

/* 0: taken into o; 1: no labelled image.  Another's broken file must not hide the rest of the list. */
static int orphan_look(int dirfd, const struct conf_pool *p, const char *name, struct orphan *o)
{
	_cleanup_close_ int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 1;
	*o = (struct orphan){ .size_bytes = (uint64_t)st.st_size };
	if (!str_format(o->path, sizeof(o->path), "%s/%s", p->path, name))
		return 1;
	return label_read(fd, &o->label, NULL) == 0 ? 0 : 1;
}

int volume_find_conf(const struct psv *psv, const char *server, char **ret)
{
	for (size_t i = 0; i < psv->conf.n_pools; i++) {
		const struct conf_pool *p = &psv->conf.pools[i];
		_cleanup_close_ int dir = p->type == CONF_POOL_FILE ? dir_open(AT_FDCWD, p->path) : -1;
		char name[NAME_MAX + 1];
		struct orphan o;

		if (dir < 0 || pool_image_name(server, "root", name, sizeof(name), NULL) < 0 ||
		    orphan_look(dir, p, name, &o) != 0)
			continue;
		if (strcmp(o.label.server, server) == 0 && strcmp(o.label.role, "root") == 0) {
			*ret = steal_ptr(&o.label.conf);
			label_free(&o.label);
			return 0;
		}
		label_free(&o.label);
	}
	return 1;
}

/* Its Vsv is here and has it.  One whose configuration cannot be read may have it. */
static bool is_at_home(const struct psv *psv, const struct strlist *known, const struct label *l)
{
	char path[PATH_MAX];
	struct conf conf;
	bool has;

	if (!strlist_has(known, l->server))
		return false;
	if (conf_read(psv_conf_path(psv, l->server, path), l->server, &conf, NULL) < 0)
		return true;
	has = conf_volume_find(&conf, l->role) != NULL;
	conf_free(&conf);
	return has;
}

static int orphans_of_pool(const struct psv *psv, const struct conf_pool *p, const struct strlist *known,
			   struct orphan **list, size_t *n, struct err *err)
{
	_cleanup_closedir_ DIR *d = opendir(p->path);
	struct dirent *e;

	if (!d)
		return errno == ENOENT ? 0 : err_set(err, -errno, "cannot read pool %s: %m", p->path);
	while ((e = readdir(d))) {
		struct orphan o;

		if (!ends_with(e->d_name, ".img") || orphan_look(dirfd(d), p, e->d_name, &o) != 0)
			continue;
		if (is_at_home(psv, known, &o.label)) {
			label_free(&o.label);
			continue;
		}
		*list = xrealloc(*list, *n + 1, sizeof(**list));
		(*list)[(*n)++] = o;
	}
	return 0;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct orphan *)a)->path, ((const struct orphan *)b)->path);
}

int volume_orphans(const struct psv *psv, struct orphan **ret, size_t *ret_n, struct err *err)
{
	_cleanup_strlist_ struct strlist known = { 0 };
	struct orphan *list = NULL;
	size_t n = 0;
	int r = psv_list(psv, &known, err);

	for (size_t i = 0; r == 0 && i < psv->conf.n_pools; i++)
		if (psv->conf.pools[i].type == CONF_POOL_FILE)
			r = orphans_of_pool(psv, &psv->conf.pools[i], &known, &list, &n, err);
	if (r < 0) {
		orphans_free(list, n);
		return r;
	}
	if (n)
		qsort(list, n, sizeof(*list), by_path);
	*ret = list;
	*ret_n = n;
	return 0;
}

void orphans_free(struct orphan *o, size_t n)
{
	for (size_t i = 0; i < n; i++)
		label_free(&o[i].label);
	free(o);
}
