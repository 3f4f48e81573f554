/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a server was refused, told as what its configuration would have to say: for an old server that was imported, and of
 * which nobody knows all that it needs.  Nothing is changed: most refusals are right. */
#pragma once

#include <jansson.h>

struct err;
struct psv;

/* event_learn: an array of objects {server, section, key, value, count, reason}, those that come most often first; section,
 * key and value are null where no setting would allow it.  since: as of struct events_wanted. */
int event_learn(const struct psv *psv, const char *name, const char *since, json_t **ret, struct err *err);
