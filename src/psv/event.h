/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading what event_log() of psv/psv.h and the supervisor wrote. */
#pragma once

#include <jansson.h>

struct err;
struct psv;

/* events_read: an array of objects in the order of time; name NULL: of all.  A damaged line is left out. */
int events_read(const struct psv *psv, const char *name, json_t **ret, struct err *err);
