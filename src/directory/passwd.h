/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The directory "passwd": users and groups in a Vsv's own /etc/passwd and /etc/group.  Nothing here runs or reads anything:
 * names and numbers are checked before a program inside is called with them, and what such a program said is parsed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/str.h"

struct err;

enum { PASSWD_NAME_MAX = 32, PASSWD_FOREIGN_NAME_MAX = 64, PASSWD_ID_MIN = 1000 };

/* passwd_name_check: what useradd(8), Samba and the configuration all take: at most 32 letters, digits, '_', '-', '.' and
 * '$', a letter, digit or '_' first, not digits alone.  `what` is "user" or "group", for words.  0 or -EINVAL. */
int passwd_name_check(const char *what, const char *name, struct err *err);
/* passwd_foreign_name_ok: a name that a directory can have: as above, with letters of all languages (UTF-8) and at most 64
 * bytes. */
bool passwd_foreign_name_ok(const char *name);
/* passwd_foreign_group_ok: a group's, with blanks inside too: "domain users". */
bool passwd_foreign_group_ok(const char *name);
/* passwd_id_check: outside of the system's range and of the numbers that mean nobody.  0 or -EINVAL. */
int passwd_id_check(const char *what, uint32_t id, struct err *err);
/* passwd_password_check: fits in one line of smbpasswd's input.  0 or -EINVAL. */
int passwd_password_check(const char *password, struct err *err);

struct passwd_user {
	char *name;
	uint32_t uid, gid;
};

struct passwd_group {
	char *name;
	uint32_t gid;
	struct strlist members;
};

struct passwd_db {
	struct passwd_user *users;
	size_t n_users;
	struct passwd_group *groups;
	size_t n_groups;
	bool foreign; /* of a directory: passwd_foreign_name_ok() decides */
};

/* passwd_add_user, passwd_add_group: what is over the bounds, or has no name that can be, is passed over (false, NULL). */
bool passwd_add_user(struct passwd_db *db, const char *name, uint32_t uid, uint32_t gid);
struct passwd_group *passwd_add_group(struct passwd_db *db, const char *name, uint32_t gid);
void passwd_add_member(const struct passwd_db *db, struct passwd_group *g, const char *user);

/* passwd_parse_users, passwd_parse_groups: add the lines of passwd(5) and group(5).  The text comes from a tenant: lines
 * that are not well-formed, or hold a name that passwd_name_check() refuses, are passed over. */
void passwd_parse_users(struct passwd_db *db, const char *text);
void passwd_parse_groups(struct passwd_db *db, const char *text);
void passwd_free(struct passwd_db *db);
const struct passwd_user *passwd_user(const struct passwd_db *db, const char *name);    /* NULL: none */
const struct passwd_group *passwd_group(const struct passwd_db *db, const char *name);
const struct passwd_group *passwd_group_by_id(const struct passwd_db *db, uint32_t gid);
/* passwd_is_system: a number of the system's own range, or nobody's. */
bool passwd_is_system(uint32_t id);
/* passwd_has_member: by the group's list or as the user's first group. */
bool passwd_has_member(const struct passwd_group *g, const struct passwd_user *u);
