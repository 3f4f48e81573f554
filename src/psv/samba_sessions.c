/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An account that is gone opens no new session, but one that is open would last as long as its client likes.  One smbd
 * serves one connection: the one that is told to end ends the session, and whoever else shares the connection (a terminal
 * server's users) connects again. */
#include "psv/samba_sessions.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/str.h"
#include "psv/conf.h"
#include "psv/inside_run.h"
#include "psv/psv.h"
#include "psv/smbstatus.h"
#include "service/samba.h"

static int status_of(const struct inside_ref *ref, const char *const options[], json_t **ret, struct err *err)
{
	_cleanup_strlist_ struct strlist argv = { 0 };
	_cleanup_strbuf_ struct strbuf text = { 0 };
	int r;

	strlist_split(&argv, "smbstatus -s " SAMBA_CONF_INSIDE " --json", " ");
	for (size_t i = 0; options[i]; i++)
		strlist_add(&argv, options[i]);
	r = inside_run(ref, (const char *const *)argv.v, NULL, &text, err);
	return r < 0 ? r : smbstatus_parse(strbuf_str(&text), text.len, ret, err);
}

static int is_served(const struct psv *psv, const char *server, struct err *err)
{
	char path[PATH_MAX];
	struct conf conf = { 0 };
	int r = conf_read(psv_conf_path(psv, server, path), server, &conf, err);

	if (r == 0)
		r = conf.smb_enabled;
	conf_free(&conf);
	return r;
}

int samba_sessions_list(const struct psv *psv, const char *server, json_t **ret, struct err *err)
{
	struct inside_ref ref;
	int r = inside_require(psv, server, &ref, err);

	if (r == 0)
		r = is_served(psv, server, err);
	if (r < 0)
		return r;
	if (r == 0) {
		*ret = json_array();
		return 0;
	}
	return status_of(&ref, (const char *const[]){ "--byterange", NULL }, ret, err);
}

int samba_sessions_end(const struct inside_ref *ref, const char *user, struct err *err)
{
	_cleanup_strlist_ struct strlist pids = { 0 };
	json_t *sessions = NULL, *session;
	size_t n;
	int r = status_of(ref, (const char *const[]){ "--processes", NULL }, &sessions, err);

	if (r < 0)
		return r;
	json_array_foreach(sessions, n, session) {
		const char *name = json_string_value(json_object_get(session, "user"));
		_cleanup_free_ char *pid =
			xasprintf("%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(session, "pid")));

		if (name && strcmp(name, user) == 0 && !strlist_has(&pids, pid))
			strlist_add(&pids, pid);
	}
	json_decref(sessions);
	for (size_t i = 0; i < pids.n; i++) {
		/* One that ended meanwhile is no failure. */
		r = inside_run(ref, (const char *const[]){ "smbcontrol", "-s", SAMBA_CONF_INSIDE, pids.v[i], "shutdown", NULL },
			       NULL, NULL, err);
		if (r < 0)
			return r;
	}
	return 0;
}
