/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vsv/syslog.h"

#include <stdbool.h>
#include <string.h>

#include "vsv/small.h"

enum { PRIORITY_DEFAULT = 13, PRIORITY_LIMIT = SYSLOG_FACILITIES << 3, TAG_SEEN_MAX = 64 };

/* What is left of the message. */
struct rest {
	const char *p;
	size_t len;
};

static void skip(struct rest *r, size_t n)
{
	r->p += n;
	r->len -= n;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static uint8_t take_priority(struct rest *r)
{
	unsigned v = 0;
	size_t n = 1;

	if (r->len < 3 || r->p[0] != '<')
		return PRIORITY_DEFAULT;
	for (; n < r->len && n <= 3 && is_digit(r->p[n]); n++)
		v = v * 10 + (unsigned)(r->p[n] - '0');
	if (n == 1 || n == r->len || r->p[n] != '>' || v >= PRIORITY_LIMIT)
		return PRIORITY_DEFAULT;
	skip(r, n + 1);
	return (uint8_t)v;
}

/* The sender's clock is not looked at: PID 1 has its own. */
static void skip_time(struct rest *r)
{
	static const char shape[] = "Aaa _0 00:00:00 "; /* '_': a digit or a space */

	if (r->len < sizeof(shape) - 1)
		return;
	for (size_t i = 0; i < sizeof(shape) - 1; i++) {
		char c = r->p[i], s = shape[i];
		bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');

		if (s == 'A' || s == 'a' ? !letter : s == '0' ? !is_digit(c) : s == '_' ? !is_digit(c) && c != ' ' : c != s)
			return;
	}
	skip(r, sizeof(shape) - 1);
}

static void set_tag(char tag[PROTO_NAME_MAX], const char *p, size_t n)
{
	struct text t = { .buf = tag, .size = PROTO_NAME_MAX };

	for (size_t i = 0; i < n; i++) {
		char one[2] = { p[i], '\0' };

		text_add_n(&t, proto_name_ok(one) || p[i] == '.' || p[i] == '-' ? one : "_", 1);
	}
	while (tag[0] && !proto_name_ok(tag))
		memmove(tag, tag + 1, strlen(tag));
	if (!tag[0])
		copy_str(tag, PROTO_NAME_MAX, "unknown");
}

/* take_tag: "TAG:", "TAG[PID]:", also without the space after it. */
static void take_tag(struct rest *r, char tag[PROTO_NAME_MAX])
{
	size_t n = 0, end;

	tag[0] = '\0';
	while (n < r->len && n < TAG_SEEN_MAX && r->p[n] > ' ' && r->p[n] != ':' && r->p[n] != '[')
		n++;
	end = n;
	if (end < r->len && r->p[end] == '[') {
		for (end++; end < r->len && end - n < TAG_SEEN_MAX && r->p[end] > ' ' && r->p[end] != ']';)
			end++;
		end += end < r->len && r->p[end] == ']';
	}
	if (n == 0 || end >= r->len || r->p[end] != ':') {
		set_tag(tag, "", 0);
		return;
	}
	set_tag(tag, r->p, n);
	skip(r, end + 1);
	if (r->len && *r->p == ' ')
		skip(r, 1);
}

void syslog_parse(const char *msg, size_t len, struct syslog_line *ret)
{
	struct rest r = { msg, len };

	while (r.len && (r.p[r.len - 1] == '\n' || r.p[r.len - 1] == '\0'))
		r.len--;
	ret->priority = take_priority(&r);
	skip_time(&r);
	take_tag(&r, ret->tag);
	ret->text = r.p;
	ret->len = r.len;
}
