/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands of ours inside a running Vsv, one after the other, as the verbs for users and shares need them.  They run with
 * the rights of the inside, so whatever a tenant put in their way is the tenant's own. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct err;
struct psv;
struct strbuf;
struct strlist;

/* Which PID 1 is meant, and until when (CLOCK_MONOTONIC) what is run there may take: one limit for all that a verb runs,
 * because it holds the server's lock, and a tenant can keep each of its programs from ending. */
struct inside_ref {
	pid_t pid;
	uint64_t start;
	int64_t until_ms;
	size_t said_max; /* how much a program may say, in bytes; 0: 4 MiB */
};

/* inside_ref: with the time that a verb has, half a minute from now on.  inside_ref_within: with as much as is given. */
struct inside_ref inside_ref(pid_t pid, uint64_t start);
struct inside_ref inside_ref_within(pid_t pid, uint64_t start, int time_ms);

/* inside_find: the PID 1 of a running Vsv.  0; 1: it does not run; -errno. */
int inside_find(const struct psv *psv, const char *name, struct inside_ref *ret, struct err *err);
/* inside_require: the same, and -ESRCH with VNAS_EXIT_NOT_RUNNING when it does not run. */
int inside_require(const struct psv *psv, const char *name, struct inside_ref *ret, struct err *err);

/* inside_brief: for what says little: 64 KiB is enough. */
struct inside_ref inside_brief(const struct inside_ref *ref);

/* inside_run: runs argv inside and gathers what it wrote.  Exit status 0…255, or -errno; -EFBIG: it said more than it may, of what was
 * asked for in brief.  input and output may be NULL. */
int inside_run(const struct inside_ref *ref, const char *const argv[], const char *input, struct strbuf *output,
	       struct err *err);
/* inside_must: the same, and any status but 0 is an error: -EIO with what the command said last. */
int inside_must(const struct inside_ref *ref, const char *const argv[], const char *input, struct err *err);
