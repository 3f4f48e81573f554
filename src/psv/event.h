/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading what event_log() of psv/psv.h and the supervisors wrote: what happened to servers, and what was refused to them. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/str.h"

struct err;
struct psv;

struct events_wanted {
	const struct strlist *names; /* of servers; none: all there are, and the Psv's own events */
	const char *since;           /* only of that time and later, as when_text() writes it; "" or NULL: all */
	unsigned last;               /* so many of what there is; 0: all */
	bool follow;                 /* and what comes, until each() returns 1 or the process is interrupted */
	/* measure: if not NULL: of each of what there is, before the first is given to each(), in no order; with `last` also of what is not
	 * wanted in the end. */
	void (*measure)(const json_t *event, void *arg);
	/* each: in the order of time, but what comes in the order in which it is found.  What it gets is safe: values that are
	 * none of an event's are left out.  1: enough; negative: ends with that. */
	int (*each)(json_t *event, void *arg);
	void *arg;
};

/* events_read: of what there is, it holds in memory where it lies, some 32 bytes an event, and reads each line once more when it is
 * its turn.  It fetches first what the gate has noted, so that a refusal shows at once.  A damaged line is left out. */
int events_read(const struct psv *psv, const struct events_wanted *w, struct err *err);

/* event_parse: one line of such a file.  NULL: it is none.  Words that would act on a terminal are the output's affair; but
 * only strings, numbers and the like are left in it, "time" is one, and "server" and "event" are names. */
json_t *event_parse(const char *line, size_t len);
