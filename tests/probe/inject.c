/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kills a process, or makes one of its system calls fail, at an exactly named point of a command:
 *
 *     inject --list FILE -- COMMAND…                  a line "PROCESS CALL ORDINAL PROGRAM ARG ARG ARG" for each call
 *     inject PROCESS CALL ORDINAL kill -- COMMAND…    kills that process before that call is made
 *     inject PROCESS CALL ORDINAL ERRNO -- COMMAND…   makes that call fail with that errno (a number), unmade
 *
 * PROCESS is a path in the tree of processes: 0 is the command, 0.2 the second child of the first process, and so on; so a
 * point has the same name in each run, whatever the numbers of the processes are and whoever runs first.  (strace counts
 * its `when=` for each process too, but cannot say for which one.)
 *
 * Ends with the command's exit status (128 + signal), or with 99 if the point was never reached.  What the command leaves
 * running goes on untraced. */
#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_PROCESSES = 1024, MAX_CALLS = 600, STATUS_NOT_REACHED = 99, STATUS_BROKEN = 125 };

struct process {
	pid_t pid;
	char path[128];
	char program[32];
	unsigned children;
	unsigned counts[MAX_CALLS];
	bool inside;  /* between entry and exit of a call */
	bool replace; /* its result is to be the errno */
	bool early;   /* it stopped before its parent's event named it */
};

static struct process *processes[MAX_PROCESSES];
static size_t n_processes;
static FILE *list;
static const char *want_path, *want_call;
static unsigned want_ordinal;
static int want_errno; /* 0: kill */
static bool reached;

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
		free(processes[i]);
		processes[i] = processes[--n_processes];
		return;
	}
}

static void read_program(struct process *p)
{
	char path[64];
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)p->pid);
	f = fopen(path, "re");
	if (!f)
		return;
	if (fgets(p->program, sizeof(p->program), f))
		p->program[strcspn(p->program, "\n ")] = '\0';
	(void)fclose(f);
}

static void resume(pid_t pid, int sig)
{
	/* It may have been killed meanwhile: its end is reported by waitpid(). */
	(void)ptrace(PTRACE_SYSCALL, pid, NULL, (long)sig);
}

static bool is_wanted(const struct process *p, const char *name, unsigned nr)
{
	return want_call && !reached && p->counts[nr] == want_ordinal && strcmp(p->path, want_path) == 0 &&
	       strcmp(name, want_call) == 0;
}

static void at_entry(struct process *p)
{
	struct user_regs_struct regs;
	unsigned nr;
	char *name;

	if (ptrace(PTRACE_GETREGS, p->pid, NULL, &regs) < 0)
		return;
	nr = (unsigned)regs.orig_rax;
	if (nr >= MAX_CALLS)
		return;
	p->counts[nr]++;
	name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, (int)nr);
	if (!name)
		return;
	if (list)
		(void)fprintf(list, "%s %s %u %s %#llx %#llx %#llx\n", p->path, name, p->counts[nr], p->program, regs.rdi,
			      regs.rsi, regs.rdx);
	if (is_wanted(p, name, nr)) {
		reached = true;
		if (want_errno == 0) {
			(void)kill(p->pid, SIGKILL);
		} else {
			regs.orig_rax = (unsigned long long)-1;
			(void)ptrace(PTRACE_SETREGS, p->pid, NULL, &regs);
			p->replace = true;
		}
	}
	free(name);
}

static void at_exit_of_call(struct process *p)
{
	struct user_regs_struct regs;

	if (!p->replace || ptrace(PTRACE_GETREGS, p->pid, NULL, &regs) < 0)
		return;
	regs.rax = (unsigned long long)-(long long)want_errno;
	(void)ptrace(PTRACE_SETREGS, p->pid, NULL, &regs);
	p->replace = false;
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
		resume(child->pid, 0);
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
		read_program(p);
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
	resume(p->pid, sig);
}

static int trace(pid_t first)
{
	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, __WALL);

		if (pid < 0)
			die("waitpid");
		if (WIFSTOPPED(status)) {
			stopped(find(pid), status);
			continue;
		}
		forget(pid);
		if (pid != first)
			continue;
		if (want_call && !reached)
			return STATUS_NOT_REACHED;
		return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	}
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
	} else if (argc > 6) {
		want_path = argv[1];
		want_call = argv[2];
		want_ordinal = (unsigned)strtoul(argv[3], NULL, 10);
		want_errno = strcmp(argv[4], "kill") == 0 ? 0 : (int)strtol(argv[4], NULL, 10);
		i = 5;
	}
	if (i + 1 >= argc || strcmp(argv[i], "--") != 0) {
		(void)fprintf(stderr, "usage: inject --list FILE | PROCESS CALL ORDINAL kill|ERRNO -- COMMAND…\n");
		return 2;
	}
	i = start(argv + i + 1);
	if (list && fclose(list) != 0)
		die("list");
	return i;
}
