/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the preflight_*.c files share: one function a kind of problem, all in the table of preflight.c. */
#pragma once

#include "psv/preflight.h"

struct preflight_run {
	const struct psv *psv;
	const char *name;        /* NULL with conf: the machine only */
	const struct conf *conf;
	const struct preflight_opts *opts;
	const struct service *const *services; /* what conf runs, NULL-terminated; NULL: not asked for */
	bool *address_told;      /* one an address of conf: it is known to be another Vsv's */
	struct preflight found;
};

/* A check adds what it finds; its return is negative only if it could not look, with words in err. */
typedef int preflight_check(struct preflight_run *run, struct err *err);

preflight_check preflight_kernel;
preflight_check preflight_programs;
preflight_check preflight_packages;
preflight_check preflight_services;
preflight_check preflight_timezone;
preflight_check preflight_smb_conf;
preflight_check preflight_servers;
preflight_check preflight_link;
preflight_check preflight_addresses;
preflight_check preflight_listeners;

/* preflight_obstacle, preflight_warning: one more problem. */
struct preflight_problem *preflight_obstacle(struct preflight_run *run, enum vnas_exit status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
struct preflight_problem *preflight_warning(struct preflight_run *run, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void preflight_hint(struct preflight_problem *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
