/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Running other programs, always by an argument array, and looking at processes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct strbuf;

struct run_opts {
	const char *input;    /* standard input; NULL: /dev/null */
	struct strbuf *out;   /* gathers standard output; NULL: thrown away */
	int timeout_ms;       /* 0: 10 minutes; at its end the program is killed */
	bool accept_status;   /* true: any exit status is returned as a positive value, not as an error */
	const char *confine;  /* the one file or device it may write (lib/sandbox.h); NULL: not confined */
	bool confine_admin;   /* true: confined, it keeps CAP_SYS_ADMIN */
};

/* run: argv[0] is looked up in the Psv's fixed path (/usr/sbin:/usr/bin:/sbin:/bin), environment PATH, LC_ALL=C.UTF-8
 * only; no descriptor but 0, 1 and 2 is handed on; it dies with the caller (PR_SET_PDEATHSIG).  The last 200 bytes of
 * its standard error go into err.  0; the exit status (1…255) with accept_status; or -errno (-ENOENT: no such program,
 * said with a hint; -ETIME; -EIO: it failed). */
int run(const char *const argv[], const struct run_opts *opts, struct err *err);

/* program_find: true if a program of this name stands in the fixed path; fills path if not NULL. */
bool program_find(const char *name, char *path, size_t size);

/* pid_start_time: field 22 of /proc/PID/stat, clock ticks after boot: with the pid it names a process for ever
 * (proc(5)).  0; -ESRCH: it is gone, or a zombie; -errno: that cannot be seen. */
int pid_start_time(pid_t pid, uint64_t *ret);

/* pid_open_checked: a pidfd of exactly that process.  Descriptor; -ESRCH: it is gone or another has its number; -errno:
 * that cannot be seen. */
int pid_open_checked(pid_t pid, uint64_t start_time);

/* pid_is_alive: its pidfd does not poll readable yet. */
bool pidfd_is_alive(int pidfd);

/* pid_comm: the command's name, into a buffer of at least 17 bytes; "?" if it is gone. */
char *pid_comm(pid_t pid, char *buf, size_t size);
