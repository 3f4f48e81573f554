/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/process.h"
#include "psv/inside_run.h"
#include "test.h"

#define CAP(c) (1ULL << (c))
#define FILE_CAPS (CAP(CAP_DAC_OVERRIDE) | CAP(CAP_CHOWN) | CAP(CAP_FOWNER) | CAP(CAP_SETUID) | CAP(CAP_SETGID) | \
		   CAP(CAP_KILL))

static void sleep_ms(long ms)
{
	(void)nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

TEST(inside_runs_commands)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };
	struct tiny t;

	tiny_start(&t, FILE_CAPS);
	CHECK_INT(tiny_sh(&t, "hostname; pwd; echo $$; exit 42", &out), 42);
	CHECK_STR(strbuf_str(&out), "tiny\n/root\n2\n");
	CHECK_INT(tiny_sh(&t, "kill -9 $$", NULL), 128 + SIGKILL);
	CHECK_INT(tiny_sh(&t, "kill -TERM $$", NULL), 128 + SIGTERM);
	tiny_stop(&t);
}

/* An answer that cannot be read to its end is none: what came before would pass for all that there is. */
TEST(inside_answer_that_is_cut_short)
{
	static const char *const argv[] = { "cat", "/etc/passwd", NULL };
	_cleanup_strbuf_ struct strbuf out = { 0 };
	struct inside_ref ref;
	struct tiny t;
	int status;
	pid_t pid;

	tiny_start(&t, FILE_CAPS);
	ref = inside_ref_within(t.pid, t.start, 20 * 1000);
	pid = fork();
	if (pid == 0) {
		test_fail_call(SYS_read, 2, 4096, EIO); /* the bytes that are asked for at once */
		_exit(-inside_run(&ref, argv, NULL, &out, NULL));
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	CHECK_INT(WEXITSTATUS(status), EIO);
	tiny_stop(&t);
}

/* What writes into the answer of a program of ours, as root inside can by /proc/PID/fd, costs the Psv no more than is needed. */
TEST(inside_answers_in_brief)
{
	static const char *const enough[] = { "sh", "-c", "yes | head -c 65536", NULL };
	static const char *const much[] = { "sh", "-c", "yes | head -c 65537", NULL };
	static const char *const endless[] = { "sh", "-c", "exec yes", NULL };
	_cleanup_strbuf_ struct strbuf one = { 0 }, two = { 0 }, three = { 0 }, four = { 0 };
	struct err err = { 0 };
	struct inside_ref ref, brief;
	struct tiny t;

	tiny_start(&t, FILE_CAPS);
	ref = inside_ref_within(t.pid, t.start, 20 * 1000);
	brief = inside_brief(&ref);
	CHECK_INT(inside_run(&brief, enough, NULL, &one, &err), 0);
	CHECK_INT(one.len, 65536);
	CHECK_INT(inside_run(&brief, much, NULL, &two, &err), -EFBIG);
	CHECK_STR(err.text, "sh inside said more than 65536 bytes");
	CHECK_INT(inside_run(&brief, endless, NULL, &three, &err), -EFBIG);
	CHECK_INT(three.len, 65537);
	CHECK(inside_run(&ref, endless, NULL, &four, &err) > 0);
	CHECK_INT(four.len, 4 * 1024 * 1024);
	tiny_stop(&t);
}

TEST(inside_says_why_a_command_cannot_run)
{
	static const char *const nothing[] = { "no-such-command", NULL }, *const id[] = { "id", NULL };
	_cleanup_strbuf_ struct strbuf out = { 0 };
	struct inside_exec e = { .argv = nothing, .output = &out };
	struct err err = { 0 };
	struct tiny t;

	tiny_start(&t, FILE_CAPS);
	CHECK_INT(inside_exec(t.conn, &e, &err), -ENOENT);
	CHECK_STR(err.text, "cannot run 'no-such-command': there is no such command: No such file or directory");
	(void)close(t.conn);
	static const char *const users[] = { "bob", "-1", "1001", "4294967295", "bad", "worse", " 0", "+0", "0x0" };
	for (size_t i = 0; i < sizeof(users) / sizeof(*users); i++) {
		e = (struct inside_exec){ .argv = id, .output = &out, .user = users[i] };
		t.conn = inside_connect(t.pid, t.start, &err);
		CHECK_INT(inside_exec(t.conn, &e, &err), -ENOENT);
		(void)close(t.conn);
	}
	static const char *const good[] = { "alice", "1000" };
	for (size_t i = 0; i < 2; i++) {
		strbuf_free(&out);
		out = (struct strbuf){ 0 };
		e = (struct inside_exec){ .argv = id, .output = &out, .user = good[i] };
		t.conn = inside_connect(t.pid, t.start, &err);
		CHECK_INT(inside_exec(t.conn, &e, &err), 0);
		CHECK_STR(strbuf_str(&out), "uid=1000(alice) gid=1001(alice) groups=1001(alice),1002(staff)\n");
		(void)close(t.conn);
	}
	t.conn = inside_connect(t.pid, t.start, &err);
	tiny_stop(&t);
}

/* A process of its own that runs inside_exec on given descriptors.  Returns its pid. */
static pid_t exec_on(const struct tiny *t, const char *command, int in, int out, int errfd)
{
	const char *const argv[] = { "sh", "-c", command, NULL };
	struct inside_exec e = { .argv = argv };
	struct err err = { 0 };
	pid_t pid = fork();
	int conn, r;

	if (pid)
		return pid;
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(errfd, 2) < 0)
		_exit(99);
	(void)close_range(3, ~0U, 0);
	conn = inside_connect(t->pid, t->start, &err);
	r = inside_exec(conn, &e, &err);
	_exit(r < 0 ? 98 : r);
}

static int wait_status(pid_t pid)
{
	int status;

	CHECK_INT(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* A pattern that no two places of the stream share. */
static void fill(uint64_t *buf, size_t n, uint64_t from)
{
	for (size_t i = 0; i < n; i++)
		buf[i] = (from + i) * 0x9e3779b97f4a7c15ULL;
}

TEST(inside_streams_pass_unchanged)
{
	enum { WORDS = 8192, ROUNDS = 16384 }; /* 1 GiB */
	static uint64_t want[WORDS], got[WORDS];
	int in[2], out[2];
	pid_t pid, writer;
	struct tiny t;

	tiny_start(&t, FILE_CAPS);
	CHECK_INT(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC), 0);
	pid = exec_on(&t, "cat; exit 7", in[0], out[1], 2);
	(void)close(in[0]);
	(void)close(out[1]);
	writer = fork();
	if (writer == 0) {
		(void)close(out[0]);
		for (unsigned i = 0; i < ROUNDS; i++) {
			fill(want, WORDS, (uint64_t)i * WORDS);
			if (fd_write_all(in[1], want, sizeof(want)) < 0)
				_exit(1);
		}
		_exit(0);
	}
	(void)close(in[1]);
	for (unsigned i = 0; i < ROUNDS; i++) {
		for (size_t n = 0; n < sizeof(got);) {
			ssize_t len = read(out[0], (char *)got + n, sizeof(got) - n);

			CHECK(len > 0);
			n += (size_t)len;
		}
		fill(want, WORDS, (uint64_t)i * WORDS);
		CHECK(memcmp(got, want, sizeof(got)) == 0);
	}
	CHECK_INT(read(out[0], got, 1), 0);
	CHECK_INT(wait_status(writer), 0);
	CHECK_INT(wait_status(pid), 7);
	tiny_stop(&t);
}

TEST(inside_streams_end_rightly)
{
	int p[2], null = open("/dev/null", O_RDWR | O_CLOEXEC), file;
	struct tiny t;
	char buf[64];
	pid_t pid;

	tiny_start(&t, FILE_CAPS);
	/* A reader that goes away is SIGPIPE for the command. */
	CHECK_INT(pipe2(p, O_CLOEXEC), 0);
	pid = exec_on(&t, "exec yes", null, p[1], 2);
	(void)close(p[1]);
	CHECK_INT(read(p[0], buf, 4), 4);
	(void)close(p[0]);
	CHECK_INT(wait_status(pid), 128 + SIGPIPE);
	/* The end of standard input passes, and a command that never reads does not hold us. */
	CHECK_INT(wait_status(exec_on(&t, "cat; exit 3", null, null, 2)), 3);
	CHECK_INT(pipe2(p, O_CLOEXEC), 0);
	CHECK_INT(wait_status(exec_on(&t, "exit 4", p[0], null, 2)), 4);
	/* One in the background that keeps the streams does not either. */
	CHECK_INT(wait_status(exec_on(&t, "sleep 100 & exit 5", null, p[1], p[1])), 5);
	/* Into a file opened for appending, where splice is refused. */
	file = openat(AT_FDCWD, test_dir(), O_TMPFILE | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
	CHECK(file >= 0);
	CHECK_INT(wait_status(exec_on(&t, "seq 1 100000; echo e >&2", null, file, file)), 0);
	CHECK_INT(lseek(file, 0, SEEK_END), 588895 + 2);
	tiny_stop(&t);
}

TEST(inside_caller_dies)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), never[2];
	struct tiny t;

	tiny_start(&t, FILE_CAPS);
	CHECK_INT(pipe2(never, O_CLOEXEC), 0);
	/* At more and more of its way. */
	for (long us = 0; us < 20000; us += 500) {
		pid_t pid = exec_on(&t, "sleep 1000 | cat", never[0], null, null);

		(void)usleep((unsigned)us);
		(void)kill(pid, SIGKILL);
		(void)wait_status(pid);
	}
	for (int i = 0; tiny_processes(&t) > 1 && i < 200; i++)
		sleep_ms(10);
	CHECK_INT(tiny_processes(&t), 1);
	tiny_stop(&t);
}

static struct inside_service service(const char *name, const char *command)
{
	struct inside_service s = { .capabilities = FILE_CAPS, .stop_signal = SIGTERM, .reload_signal = SIGHUP };

	(void)str_copy(s.name, sizeof(s.name), name);
	strlist_add(&s.argv, "/usr/bin/sh");
	strlist_add(&s.argv, "-c");
	strlist_add(&s.argv, command);
	return s;
}

static struct inside_status status_of(const struct tiny *t, const char *name)
{
	_cleanup_free_ struct inside_status *list = NULL;
	size_t n;

	CHECK_INT(inside_status(t->conn, &list, &n, NULL), 0);
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i].name, name) == 0)
			return list[i];
	CHECK(!"no such service");
	return (struct inside_status){ 0 };
}

TEST(inside_restarts_services)
{
	struct inside_service s = service("a", "trap 'exit 0' TERM; while :; do sleep 0.01; done"), b;
	struct inside_status st;
	struct err err = { 0 };
	struct tiny t;
	char comm[32];

	tiny_start(&t, FILE_CAPS);
	CHECK_INT(inside_service_start(t.conn, &s, &err), 0);
	CHECK_INT(inside_service_start(t.conn, &s, &err), -EEXIST);
	st = status_of(&t, "a");
	CHECK_INT(st.state, INSIDE_RUNNING);
	CHECK_INT(st.last_exit, -1);
	for (int i = 0; i < 100 && strcmp(pid_comm(st.pid, comm, sizeof(comm)), "sh") != 0; i++)
		sleep_ms(10); /* until it has executed */
	CHECK_STR(comm, "sh");
	/* In the Psv's numbers, so this kills it. */
	CHECK_INT(kill(st.pid, SIGKILL), 0);
	for (int i = 0; i < 100 && status_of(&t, "a").restarts == 0; i++)
		sleep_ms(10);
	st = status_of(&t, "a");
	CHECK_INT(st.restarts, 1);
	CHECK_INT(st.state, INSIDE_RUNNING);
	CHECK_INT(st.last_exit, SIGKILL);
	/* One that cannot live is tried 0.1, 0.2, 0.4, … s apart. */
	b = service("b", "exit 9");
	CHECK_INT(inside_service_start(t.conn, &b, &err), 0);
	sleep_ms(1000);
	st = status_of(&t, "b");
	for (int i = 0; i < 100 && st.state != INSIDE_WAITING; i++, st = status_of(&t, "b"))
		sleep_ms(5); /* it may just be running */
	CHECK_INT(st.state, INSIDE_WAITING);
	CHECK(st.restarts >= 1 && st.restarts <= 4);
	CHECK_INT(st.last_exit, 9 << 8);
	CHECK_INT(inside_service_act(t.conn, "b", INSIDE_STOP, &err), 0);
	CHECK_INT(status_of(&t, "b").state, INSIDE_STOPPED);
	sleep_ms(200); /* its trap */
	CHECK_INT(inside_service_act(t.conn, "a", INSIDE_RESTART, &err), 0);
	CHECK_INT(status_of(&t, "a").state, INSIDE_RUNNING);
	CHECK_INT(inside_service_act(t.conn, "a", INSIDE_STOP, &err), 0);
	st = status_of(&t, "a");
	CHECK_INT(st.state, INSIDE_STOPPED);
	CHECK_INT(st.pid, 0);
	CHECK_INT(inside_service_act(t.conn, "none", INSIDE_STOP, &err), -ENOENT);
	strlist_free(&s.argv);
	strlist_free(&b.argv);
	tiny_stop(&t);
}

static long elapsed_ms(const struct timespec *since)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - since->tv_sec) * 1000 + (now.tv_nsec - since->tv_nsec) / 1000000;
}

/* What a service has forked gets a moment to end in order, and no more than that; after a failure it gets none. */
TEST(inside_ends_the_rest_of_a_service)
{
	struct inside_service s = service("s", "trap 'exit 0' TERM; (trap 'sleep 0.3; echo clean > /tmp/clean; exit' TERM; "
					       "while :; do sleep 0.01; done) & while :; do sleep 0.01; done");
	struct inside_service deaf = service("deaf", "(trap '' TERM; sleep 1000) & trap 'exit 0' TERM; while :; do sleep 0.01; done");
	struct timespec begin;
	struct err err = { 0 };
	struct tiny t;

	tiny_start(&t, FILE_CAPS);
	CHECK_INT(inside_service_start(t.conn, &s, &err), 0);
	sleep_ms(300);
	(void)clock_gettime(CLOCK_MONOTONIC, &begin);
	CHECK_INT(inside_service_act(t.conn, "s", INSIDE_STOP, &err), 0);
	CHECK(elapsed_ms(&begin) >= 250);
	CHECK_INT(tiny_sh(&t, "cat /tmp/clean", NULL), 0);
	CHECK_INT(inside_service_start(t.conn, &deaf, &err), 0);
	sleep_ms(300);
	(void)clock_gettime(CLOCK_MONOTONIC, &begin);
	CHECK_INT(inside_service_act(t.conn, "deaf", INSIDE_STOP, &err), 0);
	CHECK(elapsed_ms(&begin) >= 900 && elapsed_ms(&begin) < 5000);
	for (int i = 0; i < 100 && tiny_processes(&t) > 1; i++)
		sleep_ms(10);
	CHECK_INT(tiny_processes(&t), 1);
	/* A failure: the child that will not end is gone before the service is back. */
	CHECK_INT(inside_service_start(t.conn, &deaf, &err), 0);
	sleep_ms(300);
	CHECK_INT(kill(status_of(&t, "deaf").pid, SIGKILL), 0);
	for (int i = 0; i < 200 && status_of(&t, "deaf").restarts == 0; i++)
		sleep_ms(10);
	sleep_ms(300);
	CHECK_INT(tiny_sh(&t, "[ $(ps | grep -c '[s]leep 1000$') -eq 1 ]", NULL), 0);
	strlist_free(&s.argv);
	strlist_free(&deaf.argv);
	tiny_stop(&t);
}

TEST(inside_stops_what_will_not_stop)
{
	struct inside_service s = service("deaf", "trap '' TERM HUP INT; while :; do sleep 1; done");
	struct timespec a, b;
	struct err err = { 0 };
	struct tiny t;

	tiny_start(&t, FILE_CAPS);
	CHECK_INT(inside_service_start(t.conn, &s, &err), 0);
	sleep_ms(100);
	(void)clock_gettime(CLOCK_MONOTONIC, &a);
	tiny_stop(&t); /* 2 s */
	(void)clock_gettime(CLOCK_MONOTONIC, &b);
	CHECK(b.tv_sec - a.tv_sec <= 4);
	strlist_free(&s.argv);
}

TEST(inside_is_settled_or_gone)
{
	struct tiny t;

	tiny_start(&t, 0);
	for (int i = 0; i < 20; i++)
		CHECK(inside_settled(t.pid, t.start));
	CHECK_INT(kill(t.pid, SIGKILL), 0);
	CHECK(!inside_settled(t.pid, t.start));
	tiny_stop(&t);
}

TEST(inside_start_fails_with_words)
{
	struct err err = { 0 };

	if (geteuid() != 0)
		SKIP("needs root");
	CHECK_INT(inside_connect(getpid(), 1, &err), -ESRCH);
	CHECK_INT(err.exit, VNAS_EXIT_NOT_RUNNING);
}
