/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Templates: the read-only /usr that Vsv run.  An EROFS image made from the Psv's installed packages (dpkg's own file
 * lists, /usr only, nothing of /usr/local, no set-id bits, no device nodes) and their installed dependencies, plus our own
 * vnas-init and vnas-discover in lib/vnas.  Its name is the SHA-256 of its content; it is made once and never changed.  The image
 * mounts through one loop device for all Vsv, so that its page cache is shared. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/str.h"

struct err;
struct psv;

/* What a template is made of beside what every Vsv needs: package names, sorted, each once; NULL: nothing.  Vsv that ask for
 * nothing more share one. */
#define TEMPLATE_EXTRA_MAX 512 /* all of them, parted by spaces */

struct template {
	char name[65];     /* 64 hex digits */
	char source[65];   /* SHA-256 of the sorted "package=version" list, of our programs in it, and of the recipe's version */
	char extra[TEMPLATE_EXTRA_MAX];
	uint64_t bytes;
	int64_t created;   /* or made the newest again; seconds since the epoch */
	uint32_t created_ns;
};

/* template_source: the fingerprint of what a template made now would be made of.  Fast: no file contents are read but
 * dpkg's status. */
int template_source(const struct psv *psv, const struct strlist *extra, char ret_source[65], struct err *err);
/* template_build: makes it if there is none of that source, and it is the newest then: also after packages were put back to
 * an older version.  ret->name tells which.  A start calls it: when there is nothing to make it waits for nobody.
 * progress(line) may be NULL. */
int template_build(const struct psv *psv, const struct strlist *extra, struct template *ret,
		   void (*progress)(const char *line), struct err *err);
int template_list(const struct psv *psv, struct template **ret, size_t *ret_n, struct err *err); /* newest first */
/* template_newest: of those that were made with exactly that much more.  0; 1: there is none yet. */
int template_newest(const struct psv *psv, const struct strlist *extra, struct template *ret, struct err *err);
/* template_misses: a program, by its absolute path inside, that a template made now would not have; false also for what lies
 * outside of /usr, which is no template's.  What a template has is remembered in LIB/templates until the
 * packages change.  *ret_package: the installed package that has it, which the caller frees, or NULL. */
bool template_misses(const struct psv *psv, const struct strlist *extra, const char *program, char **ret_package);
int template_remove(const struct psv *psv, const char *name, struct err *err); /* -EBUSY: in use */
/* template_resolve: a name or a unique beginning of at least 6 digits to the whole name. */
int template_resolve(const struct psv *psv, const char *given, char ret_name[65], struct err *err);
/* template_overlay: a detached, read-only overlay mount of its own (own superblock) whose lower layer is the template.
 * Descriptor or -errno. */
int template_overlay(const struct psv *psv, const char *name, struct err *err);
