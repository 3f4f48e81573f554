/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/err.h"
#include "psv/net.h"
#include "test.h"
#include "test_net_hosts.h"

enum { PORT = 4480 };

static socklen_t name(const char *text, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;
	struct sockaddr_in *four = (struct sockaddr_in *)ret;

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons(port);
		return sizeof(*four);
	}
	CHECK(inet_pton(AF_INET6, text, &six->sin6_addr) == 1);
	six->sin6_family = AF_INET6;
	six->sin6_port = htons(port);
	return sizeof(*six);
}

static int bound(const char *text, int type, uint16_t port)
{
	struct sockaddr_storage a;
	socklen_t len = name(text, port, &a);
	int fd = socket(a.ss_family, type | SOCK_CLOEXEC, 0), one = 1;

	CHECK(fd >= 0);
	CHECK(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0);
	CHECK(bind(fd, (struct sockaddr *)&a, len) == 0);
	return fd;
}

struct pair {
	int listener, client, server;
};

/* A connection to that address from another one. */
static struct pair connection(const char *to, const char *from)
{
	struct pair p = { .listener = bound(to, SOCK_STREAM, PORT) };
	struct sockaddr_storage a;
	socklen_t len = name(to, PORT, &a);

	CHECK(listen(p.listener, 1) == 0);
	p.client = bound(from, SOCK_STREAM, 0);
	CHECK(connect(p.client, (struct sockaddr *)&a, len) == 0);
	p.server = accept4(p.listener, NULL, NULL, SOCK_CLOEXEC);
	CHECK(p.server >= 0);
	return p;
}

static int error_of(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT) < 0 ? errno : 0;
}

TEST(net_sockets_on_an_address_end)
{
	struct ipaddr gone[20];
	struct pair four, mapped, six, other;
	struct err e = { 0 };
	int udp, udp_other, r;

	hosts_begin();
	(void)host_new();
	ip("address add 2001:db8::2/128 dev lo nodad");
	host_settle();
	four = connection("127.0.0.2", "127.0.0.9");
	mapped = connection("::ffff:127.0.0.3", "::ffff:127.0.0.9");
	six = connection("2001:db8::2", "::1");
	other = connection("127.0.0.20", "127.0.0.9");
	udp = bound("127.0.0.2", SOCK_DGRAM, PORT);
	udp_other = bound("127.0.0.9", SOCK_DGRAM, PORT);
	/* More than one request holds, ours at both ends. */
	for (size_t i = 0; i < 20; i++)
		gone[i] = address("127.0.0.200/32").addr;
	gone[0] = address("127.0.0.2/32").addr;
	gone[1] = address("2001:db8::2/128").addr;
	gone[19] = address("127.0.0.3/32").addr;
	r = net_sockets_end(gone, 20, false, &e);
	if (r > 0)
		SKIP("this kernel has no CONFIG_INET_DIAG_DESTROY");
	CHECK_INT(r, 0);
	CHECK_INT(error_of(four.server), ECONNABORTED);
	CHECK_INT(error_of(four.client), ECONNRESET);
	CHECK_INT(error_of(mapped.client), ECONNRESET);
	CHECK_INT(error_of(six.client), ECONNRESET);
	CHECK_INT(error_of(udp), ECONNABORTED);
	CHECK(accept(four.listener, NULL, NULL) < 0 && errno == EINVAL); /* listens no more */
	CHECK_INT(error_of(other.client), EAGAIN);
	CHECK_INT(error_of(other.server), EAGAIN);
	CHECK_INT(error_of(udp_other), EAGAIN);
	/* Nothing stands there any more. */
	CHECK_INT(net_sockets_end(gone, 20, false, &e), 0);
	CHECK_INT(net_sockets_end(gone, 0, false, &e), 0);
}

/* fill: until the other end, who reads nothing, takes no more. */
static void fill(int fd)
{
	static const char bytes[65536];

	while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	CHECK(errno == EAGAIN);
}

static int pending_error(int fd)
{
	socklen_t len = sizeof(int);
	int error = -1;

	CHECK(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0);
	return error;
}

/* What no process has any more: each family's, and by one look at all connections. */
TEST(net_sockets_that_nobody_has)
{
	struct ipaddr gone[3];
	struct pair four, six, held;
	struct err e = { 0 };

	hosts_begin();
	(void)host_new();
	ip("address add 2001:db8::2/128 dev lo nodad");
	host_settle();
	gone[0] = address("127.0.0.2/32").addr;
	gone[1] = address("2001:db8::2/128").addr;
	gone[2] = address("127.0.0.3/32").addr;
	four = connection("127.0.0.2", "127.0.0.9");
	six = connection("2001:db8::2", "::1");
	held = connection("127.0.0.20", "127.0.0.9");
	fill(four.server);
	fill(six.server);
	(void)close(four.server);
	(void)close(six.server);
	if (net_sockets_end(gone, 3, true, &e) > 0)
		SKIP("this kernel has no CONFIG_INET_DIAG_DESTROY");
	CHECK_INT(pending_error(four.client), ECONNRESET);
	CHECK_INT(pending_error(six.client), ECONNRESET);
	CHECK_INT(error_of(held.server), EAGAIN);
	CHECK_INT(net_sockets_end(gone, 3, true, &e), 0);
}
