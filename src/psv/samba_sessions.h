/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Open SMB sessions of a running Vsv. */
#pragma once

struct err;
struct inside_ref;

/* samba_sessions_end: ends the connections in which a user has a session.  0 or -errno. */
int samba_sessions_end(const struct inside_ref *ref, const char *user, struct err *err);
