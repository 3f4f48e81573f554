/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Old templates go when a new one comes, since each takes more than a hundred megabytes.  Kept are the newest and the one
 * before it, to which `--template` goes back after an update that went wrong; what runs; and what a configuration names. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/str.h"
#include "psv/psv.h"
#include "psv/template-parts.h"
#include "psv/template.h"

enum { KEEP = 2 };

/* The names that servers give, or beginnings of them.  -errno: one cannot be read, so that any may be meant. */
static int names_wanted(const struct psv *psv, struct strlist *ret)
{
	_cleanup_strlist_ struct strlist servers = { 0 };
	int r = psv_list(psv, &servers, NULL);

	for (size_t i = 0; r == 0 && i < servers.n; i++) {
		struct conf conf = { 0 };
		struct state st = { 0 };
		char path[PATH_MAX];

		r = conf_read(psv_conf_path(psv, servers.v[i], path), servers.v[i], &conf, NULL);
		if (r == 0 && conf.template_name)
			strlist_add(ret, conf.template_name);
		if (r == 0)
			r = state_read(psv, servers.v[i], &st, NULL);
		if (r == 0 && st.template_name[0])
			strlist_add(ret, st.template_name);
		state_free(&st);
		conf_free(&conf);
	}
	return r;
}

static bool is_wanted(const struct strlist *names, const char *name)
{
	for (size_t i = 0; i < names->n; i++)
		if (str_starts(name, names->v[i]))
			return true;
	return false;
}

void template_prune(const struct psv *psv, int dir, void (*progress)(const char *line))
{
	_cleanup_strlist_ struct strlist names = { 0 };
	_cleanup_free_ struct template *list = NULL;
	size_t n = 0;

	if (template_list_at(dir, &list, &n, NULL) < 0 || n <= KEEP || names_wanted(psv, &names) < 0)
		return;
	for (size_t i = KEEP; i < n; i++) {
		char line[96];

		if (is_wanted(&names, list[i].name) || template_remove_at(psv, dir, list[i].name, NULL) < 0)
			continue;
		(void)str_format(line, sizeof(line), "template %.12s is removed: old, and nothing uses it", list[i].name);
		if (progress)
			progress(line);
		event_log(psv, NULL, "template-removed", "%s", list[i].name);
	}
}
