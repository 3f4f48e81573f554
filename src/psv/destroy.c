/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Forgetting a Vsv.  This is what gives room back, so it works on a full disk; and what ends a server that nobody can
 * start any more, so a configuration that does not parse is no obstacle. */
#include "psv/create.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "psv/psv.h"
#include "psv/volume.h"

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
		/* A device without our label is not ours: create was killed before it touched it. */
		int r = made_only ? volume_is_ours(psv, name, v, err) : 1;

		if (r > 0)
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

int server_finish_interrupted(const struct psv *psv, const char *name, struct err *err)
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
	r = psv_exists(psv, name, err);
	if (r != 0)
		return r < 0 ? r : 0;
	return forget(psv, name, err);
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

/* Where its volumes are: by its configuration or, if that is wrong, by the copy that its root volume carries. */
static int find_volumes(const struct psv *psv, const char *name, char **ret_text, struct conf *ret, struct err *err)
{
	_cleanup_free_ char *text = NULL, *copy = NULL;
	char path[PATH_MAX];
	size_t len;
	int r = psv_conf_text(psv, name, &text, &len, err);

	/* The copy may be older, and name volumes that are this server's no more: what cannot be read now may be in order. */
	if (r < 0)
		return r;
	r = conf_parse(text, len, psv_conf_path(psv, name, path), name, ret, err);
	if (r == 0)
		*ret_text = steal_ptr(&text);
	if (r == 0 || volume_find_conf(psv, name, &copy) != 0)
		return r;
	if (conf_parse(copy, strlen(copy), NULL, name, ret, NULL) < 0)
		return r;
	err_clear(err);
	*ret_text = steal_ptr(&copy);
	return 0;
}

static int check_free(const struct psv *psv, const char *name, const struct conf *conf, struct err *err)
{
	for (size_t i = 0; i < conf->n_volumes; i++)
		if (volume_is_held(psv, name, &conf->volumes[i]))
			return err_exit(err, VNAS_EXIT_IN_USE, -EBUSY, "volume %s is in use", conf->volumes[i].name);
	return 0;
}

static int remove_conf(const struct psv *psv, const char *name, struct err *err)
{
	char path[PATH_MAX];

	return unlink(psv_conf_path(psv, name, path)) < 0 ? err_set(err, -errno, "cannot remove %s: %m", path) : 0;
}

static int purge(const struct psv *psv, const char *name, struct err *err)
{
	_cleanup_close_ int dir = psv_server_dir(psv, name, err);
	_cleanup_free_ char *text = NULL;
	struct conf conf = { 0 };
	int r = dir < 0 ? dir : find_volumes(psv, name, &text, &conf, err);

	if (dir >= 0 && r < 0)
		return err_hint(err, r, "without --purge it is forgotten, and its volumes stay as orphans");
	if (r == 0)
		r = check_free(psv, name, &conf, err);
	if (r < 0) {
		conf_free(&conf);
		return r;
	}
	r = file_write_atomic_at(dir, "destroying", text, strlen(text), 0600);
	if (r == -ENOSPC || r == -EDQUOT) {
		/* No room for the marker, which is what a purge is for: the configuration marks it, and goes last.  Whether it
		 * can go is asked before. */
		r = access(psv->etc, W_OK) < 0 ? err_set(err, -errno, "cannot write %s: %m", psv->etc) : 0;
		if (r == 0)
			r = purge_volumes(psv, name, &conf, false, err);
		if (r == 0)
			r = remove_conf(psv, name, err);
	} else {
		r = r < 0 ? err_set(err, r, "cannot write servers/%s/destroying: %m", name) : remove_conf(psv, name, err);
		if (r < 0)
			(void)unlinkat(dir, "destroying", 0);
		else
			r = purge_volumes(psv, name, &conf, false, err);
	}
	conf_free(&conf);
	return r;
}

/* Of a create that was killed after its last deed: what finds it without a configuration deletes the volumes. */
static int remove_marker(const struct psv *psv, const char *name, struct err *err)
{
	_cleanup_close_ int dir = psv_server_dir(psv, name, err);

	if (dir < 0)
		return dir;
	return unlinkat(dir, "creating", 0) < 0 && errno != ENOENT ?
		       err_set(err, -errno, "cannot remove servers/%s/creating: %m", name) : 0;
}

/* Its volumes stay: nothing needs to know where. */
static int leave_volumes(const struct psv *psv, const char *name, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	struct conf conf = { 0 };
	int r = find_volumes(psv, name, &text, &conf, NULL) == 0 ? check_free(psv, name, &conf, err) : 0;

	conf_free(&conf);
	if (r == 0)
		r = remove_marker(psv, name, err);
	return r < 0 ? r : remove_conf(psv, name, err);
}

static int destroy_existing(const struct psv *psv, const char *name, bool purge_too, struct err *err)
{
	int r = purge_too ? purge(psv, name, err) : leave_volumes(psv, name, err);

	return r < 0 ? r : forget(psv, name, err);
}

int server_destroy(const struct psv *psv, const char *name, bool purge_too, void (*notice)(const char *line),
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
	r = psv_exists(psv, name, err);
	if (r < 0)
		return r;
	if (r > 0) {
		r = destroy_existing(psv, name, purge_too, err);
	} else if (access(path, F_OK) == 0) {
		r = server_finish_interrupted(psv, name, err);
	} else if (errno != ENOENT) {
		r = err_set(err, -errno, "cannot look at %s: %m", path);
	} else {
		psv_lock_remove(psv, name);
		return psv_require(psv, name, err);
	}
	if (r == 0)
		psv_lock_remove(psv, name);
	return r;
}
