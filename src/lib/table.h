/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A table of text for a terminal: columns as wide as the widest of their cells, with one space between.  What would act on the
 * terminal is written as \xNN. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "lib/str.h"

enum { TABLE_COLUMNS_MAX = 16 };

struct table {
	size_t n_columns;              /* 1 … TABLE_COLUMNS_MAX */
	bool right[TABLE_COLUMNS_MAX]; /* that column is set to the right, as numbers are */
	struct strlist cells;          /* row by row, the titles first */
	size_t widths[TABLE_COLUMNS_MAX]; /* at least so wide */
	bool goes_on;                  /* the titles were printed before */
};

/* table_add: one more cell, which must fit for its column: table_print() takes whole rows alone. */
void table_add(struct table *t, const char *text);

/* table_measure: its columns will be as wide as these cells, which are taken away. */
void table_measure(struct table *t);
/* table_print: all of it; a table of titles alone is nothing.  What cannot be written, f keeps as its error. */
void table_print(const struct table *t, FILE *f);
void table_free(struct table *t);
#define _cleanup_table_ __attribute__((cleanup(table_free)))
