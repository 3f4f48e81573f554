/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Users and groups of a Vsv: those of its own files, and SMB accounts for those of its directory.  A user of its own is a unix account and an SMB account, made in one step by
 * the programs inside (useradd, smbpasswd); a step that was killed half way is completed by the same command again. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "lib/str.h"

struct err;
struct psv;

struct user_new {
	const char *name;
	uint32_t uid;                 /* 0: the next free one */
	const char *password;         /* of the SMB account; may be NULL where SMB is not served */
	const struct strlist *groups; /* besides its first one; may be NULL */
};

/* All need the Vsv to run (-ESRCH with VNAS_EXIT_NOT_RUNNING) and hold its lock while they change something.
 * A password is never in an argument array. */
int users_add(const struct psv *psv, const char *server, const struct user_new *user, struct err *err);
/* users_remove: both accounts, its memberships and its open sessions; files that belong to it stay.  Of a directory's user
 * the SMB account alone. */
int users_remove(const struct psv *psv, const char *server, const char *user, struct err *err);
int users_passwd(const struct psv *psv, const char *server, const char *user, const char *password, struct err *err);
/* users_list: an array of {"name","uid","group","groups":[…],"source","smb":bool}, without the system's own, by name:
 * those of its own files and those of its directory.  When that does not answer, notice says so. */
int users_list(const struct psv *psv, const char *server, void (*notice)(const char *line), json_t **ret, struct err *err);

/* groups_add: gid 0 is the next free one.  Makes the group, or adds members to one that is there. */
int groups_add(const struct psv *psv, const char *server, const char *group, uint32_t gid, const struct strlist *members,
	       struct err *err);
/* groups_remove: takes members out, or without any, removes the group. */
int groups_remove(const struct psv *psv, const char *server, const char *group, const struct strlist *members,
		  struct err *err);
/* groups_list: an array of {"name","gid","source","members":[…]}, in the same manner. */
int groups_list(const struct psv *psv, const char *server, void (*notice)(const char *line), json_t **ret, struct err *err);
