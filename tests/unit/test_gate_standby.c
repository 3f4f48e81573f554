/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who connects to a port whose listener closed a moment ago gets no answer, and the next listener's when there is one. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
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

/* The network namespace of the test is one of a private stack here. */
static void become_inside(struct machine *m)
{
	struct gate_config *c = &m->config[VSV_A];
	int ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	c->own_stack = true;
	CHECK_INT(gate_set(m->bpf_dir, c, NULL), 0);
	for (int i = 0; i < 2; i++)
		CHECK_INT(gate_inside_up(m->bpf_dir, c->id, ns, if_nametoindex("psv0"), NULL), 0);
	(void)close(ns);
}

static bool is_pinned(const struct machine *m)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/inside-%u", m->bpf_dir, m->config[VSV_A].id);
	return access(path, F_OK) == 0;
}

/* As on any host: another listener on that port, at another address, leaves no doubt. */
static void check_other_listener(struct machine *m)
{
	int one = listener(m, AF_INET, "192.0.2.11"), two = listener(m, AF_INET, "192.0.2.12");

	(void)close(one);
	CHECK_INT(refusal(m, "192.0.2.11", PORT), -ECONNREFUSED);
	CHECK_INT(refusal(m, "192.0.2.12", PORT), 0);
	(void)close(two);
}

static void check_datagrams(struct machine *m)
{
	int fd = machine_socket(m, VSV_A, AF_INET, SOCK_DGRAM, 0), client = machine_socket(m, CLIENT, AF_INET, SOCK_DGRAM, 0);
	char host[64];

	CHECK_INT(do_bind(fd, "0.0.0.0", PORT), 0);
	CHECK_INT(do_sendto(client, "192.0.2.11", PORT, NULL), 0);
	CHECK_INT(do_recv(fd, AGAIN_MS, host, NULL), 0);
	CHECK_STR(host, "192.0.2.100");
	(void)close(fd);
	(void)close(client);
}

static void standby_inside_body(struct machine *m)
{
	become_inside(m);
	CHECK(is_pinned(m));
	(void)close(listener(m, AF_INET, "0.0.0.0"));
	CHECK_INT(refusal(m, "192.0.2.12", PORT), -ECONNREFUSED);
	standby(m, AF_INET, "127.0.0.1");
	standby(m, AF_INET6, "::1");
	check_silence(m, AF_INET, "0.0.0.0", "192.0.2.12");
	check_silence(m, AF_INET, "192.0.2.11", "192.0.2.11");
	check_silence(m, AF_INET6, "::", "192.0.2.11");
	check_silence(m, AF_INET6, "::", "2001:db8::12");
	check_other_listener(m);
	check_datagrams(m);
	(void)close(listener(m, AF_INET, "0.0.0.0"));
	CHECK_INT(gate_clear(m->bpf_dir, m->config[VSV_A].id, NULL), 0);
	CHECK(!is_pinned(m));
	CHECK_INT(refusal(m, "192.0.2.12", PORT), -ECONNREFUSED);
}

TEST(gate_standby_inside)
{
	machine_test(standby_inside_body);
}

/* A number that another one has: clients are refused as anywhere. */
static void number_taken_body(struct machine *m)
{
	int ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	CHECK_INT(gate_inside_up(m->bpf_dir, 2, ns, if_nametoindex("psv0"), NULL), 0);
	become_inside(m);
	CHECK(!is_pinned(m));
	(void)close(ns);
}

TEST(gate_standby_number_taken)
{
	machine_test(number_taken_body);
}
