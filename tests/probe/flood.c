/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeps PID 1 busy: very many processes that each call, without a pause, what the system call filter hands to PID 1.  Each
 * attempt says how many there are once all of them are at it, closes its standard output so that the test goes on, and ends
 * them with its alarm. */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { HOLD_S = 60 };

static void call_socket(void)
{
	(void)socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
}

static void call_keyctl(void)
{
	(void)syscall(SYS_keyctl, 0, -3, 0);
}

static void call_mount(void)
{
	(void)mount("none", "/tmp", "tmpfs", 0, NULL);
}

static void call_inotify(void)
{
	(void)close(inotify_init1(IN_CLOEXEC));
}

static void call_epoll(void)
{
	(void)close(epoll_create1(EPOLL_CLOEXEC));
}

/* One of them at a time ends while PID 1 has its call in hand, and another takes its place. */
static void call_and_die(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)alarm(1);
		for (;;)
			call_inotify();
	}
	(void)usleep(1000);
	if (pid > 0)
		(void)kill(pid, SIGKILL);
	(void)signal(SIGCHLD, SIG_IGN);
}

/* flood: processes=N of them; "flooding=N" when each has called once. */
static int flood(void (*call)(void))
{
	unsigned n = param_number("processes"), begun = 0;
	int p[2];
	char c;

	(void)alarm(HOLD_S);
	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	for (unsigned i = 0; i < n; i++) {
		if (fork() != 0)
			continue;
		(void)close(p[0]);
		(void)alarm(HOLD_S);
		call();
		(void)!write(p[1], "", 1);
		(void)close(p[1]);
		for (;;)
			call();
	}
	(void)close(p[1]);
	while (read(p[0], &c, 1) == 1)
		begun++;
	(void)result("flooding=%u", begun);
	(void)fflush(NULL);
	for (;;)
		(void)pause();
}

static int flood_socket(void)
{
	return flood(call_socket);
}

static int flood_keyctl(void)
{
	return flood(call_keyctl);
}

static int flood_mount(void)
{
	return flood(call_mount);
}

static int flood_inotify(void)
{
	return flood(call_inotify);
}

static int flood_epoll(void)
{
	return flood(call_epoll);
}

static int flood_dying(void)
{
	return flood(call_and_die);
}

const struct attempt flood_attempts[] = {
	{ "flood-socket", flood_socket },
	{ "flood-keyctl", flood_keyctl },
	{ "flood-mount", flood_mount },
	{ "flood-inotify", flood_inotify },
	{ "flood-epoll", flood_epoll },
	{ "flood-dying", flood_dying },
	{ NULL, NULL },
};
