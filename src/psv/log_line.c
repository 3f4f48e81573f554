/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psv/log_line.h"

#include <string.h>

#include "lib/str.h"

/* A piece of the line. */
struct piece {
	const char *s;
	size_t len;
};

/* cut: what stands before the first `mark`, which is taken away with it.  false: there is none. */
static bool cut(struct piece *rest, const char *mark, struct piece *ret)
{
	const char *at = memmem(rest->s, rest->len, mark, strlen(mark));

	if (!at)
		return false;
	*ret = (struct piece){ rest->s, (size_t)(at - rest->s) };
	rest->len -= ret->len + strlen(mark);
	rest->s = at + strlen(mark);
	return true;
}

static json_t *string_of(const struct piece *p)
{
	json_t *j = json_stringn(p->s, p->len);

	return j ? j : json_string("");
}

static json_t *pid_of(const struct piece *p)
{
	char text[16];
	uint32_t pid;

	(void)str_format(text, sizeof(text), "%.*s", (int)p->len, p->s);
	return parse_u32(text, INT32_MAX, &pid) == 0 && pid ? json_integer(pid) : json_null();
}

json_t *log_line_json(const char *line, size_t len)
{
	struct piece rest = { line, len }, time = { line, 0 }, who = { line, 0 }, tag, pid, facility;
	json_t *o = json_object();

	(void)cut(&rest, " ", &time);
	(void)cut(&rest, ": ", &who);
	json_object_set_new(o, "time", string_of(&time));
	if (cut(&who, "[", &tag) && cut(&who, "] ", &pid) && cut(&who, ".", &facility)) {
		json_object_set_new(o, "name", string_of(&tag));
		json_object_set_new(o, "pid", pid_of(&pid));
		json_object_set_new(o, "facility", string_of(&facility));
		json_object_set_new(o, "severity", string_of(&who));
	} else {
		json_object_set_new(o, "name", string_of(&who));
		json_object_set_new(o, "pid", json_null());
		json_object_set_new(o, "facility", json_null());
		json_object_set_new(o, "severity", json_null());
	}
	json_object_set_new(o, "text", string_of(&rest));
	return o;
}
