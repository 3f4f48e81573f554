/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the template share: the recipe (which packages, which files), dpkg's database, the staged tree, and
 * the image's loop device.  Everybody else includes psv/template.h. */
#pragma once

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/str.h"
#include "psv/template.h"

struct err;
struct psv;

/* The recipe, template-recipe.c.  A change of what it selects or of how the image is written must count up
 * RECIPE_VERSION, or machines keep the template that they have. */
enum { RECIPE_VERSION = 4 };
/* recipe_packages: what a Vsv's administrator needs and what the services need; optional ones only if installed. */
struct recipe_package {
	const char *name;
	bool optional;
};
extern const struct recipe_package recipe_base[]; /* ends with a NULL name */
/* recipe_leaves_out: a package that others depend on, but that only serves their installation. */
bool recipe_leaves_out(const char *package);
/* recipe_wants_file: path is relative to /usr. */
bool recipe_wants_file(const char *path);

/* dpkg's database, template-dpkg.c: a reader of its own, because asking dpkg-query costs more than all the rest of
 * template_source(). */
struct dpkg_package {
	const char *name, *arch, *version, *depends, *pre_depends, *provides; /* "" if absent; they point into the text */
	bool chosen;
};

struct dpkg_diversion {
	char *from, *to, *package; /* package ":" : everybody's file moves */
};

struct dpkg {
	char *text;
	struct dpkg_package *packages; /* installed ones of the native architecture, sorted by name */
	size_t n;
	struct dpkg_diversion *diversions;
	size_t n_diversions;
};

#define DPKG_ADMIN "/var/lib/dpkg"

int dpkg_read(struct dpkg *ret, struct err *err);
/* dpkg_parse_status: from memory; the text is taken, also on failure. */
int dpkg_parse_status(char *text, struct dpkg *ret, struct err *err);
void dpkg_free(struct dpkg *d);
struct dpkg_package *dpkg_find(const struct dpkg *d, const char *name);
/* dpkg_choose: marks the package and all that it depends on, but for what the recipe leaves out. */
int dpkg_choose(struct dpkg *d, const char *name, struct err *err);
/* dpkg_files: the files of the chosen packages that the recipe wants, relative to /usr, sorted, each once. */
int dpkg_files(const struct dpkg *d, struct strlist *ret, struct err *err);
/* dpkg_owner: the first package that has one of these files, relative to /usr; NULL: none. */
const char *dpkg_owner(const struct dpkg *d, const char *path);
/* dpkg_wait: returns when no dpkg is writing.  -EBUSY: still after timeout_ms. */
int dpkg_wait(int timeout_ms, void (*progress)(const char *line), struct err *err);

/* The staged tree, template-stage.c: copies the files below dst_fd, an empty folder that becomes /usr. */
int stage_files(int dst_fd, const struct strlist *files, struct err *err);
/* stage_program: one of template_programs, which lies at that path, into lib/vnas. */
int stage_program(int dst_fd, const char *name, const char *path, struct err *err);
/* folder_list: opens a folder for readdir(3).  0 or -errno. */
int folder_list(int dirfd, const char *path, DIR **ret);
/* path_below_usr: the part of an absolute path below /usr, also where /usr is merged (/bin/x); NULL: elsewhere. */
const char *path_below_usr(const char *path, char *buf, size_t size);

enum { TEMPLATE_NAME_DIGITS = 64, TEMPLATE_META_MAX_BYTES = 1024 * 1024 };

/* What is in LIB/templates, template.c. */
bool template_is_name(const char *s, size_t n); /* begins with n digits of a name */
int template_folder(const struct psv *psv, struct err *err);
int template_list_at(int dir, struct template **ret, size_t *ret_n, struct err *err);
/* template_read_meta: 0; 1: there is none of that name, or it is damaged. */
int template_read_meta(int dir, const char *name, struct template *ret);
/* template_lock: 1, so that a chain of steps goes on, or -errno.  Held until the descriptor is closed. */
int template_lock(int dir, void (*progress)(const char *line), struct err *err);
/* template_remove_at: the caller has the lock.  -EBUSY: it is in use. */
int template_remove_at(const struct psv *psv, int dir, const char *name, struct err *err);
/* template_prune: removes old ones that nothing uses; the caller has the lock. */
void template_prune(const struct psv *psv, int dir, void (*progress)(const char *line));
int template_choose(struct dpkg *d, const struct strlist *extra, struct err *err);
/* template_extra_str: as it is written into a description.  false: too long. */
bool template_extra_str(const struct strlist *extra, char buf[TEMPLATE_EXTRA_MAX]);
int template_fingerprint(const struct dpkg *d, char ret[TEMPLATE_NAME_DIGITS + 1], struct err *err);
int template_sha256(const char *path, char ret[TEMPLATE_NAME_DIGITS + 1], struct err *err);

/* Our own programs that run inside, NULL-terminated; template_program_path: where this installation has one. */
extern const char *const template_programs[];
int template_program_path(const char *name, char *buf, size_t size, struct err *err);

/* template_let_go: ends the Psv's own mount of it.  false: a Vsv or a command holds its loop device. */
bool template_let_go(const struct psv *psv, const char *name);
