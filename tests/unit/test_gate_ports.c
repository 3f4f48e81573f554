/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ports that come otherwise than by a bind: the Psv's, after a Vsv was told that nobody listens there, which is remembered for some
 * milliseconds; and those that the kernel gives a socket when it sends. */
#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

#include "test.h"
#include "test_gate.h"

enum { PORT = 4680, FORGOTTEN_US = 40000 };

static int stream(struct machine *m, enum place p)
{
	int fd = machine_socket(m, p, AF_INET, SOCK_STREAM, 0);

	CHECK(fd >= 0);
	CHECK_INT(set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	return fd;
}

/* What bind(2) says of it, on a socket of its own. */
static int bind_now(struct machine *m, const char *host)
{
	int fd = stream(m, VSV_A), r = do_bind(fd, host, PORT);

	(void)close(fd);
	return r;
}

static void later_body(struct machine *m)
{
	static const char *const hosts[] = { "192.0.2.11", "192.0.2.12", "0.0.0.0" };
	int psv = stream(m, PSV), fd, conn;
	char peer[64];
	uint16_t port;

	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		CHECK_INT(bind_now(m, hosts[i]), 0);
	CHECK_INT(do_bind(psv, "0.0.0.0", PORT), 0);
	CHECK_INT(do_listen(psv), 0);
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		/* At once the kernel may still say that it has the port, and nobody gets another's. */
		int r = bind_now(m, hosts[i]);

		CHECK(r == 0 || r == -EADDRINUSE);
	}
	(void)usleep(FORGOTTEN_US);
	fd = stream(m, VSV_A);
	CHECK_INT(do_bind(fd, "0.0.0.0", PORT), 0);
	CHECK_INT(do_listen(fd), 0);
	CHECK_STR(name_of(fd, 0, &port), "0.0.0.0");
	CHECK_INT(port, PORT);
	conn = machine_socket(m, CLIENT, AF_INET, SOCK_STREAM, 0);
	CHECK_INT(do_connect(conn, "192.0.2.12", PORT), 0);
	CHECK(do_accept(fd, 1000, peer) >= 0);
	/* That it listens is not remembered, and what a socket asked for before is not its name for good. */
	(void)close(psv);
	(void)close(fd);
	fd = stream(m, VSV_A);
	CHECK_INT(do_bind(fd, "192.0.2.11", PORT), 0);
	CHECK_INT(do_listen(fd), 0);
	psv = stream(m, PSV);
	CHECK_INT(do_bind(psv, "0.0.0.0", PORT), -EADDRINUSE);
}

TEST(gate_psv_port_comes_later)
{
	machine_test(later_body);
}

/* An answer comes to a socket that has its address by a bind without a port, or by a connection that is over. */
static void without_port_body(struct machine *m)
{
	const struct sockaddr none = { .sa_family = AF_UNSPEC };
	char host[64];
	uint16_t port, back;

	for (unsigned i = 0; i < 4; i++) {
		int family = i % 2 ? AF_INET6 : AF_INET;
		const char *own = i % 2 ? "2001:db8::12" : "192.0.2.12", *client = i % 2 ? "2001:db8::100" : "192.0.2.100";
		int fd = machine_socket(m, VSV_A, family, SOCK_DGRAM, 0), at = machine_socket(m, CLIENT, family, SOCK_DGRAM, 0);

		CHECK_INT(do_bind(at, client, PORT), 0);
		if (i < 2) {
			CHECK_INT(set_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1), 0);
			CHECK_INT(do_bind(fd, own, 0), 0);
		} else {
			CHECK_INT(do_connect(fd, client, PORT), 0);
			CHECK(connect(fd, &none, sizeof(none)) == 0);
		}
		for (unsigned k = 0; k < 2; k++) {
			CHECK_INT(do_sendto(fd, client, PORT, NULL), 0);
			CHECK_INT(do_recv(at, 1000, host, &port), 0);
			CHECK_INT(do_sendto(at, host, port, NULL), 0);
			CHECK_INT(do_recv(fd, 1000, host, &back), 0);
			/* The end of a connection takes the port that the kernel chose, and the next send gets another. */
			CHECK_INT(do_connect(fd, client, PORT), 0);
			CHECK(connect(fd, &none, sizeof(none)) == 0);
		}
		(void)close(fd);
		(void)close(at);
	}
}

TEST(gate_udp_without_a_port_at_first)
{
	machine_test(without_port_body);
}
