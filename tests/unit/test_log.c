/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The log's smaller parts: what comes over /dev/log, times that people write, lines as JSON. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "lib/str.h"
#include "lib/when.h"
#include "psv/log_line.h"
#include "test.h"
#include "vsv/syslog.h"

TEST(log_syslog_is_parsed)
{
	static const struct {
		const char *msg, *tag, *text;
		unsigned priority;
	} cases[] = {
		{ "<38>Nov 26 21:00:00 sshd[123]: Accepted key", "sshd", "Accepted key", 38 },
		{ "<86>Nov  6 21:00:00 useradd: new user: name=a", "useradd", "new user: name=a", 86 },
		{ "<30>Nov 26 21:00:00 postfix/smtpd[1]:x", "postfix_smtpd", "x", 30 },
		{ "no head at all", "unknown", "no head at all", 13 },
		{ "<192>a: b", "192_a", "b", 13 }, /* no facility of that number */
		{ "<0>a: b\n", "a", "b", 0 },
		{ "<13>[7]: b", "unknown", "[7]: b", 13 },
		{ "<13>a[7: b", "unknown", "a[7: b", 13 },
		{ "<13>..--: b", "unknown", "b", 13 },
		{ "<13>-a b: c", "unknown", "-a b: c", 13 },
		{ "<13>a-name-that-is-longer-than-a-field-has: x", "a-name-that-is-longer-than-a-fi", "x", 13 },
		{ "", "unknown", "", 13 },
		{ "<", "unknown", "<", 13 },
		{ "<13", "unknown", "<13", 13 },
		{ "<13>", "unknown", "", 13 },
		{ "<13>a:", "a", "", 13 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[128];
		struct syslog_line l;

		syslog_parse(cases[i].msg, strlen(cases[i].msg), &l);
		(void)str_format(text, sizeof(text), "%.*s", (int)l.len, l.text);
		CHECK_STR(l.tag, cases[i].tag);
		CHECK_STR(text, cases[i].text);
		CHECK_INT(l.priority, cases[i].priority);
	}
}

static int64_t when(const char *s)
{
	const int64_t now = INT64_C(1795730400) * 1000000000; /* 2026-11-26T22:00:00Z */
	int64_t ns = -1;
	int r = when_parse(s, now, &ns);

	return r < 0 ? r : ns / 1000000;
}

TEST(log_times_are_parsed)
{
	static const char *const wrong[] = {
		"", "x", "10", "10x", "10m ", " 10m", "-10m", "99999999999999w", "2026", "2026-13-01", "2026-02-30",
		"2026-02-30T00:00:00Z", "2026-11-26T25:00", "2026-11-26T21:00:00X", "2026-11-26T21:00:00+1",
		"2026-11-26T21:00:00+24:00", "1969-12-31T00:00:00Z", "9999-01-01", "yesterdays", "2026-11-26T",
		"2026-11-26T21:00:00Z ",
	};
	char buf[32];

	CHECK_INT(setenv("TZ", "UTC0", 1), 0);
	CHECK_INT(when("now"), 1795730400000);
	CHECK_INT(when("90s"), 1795730310000);
	CHECK_INT(when("10m"), 1795729800000);
	CHECK_INT(when("2h"), 1795723200000);
	CHECK_INT(when("3d"), 1795471200000);
	CHECK_INT(when("1w"), 1795125600000);
	CHECK_INT(when("99999w"), 0);
	CHECK_INT(when("today"), 1795651200000);
	CHECK_INT(when("yesterday"), 1795564800000);
	CHECK_INT(when("2026-11-26"), 1795651200000);
	CHECK_INT(when("2026-11-26T21:00:00.25Z"), 1795726800250);
	CHECK_INT(when("2026-11-26T21:00:00+09:00"), 1795694400000);
	CHECK_INT(when("2026-11-26 21:00"), 1795726800000);
	CHECK_INT(setenv("TZ", "JST-9", 1), 0);
	CHECK_INT(when("2026-11-26 21:00"), 1795694400000);
	CHECK_INT(when("today"), 1795705200000);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		if (when(wrong[i]) != -EINVAL)
			test_fail(__FILE__, __LINE__, wrong[i]);
	CHECK_STR(when_text(INT64_C(1795730400000001999), buf, sizeof(buf)), "2026-11-26T22:00:00.000001Z");
}

static void check_line(const char *line, const char *wanted)
{
	json_t *o = log_line_json(line, strlen(line));
	char *text = json_dumps(o, JSON_COMPACT);

	CHECK_STR(text, wanted);
	free(text);
	json_decref(o);
}

TEST(log_lines_become_json)
{
	check_line("2026-11-26T21:00:00.000000Z smbd: a: b \"c\"",
		   "{\"time\":\"2026-11-26T21:00:00.000000Z\",\"name\":\"smbd\",\"pid\":null,\"facility\":null,"
		   "\"severity\":null,\"text\":\"a: b \\\"c\\\"\"}");
	check_line("2026-11-26T21:00:00.000000Z sshd[12] auth.info: x[1] y.z: w",
		   "{\"time\":\"2026-11-26T21:00:00.000000Z\",\"name\":\"sshd\",\"pid\":12,\"facility\":\"auth\","
		   "\"severity\":\"info\",\"text\":\"x[1] y.z: w\"}");
	check_line("\xff", "{\"time\":\"\",\"name\":\"\",\"pid\":null,\"facility\":null,\"severity\":null,\"text\":\"\"}");
}
