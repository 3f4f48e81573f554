/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists come from the server itself: sssd is told not to fetch everybody, which for thousands of users takes it minutes. */
#include "psv/directory_users.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "directory/directory.h"
#include "directory/ldif.h"
#include "directory/passwd.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "psv/conf.h"
#include "psv/directory_ask.h"

static bool get_number(const struct ldif_entry *e, const char *name, uint32_t *ret)
{
	const char *text = ldif_get(e, name);

	return text && parse_u32(text, UINT32_MAX, ret) == 0;
}

static void add_user(const struct ldif_entry *e, struct passwd_db *db)
{
	const char *name = ldif_get(e, "uid");
	uint32_t uid, gid;

	if (name && get_number(e, "uidNumber", &uid) && get_number(e, "gidNumber", &gid))
		(void)passwd_add_user(db, name, uid, gid);
}

static void add_group(const struct ldif_entry *e, struct passwd_db *db)
{
	const char *name = ldif_get(e, "cn");
	struct passwd_group *g;
	uint32_t gid;

	if (!name || !get_number(e, "gidNumber", &gid))
		return;
	g = passwd_add_group(db, name, gid);
	for (size_t i = 0; i < e->n; i++)
		if (strcmp(e->v[i].name, "memberUid") == 0)
			passwd_add_member(db, g, e->v[i].value);
}

static int from_ldap(const struct conf *conf, const struct inside_ref *ref, const char *filter,
		     const char *const attributes[], void (*add)(const struct ldif_entry *e, struct passwd_db *db),
		     struct passwd_db *db, struct err *ret_why)
{
	_cleanup_free_ struct ldif_entry *e = xmalloc(sizeof(*e));
	_cleanup_strbuf_ struct strbuf ldif = { 0 };
	int r = ldap_ask(conf, filter, attributes, ref, &ldif, ret_why);

	for (char *text = ldif.buf; r == 0 && text && ldif_next(&text, e) > 0;)
		add(e, db);
	return r;
}

static int from_nis(const struct inside_ref *ref, const char *map, void (*parse)(struct passwd_db *db, const char *text),
		    struct passwd_db *db, struct err *ret_why)
{
	const char *const argv[] = { "timeout", "10", "ypcat", map, NULL };
	_cleanup_strbuf_ struct strbuf text = { 0 };
	int r = ask(ref, argv, NULL, &text, ret_why);

	if (r > 0)
		(void)err_set(ret_why, -EIO, "%.300s", ask_last_line(&text, "no server of the domain answers"));
	else if (r == 0)
		parse(db, strbuf_str(&text));
	return r;
}

/* from_winbind: all that it gives numbers to. */
static int from_winbind(const struct inside_ref *ref, const char *map, void (*parse)(struct passwd_db *db, const char *text),
			struct passwd_db *db, struct err *ret_why)
{
	const char *const argv[] = { "timeout", "14", "getent", "-s", "winbind", map, NULL };
	_cleanup_strbuf_ struct strbuf text = { 0 };
	int r = ask(ref, argv, NULL, &text, ret_why);

	if (r > 0)
		(void)err_set(ret_why, -EIO, "winbindd does not answer");
	else if (r == 0)
		parse(db, strbuf_str(&text));
	return r;
}

int directory_users(const struct conf *conf, const struct inside_ref *ref, struct passwd_db *db, struct err *ret_why)
{
	static const char *const attributes[] = { "uid", "uidNumber", "gidNumber", NULL };

	db->foreign = true;
	switch (conf->directory.type) {
	case CONF_DIRECTORY_LDAP:
		return from_ldap(conf, ref, "(objectClass=posixAccount)", attributes, add_user, db, ret_why);
	case CONF_DIRECTORY_NIS:
		return from_nis(ref, "passwd.byname", passwd_parse_users, db, ret_why);
	case CONF_DIRECTORY_AD:
		return from_winbind(ref, "passwd", passwd_parse_users, db, ret_why);
	case CONF_DIRECTORY_PASSWD:
		break;
	}
	return 0;
}

int directory_groups(const struct conf *conf, const struct inside_ref *ref, struct passwd_db *db, struct err *ret_why)
{
	static const char *const attributes[] = { "cn", "gidNumber", "memberUid", NULL };

	db->foreign = true;
	switch (conf->directory.type) {
	case CONF_DIRECTORY_LDAP:
		return from_ldap(conf, ref, "(objectClass=posixGroup)", attributes, add_group, db, ret_why);
	case CONF_DIRECTORY_NIS:
		return from_nis(ref, "group.byname", passwd_parse_groups, db, ret_why);
	case CONF_DIRECTORY_AD:
		return from_winbind(ref, "group", passwd_parse_groups, db, ret_why);
	case CONF_DIRECTORY_PASSWD:
		break;
	}
	return 0;
}

int directory_find(const struct conf *conf, const struct inside_ref *ref, const char *name, uint32_t *ret_uid,
		   uint32_t *ret_gid, struct err *err)
{
	const char *nss = directory_nss(conf);
	/* For users alone: to reach a NIS server, host names are looked up as ever. */
	_cleanup_free_ char *service = xasprintf("passwd:%s", nss ? nss : "");
	const char *const argv[] = { "timeout", "10", "getent", "-s", service, "passwd", "--", name, NULL };
	_cleanup_strbuf_ struct strbuf text = { 0 };
	struct passwd_db db = { .foreign = true };
	int r;

	if (!nss || !passwd_foreign_name_ok(name))
		return 1;
	r = ask(ref, argv, NULL, &text, err);
	if (r != 0)
		return r;
	passwd_parse_users(&db, strbuf_str(&text));
	r = db.n_users == 1 && strcmp(db.users[0].name, name) == 0 ? 0 : 1;
	if (r == 0) {
		*ret_uid = db.users[0].uid;
		*ret_gid = db.users[0].gid;
	}
	passwd_free(&db);
	return r;
}
