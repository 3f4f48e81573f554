/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text to lines.  The parser and the editor both see a file through this, so that they cannot differ on what a line
 * is. */
#include "psv/conf_internal.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

bool conf_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct conf_slice trim(const char *s, const char *end)
{
	while (s < end && conf_is_blank(*s))
		s++;
	while (end > s && conf_is_blank(end[-1]))
		end--;
	return (struct conf_slice){ .s = s, .len = (size_t)(end - s) };
}

static void scan_section(struct conf_slice text, struct conf_line *l)
{
	const char *end = text.s + text.len, *word;
	struct conf_slice inner;

	if (end[-1] != ']') {
		l->kind = CONF_LINE_BAD;
		l->why = "a section has no ']' at its end: expected [SECTION] or [SECTION NAME]";
		return;
	}
	l->kind = CONF_LINE_SECTION;
	inner = trim(text.s + 1, end - 1);
	end = inner.s + inner.len;
	for (word = inner.s; word < end && !conf_is_blank(*word);)
		word++;
	l->name = (struct conf_slice){ .s = inner.s, .len = (size_t)(word - inner.s) };
	l->value = trim(word, end);
}

void conf_line_scan(const char *p, const char *end, struct conf_line *ret)
{
	const char *nl = memchr(p, '\n', (size_t)(end - p)), *stop = nl ? nl : end, *equals;
	struct conf_slice text = trim(p, stop);

	*ret = (struct conf_line){ .kind = CONF_LINE_BLANK,
				   .whole = { .s = p, .len = (size_t)(stop - p) },
				   .next = nl ? nl + 1 : end };
	if (text.len == 0)
		return;
	if (*text.s == '#') {
		ret->kind = CONF_LINE_COMMENT;
		return;
	}
	if (*text.s == '[') {
		scan_section(text, ret);
		return;
	}
	equals = memchr(text.s, '=', text.len);
	if (!equals || equals == text.s) {
		ret->kind = CONF_LINE_BAD;
		ret->why = equals ? "a line has no key before its '=': expected KEY = VALUE"
				  : "a line is neither a section, a key nor a comment: expected [SECTION], KEY = VALUE or "
				    "# COMMENT";
		return;
	}
	ret->kind = CONF_LINE_KEY;
	ret->name = trim(text.s, equals);
	ret->value = trim(equals + 1, text.s + text.len);
}

/* One character; 0: not UTF-8 (cut, overlong, surrogate or too large). */
static size_t decode(const unsigned char *s, size_t len, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = s[0] < 0x80 ? 1 : s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 ? 4 : 0;
	uint32_t c;

	if (n == 0 || n > len)
		return 0;
	c = n == 1 ? s[0] : s[0] & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if (s[i] >> 6 != 2)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret = c;
	return n;
}

/* What would let a line look like something else than it is: adopt shows an administrator what a foreign disk asks
 * for. */
static bool is_deceptive(uint32_t c)
{
	return c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) ||
	       c == 0xfeff;
}

const char *conf_text_check(const char *s, size_t len)
{
	const unsigned char *p = (const unsigned char *)s;

	while (len) {
		uint32_t c;
		size_t n;

		if (*p >= 0x20 && *p < 0x7f) {
			p++;
			len--;
			continue;
		}
		n = decode(p, len, &c);
		if (n == 0)
			return "text that is not UTF-8";
		if (c == '\r')
			return "a carriage return (lines end with a new line alone)";
		if (c == 0)
			return "a NUL byte";
		if ((c < 0x20 && c != '\t') || (c >= 0x7f && c < 0xa0))
			return "a control character";
		if (is_deceptive(c))
			return "an invisible character that changes the direction or the lines of the text";
		p += n;
		len -= n;
	}
	return NULL;
}

bool conf_key_fold(enum conf_section section, struct conf_slice key, char *buf, size_t size)
{
	bool passed = section == CONF_SECTION_SMB ||
		      (section == CONF_SECTION_SHARE && key.len >= 4 && memcmp(key.s, "smb.", 4) == 0);
	size_t n = 0;

	for (size_t i = 0; i < key.len; i++) {
		char c = key.s[i];

		if (n + 1 >= size)
			return false;
		if (!passed)
			buf[n++] = c == '_' ? ' ' : c;
		else if (!conf_is_blank(c))
			buf[n++] = (char)tolower((unsigned char)c);
	}
	buf[n] = '\0';
	return true;
}

enum conf_section conf_section_find(struct conf_slice name)
{
	for (size_t i = 0; i < CONF_SECTIONS; i++)
		if (strlen(conf_sections[i].name) == name.len && memcmp(conf_sections[i].name, name.s, name.len) == 0)
			return (enum conf_section)i;
	return CONF_SECTIONS;
}
