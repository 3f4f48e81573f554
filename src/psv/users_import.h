/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Users and groups of an old server, out of its own files: names, numbers and hashes as they are. */
#pragma once

struct err;
struct psv;

/* Paths of the Psv's; NULL: there is none. */
struct users_import {
	const char *passwd, *shadow, *group;
	const char *smbpasswd, *tdbsam; /* at most one of them */
};

/* users_import: what the server has already stays as it is; a name or number that means somebody else there is an error, and
 * nothing is changed.  A run that was killed is completed by the same one again. */
int users_import(const struct psv *psv, const char *server, const struct users_import *from,
		 void (*notice)(const char *line), struct err *err);
