/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One of each thing that the kernel counts by user or for the whole machine: what exhaust.c takes away, a neighbour and the
 * Psv must still have. */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int one_inotify(void)
{
	int fd = inotify_init1(IN_CLOEXEC);

	return fd < 0 ? outcome(fd) : outcome(inotify_add_watch(fd, "/", IN_CREATE));
}

static int one_epoll(void)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int e = epoll_create1(EPOLL_CLOEXEC);

	return e < 0 ? outcome(e) : outcome(epoll_ctl(e, EPOLL_CTL_ADD, eventfd(0, EFD_CLOEXEC), &ev));
}

static int one_pty(void) { return outcome(open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)); }
static int one_file(void) { return outcome(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

/* Its size: a user who has much in pipes gets small ones. */
static int one_pipe(void)
{
	int p[2];

	return pipe2(p, O_CLOEXEC) < 0 ? -errno : result("%d", fcntl(p[0], F_GETPIPE_SZ));
}

static int forked(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid < 0 ? -errno : outcome(waitpid(pid, NULL, 0));
}
static int one_process(void) { return forked(); }
static int one_user_process(void) { return setuid(1000) < 0 ? -errno : forked(); }

static int one_timer(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	timer_t t;

	return outcome(timer_create(CLOCK_MONOTONIC, &ev, &t));
}

static int queued(int sig)
{
	sigset_t all;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, NULL);
	return outcome(sigqueue(getpid(), sig, (union sigval){ 0 }));
}
static int one_signal(void) { return queued(SIGUSR1); }
static int one_realtime_signal(void) { return queued(SIGRTMIN); }

/* One descriptor through a socket. */
static int one_flight(void)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec v = { .iov_base = (char[1]){ 0 }, .iov_len = 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int p[2];

	*c = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) };
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p) < 0)
		return -errno;
	*(int *)(void *)CMSG_DATA(c) = p[0];
	return outcome(sendmsg(p[1], &m, 0));
}

/* 64 KiB to oneself, by the own loopback address. */
static int round_trip(int type)
{
	static char data[65000];
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int s = socket(AF_INET, type | SOCK_CLOEXEC, 0), c = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	ssize_t n = 0, got = 0;

	if (s < 0 || c < 0 || bind(s, (struct sockaddr *)&a, sizeof(a)) < 0 || getsockname(s, (struct sockaddr *)&a, &len) < 0 ||
	    (type == SOCK_STREAM && listen(s, 1) < 0) || connect(c, (struct sockaddr *)&a, len) < 0)
		return -errno;
	if (type == SOCK_STREAM)
		s = accept4(s, NULL, NULL, SOCK_CLOEXEC);
	if (send(c, data, sizeof(data), 0) < 0)
		return -errno;
	while (got < (ssize_t)sizeof(data) && (n = recv(s, data, sizeof(data), 0)) > 0)
		got += n;
	return n < 0 ? -errno : 0;
}
static int one_datagram(void) { return round_trip(SOCK_DGRAM); }
static int one_stream(void) { return round_trip(SOCK_STREAM); }

static int one_lock(void)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
	FILE *f = tmpfile();

	return f ? outcome(fcntl(fileno(f), F_SETLK, &l)) : -errno;
}

static int one_segment(void)
{
	int id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);

	return id < 0 ? -errno : outcome(shmctl(id, IPC_RMID, NULL));
}

const struct attempt need_attempts[] = {
	{ "one-inotify", one_inotify },
	{ "one-epoll", one_epoll },
	{ "one-pty", one_pty },
	{ "one-file", one_file },
	{ "one-pipe", one_pipe },
	{ "one-process", one_process },
	{ "one-user-process", one_user_process },
	{ "one-timer", one_timer },
	{ "one-signal", one_signal },
	{ "one-realtime-signal", one_realtime_signal },
	{ "one-flight", one_flight },
	{ "one-datagram", one_datagram },
	{ "one-stream", one_stream },
	{ "one-lock", one_lock },
	{ "one-segment", one_segment },
	{ NULL, NULL },
};
