/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control groups of a Vsv: one in the v2 hierarchy, where the gate is attached and every process is born
 * (CLONE_INTO_CGROUP), and on a mixed layout one in each v1 controller that limits something.  cgroups(7). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "psv/conf.h"

struct err;
struct psv;

/* What is really enforced, for status. */
struct cgroup_usage {
	bool memory_real, tasks_real;          /* a controller enforces it here */
	uint64_t memory_bytes, memory_max_bytes; /* 0 max: none */
	uint64_t tasks, tasks_max;
	uint64_t cpu_usec;
};

/* cgroup_up: makes them and sets the limits (again: sets the limits).  Returns a descriptor of the v2 folder. */
int cgroup_up(const struct psv *psv, const char *name, const struct conf_limits *limits, struct err *err);
/* cgroup_enter_v1: moves one process (PID 1, before it has children) into the v1 ones. */
int cgroup_enter_v1(const struct psv *psv, const char *name, pid_t pid, struct err *err);
/* cgroup_kill: kills every process in it and waits until it is empty.  Accepts "never came up". */
int cgroup_kill(const struct psv *psv, const char *name, int timeout_ms, struct err *err);
/* cgroup_down: removes them; -EBUSY: somebody is in it. */
int cgroup_down(const struct psv *psv, const char *name, struct err *err);
int cgroup_usage(const struct psv *psv, const char *name, struct cgroup_usage *ret, struct err *err);
/* cgroup_limits: limits with the safe defaults filled in. */
struct conf_limits cgroup_limits(const struct conf_limits *limits);
