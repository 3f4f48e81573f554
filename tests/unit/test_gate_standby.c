/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who connects to a port whose listener closed a moment ago gets no answer, and the next listener's when there is one. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gate/gate.h"
#include "gate/gate_shared.h"
#include "test.h"
#include "test_gate.h"

enum { PORT = 4470, NEVER = 4471, SILENCE_MS = 300, AGAIN_MS = 20 * 1000 };

static int stream(struct machine *m, enum place p, int family)
{
	int fd = machine_socket(m, p, family, SOCK_STREAM, 0);

	CHECK(fd >= 0);
	return fd;
}

static int listener(struct machine *m, int family, const char *host)
{
	int fd = stream(m, VSV_A, family);

	CHECK_INT(set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	CHECK_INT(do_bind(fd, host, PORT), 0);
	CHECK_INT(do_listen(fd), 0);
	return fd;
}

/* What PID 1 has (init_standby.c). */
static void standby(struct machine *m, int family, const char *loopback)
{
	int fd = stream(m, VSV_A, family), guest = stream(m, VSV_A, family);

	CHECK_INT(do_bind(fd, loopback, GATE_STANDBY_PORT), 0);
	CHECK(listen(fd, 0) == 0);
	CHECK_INT(do_connect(guest, loopback, GATE_STANDBY_PORT), 0);
}

/* Begins to connect from the client; the answer comes with answer(). */
static int ask(struct machine *m, const char *host, uint16_t port)
{
	int fd = stream(m, CLIENT, strchr(host, ':') ? AF_INET6 : AF_INET);

	CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
	CHECK_INT(do_connect(fd, host, port), -EINPROGRESS);
	return fd;
}

static int answer(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int error = EIO;
	socklen_t len = sizeof(error);

	if (poll(&p, 1, ms) == 0)
		return -EAGAIN;
	CHECK(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0);
	return -error;
}

static int refusal(struct machine *m, const char *host, uint16_t port)
{
	int r, fd = stream(m, CLIENT, strchr(host, ':') ? AF_INET6 : AF_INET);

	r = do_connect(fd, host, port);
	(void)close(fd);
	return r;
}

static void check_silence(struct machine *m, int family, const char *bound, const char *host)
{
	int fd = listener(m, family, bound), client;

	CHECK_INT(refusal(m, host, PORT), 0);
	(void)close(fd);
	client = ask(m, host, PORT);
	CHECK_INT(answer(client, SILENCE_MS), -EAGAIN);
	/* A port on which nobody listened is as closed as ever. */
	CHECK_INT(refusal(m, host, NEVER), -ECONNREFUSED);
	fd = listener(m, family, bound);
	CHECK_INT(answer(client, AGAIN_MS), 0);
	(void)close(client);
	(void)close(fd);
}

static void standby_body(struct machine *m)
{
	(void)close(listener(m, AF_INET, "0.0.0.0"));
	CHECK_INT(refusal(m, "192.0.2.12", PORT), -ECONNREFUSED);
	standby(m, AF_INET, "127.0.0.1");
	standby(m, AF_INET6, "::1");
	check_silence(m, AF_INET, "0.0.0.0", "192.0.2.12");
	check_silence(m, AF_INET, "192.0.2.11", "192.0.2.11");
	check_silence(m, AF_INET6, "::", "192.0.2.11");
	check_silence(m, AF_INET6, "::", "2001:db8::12");
	/* The neighbour's ports are its own. */
	CHECK_INT(refusal(m, "192.0.2.21", PORT), -ECONNREFUSED);
}

TEST(gate_standby)
{
	machine_test(standby_body);
}
