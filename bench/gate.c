/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench-gate: what the gate costs, in samples (stat.c).
 *
 *   bench-gate ROUNDS SECONDS ADDRESSES [WORK]      all works, or those whose name holds WORK
 *
 * Two machines of namespaces stand side by side, one with the gate and so many addresses of other Vsv in it, one without;
 * the control groups are the same, so that what the kernel accounts to one is left out.  Each round runs the same work in
 * the one with the gate and twice in the other, whose difference is the noise floor, the order drawn anew.  A work ends after
 * ROUNDS, or after SECONDS if there were enough rounds. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gate/gate.h"
#include "stats.h"
#include "test.h"
#include "test_gate.h"

enum { PORT = 4450, OTHERS = 4, ADDRESSES_MAX = 64 * OTHERS, BARE = 0, GATED = 1 };

static char dir[128];

void test_skip(const char *reason)
{
	(void)fprintf(stderr, "bench-gate: %s\n", reason);
	_exit(77);
}

void test_fail(const char *file, int line, const char *what)
{
	(void)fprintf(stderr, "bench-gate: %s:%d: %s\n", file, line, what);
	_exit(1);
}

const char *test_dir(void)
{
	return dir;
}

/* --- the work: each is run in one of the two machines, and gives nanoseconds an operation --- */

struct work {
	struct machine *m;
	enum place place;
	const char *host;
	double *ret; /* shared memory: the work can run in a process of its own */
};

/* Of the processor, not of the clock on the wall: what else runs on the machine is left out, and what the kernel
 * does for a call stays in. */
static double now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* The time of bind() alone, the socket's making and end left out. */
static double binds(const char *host, uint16_t port, int type)
{
	enum { N = 2000 };
	struct sockaddr_storage a;
	socklen_t len = socket_address(host, port, &a);
	double total = 0;

	for (int i = 0; i < N; i++) {
		int fd = socket(a.ss_family, type | SOCK_CLOEXEC, 0);
		double start = now_ns();

		CHECK(bind(fd, (struct sockaddr *)&a, len) == 0);
		total += now_ns() - start;
		(void)close(fd);
	}
	return total / N;
}

/* A socket's whole life, without a bind. */
static int sockets(const void *arg)
{
	enum { N = 2000 };
	const struct work *w = arg;
	double start = now_ns();

	for (int i = 0; i < N; i++)
		(void)close(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	*w->ret = (now_ns() - start) / N;
	return 0;
}

static int bind_exact(const void *arg)
{
	const struct work *w = arg;

	*w->ret = binds("192.0.2.12", 0, SOCK_STREAM);
	return 0;
}

static int bind_port(const void *arg)
{
	const struct work *w = arg;

	*w->ret = binds("192.0.2.12", PORT, SOCK_STREAM);
	return 0;
}

static int bind_wild(const void *arg)
{
	const struct work *w = arg;

	*w->ret = binds("0.0.0.0", PORT, SOCK_STREAM);
	return 0;
}

static int bind_six(const void *arg)
{
	const struct work *w = arg;

	*w->ret = binds("2001:db8::12", 0, SOCK_STREAM);
	return 0;
}

static int bind_udp(const void *arg)
{
	const struct work *w = arg;

	*w->ret = binds("192.0.2.12", 0, SOCK_DGRAM);
	return 0;
}

/* A bound UDP socket connects again and again: the hook, and a route look-up. */
static int connect_udp(const void *arg)
{
	enum { N = 20000 };
	const struct work *w = arg;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage to;
	socklen_t len = socket_address("192.0.2.100", PORT, &to);
	double start;

	CHECK_INT(do_bind(fd, "192.0.2.12", 0), 0);
	start = now_ns();
	for (int i = 0; i < N; i++)
		CHECK(connect(fd, (struct sockaddr *)&to, len) == 0);
	*w->ret = (now_ns() - start) / N;
	(void)close(fd);
	return 0;
}

/* connect() of a fresh TCP socket to the client's listener; the gate chooses the source. */
static int connect_tcp(const void *arg)
{
	enum { N = 500 };
	const struct work *w = arg;
	struct linger reset = { .l_onoff = 1 };
	struct sockaddr_storage to;
	socklen_t len = socket_address("192.0.2.100", PORT + 1, &to);
	double total = 0;

	for (int i = 0; i < N; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		double start = now_ns();

		CHECK(connect(fd, (struct sockaddr *)&to, len) == 0);
		total += now_ns() - start;
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		(void)close(fd);
	}
	*w->ret = total / N;
	return 0;
}

static int send_udp(const void *arg)
{
	enum { N = 5000 };
	const struct work *w = arg;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage to;
	socklen_t len = socket_address("192.0.2.100", 9, &to);
	double start;

	CHECK_INT(do_bind(fd, "192.0.2.12", 0), 0);
	start = now_ns();
	for (int i = 0; i < N; i++)
		(void)sendto(fd, "data", 4, 0, (struct sockaddr *)&to, len);
	*w->ret = (now_ns() - start) / N;
	(void)close(fd);
	return 0;
}

/* A client's whole connections to the wildcard listener: connect, accept, both closed. */
static int connections(const void *arg)
{
	enum { N = 1000 };
	const struct work *w = arg;
	struct linger reset = { .l_onoff = 1 };
	int at = machine_socket(w->m, w->place, AF_INET, SOCK_STREAM, 0);
	struct sockaddr_storage to;
	socklen_t len = socket_address("192.0.2.12", PORT, &to);
	double start;

	CHECK_INT(set_option(at, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	CHECK_INT(do_bind(at, "0.0.0.0", PORT), 0);
	CHECK_INT(do_listen(at), 0);
	CHECK(setns(w->m->client_netns, CLONE_NEWNET) == 0);
	start = now_ns();
	for (int i = 0; i < N; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), conn;

		CHECK(connect(fd, (struct sockaddr *)&to, len) == 0);
		conn = accept4(at, NULL, NULL, SOCK_CLOEXEC);
		CHECK(conn >= 0);
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		(void)close(fd);
		(void)close(conn);
	}
	*w->ret = (now_ns() - start) / N;
	return 0;
}

/* Attempts that are refused: without the gate, by the kernel itself, which knows no such address. */
static int bind_refused(const void *arg)
{
	enum { N = 5000 };
	const struct work *w = arg;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage a;
	socklen_t len = socket_address("203.0.113.1", PORT, &a);
	double start = now_ns();

	for (int i = 0; i < N; i++)
		CHECK(bind(fd, (struct sockaddr *)&a, len) < 0 && errno == EADDRNOTAVAIL);
	*w->ret = (now_ns() - start) / N;
	(void)close(fd);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(const void *arg);
	bool inside; /* in the Vsv's cgroup; else in the Psv's */
} works[] = {
	{ "bind-tcp", bind_exact, true },
	{ "bind-tcp-port", bind_port, true },
	{ "bind-tcp-wildcard", bind_wild, true },
	{ "bind-tcp-ipv6", bind_six, true },
	{ "bind-udp", bind_udp, true },
	{ "connect-udp", connect_udp, true },
	{ "connect-tcp", connect_tcp, true },
	{ "refused-bind", bind_refused, true },
	{ "socket-and-close", sockets, true },
	{ "send-udp-unconnected", send_udp, true },
	{ "connections-wildcard", connections, false },
};
enum { N_WORKS = sizeof(works) / sizeof(works[0]) };

/* --- the two machines --- */

static int orders[2][2], answers[2][2]; /* pipes, by machine */
static int which;
static double *shared;

static size_t n_addresses;

/* fill: so many addresses, of OTHERS other Vsv. */
static void fill(struct machine *m)
{
	struct gate_config others[OTHERS] = { 0 };

	for (size_t i = 0; i < n_addresses; i++) {
		struct gate_config *c = &others[i % OTHERS];

		c->addresses[c->n_addresses].addr = (struct ipaddr){ AF_INET, { 198, 51, (uint8_t)(i / 200), (uint8_t)(i % 200) } };
		c->addresses[c->n_addresses++].prefix = 24;
	}
	for (size_t i = 0; i < OTHERS; i++) {
		others[i].id = 10 + (uint32_t)i;
		if (others[i].n_addresses > 0)
			CHECK_INT(gate_set(m->bpf_dir, &others[i], NULL), 0);
	}
}

/* What connect_tcp leaves: nobody accepts meanwhile, for to wake him would be in its time. */
static void drain(int at)
{
	int fd;

	while ((fd = accept4(at, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		(void)close(fd);
}

static void serve(struct machine *m)
{
	struct work w = { .m = m, .place = VSV_A, .ret = shared };
	int at = machine_socket(m, CLIENT, AF_INET, SOCK_STREAM, 0);
	unsigned char order;

	if (which)
		fill(m);
	CHECK_INT(do_bind(at, "192.0.2.100", PORT + 1), 0);
	CHECK(listen(at, 4096) == 0 && fcntl(at, F_SETFL, O_NONBLOCK) == 0);
	while (read(orders[which][0], &order, 1) == 1 && order < N_WORKS) {
		CHECK_INT(machine_call(m, works[order].inside ? w.place : PSV, works[order].run, &w), 0);
		drain(at);
		CHECK(write(answers[which][1], "", 1) == 1);
	}
}

static double order_work(int machine, unsigned char work)
{
	char done;

	CHECK(write(orders[machine][1], &work, 1) == 1 && read(answers[machine][0], &done, 1) == 1);
	return *shared;
}

/* --- figures --- */

static double seconds_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void measure(unsigned char work, size_t rounds, double seconds)
{
	double end = seconds_now() + seconds;

	for (size_t i = 0; i < rounds && (i < STATS_MIN || seconds_now() < end); i++) {
		enum { AGAIN = 2, RUNS = 3 };
		int first = rand() % RUNS;
		double us[RUNS];

		for (int k = 0; k < RUNS; k++) {
			int run = (first + k) % RUNS;

			us[run] = order_work(run == GATED ? GATED : BARE, work) / 1e3;
		}
		(void)printf("sample\tgate/%s/%zu\tvsv-shared\tbare\tus\t%.4f\t%.4f\n", works[work].name, n_addresses,
			     us[GATED], us[BARE]);
		(void)printf("sample\tgate/%s/%zu\tbare\tbare\tus\t%.4f\t%.4f\n", works[work].name, n_addresses, us[AGAIN],
			     us[BARE]);
	}
	(void)fflush(stdout);
}

int main(int argc, char **argv)
{
	size_t rounds = argc > 3 ? strtoul(argv[1], NULL, 10) : 0;
	double seconds = argc > 3 ? strtod(argv[2], NULL) : 0;
	const char *tmp = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
	unsigned char end = 255;

	n_addresses = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
	if (rounds == 0 || n_addresses > ADDRESSES_MAX) {
		(void)fprintf(stderr, "usage: bench-gate ROUNDS SECONDS ADDRESSES [WORK], at most %d addresses\n", ADDRESSES_MAX);
		return 2;
	}
	srand((unsigned)getpid());
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	for (which = 0; which < 2; which++) {
		CHECK(pipe(orders[which]) == 0 && pipe(answers[which]) == 0);
		(void)snprintf(dir, sizeof(dir), "%s/vnas-bench-gate.%d.%d", tmp, getpid(), which);
		CHECK(mkdir(dir, 0700) == 0);
		if (fork() == 0) {
			/* Its order pipe ends when this program does. */
			for (int i = 0; i <= which; i++)
				(void)close(orders[i][1]);
			machine_run(which, serve);
		}
		/* Its end is seen, then. */
		(void)close(orders[which][0]);
		(void)close(answers[which][1]);
	}
	for (size_t i = 0; i < N_WORKS; i++)
		if (argc < 5 || strstr(works[i].name, argv[4]))
			measure((unsigned char)i, rounds, seconds);
	for (which = 0; which < 2; which++) {
		CHECK(write(orders[which][1], &end, 1) == 1);
		(void)wait(NULL);
		(void)snprintf(dir, sizeof(dir), "%s/vnas-bench-gate.%d.%d/bpf.lock", tmp, getpid(), which);
		(void)unlink(dir);
		(void)snprintf(dir, sizeof(dir), "%s/vnas-bench-gate.%d.%d/bpf", tmp, getpid(), which);
		(void)rmdir(dir);
		*strrchr(dir, '/') = '\0';
		(void)rmdir(dir);
	}
	return 0;
}
