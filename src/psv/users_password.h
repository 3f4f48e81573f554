/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The password of a user: of the unix account and of the SMB account, which stay in step. */
#pragma once

#include <stdbool.h>

struct err;
struct inside_ref;

/* What is set besides the unix account's. */
enum users_smb {
	USERS_SMB_NONE, /* SMB is not served */
	USERS_SMB_SET,
	USERS_SMB_ADD,  /* there is no SMB account yet */
};

/* users_password_set: has_unix: the unix account is the Vsv's own, not of its directory.  The SMB account last, since only with it is a new user complete; one that was locked after wrong
 * passwords is open again. */
int users_password_set(const struct inside_ref *ref, const char *user, const char *password, bool has_unix,
		       enum users_smb smb, struct err *err);
