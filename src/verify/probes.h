/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one probe is.  The table stands in probes.def and is read twice: by the prober, which has the functions, and by
 * vnas, which judges the answers.  A new probe is an entry there and a function. */
#pragma once

#include "verify/rows.h"

/* Where and how often a probe is run. */
enum probe_when {
	WHEN_OWN,       /* inside, once: on what is the Vsv's own, where it must succeed: a control */
	WHEN_SELF,      /* inside, once */
	WHEN_PEER,      /* inside, against the Psv and each other Vsv */
	WHEN_PEER_PSV,  /* inside, against the Psv */
	WHEN_PEER_VSV,  /* inside, against each other Vsv */
	WHEN_GATE_OWN,  /* by a process of the Psv's in the Vsv's control group: it has every right, and the gate alone says no */
	WHEN_GATE_SELF,
	WHEN_GATE_PEER,
	WHEN_GATE_PEER_PSV,
	WHEN_GATE_PEER_VSV,
};

enum probe_kind {
	KIND_CONTROL, /* must succeed */
	KIND_REFUSE,  /* success is a way through */
	KIND_HIDE,    /* success: what is another's can be seen */
	KIND_OPEN,    /* success: a known gap of this kernel or stack */
	KIND_DELIVER, /* what was sent may be dropped on its way: the Psv looks whether it came */
};

struct probe {
	const char *name;
	enum verify_row_id row;
	enum probe_when when;
	enum probe_kind kind;
	const char *answers; /* the names of the errors by which a kernel refuses it, with single spaces */
	const char *control; /* the probe that shows that the call works; "@WORD": one that the Psv makes (targets.h) */
};

extern const struct probe probes[];
extern const unsigned n_probes;

/* What the prober says of an attempt, beside 0 (it succeeded) and -errno. */
enum {
	ANSWER_NOTHING = 1, /* there is nothing to try it on: an address family that nobody has */
	ANSWER_SENT = 2,    /* of KIND_DELIVER */
	ANSWER_KILLED = 3,  /* the attempt's process was killed or did not end */
};
