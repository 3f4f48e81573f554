/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "directory/passwd.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/printable.h"

enum {
	ID_NOBODY = 65534,
	ID_NONE_16 = 65535,    /* (uid16_t)-1 */
	PASSWORD_MAX = 127,    /* SMB's own limit is 128 characters of UTF-16 */
	MEMBERS_MAX = 10000,   /* of a group, and lines of a file: what a tenant could make us hold */
	LINES_MAX = 100000,
};

static bool name_ok(const char *name)
{
	if (!isascii(*name) || !(isalnum((unsigned char)*name) || *name == '_') || strlen(name) > PASSWD_NAME_MAX)
		return false;
	for (const char *p = name; *p; p++)
		if (!isascii(*p) || !(isalnum((unsigned char)*p) || strchr("_.-$", *p)))
			return false;
	return name[strspn(name, "0123456789")] != '\0';
}

static bool foreign_ok(const char *name, bool blanks)
{
	size_t n = strlen(name);

	/* Digits alone would be taken for a number by half of the tools. */
	if (n == 0 || n > PASSWD_FOREIGN_NAME_MAX || strchr("-.$", *name) || name[strspn(name, "0123456789")] == '\0')
		return false;
	if (*name == ' ' || name[n - 1] == ' ')
		return false;
	for (size_t len = 0; *name; name += len, n -= len) {
		if (*name == ' ' && blanks) {
			len = 1;
			continue;
		}
		len = printable_len(name, n);
		if (len == 0 || (isascii(*name) && !isalnum((unsigned char)*name) && !strchr("_.-$", *name)))
			return false;
	}
	return true;
}

bool passwd_foreign_name_ok(const char *name)
{
	return foreign_ok(name, false);
}

bool passwd_foreign_group_ok(const char *name)
{
	return foreign_ok(name, true);
}

int passwd_name_check(const char *what, const char *name, struct err *err)
{
	if (name_ok(name))
		return 0;
	return err_exit(err, VNAS_EXIT_USAGE, -EINVAL,
			"'%s' is no name of a %s: expected at most %d letters, digits, '_', '-', '.' and '$', a letter, digit or '_' "
			"first, and not digits alone",
			name, what, PASSWD_NAME_MAX);
}

bool passwd_is_system(uint32_t id)
{
	return id < PASSWD_ID_MIN || id == ID_NOBODY || id == ID_NONE_16 || id == UINT32_MAX;
}

int passwd_id_check(const char *what, uint32_t id, struct err *err)
{
	if (!passwd_is_system(id))
		return 0;
	return err_exit(err, VNAS_EXIT_USAGE, -EINVAL,
			"%u is no number for a %s: expected at least %d, and neither %d nor %d, which mean nobody", id, what,
			PASSWD_ID_MIN, ID_NOBODY, ID_NONE_16);
}

int passwd_password_check(const char *password, struct err *err)
{
	size_t len = strlen(password);

	if (len == 0)
		return err_set(err, -EINVAL, "the password is empty");
	if (len > PASSWORD_MAX)
		return err_set(err, -EINVAL, "the password is too long: expected at most %d bytes", PASSWORD_MAX);
	for (const char *p = password; *p; p++)
		if (iscntrl((unsigned char)*p))
			return err_set(err, -EINVAL, "the password holds a control character");
	return 0;
}

/* next_line: the next line of *text cut into at most `max` fields at ':'; the number of fields, 0: the end.  `line` keeps
 * the bytes that the fields point into. */
static size_t next_line(const char **text, char *line, size_t size, char **fields, size_t max)
{
	size_t len = strcspn(*text, "\n"), n = 0;
	char *rest = line;

	if (**text == '\0')
		return 0;
	if (len >= size) {
		line[0] = '\0'; /* longer than any line that means something */
	} else {
		memcpy(line, *text, len);
		line[len] = '\0';
	}
	*text += len + ((*text)[len] == '\n');
	while (n < max)
		if (!(fields[n++] = strsep(&rest, ":")) || !rest)
			break;
	return n;
}

static bool db_name_ok(const struct passwd_db *db, const char *name)
{
	return db->foreign ? passwd_foreign_name_ok(name) : name_ok(name);
}

/* grow: doubles, so that many additions cost no more than each one. */
static void *grow(void *v, size_t n, size_t size)
{
	return n & (n - 1) ? v : xrealloc(v, n ? n * 2 : 1, size);
}

bool passwd_add_user(struct passwd_db *db, const char *name, uint32_t uid, uint32_t gid)
{
	if (!db_name_ok(db, name) || db->n_users == LINES_MAX)
		return false;
	db->users = grow(db->users, db->n_users, sizeof(*db->users));
	db->users[db->n_users++] = (struct passwd_user){ .name = xstrdup(name), .uid = uid, .gid = gid };
	return true;
}

struct passwd_group *passwd_add_group(struct passwd_db *db, const char *name, uint32_t gid)
{
	if (!(db->foreign ? passwd_foreign_group_ok(name) : name_ok(name)) || db->n_groups == LINES_MAX)
		return NULL;
	db->groups = grow(db->groups, db->n_groups, sizeof(*db->groups));
	db->groups[db->n_groups] = (struct passwd_group){ .name = xstrdup(name), .gid = gid };
	return &db->groups[db->n_groups++];
}

void passwd_add_member(const struct passwd_db *db, struct passwd_group *g, const char *user)
{
	if (g && g->members.n < MEMBERS_MAX && db_name_ok(db, user))
		strlist_add(&g->members, user);
}

void passwd_parse_users(struct passwd_db *db, const char *text)
{
	enum { NAME, PASSWORD, UID, GID, FIELDS = 7 };
	char line[1024], *f[FIELDS];
	uint32_t uid, gid;
	size_t n;

	while ((n = next_line(&text, line, sizeof(line), f, FIELDS)) > 0)
		if (n == FIELDS && parse_u32(f[UID], UINT32_MAX, &uid) == 0 && parse_u32(f[GID], UINT32_MAX, &gid) == 0)
			(void)passwd_add_user(db, f[NAME], uid, gid);
}

void passwd_parse_groups(struct passwd_db *db, const char *text)
{
	enum { NAME, PASSWORD, GID, MEMBERS, FIELDS, LINE_MAX_BYTES = 256 * 1024 };
	_cleanup_free_ char *line = xmalloc(LINE_MAX_BYTES);
	char *f[FIELDS];
	size_t n;

	while ((n = next_line(&text, line, LINE_MAX_BYTES, f, FIELDS)) > 0) {
		struct passwd_group *g;
		char *rest, *member;
		uint32_t gid;

		if (n != FIELDS || parse_u32(f[GID], UINT32_MAX, &gid) < 0)
			continue;
		g = passwd_add_group(db, f[NAME], gid);
		rest = f[MEMBERS];
		while ((member = strsep(&rest, ",")))
			passwd_add_member(db, g, member);
	}
}

void passwd_free(struct passwd_db *db)
{
	for (size_t i = 0; i < db->n_users; i++)
		free(db->users[i].name);
	for (size_t i = 0; i < db->n_groups; i++) {
		free(db->groups[i].name);
		strlist_free(&db->groups[i].members);
	}
	free(db->users);
	free(db->groups);
	*db = (struct passwd_db){ 0 };
}

const struct passwd_user *passwd_user(const struct passwd_db *db, const char *name)
{
	for (size_t i = 0; i < db->n_users; i++)
		if (strcmp(db->users[i].name, name) == 0)
			return &db->users[i];
	return NULL;
}

const struct passwd_group *passwd_group(const struct passwd_db *db, const char *name)
{
	for (size_t i = 0; i < db->n_groups; i++)
		if (strcmp(db->groups[i].name, name) == 0)
			return &db->groups[i];
	return NULL;
}

const struct passwd_group *passwd_group_by_id(const struct passwd_db *db, uint32_t gid)
{
	for (size_t i = 0; i < db->n_groups; i++)
		if (db->groups[i].gid == gid)
			return &db->groups[i];
	return NULL;
}

bool passwd_has_member(const struct passwd_group *g, const struct passwd_user *u)
{
	return u->gid == g->gid || strlist_has(&g->members, u->name);
}
