/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "directory/ldif.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

/* next_line: cuts a line off *text and joins it with those that go on with it; NULL: the end. */
static char *next_line(char **text)
{
	char *line = *text, *out, *in;

	if (*line == '\0')
		return NULL;
	for (out = in = line; *in; in++) {
		if (*in != '\n') {
			*out++ = *in;
			continue;
		}
		if (in[1] != ' ') {
			in++;
			break;
		}
		in++; /* the new line, and the blank with the loop's own step */
	}
	*text = in;
	*out = '\0';
	return line;
}

static int base64_digit(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *p = c ? strchr(digits, c) : NULL;

	return p ? (int)(p - digits) : -1;
}

/* decode: in place; stops at what is no digit. */
static void decode(char *s)
{
	unsigned bits = 0, have = 0;
	char *out = s;

	for (; base64_digit(*s) >= 0; s++) {
		bits = (bits << 6 | (unsigned)base64_digit(*s)) & 0xffff;
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		*out++ = (char)(bits >> have & 0xff);
	}
	*out = '\0';
}

/* cut: "name: value" or "name:: base64". */
static bool cut(char *line, struct ldif_attribute *ret)
{
	char *colon = strchr(line, ':');
	bool coded;

	if (!colon || colon == line || *line == '#')
		return false;
	coded = colon[1] == ':';
	*colon = '\0';
	ret->name = line;
	ret->value = colon + 1 + coded;
	ret->value += strspn(ret->value, " ");
	if (coded)
		decode(ret->value);
	return true;
}

int ldif_next(char **text, struct ldif_entry *ret)
{
	char *line;

	ret->n = 0;
	while ((line = next_line(text))) {
		if (*line == '\0' && ret->n > 0)
			return 1;
		if (ret->n < LDIF_ATTRIBUTES_MAX && cut(line, &ret->v[ret->n]))
			ret->n++;
	}
	return ret->n > 0;
}

const char *ldif_get(const struct ldif_entry *e, const char *name)
{
	for (size_t i = 0; i < e->n; i++)
		if (strcasecmp(e->v[i].name, name) == 0)
			return e->v[i].value;
	return NULL;
}
