/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The supervisor of a running Vsv (vsv/supervise.c says what it does), and the log that it keeps.  Nothing depends on its
 * life: it can be killed, ended and started again at any time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct err;
struct psv;
struct state;

/* supervise_spawn: starts it, detached from the caller (its session, its control group), for the PID 1 that st names, and returns when it is attached; sets
 * st->supervisor_pid and supervisor_start (the caller writes the state).  One that is there already is taken over as it
 * is: after a recovery it follows the state file to the new PID 1 by itself, so a recovery need not end it. */
int supervise_spawn(const struct psv *psv, const char *name, struct state *st, struct err *err);

/* The same in three steps, so that it comes up while PID 1 does: supervise_begin() makes its process, which takes its lock and
 * then waits (0 or -errno; *ret holds a descriptor); supervise_go() tells it that PID 1 answers; supervise_await() returns when
 * it is attached, as supervise_spawn() does.  supervise_abandon() ends one that was not told yet, and waits for its end;
 * the starter's death ends it, too. */
struct supervise_begun {
	pid_t pid;
	int fd; /* -1: none was begun */
};
#define SUPERVISE_NONE { .fd = -1 }
int supervise_begin(const struct psv *psv, const char *name, const struct state *st, struct supervise_begun *ret,
		    struct err *err);
void supervise_go(const struct supervise_begun *b);
int supervise_await(const struct psv *psv, const char *name, struct supervise_begun *b, struct state *st, struct err *err);
void supervise_abandon(struct supervise_begun *b);

/* supervise_exec: becomes it, in the foreground; ends one that is there before.  st gets its own pid and is written.  A
 * service manager that waits for it is told READY=1 (sd_notify(3)).  Returns only when that failed. */
int supervise_exec(const struct psv *psv, const char *name, struct state *st, struct err *err);

/* supervise_find: the one that is there, by its lock: 0 and st's two fields set; 1: there is none. */
int supervise_find(const struct psv *psv, const char *name, struct state *st, struct err *err);

/* supervise_end: ends the one that is there, waits for it, and takes its control group away; services go on.  0 also when
 * there is none. */
int supervise_end(const struct psv *psv, const char *name, struct err *err);

struct supervise_log {
	unsigned last;  /* so many lines of what there is; 0: all */
	char since[32]; /* only lines of that time and later, as when_text() writes it; "": all */
	bool follow;    /* and what comes, until line() returns 1 or the process is interrupted */
	/* line: without its new line; safe to show on a terminal.  1: enough; negative: ends with that. */
	int (*line)(const char *line, size_t len, void *arg);
	void *arg;
};
/* supervise_log_read: the lines of LIB/servers/NAME/log, oldest first: "TIME SERVICE: TEXT", or
 * "TIME TAG[PID] FACILITY.SEVERITY: TEXT" of what came over /dev/log. */
int supervise_log_read(const struct psv *psv, const char *name, const struct supervise_log *l, struct err *err);
