/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vnas-init, the first process of a Vsv.  The starter (src/psv/inside_spawn.c) has made namespaces and root, and executes
 * this from the Vsv's template with the descriptors of vsv/proto.h.  It confines itself, then reaps, runs services and
 * commands, and keeps what they say.
 *
 * It must not be looked into from inside, because it holds the way to itself: it is not dumpable, so that without
 * CAP_SYS_PTRACE nobody opens its /proc/1/fd or takes its descriptors.  All descriptors are close-on-exec. */
#include "vsv/init.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/weaken.h"
#include "vsv/confine.h"
#include "vsv/seccomp.h"
#include "vsv/small.h"

enum { KILL_ROUNDS = 4, REAPS_MAX = 256, POLL_MAX = 3 + CONNECTIONS_MAX + SERVICES_MAX };

uint64_t init_bounding;
static int proc_fd = -1, syslog_fd = -1, listener_fd = -1;
static bool stopping;
static int64_t deadline_ms;

bool init_is_stopping(void)
{
	return stopping;
}

void init_stop(uint32_t timeout_ms)
{
	int64_t when = clock_ms() + timeout_ms;

	if (!stopping || when < deadline_ms)
		deadline_ms = when;
	stopping = true;
}

int init_proc_open(const char *path)
{
	int fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* session_of: field 6 of /proc/PID/stat; 0: it is gone or a zombie; -1: that cannot be seen. */
static pid_t session_of(const char *pid)
{
	_cleanup_close_ int fd = -1;
	char path[64], buf[512], *p;
	struct text t = TEXT(path);
	pid_t session = 0;
	ssize_t n;

	text_add(&t, pid);
	text_add(&t, "/stat");
	fd = init_proc_open(path);
	n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
	if (n <= 0)
		return n == 0 || fd == -ENOENT || (fd >= 0 && errno == ESRCH) ? 0 : -1;
	buf[n] = '\0';
	/* The name in brackets may hold anything. */
	p = strrchr(buf, ')');
	if (!p || p[1] != ' ' || p[2] == 'Z' || p[2] == 'X')
		return 0;
	for (int field = 2; p && field < 6; field++)
		p = strchr(p + 1, ' ');
	for (p = p ? p + 1 : p; p && *p >= '0' && *p <= '9'; p++)
		session = session * 10 + (*p - '0');
	return session;
}

struct entry { /* what getdents64(2) gives */
	uint64_t ino;
	int64_t off;
	unsigned short reclen;
	unsigned char type;
	char name[];
};

bool init_signal_session(pid_t leader, int sig)
{
	_cleanup_close_ int fd = openat(proc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	union {
		char bytes[4096];
		struct entry align;
	} buf;
	bool found = false;
	uint64_t pid;
	long n = -1;

	while (fd >= 0 && (n = syscall(SYS_getdents64, fd, &buf, sizeof(buf))) > 0) {
		for (long i = 0; i < n;) {
			const struct entry *e = (const struct entry *)(const void *)(buf.bytes + i);

			pid_t session;

			i += e->reclen;
			if (decimal(e->name, INT32_MAX, &pid) < 0 || pid <= 1)
				continue;
			session = session_of(e->name);
			found |= session == leader || session < 0;
			if (session == leader)
				(void)kill((pid_t)pid, sig);
		}
	}
	return found || n < 0; /* a folder that could not be read whole may name more */
}

void init_kill_session(pid_t leader)
{
	(void)kill(leader, SIGKILL); /* it may not have its session yet */
	for (int i = 0; i < KILL_ROUNDS && init_signal_session(leader, SIGKILL); i++)
		;
}

/* When memory runs out the kernel ends a child of ours before us: a twentieth of the limit counts as its own.  It can take
 * that back, to its own harm.  No value below 0 for ourselves: a child would inherit the right to it. */
static void end_me_first(void)
{
	_cleanup_close_ int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0)
		(void)!write(fd, "50", 2);
}

void spawn_reset(void)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t none;

	(void)sigaction(SIGCHLD, &dfl, NULL);
	(void)sigaction(SIGPIPE, &dfl, NULL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)umask(022);
	(void)!chdir("/");
	end_me_first();
}

/* reap: a service's session is looked at before its leader is reaped, because only until then its number is its own.
 * true: there may be more, which a fork bomb must not make the only thing that PID 1 does. */
static bool reap(void)
{
	for (unsigned i = 0; i < REAPS_MAX; i++) {
		siginfo_t info = { 0 };
		int status;

		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
			return false;
		status = info.si_code == CLD_EXITED ? (info.si_status & 0xff) << 8 : info.si_status & 0x7f;
		if (!service_ended(info.si_pid, status))
			(void)conn_ended(info.si_pid, status);
		(void)waitpid(info.si_pid, NULL, 0);
	}
	return true;
}

/* finish: the orderly end.  All but PID 1 are killed and reaped; the kernel makes sure of it once more when it exits. */
static void finish(void) __attribute__((noreturn));
static void finish(void)
{
	(void)kill(-1, SIGKILL);
	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, 0);

		if (pid > 0 && !service_ended(pid, status))
			(void)conn_ended(pid, status);
		if (pid < 0 && errno != EINTR)
			break;
	}
	init_syslog_read(syslog_fd);
	conn_say_bye();
	_exit(0);
}

static size_t fill_poll(struct pollfd *p)
{
	size_t n = 0;

	p[n++] = (struct pollfd){ .fd = PROTO_FD_SERVER, .events = POLLIN };
	p[n++] = (struct pollfd){ .fd = syslog_fd, .events = POLLIN };
	p[n++] = (struct pollfd){ .fd = listener_fd, .events = POLLIN };
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (connections[i].used)
			p[n++] = (struct pollfd){ .fd = connections[i].fd,
						  .events = connections[i].blocked ? POLLIN | POLLOUT : POLLIN };
	for (size_t i = 0; i < SERVICES_MAX; i++)
		if (service_slots[i].used)
			p[n++] = (struct pollfd){ .fd = service_slots[i].log_fds[0], .events = POLLIN };
	return n;
}

static short events_of(const struct pollfd *p, size_t n, int fd)
{
	for (size_t i = 0; i < n; i++)
		if (p[i].fd == fd)
			return p[i].revents;
	return 0;
}

static void serve(const struct pollfd *p, size_t n)
{
	if (p[1].revents)
		init_syslog_read(syslog_fd);
	for (size_t i = 0; i < SERVICES_MAX; i++)
		if (service_slots[i].used && events_of(p, n, service_slots[i].log_fds[0]))
			service_read_log(&service_slots[i]);
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		struct connection *c = &connections[i];
		short events = c->used ? events_of(p, n, c->fd) : 0;

		if (events & POLLOUT)
			c->blocked = false;
		if (events & (POLLIN | POLLHUP | POLLERR))
			conn_read(c);
		if (c->used)
			conn_flush(c);
	}
	if (p[0].revents)
		conn_accept();
	/* One a round: a flood of these takes nobody else's turn. */
	if (p[2].revents & POLLIN)
		count_answer(listener_fd);
	count_answer_late(listener_fd);
}

/* wait_time: until the next thing that is due; NULL: for ever. */
static const struct timespec *wait_time(int64_t next, struct timespec *ts)
{
	int64_t now = clock_ms(), left;

	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (connections[i].used && conn_pending(&connections[i]))
			next = now;
	if (count_is_late())
		next = now; /* it sleeps there */
	if (stopping && (next < 0 || deadline_ms < next))
		next = deadline_ms;
	if (next < 0)
		return NULL;
	left = next > now ? next - now : 0;
	ts->tv_sec = left / 1000;
	ts->tv_nsec = left % 1000 * 1000000;
	return ts;
}

/* answer_waiting: a service's end or start may be what somebody waits for. */
static void answer_waiting(void)
{
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (connections[i].used && connections[i].waiting)
			conn_flush(&connections[i]);
}

static void loop(void) __attribute__((noreturn));
static void loop(void)
{
	struct pollfd p[POLL_MAX];
	struct timespec ts;
	sigset_t none;

	(void)sigemptyset(&none);
	for (;;) {
		bool more = reap();
		int64_t next = service_tick(clock_ms()), say = log_refused_tick(clock_ms());
		size_t n;

		if (stopping)
			service_stop_in_order();
		if (stopping && (service_all_ended() || clock_ms() >= deadline_ms))
			finish();
		answer_waiting();
		if (say >= 0 && (next < 0 || say < next))
			next = say;
		n = fill_poll(p);
		if (ppoll(p, n, wait_time(more ? clock_ms() : next, &ts), &none) >= 0)
			serve(p, n);
	}
}

static void on_child(int sig)
{
	(void)sig; /* it only ends the poll */
}

static void set_signals(void)
{
	struct sigaction child = { .sa_handler = on_child }, ignore = { .sa_handler = SIG_IGN };
	sigset_t set;

	(void)sigaction(SIGCHLD, &child, NULL);
	(void)sigaction(SIGPIPE, &ignore, NULL);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigaddset(&set, SIGALRM); /* init_wait.c */
	(void)sigprocmask(SIG_SETMASK, &set, NULL);
}

static void boot_failed(int error, const char *step) __attribute__((noreturn));
static void boot_failed(int error, const char *step)
{
	reply(PROTO_FD_BOOT, PROTO_BOOT_DONE, error, step);
	_exit(1);
}

static void boot(void)
{
	struct proto_result done = { .error = 0 };
	struct seccomp_pass pass;
	struct proto_boot m;
	const char *step;
	ssize_t n;
	int r;

	for (int fd = PROTO_FD_CLIENT; fd <= PROTO_FD_BOOT; fd++)
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
			_exit(1);
	n = fd_recv(PROTO_FD_BOOT, &m, sizeof(m), NULL, 0, NULL, 0);
	if (n <= 0 || proto_check(&m, (size_t)n) != PROTO_BOOT)
		_exit(1); /* the starter is gone */
	proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc_fd < 0)
		boot_failed(-errno, "open /proc");
	set_signals();
	init_bounding = m.bounding;
	r = count_prepare(&pass);
	if (r < 0)
		boot_failed(r, "find a user to count descriptors as");
	listener_fd = confine_init(m.bounding, m.nofile, &pass, &step);
	if (listener_fd < 0)
		boot_failed(listener_fd, step);
	syslog_fd = init_syslog_open();
	/* From here on PID 1 outlives its starter; a starter that is dead already shows as a failed send. */
	if (prctl(PR_SET_DUMPABLE, weakened("dumpable"), 0, 0, 0) < 0 || prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) < 0)
		boot_failed(-errno, "prctl");
	proto_init(&done.h, PROTO_BOOT_DONE, sizeof(done));
	if (fd_send(PROTO_FD_BOOT, &done, sizeof(done), NULL, 0) < 0)
		_exit(1);
	(void)close(PROTO_FD_BOOT);
}

int main(void)
{
	static const char not_here[] = "vnas-init: runs only as the first process of a Vsv\n";

	(void)prctl(PR_SET_DUMPABLE, weakened("dumpable"), 0, 0, 0);
	if (getpid() != 1) {
		(void)!write(2, not_here, sizeof(not_here) - 1);
		return 1;
	}
	boot();
	/* While the starter hears that: nothing runs yet. */
	standby_open();
	loop();
}
