/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the gate refuses and what it lets through: row (a) of the table of interferences, and devices of row (b).  Each
 * refusal stands beside what must work.  Packet, vsock and ALG sockets are not the gate's: they are refused by
 * capabilities and the system call filter. */
#include "gate/gate.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "gate/gate_sys.h"
#include "lib/err.h"
#include "test.h"
#include "test_gate.h"

enum { PORT = 4450 };

static int bind_new(struct machine *m, enum place p, int family, int type, const char *host, uint16_t port)
{
	int r, fd = machine_socket(m, p, family, type, 0);

	CHECK(fd >= 0);
	r = do_bind(fd, host, port);
	(void)close(fd);
	return r;
}

static int stream(struct machine *m, enum place p, const char *host)
{
	int fd = machine_socket(m, p, strchr(host, ':') ? AF_INET6 : AF_INET, SOCK_STREAM, 0);

	CHECK(fd >= 0);
	return fd;
}

/* A socket that listens; CHECKs all the way. */
static int listener(struct machine *m, enum place p, int family, const char *host, uint16_t port)
{
	int fd = machine_socket(m, p, family, SOCK_STREAM, 0);

	CHECK(fd >= 0);
	CHECK_INT(set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	CHECK_INT(do_bind(fd, host, port), 0);
	CHECK_INT(do_listen(fd), 0);
	return fd;
}

/* Connects from a place; 0 or -errno. */
static int try_connect(struct machine *m, enum place p, const char *host, uint16_t port)
{
	int r, fd = machine_socket(m, p, strchr(host, ':') ? AF_INET6 : AF_INET, SOCK_STREAM, 0);

	CHECK(fd >= 0);
	r = do_connect(fd, host, port);
	(void)close(fd);
	return r;
}

/* A connection from p to host arrives at exactly that listener, and the accepted socket says `host` of itself. */
static void check_reaches(struct machine *m, enum place p, const char *host, uint16_t port, int at)
{
	char peer[64];
	int conn, fd = machine_socket(m, p, strchr(host, ':') ? AF_INET6 : AF_INET, SOCK_STREAM, 0);

	CHECK(fd >= 0);
	CHECK_INT(do_connect(fd, host, port), 0);
	conn = do_accept(at, 1000, peer);
	CHECK(conn >= 0);
	(void)close(fd);
	(void)close(conn);
}

static void bind_body(struct machine *m)
{
	static const struct {
		int family;
		const char *host;
		int tcp, udp;
	} rows[] = {
		{ AF_INET, "192.0.2.11", 0, 0 },
		{ AF_INET, "192.0.2.12", 0, 0 },
		{ AF_INET, "0.0.0.0", 0, 0 },
		{ AF_INET, "127.0.0.1", 0, 0 },
		{ AF_INET, "192.0.2.1", -EADDRNOTAVAIL, -EADDRNOTAVAIL },
		{ AF_INET, "192.0.2.21", -EADDRNOTAVAIL, -EADDRNOTAVAIL },
		{ AF_INET, "192.0.2.77", -EADDRNOTAVAIL, -EADDRNOTAVAIL },
		{ AF_INET, "127.0.0.2", -EADDRNOTAVAIL, -EADDRNOTAVAIL },
		{ AF_INET, "127.200.0.2", -EADDRNOTAVAIL, -EADDRNOTAVAIL },
		{ AF_INET, "192.0.2.255", -EADDRNOTAVAIL, -EADDRNOTAVAIL },
		{ AF_INET, "224.0.0.251", -EADDRNOTAVAIL, -EADDRNOTAVAIL },
		{ AF_INET, "255.255.255.255", -EADDRNOTAVAIL, -EADDRNOTAVAIL },
		{ AF_INET6, "2001:db8::11", 0, 0 },
		{ AF_INET6, "2001:db8::12", 0, 0 },
		{ AF_INET6, "::", 0, 0 },
		{ AF_INET6, "::1", 0, 0 },
		{ AF_INET6, "::ffff:192.0.2.11", 0, 0 },
		{ AF_INET6, "::ffff:0.0.0.0", 0, 0 },
		{ AF_INET6, "::ffff:127.0.0.1", 0, 0 },
		{ AF_INET6, "2001:db8::1", -EADDRNOTAVAIL, -EADDRNOTAVAIL },
		{ AF_INET6, "2001:db8::21", -EADDRNOTAVAIL, -EADDRNOTAVAIL },
		{ AF_INET6, "2001:db8::77", -EADDRNOTAVAIL, -EADDRNOTAVAIL },
		{ AF_INET6, "::ffff:192.0.2.1", -EADDRNOTAVAIL, -EADDRNOTAVAIL },
		{ AF_INET6, "::ffff:192.0.2.21", -EADDRNOTAVAIL, -EADDRNOTAVAIL },
		{ AF_INET6, "::ffff:127.0.0.2", -EADDRNOTAVAIL, -EADDRNOTAVAIL },
		{ AF_INET6, "fd76:6e61:73::2", -EADDRNOTAVAIL, -EADDRNOTAVAIL },
		{ AF_INET6, "fe80::1", -EADDRNOTAVAIL, -EADDRNOTAVAIL },
		{ AF_INET6, "ff02::fb", -EADDRNOTAVAIL, -EADDRNOTAVAIL },
	};
	uint64_t before = refused(m, VSV_A, GATE_BIND);
	size_t refusals = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int tcp = bind_new(m, VSV_A, rows[i].family, SOCK_STREAM, rows[i].host, PORT);
		int udp = bind_new(m, VSV_A, rows[i].family, SOCK_DGRAM, rows[i].host, PORT);

		refusals += (tcp != 0) + (udp != 0);
		if (tcp == rows[i].tcp && udp == rows[i].udp)
			continue;
		(void)fprintf(stderr, "    bind %s: tcp %d, udp %d\n", rows[i].host, tcp, udp);
		CHECK(!"bind");
	}
	CHECK_INT(refused(m, VSV_A, GATE_BIND) - before, refusals);
	/* The Psv itself is not bound by any of it. */
	CHECK_INT(bind_new(m, PSV, AF_INET, SOCK_STREAM, "192.0.2.11", PORT), 0);
}

TEST(gate_bind)
{
	machine_test(bind_body);
}

static void bind_options_body(struct machine *m)
{
	static const char *const foreign[] = { "192.0.2.1", "192.0.2.21", "203.0.113.5" };

	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		int fd = machine_socket(m, VSV_A, AF_INET, SOCK_STREAM, 0);

		CHECK_INT(set_option(fd, IPPROTO_IP, IP_FREEBIND, 1), 0);
		CHECK_INT(set_option(fd, IPPROTO_IP, IP_TRANSPARENT, 1), 0);
		CHECK_INT(do_bind(fd, foreign[i], PORT), -EADDRNOTAVAIL);
		(void)close(fd);
		/* The control: without the gate these options do it. */
		fd = machine_socket(m, PSV, AF_INET, SOCK_STREAM, 0);
		CHECK_INT(set_option(fd, IPPROTO_IP, IP_FREEBIND, 1), 0);
		CHECK_INT(do_bind(fd, foreign[i], PORT), 0);
		(void)close(fd);
	}
}

TEST(gate_bind_options)
{
	machine_test(bind_options_body);
}

static void wildcard_body(struct machine *m)
{
	int a = listener(m, VSV_A, AF_INET, "0.0.0.0", PORT);
	int b = listener(m, VSV_B, AF_INET, "0.0.0.0", PORT);
	uint16_t port;

	for (enum place p = PSV; p <= CLIENT; p++) {
		check_reaches(m, p, "192.0.2.11", PORT, a);
		check_reaches(m, p, "192.0.2.12", PORT, a);
		check_reaches(m, p, "192.0.2.21", PORT, b);
		CHECK_INT(try_connect(m, p, "192.0.2.1", PORT), -ECONNREFUSED);
		CHECK_INT(try_connect(m, p, "2001:db8::11", PORT), -ECONNREFUSED);
	}
	CHECK_STR(name_of(a, 0, &port), "0.0.0.0");
	CHECK_INT(port, PORT);
	/* A closed listener is gone, and can come again. */
	(void)close(a);
	CHECK_INT(try_connect(m, CLIENT, "192.0.2.11", PORT), -ECONNREFUSED);
	a = listener(m, VSV_A, AF_INET, "0.0.0.0", PORT);
	check_reaches(m, CLIENT, "192.0.2.12", PORT, a);
}

TEST(gate_wildcard)
{
	machine_test(wildcard_body);
}

static void dual_stack_body(struct machine *m)
{
	static const char *const both[] = { "192.0.2.11", "192.0.2.12", "2001:db8::11", "2001:db8::12" };
	int a = listener(m, VSV_A, AF_INET6, "::", PORT);
	int b = listener(m, VSV_B, AF_INET6, "::", PORT);
	int only = machine_socket(m, VSV_A, AF_INET6, SOCK_STREAM, 0);

	for (size_t i = 0; i < sizeof(both) / sizeof(both[0]); i++)
		check_reaches(m, CLIENT, both[i], PORT, a);
	check_reaches(m, CLIENT, "2001:db8::21", PORT, b);
	check_reaches(m, CLIENT, "192.0.2.21", PORT, b);
	CHECK_STR(name_of(a, 0, NULL), "::");

	CHECK_INT(set_option(only, IPPROTO_IPV6, IPV6_V6ONLY, 1), 0);
	CHECK_INT(do_bind(only, "::", PORT + 1), 0);
	CHECK_INT(do_listen(only), 0);
	check_reaches(m, CLIENT, "2001:db8::11", PORT + 1, only);
	check_reaches(m, CLIENT, "2001:db8::12", PORT + 1, only);
	CHECK_INT(try_connect(m, CLIENT, "192.0.2.11", PORT + 1), -ECONNREFUSED);
}

TEST(gate_dual_stack)
{
	machine_test(dual_stack_body);
}

static void exact_body(struct machine *m)
{
	int first = listener(m, VSV_A, AF_INET, "192.0.2.11", PORT);
	int second = listener(m, VSV_A, AF_INET, "192.0.2.12", PORT);
	int mapped = listener(m, VSV_B, AF_INET6, "::ffff:192.0.2.21", PORT);
	int six = listener(m, VSV_A, AF_INET6, "2001:db8::12", PORT);

	check_reaches(m, CLIENT, "192.0.2.11", PORT, first);
	check_reaches(m, CLIENT, "192.0.2.12", PORT, second);
	check_reaches(m, CLIENT, "192.0.2.21", PORT, mapped);
	check_reaches(m, CLIENT, "2001:db8::12", PORT, six);
	CHECK_INT(try_connect(m, CLIENT, "2001:db8::11", PORT), -ECONNREFUSED);
	CHECK_INT(try_connect(m, CLIENT, "2001:db8::21", PORT), -ECONNREFUSED);
	CHECK_STR(name_of(first, 0, NULL), "192.0.2.11");
}

TEST(gate_exact)
{
	machine_test(exact_body);
}

static void psv_wildcard_body(struct machine *m)
{
	int psv = listener(m, PSV, AF_INET6, "::", PORT);

	for (enum place p = PSV; p <= CLIENT; p++) {
		check_reaches(m, p, "192.0.2.1", PORT, psv);
		check_reaches(m, p, "2001:db8::1", PORT, psv);
		CHECK_INT(try_connect(m, p, "192.0.2.11", PORT), -ECONNREFUSED);
		CHECK_INT(try_connect(m, p, "2001:db8::11", PORT), -ECONNREFUSED);
	}
	check_reaches(m, PSV, "127.0.0.1", PORT, psv);
	check_reaches(m, PSV, "::1", PORT, psv);
}

TEST(gate_psv_wildcard)
{
	machine_test(psv_wildcard_body);
}

/* The Psv's listener on the wildcard address has the port in the Psv alone. */
static void psv_port_body(struct machine *m)
{
	static const char *const psv_binds[] = { "0.0.0.0", "::" };
	char peer[64];
	uint16_t port;

	for (size_t i = 0; i < 2; i++) {
		uint16_t at = (uint16_t)(PORT + i);
		int family = i ? AF_INET6 : AF_INET, psv = listener(m, PSV, family, psv_binds[i], at);
		int a = listener(m, VSV_A, family, psv_binds[i], at), b = listener(m, VSV_B, AF_INET, "192.0.2.21", at);
		int own = listener(m, VSV_A, AF_INET, "127.0.0.1", at), again, conn;

		check_reaches(m, CLIENT, "192.0.2.1", at, psv);
		check_reaches(m, CLIENT, "192.0.2.11", at, a);
		check_reaches(m, CLIENT, "192.0.2.12", at, a);
		check_reaches(m, CLIENT, "192.0.2.21", at, b);
		check_reaches(m, VSV_A, "127.0.0.1", at, own);
		check_reaches(m, PSV, "127.0.0.1", at, psv);
		if (i) {
			check_reaches(m, CLIENT, "2001:db8::12", at, a);
			check_reaches(m, CLIENT, "2001:db8::1", at, psv);
		}
		CHECK_STR(name_of(a, 0, &port), psv_binds[i]);
		CHECK_INT(port, at);
		CHECK_STR(name_of(b, 0, &port), "192.0.2.21");
		CHECK_INT(port, at);
		/* What is accepted is on the port that the client asked for. */
		again = stream(m, CLIENT, "192.0.2.12");
		CHECK_INT(do_connect(again, "192.0.2.12", at), 0);
		conn = do_accept(a, 1000, peer);
		CHECK(conn >= 0);
		CHECK_STR(name_of(conn, 0, &port), i ? "::ffff:192.0.2.12" : "192.0.2.12");
		CHECK_INT(port, at);
		(void)close(again);
		(void)close(conn);
		/* A second listener of the same Vsv is one too many, and not on another socket's leavings. */
		again = stream(m, VSV_A, psv_binds[i]);
		CHECK_INT(do_bind(again, psv_binds[i], at), -EADDRINUSE);
		CHECK_INT(do_bind(again, i ? "::ffff:192.0.2.12" : "192.0.2.12", (uint16_t)(at + 100)), 0);
		CHECK_INT(do_listen(again), 0);
		check_reaches(m, CLIENT, "192.0.2.12", (uint16_t)(at + 100), again);
		(void)close(again);
		/* For a connection the port is taken, as it would be without the gate. */
		again = stream(m, VSV_B, "192.0.2.21");
		(void)close(b);
		CHECK_INT(do_bind(again, "192.0.2.21", at), 0);
		CHECK_INT(do_connect(again, "192.0.2.100", at), -EADDRINUSE);
		(void)close(again);
		/* The Psv's comes and goes. */
		(void)close(psv);
		psv = listener(m, PSV, family, psv_binds[i], at);
		check_reaches(m, CLIENT, "192.0.2.1", at, psv);
		(void)close(a);
		CHECK_INT(try_connect(m, CLIENT, "192.0.2.11", at), -ECONNREFUSED);
		(void)close(psv);
		(void)close(own);
	}
}

TEST(gate_psv_port)
{
	machine_test(psv_port_body);
}

static int bind_low_unprivileged(const void *arg)
{
	struct sockaddr_storage a;
	socklen_t len = socket_address("192.0.2.11", 22, &a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)arg;
	if (setresuid(65534, 65534, 65534) < 0)
		return -1;
	return bind(fd, (struct sockaddr *)&a, len);
}

static void low_port_body(struct machine *m)
{
	int psv = listener(m, PSV, AF_INET, "0.0.0.0", 22);

	CHECK(psv >= 0);
	CHECK_INT(machine_call(m, VSV_A, bind_low_unprivileged, NULL), -EACCES);
	CHECK_INT(bind_new(m, VSV_A, AF_INET, SOCK_STREAM, "192.0.2.11", 22), 0);
}

TEST(gate_low_port)
{
	machine_test(low_port_body);
}

static void crossing_body(struct machine *m)
{
	int psv = listener(m, PSV, AF_INET6, "::", PORT + 1);
	int b = listener(m, VSV_B, AF_INET6, "::", PORT);
	int client = listener(m, CLIENT, AF_INET6, "::", PORT);
	uint64_t in = refused(m, VSV_A, GATE_INGRESS), out = refused(m, VSV_A, GATE_CONNECT);
	struct gate_config c = m->config[VSV_A];

	CHECK_INT(try_connect(m, VSV_A, "192.0.2.1", PORT + 1), -ECONNREFUSED);
	CHECK_INT(try_connect(m, VSV_A, "2001:db8::1", PORT + 1), -ECONNREFUSED);
	CHECK_INT(refused(m, VSV_A, GATE_INGRESS) - in, 2);
	CHECK_INT(try_connect(m, VSV_A, "192.0.2.21", PORT), -EPERM);
	CHECK_INT(try_connect(m, VSV_A, "2001:db8::21", PORT), -EPERM);
	CHECK_INT(try_connect(m, VSV_A, "::ffff:192.0.2.21", PORT), -EPERM);
	CHECK_INT(refused(m, VSV_A, GATE_CONNECT) - out, 3);
	/* The controls: the wire, and peers. */
	check_reaches(m, VSV_A, "192.0.2.100", PORT, client);
	check_reaches(m, VSV_A, "2001:db8::100", PORT, client);
	c.peer_psv = true;
	CHECK_INT(gate_set(m->bpf_dir, &c, NULL), 0);
	check_reaches(m, VSV_A, "192.0.2.1", PORT + 1, psv);
	check_reaches(m, VSV_A, "2001:db8::1", PORT + 1, psv);
	CHECK_INT(try_connect(m, VSV_A, "192.0.2.21", PORT), -EPERM);
	c.peers[c.n_peers++] = 2;
	CHECK_INT(gate_set(m->bpf_dir, &c, NULL), 0);
	check_reaches(m, VSV_A, "192.0.2.21", PORT, b);
	check_reaches(m, VSV_A, "2001:db8::21", PORT, b);
	/* It is A that may reach B, not the other way round. */
	CHECK_INT(try_connect(m, VSV_B, "192.0.2.11", PORT), -EPERM);
	CHECK_INT(gate_set(m->bpf_dir, &m->config[VSV_A], NULL), 0);
	CHECK_INT(try_connect(m, VSV_A, "192.0.2.1", PORT + 1), -ECONNREFUSED);
}

TEST(gate_crossing)
{
	machine_test(crossing_body);
}

static void squatting_body(struct machine *m)
{
	int b = stream(m, VSV_B, "192.0.2.21"), squat = stream(m, VSV_A, "192.0.2.21");
	int silent = stream(m, VSV_A, "0.0.0.0");
	uint64_t before = refused(m, VSV_A, GATE_BIND);
	char peer[64];
	uint16_t port;

	CHECK_INT(set_option(b, SOL_SOCKET, SO_REUSEPORT, 1), 0);
	CHECK_INT(set_option(squat, SOL_SOCKET, SO_REUSEPORT, 1), 0);
	CHECK_INT(do_bind(b, "0.0.0.0", PORT), 0);
	CHECK_INT(do_listen(b), 0);
	CHECK_INT(do_bind(squat, "192.0.2.21", PORT), -EADDRNOTAVAIL);
	CHECK_INT(do_bind(squat, "0.0.0.0", PORT), 0);
	CHECK_INT(do_listen(squat), 0);
	for (int i = 0; i < 20; i++) {
		CHECK_INT(try_connect(m, CLIENT, "192.0.2.21", PORT), 0);
		CHECK(do_accept(b, 1000, peer) >= 0);
	}
	CHECK_INT(do_accept(squat, 20, peer), -EAGAIN);
	/* listen() without bind(): on every address of the machine, but for the gate. */
	CHECK_INT(do_listen(silent), 0);
	(void)name_of(silent, 0, &port);
	CHECK_INT(try_connect(m, CLIENT, "192.0.2.1", port), -ECONNREFUSED);
	CHECK_INT(try_connect(m, CLIENT, "192.0.2.11", port), -ECONNREFUSED);
	CHECK_INT(try_connect(m, CLIENT, "192.0.2.21", port), -ECONNREFUSED);
	CHECK_INT(try_connect(m, PSV, "127.0.0.1", port), -ECONNREFUSED);
	CHECK_INT(refused(m, VSV_A, GATE_BIND) - before, 2);
	silent = stream(m, PSV, "0.0.0.0");
	CHECK_INT(do_listen(silent), 0);
	(void)name_of(silent, 0, &port);
	CHECK_INT(try_connect(m, CLIENT, "192.0.2.1", port), 0);
}

TEST(gate_squatting)
{
	machine_test(squatting_body);
}

/* Of two listeners on one port the one that stays serves, whichever goes; listen() again and again; and a Vsv that
 * fills its share of the table keeps nobody else from it. */
static void listeners_body(struct machine *m)
{
	int pair[2], at = stream(m, VSV_A, "0.0.0.0"), b;
	char peer[64];

	for (int goes = 0; goes < 2; goes++) {
		for (int i = 0; i < 2; i++) {
			pair[i] = stream(m, VSV_A, "0.0.0.0");
			CHECK_INT(set_option(pair[i], SOL_SOCKET, SO_REUSEPORT, 1), 0);
			CHECK_INT(do_bind(pair[i], "0.0.0.0", PORT), 0);
			CHECK_INT(do_listen(pair[i]), 0);
		}
		(void)close(pair[goes]);
		for (int i = 0; i < 10; i++) {
			CHECK_INT(try_connect(m, CLIENT, "192.0.2.12", PORT), 0);
			CHECK(do_accept(pair[!goes], 1000, peer) >= 0);
		}
		(void)close(pair[!goes]);
	}
	CHECK_INT(do_bind(at, "0.0.0.0", PORT), 0);
	for (int i = 0; i < 3; i++) {
		CHECK_INT(do_listen(at), 0);
		CHECK_INT(do_listen(at), 0);
		CHECK_INT(try_connect(m, CLIENT, "192.0.2.12", PORT), 0);
		CHECK_INT(shutdown(at, SHUT_RDWR), 0);
		CHECK_INT(try_connect(m, CLIENT, "192.0.2.12", PORT), -ECONNREFUSED);
	}
	for (int i = 0; i < 530; i++) {
		int fd = stream(m, VSV_A, "0.0.0.0");

		CHECK_INT(do_bind(fd, "0.0.0.0", (uint16_t)(10000 + i)), 0);
		CHECK_INT(do_listen(fd), 0);
	}
	CHECK_INT(try_connect(m, CLIENT, "192.0.2.12", 10000), 0);
	CHECK_INT(try_connect(m, CLIENT, "192.0.2.12", 10529), -ECONNREFUSED);
	b = listener(m, VSV_B, AF_INET, "0.0.0.0", PORT);
	CHECK_INT(try_connect(m, CLIENT, "192.0.2.21", PORT), 0);
	CHECK(do_accept(b, 1000, peer) >= 0);
}

TEST(gate_listeners)
{
	machine_test(listeners_body);
}

/* Every port that a Vsv takes lacks the others: it has a share, and gets it back. */
static int take_ports(const void *arg)
{
	struct rlimit limit = { 8192, 8192 };
	int n = 0;

	(void)arg;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	while (n < 6000) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (fd < 0)
			break;
		(void)listen(fd, 1);
		n++;
	}
	if (n == 4096 && errno == ENOBUFS)
		return 0;
	(void)fprintf(stderr, "    %d sockets, then: %m\n", n);
	errno = EIO;
	return -1;
}

static void share_body(struct machine *m)
{
	CHECK_INT(machine_call(m, VSV_A, take_ports, NULL), 0);
	CHECK_INT(machine_call(m, VSV_A, take_ports, NULL), 0);
	CHECK_INT(bind_new(m, VSV_A, AF_INET, SOCK_STREAM, "192.0.2.11", PORT), 0);
}

TEST(gate_share_of_ports)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_max < 8192)
		SKIP("needs 8192 open files");
	machine_test(share_body);
}

static int open_node(const void *path)
{
	return open(path, O_RDONLY | O_CLOEXEC);
}

static int open_node_rw(const void *path)
{
	return open(path, O_RDWR | O_CLOEXEC);
}

struct node {
	const char *path;
	mode_t type;
	dev_t dev;
};

static int make_node(const void *arg)
{
	const struct node *n = arg;

	return mknod(n->path, n->type | 0600, n->dev);
}

/* Numbers that no driver has: what gets past the gate ends with ENXIO. */
static void device_body(struct machine *m)
{
	const struct node own = { "own", S_IFBLK, makedev(240, 5) }, other = { "other", S_IFBLK, makedev(240, 6) };
	const struct node fresh = { "fresh", S_IFBLK, makedev(240, 6) }, mem = { "mem", S_IFCHR, makedev(1, 1) };
	struct gate_config c = m->config[VSV_A];

	CHECK(chdir(test_dir()) == 0);
	c.devices[c.n_devices++] = own.dev;
	CHECK_INT(gate_set(m->bpf_dir, &c, NULL), 0);
	CHECK(make_node(&own) == 0 && make_node(&other) == 0 && make_node(&mem) == 0);
	CHECK_INT(machine_call(m, PSV, open_node, other.path), -ENXIO);
	CHECK_INT(machine_call(m, VSV_A, open_node, own.path), -ENXIO);
	CHECK_INT(machine_call(m, VSV_A, open_node_rw, own.path), -EPERM);
	CHECK_INT(machine_call(m, VSV_A, open_node, other.path), -EPERM);
	CHECK_INT(machine_call(m, VSV_A, make_node, &fresh), -EPERM);
	CHECK_INT(machine_call(m, VSV_B, open_node, own.path), -EPERM);
	CHECK_INT(machine_call(m, VSV_A, open_node, mem.path), -EPERM);
	CHECK_INT(machine_call(m, VSV_A, open_node_rw, "/dev/null"), 0);
	CHECK_INT(machine_call(m, VSV_A, open_node, "/dev/urandom"), 0);
	CHECK_INT(refused(m, VSV_A, GATE_DEVICE), 4);
	CHECK_INT(refused(m, VSV_B, GATE_DEVICE), 1);
	/* One alone, while all else stays. */
	CHECK_INT(gate_let_device(m->bpf_dir, c.id, own.dev, false, NULL), 0);
	CHECK_INT(machine_call(m, VSV_A, open_node, own.path), -EPERM);
	CHECK_INT(gate_let_device(m->bpf_dir, c.id, other.dev, true, NULL), 0);
	CHECK_INT(gate_let_device(m->bpf_dir, c.id, own.dev, true, NULL), 0);
	CHECK_INT(gate_let_device(m->bpf_dir, c.id, own.dev, true, NULL), 0);
	CHECK_INT(machine_call(m, VSV_A, open_node, own.path), -ENXIO);
	CHECK_INT(machine_call(m, VSV_A, open_node, other.path), -ENXIO);
	CHECK_INT(machine_call(m, VSV_A, open_node_rw, "/dev/null"), 0);
	CHECK_INT(gate_let_device(m->bpf_dir, 4000, own.dev, true, NULL), -ENOENT);
}

TEST(gate_device)
{
	machine_test(device_body);
}
