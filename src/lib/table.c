/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/table.h"

#include <stdint.h>
#include <string.h>

#include "lib/printable.h"

/* What an East Asian terminal shows two cells wide (Unicode, UAX 11: W and F), by and large. */
static const struct {
	uint32_t from, to;
} wide[] = {
	{ 0x1100, 0x115f },   { 0x2e80, 0x303e },   { 0x3041, 0xa4cf },   { 0xac00, 0xd7a3 },   { 0xf900, 0xfaff },
	{ 0xfe30, 0xfe6f },   { 0xff00, 0xff60 },   { 0xffe0, 0xffe6 },   { 0x1f300, 0x1f64f }, { 0x1f900, 0x1f9ff },
	{ 0x20000, 0x3fffd },
};

/* cells_of: a character of that many bytes, which is UTF-8. */
static size_t cells_of(const char *p, size_t bytes)
{
	uint32_t c = bytes == 1 ? (unsigned char)*p : (unsigned char)*p & (0x7fu >> bytes);

	for (size_t i = 1; i < bytes; i++)
		c = c << 6 | ((unsigned char)p[i] & 0x3f);
	if (c >= 0x300 && c < 0x370) /* an accent for the one before it */
		return 0;
	for (size_t i = 0; i < sizeof(wide) / sizeof(*wide); i++)
		if (c >= wide[i].from && c <= wide[i].to)
			return 2;
	return 1;
}

void table_add(struct table *t, const char *text)
{
	_cleanup_strbuf_ struct strbuf safe = { 0 };
	size_t len = strlen(text), n = 0;

	/* A tab would move what comes behind it. */
	while (n < len && text[n] >= ' ' && text[n] < 0x7f)
		n++;
	if (n == len) {
		strlist_add(&t->cells, text);
		return;
	}
	for (; len; text += n, len -= n) {
		n = *text == '\t' ? 0 : printable_len(text, len);
		if (n) {
			strbuf_add(&safe, text, n);
			continue;
		}
		strbuf_addf(&safe, "\\x%02x", (unsigned char)*text);
		n = 1;
	}
	strlist_add(&t->cells, strbuf_str(&safe));
}

static size_t width_of(const char *text)
{
	size_t width = 0, len, n;

	/* Mostly that is all. */
	for (; *text >= ' ' && *text <= '~'; text++)
		width++;
	for (len = strlen(text); len; text += n, len -= n) {
		n = printable_len(text, len);
		n = n ? n : 1;
		width += cells_of(text, n);
	}
	return width;
}

static void pad(FILE *f, size_t n)
{
	while (n--)
		(void)putc(' ', f);
}

static void widen(const struct table *t, size_t *widths)
{
	for (size_t i = 0; i < t->cells.n; i++) {
		size_t width = width_of(t->cells.v[i]), c = i % t->n_columns;

		if (width > widths[c])
			widths[c] = width;
	}
}

void table_measure(struct table *t)
{
	widen(t, t->widths);
	strlist_free(&t->cells);
	t->cells = (struct strlist){ 0 };
}

void table_print(const struct table *t, FILE *f)
{
	size_t widths[TABLE_COLUMNS_MAX], n = t->n_columns;

	if (t->cells.n <= (t->goes_on ? 0 : n))
		return;
	memcpy(widths, t->widths, sizeof(widths));
	widen(t, widths);
	for (size_t i = 0; i < t->cells.n; i++) {
		size_t c = i % n, gap = widths[c] - width_of(t->cells.v[i]);
		bool last = c == n - 1;

		if (t->right[c])
			pad(f, gap);
		(void)fputs(t->cells.v[i], f);
		/* Nothing hangs behind a line's end. */
		if (!t->right[c] && !last)
			pad(f, gap);
		(void)putc(last ? '\n' : ' ', f);
	}
}

void table_free(struct table *t)
{
	strlist_free(&t->cells);
}
