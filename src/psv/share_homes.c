/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A folder is made root's and then given away: one that a kill left in between is root's, empty, and given away by the
 * next look. */
#include "psv/share_homes.h"

#include <errno.h>
#include <string.h>

#include "directory/passwd.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "psv/conf.h"
#include "psv/inside_run.h"
#include "service/samba.h"

static const struct conf_share *find_homes(const struct conf *conf)
{
	for (size_t i = 0; i < conf->n_shares; i++)
		if (samba_share_is_homes(conf->shares[i].name))
			return &conf->shares[i];
	return NULL;
}

/* find_there: the names of those that have one. */
static int find_there(const struct inside_ref *ref, const char *path, struct strlist *ret, struct err *err)
{
	_cleanup_strbuf_ struct strbuf output = { 0 };
	int r = inside_run(ref,
			   (const char *const[]){ "find", path, "-mindepth", "1", "-maxdepth", "1", "-not", "(", "-user", "root",
						  "-empty", ")", "-printf", "%f\\n", NULL },
			   NULL, &output, err);

	if (r == 0)
		strlist_split(ret, strbuf_str(&output), "\n");
	return r > 0 ? err_set(err, -EIO, "cannot look into %s: find failed with status %d", path, r) : r;
}

/* read_users: one, also of the directory, or all of the Vsv's own (NULL). */
static int read_users(const struct inside_ref *ref, const char *user, struct passwd_db *ret, struct err *err)
{
	_cleanup_strbuf_ struct strbuf output = { 0 };
	const char *const one[] = { "getent", "passwd", "--", user, NULL }, *const all[] = { "getent", "passwd", NULL };
	int r = inside_run(ref, user ? one : all, NULL, &output, err);

	if (r == 0)
		passwd_parse_users(ret, strbuf_str(&output));
	return r > 0 ? err_set(err, -EIO, "getent failed with status %d: cannot read its users", r) : r;
}

static int make_one(const struct inside_ref *ref, const char *base, const struct passwd_user *u, struct err *err)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", base, u->name);
	char group[16];

	(void)str_format(group, sizeof(group), "%u", u->gid);
	return inside_must(ref,
			   (const char *const[]){ "install", "-d", "-m", "0700", "-o", u->name, "-g", group, "--", path, NULL },
			   NULL, err);
}

int share_homes_make(const struct conf *conf, const struct inside_ref *ref, const char *user, struct err *err)
{
	const struct conf_share *s = find_homes(conf);
	__attribute__((cleanup(passwd_free))) struct passwd_db db = { 0 };
	_cleanup_strlist_ struct strlist there = { 0 };
	int r;

	if (!s)
		return 0;
	r = inside_must(ref, (const char *const[]){ "mkdir", "-p", "-m", "0755", "--", s->path, NULL }, NULL, err);
	if (r == 0)
		r = find_there(ref, s->path, &there, err);
	if (r == 0)
		r = read_users(ref, user, &db, err);
	for (size_t i = 0; r == 0 && i < db.n_users; i++) {
		const struct passwd_user *u = &db.users[i];

		if (!passwd_is_system(u->uid) && (!user || strcmp(user, u->name) == 0) && !strlist_has(&there, u->name))
			r = make_one(ref, s->path, u, err);
	}
	return r < 0 ? err_wrap(err, r, "share %s", s->name) : 0;
}
