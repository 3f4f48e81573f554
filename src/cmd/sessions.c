/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sessions. */
#include "psv/nfs_sessions.h"

#include <stdio.h>

#include "cmd/cmd.h"
#include "lib/err.h"
#include "lib/output.h"
#include "psv/samba_sessions.h"

static const struct column session_columns[] = {
	{ "user", "USER", COL_TEXT },           { "client", "CLIENT", COL_TEXT },
	{ "dialect", "DIALECT", COL_TEXT },     { "signing", "SIGNING", COL_TEXT },
	{ "encryption", "ENCRYPTION", COL_TEXT }, { "share_names", "SHARES", COL_LIST },
	{ "file_count", "FILES", COL_NUMBER },  { "lock_count", "LOCKS", COL_NUMBER },
};
static const struct column file_columns[] = {
	{ "user", "USER", COL_TEXT },       { "client", "CLIENT", COL_TEXT },   { "access", "ACCESS", COL_TEXT },
	{ "since", "SINCE", COL_TEXT },     { "share_path", "IN", COL_TEXT },   { "path", "FILE", COL_TEXT },
};

static const struct column nfs_columns[] = {
	{ "client", "NFS CLIENT", COL_TEXT }, { "address", "AT", COL_TEXT }, { "connections", "CONNECTIONS", COL_NUMBER },
};

/* flat: what a table's row shows of a session, and its files as rows of their own. */
static void flat(json_t *session, json_t *files)
{
	json_t *names = json_array(), *o;
	size_t i;

	json_array_foreach(json_object_get(session, "shares"), i, o)
		(void)json_array_append(names, json_object_get(o, "name"));
	(void)json_object_set_new(session, "share_names", names);
	json_array_foreach(json_object_get(session, "files"), i, o) {
		(void)json_object_set(o, "user", json_object_get(session, "user"));
		(void)json_object_set(o, "client", json_object_get(session, "client"));
		(void)json_array_append(files, o);
	}
}

/* print: a table for each kind that there is, which is freed. */
static int print(json_t *list, const char *name, const struct column *columns, size_t n, bool *apart)
{
	if (json_array_size(list) == 0) {
		json_decref(list);
		return 0;
	}
	if (*apart)
		(void)putchar('\n');
	*apart = true;
	return output_list(false, name, list, columns, n);
}

static int print_all(json_t *list, json_t *nfs)
{
	json_t *files = json_array(), *session;
	bool apart = false;
	size_t i;
	int r, next;

	json_array_foreach(list, i, session)
		flat(session, files);
	r = print(list, "sessions", session_columns, sizeof(session_columns) / sizeof(*session_columns), &apart);
	next = print(files, "files", file_columns, sizeof(file_columns) / sizeof(*file_columns), &apart);
	r = r < 0 ? r : next;
	next = print(nfs, "sessions", nfs_columns, sizeof(nfs_columns) / sizeof(*nfs_columns), &apart);
	return r < 0 ? r : next;
}

int cmd_sessions(struct call *c, struct err *err)
{
	json_t *list = NULL, *nfs = json_array(), *session;
	int r = samba_sessions_list(c->psv, c->name, &list, err);
	size_t i;

	if (r == 0)
		r = nfs_sessions_list(c->psv, c->name, nfs, err);
	if (r < 0) {
		json_decref(list);
		json_decref(nfs);
		return r;
	}
	json_array_foreach(list, i, session)
		(void)json_object_set_new(session, "protocol", json_string("smb"));
	if (!c->json)
		return print_all(list, nfs);
	(void)json_array_extend(list, nfs);
	json_decref(nfs);
	return output_json("sessions", list);
}
