/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/printable.h"
#include "lib/str.h"
#include "lib/table.h"

static void cell_text(const json_t *v, enum column_kind kind, struct strbuf *out)
{
	char buf[32];

	switch (json_typeof(v)) {
	case JSON_STRING:
		strbuf_addstr(out, json_string_value(v));
		return;
	case JSON_INTEGER:
		if (kind == COL_SIZE)
			strbuf_addstr(out, size_human((uint64_t)json_integer_value(v), buf, sizeof(buf)));
		else
			strbuf_addf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		return;
	case JSON_REAL:
		strbuf_addf(out, "%.3g", json_real_value(v));
		return;
	case JSON_TRUE:
	case JSON_FALSE:
		strbuf_addstr(out, json_is_true(v) ? "yes" : "no");
		return;
	case JSON_ARRAY: {
		size_t i;
		json_t *item;

		json_array_foreach((json_t *)(uintptr_t)v, i, item) {
			if (i)
				strbuf_addstr(out, " ");
			cell_text(item, kind, out);
		}
		return;
	}
	case JSON_OBJECT:
	case JSON_NULL:
		return;
	}
}

static void add_titles(struct table *t, const struct column *columns)
{
	for (size_t c = 0; c < t->n_columns; c++) {
		t->right[c] = columns[c].kind == COL_NUMBER || columns[c].kind == COL_SIZE;
		table_add(t, columns[c].title);
	}
}

static void add_row(struct table *t, const struct column *columns, const json_t *row)
{
	for (size_t c = 0; c < t->n_columns; c++) {
		_cleanup_strbuf_ struct strbuf text = { 0 };
		const json_t *v = json_object_get(row, columns[c].key);

		if (v)
			cell_text(v, columns[c].kind, &text);
		table_add(t, text.len ? strbuf_str(&text) : "-");
	}
}

static void print_table(const json_t *list, const struct column *columns, size_t n_columns)
{
	struct table t _cleanup_table_ = { .n_columns = n_columns };
	json_t *row;
	size_t i;

	add_titles(&t, columns);
	json_array_foreach((json_t *)(uintptr_t)list, i, row)
		add_row(&t, columns, row);
	table_print(&t, stdout);
}

void output_stream_begin(struct output_stream *s, bool json, const char *name, const struct column *columns, size_t n_columns)
{
	*s = (struct output_stream){ .json = json, .name = name, .columns = columns, .table.n_columns = n_columns };
	add_titles(&s->table, columns);
	table_measure(&s->table);
}

void output_stream_measure(struct output_stream *s, const json_t *row)
{
	if (s->json)
		return;
	add_row(&s->table, s->columns, row);
	table_measure(&s->table);
}

/* put_json: as json_dumpf() writes it in its place; a line's end is none of a text's. */
static int put_json(struct output_stream *s, const json_t *row)
{
	_cleanup_free_ char *text = json_dumps(row, JSON_INDENT(2) | JSON_REAL_PRECISION(6));

	if (!text)
		return -ENOMEM;
	if (s->n_rows)
		(void)fputs(",\n    ", stdout);
	else
		(void)printf("{\n  \"%s\": [\n    ", s->name);
	for (const char *p = text;; p++) {
		size_t len = strcspn(p, "\n");

		(void)fwrite(p, 1, len, stdout);
		p += len;
		if (!*p)
			return 0;
		(void)fputs("\n    ", stdout);
	}
}

int output_stream_row(struct output_stream *s, const json_t *row)
{
	int r = 0;

	if (s->json) {
		r = put_json(s, row);
	} else {
		if (!s->n_rows)
			add_titles(&s->table, s->columns);
		add_row(&s->table, s->columns, row);
		table_print(&s->table, stdout);
		table_measure(&s->table);
		s->table.goes_on = true;
	}
	s->n_rows++;
	return r < 0 ? r : ferror(stdout) ? -EIO : 0;
}

int output_stream_end(struct output_stream *s)
{
	if (s->json && s->n_rows)
		(void)fputs("\n  ]\n}\n", stdout);
	else if (s->json)
		(void)printf("{\n  \"%s\": []\n}\n", s->name);
	return fflush(stdout) == EOF || ferror(stdout) ? -EIO : 0;
}

int output_json(const char *name, json_t *list)
{
	json_t *top = json_pack("{s:o}", name, list);
	int r = top ? json_dumpf(top, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) : -1;

	json_decref(top);
	if (r < 0 || putchar('\n') == EOF || fflush(stdout) == EOF)
		return -EIO;
	return 0;
}

int output_list(bool json, const char *name, json_t *list, const struct column *columns, size_t n_columns)
{
	if (json)
		return output_json(name, list);
	print_table(list, columns, n_columns);
	json_decref(list);
	return fflush(stdout) == EOF || ferror(stdout) ? -EIO : 0;
}

int output_steps(bool json, const struct strlist *lines)
{
	json_t *list;

	if (!json) {
		for (size_t i = 0; i < lines->n; i++)
			(void)puts(lines->v[i]);
		return fflush(stdout) == EOF ? -EIO : 0;
	}
	list = json_array();
	for (size_t i = 0; i < lines->n; i++) {
		const char *colon = strstr(lines->v[i], ": ");
		size_t n = colon ? (size_t)(colon - lines->v[i]) : 0;

		json_array_append_new(list, json_pack("{s:s%, s:s}", "step", lines->v[i], n, "what",
						      colon ? colon + 2 : lines->v[i]));
	}
	return output_json("steps", list);
}

static void safe(FILE *f, const char *text, bool lines)
{
	size_t len = strlen(text), n;

	for (; len; text += n, len -= n) {
		n = lines && *text == '\n' ? 1 : printable_len(text, len);
		if (n) {
			(void)fwrite(text, 1, n, f);
			continue;
		}
		(void)fprintf(f, "\\x%02x", (unsigned char)*text);
		n = 1;
	}
}

void output_safe(FILE *f, const char *text)
{
	safe(f, text, false);
}

void output_safe_lines(FILE *f, const char *text)
{
	safe(f, text, true);
}

void output_line(const json_t *object, const struct column *column)
{
	_cleanup_strbuf_ struct strbuf text = { 0 };
	const json_t *v = json_object_get(object, column->key);

	if (!v)
		return;
	cell_text(v, column->kind, &text);
	(void)printf("%-18s ", column->title);
	output_safe(stdout, text.len ? strbuf_str(&text) : "-");
	(void)putchar('\n');
}
