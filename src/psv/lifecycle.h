/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The life cycle: one ordered table of steps (steps.c), each with an up and a down.  Start walks it forward; a failure, a
 * stop and a repair walk it backward.  Every down works from the state file alone and accepts "never came up". */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/str.h"

struct err;
struct psv;

struct start_opts {
	bool no_probe;             /* do not ask the network whether an address answers */
	bool foreground;           /* the caller becomes the supervisor itself (supervise_exec) */
	const char *template_name; /* NULL: the configured or the newest */
	void (*notice)(const char *line);
};

/* Outcomes that are no errors. */
enum { LIFECYCLE_DONE = 0, LIFECYCLE_ALREADY = 1 };

/* lifecycle_start: LIFECYCLE_DONE, LIFECYCLE_ALREADY (it runs), or -errno: all is undone. */
int lifecycle_start(const struct psv *psv, const char *name, const struct start_opts *opts, struct err *err);

/* lifecycle_describe: what start would do, a line "step: words" each; makes the preflight, changes nothing. */
int lifecycle_describe(const struct psv *psv, const char *name, const struct start_opts *opts, struct strlist *ret,
		       struct err *err);

/* lifecycle_stop: LIFECYCLE_DONE, LIFECYCLE_ALREADY (nothing of it was there), or -errno: what could be taken away is,
 * the next stop tries the rest.  timeout_ms: for the services to end by themselves; 0: 20 s. */
int lifecycle_stop(const struct psv *psv, const char *name, int timeout_ms, void (*notice)(const char *line),
		   struct err *err);

/* lifecycle_restart: stop and start; stops nothing that could not be started again for want of a configuration or a
 * template. */
int lifecycle_restart(const struct psv *psv, const char *name, const struct start_opts *opts, struct err *err);

/* lifecycle_recover: after PID 1's death or a killed command: takes away what is left, and starts again if it was running
 * (or is to be started, when the kill hit a restart).  LIFECYCLE_ALREADY: nothing was wrong. */
int lifecycle_recover(const struct psv *psv, const char *name, void (*notice)(const char *line), struct err *err);

/* lifecycle_reassert: puts addresses, rules and routes of a running Vsv back that somebody flushed, and announces them. */
int lifecycle_reassert(const struct psv *psv, const char *name, struct err *err);

/* lifecycle_announce: tells the network again where the addresses of a running Vsv are.  -EWOULDBLOCK: a command has it. */
int lifecycle_announce(const struct psv *psv, const char *name, struct err *err);

/* lifecycle_supervisor: starts a supervisor for a running Vsv that has none.  LIFECYCLE_ALREADY: it has one. */
int lifecycle_supervisor(const struct psv *psv, const char *name, struct err *err);
