/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vsv/safe.h"

#include "lib/printable.h"
#include "vsv/small.h"

void text_add_safe(struct text *t, const char *s, size_t len, bool json)
{
	static const char hex[] = "0123456789abcdef";

	while (len) {
		size_t n = printable_len(s, len);

		if (n && json && (*s == '"' || *s == '\\' || *s == '\t')) {
			text_add(t, *s == '"' ? "\\\"" : *s == '\\' ? "\\\\" : "\\t");
		} else if (n) {
			text_add_n(t, s, n);
		} else {
			char e[] = { hex[(unsigned char)*s >> 4], hex[*s & 15], '\0' };

			text_add(t, json ? "\\\\x" : "\\x");
			text_add(t, e);
			n = 1;
		}
		s += n;
		len -= n;
	}
}
