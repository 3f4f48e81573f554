/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PID 1 asks itself nothing.  Its filter hands some calls to a listener that only PID 1 reads: one that PID 1 made itself would
 * wait for ever for its own answer.  So each of its calls is recorded, from the filter on to its end, while it does all that it
 * does for others; then the filter of another Vsv is asked about each of them, where none is carried out (allcalls.c).
 *
 * The recorder traces this test, and so what it makes; of what executes, it keeps the first vnas-init alone. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/process.h"
#include "recorded.h"
#include "test.h"
#include "test_inside.h"
#include "vsv/proto.h"

#define CAP(c) (1ULL << (c))
#define CAPS (CAP(CAP_DAC_OVERRIDE) | CAP(CAP_CHOWN) | CAP(CAP_SETUID) | CAP(CAP_SETGID) | CAP(CAP_KILL))

enum { ALL_MAX = 1 << 18 };

/* Shared with the recorder. */
struct recording {
	bool filtered;         /* the filter is loaded: what comes now is recorded */
	bool loading, gone;    /* the loading has begun; PID 1 is gone */
	long last;             /* the call that it made last */
	unsigned n;
	struct recorded_call calls[ALL_MAX];
};

static void on_call(struct recording *r, pid_t pid)
{
	struct __ptrace_syscall_info i;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(i), &i) <= 0)
		return;
	if (i.op != PTRACE_SYSCALL_INFO_ENTRY) {
		r->filtered |= r->loading && !i.exit.is_error;
		return;
	}
	r->last = (long)i.entry.nr;
	r->loading = i.entry.nr == SYS_seccomp;
	if (!r->filtered || r->n == ALL_MAX)
		return;
	r->calls[r->n].nr = (long)i.entry.nr;
	for (size_t k = 0; k < 6; k++)
		r->calls[r->n].args[k] = i.entry.args[k];
	r->n++;
}

static void record(struct recording *r, pid_t test, int ready) __attribute__((noreturn));
static void record(struct recording *r, pid_t test, int ready)
{
	const long options = PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC |
			     PTRACE_O_TRACESYSGOOD;
	pid_t init = 0, pid;
	char comm[32];
	int status;

	if (ptrace(PTRACE_SEIZE, test, 0, options) < 0 || write(ready, "", 1) != 1)
		_exit(1);
	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		int event = status >> 16, sig = WIFSTOPPED(status) ? WSTOPSIG(status) : 0;

		r->gone |= pid == init && !sig;
		if (pid == test && !sig && status != 0 && !r->gone)
			(void)fprintf(stderr, "    PID 1 was in system call %ld\n", r->last);
		if (!sig)
			continue;
		if (sig == (SIGTRAP | 0x80)) {
			on_call(r, pid);
			sig = 0;
		} else if (event == PTRACE_EVENT_EXEC) {
			if (!init && strcmp(pid_comm(pid, comm, sizeof(comm)), "vnas-init") == 0)
				init = pid;
			if (pid != init) {
				(void)ptrace(PTRACE_DETACH, pid, 0, 0);
				continue;
			}
			sig = 0;
		} else if (event) {
			sig = 0;
		}
		(void)ptrace(pid == init ? PTRACE_SYSCALL : PTRACE_CONT, pid, 0, sig);
	}
	_exit(0);
}

static struct recording *start_recorder(void)
{
	struct recording *r = mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t test = getpid();
	int ready[2];
	char c;

	CHECK(r != MAP_FAILED);
	CHECK_INT(pipe2(ready, O_CLOEXEC), 0);
	if (fork() == 0) {
		(void)close(ready[0]);
		record(r, test, ready[1]);
	}
	(void)close(ready[1]);
	CHECK_INT(read(ready[0], &c, 1), 1);
	(void)close(ready[0]);
	return r;
}

/* ---- what PID 1 does ---- */

static void start_service(const struct tiny *t, const char *name, const char *user, const char *script)
{
	struct inside_service s = { .capabilities = CAPS, .stop_signal = SIGTERM, .user = user };
	struct err err = { 0 };

	(void)snprintf(s.name, sizeof(s.name), "%s", name);
	strlist_add(&s.argv, "/bin/sh");
	strlist_add(&s.argv, "-c");
	strlist_add(&s.argv, script);
	CHECK_INT(inside_service_start(t->conn, &s, &err), 0);
	strlist_free(&s.argv);
}

static unsigned restarts_of(const struct tiny *t, const char *name)
{
	struct inside_status *list;
	struct err err = { 0 };
	unsigned n_restarts = 0;
	size_t n;

	CHECK_INT(inside_status(t->conn, &list, &n, &err), 0);
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i].name, name) == 0)
			n_restarts = list[i].restarts;
	free(list);
	return n_restarts;
}

static void services(struct tiny *t)
{
	struct err err = { 0 };

	start_service(t, "plain", NULL, "echo begun; (trap 'sleep 0.2; exit' TERM; while :; do sleep 0.01; done) & "
				       "trap 'exit 0' TERM; while :; do sleep 0.01; done");
	start_service(t, "other", "alice", "exec sleep 1000");
	start_service(t, "fails", NULL, "exit 9");
	for (int i = 0; i < 100 && !(restarts_of(t, "fails") && restarts_of(t, "other")); i++) {
		CHECK_INT(tiny_sh(t, "killall -q -9 sleep; true", NULL), 0); /* it may not have executed yet */
		(void)usleep(50000);
	}
	CHECK(restarts_of(t, "fails") && restarts_of(t, "other"));
	CHECK_INT(inside_service_act(t->conn, "plain", INSIDE_RESTART, &err), 0);
	CHECK_INT(inside_service_act(t->conn, "plain", INSIDE_STOP, &err), 0);
	CHECK_INT(inside_service_remove(t->conn, "fails", &err), 0);
}

/* A caller that goes away takes its command with it. */
static void left_command(const struct tiny *t)
{
	const char *const argv[] = { "sleep", "1000", NULL };
	_cleanup_strbuf_ struct strbuf out = { 0 };
	struct inside_exec e = { .argv = argv, .output = &out, .timeout_ms = 200 };
	struct err err = { 0 };
	_cleanup_close_ int conn = inside_connect(t->pid, t->start, &err);

	CHECK(conn >= 0);
	CHECK_INT(inside_exec(conn, &e, &err), -ETIME);
}

/* subscribe: takes what there is of logs and events, and says so. */
static int subscribe(const struct tiny *t)
{
	struct proto_subscribe ask = { .h.type = PROTO_SUBSCRIBE };
	struct err err = { 0 };
	int conn = inside_connect(t->pid, t->start, &err);

	CHECK(conn >= 0);
	proto_init(&ask.h, PROTO_SUBSCRIBE, sizeof(ask));
	CHECK_INT(fd_send(conn, &ask, sizeof(ask), NULL, 0), 0);
	return conn;
}

static void acknowledge(int conn)
{
	struct proto_ack ack = { .log_seq = 1, .event_seq = 1 };

	proto_init(&ack.h, PROTO_ACK, sizeof(ack));
	CHECK_INT(fd_send(conn, &ack, sizeof(ack), NULL, 0), 0);
}

static void work(struct tiny *t)
{
	_cleanup_close_ int records = subscribe(t);

	services(t);
	CHECK_INT(tiny_sh(t, "logger -t x hello; (sleep 0.1 &); exit 3", NULL), 3);
	/* What others ask of it, and what they are refused. */
	CHECK_INT(tiny_sh(t, "counted inotify >/dev/null; counted epoll >/dev/null; counted full >/dev/null; counted flood 5", NULL), 0);
	CHECK_INT(tiny_sh(t, "calls >/dev/null", NULL), 0);
	CHECK_INT(tiny_sh(t, "for i in 1 2 3; do counted flood 1000 & p=$!; sleep 0.02; kill -9 $p; done; killall -q -9 counted; true", NULL), 0);
	acknowledge(records);
	left_command(t);
}

/* ---- what its filter says to that ---- */

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct recorded_call));
}

static bool is_asked(long nr)
{
#ifdef __x86_64__
	if (nr == SYS_inotify_init || nr == SYS_epoll_create)
		return true;
#endif
	return nr == SYS_inotify_init1 || nr == SYS_epoll_create1;
}

/* distinct: each once, and without those that have PID 1's pass, which is this Vsv's own: that they got through is why the
 * callers had their answers. */
static unsigned distinct(struct recording *r)
{
	const struct recorded_call *pass = NULL;
	unsigned n = 0;

	qsort(r->calls, r->n, sizeof(*r->calls), compare);
	for (unsigned i = 0; i < r->n; i++) {
		const struct recorded_call *c = &r->calls[i];

		if (is_asked(c->nr) && (c->args[4] || c->args[5])) {
			CHECK(!pass || memcmp(&pass->args[4], &c->args[4], 2 * sizeof(c->args[4])) == 0);
			pass = c;
		} else if (n == 0 || compare(c, &r->calls[n - 1]) != 0) {
			struct recorded_call copy = *c;

			if (pass && pass == &r->calls[n])
				pass = c;
			r->calls[n++] = copy;
		}
	}
	CHECK(pass);
	return n;
}

/* ask: the lines about those that do not get through. */
static void ask(const struct recorded_call *calls, unsigned n, struct strbuf *out)
{
	_cleanup_close_ int fd = -1;
	struct tiny t;

	tiny_start(&t, CAPS);
	fd = openat(t.root_fd, "tmp/calls", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	CHECK_INT(fd_write_all(fd, calls, n * sizeof(*calls)), 0);
	CHECK_INT(tiny_sh(&t, "allcalls /tmp/calls", out), 0);
	tiny_stop(&t);
}

static bool was_made(const struct recorded_call *calls, unsigned n, long nr)
{
	for (unsigned i = 0; i < n; i++)
		if (calls[i].nr == nr)
			return true;
	return false;
}

TEST(init_asks_itself_nothing)
{
	/* What shows that it did all of that: boot, commands, services, logs, answers, end. */
	static const long wanted[] = {
		SYS_socket, SYS_bind, SYS_listen, SYS_connect, SYS_prctl, SYS_ppoll, SYS_recvmsg, SYS_sendmsg, SYS_waitid, SYS_wait4,
		SYS_kill, SYS_getdents64, SYS_setresuid, SYS_setitimer, SYS_rt_sigprocmask, SYS_pidfd_open, SYS_ioctl, SYS_openat,
		SYS_exit_group,
	};
	_cleanup_strbuf_ struct strbuf out = { 0 }, control = { 0 };
	struct recorded_call controls[] = {
		{ SYS_inotify_init1, { 0 } }, { SYS_mount, { 0 } }, { SYS_getpid, { 0 } }, { SYS_socket, { 17, 3, 0 } },
	};
	struct recording *r = start_recorder();
	char words[64];
	struct tiny t;
	unsigned n;

	tiny_start(&t, CAPS);
	work(&t);
	tiny_stop(&t);
	for (int i = 0; i < 500 && !r->gone; i++)
		(void)usleep(10000);
	CHECK(r->gone && r->n > 1000 && r->n < ALL_MAX);
	n = distinct(r);
	CHECK(n < RECORDED_MAX);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
		if (!was_made(r->calls, n, wanted[i])) {
			(void)snprintf(words, sizeof(words), "system call %ld was not recorded", wanted[i]);
			test_fail(__FILE__, __LINE__, words);
		}
	ask(r->calls, n, &out);
	(void)snprintf(words, sizeof(words), "asked %u\n", n);
	CHECK_STR(strbuf_str(&out), words);
	/* The control: what it must never call itself. */
	ask(controls, 4, &control);
	(void)snprintf(words, sizeof(words), "recorded %d 0\nrecorded %d %d\nrecorded %d %d\nasked 4\n", SYS_inotify_init1, SYS_mount, EPERM,
		       SYS_socket, EPERM);
	CHECK_STR(strbuf_str(&control), words);
}
