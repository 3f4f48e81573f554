/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psv/inside_run.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/printable.h"
#include "lib/str.h"
#include "lib/when.h"
#include "psv/inside.h"
#include "psv/psv.h"

enum { VERB_MS = 30 * 1000, BRIEF_BYTES = 64 * 1024 };

struct inside_ref inside_ref(pid_t pid, uint64_t start)
{
	return inside_ref_within(pid, start, VERB_MS);
}

struct inside_ref inside_ref_within(pid_t pid, uint64_t start, int time_ms)
{
	return (struct inside_ref){ .pid = pid, .start = start, .until_ms = now_ms() + time_ms };
}

int inside_find(const struct psv *psv, const char *name, struct inside_ref *ret, struct err *err)
{
	struct state st = { 0 };
	int r = psv_require(psv, name, err);

	if (r == 0)
		r = state_read(psv, name, &st, err);
	if (r < 0)
		return r;
	r = 1;
	if (state_phase(psv, name, &st) == VSV_RUNNING && st.init_pid > 0) {
		*ret = inside_ref(st.init_pid, st.init_start);
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

struct inside_ref inside_brief(const struct inside_ref *ref)
{
	struct inside_ref brief = *ref;

	brief.said_max = BRIEF_BYTES;
	return brief;
}

int inside_run(const struct inside_ref *ref, const char *const argv[], const char *input, struct strbuf *output,
	       struct err *err)
{
	_cleanup_strbuf_ struct strbuf ignored = { 0 };
	int64_t left_ms = ref->until_ms - now_ms();
	struct inside_exec e = { .argv = argv, .input = input ? input : "", .output = output ? output : &ignored,
				 .output_max = ref->said_max };
	_cleanup_close_ int conn = -1;
	int r;

	if (left_ms <= 0)
		return err_set(err, -ETIME, "%s was not run: the programs before it took all the time", argv[0]);
	e.timeout_ms = (int)left_ms;
	conn = inside_connect(ref->pid, ref->start, err);
	if (conn < 0)
		return conn;
	r = inside_exec(conn, &e, err);
	if (r >= 0 && ref->said_max && e.output->len > ref->said_max)
		return err_set(err, -EFBIG, "%s inside said more than %zu bytes", argv[0], ref->said_max);
	if (r == -ETIME)
		return err_hint(err, r, "%s inside does not end; a look from there: vnas shell", argv[0]);
	return r;
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
	printable_clean(line);
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
