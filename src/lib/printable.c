/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Linked into the small programs too: neither stdio nor malloc. */
#include "lib/printable.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* decode: the character at p and its length; 0: no UTF-8. */
static size_t decode(const unsigned char *p, size_t len, uint32_t *ret)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
	uint32_t c;

	if (n == 0 || n > len)
		return 0;
	c = n == 1 ? p[0] : p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < smallest[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	*ret = c;
	return n;
}

static bool is_harmless(uint32_t c)
{
	if (c < ' ')
		return c == '\t';
	if (c >= 0x7f && c < 0xa0) /* DEL and C1: CSI is one of them */
		return false;
	if (c == 0x200e || c == 0x200f || c == 0x61c) /* marks of direction */
		return false;
	/* Line and paragraph separators, embeddings, overrides and isolates. */
	return !(c >= 0x2028 && c <= 0x202e) && !(c >= 0x2066 && c <= 0x2069);
}

size_t printable_len(const char *p, size_t len)
{
	uint32_t c = 0;
	size_t n = len ? decode((const unsigned char *)p, len, &c) : 0;

	return n && is_harmless(c) ? n : 0;
}

void printable_clean(char *text)
{
	size_t len = strlen(text);
	char *out = text;

	while (len > 0) {
		size_t n = printable_len(text, len), step = n ? n : 1;

		/* The rest of a character that is not shown. */
		while (!n && step < len && ((unsigned char)text[step] & 0xc0) == 0x80)
			step++;
		if (n)
			memmove(out, text, n);
		else
			*out = '?';
		out += n ? n : 1;
		text += step;
		len -= step;
	}
	*out = '\0';
}
