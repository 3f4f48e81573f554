/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control groups of a Vsv: one in the v2 hierarchy, where the gate is attached and every process is born
 * (CLONE_INTO_CGROUP), and on a mixed layout one in each v1 controller that limits something.  cgroups(7).
 *
 * They are called TAG/NAME below the hierarchy's root (TAG: psv->tag).  TAG holds no process; it bounds all Vsv together,
 * so that they leave something to the Psv.  Nothing of this is mounted inside a Vsv.
 *
 * Safe defaults, for a Vsv whose configuration says nothing: memory, page cache included, a quarter of the machine's (at
 * least 128 MiB); tasks, 2,048 (smbd takes one a client and up to 100 threads for each busy one); open files a process,
 * 20,000 (above the 16,404 that smbd wants).  All Vsv together: the memory less a tenth (at least 256 MiB), half of the
 * machine's swap, and three quarters of what pid_max and threads-max allow.  Processor time is shared by Vsv, not by
 * process, each with the same weight, and who writes faster than the disk waits for himself (v2).  Other weights, bounds of
 * processors and disks and a reserve of memory are the configuration's (cgroup_resource.h, cgroup_disk.h).
 *
 * Who needs more memory than the limit is ended, at once.  There is no memory.high, where the kernel has who passes it wait
 * up to two seconds at each step instead, for minutes in all; and no swap, through which a hog would first push everything
 * onto the disk that its neighbours use.  Page cache is given back before anybody is ended.  The kernel ends one process,
 * the largest (memory.oom.group is off: smbd has one a client, and the others go on); PID 1 comes last (vsv/init.c).
 *
 * Supervisors are the Psv's, and so in a group of their own beside TAG, TAG-supervisors/NAME, v2 only: nobody but us starts
 * and ends what is in it.  v1 controllers have them where their starter was; no service manager ends processes by those. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "psv/conf.h"

struct cgroup_resource_real;
struct err;
struct psv;

/* What is really enforced, for status. */
struct cgroup_usage {
	bool memory_real, tasks_real, cpu_real;  /* a controller enforces it here */
	uint64_t memory_bytes, memory_max_bytes; /* 0 max: none */
	uint64_t memory_kills;                   /* processes that were ended for lack of it */
	uint64_t tasks, tasks_max;
	uint64_t cpu_usec;
};

/* cgroup_up: makes them and sets the limits (again: sets the limits).  Returns a descriptor of the v2 folder. */
int cgroup_up(const struct psv *psv, const char *name, const struct conf_limits *limits, struct err *err);
/* cgroup_enter_v1: the caller, a process of one thread, goes into the v1 ones.  With v2 alone nothing happens.  By itself, since
 * moving another process makes the kernel wait for all processors (10 to 30 ms: cgroup_threadgroup_rwsem).  The words of its
 * error say what, not why, which follows when they are handed on. */
int cgroup_enter_v1(const struct psv *psv, const char *name, struct err *err);
/* cgroup_kill: kills every process in it and waits until it is empty.  Accepts "never came up".  -ETIME: not empty yet. */
int cgroup_kill(const struct psv *psv, const char *name, int timeout_ms, struct err *err);
/* cgroup_down: removes them, and TAG with the last Vsv's; -EBUSY: somebody is in it. */
int cgroup_down(const struct psv *psv, const char *name, struct err *err);
/* cgroup_level: for whoever cloned a process into an empty v2 group and saw it end at once (cgroup_level.c).  1: the kernel did
 * that, and does it no more; 0: it does not; -errno. */
int cgroup_level(int group, struct err *err);
/* cgroup_usage: of one that never came up all is 0. */
int cgroup_usage(const struct psv *psv, const char *name, struct cgroup_usage *ret, struct err *err);
/* cgroup_real: what of the shares of limits its control groups really have (cgroup_resource.h). */
void cgroup_real(const struct psv *psv, const char *name, bool runs, const struct conf_limits *limits, struct cgroup_resource_real *ret);
/* cgroup_root_id: the number by which sock_diag(7) and BPF name TAG in the v2 hierarchy; 0: it is not there. */
uint64_t cgroup_root_id(const struct psv *psv);
/* cgroup_id_is_below: the v2 control group of that number is the one with number root_id, or below it. */
bool cgroup_id_is_below(uint64_t id, uint64_t root_id);
/* cgroup_supervisor_up: makes the supervisor's group; a descriptor to clone it into.  cgroup_supervisor_down: kills what is
 * left there and removes it; under the Vsv's lock.  Both accept that it is there, or never came up. */
int cgroup_supervisor_up(const struct psv *psv, const char *name, struct err *err);
int cgroup_supervisor_down(const struct psv *psv, const char *name, struct err *err);
/* cgroup_supervisor_discard: takes the group away again, if nobody lives in it. */
void cgroup_supervisor_discard(const struct psv *psv, const char *name);
/* cgroup_supervisor_is_ours: that supervisor is in the group that cgroup_supervisor_up() made, not in a service manager's. */
bool cgroup_supervisor_is_ours(const struct psv *psv, const char *name, pid_t pid);
/* cgroup_limits: limits with the safe defaults filled in. */
struct conf_limits cgroup_limits(const struct conf_limits *limits);
