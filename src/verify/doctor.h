/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this machine can enforce of each row (verify/rows.h), by trying what the row needs (psv/feature.h); and which
 * packages of file services it has. */
#pragma once

#include <jansson.h>

struct err;
struct psv;

/* doctor_look: an array of objects:
 *   rows:     {probe, interference, text, needs, state: "enforceable" | "private" | "open" | "unknown", missing, means, todo}
 *             with "private" for what stack = private alone keeps;
 *   others:   the same with interference null: a feature that no row needs, or a package; state "there" or "missing".
 * 0: all rows can be enforced; 1: not all. */
int doctor_look(const struct psv *psv, json_t **ret, struct err *err);
