/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psv/event.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "psv/psv.h"

enum { EVENTS_MAX_BYTES = 4 * 1024 * 1024 };

static int read_file(const char *path, json_t *list, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	char *line, *rest = NULL;
	size_t len;
	int r = file_read_at(AT_FDCWD, path, EVENTS_MAX_BYTES, &text, &len);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return err_set(err, r, "cannot read %s: %m", path);
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		json_t *o = json_loads(line, 0, NULL);

		if (json_is_object(o) && json_is_string(json_object_get(o, "time")))
			json_array_append(list, o);
		json_decref(o);
	}
	return 0;
}

static int by_time(const void *a, const void *b)
{
	return strcmp(json_string_value(json_object_get(*(json_t *const *)a, "time")),
		      json_string_value(json_object_get(*(json_t *const *)b, "time")));
}

/* RFC 3339 in UTC sorts as text; those of one second keep the order of their file. */
static json_t *sorted(json_t *list)
{
	size_t n = json_array_size(list);
	json_t **rows = xcalloc(n, sizeof(json_t *)), *out = json_array();

	for (size_t i = 0; i < n; i++)
		rows[i] = json_array_get(list, i);
	/* An insertion sort is stable, and what comes from few files is nearly sorted. */
	for (size_t i = 1; i < n; i++)
		for (size_t j = i; j > 0 && by_time(&rows[j - 1], &rows[j]) > 0; j--) {
			json_t *t = rows[j];

			rows[j] = rows[j - 1];
			rows[j - 1] = t;
		}
	for (size_t i = 0; i < n; i++)
		json_array_append(out, rows[i]);
	free(rows);
	json_decref(list);
	return out;
}

int events_read(const struct psv *psv, const char *name, json_t **ret, struct err *err)
{
	_cleanup_strlist_ struct strlist names = { 0 };
	json_t *list = json_array();
	char path[PATH_MAX];
	int r = 0;

	if (name) {
		strlist_add(&names, name);
		r = conf_name_check(name, err);
	} else {
		r = psv_list(psv, &names, err);
		(void)str_format(path, sizeof(path), "%s/events.jsonl", psv->lib);
		if (r == 0)
			r = read_file(path, list, err);
	}
	for (size_t i = 0; r == 0 && i < names.n; i++) {
		(void)str_format(path, sizeof(path), "%s/servers/%s/events.jsonl", psv->lib, names.v[i]);
		r = read_file(path, list, err);
	}
	if (r < 0) {
		json_decref(list);
		return r;
	}
	*ret = names.n > 1 || !name ? sorted(list) : list;
	return 0;
}
