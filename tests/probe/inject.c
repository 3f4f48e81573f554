/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kills a process, or makes one of its system calls fail, at an exactly named point of a command:
 *
 *     inject --list FILE -- COMMAND…                 a line "PROCESS CALL SITE HIT PROGRAM ARG ARG ARG" for each call
 *     inject PROCESS CALL SITE HIT kill -- COMMAND…  kills that process before that call is made
 *     inject PROCESS CALL SITE HIT ERRNO -- COMMAND… makes that call fail with that errno (a number), unmade
 *
 * PROCESS is a path in the tree of processes: 0 is the command, 0.2 the second child of the first process, and so on; so a
 * point has the same name in each run, whatever the numbers of the processes are and whoever runs first.  SITE is the
 * call stack, and HIT says how often the process has made that call from there: a loop elsewhere that takes another
 * round today moves no point.  (strace counts its `when=` by call and process alone, and cannot say for which process.)
 * In programs that are not vnas's SITE is 0.
 *
 * Ends with the command's exit status (128 + signal), or with 99 if the point was never reached.  Only who can still
 * reach the point is traced: all else, and what the command leaves running, goes on by itself. */
#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "site.h"

enum { MAX_PROCESSES = 1024, MAX_CALLS = 600, STATUS_NOT_REACHED = 99, STATUS_BROKEN = 125, AFTER_END_MS = 500 };

struct hits {
	unsigned call;
	uint32_t site;
	unsigned count;
};

struct process {
	pid_t pid;
	char path[128];
	char program[32];
	unsigned children;
	struct hits *hits;
	size_t n_hits;
	struct site *site;
	bool inside;  /* between entry and exit of a call */
	bool replace; /* its result is to be the errno */
	bool early;   /* it stopped before its parent's event named it */
};

static struct process *processes[MAX_PROCESSES];
static size_t n_processes;
static FILE *list;
static struct {
	const char *path;
	unsigned call;
	uint32_t site;
	unsigned hit;
	int error; /* 0: kill */
	bool reached;
} want;

static void die(const char *what)
{
	perror(what);
	exit(STATUS_BROKEN);
}

static struct process *find(pid_t pid)
{
	for (size_t i = 0; i < n_processes; i++)
		if (processes[i]->pid == pid)
			return processes[i];
	if (n_processes == MAX_PROCESSES)
		die("too many processes");
	processes[n_processes] = calloc(1, sizeof(struct process));
	if (!processes[n_processes])
		die("calloc");
	processes[n_processes]->pid = pid;
	return processes[n_processes++];
}

static void forget(pid_t pid)
{
	for (size_t i = 0; i < n_processes; i++) {
		if (processes[i]->pid != pid)
			continue;
		site_free(processes[i]->site);
		free(processes[i]->hits);
		free(processes[i]);
		processes[i] = processes[--n_processes];
		return;
	}
}

static void new_program(struct process *p)
{
	char path[64];
	FILE *f;

	site_free(p->site);
	p->site = NULL;
	(void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)p->pid);
	f = fopen(path, "re");
	if (!f)
		return;
	if (fgets(p->program, sizeof(p->program), f))
		p->program[strcspn(p->program, "\n ")] = '\0';
	(void)fclose(f);
}

/* go_on: watched as closely as needed.  It may have been killed meanwhile: its end is reported by waitpid(). */
static void go_on(struct process *p, int sig)
{
	size_t n = strlen(p->path);

	if (list || p->replace || (!want.reached && strcmp(p->path, want.path) == 0)) {
		(void)ptrace(PTRACE_SYSCALL, p->pid, NULL, (long)sig);
		return;
	}
	if (!want.reached && strncmp(p->path, want.path, n) == 0 && want.path[n] == '.') {
		(void)ptrace(PTRACE_CONT, p->pid, NULL, (long)sig);
		return;
	}
	(void)ptrace(PTRACE_DETACH, p->pid, NULL, (long)sig);
	forget(p->pid);
}

static uint32_t site_of(struct process *p)
{
	if (strncmp(p->program, "vnas", 4) != 0)
		return 0;
	if (!p->site)
		p->site = site_new(p->pid);
	return site_now(p->site);
}

static unsigned count(struct process *p, unsigned call, uint32_t site)
{
	struct hits *more;

	for (size_t i = 0; i < p->n_hits; i++)
		if (p->hits[i].call == call && p->hits[i].site == site)
			return ++p->hits[i].count;
	more = reallocarray(p->hits, p->n_hits + 1, sizeof(*more));
	if (!more)
		die("reallocarray");
	p->hits = more;
	p->hits[p->n_hits++] = (struct hits){ .call = call, .site = site, .count = 1 };
	return 1;
}

static const char *call_name(unsigned call)
{
	static char *names[MAX_CALLS];

	if (!names[call])
		names[call] = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, (int)call);
	return names[call] ? names[call] : "unknown";
}

static void at_entry(struct process *p)
{
	struct user_regs_struct regs;
	unsigned call, hit;
	uint32_t site;

	if (ptrace(PTRACE_GETREGS, p->pid, NULL, &regs) < 0)
		return;
	call = (unsigned)regs.orig_rax;
	if (call >= MAX_CALLS || (!list && (want.reached || call != want.call)))
		return;
	site = site_of(p);
	hit = count(p, call, site);
	if (list) {
		(void)fprintf(list, "%s %s %x %u %s %#llx %#llx %#llx\n", p->path, call_name(call), site, hit, p->program,
			      regs.rdi, regs.rsi, regs.rdx);
		return;
	}
	if (site != want.site || hit != want.hit)
		return;
	want.reached = true;
	if (want.error == 0) {
		(void)kill(p->pid, SIGKILL);
		return;
	}
	regs.orig_rax = (unsigned long long)-1;
	(void)ptrace(PTRACE_SETREGS, p->pid, NULL, &regs);
	p->replace = true;
}

static void at_exit_of_call(struct process *p)
{
	struct user_regs_struct regs;

	if (!p->replace)
		return;
	p->replace = false;
	if (ptrace(PTRACE_GETREGS, p->pid, NULL, &regs) < 0)
		return;
	regs.rax = (unsigned long long)-(long long)want.error;
	(void)ptrace(PTRACE_SETREGS, p->pid, NULL, &regs);
}

/* A parent's event names its new child; until then the child waits. */
static void child_of(struct process *parent)
{
	unsigned long pid;
	struct process *child;

	if (ptrace(PTRACE_GETEVENTMSG, parent->pid, NULL, &pid) < 0)
		return;
	child = find((pid_t)pid);
	(void)snprintf(child->path, sizeof(child->path), "%.100s.%u", parent->path, ++parent->children);
	(void)snprintf(child->program, sizeof(child->program), "%s", parent->program);
	if (child->early)
		go_on(child, 0);
}

static void stopped(struct process *p, int status)
{
	int sig = WSTOPSIG(status), event = status >> 16;

	if (!p->path[0]) {
		p->early = true;
		return;
	}
	if (event == PTRACE_EVENT_CLONE || event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK) {
		child_of(p);
		sig = 0;
	} else if (event == PTRACE_EVENT_EXEC) {
		new_program(p);
		sig = 0;
	} else if (event == PTRACE_EVENT_STOP) {
		sig = 0;
	} else if (sig == (SIGTRAP | 0x80)) {
		p->inside = !p->inside;
		if (p->inside)
			at_entry(p);
		else
			at_exit_of_call(p);
		sig = 0;
	}
	go_on(p, sig);
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* A point of a process that the command leaves behind may come a little after the command's own end. */
static void wait_no_longer_than(long ms)
{
	const struct sigaction action = { .sa_handler = on_alarm };
	const struct itimerval timer = { .it_value = { ms / 1000, ms % 1000 * 1000 } };

	(void)sigaction(SIGALRM, &action, NULL);
	(void)setitimer(ITIMER_REAL, &timer, NULL);
}

static int trace(pid_t first)
{
	int ended = -1;

	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, __WALL);

		if (pid < 0 && ended >= 0 && (errno == EINTR || errno == ECHILD))
			break;
		if (pid < 0)
			die("waitpid");
		if (WIFSTOPPED(status)) {
			stopped(find(pid), status);
			continue;
		}
		forget(pid);
		if (pid != first)
			continue;
		ended = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
		if (list || want.reached)
			break;
		wait_no_longer_than(AFTER_END_MS);
	}
	return list || want.reached ? ended : STATUS_NOT_REACHED;
}

static int start(char **argv)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
			     PTRACE_O_TRACEEXEC;
	struct process *p;
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid == 0) {
		(void)personality(ADDR_NO_RANDOMIZE);
		(void)raise(SIGSTOP);
		(void)execvp(argv[0], argv);
		die(argv[0]);
	}
	if (waitpid(pid, NULL, WUNTRACED) < 0 || ptrace(PTRACE_SEIZE, pid, NULL, options) < 0)
		die("ptrace");
	p = find(pid);
	(void)snprintf(p->path, sizeof(p->path), "0");
	(void)kill(pid, SIGCONT);
	return trace(pid);
}

int main(int argc, char **argv)
{
	int i = 3;

	if (argc > 4 && strcmp(argv[1], "--list") == 0) {
		list = fopen(argv[2], "we");
		if (!list)
			die(argv[2]);
	} else if (argc > 7) {
		want.path = argv[1];
		want.call = (unsigned)seccomp_syscall_resolve_name_arch(SCMP_ARCH_X86_64, argv[2]);
		want.site = (uint32_t)strtoul(argv[3], NULL, 16);
		want.hit = (unsigned)strtoul(argv[4], NULL, 10);
		want.error = strcmp(argv[5], "kill") == 0 ? 0 : (int)strtol(argv[5], NULL, 10);
		i = 6;
	}
	if (i + 1 >= argc || strcmp(argv[i], "--") != 0) {
		(void)fprintf(stderr, "usage: inject --list FILE | PROCESS CALL SITE HIT kill|ERRNO -- COMMAND…\n");
		return 2;
	}
	i = start(argv + i + 1);
	if (list && fclose(list) != 0)
		die("list");
	return i;
}
