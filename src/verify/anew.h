/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The prober, executed once more while the Psv looks.  Who started it, a Vsv's PID 1 that may have been taken over, can have reached into
 * its memory before it had made itself undumpable, or have left in it whatever a process has.  An execution under
 * ptrace(2) ends that: the memory is new, no instruction has run in it, and what else there is of the process is looked at. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct server;

struct anew {
	pid_t pid, watcher; /* 0: none */
	int pidfd, conn;    /* -1: none */
};

/* anew_begin: that process, which executes the program, has executed it again and stands, traced by a child of ours, before its first
 * instruction.  It ends with us.  0; -EACCES: but others inside could look into it; -ENOTSUP: whether they could was not to be found out;
 * -EPERM: somebody else traces it, or nobody may on this machine; or -errno (-EAGAIN: it does not execute it; -ETIME). */
int anew_begin(int program, pid_t pid, struct anew *ret);
/* anew_problem: what it was given that nobody else inside has, or not given, so that its answers say nothing of the others: a filter of
 * system calls more, fewer capabilities, lower limits, another root, user or namespace, an environment.  NULL: nothing. */
const char *anew_problem(const struct server *s, const struct anew *a);
/* anew_go: it runs, by itself.  anew_end: if it has not, it is killed. */
void anew_go(struct anew *a);
void anew_end(struct anew *a);
