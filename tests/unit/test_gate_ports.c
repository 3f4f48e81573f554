/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Psv begins to listen on the wildcard address after a Vsv was told that nobody does: that is remembered for some milliseconds. */
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
