/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is there inside, and a service that begins otherwise when nothing is. */
#include "test_inside.h"

#include <errno.h>
#include <linux/capability.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/when.h"
#include "psv/inside_look.h"
#include "psv/inside_run.h"
#include "test.h"

#define CAP(c) (1ULL << (c))
#define CAPS (CAP(CAP_DAC_OVERRIDE) | CAP(CAP_SETUID) | CAP(CAP_SETGID) | CAP(CAP_KILL))

/* As many as a configuration may have, which are more than one message takes. */
TEST(inside_look_of_many)
{
	_cleanup_found_ struct inside_found found = { 0 };
	_cleanup_strlist_ struct strlist words = { 0 };
	struct err err = { 0 };
	struct inside_ref ref;
	struct tiny t;

	tiny_start(&t, CAPS);
	ref = inside_ref(t.pid, t.start);
	strlist_add(&words, "root");
	strlist_add(&words, "nobody-knows-him");
	for (unsigned i = 0; i < 1200; i++)
		strlist_addf(&words, "/no such/%090u", i);
	strlist_add(&words, "/etc");
	CHECK_INT(inside_look(&ref, &words, &found, &err), 0);
	CHECK_INT(found.missing.n, 1201);
	CHECK_INT(found.astray.n, 0);
	CHECK(!strlist_has(&found.missing, "root") && !strlist_has(&found.missing, "/etc"));
	CHECK_STR(found.missing.v[0], "nobody-knows-him");
	CHECK_STR(found.missing.v[1200], words.v[1201]);
	strlist_addf(&words, "/%0*u", 1 << 16, 1);
	CHECK_INT(inside_look(&ref, &words, &found, &err), -E2BIG);
	ref.until_ms = now_ms() - 1;
	CHECK_INT(inside_look(&ref, &words, &found, &err), -ETIME);
	tiny_stop(&t);
}

/* PID 1's own look and the program's, for a PID 1 that is older, find the same. */
TEST(inside_look_at_links)
{
	static const char *const words[] = {
		"/tmp/d/there", "/tmp/d/not", "/tmp/d/link", "/tmp/d/link/x", "/tmp/d/nowhere", "/tmp/d/nowhere/x", "/tmp/d/file/x",
		"alice", "ali", "/tmp/d/a b",
	};
	const size_t n = sizeof(words) / sizeof(*words);
	struct err err = { 0 };
	struct tiny t;

	tiny_start(&t, CAPS);
	CHECK_INT(tiny_sh(&t, "mkdir -p /tmp/d/there '/tmp/d/a b' && ln -s there /tmp/d/link && ln -s gone /tmp/d/nowhere && "
			      "touch /tmp/d/there/x /tmp/d/file", NULL), 0);
	for (int way = 0; way < 2; way++) {
		_cleanup_found_ struct inside_found found = { 0 };
		struct inside_ref ref = inside_ref(t.pid, t.start);
		int conn = inside_connect(t.pid, t.start, &err);

		CHECK_INT(way ? inside_look_by_program(&ref, words, n, &found, &err)
			      : inside_look_on(conn, words, n, 10000, &found, &err), 0);
		CHECK_INT(found.missing.n, 5);
		CHECK_STR(found.missing.v[0], "/tmp/d/not");
		CHECK_STR(found.missing.v[1], "/tmp/d/nowhere");
		CHECK_STR(found.missing.v[2], "/tmp/d/nowhere/x");
		CHECK_STR(found.missing.v[3], "/tmp/d/file/x");
		CHECK_STR(found.missing.v[4], "ali");
		CHECK_INT(found.astray.n, 4);
		CHECK_STR(found.astray.v[0], "/tmp/d/link");
		CHECK_STR(found.astray.v[1], "/tmp/d/link/x");
		CHECK_STR(found.astray.v[2], "/tmp/d/nowhere");
		CHECK_STR(found.astray.v[3], "/tmp/d/nowhere/x");
		(void)close(conn);
	}
	t.conn = inside_connect(t.pid, t.start, &err);
	tiny_stop(&t);
}

static int says(struct tiny *t, const char *wanted)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };

	for (int i = 0; i < 200; i++, sleep_ms(10)) {
		strbuf_free(&out);
		out = (struct strbuf){ 0 };
		(void)tiny_sh(t, "cat /tmp/said 2>/dev/null", &out);
		if (strcmp(strbuf_str(&out), wanted) == 0)
			return 0;
	}
	CHECK_STR(strbuf_str(&out), wanted);
	return -1;
}

/* Each start looks anew: the one after a failure, too. */
TEST(inside_service_fresh)
{
	struct inside_service s = { .name = "s" };
	struct err err = { 0 };
	struct tiny t;

	for (int i = 0; i < 2; i++) {
		strlist_add(i ? &s.fresh : &s.argv, "/bin/sh");
		strlist_add(i ? &s.fresh : &s.argv, "-c");
		strlist_addf(i ? &s.fresh : &s.argv, "echo %s >>/tmp/said; touch /tmp/b/record; until [ -e /tmp/end ]; do sleep 0.01; done; "
			     "rm /tmp/end", i ? "fresh" : "again");
	}
	strlist_add(&s.folders, "/tmp/not there");
	strlist_add(&s.folders, "/tmp/a");
	strlist_add(&s.folders, "/tmp/b");
	tiny_start(&t, CAPS);
	CHECK_INT(tiny_sh(&t, "mkdir /tmp/a /tmp/b; touch /tmp/a/.hidden", NULL), 0);
	CHECK_INT(inside_service_start(t.conn, &s, &err), 0);
	CHECK_INT(says(&t, "fresh\n"), 0);
	CHECK_INT(tiny_sh(&t, "touch /tmp/end", NULL), 0);
	CHECK_INT(says(&t, "fresh\nagain\n"), 0);
	/* What is no folder cannot be said to be empty. */
	CHECK_INT(tiny_sh(&t, "rm -r /tmp/a /tmp/b; mkdir /tmp/b; touch /tmp/a /tmp/end", NULL), 0);
	CHECK_INT(says(&t, "fresh\nagain\nagain\n"), 0);
	CHECK_INT(inside_service_act(t.conn, "s", INSIDE_STOP, &err), 0);
	strlist_free(&s.folders);
	strlist_add(&s.folders, "relative");
	CHECK_INT(inside_service_start(t.conn, &s, &err), -EINVAL);
	strlist_free(&s.argv);
	strlist_free(&s.folders);
	strlist_free(&s.fresh);
	tiny_stop(&t);
}
