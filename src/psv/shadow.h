/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shadow's programs inside: useradd(8) and kin. */
#pragma once

struct err;
struct inside_ref;

/* shadow_run: as inside_must(), and again where only a stale lock was in its way. */
int shadow_run(const struct inside_ref *ref, const char *const argv[], const char *input, struct err *err);
