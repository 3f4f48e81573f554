/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Open SMB sessions of a running Vsv. */
#pragma once

#include <jansson.h>

struct err;
struct inside_ref;
struct psv;

/* samba_sessions_list: an array as psv/smbstatus.h has it; an empty one where SMB is not served.  0 or -errno; -ESRCH with
 * VNAS_EXIT_NOT_RUNNING. */
int samba_sessions_list(const struct psv *psv, const char *server, json_t **ret, struct err *err);
/* samba_sessions_end: ends the connections in which a user has a session.  0 or -errno. */
int samba_sessions_end(const struct inside_ref *ref, const char *user, struct err *err);
