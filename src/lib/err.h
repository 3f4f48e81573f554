/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one error convention.
 *
 * A function that can fail returns 0 or a negative errno; a positive value is an expected, named outcome that its
 * header documents and its caller must handle.  The words are put into a struct err once, where the failure happens,
 * by err_set(); each layer that adds knowledge puts its context in front, once, by err_wrap().  Only src/main.c prints.
 * A function that takes a struct err has filled it whenever it returns a negative value; `err` may be NULL. */
#pragma once

#include <stdarg.h>

/* Exit statuses of vnas(8): part of the interface, so numbers are never reused. */
enum vnas_exit {
	VNAS_EXIT_OK = 0,
	VNAS_EXIT_FAILED = 1,
	VNAS_EXIT_USAGE = 2,
	VNAS_EXIT_NOT_RUNNING = 3,
	VNAS_EXIT_NO_SUCH = 4,
	VNAS_EXIT_IN_USE = 5,
	VNAS_EXIT_NOT_PERMITTED = 6,
	VNAS_EXIT_NOT_ENFORCEABLE = 7,
};

struct err {
	enum vnas_exit exit; /* VNAS_EXIT_OK: not said, main uses VNAS_EXIT_FAILED */
	char text[1024];     /* "what failed: why", one line, no full stop, no new line */
	char hint[512];      /* the next thing to do, or "" */
};

/* err_set: says what failed.  `code` is a negative errno and is returned, so that a caller writes
 * `return err_set(err, -errno, "cannot open %s: %m", path);` (%m is the errno at the call). */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* err_exit: like err_set, and fixes the exit status. */
int err_exit(struct err *err, enum vnas_exit status, int code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* err_wrap: puts "context: " in front of what is said already.  Returns `code`. */
int err_wrap(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* err_hint: sets the next thing to do.  Returns `code`. */
int err_hint(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* err_clear: forgets everything, for a caller that handled the failure. */
void err_clear(struct err *err);
