/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A table of text on a stream: columns as wide as their widest cell.  What would act on a terminal is written as \xNN. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct columns {
	size_t n, n_cells;
	char **cells; /* row by row; the first row is the titles' */
	bool *right;  /* that column is flush right */
};

/* columns_begin: n columns, none of which is flush right yet. */
void columns_begin(struct columns *c, size_t n);
/* columns_add: the next cell, copied. */
void columns_add(struct columns *c, const char *text);
/* columns_print: 0 or -EIO. */
int columns_print(const struct columns *c, FILE *f);
void columns_end(struct columns *c);
#define _cleanup_columns_ __attribute__((cleanup(columns_end)))
