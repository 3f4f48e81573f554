/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Datagrams, sources, the own loopback: the part of row (a) that has no listen() to hold on to. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

#include "gate/gate.h"
#include "test.h"
#include "test_gate.h"

enum { PORT = 4460, OPT_PORT_RANGE = 51 /* IP_LOCAL_PORT_RANGE */ };

static int udp(struct machine *m, enum place p, int family)
{
	int fd = machine_socket(m, p, family, SOCK_DGRAM, 0);

	CHECK(fd >= 0);
	return fd;
}

static int udp_bound(struct machine *m, enum place p, const char *host, uint16_t port)
{
	int fd = udp(m, p, strchr(host, ':') ? AF_INET6 : AF_INET);

	CHECK_INT(do_bind(fd, host, port), 0);
	return fd;
}

/* What fd sends to host:port arrives at `at`, from `source`; and an answer comes back to fd. */
static void check_exchange(int fd, const char *host, uint16_t port, int at, const char *source)
{
	char seen[64], back[64];
	uint16_t seen_port, back_port;

	CHECK_INT(do_sendto(fd, host, port, NULL), 0);
	CHECK_INT(do_recv(at, 1000, seen, &seen_port), 0);
	CHECK_STR(seen, source);
	CHECK_INT(do_sendto(at, seen, seen_port, NULL), 0);
	CHECK_INT(do_recv(fd, 1000, back, &back_port), 0);
	CHECK_STR(back, host);
	CHECK_INT(back_port, port);
}

static void source_body(struct machine *m)
{
	int four = udp_bound(m, CLIENT, "192.0.2.100", PORT), six = udp_bound(m, CLIENT, "2001:db8::100", PORT);
	int fd;

	/* No bind: the primary address; bound to the wildcard: the same; to another of its own: that one. */
	check_exchange(udp(m, VSV_A, AF_INET), "192.0.2.100", PORT, four, "192.0.2.11");
	check_exchange(udp(m, VSV_A, AF_INET6), "2001:db8::100", PORT, six, "2001:db8::11");
	check_exchange(udp(m, VSV_A, AF_INET6), "::ffff:192.0.2.100", PORT, four, "192.0.2.11");
	check_exchange(udp_bound(m, VSV_A, "0.0.0.0", PORT), "192.0.2.100", PORT, four, "192.0.2.11");
	check_exchange(udp_bound(m, VSV_A, "192.0.2.12", PORT), "192.0.2.100", PORT, four, "192.0.2.12");
	check_exchange(udp_bound(m, VSV_A, "2001:db8::12", PORT), "2001:db8::100", PORT, six, "2001:db8::12");
	check_exchange(udp_bound(m, VSV_B, "192.0.2.21", PORT), "192.0.2.100", PORT, four, "192.0.2.21");

	fd = udp(m, VSV_A, AF_INET);
	CHECK_INT(do_connect(fd, "192.0.2.100", PORT), 0);
	CHECK_STR(name_of(fd, 0, NULL), "192.0.2.11");
	fd = udp(m, VSV_A, AF_INET6);
	CHECK_INT(do_connect(fd, "192.0.2.100", PORT), 0); /* an IPv4 name on an IPv6 socket */
	CHECK_STR(name_of(fd, 0, NULL), "::ffff:192.0.2.11");
	fd = udp(m, VSV_A, AF_INET6);
	CHECK_INT(do_connect(fd, "2001:db8::100", PORT), 0);
	CHECK_STR(name_of(fd, 0, NULL), "2001:db8::11");
	/* The port of a socket that has sent stands on the wildcard, and cannot be moved any more. */
	fd = udp(m, VSV_A, AF_INET);
	CHECK_INT(do_sendto(fd, "192.0.2.100", PORT, NULL), 0);
	CHECK_INT(do_connect(fd, "192.0.2.100", PORT), -EADDRNOTAVAIL);
}

TEST(gate_source)
{
	machine_test(source_body);
}

static void tcp_source_body(struct machine *m)
{
	static const struct {
		int family;
		const char *bind, *to, *source;
	} rows[] = {
		{ AF_INET, NULL, "192.0.2.100", "::ffff:192.0.2.11" },
		{ AF_INET, "0.0.0.0", "192.0.2.100", "::ffff:192.0.2.11" },
		{ AF_INET, "192.0.2.12", "192.0.2.100", "::ffff:192.0.2.12" },
		{ AF_INET6, NULL, "2001:db8::100", "2001:db8::11" },
		{ AF_INET6, NULL, "::ffff:192.0.2.100", "::ffff:192.0.2.11" },
		{ AF_INET6, "2001:db8::12", "2001:db8::100", "2001:db8::12" },
		{ AF_INET6, "::ffff:192.0.2.12", "::ffff:192.0.2.100", "::ffff:192.0.2.12" },
	};
	int at = machine_socket(m, CLIENT, AF_INET6, SOCK_STREAM, 0);
	char peer[64];

	CHECK_INT(do_bind(at, "::", PORT), 0);
	CHECK_INT(do_listen(at), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd = machine_socket(m, VSV_A, rows[i].family, SOCK_STREAM, 0), conn;

		if (rows[i].bind)
			CHECK_INT(do_bind(fd, rows[i].bind, 0), 0);
		CHECK_INT(do_connect(fd, rows[i].to, PORT), 0);
		conn = do_accept(at, 1000, peer);
		CHECK(conn >= 0);
		CHECK_STR(peer, rows[i].source);
		(void)close(fd);
		(void)close(conn);
	}
}

TEST(gate_tcp_source)
{
	machine_test(tcp_source_body);
}

static void packet_info_body(struct machine *m)
{
	int four = udp_bound(m, CLIENT, "192.0.2.100", PORT), six = udp_bound(m, CLIENT, "2001:db8::100", PORT);
	static const char *const foreign4[] = { "192.0.2.1", "192.0.2.21", "127.200.0.2" };
	static const char *const foreign6[] = { "2001:db8::1", "2001:db8::21", "fd76:6e61:73::2" };
	int a4 = udp(m, VSV_A, AF_INET), a6 = udp(m, VSV_A, AF_INET6), c4 = udp(m, VSV_A, AF_INET);
	int c6 = udp(m, VSV_A, AF_INET6);
	char host[64];
	uint16_t port;

	CHECK_INT(do_connect(c4, "192.0.2.100", PORT), 0);
	CHECK_INT(do_connect(c6, "2001:db8::100", PORT), 0);
	for (size_t i = 0; i < 3; i++) {
		CHECK_INT(do_sendto(a4, "192.0.2.100", PORT, foreign4[i]), -EADDRNOTAVAIL);
		CHECK_INT(do_sendto(c4, NULL, 0, foreign4[i]), -EADDRNOTAVAIL);
		CHECK_INT(do_sendto(a6, "2001:db8::100", PORT, foreign6[i]), -EADDRNOTAVAIL);
		CHECK_INT(do_sendto(c6, NULL, 0, foreign6[i]), -EADDRNOTAVAIL);
	}
	CHECK_INT(do_recv(four, 20, host, &port), -EAGAIN);
	CHECK_INT(do_recv(six, 20, host, &port), -EAGAIN);
	/* The controls: an own one, and none. */
	CHECK_INT(do_sendto(a4, "192.0.2.100", PORT, "192.0.2.12"), 0);
	CHECK_INT(do_recv(four, 1000, host, &port), 0);
	CHECK_STR(host, "192.0.2.12");
	CHECK_INT(do_sendto(a6, "2001:db8::100", PORT, "2001:db8::12"), 0);
	CHECK_INT(do_recv(six, 1000, host, &port), 0);
	CHECK_STR(host, "2001:db8::12");
	CHECK_INT(do_sendto(c4, NULL, 0, "0.0.0.0"), 0);
	CHECK_INT(do_recv(four, 1000, host, &port), 0);
	CHECK_STR(host, "192.0.2.11");
	CHECK_INT(do_sendto(c6, NULL, 0, "::"), 0);
	CHECK_INT(do_recv(six, 1000, host, &port), 0);
	CHECK_STR(host, "2001:db8::11");
	CHECK_INT(refused(m, VSV_A, GATE_SEND), 12);
}

TEST(gate_packet_info)
{
	machine_test(packet_info_body);
}

/* Ways to a peer or a source other than connect() and sendmsg() with a name. */
static void side_doors_body(struct machine *m)
{
	struct in6_pktinfo sticky = { .ipi6_ifindex = 0 };
	struct sockaddr unspec = { .sa_family = AF_UNSPEC };
	struct sockaddr_storage a;
	int six = udp_bound(m, CLIENT, "2001:db8::100", PORT), at = machine_socket(m, CLIENT, AF_INET, SOCK_STREAM, 0);
	int fd = udp(m, VSV_A, AF_INET6), conn;
	socklen_t len;
	char host[64];
	uint16_t port;

	/* A source set once for all datagrams. */
	(void)socket_address("2001:db8::21", 0, &a);
	sticky.ipi6_addr = ((struct sockaddr_in6 *)&a)->sin6_addr;
	(void)setsockopt(fd, IPPROTO_IPV6, IPV6_PKTINFO, &sticky, sizeof(sticky));
	CHECK_INT(do_sendto(fd, "2001:db8::100", PORT, NULL), 0);
	CHECK_INT(do_recv(six, 1000, host, &port), 0);
	CHECK_STR(host, "2001:db8::11");
	/* An address with no family, which the kernel takes for IPv4. */
	fd = udp(m, VSV_A, AF_INET);
	len = socket_address("192.0.2.21", PORT, &a);
	a.ss_family = AF_UNSPEC;
	CHECK(sendto(fd, "data", 4, 0, (struct sockaddr *)&a, len) < 0 && errno == EPERM);
	CHECK(bind(fd, (struct sockaddr *)&a, len) < 0);
	/* TCP fast open connects by sending. */
	CHECK_INT(do_bind(at, "192.0.2.100", PORT), 0);
	CHECK_INT(do_listen(at), 0);
	fd = machine_socket(m, VSV_A, AF_INET, SOCK_STREAM, 0);
	len = socket_address("192.0.2.21", PORT, &a);
	CHECK(sendto(fd, "data", 4, MSG_FASTOPEN, (struct sockaddr *)&a, len) < 0 && errno == EPERM);
	len = socket_address("192.0.2.100", PORT, &a);
	CHECK(sendto(fd, "data", 4, MSG_FASTOPEN, (struct sockaddr *)&a, len) == 4);
	conn = do_accept(at, 1000, host);
	CHECK(conn >= 0);
	CHECK_STR(host, "192.0.2.11");
	/* A connection taken back, and then a listener without a bind: it is where the connection was from. */
	CHECK(connect(fd, &unspec, sizeof(unspec)) == 0);
	CHECK_INT(do_listen(fd), 0);
	CHECK_STR(name_of(fd, 0, &port), "192.0.2.11");
	at = machine_socket(m, CLIENT, AF_INET, SOCK_STREAM, 0);
	CHECK_INT(do_connect(at, "192.0.2.11", port), 0);
	at = machine_socket(m, CLIENT, AF_INET, SOCK_STREAM, 0);
	CHECK_INT(do_connect(at, "192.0.2.1", port), -ECONNREFUSED);
	/* A source route. */
	{
		static const unsigned char options[] = { 131, 7, 4, 192, 0, 2, 21, 0 };

		CHECK(setsockopt(fd, IPPROTO_IP, IP_OPTIONS, options, sizeof(options)) < 0 && errno == EPERM);
	}
}

TEST(gate_side_doors)
{
	machine_test(side_doors_body);
}

static void udp_in_body(struct machine *m)
{
	int psv = udp_bound(m, PSV, "0.0.0.0", PORT), own = udp_bound(m, VSV_A, "192.0.2.12", PORT + 1);
	int client = udp(m, CLIENT, AF_INET), stray = udp(m, VSV_A, AF_INET);
	char host[64];
	uint16_t port;

	/* The Psv's wildcard socket does not answer on a Vsv's address. */
	CHECK_INT(do_sendto(client, "192.0.2.1", PORT, NULL), 0);
	CHECK_INT(do_recv(psv, 1000, host, &port), 0);
	CHECK_INT(do_sendto(client, "192.0.2.11", PORT, NULL), 0);
	CHECK_INT(do_recv(psv, 20, host, &port), -EAGAIN);
	client = udp(m, CLIENT, AF_INET);
	CHECK_INT(do_sendto(client, "192.0.2.12", PORT + 1, NULL), 0);
	CHECK_INT(do_recv(own, 1000, host, &port), 0);
	/* One that sent without a bind is reached at its source, and not at another Vsv's address. */
	CHECK_INT(do_sendto(stray, "192.0.2.100", PORT, NULL), 0);
	(void)name_of(stray, 0, &port);
	CHECK_INT(do_sendto(client, "192.0.2.21", port, NULL), 0);
	CHECK_INT(do_recv(stray, 20, host, &port), -EAGAIN);
	/* From the Psv's and a neighbour's side. */
	CHECK_INT(do_sendto(udp(m, VSV_A, AF_INET), "192.0.2.1", PORT, NULL), 0);
	CHECK_INT(do_recv(psv, 20, host, &port), -EAGAIN);
	CHECK_INT(do_sendto(udp(m, VSV_B, AF_INET), "192.0.2.12", PORT + 1, NULL), -EPERM);
	CHECK_INT(do_recv(own, 20, host, &port), -EAGAIN);
}

TEST(gate_udp_in)
{
	machine_test(udp_in_body);
}

/* A released port is let go, whoever else has it goes on. */
static void udp_release_body(struct machine *m)
{
	int first = udp(m, VSV_A, AF_INET), second = udp(m, VSV_A, AF_INET), client = udp(m, CLIENT, AF_INET);
	char host[64];
	uint16_t port;

	CHECK_INT(set_option(first, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	CHECK_INT(set_option(second, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	CHECK_INT(do_bind(first, "192.0.2.11", PORT), 0);
	CHECK_INT(do_bind(second, "192.0.2.11", PORT), 0);
	(void)close(second);
	CHECK_INT(do_sendto(client, "192.0.2.11", PORT, NULL), 0);
	CHECK_INT(do_recv(first, 1000, host, &port), 0);
	(void)close(first);
	CHECK_INT(do_connect(client, "192.0.2.11", PORT), 0);
	CHECK_INT(do_sendto(client, NULL, 0, NULL), 0);
	CHECK_INT(do_recv(client, 1000, host, &port), -ECONNREFUSED);
	for (int i = 0; i < 600; i++) { /* more than a Vsv may have at a time */
		int fd = udp(m, VSV_A, AF_INET);

		CHECK_INT(do_bind(fd, "192.0.2.11", 0), 0);
		(void)close(fd);
	}
}

TEST(gate_udp_release)
{
	machine_test(udp_release_body);
}

/* Without a bind a UDP socket gets a wildcard port that no hook sees: never one that the Psv has too. */
static void stray_body(struct machine *m)
{
	uint32_t range = (uint32_t)PORT << 16 | PORT;
	int psv = udp(m, PSV, AF_INET), stray = udp(m, VSV_A, AF_INET), client = udp(m, CLIENT, AF_INET);
	uint64_t before = refused(m, VSV_A, GATE_SOCKET);
	char host[64];
	uint16_t port;

	CHECK_INT(set_option(psv, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	CHECK_INT(do_bind(psv, "0.0.0.0", PORT), 0);
	CHECK_INT(set_option(stray, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	CHECK_INT(set_option(stray, SOL_SOCKET, SO_REUSEPORT, 1), 0);
	CHECK_INT(set_option(stray, IPPROTO_IP, OPT_PORT_RANGE, (int)range), -EPERM);
	CHECK_INT(set_option(stray, SOL_SOCKET, SO_BINDTOIFINDEX, 1), -EPERM);
	CHECK_INT(refused(m, VSV_A, GATE_SOCKET) - before, 2);
	/* It takes a port by an error, before any hook; the port is its alone. */
	CHECK_INT(do_sendto(stray, NULL, 0, NULL), -EDESTADDRREQ);
	(void)name_of(stray, 0, &port);
	CHECK(port != 0);
	CHECK_INT(set_option(stray, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	psv = udp(m, PSV, AF_INET);
	CHECK_INT(set_option(psv, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	CHECK_INT(do_bind(psv, "0.0.0.0", port), -EADDRINUSE);
	CHECK_INT(do_sendto(client, "192.0.2.11", port, NULL), 0);
	CHECK_INT(do_recv(stray, 20, host, &port), -EAGAIN);
	/* The control: asked for before a bind, the options work. */
	stray = udp(m, VSV_A, AF_INET);
	CHECK_INT(set_option(stray, SOL_SOCKET, SO_REUSEPORT, 1), 0);
	CHECK_INT(do_bind(stray, "192.0.2.11", PORT + 7), 0);
	stray = udp(m, VSV_A, AF_INET);
	CHECK_INT(do_bind(stray, "192.0.2.11", PORT + 7), -EADDRINUSE);
	CHECK_INT(set_option(stray, SOL_SOCKET, SO_REUSEPORT, 1), 0);
	CHECK_INT(do_bind(stray, "192.0.2.11", PORT + 7), 0);
}

TEST(gate_stray)
{
	machine_test(stray_body);
}

static void discovery_body(struct machine *m)
{
	static const char *const groups[] = { "192.0.2.255", "224.0.0.251", "239.255.255.250", "ff02::fb", "ff02::c" };
	static const char *const others[] = { "255.255.255.255", "224.0.0.1", "ff02::1", "ff05::c" };
	struct gate_config c = m->config[VSV_A];
	char host[64];
	uint16_t port;
	int b, first = -1;

	for (int on = 0; on <= 1; on++) {
		c.discovery = on ? GATE_DISCOVERY_ALL : 0;
		CHECK_INT(gate_set(m->bpf_dir, &c, NULL), 0);
		for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
			int family = strchr(groups[i], ':') ? AF_INET6 : AF_INET;
			int fd = udp(m, VSV_A, family);

			CHECK_INT(set_option(fd, SOL_SOCKET, SO_BROADCAST, 1), 0);
			if (family == AF_INET6)
				CHECK_INT(set_option(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, 2), 0);
			CHECK_INT(do_bind(fd, groups[i], PORT), on ? 0 : -EADDRNOTAVAIL);
			if (on) /* bound to a group, connect would take the Psv's address */
				CHECK_INT(do_connect(fd, family == AF_INET ? "192.0.2.100" : "2001:db8::100", PORT),
					  -EADDRNOTAVAIL);
			if (on && i == 0)
				first = fd;
			fd = udp(m, VSV_A, family);
			CHECK_INT(set_option(fd, SOL_SOCKET, SO_BROADCAST, 1), 0);
			CHECK_INT(do_sendto(fd, groups[i], PORT, NULL), on ? 0 : -EPERM);
		}
		for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
			int fd = udp(m, VSV_A, strchr(others[i], ':') ? AF_INET6 : AF_INET);

			CHECK_INT(set_option(fd, SOL_SOCKET, SO_BROADCAST, 1), 0);
			CHECK_INT(do_bind(fd, others[i], PORT), -EADDRNOTAVAIL);
			CHECK_INT(do_sendto(fd, others[i], PORT, NULL), -EPERM);
		}
	}
	/* The broadcast address is every Vsv's of that subnet: the first keeps it from nobody, and both hear it. */
	c = m->config[VSV_B];
	c.discovery = GATE_DISCOVERY_ALL;
	CHECK_INT(gate_set(m->bpf_dir, &c, NULL), 0);
	CHECK_INT(set_option(first, SOL_SOCKET, SO_REUSEADDR, 0), 0);
	b = udp_bound(m, VSV_B, "192.0.2.255", PORT);
	while (do_recv(first, 20, host, &port) == 0)
		;
	while (do_recv(b, 20, host, &port) == 0)
		;
	c.id = 0;
	CHECK_INT(set_option(b, SOL_SOCKET, SO_BROADCAST, 1), 0);
	{
		int client = udp(m, CLIENT, AF_INET);

		CHECK_INT(set_option(client, SOL_SOCKET, SO_BROADCAST, 1), 0);
		CHECK_INT(do_sendto(client, "192.0.2.255", PORT, NULL), 0);
	}
	CHECK_INT(do_recv(first, 1000, host, &port), 0);
	CHECK_INT(do_recv(b, 1000, host, &port), 0);
	/* What a socket on the broadcast address sends has an own source. */
	{
		int client = udp_bound(m, CLIENT, "192.0.2.100", PORT);

		CHECK_INT(do_sendto(b, "192.0.2.100", PORT, NULL), 0);
		CHECK_INT(do_recv(client, 1000, host, &port), 0);
		CHECK_STR(host, "192.0.2.21");
	}
}

TEST(gate_discovery)
{
	machine_test(discovery_body);
}

static int tcp_listener(struct machine *m, enum place p, const char *host, uint16_t port)
{
	int fd = machine_socket(m, p, strchr(host, ':') ? AF_INET6 : AF_INET, SOCK_STREAM, 0);

	CHECK(fd >= 0);
	CHECK_INT(do_bind(fd, host, port), 0);
	CHECK_INT(do_listen(fd), 0);
	return fd;
}

/* A connection inside one Vsv by its loopback; both ends see loopback addresses. */
static void check_loopback(struct machine *m, int at, const char *to, uint16_t port, const char *peer_seen)
{
	int fd = machine_socket(m, VSV_A, strchr(to, ':') ? AF_INET6 : AF_INET, SOCK_STREAM, 0), conn;
	char peer[64];

	CHECK_INT(do_connect(fd, to, port), 0);
	conn = do_accept(at, 1000, peer);
	CHECK(conn >= 0);
	CHECK_STR(peer, peer_seen);
	CHECK_STR(name_of(conn, 1, NULL), peer_seen);
	CHECK_STR(name_of(conn, 0, NULL), peer_seen);
	CHECK_STR(name_of(fd, 1, NULL), to);
	CHECK_STR(name_of(fd, 0, NULL), to);
	(void)close(fd);
	(void)close(conn);
}

/* The same of a client that bound its port before, as those of RPC do: it had to be given an own address then. */
static void check_loopback_bound(struct machine *m, int at, const char *from, const char *to, const char *peer_seen)
{
	int fd = machine_socket(m, VSV_A, strchr(to, ':') ? AF_INET6 : AF_INET, SOCK_STREAM, 0), conn;
	char peer[64];

	CHECK_INT(do_bind(fd, from, 0), 0);
	CHECK_INT(do_connect(fd, to, PORT + 1), 0);
	conn = do_accept(at, 1000, peer);
	CHECK(conn >= 0);
	CHECK_STR(peer, peer_seen);
	CHECK_STR(name_of(conn, 1, NULL), peer_seen);
	(void)close(fd);
	(void)close(conn);
}

static int tcp_try(struct machine *m, enum place p, const char *to, uint16_t port)
{
	int r, fd = machine_socket(m, p, strchr(to, ':') ? AF_INET6 : AF_INET, SOCK_STREAM, 0);

	r = do_connect(fd, to, port);
	(void)close(fd);
	return r;
}

static void loopback_body(struct machine *m)
{
	int psv4 = tcp_listener(m, PSV, "127.0.0.1", PORT), psv6 = tcp_listener(m, PSV, "::1", PORT);
	int a4, a6, wild;

	CHECK(psv4 >= 0 && psv6 >= 0);
	CHECK_INT(tcp_try(m, PSV, "127.0.0.1", PORT), 0);
	CHECK_INT(tcp_try(m, PSV, "::1", PORT), 0);
	CHECK_INT(tcp_try(m, VSV_A, "127.0.0.1", PORT), -ECONNREFUSED);
	CHECK_INT(tcp_try(m, VSV_A, "::1", PORT), -ECONNREFUSED);
	CHECK_INT(tcp_try(m, VSV_A, "::ffff:127.0.0.1", PORT), -ECONNREFUSED);
	CHECK_INT(tcp_try(m, VSV_A, "0.0.0.0", PORT), -ECONNREFUSED);
	a4 = tcp_listener(m, VSV_A, "127.0.0.1", PORT);
	a6 = tcp_listener(m, VSV_A, "::1", PORT);
	CHECK_STR(name_of(a4, 0, NULL), "127.0.0.1");
	CHECK_STR(name_of(a6, 0, NULL), "::1");
	check_loopback(m, a4, "127.0.0.1", PORT, "127.0.0.1");
	check_loopback(m, a4, "::ffff:127.0.0.1", PORT, "127.0.0.1");
	check_loopback(m, a6, "::1", PORT, "::1");
	wild = tcp_listener(m, VSV_A, "::", PORT + 1);
	check_loopback(m, wild, "127.0.0.1", PORT + 1, "::ffff:127.0.0.1");
	check_loopback(m, wild, "::1", PORT + 1, "::1");
	check_loopback_bound(m, wild, "0.0.0.0", "127.0.0.1", "::ffff:127.0.0.1");
	/* Nobody else comes there, by either name. */
	CHECK_INT(tcp_try(m, VSV_B, "127.0.0.1", PORT), -ECONNREFUSED);
	CHECK_INT(tcp_try(m, VSV_B, "127.200.0.1", PORT), -EPERM);
	CHECK_INT(tcp_try(m, VSV_B, "fd76:6e61:73::1", PORT), -EPERM);
	CHECK_INT(tcp_try(m, PSV, "127.200.0.1", PORT), -ECONNREFUSED);
	CHECK_INT(tcp_try(m, PSV, "fd76:6e61:73::1", PORT), 0); /* its source is that address itself: the Psv may */
	CHECK_INT(tcp_try(m, CLIENT, "192.0.2.11", PORT), -ECONNREFUSED);
	CHECK_INT(tcp_try(m, VSV_A, "192.0.2.11", PORT + 1), 0);
}

TEST(gate_loopback)
{
	machine_test(loopback_body);
}

static void loopback_udp_body(struct machine *m)
{
	int at4 = udp_bound(m, VSV_A, "127.0.0.1", PORT), at6 = udp_bound(m, VSV_A, "::1", PORT);
	int psv = udp_bound(m, PSV, "127.0.0.1", PORT + 1), fd;
	char host[64];
	uint16_t port;

	check_exchange(udp(m, VSV_A, AF_INET), "127.0.0.1", PORT, at4, "127.0.0.1");
	check_exchange(udp(m, VSV_A, AF_INET6), "::1", PORT, at6, "::1");
	check_exchange(udp(m, VSV_A, AF_INET6), "::ffff:127.0.0.1", PORT, at4, "127.0.0.1");
	fd = udp(m, VSV_A, AF_INET);
	CHECK_INT(do_connect(fd, "127.0.0.1", PORT), 0);
	CHECK_INT(do_sendto(fd, NULL, 0, NULL), 0);
	CHECK_INT(do_recv(at4, 1000, host, &port), 0);
	CHECK_STR(host, "127.0.0.1");
	CHECK_INT(do_sendto(udp(m, VSV_A, AF_INET), "127.0.0.1", PORT + 1, NULL), 0);
	CHECK_INT(do_recv(psv, 20, host, &port), -EAGAIN);
	CHECK_INT(do_sendto(udp(m, VSV_B, AF_INET), "127.0.0.1", PORT, NULL), 0);
	CHECK_INT(do_recv(at4, 20, host, &port), -EAGAIN);
}

TEST(gate_loopback_udp)
{
	machine_test(loopback_udp_body);
}
