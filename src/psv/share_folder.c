/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rights are given by POSIX ACLs with defaults, so that what one user makes is open to the others whom the share names,
 * whatever the mask of a client says; smbd shows them as NT ACLs from the first day.  What lies in a folder already keeps the
 * rights that somebody gave it, and so does a folder whose NT ACL a client has set: smbd would drop that when the POSIX ACL
 * below it changes. */
#include "psv/share_folder.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "lib/err.h"
#include "psv/conf.h"
#include "psv/inside_look.h"
#include "psv/inside_run.h"

/* add_entry: one for the folder itself and one that everything made below inherits. */
static void add_entry(struct strbuf *acl, char kind, const char *name, const char *rights)
{
	strbuf_addf(acl, "%s%c:%s:%s,d:%c:%s:%s", acl->len ? "," : "", kind, name, rights, kind, name, rights);
}

static void add_names(struct strbuf *acl, const struct strlist *names, const struct strlist *but, const char *rights)
{
	for (size_t i = 0; i < names->n; i++) {
		const char *name = names->v[i];

		if (but && strlist_has(but, name))
			continue;
		add_entry(acl, *name == '@' ? 'g' : 'u', name + (*name == '@'), rights);
	}
}

int share_folder_stays(const struct inside_ref *ref, const char *path, struct err *err)
{
	_cleanup_found_ struct inside_found found = { 0 };
	_cleanup_strlist_ struct strlist paths = { 0 };
	int r;

	strlist_add(&paths, path);
	r = inside_look(ref, &paths, &found, err);
	return r < 0 || found.astray.n == 0 ? r : err_set(err, -ENOTDIR, SHARE_ASTRAY, path);
}

static const char *rights_of_others(const struct conf_share *s)
{
	bool lists = s->read.n > 0 || s->write.n > 0;

	if (lists)
		return s->guest ? "r-x" : "---";
	return s->read_only ? "r-x" : "rwx";
}

void share_folder_acl(const struct conf_share *s, struct strbuf *ret)
{
	add_entry(ret, 'u', "", "rwx");
	add_entry(ret, 'g', "", "r-x");
	add_entry(ret, 'o', "", rights_of_others(s));
	add_names(ret, &s->write, NULL, s->read_only ? "r-x" : "rwx");
	add_names(ret, &s->read, &s->write, "r-x");
}

static int check_list(const struct inside_ref *ref, const struct strlist *names, struct err *err)
{
	for (size_t i = 0; i < names->n; i++) {
		bool is_group = *names->v[i] == '@';
		const char *name = names->v[i] + is_group;
		int r = inside_run(ref, (const char *const[]){ "getent", is_group ? "group" : "passwd", "--", name, NULL }, NULL,
				   NULL, err);

		if (r < 0)
			return r;
		if (r > 0)
			return err_set(err, -ENOENT, "there is no %s %s in it", is_group ? "group" : "user", name);
	}
	return 0;
}

int share_folder_check(const struct inside_ref *ref, const struct conf_share *s, struct err *err)
{
	int r = check_list(ref, &s->read, err);

	return r < 0 ? r : check_list(ref, &s->write, err);
}

/* is_empty: 1, 0, or -errno. */
static int is_empty(const struct inside_ref *ref, const char *path, struct err *err)
{
	_cleanup_strbuf_ struct strbuf found = { 0 };
	int r = inside_run(ref,
			   (const char *const[]){ "find", path, "-mindepth", "1", "-maxdepth", "1", "-not", "-name", "lost+found",
						  "-print", "-quit", NULL },
			   NULL, &found, err);

	if (r > 0)
		return err_set(err, -EIO, "cannot look into %s: find failed with status %d", path, r);
	return r < 0 ? r : found.len == 0;
}

/* has_nt_acl: 1, 0, or -errno. */
static int has_nt_acl(const struct inside_ref *ref, const char *path, struct err *err)
{
	_cleanup_strbuf_ struct strbuf said = { 0 };
	int r = inside_run(ref,
			   (const char *const[]){ "getfattr", "--absolute-names", "--name=user.NTACL", "--", path, NULL }, NULL,
			   &said, err);

	if (r <= 0)
		return r < 0 ? r : 1;
	/* Any other failure does not say that a client has set no rights, which the share's own would overwrite. */
	return strstr(strbuf_str(&said), "No such attribute") || strstr(strbuf_str(&said), "not supported") ? 0 :
		       err_set(err, -EIO, "cannot see who has rights on %s: getfattr failed with status %d", path, r);
}

static bool names(const struct conf_share *s, const char *name)
{
	return strlist_has(&s->read, name) || strlist_has(&s->write, name);
}

static void add_withdrawn(struct strbuf *acl, const struct strlist *before, const struct conf_share *now)
{
	for (size_t i = 0; i < before->n; i++) {
		const char *name = before->v[i];
		char kind = *name == '@' ? 'g' : 'u';

		if (!names(now, name))
			strbuf_addf(acl, "%s%c:%s,d:%c:%s", acl->len ? "," : "", kind, name + (kind == 'g'), kind,
				    name + (kind == 'g'));
	}
}

/* set_acl: nothing for an empty list. */
static int set_acl(const struct inside_ref *ref, const char *option, const struct strbuf *acl, const char *path,
		   struct err *err)
{
	if (acl->len == 0)
		return 0;
	return inside_must(ref, (const char *const[]){ "setfacl", option, acl->buf, "--", path, NULL }, NULL, err);
}

static int grant(const struct inside_ref *ref, const struct conf_share *s, const struct conf_share *old, struct err *err)
{
	_cleanup_strbuf_ struct strbuf given = { 0 }, taken = { 0 };
	int r = has_nt_acl(ref, s->path, err);

	if (r != 0)
		return r < 0 ? r : FOLDER_KEPT;
	add_names(&given, &s->write, NULL, s->read_only ? "r-x" : "rwx");
	add_names(&given, &s->read, &s->write, "r-x");
	add_withdrawn(&taken, &old->write, s);
	add_withdrawn(&taken, &old->read, s);
	r = set_acl(ref, "--modify", &given, s->path, err);
	if (r == 0)
		r = set_acl(ref, "--remove", &taken, s->path, err);
	return r < 0 ? r : FOLDER_GRANTED;
}

static int give_rights(const struct inside_ref *ref, const struct conf_share *s, struct err *err)
{
	_cleanup_strbuf_ struct strbuf acl = { 0 };
	int r = inside_must(ref, (const char *const[]){ "chown", "--no-dereference", "root:root", "--", s->path, NULL }, NULL,
			    err);

	share_folder_acl(s, &acl);
	return r < 0 ? r : set_acl(ref, "--set", &acl, s->path, err);
}

int share_folder_make(const struct inside_ref *ref, const struct conf_share *s, const struct conf_share *old,
		      struct err *err)
{
	int r = inside_must(ref, (const char *const[]){ "mkdir", "-p", "--", s->path, NULL }, NULL, err);

	if (r == 0)
		r = is_empty(ref, s->path, err);
	if (r > 0)
		r = give_rights(ref, s, err);
	else if (r == 0)
		r = old && strcmp(old->path, s->path) == 0 ? grant(ref, s, old, err) : FOLDER_KEPT;
	return r < 0 ? err_wrap(err, r, "folder %s", s->path) : r;
}

int share_folder_make_bin(const struct inside_ref *ref, const char *path, struct err *err)
{
	int r = inside_must(ref, (const char *const[]){ "mkdir", "-p", "--", path, NULL }, NULL, err);

	if (r == 0)
		r = inside_must(ref, (const char *const[]){ "setfacl", "--remove-all", "--remove-default", "--", path, NULL }, NULL,
				err);
	return r < 0 ? r : inside_must(ref, (const char *const[]){ "chmod", "1777", "--", path, NULL }, NULL, err);
}
