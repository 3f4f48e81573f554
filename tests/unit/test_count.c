/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel counts by user is counted by Vsv, and the calls that PID 1 makes for others do what the kernel's do. */
#include "test_inside.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/fd.h"
#include "lib/process.h"
#include "test.h"

#define CAP(c) (1ULL << (c))
#define CAPS (CAP(CAP_DAC_OVERRIDE) | CAP(CAP_SETUID) | CAP(CAP_KILL))

static void outside(const char *what, struct strbuf *out)
{
	char command[4096];
	FILE *f;

	(void)snprintf(command, sizeof(command), "%s %s", TEST_COUNTED, what);
	f = popen(command, "r");
	CHECK(f);
	for (char line[256]; fgets(line, sizeof(line), f);)
		strbuf_addstr(out, line);
	CHECK_INT(pclose(f), 0);
}

TEST(count_calls_do_what_the_kernels_do)
{
	static const char *const what[] = { "inotify", "epoll", "full" };
	struct tiny t;

	tiny_start(&t, CAPS);
	for (size_t i = 0; i < sizeof(what) / sizeof(*what); i++) {
		_cleanup_strbuf_ struct strbuf in = { 0 }, out = { 0 };
		char command[64];

		(void)snprintf(command, sizeof(command), "counted %s", what[i]);
		outside(what[i], &out);
		CHECK_INT(tiny_sh(&t, command, &in), 0);
		CHECK_STR(strbuf_str(&in), strbuf_str(&out));
		CHECK(strstr(strbuf_str(&in), i == 0 ? "event counted\n" : i == 1 ? "ready 1\n" : "errno 24\n"));
	}
	tiny_stop(&t);
}

/* take_all: a process inside that holds all inotify instances until `in` is closed.  How many it got. */
static unsigned take_all(const struct tiny *t, pid_t *ret_pid, int *ret_in)
{
	const char *const argv[] = { "counted", "all", NULL };
	int in[2], out[2];
	char line[128] = "";

	CHECK_INT(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC), 0);
	*ret_pid = fork();
	if (*ret_pid == 0) {
		struct inside_exec e = { .argv = argv };
		struct err err = { 0 };

		if (dup2(in[0], 0) < 0 || dup2(out[1], 1) < 0)
			_exit(99);
		(void)close_range(3, ~0U, 0);
		_exit(inside_exec(inside_connect(t->pid, t->start, &err), &e, &err) != 0);
	}
	(void)close(in[0]);
	(void)close(out[1]);
	CHECK(read(out[0], line, sizeof(line) - 1) > 0);
	(void)close(out[0]);
	CHECK(strstr(line, "errno 24\n"));
	*ret_in = in[1];
	return (unsigned)strtoul(line, NULL, 10);
}

static void let_go(pid_t pid, int in)
{
	int status;

	(void)close(in);
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK_INT(status, 0);
}

TEST(count_inotify_is_each_ones_own)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };
	struct tiny a, b;
	unsigned n;
	int in, fd;
	pid_t pid;

	tiny_start(&a, CAPS);
	tiny_start(&b, CAPS);
	n = take_all(&a, &pid, &in);
	CHECK(n >= 100); /* fs.inotify.max_user_instances */
	CHECK(tiny_sh(&a, "counted inotify", NULL) != 0); /* the control: it has none left */
	CHECK_INT(tiny_sh(&b, "counted inotify", NULL), 0);
	fd = inotify_init1(IN_CLOEXEC);
	CHECK(fd >= 0);
	(void)close(fd);
	/* Whatever user it becomes inside, it is counted as this Vsv. */
	CHECK_INT(tiny_sh(&a, "for u in 1000 4026531999; do counted as $u all </dev/null; done", &out), 0);
	CHECK_STR(strbuf_str(&out), "0 errno 24\n0 errno 24\n");
	let_go(pid, in);
	CHECK_INT(tiny_sh(&a, "counted inotify", NULL), 0); /* what was given back can be had again */
	tiny_stop(&b);
	tiny_stop(&a);
}

/* descriptors: how many PID 1 has. */
static unsigned descriptors(const struct tiny *t)
{
	char path[64];
	unsigned n = 0;
	DIR *d;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)t->pid);
	d = opendir(path);
	CHECK(d);
	while (readdir(d))
		n++;
	(void)closedir(d);
	return n;
}

/* A flood of such calls and of processes that are killed while they wait does not keep PID 1 from its work. */
TEST(count_a_flood_is_served_in_turn)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };
	unsigned before;
	struct tiny t;

	tiny_start(&t, CAPS);
	before = descriptors(&t);
	CHECK_INT(tiny_sh(&t, "counted flood 500", &out), 0);
	CHECK_STR(strbuf_str(&out), "8000\n");
	CHECK_INT(tiny_sh(&t, "counted flood 100000000 >/dev/null 2>&1 & sleep 0.2", NULL), 0);
	CHECK_INT(tiny_sh(&t, "true", NULL), 0);
	CHECK_INT(tiny_sh(&t, "for i in 1 2 3 4 5 6 7 8; do counted flood 100000 & p=$!; sleep 0.05; kill -9 $p; done; killall -9 counted", NULL), 0);
	CHECK_INT(tiny_sh(&t, "counted inotify && counted epoll", NULL), 0);
	/* PID 1 keeps nothing of what it made, and has its rights again, but is still not to be looked into. */
	for (int i = 0; descriptors(&t) != before && i < 200; i++) /* our own connections go when it comes to them */
		(void)usleep(10000);
	CHECK_INT(descriptors(&t), before);
	CHECK(tiny_sh(&t, "readlink /proc/1/fd/3 || readlink /proc/1/exe", NULL) != 0);
	CHECK_INT(tiny_sh(&t, "grep -q '^Uid:.0.0.0.0$' /proc/1/status && grep -q '^CapEff:.*3$' /proc/1/status", NULL), 0);
	tiny_stop(&t);
}
