/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psv/volumes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "psv/adopt.h"
#include "psv/attach.h"
#include "psv/change.h"
#include "psv/psv.h"
#include "psv/running.h"
#include "psv/volume.h"

enum { LOCK_WAIT_MS = 120 * 1000 };

#define ADDING "adding." /* LIB/servers/NAME/adding.VOLUME: the configuration with a volume that is being made */

struct locks {
	int server, registry;
};

static void unlock(struct locks *l)
{
	cleanup_close(&l->registry);
	cleanup_close(&l->server);
}

static int lock_both(const struct psv *psv, const char *name, const char *verb, void (*notice)(const char *line),
		     struct locks *ret, struct err *err)
{
	ret->server = psv_lock(psv, name, verb, LOCK_WAIT_MS, notice, err);
	if (ret->server < 0)
		return ret->server;
	ret->registry = psv_lock(psv, NULL, verb, LOCK_WAIT_MS, notice, err);
	return ret->registry < 0 ? ret->registry : 0;
}

/* A volume that a killed `volume add` made is deleted if no configuration ever named it. */
static int finish_one(const struct psv *psv, const char *name, const struct conf *now, int dir, const char *marker, struct err *err)
{
	const char *volume = marker + strlen(ADDING);
	_cleanup_free_ char *text = NULL;
	const struct conf_volume *v;
	struct conf conf = { 0 };
	size_t len;
	int r = 0;

	if (!conf_volume_find(now, volume)) {
		r = file_read_at(dir, marker, CONF_MAX_BYTES, &text, &len);
		if (r < 0)
			return err_set(err, r, "cannot read servers/%s/%s: %m", name, marker);
		if (conf_parse(text, len, marker, name, &conf, NULL) == 0) {
			v = conf_volume_find(&conf, volume);
			r = v ? volume_is_ours(psv, name, v, err) : 0;
			if (r > 0)
				r = volume_purge(psv, name, v, err);
		}
		conf_free(&conf);
	}
	if (r == 0)
		(void)unlinkat(dir, marker, 0);
	return r;
}

static int finish_adding(const struct psv *psv, const char *name, struct err *err)
{
	_cleanup_closedir_ DIR *d = NULL;
	struct conf now = { 0 };
	const struct dirent *e;
	int fd = psv_server_dir(psv, name, err), r;

	if (fd < 0)
		return fd;
	d = fdopendir(fd);
	if (!d) {
		(void)close(fd);
		return err_set(err, -ENOMEM, "cannot read the folder of %s: %m", name);
	}
	r = psv_conf_load(psv, name, NULL, &now, err);
	for (errno = 0; r == 0 && (e = readdir(d)); errno = 0)
		if (str_starts(e->d_name, ADDING))
			r = finish_one(psv, name, &now, dirfd(d), e->d_name, err);
	if (r == 0 && errno)
		r = err_set(err, -errno, "cannot read the folder of %s: %m", name);
	conf_free(&now);
	return r == 0 ? volume_sweep(psv, name, err) : r;
}

static char *add_section(const char *text, const char *volume, const struct volume_add_opts *o)
{
	const struct {
		const char *key, *value;
	} keys[] = { { "size", o->size }, { "device", o->device }, { "pool", o->pool }, { "fs", o->fs }, { "mount", o->mount } };
	char *now = xstrdup(text);
	char section[64];

	(void)str_format(section, sizeof(section), "volume %s", volume);
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		char *next = keys[i].value ? confedit_set(now, section, keys[i].key, keys[i].value) : NULL;

		if (!next)
			continue;
		free(now);
		now = next;
	}
	return now;
}

static char *take_text(const char *text, void *arg, struct err *err)
{
	(void)text;
	(void)err;
	return xstrdup(arg);
}

/* A new volume is of the server's generation: an older one would be refused as a stale copy. */
static int bring_to_generation(const struct psv *psv, const char *name, const struct conf_volume *v, const char *text,
			       struct err *err)
{
	uint64_t generation;
	struct volume open = { 0 };
	int r = volume_generation_known(psv, name, &generation, err);

	if (r == 0)
		r = volume_open(psv, name, v, 0, &open, err);
	if (r < 0)
		return r;
	/* A server that never ran has labels of generation 1. */
	r = volume_set_generation(&open, generation ? generation : 1, text, err);
	volume_close(&open);
	return r < 0 ? r : volume_wait_gone(psv, name, v, 10 * 1000, err);
}

static int add_locked(const struct psv *psv, const char *name, const char *volume, const struct volume_add_opts *opts,
		      char **text, struct conf *conf, int dir, struct err *err)
{
	char marker[VOLUME_NAME_MAX + 16], section[VOLUME_NAME_MAX + 16];
	struct conf_volume *v = (struct conf_volume *)(uintptr_t)conf_volume_find(conf, volume);
	struct change_opts change = { .verb = "volume add", .no_probe = true, .notice = opts->notice };
	struct err ignored;
	char *next;
	int r;

	(void)str_format(marker, sizeof(marker), ADDING "%s", volume);
	(void)str_format(section, sizeof(section), "volume %s", volume);
	r = volume_check(psv, name, v, opts->force, err);
	if (r < 0)
		return r;
	r = file_write_atomic_at(dir, marker, *text, strlen(*text), 0600);
	if (r < 0)
		return err_set(err, r, "cannot write servers/%s/%s: %m", name, marker);
	r = volume_create(psv, name, v, *text, opts->force, v->uuid, err);
	if (r == 0) {
		next = confedit_set(*text, section, "uuid", v->uuid);
		free(*text);
		*text = next;
		r = bring_to_generation(psv, name, v, *text, err);
	}
	if (r == 0)
		r = server_change_locked(psv, name, take_text, *text, &change, err);
	if (r < 0) {
		(void)finish_adding(psv, name, &ignored);
		return r;
	}
	(void)unlinkat(dir, marker, 0);
	return 0;
}

/* Where it was mounted, by the copy of the configuration that it carries; NULL: it does not say. */
static char *mount_before(const char *name, const char *volume, const char *text)
{
	const struct conf_volume *v;
	struct conf conf = { 0 };
	char *mount = NULL;

	if (conf_parse(text, strlen(text), NULL, name, &conf, NULL) < 0)
		return NULL;
	v = conf_volume_find(&conf, volume);
	if (v && v->mount)
		mount = xstrdup(v->mount);
	conf_free(&conf);
	return mount;
}

static int find_orphan(const struct psv *psv, const char *name, const char *volume, const struct volume_add_opts *opts,
		       struct adopt_volume *ret, struct err *err)
{
	struct conf_volume v = { .device = (char *)(uintptr_t)opts->device };
	char path[PATH_MAX];
	int r;

	if (!str_copy(v.name, sizeof(v.name), volume) ||
	    (opts->pool && strcmp(opts->pool, "default") != 0 && !str_copy(v.pool, sizeof(v.pool), opts->pool)))
		return err_set(err, -ENAMETOOLONG, "no volume or pool has a name so long");
	r = volume_path(psv, name, &v, path, sizeof(path), err);
	if (r == 0)
		r = adopt_look(path, ret, err);
	if (r < 0)
		return err_hint(err, r, "`vnas volume list --orphans` shows those that there are");
	if (strcmp(ret->label.server, name) == 0 && strcmp(ret->label.role, volume) == 0)
		return 0;
	r = err_set(err, -EINVAL, "%s is volume %s of server %s", path, ret->label.role, ret->label.server);
	label_free(&ret->label);
	return r;
}

/* One that was taken away and not purged.  Until the configuration names it, it stays the orphan that it was. */
static int take_back(const struct psv *psv, const char *name, const char *volume, const struct volume_add_opts *opts,
		     const char *old, struct err *err)
{
	struct change_opts change = { .verb = "volume add", .no_probe = true, .notice = opts->notice };
	struct volume_add_opts words = *opts;
	_cleanup_free_ char *mount = NULL, *text = NULL, *with_uuid = NULL;
	char section[VOLUME_NAME_MAX + 16], size[24];
	struct adopt_volume found;
	struct conf conf = { 0 };
	int r = find_orphan(psv, name, volume, opts, &found, err);

	if (r < 0)
		return r;
	(void)str_format(section, sizeof(section), "volume %s", volume);
	(void)str_format(size, sizeof(size), "%llu", (unsigned long long)(found.label.fs_offset + found.label.fs_bytes));
	mount = opts->mount ? NULL : mount_before(name, volume, found.label.conf);
	words.size = found.device ? NULL : size;
	words.fs = conf_fs_name(found.fs);
	words.mount = mount ? mount : opts->mount;
	text = add_section(old, volume, &words);
	with_uuid = confedit_set(text, section, "uuid", found.label.uuid);
	label_free(&found.label);
	r = conf_parse(with_uuid, strlen(with_uuid), NULL, name, &conf, err);
	if (r == 0)
		r = bring_to_generation(psv, name, conf_volume_find(&conf, volume), with_uuid, err);
	if (r == 0)
		r = server_change_locked(psv, name, take_text, with_uuid, &change, err);
	conf_free(&conf);
	return r;
}

int server_volume_add(const struct psv *psv, const char *name, const char *volume, const struct volume_add_opts *opts,
		      struct err *err)
{
	_cleanup_free_ char *old = NULL, *text = NULL;
	_cleanup_close_ int dir = -1;
	struct locks locks = { -1, -1 };
	struct conf now = { 0 }, conf = { 0 };
	int r = lock_both(psv, name, "volume add", opts->notice, &locks, err);

	if (r == 0)
		r = finish_adding(psv, name, err);
	if (r == 0)
		r = psv_conf_load(psv, name, &old, &now, err);
	if (r == 0 && conf_volume_find(&now, volume))
		r = err_exit(err, VNAS_EXIT_IN_USE, -EEXIST, "it has a volume %s already", volume);
	if (r == 0 && opts->orphan)
		r = take_back(psv, name, volume, opts, old, err);
	if (r == 0 && !opts->orphan) {
		text = add_section(old, volume, opts);
		r = conf_parse(text, strlen(text), NULL, name, &conf, err);
	}
	if (r == 0 && !opts->orphan && !conf_volume_find(&conf, volume))
		r = err_set(err, -EINVAL, "'%s' is no name for a volume", volume);
	if (r == 0 && !opts->orphan) {
		dir = psv_server_dir(psv, name, err);
		r = dir < 0 ? dir : add_locked(psv, name, volume, opts, &text, &conf, dir, err);
	}
	conf_free(&now);
	conf_free(&conf);
	unlock(&locks);
	if (r == 0)
		event_log(psv, name, "volume-added", "%s", volume);
	return r;
}

static int find_volume(const struct conf *conf, const char *volume, const struct conf_volume **ret, struct err *err)
{
	*ret = conf_volume_find(conf, volume);
	if (*ret)
		return 0;
	(void)err_exit(err, VNAS_EXIT_NO_SUCH, -ENOENT, "it has no volume %s", volume);
	return err_hint(err, -ENOENT, "`vnas volume list %s` shows those it has", conf->name);
}

static int check_unused(const struct conf *conf, const struct conf_volume *v, struct err *err)
{
	if (!v->mount)
		return err_exit(err, VNAS_EXIT_USAGE, -EINVAL, "the root volume cannot be taken away: destroy the server");
	for (size_t i = 0; i < conf->n_shares; i++) {
		size_t n = strlen(v->mount);
		const char *path = conf->shares[i].path;

		if (strncmp(path, v->mount, n) != 0 || (path[n] && path[n] != '/'))
			continue;
		(void)err_exit(err, VNAS_EXIT_IN_USE, -EBUSY, "share %s lies on it", conf->shares[i].name);
		return err_hint(err, -EBUSY, "`vnas share remove %s %s` first", conf->name, conf->shares[i].name);
	}
	return 0;
}

int server_volume_remove(const struct psv *psv, const char *name, const char *volume, bool purge,
			 void (*notice)(const char *line), struct err *err)
{
	struct change_opts change = { .verb = "volume remove", .no_probe = true, .notice = notice };
	_cleanup_free_ char *old = NULL, *text = NULL;
	struct locks locks = { -1, -1 };
	const struct conf_volume *v = NULL;
	struct conf conf = { 0 };
	char section[VOLUME_NAME_MAX + 16];
	int r = lock_both(psv, name, "volume remove", notice, &locks, err);

	if (r == 0)
		r = finish_adding(psv, name, err);
	if (r == 0)
		r = psv_conf_load(psv, name, &old, &conf, err);
	if (r == 0)
		r = find_volume(&conf, volume, &v, err);
	if (r == 0)
		r = check_unused(&conf, v, err);
	if (r == 0) {
		(void)str_format(section, sizeof(section), "volume %s", volume);
		text = confedit_remove_section(old, section);
		r = text ? server_change_locked(psv, name, take_text, text, &change, err)
			 : err_set(err, -ENOENT, "the configuration has no section [%s]", section);
	}
	if (r == 0)
		event_log(psv, name, "volume-removed", "%s%s", volume, purge ? ", purged" : "");
	if (r == 0 && purge)
		r = volume_purge(psv, name, v, err);
	conf_free(&conf);
	unlock(&locks);
	return r;
}

static int open_running_fs(const struct psv *psv, const char *name, const struct conf_volume *v)
{
	_cleanup_close_ int path_fd = -1;
	struct state st = { 0 };
	int fd = -1;

	if (running_state(psv, name, &st, NULL) == 0) {
		path_fd = open_inside(st.init_pid, v->mount ? v->mount : "/etc");
		/* A folder, found without a link: opening it starts nothing. */
		fd = path_fd < 0 ? -1 : openat(path_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	state_free(&st);
	return fd;
}

int server_volume_grow(const struct psv *psv, const char *name, const char *volume, uint64_t size_bytes,
		       void (*notice)(const char *line), struct err *err)
{
	struct change_opts change = { .verb = "volume grow", .no_probe = true, .notice = notice };
	_cleanup_free_ char *old = NULL, *text = NULL;
	_cleanup_close_ int fs_fd = -1;
	struct locks locks = { -1, -1 };
	const struct conf_volume *v = NULL;
	struct conf conf = { 0 };
	char section[VOLUME_NAME_MAX + 16], size[32];
	int r = lock_both(psv, name, "volume grow", notice, &locks, err);

	if (r == 0)
		r = finish_adding(psv, name, err);
	if (r == 0)
		r = psv_conf_load(psv, name, &old, &conf, err);
	if (r == 0)
		r = find_volume(&conf, volume, &v, err);
	if (r == 0) {
		fs_fd = open_running_fs(psv, name, v);
		r = volume_grow(psv, name, v, size_bytes, fs_fd, err);
		/* A kill or a full disk came between the volume and what is written of it. */
		if (r == -EALREADY && v->size_bytes != size_bytes) {
			err_clear(err);
			r = 0;
		}
	}
	/* An outcome of volume_grow(), not an exit status of ours: all but the filesystem has its new size. */
	if (r == VOLUME_GROW_AT_START) {
		if (notice)
			notice("the volume has its new size; its filesystem takes it at the next start");
		r = 0;
	}
	if (r == 0 && v && !v->device) {
		(void)str_format(section, sizeof(section), "volume %s", volume);
		(void)str_format(size, sizeof(size), "%llu", (unsigned long long)size_bytes);
		text = confedit_set(old, section, "size", size);
		r = server_change_locked(psv, name, take_text, text, &change, err);
	}
	conf_free(&conf);
	unlock(&locks);
	if (r == 0)
		event_log(psv, name, "volume-grown", "%s to %llu bytes", volume, (unsigned long long)size_bytes);
	return r;
}
