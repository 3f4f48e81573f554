/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vnas-supervise: one for each running Vsv, on the Psv.
 *
 *     vnas-supervise NAME RUN_DIR LIB_DIR INIT_PID INIT_START VNAS_BINARY [READY_FD]
 *
 * NAME is the Vsv's; RUN_DIR and LIB_DIR are the Psv's run/vnas and var/lib/vnas; INIT_PID and INIT_START (field 22 of
 * /proc/PID/stat) name its PID 1; VNAS_BINARY is run as `VNAS_BINARY reassert NAME`, `… announce NAME` and `… recover NAME`.
 * READY_FD, if given, is a socket of whoever started it: a byte comes from there when PID 1 answers, and one is written to it when
 * the supervisor is attached.  If that end is closed before, the start was given up, and this one ends.  (A pipe for writing,
 * which an older vnas gives, says that PID 1 answers already.)
 *
 * It keeps what PID 1 and the services say, has addresses, routes and rules that somebody flushed put back, tells when a
 * volume fails, and has a Vsv whose PID 1 died recovered.  Nothing depends on it for longer than that: services run under PID 1, enforcement is the
 * kernel's, and when it is killed another one attaches and goes on where it stopped.  SIGTERM ends it and nothing else.
 *
 * Exit status: 0 the Vsv has ended, or is being stopped; 1 it could not begin; 5 there is one already; 6 it was told to end
 * and the Vsv runs on, so that a service manager starts another one. */
#include "vsv/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "vsv/looks.h"
#include "vsv/small.h"

enum {
	EXIT_IN_USE = 5, EXIT_LEFT = 6,
	ATTACH_MS = 1000, RECORDS_MAX = 256, STATE_TRIES = 50, STATE_PAUSE_MS = 100,
	HEALTH_MS = 5 * 1000, FETCH_IDLE_MS = 5 * 1000, FETCH_BUSY_MS = 1000,
	WINDOW_MS = 1000, WINDOW_BYTES = 512 * 1024, /* of records, with their headers */
};

struct supervisor {
	const char *name, *run_dir, *lib_dir;
	pid_t init_pid;
	uint64_t init_start;
	int lock, pidfd, conn, net;
	bool private;                /* the network that net listens to is the server's own */
	bool looks;                  /* in the Psv's, too many listen already: it looks after addresses and routes instead */
	struct looks seen;           /* what it saw */
	uint32_t bridge;             /* … and the bridge that its end was last seen on; 0: not yet */
	bool bye;                    /* PID 1 said that it ends in order */
	int64_t attach_ms;           /* try again to attach; -1: attached */
	int64_t health_ms;           /* when the volumes are looked at next */
	int64_t window_ms;           /* when the present second of the log began */
	size_t window_bytes;         /* what was taken in it */
	int64_t rest_ms;             /* enough of the log until then; -1: not */
	int64_t fetch_ms;            /* when the gate's notes are fetched next */
	struct log_files files;
	struct verbs verbs;
};

static volatile sig_atomic_t told_to_end;
static struct supervisor sup;

static void on_signal(int sig)
{
	if (sig != SIGCHLD)
		told_to_end = 1;
}

static void die(const char *what, int error) __attribute__((noreturn));
static void die(const char *what, int error)
{
	char buf[512];
	struct text t = TEXT(buf);

	text_add(&t, "vnas-supervise: ");
	text_add(&t, what);
	if (error) {
		text_add(&t, ": ");
		text_add(&t, strerror(-error));
	}
	text_add(&t, "\n");
	(void)!write(2, buf, t.len);
	_exit(1);
}

static void leave(int status) __attribute__((noreturn));
static void leave(int status)
{
	lock_leave(sup.run_dir, sup.name);
	_exit(status);
}

static void end(int status) __attribute__((noreturn));
static void end(int status)
{
	keep_flush(&sup.files);
	(void)keep_fetch(&sup.files, sup.init_pid);
	leave(status);
}

static void wait_for_word(int starter)
{
	ssize_t n;
	char byte;

	while ((n = read(starter, &byte, 1)) < 0 && errno == EINTR)
		;
	if (n == 0)
		leave(1);
}

/* ---- attaching ---- */

static void detach(void)
{
	cleanup_close(&sup.conn);
	cleanup_close(&sup.pidfd);
	sup.conn = sup.pidfd = -1;
	/* A socket keeps its network, and with it an interface that the next PID 1 is to have. */
	if (sup.private) {
		cleanup_close(&sup.net);
		sup.net = -1;
	}
}

static int connect_init(void)
{
	_cleanup_close_ int control = (int)syscall(SYS_pidfd_getfd, sup.pidfd, PROTO_FD_CLIENT, 0);
	struct proto_header hello;
	struct proto_subscribe ask = { .zero = { 0 } };
	int pair[2], r;

	if (control < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	proto_init(&hello, PROTO_HELLO, sizeof(hello));
	proto_init(&ask.h, PROTO_SUBSCRIBE, sizeof(ask));
	r = fd_send(control, &hello, sizeof(hello), &pair[1], 1);
	(void)close(pair[1]);
	if (r == 0)
		r = fd_send(pair[0], &ask, sizeof(ask), NULL, 0);
	if (r < 0) {
		(void)close(pair[0]);
		return r;
	}
	sup.conn = pair[0];
	return 0;
}

/* listen_inside: in the network of the PID 1 that there is now, if it has one of its own. */
static int listen_inside(void)
{
	int private = net_is_private(sup.run_dir, sup.name);

	if (private < 0)
		return private;
	if (!private && !sup.private && sup.net >= 0)
		return 0;
	cleanup_close(&sup.net);
	sup.private = private;
	sup.looks = !private && net_is_crowded(sup.run_dir);
	sup.net = net_open(sup.run_dir, sup.name, private ? sup.pidfd : -1, sup.looks);
	return sup.net < 0 ? sup.net : 0;
}

/* attach: 0; -ESRCH: PID 1 is gone; -errno: try again. */
static int attach(void)
{
	int r;

	detach();
	sup.pidfd = (int)syscall(SYS_pidfd_open, sup.init_pid, 0);
	if (sup.pidfd < 0)
		return -errno;
	if (process_start(sup.init_pid) != sup.init_start) {
		detach();
		return -ESRCH; /* its number is somebody else's */
	}
	r = connect_init();
	if (r < 0)
		return r;
	r = listen_inside();
	if (r < 0)
		return r;
	sup.bye = false;
	sup.attach_ms = -1;
	return 0;
}

/* init_is_gone: the beginning of a recovery. */
static void init_is_gone(void)
{
	detach();
	sup.attach_ms = -1;
	if (sup.bye)
		end(0);
	keep_own(&sup.files, PROTO_EVENT, "init_died the first process ended unexpectedly");
	verbs_recover(&sup.verbs);
}

/* follow_state: after a recovery the state file names the new PID 1, or there is none to supervise. */
static void follow_state(void)
{
	struct state_view v;
	uint64_t pid = 0, start = 0;
	bool running;
	int r;

	r = state_open(sup.run_dir, sup.name, &v);
	/* Who ended now would leave a server that runs to nobody. */
	for (int i = 0; i < STATE_TRIES && r < 0 && !state_is_none(r); i++) {
		(void)poll(NULL, 0, STATE_PAUSE_MS);
		r = state_open(sup.run_dir, sup.name, &v);
	}
	if (r < 0)
		end(state_is_none(r) ? 0 : EXIT_LEFT);
	running = state_is(&v, "phase", "running") && state_number(&v, "init_pid", &pid) == 0 &&
		  state_number(&v, "init_start", &start) == 0;
	state_close(&v);
	if (!running || pid == 0)
		end(0);
	sup.init_pid = (pid_t)pid;
	sup.init_start = start;
	sup.files.next[PROTO_LOG] = sup.files.next[PROTO_EVENT] = 0;
	sup.attach_ms = clock_ms();
	verbs_want_announce(&sup.verbs);
}

/* ---- the loop ---- */

static void acknowledge(void)
{
	struct proto_ack m = { .log_seq = sup.files.next[PROTO_LOG] ? sup.files.next[PROTO_LOG] - 1 : 0,
			       .event_seq = sup.files.next[PROTO_EVENT] ? sup.files.next[PROTO_EVENT] - 1 : 0 };

	keep_flush(&sup.files);
	proto_init(&m.h, PROTO_ACK, sizeof(m));
	(void)fd_send(sup.conn, &m, sizeof(m), NULL, 0);
}

/* over_budget: a service that floods the log would have us work for it beside its own limits.  What we do not take in time
 * is pushed out of PID 1's ring, which counts it. */
static void over_budget(size_t bytes)
{
	int64_t now = clock_ms();

	if (now - sup.window_ms >= WINDOW_MS) {
		sup.window_ms = now;
		sup.window_bytes = 0;
	}
	sup.window_bytes += bytes;
	if (sup.window_bytes > WINDOW_BYTES)
		sup.rest_ms = sup.window_ms + WINDOW_MS;
}

/* read_records: false: the connection is gone. */
static bool read_records(void)
{
	union {
		struct proto_header header;
		struct proto_record record;
		struct proto_syslog syslog;
		struct proto_refused refused;
		char bytes[sizeof(struct proto_syslog) + PROTO_TEXT_MAX];
	} m;

	for (unsigned i = 0; i < RECORDS_MAX && sup.rest_ms < 0; i++) {
		ssize_t n = fd_recv(sup.conn, &m, sizeof(m), NULL, 0, NULL, MSG_DONTWAIT);
		int type;

		if (n == -EAGAIN) {
			if (i)
				acknowledge();
			return true;
		}
		if (n == -EMSGSIZE)
			continue;
		if (n <= 0)
			return false;
		over_budget((size_t)n);
		type = proto_check(&m, (size_t)n);
		if (type == PROTO_RECORD)
			keep_record(&sup.files, &m.record);
		if (type == PROTO_SYSLOG)
			keep_syslog(&sup.files, &m.syslog);
		if (type == PROTO_REFUSED)
			keep_refused(&sup.files, &m.refused);
		if (type == PROTO_BYE)
			sup.bye = true;
	}
	acknowledge();
	return true;
}

/* tick: what is due.  The next time, or -1. */
static int64_t tick(void)
{
	int64_t now = clock_ms(), next = -1, due;

	if (sup.attach_ms >= 0 && sup.attach_ms <= now) {
		int r = attach();

		if (r == -ESRCH)
			init_is_gone();
		else if (r < 0)
			sup.attach_ms = now + ATTACH_MS;
	}
	if (sup.rest_ms >= 0 && sup.rest_ms <= now)
		sup.rest_ms = -1;
	if (sup.attach_ms < 0 && !sup.verbs.recovering && sup.health_ms <= now) {
		health_watch(&sup.files, sup.run_dir, sup.init_pid, sup.private ? sup.net : -1);
		if (sup.private && net_port_astray(sup.run_dir, sup.name, &sup.bridge))
			verbs_want_reassert(&sup.verbs);
		if (sup.looks && looks_round(&sup.seen, net_look(sup.run_dir, sup.name)))
			verbs_want_reassert(&sup.verbs);
		sup.health_ms = clock_ms() + HEALTH_MS;
		sup.fetch_ms = now; /* in step, so that an idle server wakes nobody up for it */
	}
	due = verbs_run_due(&sup.verbs, now); /* also what was just found to be wanted */
	if (sup.fetch_ms <= now)
		sup.fetch_ms = clock_ms() + (keep_fetch(&sup.files, sup.init_pid) > 0 ? FETCH_BUSY_MS : FETCH_IDLE_MS);
	if (sup.attach_ms >= 0)
		next = sup.attach_ms;
	else if (!sup.verbs.recovering)
		next = sup.health_ms;
	if (due >= 0 && (next < 0 || due < next))
		next = due;
	if (sup.rest_ms >= 0 && (next < 0 || sup.rest_ms < next))
		next = sup.rest_ms;
	if (next < 0 || sup.fetch_ms < next)
		next = sup.fetch_ms;
	return next;
}

static void loop(void) __attribute__((noreturn));
static void loop(void)
{
	sigset_t none;

	(void)sigemptyset(&none);
	while (!told_to_end) {
		int64_t next, left;
		bool reasserting;
		unsigned heard;
		struct timespec ts;
		struct pollfd p[3];

		reasserting = sup.verbs.child && sup.verbs.verb == VERB_REASSERT;
		if (verbs_reap(&sup.verbs))
			follow_state();
		if (sup.looks && reasserting && !sup.verbs.child &&
		    looks_after(&sup.seen, net_look(sup.run_dir, sup.name), sup.verbs.done))
			verbs_want_reassert(&sup.verbs);
		next = tick();
		left = next < 0 ? 0 : next - clock_ms();
		left = left < 0 ? 0 : left;
		ts = (struct timespec){ .tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000 };
		p[0] = (struct pollfd){ .fd = sup.rest_ms < 0 ? sup.conn : -1, .events = POLLIN };
		p[1] = (struct pollfd){ .fd = sup.pidfd, .events = POLLIN };
		p[2] = (struct pollfd){ .fd = sup.net, .events = POLLIN };
		if (ppoll(p, 3, next < 0 ? NULL : &ts, &none) <= 0)
			continue;
		heard = p[2].revents ? net_read(sup.net, sup.run_dir, sup.name) : 0;
		if (heard & NET_GONE)
			verbs_want_reassert(&sup.verbs);
		if (heard & NET_NEW)
			verbs_want_announce(&sup.verbs);
		if (p[0].revents && !read_records()) {
			cleanup_close(&sup.conn);
			sup.conn = -1;
			sup.attach_ms = clock_ms() + ATTACH_MS;
		}
		/* Only when it has nothing more to say. */
		if (p[1].revents && sup.rest_ms >= 0)
			sup.rest_ms = -1;
		else if (p[1].revents && !p[0].revents)
			init_is_gone();
	}
	end(state_runs(sup.run_dir, sup.name) ? EXIT_LEFT : 0);
}

static void set_signals(void)
{
	static const int caught[] = { SIGCHLD, SIGTERM, SIGINT, SIGHUP };
	struct sigaction catch = { .sa_handler = on_signal }, ignore = { .sa_handler = SIG_IGN };
	sigset_t set;

	/* Blocked but for the poll, so that none comes between a look and a wait. */
	(void)sigemptyset(&set);
	for (size_t i = 0; i < sizeof(caught) / sizeof(*caught); i++) {
		(void)sigaddset(&set, caught[i]);
		(void)sigaction(caught[i], &catch, NULL);
	}
	(void)sigprocmask(SIG_SETMASK, &set, NULL);
	(void)sigaction(SIGPIPE, &ignore, NULL);
}

static void parse(int argc, char **argv, int *ret_ready)
{
	uint64_t pid, ready;

	if (argc < 7 || argc > 8 || !proto_name_ok(argv[1]) || decimal(argv[4], INT32_MAX, &pid) < 0 || pid == 0 ||
	    decimal(argv[5], UINT64_MAX, &sup.init_start) < 0 || argv[6][0] != '/')
		die("usage: vnas-supervise NAME RUN_DIR LIB_DIR INIT_PID INIT_START VNAS_BINARY [READY_FD]", 0);
	if (argc == 8 && decimal(argv[7], 1024, &ready) < 0)
		die("READY_FD is no number", 0);
	*ret_ready = argc == 8 ? (int)ready : -1;
	if (*ret_ready >= 0)
		(void)fcntl(*ret_ready, F_SETFD, FD_CLOEXEC);
	sup.name = argv[1];
	sup.run_dir = argv[2];
	sup.lib_dir = argv[3];
	sup.init_pid = (pid_t)pid;
}

static void open_folder(void)
{
	char path[4096];
	struct text t = TEXT(path);

	text_add(&t, sup.lib_dir);
	text_add(&t, "/servers/");
	text_add(&t, sup.name);
	sup.files.server = sup.name;
	sup.files.run_dir = sup.run_dir;
	sup.files.log = sup.files.stats = sup.files.taken = -1;
	sup.files.folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (sup.files.folder < 0)
		die(path, -errno);
}

int main(int argc, char **argv)
{
	int ready, r = 0;

	sup.lock = sup.pidfd = sup.conn = sup.net = -1;
	sup.attach_ms = sup.rest_ms = -1;
	parse(argc, argv, &ready);
	verbs_init(&sup.verbs, argv[6], sup.name, sup.run_dir, &sup.files);
	set_signals();
	sup.lock = lock_take(sup.run_dir, sup.name);
	if (sup.lock == -EBUSY)
		_exit(EXIT_IN_USE);
	if (sup.lock < 0)
		die("cannot take the lock of the supervisor", sup.lock);
	open_folder();
	r = net_is_private(sup.run_dir, sup.name);
	if (r < 0)
		die("cannot read the state", r);
	if (r == 0) {
		sup.looks = net_is_crowded(sup.run_dir);
		r = sup.net = net_open(sup.run_dir, sup.name, -1, sup.looks);
	}
	if (r < 0)
		die("cannot listen to the network", r);
	if (ready >= 0)
		wait_for_word(ready);
	r = attach();
	if (r == -ESRCH)
		init_is_gone();
	else if (r < 0)
		sup.attach_ms = clock_ms() + ATTACH_MS;
	if (ready >= 0) {
		if (write(ready, "", 1) != 1)
			die("cannot say that it is ready", -errno);
		(void)close(ready);
	}
	if (chdir("/") < 0)
		die("cannot change to /", -errno);
	loop();
}
