/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is there inside: looked at by a process of PID 1's that runs no program, since each takes longer than most steps of a
 * start.  A PID 1 that is older than the question is asked by a program. */
#include "psv/inside_look.h"

#include <errno.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/when.h"
#include "psv/inside_private.h"
#include "psv/inside_run.h"

enum { LOOK_BYTES = PROTO_MESSAGE_MAX / 4 }; /* a program can say each word twice, and in brief */

void inside_found_free(struct inside_found *f)
{
	strlist_free(&f->missing);
	strlist_free(&f->astray);
}

static int send_words(int conn, const char *const words[], size_t n, struct err *err)
{
	_cleanup_strbuf_ struct strbuf sb = { 0 };
	struct proto_look m = { .argc = (uint32_t)n };

	strbuf_add(&sb, &m, sizeof(m));
	for (size_t i = 0; i < n; i++)
		strbuf_add(&sb, words[i], strlen(words[i]) + 1);
	proto_init((struct proto_header *)(void *)sb.buf, PROTO_LOOK, sb.len);
	return inside_send(conn, sb.buf, sb.len, err);
}

int inside_look_on(int conn, const char *const words[], size_t n, int timeout_ms, struct inside_found *ret, struct err *err)
{
	union inside_message m;
	int r = send_words(conn, words, n, err), type;

	if (r < 0)
		return r;
	type = inside_recv(conn, &m, NULL, 0, NULL, timeout_ms, err);
	if (type < 0)
		return type;
	if (type == PROTO_RESULT && m.result.error == -EOPNOTSUPP)
		return INSIDE_LOOK_OLDER;
	if (type != PROTO_LOOKED || m.looked.head.n != n)
		return err_set(err, -EBADMSG, "the first process of the virtual server did not look");
	for (size_t i = 0; i < n; i++) {
		if (!(m.looked.found[i] & PROTO_LOOK_THERE))
			strlist_add(&ret->missing, words[i]);
		if (m.looked.found[i] & PROTO_LOOK_ASTRAY)
			strlist_add(&ret->astray, words[i]);
	}
	return 0;
}

/* It runs no further program. */
static const char look[] = "for word; do\n"
			   "\tpath=$word there=\n"
			   "\tcase $word in\n"
			   "\t/*) [ ! -e \"$word\" ] || there=1 ;;\n"
			   "\t*) while IFS=: read -r name rest; do [ \"$name\" != \"$word\" ] || there=1; done </etc/passwd ;;\n"
			   "\tesac\n"
			   "\t[ \"$there\" ] || printf -- '-%s\\n' \"$word\"\n"
			   "\twhile [ \"${path#/}\" != \"$path\" ]; do\n"
			   "\t\t[ ! -L \"$path\" ] || { printf '=%s\\n' \"$word\"; break; }\n"
			   "\t\tpath=${path%/*}\n"
			   "\tdone\n"
			   "done\n";

int inside_look_by_program(const struct inside_ref *ref, const char *const words[], size_t n, struct inside_found *ret,
			   struct err *err)
{
	_cleanup_strlist_ struct strlist argv = { 0 }, answers = { 0 };
	_cleanup_strbuf_ struct strbuf said = { 0 };
	const struct inside_ref brief = inside_brief(ref);
	int r;

	strlist_add(&argv, "sh");
	strlist_add(&argv, "-c");
	strlist_add(&argv, look);
	strlist_add(&argv, "look");
	for (size_t i = 0; i < n; i++)
		strlist_add(&argv, words[i]);
	r = inside_run(&brief, (const char *const *)argv.v, NULL, &said, err);
	if (r != 0)
		return r < 0 ? r : err_set(err, -EIO, "a look at what is there failed with status %d", r);
	strlist_split(&answers, strbuf_str(&said), "\n");
	/* It is a tenant's word. */
	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *missing = xasprintf("-%s", words[i]), *astray = xasprintf("=%s", words[i]);

		if (strlist_has(&answers, missing))
			strlist_add(&ret->missing, words[i]);
		if (strlist_has(&answers, astray))
			strlist_add(&ret->astray, words[i]);
	}
	return 0;
}

static int look_at(const struct inside_ref *ref, const char *const words[], size_t n, struct inside_found *ret, struct err *err)
{
	const int64_t left_ms = ref->until_ms - now_ms();
	_cleanup_close_ int conn = -1;
	int r;

	if (left_ms <= 0)
		return err_set(err, -ETIME, "the programs before a look inside took all the time");
	conn = inside_connect(ref->pid, ref->start, err);
	if (conn < 0)
		return conn;
	r = inside_look_on(conn, words, n, (int)left_ms, ret, err);
	return r == INSIDE_LOOK_OLDER ? inside_look_by_program(ref, words, n, ret, err) : r;
}

int inside_look(const struct inside_ref *ref, const struct strlist *words, struct inside_found *ret, struct err *err)
{
	int r = 0;

	/* As many as one message takes, see proto.h. */
	for (size_t from = 0, at = 0; r == 0 && at < words->n; from = at) {
		size_t bytes = 0;

		while (at < words->n && at - from < INSIDE_LOOK_WORDS && (bytes += strlen(words->v[at]) + 1) < LOOK_BYTES)
			at++;
		if (at == from)
			return err_set(err, -E2BIG, "a path is longer than %d bytes", LOOK_BYTES);
		r = look_at(ref, (const char *const *)words->v + from, at - from, ret, err);
	}
	return r;
}
