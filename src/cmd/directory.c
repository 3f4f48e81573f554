/* SPDX-License-Identifier: GPL-2.0-or-later */
/* directory set, show, test. */
#include "psv/directory.h"

#include <errno.h>
#include <stdio.h>

#include "cmd/cmd.h"
#include "cmd/password.h"
#include "lib/err.h"
#include "lib/output.h"

/* Options that are keys of [directory]. */
static const struct {
	const char *option, *key;
} keys[] = {
	{ "type", "type" },
	{ "uri", "uri" },
	{ "base", "base" },
	{ "starttls", "starttls" },
	{ "ca", "ca" },
	{ "bind-dn", "bind dn" },
	{ "secret-file", "secret file" },
	{ "samba-accounts", "samba accounts" },
	{ "domain", "domain" },
	{ "server", "server" },
	{ "realm", "realm" },
	{ "idmap", "idmap" },
	{ "idmap-range", "idmap range" },
};
enum { KEYS = sizeof(keys) / sizeof(*keys) };

int cmd_directory_set(struct call *c, struct err *err)
{
	struct directory_edit edits[KEYS] = { 0 };
	size_t given = 0;
	int r;

	for (size_t i = 0; i < KEYS; i++) {
		edits[i].key = keys[i].key;
		call_options(c, keys[i].option, &edits[i].values);
		given += edits[i].values.n;
	}
	r = given ? directory_set(c->psv, c->name, edits, KEYS, call_notice, err) : usage_error(c, err, "nothing is to be set");
	for (size_t i = 0; i < KEYS; i++)
		strlist_free(&edits[i].values);
	return r;
}

int cmd_directory_show(struct call *c, struct err *err)
{
	static const struct column lines[] = {
		{ "type", "type", COL_TEXT },           { "uris", "servers", COL_LIST },
		{ "base", "base", COL_TEXT },           { "starttls", "StartTLS", COL_BOOL },
		{ "ca", "certificates", COL_TEXT },     { "bind_dn", "bind dn", COL_TEXT },
		{ "secret_file", "secret file", COL_TEXT }, { "samba_accounts", "SMB accounts", COL_TEXT },
		{ "domain", "domain", COL_TEXT },       { "servers", "servers", COL_LIST },
		{ "realm", "domain", COL_TEXT },        { "idmap", "numbers by", COL_TEXT },
		{ "idmap_range", "numbers", COL_TEXT },
	};
	json_t *list = NULL;
	int r = directory_show(c->psv, c->name, &list, err);

	if (r < 0)
		return r;
	if (c->json)
		return output_json("directories", list);
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		output_line(json_array_get(list, 0), &lines[i]);
	json_decref(list);
	return fflush(stdout) == EOF ? -EIO : 0;
}

int cmd_directory_test(struct call *c, struct err *err)
{
	static const struct column columns[] = {
		{ "result", "RESULT", COL_TEXT }, { "step", "STEP", COL_TEXT }, { "what", "WHAT", COL_TEXT },
		{ "hint", "TO DO", COL_TEXT },
	};
	_cleanup_password_ char *password = NULL;
	struct directory_test test = { .user = call_option(c, "user") };
	json_t *list = NULL;
	int r = 0, failed;

	if (call_flag(c, "password-stdin") && !test.user)
		return usage_error(c, err, "--password-stdin needs --user");
	if (call_flag(c, "password-stdin"))
		r = password_take(c, &password, err);
	if (r < 0)
		return r;
	test.password = password;
	failed = directory_test(c->psv, c->name, &test, &list, err);
	if (failed < 0)
		return failed;
	r = output_list(c->json, "steps", list, columns, 4);
	return r < 0 ? r : failed ? VNAS_EXIT_FAILED : 0;
}

int cmd_directory_join(struct call *c, struct err *err)
{
	_cleanup_password_ char *password = NULL;
	struct directory_join j = { .user = call_option(c, "user"), .unit = call_option(c, "ou"), .notice = call_notice };
	int r;

	if (!j.user)
		return usage_error(c, err, "--user is needed: somebody who may add a machine to the domain");
	r = password_ask(c, "Password: ", &password, err);
	if (r < 0)
		return r;
	j.password = password;
	return directory_join(c->psv, c->name, &j, err);
}
