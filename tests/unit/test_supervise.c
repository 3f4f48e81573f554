/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/process.h"
#include "psv/psv.h"
#include "psv/supervise.h"
#include "test.h"
#include "test_inside.h"

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
	CHECK(size_of(&psv, "log") <= 8 * MIB && size_of(&psv, "log.1") <= 8 * MIB);
	CHECK(size_of(&psv, "log") + size_of(&psv, "log.1") > 4 * MIB || strstr(log = slurp(&psv, "log"), " lines were lost"));
	/* The older half went, at the end of a line, and the rest is there. */
	CHECK(wait_text(&psv, "events.jsonl", "service_started"));
	events = slurp(&psv, "events.jsonl");
	CHECK(size_of(&psv, "events.jsonl") < MIB * 6 / 10 && size_of(&psv, "events.jsonl") > MIB * 4 / 10);
	CHECK(strncmp(events, "{\"old\":", 7) == 0);
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
	tiny_stop(&t);
	psv_close(&psv);
}

static void ip(const char *a, const char *b, const char *c, const char *d, const char *e)
{
	const char *const argv[] = { "ip", a, b, c, d, e, NULL };
	struct err err = { 0 };

	CHECK_INT(run(argv, NULL, &err), 0);
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
