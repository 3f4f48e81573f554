/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the gate's notes to the file of refusals.  The notes lie in the gate's map of the Vsv until somebody fetches them:
 * its supervisor every few seconds, `vnas events` when it is asked, a stop before it clears the map.  So nothing is lost
 * beyond the notes' bound while there is no supervisor. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct proto_refused;

struct refusal_log {
	const char *server, *run_dir;
	int folder;          /* LIB/servers/NAME; its lock is who fetches */
	uint32_t id;         /* the Vsv's number; 0: not known */
	int64_t init_pid;    /* its PID 1, by which its processes are known; 0: not known */
	int stats, taken;    /* the gate's maps; -1: not open yet */
	int syslog;          /* facility for the Psv's syslog; -1: not */
};

/* refusals_fetch: how many lines were written, or -errno; -EAGAIN: somebody else is at it.  What it opens it keeps. */
int refusals_fetch(struct refusal_log *l);
/* refusals_add: a checked one of PID 1's. */
void refusals_add(struct refusal_log *l, const struct proto_refused *m);
/* refusals_close: the maps. */
void refusals_close(struct refusal_log *l);

/* psv_syslog: "vnas[PID]: SERVER: EVENT: DETAIL" to the Psv's own /dev/log; never waits.  facility -1: nothing.  run_dir says
 * which Psv's: PREFIX/run/vnas. */
void psv_syslog(const char *run_dir, int facility, const char *server, const char *event, const char *detail, size_t len);
