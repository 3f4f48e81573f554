/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making and forgetting a Vsv.  NAME.conf is the commit point of both: a Vsv exists when it does.  While create works,
 * LIB/servers/NAME/creating holds the configuration; while destroy works, LIB/servers/NAME/destroying does; what a kill
 * leaves is taken away by the next create or destroy of that name. */
#pragma once

#include <stdbool.h>

#include "lib/str.h"

struct err;
struct psv;

struct create_opts {
	bool force;   /* a device with a foreign signature is overwritten */
	bool dry_run; /* check only */
	struct strlist *ret_steps; /* one line "step: words" each */
	void (*notice)(const char *line);
};

/* server_create: conf_text is the whole new NAME.conf (volumes without uuid).  0; -EEXIST: there is one; -errno: all is
 * undone. */
int server_create(const struct psv *psv, const char *name, const char *conf_text, const struct create_opts *opts,
		  struct err *err);

/* server_destroy: of a stopped Vsv (-EBUSY: it runs).  Its volumes stay as orphans that can be adopted; purge_too deletes
 * them.  Its configuration need not parse. */
int server_destroy(const struct psv *psv, const char *name, bool purge_too, void (*notice)(const char *line),
		   struct err *err);

/* server_finish_interrupted: what a kill left of a create is undone, of a destroy is done.  The caller holds the locks of
 * that name and of the registry. */
int server_finish_interrupted(const struct psv *psv, const char *name, struct err *err);
