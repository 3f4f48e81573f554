/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A running Vsv, for the verbs that act in it. */
#pragma once

#include <jansson.h>

#include "psv/psv.h"

struct err;

/* running_state: its state, if it runs.  0; -ESRCH with VNAS_EXIT_NOT_RUNNING and a hint. */
int running_state(const struct psv *psv, const char *name, struct state *ret, struct err *err);
/* running_connect: a connection to its PID 1 (psv/inside.h).  Descriptor or -errno, as running_state. */
int running_connect(const struct psv *psv, const char *name, struct err *err);

/* status_list: one object a Vsv with name, state, since, addresses, stack: cheap enough for a thousand.
 * status_full: all that is known of one; see vnas(8) for the keys. */
int status_list(const struct psv *psv, json_t **ret, struct err *err);
int status_full(const struct psv *psv, const char *name, json_t **ret, struct err *err);
