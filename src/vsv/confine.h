/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What takes PID 1's rights away, and its children's further ones.  Everything here only ever narrows. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct seccomp_pass;

/* What PID 1 itself needs to run others, beside what it may hand on: CHOWN, KILL, SETGID, SETUID, SETPCAP. */
#define CONFINE_OWN_CAPABILITIES (UINT64_C(1) << 0 | UINT64_C(1) << 5 | UINT64_C(1) << 6 | UINT64_C(1) << 7 | UINT64_C(1) << 8)

/* confine_init: for PID 1, before anything of the tenant's runs: limits, no_new_privs, Landlock scopes (Linux 6.12 and
 * later), bounding set, capabilities, seccomp.  nofile: of its children; its own limit of open files is higher.
 * seccomp_load_all()'s descriptor or -errno; *ret_step says what failed. */
int confine_init(uint64_t bounding, uint32_t nofile, const struct seccomp_pass *pass, const char **ret_step);

/* confine_child: for a child that is still root: its limit of open files, its own bounding set, and the filters that the
 * flags of a service (vsv/proto.h) ask for. */
int confine_child(uint64_t capabilities, uint32_t flags, const char **ret_step);
/* confine_drop: the child's last step, after it has changed its user.  0 or -errno. */
int confine_drop(uint64_t capabilities);
/* confine_drop_ambient: the same for a child that has become another user and kept its capabilities (PR_SET_KEEPCAPS): its
 * program has them too. */
int confine_drop_ambient(uint64_t capabilities);
