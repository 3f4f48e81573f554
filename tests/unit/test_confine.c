/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What root inside must not be able to do, each with what the same attempt gives outside. */
#include "test_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/process.h"
#include "lib/fd.h"
#include "test.h"
#include "vsv/refused_calls.h"

#define CAP(c) (1ULL << (c))
#define FILE_CAPS (CAP(CAP_DAC_OVERRIDE) | CAP(CAP_DAC_READ_SEARCH) | CAP(CAP_CHOWN) | CAP(CAP_FOWNER) | \
		   CAP(CAP_SETUID) | CAP(CAP_SETGID) | CAP(CAP_KILL))

/* What must work inside, and what must fail with another error than EPERM; everything else is EPERM. */
static const struct {
	const char *name;
	int error;
} expected[] = {
	{ "socket_inet_tcp", 0 }, { "socket_inet6_udp", 0 }, { "socket_unix", 0 }, { "socket_route", 0 },
	{ "socket_audit", EPROTONOSUPPORT }, { "reuseaddr", EBADF }, { "unshare_fs", 0 }, { "clone3", ENOSYS }, { "io_setup", ENOSYS }, { "personality_asks", 0 },
	{ "tiocgwinsz", EBADF }, { "newer_than_the_table", ENOSYS }, { "x32_getpid", ENOSYS },
	{ "int80_getpid", ENOSYS }, { "mknod_whiteout", EFAULT }, { "mknod_fifo", EFAULT }, { "mknod_old_fifo", EFAULT },
};

static int want(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++)
		if (strlen(expected[i].name) == len && memcmp(expected[i].name, name, len) == 0)
			return expected[i].error;
	return EPERM;
}

/* result_of: the errno that a report says for a call; -1: none. */
static int result_of(const char *report, const char *name, size_t len)
{
	for (const char *p = report; *p; p = strchr(p, '\n') + 1)
		if (strncmp(p, name, len) == 0 && p[len] == ' ')
			return (int)strtol(p + len + 1, NULL, 10);
	return -1;
}

TEST(confine_system_calls)
{
	_cleanup_strbuf_ struct strbuf inside = { 0 }, outside = { 0 };
	unsigned calls = 0, controls = 0, wrong = 0;
	struct tiny t;
	int status;
	FILE *f;

	tiny_start(&t, FILE_CAPS);
	status = tiny_sh(&t, "calls", &inside);
	CHECK_INT(status, 0);
	tiny_stop(&t);
	f = popen(TEST_CALLS, "r");
	CHECK(f);
	for (char line[128]; fgets(line, sizeof(line), f);)
		strbuf_addstr(&outside, line);
	(void)pclose(f);
	for (const char *p = strbuf_str(&inside); *p; p = strchr(p, '\n') + 1) {
		size_t len = strcspn(p, " ");
		int got = result_of(p, p, len), control = result_of(strbuf_str(&outside), p, len);

		calls++;
		/* What does not exist on this kernel cannot be told apart. */
		if (got != want(p, len) && (want(p, len) == EPERM || control == 0 || got != control)) {
			(void)fprintf(stderr, "    %.*s: %s, not %s\n", (int)len, p, strerror(got), strerror(want(p, len)));
			wrong++;
		}
		controls += want(p, len) != EPERM || (control != EPERM && control >= 0);
		if (want(p, len) == EPERM && control == EPERM)
			(void)fprintf(stderr, "    %.*s: no control here, it is EPERM outside too\n", (int)len, p);
	}
	CHECK_INT(wrong, 0);
	CHECK(calls > 70);
	CHECK(controls + 6 > calls); /* a kernel in lockdown refuses a few to everybody */
}

/* What the filter says to every call there is a number for: exactly what its table says (vsv/refused_calls.h), and to those
 * that it judges by their arguments, of which all are 0 here. */
static int want_of(const char *way, long nr)
{
#define ROW(name, number, error, by) { number, error },
	static const struct {
		long nr;
		int error;
	} refused[] = { REFUSED_CALLS(ROW) },
	  others[] = {
		{ SYS_socket, EPERM },            /* of no family */
		{ SYS_socketpair, EPERM },
		{ SYS_open_by_handle_at, EPERM }, /* a command has none */
		/* PID 1 makes these, before the caller's own filter is asked for more. */
		{ SYS_inotify_init1, 0 },
		{ SYS_epoll_create1, 0 },
#ifdef __x86_64__
		{ SYS_inotify_init, 0 },
		{ SYS_epoll_create, EINVAL },
#endif
	};
	if (strcmp(way, "native") != 0)
		return ENOSYS;
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		if (refused[i].nr == nr)
			return refused[i].error;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (others[i].nr == nr)
			return others[i].error;
	return ENOSYS; /* it came through, to the program's own filter */
}

TEST(confine_every_system_call)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };
	unsigned tried = 0, refused = 0, wrong = 0;
	struct tiny t;

	tiny_start(&t, FILE_CAPS);
	CHECK_INT(tiny_sh(&t, "allcalls", &out), 0);
	tiny_stop(&t);
	for (const char *p = strbuf_str(&out); *p; p = strchr(p, '\n') + 1) {
		char way[16];
		long nr;
		int error;

		CHECK_INT(sscanf(p, "%15s %ld %d\n", way, &nr, &error), 3);
		tried++;
		refused += error == EPERM;
		if (error == want_of(way, nr))
			continue;
		(void)fprintf(stderr, "    %s %ld: %s, not %s\n", way, nr, strerror(error), strerror(want_of(way, nr)));
		wrong++;
	}
	CHECK_INT(wrong, 0);
	CHECK(tried > 1000 && refused > 60);
}

TEST(confine_pid_1)
{
	struct tiny t;

	tiny_start(&t, FILE_CAPS);
	/* Signals do not move it. */
	CHECK_INT(tiny_sh(&t, "for s in 1 2 9 15 19 10 12 17 13; do kill -$s 1 || exit 1; done; kill -0 $$", NULL), 0);
	CHECK_INT(tiny_sh(&t, "true", NULL), 0);
	/* Nothing of it can be looked at or reopened, and a process of one's own can: the control. */
	static const char *const files[] = { "fd/3", "root", "cwd", "exe", "ns/net", "environ", "maps", "mem", "map_files/x",
					     "fdinfo/3", "io", "syscall", "stack" };
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		char command[256];

		(void)snprintf(command, sizeof(command), "cat /proc/1/%s || readlink /proc/1/%s", files[i], files[i]);
		CHECK(tiny_sh(&t, command, NULL) != 0);
	}
	CHECK_INT(tiny_sh(&t, "sleep 10 & readlink /proc/$!/exe && ls /proc/$!/fd && cat /proc/$!/environ", NULL), 0);
	/* Its processes signal each other. */
	CHECK_INT(tiny_sh(&t, "sleep 100 & kill -9 $!; wait $!", NULL), 128 + SIGKILL);
	tiny_stop(&t);
}

TEST(confine_what_a_command_has)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };
	struct tiny t;

	tiny_start(&t, CAP(CAP_CHOWN) | CAP(CAP_KILL));
	CHECK_INT(tiny_sh(&t, "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status", &out), 0);
	CHECK_STR(strbuf_str(&out), "CapInh:\t0000000000000000\nCapPrm:\t0000000000000021\nCapEff:\t0000000000000021\n"
				    "CapBnd:\t0000000000000021\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n");
	out.len = 0;
	/* 0, 1 and 2, which are pipes made inside; and the one that ls opens. */
	CHECK_INT(tiny_sh(&t, "ls /proc/self/fd; stat -L -c %F /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2", &out), 0);
	CHECK_STR(strbuf_str(&out), "0\n1\n2\n3\nfifo\nfifo\nfifo\n");
	out.len = 0;
	CHECK_INT(tiny_sh(&t, "env", &out), 0);
	CHECK(!strstr(strbuf_str(&out), "VNAS") && strstr(strbuf_str(&out), "LANG=C.UTF-8\n"));
	out.len = 0;
	/* No setting of the machine's, no file system of the Psv's. */
	CHECK_INT(tiny_sh(&t, "ls -d /proc/sys /proc/sysrq-trigger /sys /proc/kcore /proc/kallsyms", &out), 1);
	out.len = 0;
	CHECK_INT(tiny_sh(&t, "cat /proc/self/mountinfo | wc -l", &out), 0);
	CHECK_STR(strbuf_str(&out), "4\n"); /* root, dev/pts, proc, proc/1 */
	out.len = 0;
	CHECK_INT(tiny_sh(&t, "cat /proc/1/cgroup", &out), 0);
	CHECK(!strstr(strbuf_str(&out), "vnas")); /* a cgroup namespace: the path is "/" */
	out.len = 0;
	CHECK_INT(tiny_sh(&t, "ls /proc | grep -c '^[0-9]'", &out), 0);
	CHECK(atol(strbuf_str(&out)) <= 5);
	tiny_stop(&t);
}

/* Descriptors in flight are counted by user for the whole machine, against the sender's limit of open files: what commands
 * can fill must leave room for every PID 1 to send a command's streams. */
TEST(confine_open_files)
{
	struct tiny t;

	tiny_start(&t, FILE_CAPS);
	CHECK_INT(tiny_sh(&t, "test $(ulimit -Hn) -le 1024 && test $(ulimit -Sn) -le 1024", NULL), 0);
	CHECK_INT(tiny_sh(&t, "while read -r a b c soft hard d; do case \"$b $c\" in 'open files') "
			      "test $soft -gt $(($(ulimit -Hn) + 512)) && test $hard -ge $soft; exit; esac; done </proc/1/limits; exit 9",
			  NULL), 0);
	CHECK(tiny_sh(&t, "ulimit -n 4096", NULL) != 0);
	tiny_stop(&t);
}

static int file_in(struct tiny *t, const char *path, struct strbuf *ret)
{
	char command[128];

	ret->len = 0;
	(void)snprintf(command, sizeof(command), "cat %s", path);
	return tiny_sh(t, command, ret);
}

/* What is refused is PID 1's to answer: whoever asks while it does not run waits, and gets the same answer then. */
TEST(confine_waits_for_its_answer)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };
	struct tiny t;

	tiny_start(&t, FILE_CAPS);
	CHECK_INT(tiny_sh(&t, "(while [ ! -e /tmp/go ]; do sleep 0.02; done; calls >/tmp/result; echo >/tmp/done) >/dev/null 2>&1 </dev/null & "
			      "(sleep 0.3; echo >/tmp/go) >/dev/null 2>&1 </dev/null &", NULL), 0);
	CHECK_INT(kill(t.pid, SIGSTOP), 0);
	CHECK_INT(usleep(800 * 1000), 0);
	CHECK_INT(kill(t.pid, SIGCONT), 0);
	CHECK_INT(tiny_sh(&t, "i=0; while [ ! -e /tmp/done ] && [ $i -lt 500 ]; do sleep 0.02; i=$((i+1)); done", NULL), 0);
	CHECK_INT(file_in(&t, "/tmp/result", &out), 0);
	for (const char *p = strbuf_str(&out); *p; p = strchr(p, '\n') + 1) {
		size_t len = strcspn(p, " ");

		if (want(p, len) == EPERM && result_of(p, p, len) != EPERM)
			test_fail(__FILE__, __LINE__, p);
	}
	CHECK(strstr(strbuf_str(&out), "mount 1\n") && strstr(strbuf_str(&out), "keyctl 1\n"));
	tiny_stop(&t);
}

/* What leads beyond the Vsv and needs no capability is refused by the kernel alone: a PID 1 that does not run, or does what its tenant
 * likes, has no part in it. */
TEST(confine_refuses_alone)
{
#define NAME(name, nr, error, by) by " " #name,
#define ALONE "alone"
#define TOLD "told"
	static const char *const all[] = { REFUSED_CALLS(NAME) };
	_cleanup_free_ char *got = NULL;
	_cleanup_strbuf_ struct strbuf names = { 0 };
	char command[1024], path[64];
	struct tiny t;

	strbuf_addstr(&names, "unshare_user clone_newuser core_limit_with_old");
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (str_starts(all[i], ALONE))
			strbuf_addstr(&names, all[i] + strlen(ALONE));
	tiny_start(&t, FILE_CAPS);
	(void)snprintf(command, sizeof(command), "(while [ ! -e /tmp/go ]; do sleep 0.02; done; calls %s >/tmp/result; mv /tmp/result /tmp/done) "
		       ">/dev/null 2>&1 </dev/null & (sleep 0.3; echo >/tmp/go) >/dev/null 2>&1 </dev/null &", strbuf_str(&names));
	CHECK_INT(tiny_sh(&t, command, NULL), 0);
	CHECK_INT(kill(t.pid, SIGSTOP), 0);
	(void)snprintf(path, sizeof(path), "/proc/%d/root/tmp/done", (int)t.pid);
	for (int i = 0; i < 200 && access(path, F_OK) != 0; i++)
		CHECK_INT(usleep(20 * 1000), 0);
	CHECK_INT(file_read_at(AT_FDCWD, path, 65536, &got, NULL), 0);
	CHECK_INT(kill(t.pid, SIGCONT), 0);
	for (const char *p = got; *p; p = strchr(p, '\n') + 1) {
		size_t len = strcspn(p, " ");

		if (result_of(p, p, len) != want(p, len))
			test_fail(__FILE__, __LINE__, p);
	}
	CHECK(strstr(got, "io_uring_setup 1\n") && strstr(got, "unshare_user 1\n") && strstr(got, "core_limit_with_old 1\n"));
	tiny_stop(&t);
}

/* A crash must never reach the Psv's crash handler, which runs as its root: with any other limit it could (core(5)). */
TEST(confine_core_limit)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };
	struct tiny t;

	tiny_start(&t, FILE_CAPS);
	CHECK_INT(tiny_sh(&t, "calls limits", &out), 0);
	CHECK_STR(strbuf_str(&out), "prlimit64 0 1 1\nsetrlimit 0 1 1\nwith old 1 1 1\nasks 0 1 1\nother 0 9 9\n");
	out.len = 0;
	CHECK_INT(tiny_sh(&t, "ulimit -c 0; ulimit -Sc 0; ulimit -c; ulimit -Hc", &out), 0);
	tiny_stop(&t);
}

TEST(confine_service_capabilities)
{
	struct inside_service s = { .name = "s", .capabilities = CAP(CAP_KILL) | CAP(CAP_SYS_ADMIN), .stop_signal = SIGTERM };
	_cleanup_strbuf_ struct strbuf out = { 0 };
	struct err err = { 0 };
	struct tiny t;

	tiny_start(&t, CAP(CAP_CHOWN) | CAP(CAP_KILL));
	strlist_add(&s.argv, "/usr/bin/sh");
	strlist_add(&s.argv, "-c");
	strlist_add(&s.argv, "grep Cap /proc/self/status > /tmp/caps; exec sleep 1000");
	CHECK_INT(inside_service_start(t.conn, &s, &err), 0);
	CHECK_INT(tiny_sh(&t, "while ! grep -q Amb /tmp/caps; do sleep 0.01; done 2>&-; cat /tmp/caps", &out), 0);
	CHECK_STR(strbuf_str(&out), "CapInh:\t0000000000000000\nCapPrm:\t0000000000000020\nCapEff:\t0000000000000020\n"
				    "CapBnd:\t0000000000000020\nCapAmb:\t0000000000000000\n");
	strlist_free(&s.argv);
	tiny_stop(&t);
}
