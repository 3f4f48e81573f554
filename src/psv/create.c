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
	_cleanup_strlist_ struct strlist extra = { 0 };
	struct template newest;
	struct preflight_opts pre = {
		.services = services,
		.create = true,
	};
	int r;

	service_packages(conf, &extra);
	pre.build_template = template_newest(psv, &extra, &newest, NULL) != 0;
	r = preflight(psv, name, conf, &pre, NULL, err);

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
	r = server_finish_interrupted(psv, name, err);
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
		r = err_set(err, r, "cannot write servers/%s/creating: %m", name);
	else
		r = make_all(psv, name, conf, &text, dir, opts, err);
	if (r < 0) {
		char path[PATH_MAX];

		(void)unlink(psv_conf_path(psv, name, path));
		(void)server_finish_interrupted(psv, name, &ignored);
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
	r = psv_exists(psv, name, err);
	if (r < 0)
		return r;
	if (r > 0) {
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
