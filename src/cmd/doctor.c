/* SPDX-License-Identifier: GPL-2.0-or-later */
/* doctor. */
#include "verify/doctor.h"

#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "lib/err.h"
#include "lib/output.h"

static const struct column row_columns[] = {
	{ "probe", "ROW", COL_TEXT }, { "text", "ATTEMPT FROM INSIDE", COL_TEXT }, { "state", "HERE", COL_TEXT },
	{ "needs", "NEEDS", COL_TEXT },
};
static const struct column missing_columns[] = {
	{ "probe", "FOR", COL_TEXT }, { "missing", "MISSING", COL_TEXT }, { "means", "WHICH MEANS", COL_TEXT },
	{ "todo", "WHAT TO DO", COL_TEXT },
};

#define N(a) (sizeof(a) / sizeof(*(a)))

/* Rows first, which are what it is about; then everything that is missing, rows and others. */
static int show(const json_t *list)
{
	json_t *first = json_array(), *lacks = json_array(), *o;
	size_t i;
	int r;

	json_array_foreach((json_t *)(uintptr_t)list, i, o) {
		const char *state = json_string_value(json_object_get(o, "state"));

		if (!json_is_null(json_object_get(o, "interference")))
			(void)json_array_append(first, o);
		if (strcmp(state, "enforceable") == 0 || strcmp(state, "there") == 0)
			continue;
		/* What is said of a start stands in its words. */
		if (json_is_null(json_object_get(o, "missing")) && json_is_null(json_object_get(o, "interference")))
			(void)json_object_set(o, "missing", json_object_get(o, "text"));
		(void)json_array_append(lacks, o);
	}
	r = output_list(false, "probes", first, row_columns, N(row_columns));
	if (r == 0 && json_array_size(lacks)) {
		(void)putchar('\n');
		return output_list(false, "probes", lacks, missing_columns, N(missing_columns));
	}
	json_decref(lacks);
	return r;
}

int cmd_doctor(struct call *c, struct err *err)
{
	json_t *list = NULL;
	int open = doctor_look(c->psv, &list, err), r;

	if (open < 0)
		return open;
	if (c->json) {
		r = output_json("probes", list);
	} else {
		r = show(list);
		json_decref(list);
	}
	return r < 0 ? r : open ? VNAS_EXIT_NOT_ENFORCEABLE : 0;
}
