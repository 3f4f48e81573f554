/* SPDX-License-Identifier: GPL-2.0-or-later */
/* user add, remove, list, passwd. */
#include "psv/users.h"

#include <errno.h>

#include "cmd/cmd.h"
#include "cmd/password.h"
#include "cmd/pick.h"
#include "lib/err.h"
#include "lib/output.h"
#include "psv/inside_run.h"
#include "psv/users_import.h"

int cmd_user_add(struct call *c, struct err *err)
{
	_cleanup_strlist_ struct strlist groups = { 0 };
	_cleanup_password_ char *password = NULL;
	struct user_new user = { .name = c->words.v[0], .groups = &groups };
	struct inside_ref ref;
	int r = pick_number(c, "uid", &user.uid, err);

	if (r == 0)
		r = inside_require(c->psv, c->name, &ref, err); /* before a password is asked for */
	if (r == 0)
		r = password_take(c, &password, err);
	if (r < 0)
		return r;
	call_options(c, "group", &groups);
	user.password = password;
	return users_add(c->psv, c->name, &user, err);
}

int cmd_user_remove(struct call *c, struct err *err)
{
	return users_remove(c->psv, c->name, c->words.v[0], err);
}

int cmd_user_passwd(struct call *c, struct err *err)
{
	_cleanup_password_ char *password = NULL;
	struct inside_ref ref;
	int r = inside_require(c->psv, c->name, &ref, err);

	if (r == 0)
		r = password_take(c, &password, err);
	return r < 0 ? r : users_passwd(c->psv, c->name, c->words.v[0], password, err);
}

int cmd_user_import(struct call *c, struct err *err)
{
	const struct users_import from = {
		.passwd = call_option(c, "passwd"),
		.shadow = call_option(c, "shadow"),
		.group = call_option(c, "group"),
		.smbpasswd = call_option(c, "smbpasswd"),
		.tdbsam = call_option(c, "tdbsam"),
	};

	if (!from.passwd)
		return usage_error(c, err, "--passwd is needed");
	if (from.smbpasswd && from.tdbsam)
		return usage_error(c, err, "--smbpasswd and --tdbsam exclude each other");
	return users_import(c->psv, c->name, &from, call_notice, err);
}

int cmd_user_list(struct call *c, struct err *err)
{
	static const struct column columns[] = {
		{ "name", "USER", COL_TEXT },    { "uid", "UID", COL_NUMBER }, { "group", "GROUP", COL_TEXT },
		{ "groups", "GROUPS", COL_LIST }, { "source", "FROM", COL_TEXT },  { "smb", "SMB", COL_BOOL },
	};
	json_t *list = NULL;
	int r = users_list(c->psv, c->name, call_notice, &list, err);

	if (r == 0)
		r = pick_one(c, "user", &list, err);
	return r < 0 ? r : output_list(c->json, "users", list, columns, 6);
}
