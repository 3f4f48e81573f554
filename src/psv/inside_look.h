/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is there inside a running Vsv: absolute paths, and users of its own passwd file. */
#pragma once

#include <stddef.h>

#include "lib/str.h"

struct err;
struct inside_ref;

/* missing: not there (links are followed; one that leads nowhere is not there).  astray: paths on which a symbolic link
 * stands.  Each in the order of the words; a tenant's answer, but nothing is in them that was not asked for. */
struct inside_found {
	struct strlist missing, astray;
};
void inside_found_free(struct inside_found *f);
#define _cleanup_found_ __attribute__((cleanup(inside_found_free)))

/* inside_look: appends what it found of the words.  0 or -errno; -E2BIG: a word that no message takes. */
int inside_look(const struct inside_ref *ref, const struct strlist *words, struct inside_found *ret, struct err *err);

/* Its parts, for tests: over a connection, once, at most a thousand words; and by a program. */
enum { INSIDE_LOOK_OLDER = 1 }; /* PID 1 does not know the question */
int inside_look_on(int conn, const char *const words[], size_t n, int timeout_ms, struct inside_found *ret, struct err *err);
int inside_look_by_program(const struct inside_ref *ref, const char *const words[], size_t n, struct inside_found *ret,
			   struct err *err);
