/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Takes as much as it can get of what the kernel counts by user or for the whole machine, and holds it: a neighbour must
 * still be able to work.  Each attempt says how much it got, closes its standard output so that the test goes on, and holds
 * it until its alarm. */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
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

/* hold_taking: the same, and takes what others give back. */
static int hold_taking(const char *what, uint64_t n, bool (*take)(void)) __attribute__((noreturn));
static int hold_taking(const char *what, uint64_t n, bool (*take)(void))
{
	(void)result("%s=%llu", what, (unsigned long long)n);
	(void)fflush(NULL);
	(void)alarm(HOLD_S);
	for (;;) {
		while (take())
			;
		(void)usleep(10000);
	}
}

/* by_many: `take` in many processes, since each has a limit of its own for descriptors; the sum of what they got. */
static int by_many(const char *what, uint64_t (*take)(void))
{
	int p[2];
	uint64_t sum = 0, n;

	(void)alarm(HOLD_S);
	for (unsigned i = 0; i < PROCESSES; i++) {
		ssize_t got;
		pid_t pid;

		if (pipe2(p, O_CLOEXEC) < 0)
			break;
		pid = fork();
		if (pid == 0) {
			(void)close(p[0]);
			(void)alarm(HOLD_S);
			n = take();
			(void)!write(p[1], &n, sizeof(n));
			for (;;)
				(void)pause();
		}
		/* Nothing comes from one that the memory limit ended. */
		(void)close(p[1]);
		got = pid < 0 ? -1 : read(p[0], &n, sizeof(n));
		(void)close(p[0]);
		if (got != (ssize_t)sizeof(n) || n == 0)
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

/* Each instance watches the same files: their number is the product. */
static int exhaust_inotify_watches(void)
{
	enum { FILES = 2000, INSTANCES = 128 };
	uint64_t n = 0;
	char name[64];

	(void)alarm(HOLD_S);
	for (unsigned f = 0; f < FILES; f++) {
		(void)snprintf(name, sizeof(name), "/dev/shm/probe-%u", f);
		(void)close(open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	}
	for (unsigned i = 0; i < INSTANCES; i++) {
		int fd = inotify_init1(IN_CLOEXEC);

		for (unsigned f = 0; f < FILES && fd >= 0; f++) {
			(void)snprintf(name, sizeof(name), "/dev/shm/probe-%u", f);
			if (inotify_add_watch(fd, name, IN_MODIFY) < 0)
				return hold("watches", n);
			n++;
		}
	}
	return hold("watches", n);
}

/* As above: half of the descriptors are instances, and each watches all of the other half. */
static uint64_t take_epoll_watches(void)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int fds[4096], n_fds = 0, n_instances = 0, e;
	struct rlimit l = { 1024, 1024 };
	uint64_t n = 0;

	(void)getrlimit(RLIMIT_NOFILE, &l);
	while (n_fds < 4096 && (rlim_t)n_fds < l.rlim_cur / 2 && (fds[n_fds] = eventfd(0, EFD_CLOEXEC)) >= 0)
		n_fds++;
	while (n_instances++ < 256 && (e = epoll_create1(EPOLL_CLOEXEC)) >= 0)
		for (int i = 0; i < n_fds; i++, n++)
			if (epoll_ctl(e, EPOLL_CTL_ADD, fds[i], &ev) < 0)
				return n;
	return n;
}
static int exhaust_epoll(void) { return by_many("watches", take_epoll_watches); }

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
		(void)fcntl(p[1], F_SETPIPE_SZ, 1 << 20); /* counted by their room, not by what is in them */
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

static bool take_signal(void) { return sigqueue(getpid(), SIGRTMIN, (union sigval){ 0 }) == 0; }
static int exhaust_signals(void)
{
	uint64_t n = 0;
	sigset_t all;

	(void)sigfillset(&all);
	(void)sigdelset(&all, SIGALRM);
	(void)sigprocmask(SIG_BLOCK, &all, NULL);
	while (n < 1000000 && take_signal())
		n++;
	return hold_taking("signals", n, take_signal);
}

/* Timers of processes count as queued signals. */
static bool take_timer(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	timer_t t;

	return timer_create(CLOCK_MONOTONIC, &ev, &t) == 0;
}
static int exhaust_timers(void)
{
	uint64_t n = 0;

	(void)alarm(HOLD_S);
	while (n < 1000000 && take_timer())
		n++;
	return hold_taking("timers", n, take_timer);
}

/* Processes of a user that others have as well. */
static int exhaust_user_processes(void)
{
	(void)alarm(HOLD_S);
	return setuid(1000) < 0 ? -errno : exhaust_processes();
}

/* Descriptors in flight: one that is sent over and over, and never taken. */
static bool take_flight(void)
{
	enum { A_MESSAGE = 250 };
	static int p[2] = { -1, -1 };
	union {
		char bytes[CMSG_SPACE(A_MESSAGE * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec v = { .iov_base = (char[1]){ 0 }, .iov_len = 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int *fds = (int *)(void *)CMSG_DATA(c);

	if (p[0] < 0 && socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, p) < 0)
		return false;
	*c = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
			       .cmsg_len = CMSG_LEN(A_MESSAGE * sizeof(int)) };
	for (unsigned i = 0; i < A_MESSAGE; i++)
		fds[i] = p[0];
	if (sendmsg(p[1], &m, 0) >= 0)
		return true;
	if (errno == EAGAIN)
		p[0] = -1; /* this socket is full: the next one */
	return errno == EAGAIN;
}
static int exhaust_flight(void)
{
	uint64_t n = 0;

	(void)alarm(HOLD_S);
	while (take_flight())
		n++;
	return hold_taking("messages", n, take_flight);
}

/* Datagrams to oneself that nobody reads: the memory of UDP has one bound for the machine. */
static uint64_t take_datagrams(void)
{
	static char data[32768];
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int size = 64 << 20, fd;
	uint64_t n = 0;

	while (n < 20000 && (fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) >= 0) {
		a.sin_port = 0;
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
		if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || getsockname(fd, (struct sockaddr *)&a, &len) < 0)
			break;
		for (unsigned i = 0; i < 256 && sendto(fd, data, sizeof(data), 0, (struct sockaddr *)&a, len) > 0; i++)
			n++;
	}
	return n;
}
static int exhaust_udp(void) { return by_many("datagrams", take_datagrams); }

/* Connections to oneself that are written to and never read. */
static uint64_t take_streams(void)
{
	static char data[65536];
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), size = 64 << 20, fd;
	socklen_t len = sizeof(a);
	uint64_t n = 0;

	if (bind(l, (struct sockaddr *)&a, sizeof(a)) < 0 || getsockname(l, (struct sockaddr *)&a, &len) < 0 || listen(l, 4096) < 0)
		return 0;
	for (unsigned i = 0; i < 200 && (fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) >= 0; i++) {
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		if (connect(fd, (struct sockaddr *)&a, len) < 0)
			break;
		(void)accept4(l, NULL, NULL, SOCK_CLOEXEC);
		while (send(fd, data, sizeof(data), MSG_DONTWAIT) > 0)
			n++;
	}
	return n;
}
static int exhaust_tcp(void) { return by_many("chunks", take_streams); }

/* Records of files that are locked byte by byte. */
static int exhaust_locks(void)
{
	int fd = open("/dev/shm/probe-locks", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	uint64_t n = 0;

	(void)alarm(HOLD_S);
	for (; n < 20000; n++) {
		struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)(2 * n), .l_len = 1 };

		if (fcntl(fd, F_SETLK, &l) < 0)
			break;
	}
	return hold("locks", n);
}

static int exhaust_shm(void)
{
	uint64_t n = 0;

	(void)alarm(HOLD_S);
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
	pid_t pid;

	(void)alarm(HOLD_S);
	pid = fork();
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

/* send_descriptor: to whoever reads /dev/log, until it has more than it takes at once. */
static void send_descriptor(int fd)
{
	const struct sockaddr_un log = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec v = { .iov_base = (char[]){ "probe: x" }, .iov_len = 8 };
	struct msghdr m = { .msg_name = (void *)(uintptr_t)&log, .msg_namelen = sizeof(log), .msg_iov = &v, .msg_iovlen = 1,
			    .msg_control = &control, .msg_controllen = sizeof(control) };
	int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	control.align = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) };
	memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
	for (unsigned i = 0; i < 64; i++)
		(void)sendmsg(s, &m, 0);
}

/* Connections whose last close waits an hour for a peer that does not read. Their makers end, where nothing waits, with
 * the descriptor on its way: who is sent it closes it. */
static int exhaust_closes(void)
{
	static char data[65536];
	const struct linger hour = { .l_onoff = 1, .l_linger = 3600 };
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;
	socklen_t len = sizeof(a);
	uint64_t n = 0;

	if (bind(l, (struct sockaddr *)&a, sizeof(a)) < 0 || getsockname(l, (struct sockaddr *)&a, &len) < 0 || listen(l, 64) < 0)
		return -errno;
	(void)signal(SIGCHLD, SIG_IGN);
	for (; n < 16; n++) {
		pid_t pid = fork();

		if (pid < 0)
			break;
		if (pid == 0) {
			fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
			if (connect(fd, (struct sockaddr *)&a, len) < 0)
				_exit(1);
			while (send(fd, data, sizeof(data), MSG_DONTWAIT) > 0)
				;
			(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hour, sizeof(hour));
			send_descriptor(fd);
			_exit(0);
		}
		(void)accept4(l, NULL, NULL, SOCK_CLOEXEC);
	}
	return hold("closes", n);
}

/* Calls that PID 1 answers, by a caller who comes last on a processor that others fill: it takes its answer late. */
static int exhaust_answers(void)
{
	enum { BUSY = 40 }; /* within hostile.sh's limit of tasks */
	const struct sched_param none = { .sched_priority = 0 };
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	if (setuid(1000) < 0 || sched_setaffinity(0, sizeof(one), &one) < 0)
		return -errno;
	for (unsigned i = 0; i < BUSY + 1; i++) {
		if (fork() != 0)
			continue;
		(void)alarm(HOLD_S / 4);
		if (i == BUSY && sched_setscheduler(0, SCHED_IDLE, &none) < 0)
			_exit(1);
		for (volatile unsigned long n = 0;; n++)
			if (i == BUSY)
				(void)close(epoll_create1(EPOLL_CLOEXEC));
	}
	return hold("busy", BUSY);
}

const struct attempt exhaust_attempts[] = {
	{ "exhaust-inotify", exhaust_inotify },
	{ "exhaust-inotify-watches", exhaust_inotify_watches },
	{ "exhaust-epoll", exhaust_epoll },
	{ "exhaust-files", exhaust_files },
	{ "exhaust-pipes", exhaust_pipes },
	{ "exhaust-ptys", exhaust_ptys },
	{ "exhaust-processes", exhaust_processes },
	{ "exhaust-user-processes", exhaust_user_processes },
	{ "exhaust-queues", exhaust_queues },
	{ "exhaust-signals", exhaust_signals },
	{ "exhaust-timers", exhaust_timers },
	{ "exhaust-flight", exhaust_flight },
	{ "exhaust-udp", exhaust_udp },
	{ "exhaust-tcp", exhaust_tcp },
	{ "exhaust-locks", exhaust_locks },
	{ "exhaust-shm", exhaust_shm },
	{ "exhaust-memory", exhaust_memory },
	{ "exhaust-sockets", exhaust_sockets },
	{ "exhaust-closes", exhaust_closes },
	{ "exhaust-answers", exhaust_answers },
	{ NULL, NULL },
};
