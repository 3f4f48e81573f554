/* SPDX-License-Identifier: GPL-2.0-or-later */
/* template build, list, remove. */
#include "psv/template.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "lib/err.h"
#include "lib/output.h"
#include "psv/psv.h"

static const struct column columns[] = {
	{ "name", "TEMPLATE", COL_TEXT },
	{ "size", "SIZE", COL_SIZE },
	{ "created", "CREATED", COL_TIME },
	{ "current", "CURRENT", COL_BOOL },
	{ "packages", "PACKAGES", COL_TEXT },
	{ "used_by", "USED BY", COL_LIST },
};

static json_t *template_json(const struct psv *psv, const struct template *t)
{
	_cleanup_strlist_ struct strlist names = { 0 }, extra = { 0 };
	json_t *used = json_array();
	char source[65] = "";
	char buf[32];

	(void)psv_list(psv, &names, NULL);
	for (size_t i = 0; i < names.n; i++) {
		struct state st = { 0 };

		if (state_read(psv, names.v[i], &st, NULL) == 0 && strcmp(st.template_name, t->name) == 0)
			json_array_append_new(used, json_string(names.v[i]));
		state_free(&st);
	}
	strlist_split(&extra, t->extra, " ");
	(void)template_source(psv, &extra, source, NULL);
	return json_pack("{s:s, s:I, s:s, s:b, s:s, s:o}", "name", t->name, "size", (json_int_t)t->bytes, "created",
			 time_rfc3339(t->created, buf, sizeof(buf)), "current", strcmp(t->source, source) == 0, "packages",
			 t->extra, "used_by",
			 used);
}

int cmd_template_build(struct call *c, struct err *err)
{
	struct template t;
	int r = template_build(c->psv, NULL, &t, call_notice, err);
	json_t *list;

	if (r < 0)
		return r;
	list = json_array();
	json_array_append_new(list, template_json(c->psv, &t));
	return output_list(c->json, "templates", list, columns, 6);
}

int cmd_template_list(struct call *c, struct err *err)
{
	struct template *list = NULL;
	json_t *out;
	size_t n = 0;
	int r = template_list(c->psv, &list, &n, err);

	if (r < 0)
		return r;
	out = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(out, template_json(c->psv, &list[i]));
	free(list);
	return output_list(c->json, "templates", out, columns, 6);
}

int cmd_template_remove(struct call *c, struct err *err)
{
	char name[65];
	int r = template_resolve(c->psv, c->words.v[0], name, err);

	return r < 0 ? r : template_remove(c->psv, name, err);
}
