/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A hostile program that runs inside a Vsv and tries what docs/architecture.md says is refused.  Each attempt runs in a
 * process of its own and prints one line, "NAME RESULT": "ok" if it succeeded, the errno's name if it was refused,
 * "SIGNAL" and a number if it was killed, or what it saw.  It judges nothing: the test compares with a table. */
#pragma once

#include <stddef.h>

/* An attempt returns 0 (it succeeded) or -errno; or says what it saw by result(). */
struct attempt {
	const char *name;
	int (*run)(void);
};

/* Each file's table, ended by a row without a name. */
extern const struct attempt network_attempts[];
extern const struct attempt file_attempts[];
extern const struct attempt need_attempts[];
/* Run only when named: `vnas verify` has these as well, or they take, and hold. */
extern const struct attempt interface_attempts[];
extern const struct attempt mount_attempts[];
extern const struct attempt process_attempts[];
extern const struct attempt machine_attempts[];
extern const struct attempt exhaust_attempts[];
extern const struct attempt flood_attempts[];

/* param: the value of KEY=VALUE of the command line; the attempt ends with "no-KEY" if it was not given. */
const char *param(const char *key);
unsigned param_number(const char *key);
/* result: what the attempt prints in place of ok or an errno; returns 0. */
int result(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* outcome: a system call's result as 0 or -errno. */
int outcome(long r);
