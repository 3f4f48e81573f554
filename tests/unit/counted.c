/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Run inside and outside by test_count.c.  usage: counted [as UID] inotify | epoll | all | full | flood N
 *
 * inotify, epoll: what the calls do, a line each.  all: takes all inotify instances that there are, says how many, and
 * holds them until its standard input ends.  full: what they say when there is no descriptor left.  flood: N calls in
 * each of 16 processes; says how many worked. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *what, long fd)
{
	int error = errno;

	if (fd < 0)
		(void)printf("%s errno %d\n", what, error);
	else
		(void)printf("%s%s%s\n", what, fcntl((int)fd, F_GETFD) & FD_CLOEXEC ? " cloexec" : "",
			     fcntl((int)fd, F_GETFL) & O_NONBLOCK ? " nonblock" : "");
	if (fd >= 0)
		(void)close((int)fd);
}

static int do_inotify(void)
{
	char buf[4096];
	int fd;

#ifdef SYS_inotify_init
	say("inotify_init", syscall(SYS_inotify_init, 0xffffffff));
#endif
	say("inotify_init1", inotify_init1(0));
	say("inotify_init1", inotify_init1(IN_CLOEXEC));
	say("inotify_init1", inotify_init1(IN_NONBLOCK));
	say("inotify_init1 high", syscall(SYS_inotify_init1, 1L << 40));
	say("inotify_init1 1", inotify_init1(1));
	fd = inotify_init1(0);
	if (inotify_add_watch(fd, "/tmp", IN_CREATE) < 0)
		return 1;
	(void)close(open("/tmp/counted", O_CREAT | O_WRONLY, 0600));
	(void)unlink("/tmp/counted");
	if (read(fd, buf, sizeof(buf)) <= 0)
		return 1;
	(void)printf("event %s\n", ((struct inotify_event *)(void *)buf)->name);
	return 0;
}

static int do_epoll(void)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int fd, p[2];

#ifdef SYS_epoll_create
	say("epoll_create", syscall(SYS_epoll_create, 8));
	say("epoll_create 0", syscall(SYS_epoll_create, 0));
	say("epoll_create -1", syscall(SYS_epoll_create, -1));
#endif
	say("epoll_create1", epoll_create1(EPOLL_CLOEXEC));
	say("epoll_create1 1", epoll_create1(1));
	fd = epoll_create1(0);
	if (pipe(p) < 0 || write(p[1], "", 1) != 1 || epoll_ctl(fd, EPOLL_CTL_ADD, p[0], &ev) < 0)
		return 1;
	(void)printf("ready %d\n", epoll_wait(fd, &ev, 1, 1000));
	return 0;
}

static int do_all(void)
{
	unsigned n = 0;
	char c;

	while (inotify_init1(0) >= 0)
		n++;
	(void)printf("%u errno %d\n", n, errno);
	(void)fflush(stdout);
	return read(0, &c, 1) < 0;
}

static int do_full(void)
{
	struct rlimit l = { 3, 3 };

	if (setrlimit(RLIMIT_NOFILE, &l) < 0)
		return 1;
	for (int fd = 3; fd < 64; fd++)
		(void)close(fd);
	say("inotify_init1", inotify_init1(0));
	say("epoll_create1", epoll_create1(0));
	return 0;
}

static int do_flood(int calls)
{
	int p[2], sum = 0, n;

	if (pipe(p) < 0)
		return 1;
	for (int i = 0; i < 16; i++) {
		if (fork() != 0)
			continue;
		n = 0;
		for (int k = 0; k < calls; k++) {
			int fd = epoll_create1(0);

			n += fd >= 0;
			(void)close(fd);
		}
		_exit(write(p[1], &n, sizeof(n)) != sizeof(n));
	}
	(void)close(p[1]);
	while (read(p[0], &n, sizeof(n)) == sizeof(n))
		sum += n;
	(void)printf("%d\n", sum);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (argc > 3 && strcmp(what, "as") == 0) {
		if (setuid((uid_t)strtoul(argv[2], NULL, 10)) < 0)
			return 1;
		argv += 2;
		argc -= 2;
		what = argv[1];
	}
	if (strcmp(what, "inotify") == 0)
		return do_inotify();
	if (strcmp(what, "epoll") == 0)
		return do_epoll();
	if (strcmp(what, "all") == 0)
		return do_all();
	if (strcmp(what, "full") == 0)
		return do_full();
	return strcmp(what, "flood") == 0 && argc > 2 ? do_flood(atoi(argv[2])) : 2;
}
