/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changing a Vsv's configuration, running or not.  There is one way: the new text is parsed and checked, becomes NAME.conf,
 * and a running Vsv is brought to it by reload; when that fails, the old text comes back.  A kill in between leaves the
 * new configuration and the old state, which the next reload brings together. */
#pragma once

#include "lib/str.h"

struct err;
struct psv;

/* An edit: the new text (the caller frees it) from the old one.  NULL with words in err: the change does not fit. */
typedef char *(*conf_edit_fn)(const char *text, void *arg, struct err *err);

struct change_opts {
	const char *verb;         /* for the lock */
	bool whole_text;          /* the new text is what somebody wrote as a file: errors name its lines */
	bool no_probe;
	void (*notice)(const char *line);
	struct strlist *ret_restart; /* gathers what takes effect at the next restart; or NULL */
};

/* server_change: under the Vsv's lock.  0 or -errno: nothing is changed. */
int server_change(const struct psv *psv, const char *name, conf_edit_fn edit, void *arg, const struct change_opts *opts,
		  struct err *err);

/* server_change_locked: for a caller that holds the Vsv's and the registry's lock. */
int server_change_locked(const struct psv *psv, const char *name, conf_edit_fn edit, void *arg,
			 const struct change_opts *opts, struct err *err);

/* server_reload: brings a running Vsv to its NAME.conf without ending a service.  -ESRCH with VNAS_EXIT_NOT_RUNNING. */
int server_reload(const struct psv *psv, const char *name, void (*notice)(const char *line),
		  struct strlist *ret_restart, struct err *err);
