/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The way to a prober that nobody inside can stand on. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct strbuf;

/* channel_runs: that process executes the program. */
bool channel_runs(int program, pid_t pid);
/* channel_open: a socket whose other end that process alone has, if it runs the program and waits for questions.  pidfd: of the same
 * process, so that it is no other that got its number.  0; -EAGAIN: it does not, or not yet; -errno: it is gone. */
int channel_open(int program, pid_t pid, int pidfd, int *ret);
/* channel_stands_with: both have the same root, and are in the same namespaces, that of users among them. */
bool channel_stands_with(pid_t pid, pid_t other);
/* channel_talk: asks all of it and gathers what is answered, until the last answer or the prober's end.  0, or -ETIME. */
int channel_talk(int fd, const char *input, int timeout_ms, struct strbuf *said);
