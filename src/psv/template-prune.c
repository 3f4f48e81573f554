/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Old templates go when a new one comes, since each takes more than a hundred megabytes.  Kept are, of each set of
 * packages that a server asks for, the newest and the one before it, to which `--template` goes back after an update that went
 * wrong; what runs; and what a configuration names. */
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
#include "service/service.h"

enum { KEEP = 2 };

static void add_kind(const struct conf *conf, struct strlist *kinds)
{
	_cleanup_strlist_ struct strlist extra = { 0 };
	char kind[TEMPLATE_EXTRA_MAX];

	service_packages(conf, &extra);
	if (template_extra_str(&extra, kind))
		strlist_add(kinds, kind);
}

/* The names that servers give, or beginnings of them, and the further packages that they ask for.  -errno: one cannot be
 * read, so that any may be meant. */
static int names_wanted(const struct psv *psv, struct strlist *ret, struct strlist *ret_kinds)
{
	_cleanup_strlist_ struct strlist servers = { 0 };
	int r = psv_list(psv, &servers, NULL);

	for (size_t i = 0; r == 0 && i < servers.n; i++) {
		struct conf conf = { 0 };
		struct state st = { 0 };
		char path[PATH_MAX];

		r = conf_read(psv_conf_path(psv, servers.v[i], path), servers.v[i], &conf, NULL);
		if (r == 0)
			add_kind(&conf, ret_kinds);
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

/* is_recent: of its kind, which is the common one or asked for, there are fewer than KEEP newer ones. */
static bool is_recent(const struct template *list, size_t i, const struct strlist *kinds)
{
	unsigned newer = 0;

	for (size_t j = 0; j < i; j++)
		newer += strcmp(list[j].extra, list[i].extra) == 0;
	return newer < KEEP && (!*list[i].extra || strlist_has(kinds, list[i].extra));
}

void template_prune(const struct psv *psv, int dir, void (*progress)(const char *line))
{
	_cleanup_strlist_ struct strlist names = { 0 }, kinds = { 0 };
	_cleanup_free_ struct template *list = NULL;
	size_t n = 0;

	if (template_list_at(dir, &list, &n, NULL) < 0 || n <= KEEP || names_wanted(psv, &names, &kinds) < 0)
		return;
	for (size_t i = 1; i < n; i++) {
		char line[96];

		if (is_recent(list, i, &kinds) || is_wanted(&names, list[i].name) || template_remove_at(psv, dir, list[i].name, NULL) < 0)
			continue;
		(void)str_format(line, sizeof(line), "template %.12s is removed: old, and nothing uses it", list[i].name);
		if (progress)
			progress(line);
		event_log(psv, NULL, "template-removed", "%s", list[i].name);
	}
}
