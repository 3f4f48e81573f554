/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a reading verb prints: one list of JSON objects, shown as JSON (--json) or as a table made from a table of
 * columns (lib/table.h). */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "lib/table.h"

enum column_kind { COL_TEXT, COL_NUMBER, COL_SIZE, COL_TIME, COL_BOOL, COL_LIST };

struct column {
	const char *key;   /* in the object; lower_snake */
	const char *title; /* upper case */
	enum column_kind kind;
};

/* output_list: list is an array of objects and is taken.  `name` is "servers", "volumes", …  A missing key or null is
 * shown as "-".  0 or -errno (standard output could not be written). */
int output_list(bool json, const char *name, json_t *list, const struct column *columns, size_t n_columns);
/* The same of a list that is never whole in memory: each row is measured, then each is shown. */
struct output_stream {
	bool json;
	const char *name;
	const struct column *columns;
	size_t n_rows;
	struct table table;
};
void output_stream_begin(struct output_stream *s, bool json, const char *name, const struct column *columns, size_t n_columns);
void output_stream_measure(struct output_stream *s, const json_t *row);
/* output_stream_row, output_stream_end: 0 or -EIO. */
int output_stream_row(struct output_stream *s, const json_t *row);
int output_stream_end(struct output_stream *s);
/* output_json: one object {NAME: list}, taken. */
int output_json(const char *name, json_t *list);
/* output_steps: lines "step: words" as the list "steps" of objects {step, what}, or as they are. */
struct strlist;
int output_steps(bool json, const struct strlist *lines);
/* output_safe: text that is not ours: what would act on a terminal is written as \xNN. */
void output_safe(FILE *f, const char *text);
void output_safe_lines(FILE *f, const char *text);
/* output_line: "title value" of one key, nothing if there is no such key. */
void output_line(const json_t *object, const struct column *column);
