/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a department's directory says of its users and groups: LDIF as ldapsearch prints it, and the lines of NIS maps and of
 * winbindd.  The first byte of the input chooses: LDIF, or lines. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "psv/directory_users.c" /* for its static parts: how an entry becomes a user */

static void require(bool cond)
{
	if (!cond)
		abort();
}

/* Every name that is kept is one that a directory can have. */
static void check_db(const struct passwd_db *db)
{
	for (size_t i = 0; i < db->n_users; i++)
		require(passwd_foreign_name_ok(db->users[i].name));
	for (size_t i = 0; i < db->n_groups; i++) {
		require(passwd_foreign_group_ok(db->groups[i].name));
		for (size_t j = 0; j < db->groups[i].members.n; j++)
			require(passwd_foreign_name_ok(db->groups[i].members.v[j]));
	}
}

/* Names and values lie one after the other in what was given. */
static void check_entry(const struct ldif_entry *e, const char *begin, const char *end)
{
	const char *last = begin;

	require(e->n > 0 && e->n <= LDIF_ATTRIBUTES_MAX);
	for (size_t i = 0; i < e->n; i++) {
		require(e->v[i].name >= last && e->v[i].value > e->v[i].name && e->v[i].value <= end);
		require(e->v[i].name[0] != '\0' && !strchr(e->v[i].name, ':'));
		last = e->v[i].value + strlen(e->v[i].value);
		require(last <= end);
		require(ldif_get(e, e->v[i].name) != NULL);
	}
}

static void ldif(char *text, size_t len, struct passwd_db *db)
{
	_cleanup_free_ struct ldif_entry *e = xmalloc(sizeof(*e));
	char *p = text;

	while (ldif_next(&p, e) > 0) {
		check_entry(e, text, text + len);
		add_user(e, db);
		add_group(e, db);
	}
	require(p == text + strlen(text) || *p == '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	/* It ends exactly where the input ends, so that a read beyond it shows. */
	_cleanup_free_ char *text = xmalloc(len + 1);
	struct passwd_db db = { .foreign = true };

	if (len == 0)
		return 0;
	memcpy(text, data + 1, len - 1);
	text[len - 1] = '\0';
	if (data[0] & 1) {
		passwd_parse_users(&db, text);
		passwd_parse_groups(&db, text);
	} else {
		ldif(text, len - 1, &db);
	}
	check_db(&db);
	passwd_free(&db);
	return 0;
}
