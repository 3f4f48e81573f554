/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/columns.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/printable.h"
#include "lib/str.h"

void columns_begin(struct columns *c, size_t n)
{
	*c = (struct columns){ .n = n, .right = xcalloc(n, sizeof(*c->right)) };
}

/* The cell as it is printed. */
static char *safe_copy(const char *text)
{
	size_t len = strlen(text), n;
	struct strbuf out = { 0 };

	for (; len; text += n, len -= n) {
		n = *text == '\t' ? 0 : printable_len(text, len);
		if (n) {
			strbuf_add(&out, text, n);
			continue;
		}
		strbuf_addf(&out, "\\x%02x", (unsigned char)*text);
		n = 1;
	}
	return strbuf_steal(&out);
}

void columns_add(struct columns *c, const char *text)
{
	if ((c->n_cells & (c->n_cells - 1)) == 0)
		c->cells = xrealloc(c->cells, c->n_cells ? 2 * c->n_cells : 1, sizeof(*c->cells));
	c->cells[c->n_cells++] = safe_copy(text);
}

/* Of a terminal's columns: East Asian letters take two (Unicode's UAX 11, its wide blocks), combining marks none. */
static size_t width_of(const char *text)
{
	size_t width = 0;

	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		uint32_t c = *p;

		if ((*p & 0xc0) == 0x80)
			continue;
		if (*p >= 0xe0)
			c = *p >= 0xf0 ? 0x10000u | (uint32_t)(*p & 7) << 18 | (uint32_t)(p[1] & 0x3f) << 12 :
					 (uint32_t)(*p & 0xf) << 12 | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
		else if (*p >= 0xc0)
			c = (uint32_t)(*p & 0x1f) << 6 | (p[1] & 0x3f);
		if ((c >= 0x300 && c < 0x370) || (c >= 0x3099 && c < 0x309b))
			continue;
		width += (c >= 0x1100 && c < 0x1160) || (c >= 0x2e80 && c < 0xa4d0) || (c >= 0xac00 && c < 0xd7a4) ||
				 (c >= 0xf900 && c < 0xfb00) || (c >= 0xfe30 && c < 0xfe70) || (c >= 0xff00 && c < 0xff61) ||
				 (c >= 0x20000 && c < 0x40000) ? 2 : 1;
	}
	return width;
}

int columns_print(const struct columns *c, FILE *f)
{
	_cleanup_free_ size_t *widths = xcalloc(c->n, sizeof(*widths));

	for (size_t i = 0; i < c->n_cells; i++) {
		size_t w = width_of(c->cells[i]);

		if (w > widths[i % c->n])
			widths[i % c->n] = w;
	}
	for (size_t i = 0; i < c->n_cells; i++) {
		size_t at = i % c->n, pad = widths[at] - width_of(c->cells[i]);
		bool last = at == c->n - 1;

		(void)fprintf(f, "%*s%s%*s%s", c->right[at] ? (int)pad : 0, "", c->cells[i],
			      c->right[at] || last ? 0 : (int)pad, "", last ? "\n" : " ");
	}
	return ferror(f) ? -EIO : 0;
}

void columns_end(struct columns *c)
{
	for (size_t i = 0; i < c->n_cells; i++)
		free(c->cells[i]);
	free(c->cells);
	free(c->right);
	*c = (struct columns){ 0 };
}
