/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psv/inside_run.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/str.h"
#include "psv/inside.h"
#include "psv/psv.h"

enum { COMMAND_MS = 60 * 1000 };

int inside_find(const struct psv *psv, const char *name, struct inside_ref *ret, struct err *err)
{
	struct state st = { 0 };
	int r;

	if (!psv_exists(psv, name))
		return err_exit(err, VNAS_EXIT_NO_SUCH, -ENOENT, "there is no virtual file server of that name");
	r = state_read(psv, name, &st, err);
	if (r < 0)
		return r;
	r = 1;
	if (state_phase(psv, name, &st) == VSV_RUNNING && st.init_pid > 0) {
		*ret = (struct inside_ref){ .pid = st.init_pid, .start = st.init_start };
		r = 0;
	}
	state_free(&st);
	return r;
}

int inside_require(const struct psv *psv, const char *name, struct inside_ref *ret, struct err *err)
{
	int r = inside_find(psv, name, ret, err);

	if (r <= 0)
		return r;
	(void)err_exit(err, VNAS_EXIT_NOT_RUNNING, -ESRCH, "it does not run");
	return err_hint(err, -ESRCH, "start it: vnas start %s", name);
}

int inside_run(const struct inside_ref *ref, const char *const argv[], const char *input, struct strbuf *output,
	       struct err *err)
{
	_cleanup_strbuf_ struct strbuf ignored = { 0 };
	_cleanup_close_ int conn = inside_connect(ref->pid, ref->start, err);
	const struct inside_exec e = {
		.argv = argv, .input = input ? input : "", .output = output ? output : &ignored, .timeout_ms = COMMAND_MS,
	};

	if (conn < 0)
		return conn;
	return inside_exec(conn, &e, err);
}

/* last_line: what a command said last, made harmless: it is a tenant's word that goes to an administrator's terminal. */
static char *last_line(struct strbuf *said)
{
	char *text, *line;

	while (said->len > 0 && isspace((unsigned char)said->buf[said->len - 1]))
		said->buf[--said->len] = '\0';
	text = said->len ? said->buf : NULL;
	if (!text)
		return NULL;
	line = strrchr(text, '\n');
	line = line ? line + 1 : text;
	for (char *p = line; *p; p++)
		if (iscntrl((unsigned char)*p))
			*p = '?';
	return line;
}

int inside_must(const struct inside_ref *ref, const char *const argv[], const char *input, struct err *err)
{
	_cleanup_strbuf_ struct strbuf said = { 0 };
	int status = inside_run(ref, argv, input, &said, err);
	const char *words;

	if (status <= 0)
		return status;
	words = last_line(&said);
	return err_set(err, -EIO, "%s failed with status %d%s%.200s", argv[0], status, words ? ": " : "", words ? words : "");
}
