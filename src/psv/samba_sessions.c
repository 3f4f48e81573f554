/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An account that is gone opens no new session, but one that is open would last as long as its client likes.  One smbd
 * serves one connection: the one that is told to end ends the session, and whoever else shares the connection (a terminal
 * server's users) connects again.  What smbstatus says comes from the inside and is read as such. */
#include "psv/samba_sessions.h"

#include <errno.h>
#include <jansson.h>
#include <stdint.h>
#include <string.h>

#include "lib/err.h"
#include "lib/str.h"
#include "psv/inside_run.h"
#include "service/samba.h"

enum { SESSIONS_MAX = 4096 };

/* session_pid: the process (a number of the inside) that serves a session of the user; NULL: not of that user. */
static const char *session_pid(const json_t *session, const char *user)
{
	const char *name = json_string_value(json_object_get(session, "username"));
	const char *pid = json_string_value(json_object_get(json_object_get(session, "server_id"), "pid"));
	uint32_t number;

	if (!name || !pid || strcmp(name, user) != 0)
		return NULL;
	return parse_u32(pid, INT32_MAX, &number) == 0 && number > 1 ? pid : NULL;
}

static void find_pids(const char *text, const char *user, struct strlist *ret)
{
	json_t *all = json_loads(text, 0, NULL), *session;
	const char *key;

	json_object_foreach(json_object_get(all, "sessions"), key, session) {
		const char *pid = session_pid(session, user);

		if (pid && !strlist_has(ret, pid) && ret->n < SESSIONS_MAX)
			strlist_add(ret, pid);
	}
	json_decref(all);
}

int samba_sessions_end(const struct inside_ref *ref, const char *user, struct err *err)
{
	_cleanup_strbuf_ struct strbuf text = { 0 };
	_cleanup_strlist_ struct strlist pids = { 0 };
	int r = inside_run(ref, (const char *const[]){ "smbstatus", "-s", SAMBA_CONF_INSIDE, "--json", NULL }, NULL, &text, err);

	if (r < 0)
		return r;
	/* smbstatus may write a line of its own before the object. */
	find_pids(strchr(strbuf_str(&text), '{') ? strchr(strbuf_str(&text), '{') : "", user, &pids);
	for (size_t i = 0; i < pids.n; i++) {
		/* One that ended meanwhile is no failure. */
		r = inside_run(ref, (const char *const[]){ "smbcontrol", "-s", SAMBA_CONF_INSIDE, pids.v[i], "shutdown", NULL },
			       NULL, NULL, err);
		if (r < 0)
			return r;
	}
	return 0;
}
