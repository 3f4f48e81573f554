/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sessions. */
#include "psv/samba_sessions.h"

#include <stdio.h>

#include "cmd/cmd.h"
#include "lib/err.h"
#include "lib/output.h"

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

int cmd_sessions(struct call *c, struct err *err)
{
	json_t *list = NULL, *files, *session;
	int r = samba_sessions_list(c->psv, c->name, &list, err);
	size_t i;

	if (r < 0)
		return r;
	if (c->json)
		return output_json("sessions", list);
	files = json_array();
	json_array_foreach(list, i, session)
		flat(session, files);
	r = output_list(false, "sessions", list, session_columns, sizeof(session_columns) / sizeof(*session_columns));
	if (r == 0 && json_array_size(files) > 0) {
		(void)putchar('\n');
		return output_list(false, "files", files, file_columns, sizeof(file_columns) / sizeof(*file_columns));
	}
	json_decref(files);
	return r;
}
