/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psv/create.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "psv/lifecycle.h"
#include "psv/preflight.h"
#include "psv/psv.h"
#include "psv/root.h"
#include "psv/template.h"
#include "psv/volume.h"
#include "service/service.h"

enum { LOCK_WAIT_MS = 120 * 1000 };

/* Reads the marker of an interrupted create or destroy.  1: there is none. */
static int read_marker(int dir, const char *marker, const char *name, struct conf *ret, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = file_read_at(dir, marker, CONF_MAX_BYTES, &text, &len);

	if (r == -ENOENT)
		return 1;
	if (r < 0)
		return err_set(err, r, "cannot read servers/%s/%s: %m", name, marker);
	return conf_parse(text, len, marker, name, ret, err);
}

static int purge_volumes(const struct psv *psv, const char *name, const struct conf *conf, bool made_only,
			 struct err *err)
{
	int first = 0;

	for (size_t i = conf->n_volumes; i > 0; i--) {
		const struct conf_volume *v = &conf->volumes[i - 1];
		int r;

		/* A device without our label is not ours: create was killed before it touched it. */
		if (made_only && !volume_is_ours(psv, name, v))
			continue;
		r = volume_purge(psv, name, v, err);
		if (r < 0 && first == 0)
			first = r;
	}
	return first;
}

static int forget(const struct psv *psv, const char *name, struct err *err)
{
	_cleanup_close_ int servers = -1;
	char path[PATH_MAX];
	int r = psv_id_release(psv, name, err);

	if (r < 0)
		return r;
	(void)str_format(path, sizeof(path), "%s/servers", psv->lib);
	servers = dir_open(AT_FDCWD, path);
	r = servers < 0 ? servers : dir_remove_tree_at(servers, name);
	return r < 0 ? err_set(err, r, "cannot remove %s/%s: %m", path, name) : 0;
}

/* Finishes what a kill interrupted: an unfinished create is undone, an unfinished destroy is done. */
static int finish_interrupted(const struct psv *psv, const char *name, struct err *err)
{
	_cleanup_close_ int dir = psv_server_dir(psv, name, err);
	struct conf conf = { 0 };
	int r;

	if (dir < 0)
		return dir;
	psv_conf_sweep(psv, name);
	r = read_marker(dir, "destroying", name, &conf, err);
	if (r == 0)
		r = purge_volumes(psv, name, &conf, true, err);
	else if (r > 0) {
		r = read_marker(dir, "creating", name, &conf, err);
		if (r == 0)
			r = purge_volumes(psv, name, &conf, true, err);
	}
	conf_free(&conf);
	if (r < 0)
		return err_wrap(err, r, "an interrupted command left something behind");
	r = volume_sweep(psv, name, err);
	if (r < 0)
		return r;
	return psv_exists(psv, name) ? 0 : forget(psv, name, err);
}

static int populate(const struct psv *psv, const char *name, const struct conf *conf, struct err *err)
{
	struct volume root = { 0 };
	int r = volume_open(psv, name, &conf->volumes[0], 0, &root, err);

	if (r < 0)
		return r;
	r = volume_mount(&root, err);
	if (r >= 0)
		r = root_populate(conf, &root, err);
	volume_close(&root);
	if (r < 0)
		return r;
	return volume_wait_gone(psv, name, &conf->volumes[0], 10 * 1000, err);
}

/* The final text holds each filesystem's UUID, and each label holds the final text. */
static int relabel(const struct psv *psv, const char *name, const struct conf *conf, const char *text, struct err *err)
{
	for (size_t i = 0; i < conf->n_volumes; i++) {
		struct volume v = { 0 };
		int r = volume_open(psv, name, &conf->volumes[i], 0, &v, err);

		if (r == 0)
			r = volume_set_generation(&v, 1, text, err);
		volume_close(&v);
		if (r == 0)
			r = volume_wait_gone(psv, name, &conf->volumes[i], 10 * 1000, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int make_volumes(const struct psv *psv, const char *name, struct conf *conf, char **text,
			const struct create_opts *opts, struct err *err)
{
	for (size_t i = 0; i < conf->n_volumes; i++) {
		char section[VOLUME_NAME_MAX + 16];
		char *next;
		int r = volume_create(psv, name, &conf->volumes[i], *text, opts->force, conf->volumes[i].uuid, err);

		if (r < 0)
			return r;
		(void)str_format(section, sizeof(section), "volume %s", conf->volumes[i].name);
		next = confedit_set(*text, section, "uuid", conf->volumes[i].uuid);
		free(*text);
		*text = next;
	}
	return 0;
}

static int make_all(const struct psv *psv, const char *name, struct conf *conf, char **text, int dir,
		    const struct create_opts *opts, struct err *err)
{
	uint32_t id;
	int r = psv_id_claim(psv, name, &id, err);

	if (r == 0)
		r = make_volumes(psv, name, conf, text, opts, err);
	if (r == 0)
		r = populate(psv, name, conf, err);
	if (r == 0)
		r = relabel(psv, name, conf, *text, err);
	if (r == 0)
		r = psv_conf_write(psv, name, *text, err);
	if (r == 0 && unlinkat(dir, "creating", 0) < 0)
		r = err_set(err, -errno, "cannot remove servers/%s/creating: %m", name);
	return r;
}

static int check_all(const struct psv *psv, const char *name, const struct conf *conf, const struct create_opts *opts,
		     struct err *err)
{
	struct template newest;
	struct preflight_opts pre = {
		.services = services,
		.create = true,
		.build_template = template_newest(psv, &newest, NULL) != 0,
	};
	int r = preflight(psv, name, conf, &pre, NULL, err);

	for (size_t i = 0; r == 0 && i < conf->n_volumes; i++) {
		r = volume_check(psv, name, &conf->volumes[i], opts->force, err);
		if (r == VOLUME_POOL_FILLING && opts->notice) {
			opts->notice(err->text);
			err_clear(err);
		}
		r = r < 0 ? r : 0;
	}
	return r < 0 ? r : 0;
}

static void describe(const struct psv *psv, const char *name, const struct conf *conf, struct strlist *ret)
{
	for (size_t i = 0; i < conf->n_volumes; i++) {
		const struct conf_volume *v = &conf->volumes[i];
		char path[PATH_MAX], size[16];

		if (volume_path(psv, name, v, path, sizeof(path), NULL) < 0)
			continue;
		strlist_addf(ret, "volume: make %s, %s, %s in %s", v->name, conf_fs_name(v->fs),
			     v->size_bytes ? size_human(v->size_bytes, size, sizeof(size)) : "all of the device", path);
	}
	strlist_add(ret, "root: fill the root volume from the skeleton");
	strlist_addf(ret, "configuration: write %s/%s.conf", psv->etc, name);
}

static int create_locked(const struct psv *psv, const char *name, const char *conf_text, struct conf *conf,
			 const struct create_opts *opts, struct err *err)
{
	_cleanup_close_ int registry = psv_lock(psv, NULL, "create", LOCK_WAIT_MS, opts->notice, err);
	_cleanup_free_ char *text = xstrdup(conf_text);
	_cleanup_close_ int dir = -1;
	struct err ignored;
	int r;

	if (registry < 0)
		return registry;
	r = finish_interrupted(psv, name, err);
	if (r == 0)
		r = check_all(psv, name, conf, opts, err);
	if (r < 0 || opts->dry_run) {
		if (r == 0)
			describe(psv, name, conf, opts->ret_steps);
		return r;
	}
	dir = psv_server_dir(psv, name, err);
	if (dir < 0)
		return dir;
	r = file_write_atomic_at(dir, "creating", text, strlen(text), 0600);
	if (r < 0)
		return err_set(err, r, "cannot write servers/%s/creating: %m", name);
	r = make_all(psv, name, conf, &text, dir, opts, err);
	if (r < 0) {
		char path[PATH_MAX];

		(void)unlink(psv_conf_path(psv, name, path));
		(void)finish_interrupted(psv, name, &ignored);
	}
	return r;
}

int server_create(const struct psv *psv, const char *name, const char *conf_text, const struct create_opts *opts,
		  struct err *err)
{
	_cleanup_close_ int lock = psv_lock(psv, name, "create", LOCK_WAIT_MS, opts->notice, err);
	struct conf conf = { 0 };
	char path[PATH_MAX];
	int r;

	if (lock < 0)
		return lock;
	(void)psv_conf_path(psv, name, path);
	if (psv_exists(psv, name)) {
		(void)err_exit(err, VNAS_EXIT_IN_USE, -EEXIST, "there is a virtual file server of this name: %s", path);
		return err_hint(err, -EEXIST, "`vnas show %s` shows it", name);
	}
	r = conf_parse(conf_text, strlen(conf_text), NULL, name, &conf, err);
	if (r == 0)
		r = create_locked(psv, name, conf_text, &conf, opts, err);
	conf_free(&conf);
	if (r == 0 && !opts->dry_run)
		event_log(psv, name, "created", "%s", path);
	return r;
}

static int is_running(const struct psv *psv, const char *name, struct err *err)
{
	struct state st = { 0 };
	int r = state_read(psv, name, &st, err);

	if (r == 0)
		r = state_phase(psv, name, &st) == VSV_RUNNING;
	state_free(&st);
	return r;
}

static int destroy_existing(const struct psv *psv, const char *name, bool purge, struct err *err)
{
	_cleanup_close_ int dir = psv_server_dir(psv, name, err);
	char path[PATH_MAX];
	struct conf conf = { 0 };
	int r = dir < 0 ? dir : conf_read(psv_conf_path(psv, name, path), name, &conf, err);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < conf.n_volumes; i++)
		if (volume_is_held(psv, name, &conf.volumes[i]))
			r = err_exit(err, VNAS_EXIT_IN_USE, -EBUSY, "volume %s is in use", conf.volumes[i].name);
	if (r == 0 && purge) {
		_cleanup_free_ char *text = NULL;
		size_t len;

		r = file_read_at(AT_FDCWD, path, CONF_MAX_BYTES, &text, &len);
		if (r == 0)
			r = file_write_atomic_at(dir, "destroying", text, len, 0600);
		if (r < 0)
			r = err_set(err, r, "cannot write servers/%s/destroying: %m", name);
	}
	if (r == 0 && unlink(path) < 0)
		r = err_set(err, -errno, "cannot remove %s: %m", path);
	if (r == 0 && purge)
		r = purge_volumes(psv, name, &conf, false, err);
	conf_free(&conf);
	return r < 0 ? r : forget(psv, name, err);
}

int server_destroy(const struct psv *psv, const char *name, bool purge, void (*notice)(const char *line),
		   struct err *err)
{
	_cleanup_close_ int lock = psv_lock(psv, name, "destroy", LOCK_WAIT_MS, notice, err);
	_cleanup_close_ int registry = -1;
	struct state st = { 0 };
	char path[PATH_MAX];
	int r = lock < 0 ? lock : is_running(psv, name, err);

	if (r < 0)
		return r;
	if (r > 0) {
		(void)err_exit(err, VNAS_EXIT_IN_USE, -EBUSY, "it is running");
		return err_hint(err, -EBUSY, "`vnas stop %s` first", name);
	}
	r = state_read(psv, name, &st, err);
	if (r == 0 && st.phase != VSV_STOPPED) {
		(void)err_exit(err, VNAS_EXIT_IN_USE, -EBUSY, "it was interrupted while %s", vsv_phase_name(st.phase));
		r = err_hint(err, -EBUSY, "`vnas stop %s` takes away what is left", name);
	}
	state_free(&st);
	if (r < 0)
		return r;
	registry = psv_lock(psv, NULL, "destroy", LOCK_WAIT_MS, notice, err);
	if (registry < 0)
		return registry;
	(void)str_format(path, sizeof(path), "%s/servers/%s", psv->lib, name);
	if (psv_exists(psv, name) || access(path, F_OK) == 0) {
		r = psv_exists(psv, name) ? destroy_existing(psv, name, purge, err) : finish_interrupted(psv, name, err);
		if (r == 0)
			psv_lock_remove(psv, name);
		return r;
	}
	psv_lock_remove(psv, name);
	(void)err_exit(err, VNAS_EXIT_NO_SUCH, -ENOENT, "there is no such virtual file server");
	return err_hint(err, -ENOENT, "`vnas list` shows those there are");
}
