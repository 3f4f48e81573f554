/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Order of a change: the new text is made and parsed, the names in it are looked up inside, the folder is made, the file is
 * replaced, the running services are told.  A kill before the file leaves the old configuration and at most an empty folder;
 * after it, the next share verb, reload or start does the rest, since all of them work from the whole file. */
#include "psv/share.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "psv/conf.h"
#include "psv/inside.h"
#include "psv/inside_run.h"
#include "psv/psv.h"
#include "psv/root.h"
#include "psv/share_folder.h"
#include "service/samba.h"
#include "service/service.h"

enum { LOCK_MS = 30 * 1000 };

/* A change under way. */
struct change {
	int lock_fd;
	char path[PATH_MAX];
	char *old_text, *new_text;
	struct conf old_conf, new_conf;
	struct inside_ref ref;
	bool running;
};

static void change_close(struct change *c)
{
	if (c->lock_fd >= 0)
		(void)close(c->lock_fd);
	free(c->old_text);
	free(c->new_text);
	conf_free(&c->old_conf);
	conf_free(&c->new_conf);
}

#define _cleanup_change_ _cleanup_(change_close)

static int change_open(const struct psv *psv, const char *server, const char *verb, struct change *c, struct err *err)
{
	size_t len;
	int r;

	if (!psv_exists(psv, server))
		return err_exit(err, VNAS_EXIT_NO_SUCH, -ENOENT, "there is no virtual file server of that name");
	c->lock_fd = psv_lock(psv, server, verb, LOCK_MS, NULL, err);
	if (c->lock_fd < 0)
		return c->lock_fd;
	(void)psv_conf_path(psv, server, c->path);
	r = file_read_at(AT_FDCWD, c->path, CONF_MAX_BYTES, &c->old_text, &len);
	if (r < 0)
		return err_set(err, r, "cannot read %s: %s", c->path, strerror(-r));
	r = conf_parse(c->old_text, len, c->path, server, &c->old_conf, err);
	if (r < 0)
		return r;
	r = inside_find(psv, server, &c->ref, err);
	c->running = r == 0;
	return r < 0 ? r : 0;
}

static const struct conf_share *find(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->n_shares; i++)
		if (strcasecmp(conf->shares[i].name, name) == 0)
			return &conf->shares[i];
	return NULL;
}

/* set, set_list: one step of editing; *text is replaced.  -EINVAL: the value cannot stand in the file. */
static int replace(char **text, char *new_text, const char *key, struct err *err)
{
	if (!new_text)
		return err_exit(err, VNAS_EXIT_USAGE, -EINVAL, "the value of '%s' cannot stand in the configuration", key);
	free(*text);
	*text = new_text;
	return 0;
}

static int set(char **text, const char *section, const char *key, const char *value, struct err *err)
{
	return replace(text, confedit_set(*text, section, key, value), key, err);
}

static int set_list(char **text, const char *section, const char *key, const struct strlist *list, struct err *err)
{
	int r;

	if (!list)
		return 0;
	r = set(text, section, key, NULL, err);
	for (size_t i = 0; r == 0 && i < list->n; i++)
		if (*list->v[i])
			r = replace(text, confedit_add(*text, section, key, list->v[i]), key, err);
	return r;
}

static int set_bool(char **text, const char *section, const char *key, int value, struct err *err)
{
	return value < 0 ? 0 : set(text, section, key, value ? "yes" : NULL, err);
}

static int set_protocols(char **text, const char *section, const struct share_edit *e, const struct conf_share *old,
			 struct err *err)
{
	bool smb = e->smb >= 0 ? e->smb : old ? old->smb : e->nfs != 1;
	bool nfs = e->nfs >= 0 ? e->nfs : old ? old->nfs : false;

	if (e->smb < 0 && e->nfs < 0)
		return 0;
	if (!smb && !nfs)
		return err_exit(err, VNAS_EXIT_USAGE, -EINVAL, "a share is served by SMB, NFS or both");
	return set(text, section, "protocols", smb && nfs ? "smb nfs" : nfs ? "nfs" : NULL, err);
}

static char *default_path(const struct conf *conf, const char *name)
{
	return xasprintf("%s/%s", conf->n_volumes > 1 ? conf->volumes[1].mount : "/srv", name);
}

char *share_edit_text(const char *text, const struct conf *conf, const struct share_edit *e, struct err *err)
{
	const struct conf_share *old = find(conf, e->name);
	_cleanup_free_ char *section = xasprintf("share %s", old ? old->name : e->name);
	_cleanup_free_ char *path = e->path ? xstrdup(e->path) : old ? NULL : default_path(conf, e->name);
	_cleanup_free_ char *t = xstrdup(text);
	int r = path ? set(&t, section, "path", path, err) : 0;

	if (r == 0)
		r = set_protocols(&t, section, e, old, err);
	if (r == 0)
		r = set_bool(&t, section, "read only", e->read_only, err);
	if (r == 0)
		r = set_bool(&t, section, "guest", e->guest, err);
	if (r == 0 && e->comment)
		r = set(&t, section, "comment", *e->comment ? e->comment : NULL, err);
	if (r == 0)
		r = set_list(&t, section, "client", e->clients, err);
	if (r == 0)
		r = set_list(&t, section, "read", e->read, err);
	if (r == 0)
		r = set_list(&t, section, "write", e->write, err);
	return r < 0 ? NULL : steal_ptr(&t);
}

/* change_check: the new text parses, and smb.conf can be made from it. */
static int change_check(struct change *c, const char *server, struct err *err)
{
	_cleanup_strbuf_ struct strbuf smb_conf = { 0 };
	int r = conf_parse(c->new_text, strlen(c->new_text), c->path, server, &c->new_conf, err);

	return r < 0 ? r : samba_conf_text(&c->new_conf, &smb_conf, err);
}

static int change_write(struct change *c, struct err *err)
{
	_cleanup_close_ int dir = -1;
	char *slash = strrchr(c->path, '/');
	int r;

	*slash = '\0';
	dir = dir_open(AT_FDCWD, c->path);
	*slash = '/';
	if (dir < 0)
		return err_set(err, dir, "cannot open the folder of %s: %s", c->path, strerror(-dir));
	r = file_write_atomic_at(dir, slash + 1, c->new_text, strlen(c->new_text), 0600);
	return r < 0 ? err_set(err, r, "cannot write %s: %s", c->path, strerror(-r)) : 0;
}

/* change_apply: what is generated, and then the services that read it. */
static int change_apply(const struct change *c, struct err *err)
{
	_cleanup_close_ int conf_fd = -1, conn = -1;
	int r;

	if (!c->running)
		return 0;
	conf_fd = inside_conf_fd(c->ref.pid, c->ref.start, err);
	if (conf_fd < 0)
		return conf_fd;
	r = root_generate(&c->new_conf, conf_fd, err);
	if (r < 0)
		return r;
	conn = inside_connect(c->ref.pid, c->ref.start, err);
	if (conn < 0)
		return conn;
	return inside_service_act(conn, samba_service.name, INSIDE_RELOAD, err);
}

static void say(void (*notice)(const char *line), const char *line)
{
	if (notice)
		notice(line);
}

static int make_folder(const struct change *c, const struct conf_share *s, void (*notice)(const char *line), struct err *err)
{
	int r;

	if (!c->running) {
		say(notice, "it does not run: the folder is made at its next start");
		return 0;
	}
	r = share_folder_check(&c->ref, s, err);
	if (r == 0)
		r = share_folder_make(&c->ref, s, err);
	if (r == FOLDER_WAS_THERE)
		say(notice, "the folder holds something already: its rights stay as they are");
	return r < 0 ? r : 0;
}

static bool rights_changed(const struct share_edit *e)
{
	return e->path || e->read || e->write || e->guest >= 0 || e->read_only >= 0;
}

static int share_change(const struct psv *psv, const char *server, const struct share_edit *e, bool add,
			void (*notice)(const char *line), struct err *err)
{
	_cleanup_change_ struct change c = { .lock_fd = -1 };
	const struct conf_share *old;
	int r = change_open(psv, server, add ? "share add" : "share set", &c, err);

	if (r < 0)
		return r;
	old = find(&c.old_conf, e->name);
	if (add && old)
		return err_set(err, -EEXIST, "share %s is there already", old->name);
	if (!add && !old)
		return err_set(err, -ENOENT, "there is no share %s", e->name);
	c.new_text = share_edit_text(c.old_text, &c.old_conf, e, err);
	if (!c.new_text)
		return -EINVAL;
	r = change_check(&c, server, err);
	if (r == 0 && (add || rights_changed(e)))
		r = make_folder(&c, find(&c.new_conf, e->name), notice, err);
	if (r == 0)
		r = change_write(&c, err);
	return r < 0 ? r : change_apply(&c, err);
}

int share_add(const struct psv *psv, const char *server, const struct share_edit *edit, void (*notice)(const char *line),
	      struct err *err)
{
	return share_change(psv, server, edit, true, notice, err);
}

int share_set(const struct psv *psv, const char *server, const struct share_edit *edit, void (*notice)(const char *line),
	      struct err *err)
{
	return share_change(psv, server, edit, false, notice, err);
}

/* close_share: what clients have open would otherwise stay open for as long as they like. */
static int close_share(const struct change *c, const char *name, struct err *err)
{
	return inside_must(&c->ref,
			   (const char *const[]){ "smbcontrol", "-s", SAMBA_CONF_INSIDE, "smbd", "close-share", name, NULL },
			   NULL, err);
}

int share_remove(const struct psv *psv, const char *server, const char *name, void (*notice)(const char *line), struct err *err)
{
	_cleanup_change_ struct change c = { .lock_fd = -1 };
	_cleanup_free_ char *section = NULL, *stays = NULL;
	const struct conf_share *old;
	int r = change_open(psv, server, "share remove", &c, err);

	if (r < 0)
		return r;
	old = find(&c.old_conf, name);
	if (!old)
		return err_set(err, -ENOENT, "there is no share %s", name);
	section = xasprintf("share %s", old->name);
	c.new_text = confedit_remove_section(c.old_text, section);
	if (!c.new_text)
		return err_set(err, -EINVAL, "cannot find [%s] in %s", section, c.path);
	r = change_check(&c, server, err);
	if (r == 0)
		r = change_write(&c, err);
	if (r == 0)
		r = change_apply(&c, err);
	if (r == 0 && c.running && old->smb && c.new_conf.smb_enabled)
		r = close_share(&c, old->name, err);
	if (r < 0)
		return r;
	stays = xasprintf("the data stays in %s", old->path);
	say(notice, stays);
	return 0;
}

static json_t *strings(const struct strlist *l)
{
	json_t *a = json_array();

	for (size_t i = 0; i < l->n; i++)
		(void)json_array_append_new(a, json_string(l->v[i]));
	return a;
}

static json_t *share_json(const struct conf_share *s)
{
	json_t *o = json_object(), *protocols = json_array();

	if (s->smb)
		(void)json_array_append_new(protocols, json_string("smb"));
	if (s->nfs)
		(void)json_array_append_new(protocols, json_string("nfs"));
	(void)json_object_set_new(o, "name", json_string(s->name));
	(void)json_object_set_new(o, "path", json_string(s->path));
	(void)json_object_set_new(o, "protocols", protocols);
	(void)json_object_set_new(o, "read_only", json_boolean(s->read_only));
	(void)json_object_set_new(o, "guest", json_boolean(s->guest));
	(void)json_object_set_new(o, "comment", s->comment ? json_string(s->comment) : json_null());
	(void)json_object_set_new(o, "clients", strings(&s->clients));
	(void)json_object_set_new(o, "read", strings(&s->read));
	(void)json_object_set_new(o, "write", strings(&s->write));
	return o;
}

int share_list(const struct psv *psv, const char *server, json_t **ret, struct err *err)
{
	char path[PATH_MAX];
	struct conf conf = { 0 };
	json_t *list;
	int r;

	if (!psv_exists(psv, server))
		return err_exit(err, VNAS_EXIT_NO_SUCH, -ENOENT, "there is no virtual file server of that name");
	r = conf_read(psv_conf_path(psv, server, path), server, &conf, err);
	if (r < 0)
		return r;
	list = json_array();
	for (size_t i = 0; i < conf.n_shares; i++)
		(void)json_array_append_new(list, share_json(&conf.shares[i]));
	conf_free(&conf);
	*ret = list;
	return 0;
}

int share_folders(const struct conf *conf, const struct inside_ref *ref, void (*notice)(const char *line), struct err *err)
{
	for (size_t i = 0; i < conf->n_shares; i++) {
		const struct conf_share *s = &conf->shares[i];
		struct err why = { 0 };
		_cleanup_free_ char *text = NULL;
		int r = inside_run(ref, (const char *const[]){ "test", "-e", s->path, NULL }, NULL, NULL, err);

		if (r < 0)
			return r;
		if (r == 0)
			continue;
		r = share_folder_check(ref, s, &why);
		if (r == 0)
			r = share_folder_make(ref, s, &why);
		if (r >= 0)
			continue;
		text = xasprintf("share %s: %s", s->name, why.text);
		say(notice, text);
	}
	return 0;
}
