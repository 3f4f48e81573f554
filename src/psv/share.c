/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Order of a change: the new text is made and parsed, the names in it are looked up inside, the folder is made, and only
 * then the configuration is changed as every other change of it is (psv/change.h).  A kill before that leaves the old
 * configuration and at most an empty folder; after it, the next change, reload or start does the rest. */
#include "psv/share.h"

#include <errno.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "psv/change.h"
#include "psv/conf.h"
#include "psv/inside_look.h"
#include "psv/inside_run.h"
#include "psv/nfs_inside.h"
#include "psv/psv.h"
#include "psv/share_folder.h"
#include "psv/share_homes.h"
#include "service/samba.h"

/* One change, handed through server_change(). */
struct change {
	const struct psv *psv;
	const char *server;
	const struct share_edit *edit; /* NULL: remove */
	const char *name;              /* of the share */
	bool add;
	void (*notice)(const char *line);
	char *old_name, *old_path;     /* of the one that was removed, or is served by SMB no more */
	bool old_smb;
};

static void change_free(struct change *c)
{
	free(c->old_name);
	free(c->old_path);
}

static void say(const struct change *c, const char *line)
{
	if (c->notice)
		c->notice(line);
}

static int parse(const struct change *c, const char *text, struct conf *ret, struct err *err)
{
	char path[PATH_MAX];

	return conf_parse(text, strlen(text), psv_conf_path(c->psv, c->server, path), c->server, ret, err);
}

/* make_folder: old is what the share was, or NULL. */
static int make_folder(const struct change *c, const struct conf *conf, const struct conf_share *old, struct err *err)
{
	const struct conf_share *s = conf_share_find(conf, c->name);
	struct inside_ref ref;
	int r = inside_find(c->psv, c->server, &ref, err);

	if (r > 0) {
		say(c, "it does not run: the folder is made at its next start");
		return 0;
	}
	if (r == 0 && samba_share_is_homes(s->name))
		return share_homes_make(conf, &ref, NULL, err);
	if (r == 0)
		r = share_folder_check(&ref, s, err);
	if (r == 0)
		r = share_folder_make(&ref, s, old, err);
	if (r == FOLDER_KEPT)
		say(c, "the folder holds something already: its rights stay as they are");
	if (r == FOLDER_GRANTED)
		say(c, "what lies in the folder already keeps its own rights");
	return r < 0 ? r : 0;
}

/* check_inside: what a share by NFS needs there. */
static int check_inside(const struct change *c, const struct conf *conf, struct err *err)
{
	const struct conf_share *s = conf_share_find(conf, c->name);
	struct inside_ref ref;
	int r = s && s->nfs ? inside_find(c->psv, c->server, &ref, err) : 1;

	if (r != 0)
		return r < 0 ? r : 0;
	r = share_folder_stays(&ref, s->path, err);
	return r < 0 ? r : nfs_check_keys(s, &ref, err);
}

static bool rights_change(const struct share_edit *e)
{
	return e->path || e->read || e->write || e->guest >= 0 || e->read_only >= 0;
}

/* say_lists: Ganesha judges by owner, group and mode, and asks no ACL, which is where the lists go. */
static void say_lists(const struct change *c, const struct conf_share *s)
{
	const struct share_edit *e = c->edit;

	if (s && s->nfs && (s->read.n || s->write.n) && (c->add || e->nfs >= 0 || e->read || e->write))
		say(c, "by NFS the lists of who may read and write give nobody anything: there the folder's owner, group and mode count");
}

/* prepare: what must be so before the new text becomes the configuration. */
static int prepare(const struct change *c, const char *new_text, const struct conf_share *old, struct err *err)
{
	_cleanup_strbuf_ struct strbuf smb_conf = { 0 };
	struct conf conf = { 0 };
	int r = conf_parse(new_text, strlen(new_text), NULL, c->server, &conf, err);

	if (r == 0)
		r = samba_conf_text(&conf, &smb_conf, err);
	if (r == 0)
		r = check_inside(c, &conf, err);
	if (r == 0 && (c->add || rights_change(c->edit)))
		r = make_folder(c, &conf, old, err);
	if (r == 0)
		say_lists(c, conf_share_find(&conf, c->name));
	conf_free(&conf);
	return r;
}

/* note_old: of a share that SMB is about to lose. */
static void note_old(struct change *c, const struct conf *conf, const struct conf_share *old)
{
	c->old_name = xstrdup(old->name);
	c->old_path = xstrdup(old->path);
	c->old_smb = old->smb && conf->smb_enabled;
}

static char *edit_text(struct change *c, const char *text, const struct conf *conf, struct err *err)
{
	const struct conf_share *old = conf_share_find(conf, c->name);
	_cleanup_free_ char *new_text = NULL;

	if (c->add && old) {
		(void)err_set(err, -EEXIST, "share %s is there already", old->name);
		return NULL;
	}
	if (!c->add && !old) {
		(void)err_set(err, -ENOENT, "there is no share %s", c->name);
		return NULL;
	}
	new_text = share_edit_text(text, conf, c->edit, err);
	if (!new_text || prepare(c, new_text, old, err) < 0)
		return NULL;
	if (old && c->edit->smb == 0)
		note_old(c, conf, old);
	return steal_ptr(&new_text);
}

static char *remove_text(struct change *c, const char *text, const struct conf *conf, struct err *err)
{
	const struct conf_share *old = conf_share_find(conf, c->name);
	_cleanup_free_ char *section = NULL;
	char *new_text;

	if (!old) {
		(void)err_set(err, -ENOENT, "there is no share %s", c->name);
		return NULL;
	}
	section = xasprintf("share %s", old->name);
	new_text = confedit_remove_section(text, section);
	if (!new_text) {
		(void)err_set(err, -EINVAL, "cannot find [%s] in the configuration", section);
		return NULL;
	}
	note_old(c, conf, old);
	return new_text;
}

static char *edit(const char *text, void *arg, struct err *err)
{
	struct change *c = arg;
	struct conf conf = { 0 };
	char *new_text;

	if (parse(c, text, &conf, err) < 0)
		return NULL;
	new_text = c->edit ? edit_text(c, text, &conf, err) : remove_text(c, text, &conf, err);
	conf_free(&conf);
	return new_text;
}

static int change(struct change *c, const char *verb, struct err *err)
{
	const struct change_opts opts = { .verb = verb, .notice = c->notice };
	int r = psv_require(c->psv, c->server, err);

	return r < 0 ? r : server_change(c->psv, c->server, edit, c, &opts, err);
}

int share_add(const struct psv *psv, const char *server, const struct share_edit *e, void (*notice)(const char *line),
	      struct err *err)
{
	struct change c = { .psv = psv, .server = server, .edit = e, .name = e->name, .add = true, .notice = notice };

	return change(&c, "share add", err);
}

/* close_share: what clients have open would otherwise stay open for as long as they like. */
static int close_share(const struct change *c, struct err *err)
{
	struct inside_ref ref;
	int r = inside_find(c->psv, c->server, &ref, err);

	if (r != 0)
		return r < 0 ? r : 0;
	return inside_must(&ref,
			   (const char *const[]){ "smbcontrol", "-s", SAMBA_CONF_INSIDE, "smbd", "close-share", c->old_name,
						  NULL },
			   NULL, err);
}

int share_set(const struct psv *psv, const char *server, const struct share_edit *e, void (*notice)(const char *line),
	      struct err *err)
{
	_cleanup_(change_free) struct change c = { .psv = psv, .server = server, .edit = e, .name = e->name, .notice = notice };
	int r = change(&c, "share set", err);

	return r == 0 && c.old_smb ? close_share(&c, err) : r;
}

int share_remove(const struct psv *psv, const char *server, const char *name, void (*notice)(const char *line),
		 struct err *err)
{
	_cleanup_(change_free) struct change c = { .psv = psv, .server = server, .name = name, .notice = notice };
	_cleanup_free_ char *stays = NULL;
	int r = change(&c, "share remove", err);

	if (r == 0 && c.old_smb)
		r = close_share(&c, err);
	if (r < 0)
		return r;
	stays = xasprintf("the data stays in %s", c.old_path);
	say(&c, stays);
	return 0;
}

static json_t *strings(const struct strlist *l)
{
	json_t *a = json_array();

	for (size_t i = 0; i < l->n; i++)
		(void)json_array_append_new(a, json_string(l->v[i]));
	return a;
}

static json_t *sec_json(unsigned sec)
{
	json_t *a = json_array();

	for (unsigned bit = 1; bit <= sec; bit <<= 1)
		if (sec & bit)
			(void)json_array_append_new(a, json_string(conf_sec_name(bit)));
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
	(void)json_object_set_new(o, "audit", json_boolean(s->audit));
	(void)json_object_set_new(o, "recycle", json_boolean(s->recycle));
	(void)json_object_set_new(o, "comment", s->comment ? json_string(s->comment) : json_null());
	(void)json_object_set_new(o, "clients", strings(&s->clients));
	(void)json_object_set_new(o, "read", strings(&s->read));
	(void)json_object_set_new(o, "write", strings(&s->write));
	(void)json_object_set_new(o, "squash", s->nfs ? json_string(conf_squash_name(s->squash)) : json_null());
	(void)json_object_set_new(o, "sec", s->nfs ? sec_json(s->sec) : json_null());
	(void)json_object_set_new(o, "export_id", s->nfs ? json_integer(conf_export_id(s)) : json_null());
	return o;
}

int share_list(const struct psv *psv, const char *server, json_t **ret, struct err *err)
{
	char path[PATH_MAX];
	struct conf conf = { 0 };
	json_t *list;
	int r;

	r = psv_require(psv, server, err);
	if (r < 0)
		return r;
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

/* has_bin: of the homes each has one of its own, which smbd makes. */
static bool has_bin(const struct conf_share *s)
{
	return s->recycle && !samba_share_is_homes(s->name);
}

void share_wants(const struct conf *conf, struct strlist *ret)
{
	for (size_t i = 0; i < conf->n_shares; i++) {
		strlist_add(ret, conf->shares[i].path);
		if (has_bin(&conf->shares[i]))
			strlist_addf(ret, "%s/" SAMBA_BIN, conf->shares[i].path);
	}
}

static void say_not_served(void (*notice)(const char *line), const char *share, const char *why)
{
	_cleanup_free_ char *line = xasprintf("share %s: by NFS it is not served: %s", share, why);

	notice(line);
}

/* NFS serves what lies where it says; somebody inside can put a link there at any time.  One look for all. */
void share_astray(const struct conf *conf, const struct inside_ref *ref, void (*notice)(const char *line))
{
	_cleanup_found_ struct inside_found found = { 0 };
	_cleanup_strlist_ struct strlist paths = { 0 };
	struct err why = { 0 };

	for (size_t i = 0; i < conf->n_shares; i++)
		if (conf->shares[i].nfs)
			strlist_add(&paths, conf->shares[i].path);
	if (!paths.n || !notice)
		return;
	if (inside_look(ref, &paths, &found, &why) < 0) {
		notice(why.text);
		return;
	}
	for (size_t i = 0; i < conf->n_shares; i++) {
		const struct conf_share *s = &conf->shares[i];

		err_clear(&why);
		if (!s->nfs)
			continue;
		if (strlist_has(&found.astray, s->path))
			(void)err_set(&why, -ENOTDIR, SHARE_ASTRAY, s->path);
		if (*why.text || nfs_check_keys(s, ref, &why) < 0)
			say_not_served(notice, s->name, why.text);
	}
}

static void make_missing(const struct inside_ref *ref, const struct conf_share *s, void (*notice)(const char *line))
{
	struct err why = { 0 };
	_cleanup_free_ char *line = NULL;
	int r = share_folder_check(ref, s, &why);

	if (r == 0)
		r = share_folder_make(ref, s, NULL, &why);
	if (r >= 0 || !notice)
		return;
	line = xasprintf("share %s: %s", s->name, why.text);
	notice(line);
}

static void make_bin(const struct inside_ref *ref, const struct conf_share *s, const struct strlist *missing,
		     void (*notice)(const char *line))
{
	_cleanup_free_ char *path = xasprintf("%s/" SAMBA_BIN, s->path), *line = NULL;
	struct err why = { 0 };

	if (!strlist_has(missing, path) || share_folder_make_bin(ref, path, &why) == 0 || !notice)
		return;
	line = xasprintf("share %s: %s", s->name, why.text);
	notice(line);
}

/* look: with words if that fails. */
static void look(const struct conf *conf, const struct inside_ref *ref, struct inside_found *ret,
		 void (*notice)(const char *line))
{
	_cleanup_strlist_ struct strlist wanted = { 0 };
	_cleanup_free_ char *line = NULL;
	struct err why = { 0 };

	share_wants(conf, &wanted);
	if (inside_look(ref, &wanted, ret, &why) == 0 || !notice)
		return;
	line = xasprintf("cannot look for the folders of its shares: %s", why.text);
	notice(line);
}

void share_folders(const struct conf *conf, const struct inside_ref *ref, const struct strlist *missing,
		   void (*notice)(const char *line))
{
	_cleanup_found_ struct inside_found found = { 0 };
	struct err why = { 0 };

	if (conf->n_shares == 0)
		return;
	if (!missing) {
		look(conf, ref, &found, notice);
		missing = &found.missing;
	}
	for (size_t i = 0; i < conf->n_shares; i++)
		if (strlist_has(missing, conf->shares[i].path) && !samba_share_is_homes(conf->shares[i].name))
			make_missing(ref, &conf->shares[i], notice);
	for (size_t i = 0; i < conf->n_shares; i++)
		if (has_bin(&conf->shares[i]))
			make_bin(ref, &conf->shares[i], missing, notice);
	if (share_homes_make(conf, ref, NULL, &why) < 0 && notice)
		notice(why.text);
}
