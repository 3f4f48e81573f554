/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/process.h"
#include "psv/net.h"
#include "psv/psv.h"
#include "psv/supervise.h"
#include "test.h"
#include "test_inside.h"
#include "vsv/looks.h"
#include "vsv/supervise.h"

static void sleep_ms(long ms)
{
	(void)nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

static void write_path(const char *name, const char *text, mode_t mode)
{
	_cleanup_close_ int fd = dir_open(AT_FDCWD, test_dir());

	CHECK_INT(file_write_atomic_at(fd, name, text, strlen(text), mode), 0);
}

/* A Psv of the test's own, with a program in vnas's place that writes down how it was called. */
static void make_psv(struct psv *psv)
{
	char path[4096], script[8192];
	struct err err = { 0 };

	if (geteuid() != 0)
		SKIP("needs root");
	CHECK_INT(setenv("VNAS_PREFIX", test_dir(), 1), 0);
	CHECK_INT(setenv("VNAS_LIBEXEC", TEST_LIBEXEC, 1), 0);
	(void)snprintf(path, sizeof(path), "%s/vnas", test_dir());
	CHECK_INT(setenv("VNAS_BINARY", path, 1), 0);
	(void)snprintf(script, sizeof(script), "#!/bin/sh\necho \"$@\" >> %s/calls\n. %s/then\n", test_dir(), test_dir());
	write_path("vnas", script, 0755);
	write_path("then", ":\n", 0644);
	CHECK_INT(psv_open(psv, &err), 0);
	(void)snprintf(path, sizeof(path), "%s/servers/tiny", psv->lib);
	CHECK_INT(dir_make_path(path, 0700), 0);
}

static char *slurp(const struct psv *psv, const char *file)
{
	char path[4096], *text;

	(void)snprintf(path, sizeof(path), "%s/servers/tiny/%s", psv->lib, file);
	if (file_read_at(AT_FDCWD, path, 64 << 20, &text, NULL) < 0)
		return xstrdup("");
	return text;
}

static bool wait_text(const struct psv *psv, const char *file, const char *what)
{
	for (int i = 0; i < 300; i++) {
		_cleanup_free_ char *text = slurp(psv, file);

		if (strstr(text, what))
			return true;
		sleep_ms(10);
	}
	return false;
}

static bool wait_calls(const char *what)
{
	char path[4096];

	(void)snprintf(path, sizeof(path), "%s/calls", test_dir());
	for (int i = 0; i < 300; i++) {
		_cleanup_free_ char *text = NULL;

		if (file_read_at(AT_FDCWD, path, 1 << 20, &text, NULL) == 0 && strstr(text, what))
			return true;
		sleep_ms(10);
	}
	return false;
}

static void start_service(struct tiny *t, const char *name, const char *command)
{
	struct inside_service s = { .stop_signal = SIGTERM };
	struct err err = { 0 };

	(void)str_copy(s.name, sizeof(s.name), name);
	strlist_add(&s.argv, "/usr/bin/sh");
	strlist_add(&s.argv, "-c");
	strlist_add(&s.argv, command);
	CHECK_INT(inside_service_start(t->conn, &s, &err), 0);
	strlist_free(&s.argv);
}

static bool wait_gone(pid_t pid, uint64_t start)
{
	for (int i = 0; i < 300; i++) {
		_cleanup_close_ int fd = pid_open_checked(pid, start);

		if (fd < 0)
			return true;
		sleep_ms(10);
	}
	return false;
}

TEST(supervise_keeps_the_log)
{
	_cleanup_free_ char *events = NULL, *log = NULL;
	struct err err = { 0 };
	struct state st = { 0 }, other = { 0 };
	struct psv psv;
	unsigned twice = 0;
	struct tiny t;
	char *p;

	make_psv(&psv);
	tiny_start(&t, 0);
	start_service(&t, "a", "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.01; done");
	st.init_pid = t.pid;
	st.init_start = t.start;
	CHECK_INT(supervise_spawn(&psv, "tiny", &st, &err), 0);
	CHECK(wait_text(&psv, "log", "a: line 20\n"));
	/* A second one leaves at once, and the first is what the caller gets. */
	other = st;
	other.supervisor_pid = 0;
	CHECK_INT(supervise_spawn(&psv, "tiny", &other, &err), 0);
	CHECK_INT(other.supervisor_pid, st.supervisor_pid);
	/* It is killed, the service goes on, the next one goes on where it was. */
	CHECK_INT(kill(st.supervisor_pid, SIGKILL), 0);
	CHECK(wait_gone(st.supervisor_pid, st.supervisor_start));
	CHECK_INT(supervise_find(&psv, "tiny", &other, &err), 1);
	sleep_ms(200);
	CHECK_INT(supervise_spawn(&psv, "tiny", &other, &err), 0);
	CHECK(other.supervisor_pid != st.supervisor_pid);
	CHECK(wait_text(&psv, "log", "a: line 60\n"));
	log = slurp(&psv, "log");
	p = log;
	/* In order and whole; what was written but not yet acknowledged at the kill may stand there twice. */
	for (int i = 1; i <= 60; i++) {
		char want[32];

		(void)snprintf(want, sizeof(want), " a: line %d\n", i);
		p = strstr(p, want);
		CHECK(p);
		twice += strstr(p + 1, want) != NULL;
	}
	CHECK(twice <= 2);
	/* A control character does not reach the file. */
	start_service(&t, "b", "printf 'x\\033[31m\\302\\233y \\343\\201\\202 \\377\\n'; exec sleep 1000");
	CHECK(wait_text(&psv, "log", "b: x\\x1b[31m\\xc2\\x9by \xe3\x81\x82 \\xff\n"));
	events = slurp(&psv, "events.jsonl");
	CHECK(strstr(events, "\",\"server\":\"tiny\",\"event\":\"service_started\",\"detail\":\"a"));
	/* Told to end: nothing else does. */
	CHECK_INT(supervise_end(&psv, "tiny", &err), 0);
	CHECK_INT(supervise_find(&psv, "tiny", &other, &err), 1);
	CHECK(tiny_processes(&t) >= 3);
	tiny_stop(&t);
	psv_close(&psv);
}

/* Begun and not told: it is attached to nobody, and ends with whoever began it. */
TEST(supervise_begun_and_given_up)
{
	struct supervise_begun begun = SUPERVISE_NONE;
	struct state st = { 0 }, found = { 0 };
	struct err err = { 0 };
	struct psv psv;
	struct tiny t;
	pid_t starter;

	make_psv(&psv);
	tiny_start(&t, 0);
	st.init_pid = t.pid;
	st.init_start = t.start;
	CHECK_INT(supervise_begin(&psv, "tiny", &st, &begun, &err), 0);
	start_service(&t, "a", "echo one; exec sleep 1000");
	sleep_ms(100);
	CHECK(slurp(&psv, "log")[0] == '\0');
	supervise_abandon(&begun);
	CHECK_INT(begun.fd, -1);
	CHECK_INT(supervise_find(&psv, "tiny", &found, &err), 1);
	supervise_abandon(&begun);
	/* The starter is killed. */
	starter = fork();
	if (starter == 0) {
		CHECK_INT(supervise_begin(&psv, "tiny", &st, &begun, &err), 0);
		while (supervise_find(&psv, "tiny", &found, NULL) != 0)
			sleep_ms(1);
		_exit(0);
	}
	CHECK_INT(waitpid(starter, NULL, 0), starter);
	for (int i = 0; i < 300 && supervise_find(&psv, "tiny", &found, &err) != 1; i++)
		sleep_ms(10);
	CHECK_INT(supervise_find(&psv, "tiny", &found, &err), 1);
	CHECK(slurp(&psv, "log")[0] == '\0');
	/* Told, it takes what was there to be read. */
	CHECK_INT(supervise_begin(&psv, "tiny", &st, &begun, &err), 0);
	supervise_go(&begun);
	CHECK_INT(supervise_await(&psv, "tiny", &begun, &st, &err), 0);
	CHECK(wait_text(&psv, "log", "a: one\n"));
	CHECK_INT(supervise_end(&psv, "tiny", &err), 0);
	tiny_stop(&t);
	psv_close(&psv);
}

/* One that was there ends between the begin of the next and PID 1's answer: the next one takes its place. */
TEST(supervise_begun_beside_one_that_ends)
{
	struct supervise_begun begun = SUPERVISE_NONE;
	struct state st = { 0 }, old = { 0 };
	struct err err = { 0 };
	struct psv psv;
	struct tiny t;
	siginfo_t gone;

	make_psv(&psv);
	tiny_start(&t, 0);
	st.init_pid = t.pid;
	st.init_start = t.start;
	old = st;
	CHECK_INT(supervise_spawn(&psv, "tiny", &old, &err), 0);
	CHECK_INT(supervise_begin(&psv, "tiny", &st, &begun, &err), 0);
	/* It has made way. */
	CHECK_INT(waitid(P_PID, (id_t)begun.pid, &gone, WEXITED | WNOWAIT), 0);
	CHECK_INT(kill(old.supervisor_pid, SIGTERM), 0);
	CHECK(wait_gone(old.supervisor_pid, old.supervisor_start));
	supervise_go(&begun);
	CHECK_INT(supervise_await(&psv, "tiny", &begun, &st, &err), 0);
	CHECK(st.supervisor_pid > 0 && st.supervisor_pid != old.supervisor_pid);
	CHECK_INT(supervise_end(&psv, "tiny", &err), 0);
	tiny_stop(&t);
	psv_close(&psv);
}

static off_t size_of(const struct psv *psv, const char *file)
{
	char path[4096];
	struct stat s;

	(void)snprintf(path, sizeof(path), "%s/servers/tiny/%s", psv->lib, file);
	return stat(path, &s) < 0 ? 0 : s.st_size;
}

/* A tenant cannot fill the Psv's disk, and what was lost is said. */
TEST(supervise_bounds_what_it_keeps)
{
	enum { MIB = 1024 * 1024 };
	_cleanup_strbuf_ struct strbuf old = { 0 };
	_cleanup_free_ char *events = NULL, *log = NULL;
	struct err err = { 0 };
	struct state st = { 0 };
	struct psv psv;
	struct tiny t;

	make_psv(&psv);
	while (old.len < MIB)
		strbuf_addf(&old, "{\"old\":%zu,\"padding\":\"%060d\"}\n", old.len, 0);
	_cleanup_close_ int lib = dir_open(AT_FDCWD, psv.lib);
	_cleanup_close_ int folder = dir_open(lib, "servers/tiny");
	CHECK_INT(file_write_atomic_at(folder, "events.jsonl", old.buf, old.len, 0600), 0);
	tiny_start(&t, 0);
	st.init_pid = t.pid;
	st.init_start = t.start;
	CHECK_INT(supervise_spawn(&psv, "tiny", &st, &err), 0);
	start_service(&t, "noisy", "dd if=/dev/zero bs=1M count=30 2>&-; echo; echo done; exec sleep 1000");
	CHECK(wait_text(&psv, "log", "noisy: done\n"));
	CHECK(strstr(log = slurp(&psv, "log"), " lines were lost"));
	/* The older half went, at the end of a line, and the rest is there. */
	CHECK(wait_text(&psv, "events.jsonl", "service_started"));
	events = slurp(&psv, "events.jsonl");
	CHECK(size_of(&psv, "events.jsonl") < MIB * 6 / 10 && size_of(&psv, "events.jsonl") > MIB * 4 / 10);
	CHECK(strncmp(events, "{\"old\":", 7) == 0);
	CHECK_INT(supervise_end(&psv, "tiny", &err), 0);
	tiny_stop(&t);
	psv_close(&psv);
}

/* flood: a second's worth of what a supervisor takes, and more, for so long. */
static void flood(struct tiny *t, const char *name, int seconds)
{
	char command[160];

	(void)snprintf(command, sizeof(command), "yes 'a line of some length that nobody wants to read' & sleep %d; kill $!; wait; "
			"echo; echo the end; exec sleep 1000", seconds);
	start_service(t, name, command);
}

/* What it takes of a flood is bounded by time as well, whatever the service and the machine are able to; PID 1 and the rest
 * of the log live on, and the loss is said. */
TEST(supervise_takes_a_flood_slowly)
{
	enum { SECONDS = 3, A_SECOND = 512 * 1024 };
	struct timespec begin, end;
	_cleanup_free_ char *log = NULL;
	struct err err = { 0 };
	struct state st = { 0 };
	struct psv psv;
	struct tiny t;
	double seconds;

	make_psv(&psv);
	tiny_start(&t, 0);
	st.init_pid = t.pid;
	st.init_start = t.start;
	CHECK_INT(supervise_spawn(&psv, "tiny", &st, &err), 0);
	(void)clock_gettime(CLOCK_MONOTONIC, &begin);
	flood(&t, "noisy", SECONDS);
	CHECK_INT(tiny_sh(&t, "true", NULL), 0);
	sleep_ms(SECONDS * 1000);
	CHECK(wait_text(&psv, "log", "noisy: the end\n"));
	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	seconds = (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
	CHECK(strstr(log = slurp(&psv, "log"), " lines were lost"));
	/* A record is longer than its line: headers are counted too.  Two windows can begin within the time. */
	CHECK(size_of(&psv, "log") < (off_t)((seconds + 2) * A_SECOND));
	CHECK(size_of(&psv, "log") > A_SECOND / 2);
	CHECK_INT(supervise_end(&psv, "tiny", &err), 0);
	tiny_stop(&t);
	psv_close(&psv);
}

/* The bound is the state file's; two files share it, and a lower one takes hold of what there is. */
TEST(supervise_keeps_to_its_bound)
{
	enum { MIB = 1024 * 1024 };
	_cleanup_strbuf_ struct strbuf old = { 0 };
	struct state st = { .phase = VSV_RUNNING, .log_bytes = 1 * MIB };
	_cleanup_free_ char *log = NULL;
	struct err err = { 0 };
	struct psv psv;
	struct tiny t;

	make_psv(&psv);
	while (old.len < 3 * MIB)
		strbuf_addf(&old, "2026-01-01T00:00:00.000000Z old: %zu\n", old.len);
	_cleanup_close_ int lib = dir_open(AT_FDCWD, psv.lib);
	_cleanup_close_ int folder = dir_open(lib, "servers/tiny");
	CHECK_INT(file_write_atomic_at(folder, "log", old.buf, old.len, 0600), 0);
	tiny_start(&t, 0);
	st.init_pid = t.pid;
	st.init_start = t.start;
	CHECK_INT(state_write(&psv, "tiny", &st, &err), 0);
	CHECK_INT(supervise_spawn(&psv, "tiny", &st, &err), 0);
	flood(&t, "noisy", 2);
	CHECK(wait_text(&psv, "log", "noisy: "));
	CHECK(size_of(&psv, "log.1") <= MIB / 2);
	sleep_ms(2000);
	CHECK(wait_text(&psv, "log", "noisy: the end\n"));
	CHECK(size_of(&psv, "log") <= MIB / 2 && size_of(&psv, "log.1") <= MIB / 2);
	CHECK(size_of(&psv, "log.1") > MIB / 4);
	log = slurp(&psv, "log.1");
	CHECK(strncmp(log, "20", 2) == 0 && log[strlen(log) - 1] == '\n');
	CHECK_INT(supervise_end(&psv, "tiny", &err), 0);
	tiny_stop(&t);
	psv_close(&psv);
}

/* say: one datagram to its /dev/log, with a descriptor if there is one. */
static void say(const struct tiny *t, const char *msg, size_t len, int fd)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	_cleanup_close_ int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct iovec iov = { .iov_base = (void *)(uintptr_t)msg, .iov_len = len };
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr head;
	} control = { .head = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	if (fd >= 0) {
		m.msg_control = &control;
		m.msg_controllen = sizeof(control);
	}
	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/run/log", t->root_fd);
	CHECK_INT(connect(sock, (struct sockaddr *)&addr, sizeof(addr)), 0);
	CHECK_INT(sendmsg(sock, &m, 0), (ssize_t)len);
}

static unsigned descriptors_of(pid_t pid)
{
	char path[64];
	unsigned n = 0;
	DIR *d;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	d = opendir(path);
	CHECK(d);
	while (readdir(d))
		n++;
	(void)closedir(d);
	return n;
}

TEST(supervise_keeps_syslog)
{
	_cleanup_free_ char *log = NULL;
	struct err err = { 0 };
	struct state st = { 0 };
	struct psv psv;
	struct tiny t;
	char big[8192];
	unsigned before;

	make_psv(&psv);
	tiny_start(&t, 0);
	st.init_pid = t.pid;
	st.init_start = t.start;
	CHECK_INT(tiny_sh(&t, "logger -t early said before there was a supervisor", NULL), 0);
	CHECK_INT(supervise_spawn(&psv, "tiny", &st, &err), 0);
	CHECK(wait_text(&psv, "log", "user.notice: said before there was a supervisor\n"));
	/* As another user than root too: anybody may. */
	CHECK_INT(tiny_sh(&t, "logger -t tag -p auth.info 'a b: c'", NULL), 0);
	CHECK(wait_text(&psv, "log", "] auth.info: a b: c\n"));
	log = slurp(&psv, "log");
	CHECK(strstr(log, " tag["));
	/* What hostile ones send. */
	before = descriptors_of(t.pid);
	for (int i = 0; i < 20; i++)
		say(&t, "<13>a: with a descriptor", 24, t.conn);
	say(&t, "", 0, -1);
	memset(big, 'x', sizeof(big));
	say(&t, big, sizeof(big), -1);
	say(&t, "<6>supervisor: \x1b[31m\nTIME smbd: forged", 39, -1);
	CHECK(wait_text(&psv, "log", "kern.info: \\x1b[31m\\x0aTIME smbd: forged\n"));
	CHECK(wait_text(&psv, "log", "unknown[0] user.notice: xxx"));
	free(log);
	log = slurp(&psv, "log");
	CHECK(strstr(log, " supervisor[0] kern.info: "));
	CHECK(!strstr(log, " lines were lost"));
	CHECK(descriptors_of(t.pid) <= before); /* a connection that was just ending is gone by now */
	CHECK_INT(tiny_sh(&t, "logger -t last word", NULL), 0);
	CHECK(wait_text(&psv, "log", "user.notice: word\n"));
	CHECK_INT(supervise_end(&psv, "tiny", &err), 0);
	tiny_stop(&t);
	psv_close(&psv);
}

TEST(supervise_ends_with_the_server)
{
	struct err err = { 0 };
	struct state st = { 0 };
	struct psv psv;
	struct tiny t;

	make_psv(&psv);
	tiny_start(&t, 0);
	start_service(&t, "a", "trap 'echo last words; exit' TERM; echo up; while :; do sleep 0.01; done");
	st.init_pid = t.pid;
	st.init_start = t.start;
	CHECK_INT(supervise_spawn(&psv, "tiny", &st, &err), 0);
	CHECK(wait_text(&psv, "log", "a: up"));
	tiny_stop(&t);
	CHECK(wait_text(&psv, "log", "a: last words"));
	CHECK(wait_text(&psv, "events.jsonl", "service_stopped"));
	CHECK(wait_gone(st.supervisor_pid, st.supervisor_start));
	CHECK(!strstr(slurp(&psv, "events.jsonl"), "init_died"));
	CHECK_INT(supervise_end(&psv, "tiny", &err), 0); /* its group */
	psv_close(&psv);
}

TEST(supervise_recovers)
{
	struct err err = { 0 };
	struct state st = { .phase = VSV_RUNNING };
	char then[4096];
	struct psv psv;
	struct tiny t;

	make_psv(&psv);
	tiny_start(&t, 0);
	st.init_pid = t.pid;
	st.init_start = t.start;
	CHECK_INT(supervise_spawn(&psv, "tiny", &st, &err), 0);
	(void)snprintf(then, sizeof(then), "[ $(wc -l < %s/calls) -ge 2 ]\n", test_dir());
	write_path("then", then, 0644); /* the first time it fails */
	CHECK_INT(kill(t.pid, SIGKILL), 0);
	CHECK(wait_calls("recover tiny\nrecover tiny\n"));
	CHECK(wait_text(&psv, "events.jsonl", "init_died"));
	/* The state file names nothing that runs, so it ends. */
	CHECK(wait_gone(st.supervisor_pid, st.supervisor_start));
	(void)close(t.conn);
	t.conn = -1;
	CHECK_INT(supervise_end(&psv, "tiny", &err), 0); /* its group */
	tiny_stop(&t);
	psv_close(&psv);
}

static void ip(const char *a, const char *b, const char *c, const char *d, const char *e)
{
	const char *const argv[] = { "ip", a, b, c, d, e, NULL };
	struct err err = { 0 };

	CHECK_INT(run(argv, NULL, &err), 0);
}

/* After the command's own announcement come two more, at the start and whenever an address is put on. */
TEST(supervise_announces_again)
{
	struct state_address address = { .ifindex = 1, .added = true };
	struct state st = { .phase = VSV_STARTING, .id = 7, .addresses = &address, .n_addresses = 1 };
	struct err err = { 0 };
	char calls[4096];
	struct psv psv;
	struct tiny t;

	make_psv(&psv);
	CHECK_INT(unshare(CLONE_NEWNET), 0);
	ip("link", "set", "lo", "up", NULL);
	tiny_start(&t, 0);
	st.init_pid = t.pid;
	st.init_start = t.start;
	CHECK_INT(ipaddr_parse("192.0.2.1", &address.a.addr), 0);
	address.a.prefix = 32;
	CHECK_INT(state_write(&psv, "tiny", &st, &err), 0);
	CHECK_INT(supervise_spawn(&psv, "tiny", &st, &err), 0);
	(void)snprintf(calls, sizeof(calls), "%s/calls", test_dir());
	sleep_ms(1300);
	CHECK(access(calls, F_OK) < 0); /* its services do not answer yet */
	st.phase = VSV_RUNNING;
	CHECK_INT(state_write(&psv, "tiny", &st, &err), 0);
	CHECK(wait_calls("announce tiny\n"));
	CHECK(wait_calls("announce tiny\nannounce tiny\n"));
	CHECK_INT(unlink(calls), 0);
	CHECK_INT(net_address_up(&address.a, 1, 8, NULL, 0, &err), 1); /* another's */
	sleep_ms(1300);
	CHECK(access(calls, F_OK) < 0);
	CHECK_INT(net_down_all(8, &err), 0);
	CHECK_INT(net_address_up(&address.a, 1, 7, NULL, 0, &err), 1);
	CHECK(wait_calls("announce tiny\n"));
	CHECK_INT(supervise_end(&psv, "tiny", &err), 0);
	tiny_stop(&t);
	psv_close(&psv);
}

TEST(supervise_sees_what_is_flushed)
{
	struct err err = { 0 };
	struct state_address address = { .ifindex = 1, .added = true };
	struct state st = { .phase = VSV_RUNNING, .id = 7, .addresses = &address, .n_addresses = 1 };
	struct psv psv;
	struct tiny t;

	make_psv(&psv);
	CHECK_INT(unshare(CLONE_NEWNET), 0);
	ip("link", "set", "lo", "up", NULL);
	ip("address", "add", "192.0.2.1/32", "dev", "lo");
	ip("address", "add", "192.0.2.2/32", "dev", "lo");
	tiny_start(&t, 0);
	st.init_pid = t.pid;
	st.init_start = t.start;
	CHECK_INT(ipaddr_parse("192.0.2.1", &address.a.addr), 0);
	address.a.prefix = 32;
	CHECK_INT(state_write(&psv, "tiny", &st, &err), 0);
	CHECK_INT(supervise_spawn(&psv, "tiny", &st, &err), 0);
	ip("address", "del", "192.0.2.2/32", "dev", "lo");
	sleep_ms(400);
	CHECK(access(psv.run, F_OK) == 0);
	char calls[4096];
	(void)snprintf(calls, sizeof(calls), "%s/calls", test_dir());
	CHECK(access(calls, F_OK) < 0); /* another's */
	ip("address", "del", "192.0.2.1/32", "dev", "lo");
	CHECK(wait_calls("reassert tiny\n"));
	CHECK_INT(unlink(calls), 0);
	ip("link", "set", "lo", "down", NULL);
	ip("link", "set", "lo", "up", NULL);
	CHECK(wait_calls("reassert tiny\n"));
	CHECK_INT(supervise_end(&psv, "tiny", &err), 0);
	tiny_stop(&t);
	psv_close(&psv);
}

enum { LOOK_MS = 5500 };

static bool wait_look(const char *what)
{
	return wait_calls(what) || wait_calls(what) || wait_calls(what);
}

TEST(supervise_looks_and_believes)
{
	struct looks l = { 0 };

	/* Nothing can be seen; then the first that can is sound. */
	CHECK(!looks_round(&l, 0));
	CHECK(!looks_round(&l, 1));
	CHECK(!looks_round(&l, 0));
	CHECK(!looks_round(&l, 1));
	/* Something went: once, and it is back. */
	CHECK(looks_round(&l, 2));
	CHECK(!looks_round(&l, 2));
	CHECK(!looks_after(&l, 1, true));
	CHECK(looks_round(&l, 2));
	/* A reassertion that fails makes nothing sound, and is not repeated for the same. */
	CHECK(!looks_after(&l, 2, false));
	CHECK(!looks_round(&l, 2));
	CHECK(looks_round(&l, 3));
	CHECK(!looks_after(&l, 3, false));
	/* It came back by itself, and goes again. */
	CHECK(!looks_round(&l, 1));
	CHECK(looks_round(&l, 3));
	CHECK(!looks_after(&l, 1, true));
	/* The server has one more address: twice the same. */
	CHECK(looks_round(&l, 4));
	CHECK(looks_after(&l, 4, true));
	CHECK(!looks_after(&l, 4, true));
	CHECK(!looks_round(&l, 4));
	/* Something goes between a reassertion and the look after it. */
	CHECK(looks_round(&l, 5));
	CHECK(looks_after(&l, 6, true));
	CHECK(!looks_after(&l, 4, true));
	CHECK(looks_round(&l, 6));
}

/* Beside many a supervisor hears of links alone: it looks every five seconds after addresses, rules and routes that are its own. */
TEST(supervise_looks_among_many)
{
	struct state_address address = { .ifindex = 1, .added = true };
	struct state st = { .phase = VSV_RUNNING, .id = 7, .addresses = &address, .n_addresses = 1 };
	struct conf_address other = { .prefix = 24 };
	struct err err = { 0 };
	char calls[4096], path[4200];
	struct psv psv;
	struct tiny t;

	make_psv(&psv);
	for (int i = 0; i < NET_LISTENERS_MAX + 10; i++) {
		CHECK(str_format(path, sizeof(path), "%s/other%d", psv.run, i));
		CHECK_INT(mkdir(path, 0700), 0);
	}
	CHECK_INT(unshare(CLONE_NEWNET), 0);
	ip("link", "set", "lo", "up", NULL);
	tiny_start(&t, 0);
	st.init_pid = t.pid;
	st.init_start = t.start;
	CHECK_INT(ipaddr_parse("192.0.2.1", &address.a.addr), 0);
	CHECK_INT(ipaddr_parse("192.0.2.2", &other.addr), 0);
	address.a.prefix = 24;
	CHECK_INT(net_address_up(&address.a, 1, 7, NULL, 0, &err), 1);
	CHECK_INT(state_write(&psv, "tiny", &st, &err), 0);
	CHECK_INT(supervise_spawn(&psv, "tiny", &st, &err), 0);
	(void)snprintf(calls, sizeof(calls), "%s/calls", test_dir());
	sleep_ms(500);
	CHECK_INT(net_address_up(&other, 1, 8, NULL, 0, &err), 1);
	CHECK_INT(net_address_down(&other, 1, 8, &err), 0);
	CHECK(wait_calls("announce tiny\nannounce tiny\n"));
	CHECK_INT(unlink(calls), 0);
	sleep_ms(LOOK_MS);
	CHECK(access(calls, F_OK) < 0);
	ip("rule", "del", "from", "192.0.2.1", NULL);
	CHECK(wait_look("reassert tiny\nreassert tiny\n"));
	CHECK_INT(unlink(calls), 0);
	sleep_ms(300);
	ip("route", "flush", "table", "1447952391", NULL);
	CHECK(wait_look("reassert tiny\nreassert tiny\n"));
	CHECK_INT(unlink(calls), 0);
	/* Nothing was put back, twice: so that is how it is now. */
	sleep_ms(300);
	ip("address", "del", "192.0.2.1/32", "dev", "lo");
	CHECK(wait_look("reassert tiny\n"));
	CHECK_INT(supervise_end(&psv, "tiny", &err), 0);
	tiny_stop(&t);
	psv_close(&psv);
}

/* An address with the metric that says whose it is, as net_address.c puts it on. */
static void ip_add_tagged(const char *address, uint32_t id)
{
	char metric[16];
	const char *const argv[] = { "ip", "address", "add", address, "dev", "lo", "metric", metric, NULL };
	struct err err = { 0 };

	(void)snprintf(metric, sizeof(metric), "%u", NET_TABLE_BASE + id);
	CHECK_INT(run(argv, NULL, &err), 0);
}

static unsigned long times_awake(pid_t pid)
{
	char path[64], *line = NULL;
	unsigned long n = 0;
	size_t size = 0;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	CHECK(f);
	while (getline(&line, &size, f) > 0)
		if (strncmp(line, "voluntary_ctxt_switches:", 24) == 0)
			n = strtoul(line + 24, NULL, 10);
	free(line);
	(void)fclose(f);
	return n;
}

TEST(supervise_sleeps_while_others_stop)
{
	struct err err = { 0 };
	struct state_address address = { .ifindex = 1, .added = true };
	struct state st = { .phase = VSV_RUNNING, .id = 7, .addresses = &address, .n_addresses = 1 };
	unsigned long before = 0, after = 1;
	struct psv psv;
	struct tiny t;

	make_psv(&psv);
	CHECK_INT(unshare(CLONE_NEWNET), 0);
	ip("link", "set", "lo", "up", NULL);
	ip_add_tagged("192.0.2.1/32", 7);
	tiny_start(&t, 0);
	st.init_pid = t.pid;
	st.init_start = t.start;
	CHECK_INT(ipaddr_parse("192.0.2.1", &address.a.addr), 0);
	address.a.prefix = 32;
	CHECK_INT(state_write(&psv, "tiny", &st, &err), 0);
	CHECK_INT(supervise_spawn(&psv, "tiny", &st, &err), 0);
	/* On a busy machine it may have begun only now, or it looks just then: but not each time. */
	for (int i = 0; i < 20 && before != after; i++) {
		ip_add_tagged("192.0.2.2/32", 8);
		ip_add_tagged("2001:db8::2/128", 8);
		sleep_ms(400);
		before = times_awake(st.supervisor_pid);
		ip("address", "del", "192.0.2.2/32", "dev", "lo");
		ip("address", "del", "2001:db8::2/128", "dev", "lo");
		sleep_ms(400);
		after = times_awake(st.supervisor_pid);
	}
	CHECK_INT(after, before);
	ip("address", "del", "192.0.2.1/32", "dev", "lo");
	CHECK(wait_calls("reassert tiny\n"));
	CHECK_INT(supervise_end(&psv, "tiny", &err), 0);
	tiny_stop(&t);
	psv_close(&psv);
}

struct gathered {
	unsigned lines;
	char first[64], last[64];
	unsigned enough;
};

static int gather(const char *line, size_t len, void *arg)
{
	struct gathered *g = arg;

	(void)snprintf(g->lines++ ? g->last : g->first, sizeof(g->last), "%.*s", (int)len, line);
	return g->enough && g->lines >= g->enough;
}

TEST(supervise_log_is_read)
{
	struct gathered g = { 0 };
	struct supervise_log l = { .line = gather, .arg = &g };
	struct err err = { 0 };
	struct psv psv;
	char path[4096];
	int fd;
	pid_t pid;

	make_psv(&psv);
	CHECK_INT(supervise_log_read(&psv, "tiny", &l, &err), 0);
	CHECK_INT(g.lines, 0);
	(void)snprintf(path, sizeof(path), "%s/servers/tiny", psv.lib);
	fd = dir_open(AT_FDCWD, path);
	CHECK_INT(file_write_atomic_at(fd, "log.1", "1\n2\n3\n", 6, 0600), 0);
	CHECK_INT(file_write_atomic_at(fd, "log", "4\n5\npart", 8, 0600), 0);
	CHECK_INT(supervise_log_read(&psv, "tiny", &l, &err), 0);
	CHECK_INT(g.lines, 5);
	CHECK_STR(g.first, "1");
	CHECK_STR(g.last, "5");
	g = (struct gathered){ 0 };
	l.last = 3;
	CHECK_INT(supervise_log_read(&psv, "tiny", &l, &err), 0);
	CHECK_INT(g.lines, 3);
	CHECK_STR(g.first, "3");
	/* Following, over a change of the file. */
	pid = fork();
	if (pid == 0) {
		_cleanup_close_ int out = openat(fd, "log", O_WRONLY | O_APPEND | O_CLOEXEC);

		sleep_ms(100);
		(void)!write(out, "ial\n6\n", 6);
		sleep_ms(50);
		(void)renameat(fd, "log", fd, "log.1");
		(void)!write(out, "7\n", 2);
		(void)file_write_atomic_at(fd, "log", "8\n", 2, 0600);
		_exit(0);
	}
	g = (struct gathered){ .enough = 7 };
	l.follow = true;
	CHECK_INT(supervise_log_read(&psv, "tiny", &l, &err), 0);
	CHECK_STR(g.last, "8");
	CHECK_INT(waitpid(pid, NULL, 0), pid);
	psv_close(&psv);
}
