/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Takes as much as it can get of what the kernel counts by user or for the whole machine, and holds it: a neighbour must
 * still be able to work.  Each attempt says how much it got, closes its standard output so that the test goes on, and holds
 * it until its alarm. */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HOLD_S = 60, PROCESSES = 64 };

/* hold: the test reads this line and works on while we keep everything. */
static int hold(const char *what, uint64_t n)
{
	(void)result("%s=%llu", what, (unsigned long long)n);
	(void)fflush(NULL);
	(void)alarm(HOLD_S);
	while (pause() < 0 && errno == EINTR)
		;
	return 0;
}

/* by_many: `take` in many processes, since each has a limit of its own for descriptors; the sum of what they got. */
static int by_many(const char *what, uint64_t (*take)(void))
{
	int p[2];
	uint64_t sum = 0, n;

	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	for (unsigned i = 0; i < PROCESSES; i++) {
		pid_t pid = fork();

		if (pid < 0)
			break;
		if (pid == 0) {
			(void)alarm(HOLD_S);
			n = take();
			(void)!write(p[1], &n, sizeof(n));
			for (;;)
				(void)pause();
		}
		if (read(p[0], &n, sizeof(n)) != sizeof(n) || n == 0)
			break;
		sum += n;
	}
	return hold(what, sum);
}

static uint64_t take_inotify(void)
{
	uint64_t n = 0;

	while (inotify_init1(IN_CLOEXEC) >= 0)
		n++;
	return n;
}
static int exhaust_inotify(void) { return by_many("instances", take_inotify); }

static uint64_t take_watches(void)
{
	int e = epoll_create1(EPOLL_CLOEXEC), fd = eventfd(0, EFD_CLOEXEC);
	uint64_t n = 0;

	/* The same file under many numbers counts each time. */
	for (; n < 100000; n++) {
		int d = dup(fd);
		struct epoll_event ev = { .events = EPOLLIN };

		if (d < 0 || epoll_ctl(e, EPOLL_CTL_ADD, d, &ev) < 0)
			break;
	}
	return n;
}
static int exhaust_epoll(void) { return by_many("watches", take_watches); }

static uint64_t take_files(void)
{
	uint64_t n = 0;

	while (open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0)
		n++;
	return n;
}
static int exhaust_files(void) { return by_many("files", take_files); }

static uint64_t take_pipes(void)
{
	uint64_t n = 0;
	int p[2];

	while (n < 4000 && pipe2(p, O_CLOEXEC | O_NONBLOCK) == 0) {
		(void)fcntl(p[1], F_SETPIPE_SZ, 1 << 20);
		while (write(p[1], (char[4096]){ 0 }, 4096) > 0)
			;
		n++;
	}
	return n;
}
static int exhaust_pipes(void) { return by_many("pipes", take_pipes); }

static uint64_t take_ptys(void)
{
	uint64_t n = 0;

	while (open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC) >= 0)
		n++;
	return n;
}
static int exhaust_ptys(void) { return by_many("ptys", take_ptys); }

static int exhaust_processes(void)
{
	uint64_t n = 0;

	for (;;) {
		pid_t pid = fork();

		if (pid < 0)
			return hold("processes", n);
		if (pid == 0) {
			(void)alarm(HOLD_S);
			for (;;)
				(void)pause();
		}
		n++;
	}
}

static int exhaust_queues(void)
{
	uint64_t n = 0;

	for (;;) {
		char name[32];
		struct mq_attr a = { .mq_maxmsg = 10, .mq_msgsize = 8192 };

		(void)snprintf(name, sizeof(name), "/probe-%llu", (unsigned long long)n);
		if (mq_open(name, O_CREAT | O_RDWR, 0600, &a) == (mqd_t)-1)
			return hold("queues", n);
		n++;
	}
}

static int exhaust_signals(void)
{
	uint64_t n = 0;
	sigset_t all;

	(void)sigfillset(&all);
	(void)sigdelset(&all, SIGALRM);
	(void)sigprocmask(SIG_BLOCK, &all, NULL);
	while (n < 1000000 && sigqueue(getpid(), SIGRTMIN, (union sigval){ 0 }) == 0)
		n++;
	return hold("signals", n);
}

static int exhaust_shm(void)
{
	uint64_t n = 0;

	for (;; n++) {
		int id = shmget(IPC_PRIVATE, 1 << 20, IPC_CREAT | 0600);
		char *p = id < 0 ? (void *)-1 : shmat(id, NULL, 0);

		if (p == (void *)-1 || n == 4096)
			return hold("segments", n);
		(void)memset(p, 1, 1 << 20);
	}
}

/* The killer comes for the child; that it was killed is the answer. */
static int exhaust_memory(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		for (size_t i = 0; i < (size_t)64 << 10; i++) {
			char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

			if (p == MAP_FAILED)
				_exit(1);
			(void)memset(p, 1, 1 << 20);
		}
		_exit(0);
	}
	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	return WIFSIGNALED(status) ? result("killed") : result("refused-%d", WEXITSTATUS(status));
}

static int exhaust_sockets(void)
{
	uint64_t n = 0;

	while (socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) >= 0)
		n++;
	return hold("sockets", n);
}

const struct attempt exhaust_attempts[] = {
	{ "exhaust-inotify", exhaust_inotify },
	{ "exhaust-epoll", exhaust_epoll },
	{ "exhaust-files", exhaust_files },
	{ "exhaust-pipes", exhaust_pipes },
	{ "exhaust-ptys", exhaust_ptys },
	{ "exhaust-processes", exhaust_processes },
	{ "exhaust-queues", exhaust_queues },
	{ "exhaust-signals", exhaust_signals },
	{ "exhaust-shm", exhaust_shm },
	{ "exhaust-memory", exhaust_memory },
	{ "exhaust-sockets", exhaust_sockets },
	{ NULL, NULL },
};
