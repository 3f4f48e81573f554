/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every change goes through the Vsv's own programs and their own locks (lckpwdf(3), tdb), because the tenant's root may
 * use the same programs at the same time. */
#include "psv/users.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "directory/passwd.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "psv/conf.h"
#include "psv/directory_users.h"
#include "psv/inside_run.h"
#include "psv/psv.h"
#include "psv/samba_policy.h"
#include "psv/samba_sessions.h"
#include "psv/shadow.h"
#include "psv/share_homes.h"
#include "psv/users_internal.h"
#include "psv/users_password.h"
#include "service/samba.h"

enum { LOCK_MS = 30 * 1000 };

#define FIRST_GROUP "users" /* of every user that vnas makes */

bool group_is_open(const struct passwd_group *g)
{
	return !passwd_is_system(g->gid) || strcmp(g->name, FIRST_GROUP) == 0 || strcmp(g->name, "staff") == 0;
}

void session_close(struct session *s)
{
	conf_free(&s->conf);
	if (s->lock_fd >= 0)
		(void)close(s->lock_fd);
	passwd_free(&s->db);
	strlist_free(&s->smb_users);
	conf_free(&s->conf);
}

static int read_conf(const struct psv *psv, const char *server, struct session *s, struct err *err)
{
	char path[PATH_MAX];
	int r = conf_read(psv_conf_path(psv, server, path), server, &s->conf, err);

	s->smb = r == 0 && s->conf.smb_enabled;
	return r;
}

/* read_database: getent and pdbedit of the inside, for what is the Vsv's own. */
static int read_database(struct session *s, struct err *err)
{
	static const char *const passwd[] = { "getent", "-s", "files", "passwd", NULL };
	static const char *const group[] = { "getent", "-s", "files", "group", NULL };
	static const char *const smb[] = { "pdbedit", "-s", SAMBA_CONF_INSIDE, "-d", "0", "-L", NULL };
	_cleanup_strbuf_ struct strbuf users = { 0 }, groups = { 0 }, accounts = { 0 };
	_cleanup_strlist_ struct strlist lines = { 0 };
	int r = inside_run(&s->ref, passwd, NULL, &users, err);

	if (r == 0)
		r = inside_run(&s->ref, group, NULL, &groups, err);
	if (r > 0)
		return err_set(err, -EIO, "getent failed with status %d: cannot read its users and groups", r);
	if (r == 0 && s->smb)
		r = inside_run(&s->ref, smb, NULL, &accounts, err);
	if (r > 0)
		return err_set(err, -EIO, "pdbedit failed with status %d: cannot read its SMB accounts", r);
	if (r < 0)
		return r;
	passwd_parse_users(&s->db, strbuf_str(&users));
	passwd_parse_groups(&s->db, strbuf_str(&groups));
	strlist_split(&lines, strbuf_str(&accounts), "\n");
	for (size_t i = 0; i < lines.n; i++) {
		char *colon = strchr(lines.v[i], ':');

		if (!colon)
			continue;
		*colon = '\0';
		if (passwd_foreign_name_ok(lines.v[i]))
			strlist_add(&s->smb_users, lines.v[i]);
	}
	return 0;
}

/* verb NULL: a look, which needs no lock. */
int session_open(const struct psv *psv, const char *server, const char *verb, struct session *ret, struct err *err)
{
	struct session s = { .lock_fd = -1 };
	int r;

	r = psv_require(psv, server, err);
	if (r < 0)
		return r;
	if (verb) {
		s.lock_fd = psv_lock(psv, server, verb, LOCK_MS, NULL, err);
		if (s.lock_fd < 0)
			return s.lock_fd;
	}
	r = inside_require(psv, server, &s.ref, err);
	if (r == 0)
		r = read_conf(psv, server, &s, err);
	if (r == 0)
		r = read_database(&s, err);
	if (r < 0) {
		session_close(&s);
		return r;
	}
	*ret = s;
	return 0;
}


static int unix_add(const struct session *s, const char *user, uint32_t uid, struct err *err)
{
	const char *argv[16] = { "useradd", "--no-create-home", "--no-user-group", "--gid", FIRST_GROUP };
	size_t n = 5;
	char number[16];

	if (uid) {
		(void)str_format(number, sizeof(number), "%u", uid);
		argv[n++] = "--uid";
		argv[n++] = number;
	}
	argv[n++] = "--";
	argv[n++] = user;
	return shadow_run(&s->ref, argv, NULL, err);
}

/* unix_remove: --force, because a session of the user may still be open: without it the account would stay for as long. */
static int unix_remove(const struct session *s, const char *user, struct err *err)
{
	return shadow_run(&s->ref, (const char *const[]){ "userdel", "--force", "--", user, NULL }, NULL, err);
}

/* check_new: -EEXIST for a user that is complete; a half that a killed command left is no obstacle, if it is that half. */
static int check_new(const struct session *s, const char *user, uint32_t uid, bool *ret_half, struct err *err)
{
	const struct passwd_user *there = passwd_user(&s->db, user);

	*ret_half = there != NULL;
	if (there && passwd_is_system(there->uid))
		return err_set(err, -EEXIST, "user %s is one of the system's own", user);
	if (there && (!s->smb || strlist_has(&s->smb_users, user)))
		return err_set(err, -EEXIST, "user %s is there already, with number %u", user, there->uid);
	if (there && uid && uid != there->uid)
		return err_set(err, -EEXIST, "user %s is there already without an SMB account, with number %u", user, there->uid);
	for (size_t i = 0; !there && uid && i < s->db.n_users; i++)
		if (s->db.users[i].uid == uid)
			return err_set(err, -EEXIST, "number %u belongs to user %s already", uid, s->db.users[i].name);
	return 0;
}

/* refuse_foreign: the same name in two places would be two people to whoever made the second one. */
static int refuse_foreign(const struct session *s, const char *user, struct err *err)
{
	uint32_t uid, gid;
	int r = directory_find(&s->conf, &s->ref, user, &uid, &gid, err);

	if (r == 0)
		return err_set(err, -EEXIST, "the %s directory has a user %s already, with number %u",
			       conf_directory_name(s->conf.directory.type), user, uid);
	return r < 0 ? r : 0;
}

static int require_group(const struct session *s, const char *group, struct err *err)
{
	const struct passwd_group *g = passwd_group(&s->db, group);

	if (!g)
		return err_set(err, -ENOENT, "there is no group %s", group);
	if (!group_is_open(g))
		return err_set(err, -EPERM, "group %s is one of the system's own", group);
	return 0;
}

static int group_join(const struct session *s, const char *group, const char *user, struct err *err)
{
	return shadow_run(&s->ref, (const char *const[]){ "gpasswd", "--add", user, group, NULL }, NULL, err);
}

static int check_user_new(const struct user_new *u, struct err *err)
{
	int r = passwd_name_check("user", u->name, err);

	if (r == 0 && u->uid)
		r = passwd_id_check("user", u->uid, err);
	if (r == 0 && u->password)
		r = passwd_password_check(u->password, err);
	for (size_t i = 0; r == 0 && u->groups && i < u->groups->n; i++)
		r = passwd_name_check("group", u->groups->v[i], err);
	return r;
}

/* add_accounts: the SMB account last, since only with it is the user complete. */
static int add_accounts(const struct session *s, const struct user_new *u, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && u->groups && i < u->groups->n; i++)
		r = group_join(s, u->groups->v[i], u->name, err);
	if (r == 0)
		r = share_homes_make(&s->conf, &s->ref, u->name, err);
	if (r == 0 && u->password)
		r = users_password_set(&s->ref, u->name, u->password, true, s->smb ? USERS_SMB_ADD : USERS_SMB_NONE, err);
	return r;
}

int users_add(const struct psv *psv, const char *server, const struct user_new *user, struct err *err)
{
	_cleanup_session_ struct session s = { .lock_fd = -1 };
	bool half = false;
	int r = check_user_new(user, err);

	if (r == 0)
		r = session_open(psv, server, "user add", &s, err);
	if (r == 0 && s.smb && !user->password)
		r = err_exit(err, VNAS_EXIT_USAGE, -EINVAL, "an SMB account needs a password");
	if (r == 0 && user->password)
		r = samba_policy_check(&s.conf, user->password, err);
	for (size_t i = 0; r == 0 && user->groups && i < user->groups->n; i++)
		r = require_group(&s, user->groups->v[i], err);
	if (r == 0)
		r = check_new(&s, user->name, user->uid, &half, err);
	if (r == 0 && !half)
		r = refuse_foreign(&s, user->name, err);
	if (r == 0 && !half)
		r = unix_add(&s, user->name, user->uid, err);
	if (r < 0)
		return r;
	r = add_accounts(&s, user, err);
	if (r < 0 && !half)
		(void)unix_remove(&s, user->name, NULL);
	return r;
}

static int require_user(const struct session *s, const char *user, struct err *err)
{
	const struct passwd_user *u = passwd_user(&s->db, user);

	if (!u)
		return err_set(err, -ENOENT, "there is no user %s", user);
	if (passwd_is_system(u->uid))
		return err_set(err, -EPERM, "user %s is one of the system's own", user);
	return 0;
}

/* require_any: of the Vsv's own, or of its directory (1). */
static int require_any(const struct session *s, const char *user, struct err *err)
{
	uint32_t uid, gid;
	int r;

	if (passwd_user(&s->db, user))
		return require_user(s, user, err);
	r = directory_find(&s->conf, &s->ref, user, &uid, &gid, err);
	if (r < 0)
		return r;
	return r == 0 ? 1 : err_set(err, -ENOENT, "there is no user %s", user);
}

/* check_any: what a command may be given as a user's name. */
static int check_any(const char *user, struct err *err)
{
	return passwd_foreign_name_ok(user) ? 0 : passwd_name_check("user", user, err);
}

int users_remove(const struct psv *psv, const char *server, const char *user, struct err *err)
{
	_cleanup_session_ struct session s = { .lock_fd = -1 };
	int r = check_any(user, err);
	bool foreign;

	if (r == 0)
		r = session_open(psv, server, "user remove", &s, err);
	if (r < 0)
		return r;
	foreign = !passwd_user(&s.db, user);
	/* Of a directory's user only what is the Vsv's own can be taken away; also when the directory has it no more. */
	if (foreign && !strlist_has(&s.smb_users, user))
		return err_set(err, -ENOENT, "there is no user %s that is its own, and no SMB account of that name", user);
	if (!foreign)
		r = require_user(&s, user, err);
	/* SMB first: a unix account alone is what a second run finds and completes. */
	if (r == 0 && strlist_has(&s.smb_users, user))
		r = inside_must(&s.ref, (const char *const[]){ "smbpasswd", "-c", SAMBA_CONF_INSIDE, "-x", user, NULL }, NULL,
				err);
	/* Samba knows them by the unix account. */
	if (r == 0 && s.smb)
		r = samba_sessions_end(&s.ref, user, err);
	return r < 0 || foreign ? r : unix_remove(&s, user, err);
}

int users_passwd(const struct psv *psv, const char *server, const char *user, const char *password, struct err *err)
{
	_cleanup_session_ struct session s = { .lock_fd = -1 };
	enum users_smb smb;
	bool foreign;
	int r = check_any(user, err);

	if (r == 0)
		r = passwd_password_check(password, err);
	if (r == 0)
		r = session_open(psv, server, "user passwd", &s, err);
	if (r == 0)
		r = require_any(&s, user, err);
	if (r < 0)
		return r;
	foreign = r > 0;
	if (foreign && s.conf.directory.type == CONF_DIRECTORY_AD)
		return err_set(err, -EOPNOTSUPP, "%s is a user of the domain %s: the password is set there", user,
			       s.conf.directory.realm);
	if (foreign && !s.smb)
		return err_set(err, -EOPNOTSUPP, "it serves no SMB: there is no password to set");
	r = samba_policy_check(&s.conf, password, err);
	if (r == 0)
		r = share_homes_make(&s.conf, &s.ref, user, err);
	if (r < 0)
		return r;
	smb = !s.smb ? USERS_SMB_NONE : strlist_has(&s.smb_users, user) ? USERS_SMB_SET : USERS_SMB_ADD;
	return users_password_set(&s.ref, user, password, !foreign, smb, err);
}

static int check_members(const struct session *s, const struct strlist *members, struct err *err)
{
	for (size_t i = 0; i < members->n; i++) {
		int r = passwd_name_check("user", members->v[i], err);

		if (r == 0)
			r = require_user(s, members->v[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int group_make(const struct session *s, const char *group, uint32_t gid, struct err *err)
{
	const char *argv[8] = { "groupadd" };
	size_t n = 1;
	char number[16];

	if (gid) {
		(void)str_format(number, sizeof(number), "%u", gid);
		argv[n++] = "--gid";
		argv[n++] = number;
	}
	argv[n++] = "--";
	argv[n++] = group;
	return shadow_run(&s->ref, argv, NULL, err);
}

/* ensure_group: makes it, or says why the one that is there is not the one that is meant. */
static int ensure_group(const struct session *s, const char *group, uint32_t gid, bool has_members, struct err *err)
{
	const struct passwd_group *there = passwd_group(&s->db, group);

	if (!there)
		return group_make(s, group, gid, err);
	if (gid && gid != there->gid)
		return err_set(err, -EEXIST, "group %s is there already, with number %u", group, there->gid);
	if (!has_members)
		return err_set(err, -EEXIST, "group %s is there already", group);
	return require_group(s, group, err);
}

int groups_add(const struct psv *psv, const char *server, const char *group, uint32_t gid, const struct strlist *members,
	       struct err *err)
{
	_cleanup_session_ struct session s = { .lock_fd = -1 };
	int r = passwd_name_check("group", group, err);

	if (r == 0 && gid)
		r = passwd_id_check("group", gid, err);
	if (r == 0)
		r = session_open(psv, server, "group add", &s, err);
	if (r == 0)
		r = check_members(&s, members, err);
	if (r == 0)
		r = ensure_group(&s, group, gid, members->n > 0, err);
	for (size_t i = 0; r == 0 && i < members->n; i++)
		r = group_join(&s, group, members->v[i], err);
	return r;
}

int groups_remove(const struct psv *psv, const char *server, const char *group, const struct strlist *members,
		  struct err *err)
{
	_cleanup_session_ struct session s = { .lock_fd = -1 };
	const struct passwd_group *g = NULL;
	int r = passwd_name_check("group", group, err);

	if (r == 0)
		r = session_open(psv, server, "group remove", &s, err);
	if (r < 0)
		return r;
	g = passwd_group(&s.db, group);
	if (!g)
		return err_set(err, -ENOENT, "there is no group %s", group);
	for (size_t i = 0; i < members->n; i++)
		if (!strlist_has(&g->members, members->v[i]))
			return err_set(err, -ENOENT, "group %s has no member %s in its list", group, members->v[i]);
	for (size_t i = 0; r == 0 && i < members->n; i++)
		r = shadow_run(&s.ref, (const char *const[]){ "gpasswd", "--delete", members->v[i], group, NULL }, NULL, err);
	if (r < 0 || members->n > 0)
		return r;
	if (g->gid < PASSWD_ID_MIN)
		return err_set(err, -EPERM, "group %s is one of the system's own", group);
	return shadow_run(&s.ref, (const char *const[]){ "groupdel", "--", group, NULL }, NULL, err);
}
