/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists of users and groups.  A directory has thousands of either, so names are looked up in sorted arrays. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "psv/directory_users.h"
#include "psv/users.h"
#include "psv/users_internal.h"

/* What is listed of one place. */
struct place {
	const struct passwd_db *db;
	const char *source;
	bool foreign;
	const struct passwd_user **by_name; /* n_users of them, sorted */
};

static int compare_users(const void *a, const void *b)
{
	const struct passwd_user *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static int compare_strings(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

static void place_init(struct place *p, const struct passwd_db *db, const char *source, bool foreign)
{
	*p = (struct place){ .db = db, .source = source, .foreign = foreign };
	p->by_name = xcalloc(db->n_users + 1, sizeof(*p->by_name));
	for (size_t i = 0; i < db->n_users; i++)
		p->by_name[i] = &db->users[i];
	qsort(p->by_name, db->n_users, sizeof(*p->by_name), compare_users);
}

static const struct passwd_user *find_user(const struct place *p, char *name)
{
	const struct passwd_user key = { .name = name }, *wanted = &key;
	const struct passwd_user *const *found =
		bsearch(&wanted, p->by_name, p->db->n_users, sizeof(*p->by_name), compare_users);

	return found ? *found : NULL;
}

/* is_listed: the system's own are nobody's business; a directory has its own idea of their numbers, but for root's. */
static bool is_listed(const struct place *p, const struct passwd_user *u)
{
	return p->foreign ? u->uid != 0 : !passwd_is_system(u->uid);
}

/* groups_of_all: an array of names for each user of the place. */
static json_t **groups_of_all(const struct place *p)
{
	json_t **groups = xcalloc(p->db->n_users + 1, sizeof(json_t *));

	for (size_t i = 0; i < p->db->n_users; i++)
		groups[i] = json_array();
	for (size_t g = 0; g < p->db->n_groups; g++) {
		const struct passwd_group *group = &p->db->groups[g];

		for (size_t i = 0; i < p->db->n_users; i++)
			if (p->db->users[i].gid == group->gid)
				(void)json_array_append_new(groups[i], json_string(group->name));
		for (size_t m = 0; m < group->members.n; m++) {
			const struct passwd_user *u = find_user(p, group->members.v[m]);

			if (u && u->gid != group->gid)
				(void)json_array_append_new(groups[u - p->db->users], json_string(group->name));
		}
	}
	return groups;
}

static void add_users(const struct session *s, const struct place *p, json_t *list)
{
	json_t **groups = groups_of_all(p);

	for (size_t i = 0; i < p->db->n_users; i++) {
		const struct passwd_user *u = &p->db->users[i];
		const struct passwd_group *first;
		const char *name = u->name;
		bool smb;

		if (!is_listed(p, u)) {
			json_decref(groups[i]);
			continue;
		}
		first = passwd_group_by_id(p->db, u->gid);
		/* A domain's users all have one: their own. */
		smb = (p->db->foreign && s->conf.directory.type == CONF_DIRECTORY_AD) ||
		      (s->smb_users.n && bsearch(&name, s->smb_users.v, s->smb_users.n, sizeof(char *), compare_strings));
		(void)json_array_append_new(list, json_pack("{s:s, s:I, s:o, s:o, s:s, s:b}", "name", name, "uid",
							    (json_int_t)u->uid, "group",
							    first ? json_string(first->name) : json_null(), "groups", groups[i],
							    "source", p->source, "smb", smb));
	}
	free(groups);
}

static void add_groups(const struct session *s, const struct place *p, json_t *list)
{
	(void)s;
	for (size_t g = 0; g < p->db->n_groups; g++) {
		const struct passwd_group *group = &p->db->groups[g];
		json_t *members = json_array();

		if (!p->foreign && !group_is_open(group)) {
			json_decref(members);
			continue;
		}
		for (size_t i = 0; i < p->db->n_users; i++)
			if (p->db->users[i].gid == group->gid && is_listed(p, &p->db->users[i]))
				(void)json_array_append_new(members, json_string(p->db->users[i].name));
		for (size_t m = 0; m < group->members.n; m++) {
			const struct passwd_user *u = find_user(p, group->members.v[m]);

			if (u && u->gid != group->gid && is_listed(p, u))
				(void)json_array_append_new(members, json_string(u->name));
		}
		(void)json_array_append_new(list, json_pack("{s:s, s:I, s:s, s:o}", "name", group->name, "gid",
							    (json_int_t)group->gid, "source", p->source, "members", members));
	}
}

static int by_name(const void *a, const void *b)
{
	const json_t *const *x = a, *const *y = b;

	return strcmp(json_string_value(json_object_get(*x, "name")), json_string_value(json_object_get(*y, "name")));
}

static json_t *sorted(json_t *list)
{
	size_t n = json_array_size(list);
	json_t **v = xcalloc(n + 1, sizeof(*v)), *ret = json_array();

	for (size_t i = 0; i < n; i++)
		v[i] = json_array_get(list, i);
	qsort(v, n, sizeof(*v), by_name);
	for (size_t i = 0; i < n; i++)
		(void)json_array_append(ret, v[i]);
	free(v);
	json_decref(list);
	return ret;
}

/* ask_directory: what it does not give is said, and the rest is listed. */
static int ask_directory(const struct session *s, struct passwd_db *db, void (*notice)(const char *line), struct err *err)
{
	struct err why = { 0 };
	int r = directory_users(&s->conf, &s->ref, db, &why);

	if (r == 0)
		r = directory_groups(&s->conf, &s->ref, db, &why);
	if (r > 0 && notice) {
		_cleanup_free_ char *line = xasprintf("its directory does not answer, only its own are listed: %s", why.text);

		notice(line);
	}
	if (r < 0 && err)
		*err = why;
	return r < 0 ? r : 0;
}

static int list_both(const struct psv *psv, const char *server,
		     void (*add)(const struct session *s, const struct place *p, json_t *list),
		     void (*notice)(const char *line), json_t **ret, struct err *err)
{
	_cleanup_session_ struct session s = { .lock_fd = -1 };
	struct passwd_db foreign = { 0 };
	struct place own, directory;
	int r = session_open(psv, server, NULL, &s, err);

	if (r == 0)
		r = ask_directory(&s, &foreign, notice, err);
	if (r == 0) {
		json_t *list = json_array();

		if (s.smb_users.n)
			qsort(s.smb_users.v, s.smb_users.n, sizeof(char *), compare_strings);
		place_init(&own, &s.db, conf_directory_name(CONF_DIRECTORY_PASSWD), false);
		place_init(&directory, &foreign, conf_directory_name(s.conf.directory.type), true);
		add(&s, &own, list);
		add(&s, &directory, list);
		free(own.by_name);
		free(directory.by_name);
		*ret = sorted(list);
	}
	passwd_free(&foreign);
	return r;
}

int users_list(const struct psv *psv, const char *server, void (*notice)(const char *line), json_t **ret, struct err *err)
{
	return list_both(psv, server, add_users, notice, ret, err);
}

int groups_list(const struct psv *psv, const char *server, void (*notice)(const char *line), json_t **ret, struct err *err)
{
	return list_both(psv, server, add_groups, notice, ret, err);
}
