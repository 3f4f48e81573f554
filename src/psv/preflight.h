/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What would make a start fail, gathered before anything is made: all of it at once, each with words and a hint.  Nothing
 * here changes anything (but for RUN/.index, a cache).  Whether somebody on the network answers at an address is not asked here, as that takes time:
 * net_probe(). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

struct conf;
struct psv;
struct service;

struct preflight_opts {
	const struct service *const *services; /* the table, NULL-terminated; NULL: nothing of services is asked */
	bool create;         /* its volumes are to be made: mkfs */
	bool build_template; /* there is no template yet: mkfs.erofs, and the services' packages on the Psv */
	bool optional;       /* tells also what is only less good here (for doctor and verify) */
};

struct preflight_problem {
	bool warning;        /* no obstacle */
	enum vnas_exit exit;
	char text[512];
	char hint[512];      /* the next thing to do, or "" */
};

struct preflight {
	struct preflight_problem *v;
	size_t n, n_obstacles;
};

/* preflight: 0: nothing is in the way; -EBUSY: something is: err has all obstacles in one line, and the first one's hint.
 * *ret, which may be NULL, gets all problems in either case; the caller frees it.  The caller holds the Vsv's lock, or
 * looks only.  name and conf NULL: the machine only. */
int preflight(const struct psv *psv, const char *name, const struct conf *conf, const struct preflight_opts *opts,
	      struct preflight *ret, struct err *err);
void preflight_free(struct preflight *p);
