/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of users.h share. */
#pragma once

#include "directory/passwd.h"
#include "lib/cleanup.h"
#include "lib/str.h"
#include "psv/conf.h"
#include "psv/inside_run.h"

struct err;
struct psv;

/* One change or look: the Vsv's lock (-1 for a look), its PID 1 and what it holds of its own. */
struct session {
	int lock_fd;
	struct inside_ref ref;
	struct conf conf;
	bool smb;
	struct passwd_db db;
	struct strlist smb_users;
};

/* session_open: verb NULL is a look, which needs no lock. */
int session_open(const struct psv *psv, const char *server, const char *verb, struct session *ret, struct err *err);
void session_close(struct session *s);
#define _cleanup_session_ _cleanup_(session_close)

/* group_is_open: users can be in it.  Of the system's groups those that give no rights over the system: departments name
 * groups so. */
bool group_is_open(const struct passwd_group *g);
