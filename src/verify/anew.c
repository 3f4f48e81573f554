/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tracer is a child of ours: who is in the middle of an execution that never ends keeps whoever would trace it waiting, and a child can
 * be killed.
 *
 * Whether others inside could look into what is executed is not concluded but tried, by the kernel's own answer to who has every right but
 * CAP_SYS_PTRACE, which nobody inside has: the program's mode and the capabilities that are put aside for the execution are the
 * starter's to change until the last moment.  What a process may look into is decided when its memory is made, before anybody can, and
 * stays as it is until its first instruction. */
#include "verify/anew.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/process.h"
#include "lib/str.h"
#include "verify/channel.h"
#include "verify/internal.h"
#include "vsv/aside.h"

enum { WATCH_S = 4 };

static int wait_for(pid_t pid, int *ret_status)
{
	while (waitpid(pid, ret_status, __WALL) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFSTOPPED(*ret_status) ? 0 : -ESRCH;
}

/* ---- whether it can be looked into ---- */

/* look_into: by what ptrace(2) itself asks and nothing else. */
static int look_into(pid_t pid)
{
	char path[40], target[8];

	(void)str_format(path, sizeof(path), "/proc/%d/exe", (int)pid);
	return readlink(path, target, sizeof(target)) < 0 ? -errno : 0;
}

/* look_into_any: the control: a process without rights, which everybody can look into who has them, if nothing else on this machine
 * stands before it. */
static int look_into_any(void)
{
	int pair[2], r = -ENOTSUP;
	pid_t pid;
	char c;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (capabilities_none() < 0 || prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0 || write(pair[1], "", 1) != 1)
			_exit(1);
		(void)pause();
		_exit(1);
	}
	(void)close(pair[1]);
	if (pid > 0) {
		if (read(pair[0], &c, 1) == 1 && look_into(pid) == 0)
			r = 0;
		(void)kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	(void)close(pair[0]);
	return r;
}

static int is_closed(pid_t pid)
{
	int r = capabilities_aside(UINT64_C(1) << CAP_SYS_PTRACE);

	if (r < 0)
		return r;
	r = look_into_any();
	if (r == 0) {
		r = look_into(pid);
		r = r == 0 ? -EACCES : r == -EACCES ? 0 : r;
	}
	(void)capabilities_aside(0);
	return r;
}

/* ---- the tracer ---- */

/* resume: a stop from outside is ended, other signals are what they would be. */
static int resume(pid_t pid, int status)
{
	int sig = WSTOPSIG(status), event = status >> 16;
	bool stops = sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU;

	if (event == PTRACE_EVENT_STOP && stops)
		(void)kill(pid, SIGCONT);
	return ptrace(PTRACE_CONT, pid, 0, event || stops ? 0 : sig) < 0 ? -errno : 0;
}

/* until_executed: the first stop is none in an execution, which by now is over, since its event was not asked for: so the one that is
 * seen after it begins after it. */
static int until_executed(int program, pid_t pid)
{
	int status, r;

	if (ptrace(PTRACE_SEIZE, pid, 0, 0) < 0)
		return -errno;
	if (ptrace(PTRACE_INTERRUPT, pid, 0, 0) < 0)
		return -errno;
	r = wait_for(pid, &status);
	/* Traced it keeps its number; before, another may have got it. */
	if (r == 0 && !channel_runs(program, pid))
		r = -EAGAIN;
	if (r == 0 && ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL) < 0)
		r = -errno;
	while (r == 0) {
		r = resume(pid, status);
		if (r == 0)
			r = wait_for(pid, &status);
		if (r == 0 && status >> 16 == PTRACE_EVENT_EXEC)
			return channel_runs(program, pid) ? is_closed(pid) : -EAGAIN;
	}
	return r;
}

static void watch(int program, pid_t pid, int conn) __attribute__((noreturn));
static void watch(int program, pid_t pid, int conn)
{
	char go;
	int r;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	r = until_executed(program, pid);
	if (write(conn, &r, sizeof(r)) == (ssize_t)sizeof(r) && r == 0 && read(conn, &go, 1) == 1)
		(void)ptrace(PTRACE_DETACH, pid, 0, 0);
	_exit(0);
}

int anew_begin(int program, pid_t pid, struct anew *ret)
{
	struct anew a = { .pid = pid, .pidfd = -1, .conn = -1 };
	_cleanup_close_ int theirs = -1;
	int pair[2], r = -ETIME;
	struct pollfd p;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	a.conn = pair[0];
	theirs = pair[1];
	a.pidfd = pidfd_open(pid, 0);
	a.watcher = a.pidfd < 0 ? -1 : fork();
	if (a.watcher == 0) {
		(void)close(a.conn);
		watch(program, pid, theirs);
	}
	(void)close(steal_fd(&theirs));
	p = (struct pollfd){ .fd = a.conn, .events = POLLIN };
	if (a.watcher < 0)
		r = -errno;
	else if (poll(&p, 1, WATCH_S * 1000) > 0 && read(a.conn, &r, sizeof(r)) != (ssize_t)sizeof(r))
		r = -ECHILD;
	/* Alive it is the one that was seen there. */
	if (r == 0 && !pidfd_is_alive(a.pidfd))
		r = -ESRCH;
	if (r < 0)
		anew_end(&a);
	else
		*ret = a;
	return r;
}

static void reap(struct anew *a)
{
	while (a->watcher > 0 && waitpid(a->watcher, NULL, 0) < 0 && errno == EINTR)
		;
	a->watcher = 0;
	cleanup_close(&a->conn);
	a->conn = -1;
}

void anew_go(struct anew *a)
{
	(void)!write(a->conn, "", 1);
	reap(a);
}

void anew_end(struct anew *a)
{
	if (a->watcher > 0)
		(void)kill(a->watcher, SIGKILL);
	reap(a);
	cleanup_close(&a->pidfd);
	a->pidfd = -1;
}

/* ---- what it was given ---- */

static uint64_t status_number(const char *status, const char *key, int base)
{
	const char *value = status_value(status, key);

	return value ? strtoull(value, NULL, base) : 0;
}

static bool add_rights(pid_t tid, void *arg)
{
	_cleanup_free_ char *status = NULL;
	uint64_t *all = arg;

	if (status_read(tid, &status))
		*all |= status_number(status, "\nCapPrm:", 16);
	return true;
}

/* same_limits: as its first process, but for the one that PID 1 sets for each. */
static bool same_limits(pid_t pid, pid_t init)
{
	_cleanup_free_ char *its = NULL, *first = NULL;
	const char *a, *b;
	char path[40];

	(void)str_format(path, sizeof(path), "/proc/%d/limits", (int)pid);
	if (file_read_at(AT_FDCWD, path, 64 * 1024, &its, NULL) < 0)
		return false;
	(void)str_format(path, sizeof(path), "/proc/%d/limits", (int)init);
	if (file_read_at(AT_FDCWD, path, 64 * 1024, &first, NULL) < 0)
		return false;
	for (a = its, b = first; *a && *b; a += strcspn(a, "\n") + 1, b += strcspn(b, "\n") + 1) {
		size_t n = strcspn(a, "\n");

		if (!str_starts(a, "Max open files") && (n != strcspn(b, "\n") || memcmp(a, b, n) != 0))
			return false;
		if (!a[n])
			break;
	}
	return true;
}

static bool has_environment(pid_t pid)
{
	_cleanup_free_ char *text = NULL;
	char path[40];
	size_t len;

	(void)str_format(path, sizeof(path), "/proc/%d/environ", (int)pid);
	return file_read_at(AT_FDCWD, path, 4096, &text, &len) < 0 || len;
}

/* is_among_us: no user namespace of its own, in which it would have no rights over what is outside; its first process may be in one. */
static bool is_among_us(pid_t pid)
{
	struct stat its, ours;
	char path[40];

	(void)str_format(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	if (stat("/proc/self/ns/user", &ours) < 0)
		return true;
	return stat(path, &its) == 0 && its.st_dev == ours.st_dev && its.st_ino == ours.st_ino;
}

const char *anew_problem(const struct server *s, const struct anew *a)
{
	_cleanup_free_ char *status = NULL;
	uint64_t want = 0;

	if (!status_read(a->pid, &status) || status_number(status, "\nTracerPid:", 10) != (uint64_t)a->watcher)
		return "it was gone before it was looked at";
	/* All inside have the one that PID 1 laid on itself, so a single one is that. */
	if (status_number(status, "\nSeccomp_filters:", 10) > 1)
		return "it has a filter of system calls that it was not given";
	each_thread(s, add_rights, &want);
	if (want & ~status_number(status, "\nCapPrm:", 16) || want & ~status_number(status, "\nCapEff:", 16) ||
	    want & ~status_number(status, "\nCapBnd:", 16))
		return "it has fewer capabilities than others inside";
	if (!strstr(status, "\nUid:\t0\t0\t0\t0\n") || !strstr(status, "\nGid:\t0\t0\t0\t0\n"))
		return "it is not the user root";
	if (!same_limits(a->pid, s->st.init_pid))
		return "it has other limits than its first process";
	if (has_environment(a->pid))
		return "it was given an environment";
	return is_among_us(a->pid) && channel_stands_with(a->pid, s->st.init_pid) ? NULL : "it has another root, or is in another namespace";
}
