/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Proof of separation on the running machine.  Evidence is of three kinds: what a program inside each Vsv was answered
 * (prober.h); what a process with all rights was answered in the Vsv's control group, where only the gate stands in its way;
 * and what the Psv sees of the Vsv's processes, mounts, descriptors and of the gate.  A hostile root can keep the first from
 * being gathered (then it is open), but not answer for the prober, and it has no hand in the others. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/str.h"

struct err;
struct psv;

enum verdict {
	VERDICT_REFUSED, /* tried, and its control passed */
	VERDICT_CONTROL, /* a control, which succeeded */
	VERDICT_VISIBLE, /* what is another's can be seen, not touched */
	VERDICT_OPEN,    /* this kernel does not enforce it, or it could not be tried */
	VERDICT_THROUGH, /* it succeeded */
	VERDICTS,
};
extern const char *const verdict_names[VERDICTS];

struct verify_sum {
	size_t n[VERDICTS];
};

/* verify_run: tries all from inside each of the named Vsv, which run; none named: every one that runs.  *ret is an array of
 * objects {probe, row, interference, server, against, expected, answer, verdict}.  -ESRCH with VNAS_EXIT_NOT_RUNNING. */
int verify_run(const struct psv *psv, const struct strlist *names, json_t **ret, struct verify_sum *ret_sum, struct err *err);
/* verify_exit: 0 nothing is open, 1 something got through, 7 some rows are open. */
int verify_exit(const struct verify_sum *sum);
/* verify_list: the probes themselves, for a look at what would be tried. */
json_t *verify_list(void);
/* verify_matrix: one object a row of the table: row, text, and the worst verdict of each server under its name. */
json_t *verify_matrix(const json_t *probes);
