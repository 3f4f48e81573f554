/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The users and groups of a Vsv's directory server, all of them or one. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "psv/inside_run.h"

struct conf;
struct err;
struct passwd_db;
struct passwd_user;

/* directory_users, directory_groups: add what the server has.  0, also where there is no server; 1: it gives no answer, and
 * the words say why; -errno. */
int directory_users(const struct conf *conf, const struct inside_ref *ref, struct passwd_db *db, struct err *ret_why);
int directory_groups(const struct conf *conf, const struct inside_ref *ref, struct passwd_db *db, struct err *ret_why);
/* directory_find: a user as the inside sees it by way of the directory, from its cache too.  0; 1: there is none; -errno. */
int directory_find(const struct conf *conf, const struct inside_ref *ref, const char *name, uint32_t *ret_uid,
		   uint32_t *ret_gid, struct err *err);
