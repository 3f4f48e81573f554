/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The life cycle: one ordered table of steps, each with an up and a down.  Start walks it forward; a failure, a stop and a
 * repair walk it backward.  Every down works from the state file alone and accepts "never came up". */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/str.h"

struct err;
struct psv;

struct start_opts {
	bool no_probe;       /* do not ask the network whether an address answers */
	bool dry_run;        /* only gather the steps' words */
	const char *template_name; /* NULL: the configured or the newest */
	struct strlist *ret_steps; /* dry_run: one line "name: what it would do" each */
	void (*notice)(const char *line);
};

/* Outcomes that are no errors. */
enum { LIFECYCLE_DONE = 0, LIFECYCLE_ALREADY = 1 };

int lifecycle_start(const struct psv *psv, const char *name, const struct start_opts *opts, struct err *err);
int lifecycle_stop(const struct psv *psv, const char *name, int timeout_ms, struct err *err);
/* lifecycle_reload: brings a running Vsv to its configuration without ending a service; ret_restart gathers what needs a
 * restart ("[volume data] size", …). */
int lifecycle_reload(const struct psv *psv, const char *name, struct strlist *ret_restart, struct err *err);
/* lifecycle_recover: after PID 1's death or an interrupted command: down, and up again if it should run. */
int lifecycle_recover(const struct psv *psv, const char *name, struct err *err);
/* lifecycle_reassert: puts addresses, rules and routes of a running Vsv back that somebody flushed. */
int lifecycle_reassert(const struct psv *psv, const char *name, struct err *err);
