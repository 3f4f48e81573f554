/* SPDX-License-Identifier: GPL-2.0-or-later */
/* (a) connections, listeners and the loopback. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "gate/gate_shared.h"
#include "verify/probe_net.h"

#ifndef SO_BINDTOIFINDEX
#define SO_BINDTOIFINDEX 62
#endif

enum { CONNECT_MS = 400, PORT_DISCARD = 9 };

static int finish_connect(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int error = 0;

	if (poll(&p, 1, CONNECT_MS) != 1)
		return -ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;
	return -error;
}

int connect_from(const union address *a, const union address *from)
{
	int fd = socket_for(a, SOCK_STREAM | SOCK_NONBLOCK), r;

	if (fd < 0)
		return fd;
	r = from ? outcome(bind(fd, &from->sa, address_len(from))) : 0;
	if (r == 0)
		r = outcome(connect(fd, &a->sa, address_len(a)));
	if (r == -EINPROGRESS)
		r = finish_connect(fd);
	(void)close(fd);
	return r;
}

static int connect_to(const union address *a) { return connect_from(a, NULL); }
static int connect_to_mapped(const union address *a)
{
	union address b;

	return to_mapped(a, &b) ? connect_to(&b) : ANSWER_NOTHING;
}

int connect_peer(const struct target *t) { return each_address(&t->tcp, connect_to); }
int connect_mapped(const struct target *t) { return each_address(&t->tcp, connect_to_mapped); }

int let_go(int r)
{
	return r == -ENETUNREACH || r == -EHOSTUNREACH || r == -ETIMEDOUT || r == -ECONNREFUSED || r == -EINPROGRESS ? 0 : r;
}
int deny_connect(const struct target *t) { return let_go(each_address(&t->deny, connect_to)); }

static uint16_t tried_port;
static int connect_port(const union address *a)
{
	union address b = with_port(a, tried_port);

	return connect_to(&b);
}

int connect_own_port(const struct target *t)
{
	tried_port = t->wild_port;
	return tried_port ? each_address(&self.own, connect_port) : ANSWER_NOTHING;
}

int listen_at(const union address *a, bool v6_only, uint16_t *ret_port)
{
	union address b = *a;
	socklen_t len = sizeof(b);
	int one = 1, fd = socket_for(a, SOCK_STREAM), r = 0;

	if (fd < 0)
		return fd;
	if (v6_only)
		r = outcome(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)));
	if (r == 0)
		r = outcome(bind(fd, &a->sa, address_len(a)));
	if (r == 0)
		r = outcome(listen(fd, 16));
	if (r == 0)
		r = outcome(getsockname(fd, &b.sa, &len));
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	*ret_port = port_of(&b);
	return fd;
}

static int listen_and_connect(const union address *a)
{
	union address at = with_port(a, 0);
	uint16_t port;
	int fd = listen_at(&at, false, &port), r;

	if (fd < 0)
		return fd;
	at = with_port(a, port);
	r = connect_to(&at);
	(void)close(fd);
	return r;
}
int connect_own(const struct target *t) { return every_address(&t->own, listen_and_connect); }

/* on_wildcard: listens on the wildcard address of each family, and tries each address of that family in the list. */
static int on_wildcard(const struct addresses *list, int (*judge)(const struct addresses *list, address_function *f))
{
	static const int families[] = { AF_INET, AF_INET6 };
	int answer = ANSWER_NOTHING;

	for (unsigned i = 0; i < 2; i++) {
		union address any = wildcard(families[i]);
		struct addresses some = { .n = 0 };
		int fd, r;

		for (unsigned k = 0; k < list->n; k++)
			if (list->v[k].sa.sa_family == families[i])
				some.v[some.n++] = list->v[k];
		if (some.n == 0)
			continue;
		fd = listen_at(&any, families[i] == AF_INET6, &tried_port);
		if (fd < 0)
			return fd;
		r = judge(&some, connect_port);
		(void)close(fd);
		if (judge == every_address && r != 0)
			return r;
		answer = worse(answer, r);
	}
	return answer;
}
int wildcard_own(const struct target *t) { return on_wildcard(&t->own, every_address); }
int wildcard_peer(const struct target *t) { return on_wildcard(&t->own, each_address); }

/* is_shut: -EPERM: it is bound to an interface that does not exist. */
static int is_shut(int fd)
{
	enum { NO_INTERFACE = 0x7fffffff };
	int at = 0;
	socklen_t len = sizeof(at);

	if (getsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &at, &len) < 0)
		return -errno;
	return at == NO_INTERFACE ? -EPERM : 0;
}

/* listen() without bind(): nobody may reach what then stands on the wildcard address of the machine.  In a stack of its own
 * it is the Vsv's. */
int listen_unbound(const struct target *t)
{
	union address any = wildcard(AF_INET), here = loopback(AF_INET, 1);
	socklen_t len = sizeof(any);
	int fd, r;

	if (t->private)
		return ANSWER_NOTHING;
	fd = socket_for(&any, SOCK_STREAM);
	if (fd < 0)
		return fd;
	r = outcome(listen(fd, 4));
	if (r == 0)
		r = outcome(getsockname(fd, &any.sa, &len));
	if (r == 0)
		r = is_shut(fd);
	if (r == -EPERM) {
		tried_port = port_of(&any);
		r = worse(each_address(&t->own, connect_port), connect_port(&here));
	}
	(void)close(fd);
	return r;
}

int loopback_own(const struct target *t)
{
	union address four = loopback(AF_INET, 1), six = loopback(AF_INET6, 1);
	int r = listen_and_connect(&four);

	(void)t;
	return r == 0 ? listen_and_connect(&six) : r;
}

int loopback_psv(const struct target *t)
{
	union address a;
	int r;

	if (!t->loopback_port)
		return ANSWER_NOTHING;
	tried_port = t->loopback_port;
	a = loopback(AF_INET, 1);
	r = connect_port(&a);
	a = loopback(AF_INET, 2);
	r = worse(r, connect_port(&a));
	a = loopback(AF_INET6, 1);
	return worse(r, connect_port(&a));
}

/* The gate asks nobody but itself for a datagram socket, which sends nothing when it connects. */
static int connect_datagram(const union address *a)
{
	int fd = socket_for(a, SOCK_DGRAM), r;

	if (fd < 0)
		return fd;
	r = let_go(outcome(connect(fd, &a->sa, address_len(a))));
	(void)close(fd);
	return r;
}

/* The rest of 127.0.0.0/8, and what of the hidden loopback networks is nobody's.  In a stack of its own they are the Vsv's. */
int loopback_nobody(const struct target *t)
{
	union address rest = loopback(AF_INET, 2), four = wildcard(AF_INET), six = wildcard(AF_INET6);
	const uint32_t words[4] = { htonl(GATE_HIDDEN6_0), htonl(GATE_HIDDEN6_1), htonl(1), 0 };
	int r;

	if (t->private)
		return ANSWER_NOTHING;
	rest = with_port(&rest, PORT_DISCARD);
	four.in4.sin_addr.s_addr = htonl(GATE_HIDDEN4);
	four = with_port(&four, PORT_DISCARD);
	memcpy(&six.in6.sin6_addr, words, sizeof(words));
	six = with_port(&six, PORT_DISCARD);
	r = worse(connect_datagram(&rest), connect_datagram(&four));
	return worse(r, connect_datagram(&six));
}

/* Which of the Psv's links it would be on, no hook is shown.  Without one the kernel says EINVAL, which is past the gate. */
int connect_link_local(const struct target *t)
{
	union address a = wildcard(AF_INET6);
	int fd, r;

	if (t->private)
		return ANSWER_NOTHING;
	a.in6.sin6_addr.s6_addr[0] = 0xfe;
	a.in6.sin6_addr.s6_addr[1] = 0x80;
	a.in6.sin6_addr.s6_addr[15] = 1;
	a = with_port(&a, PORT_DISCARD);
	fd = socket_for(&a, SOCK_STREAM | SOCK_NONBLOCK);
	if (fd < 0)
		return fd == -EAFNOSUPPORT ? ANSWER_NOTHING : fd;
	r = let_go(past(connect(fd, &a.sa, address_len(&a)), EINVAL));
	(void)close(fd);
	return r;
}
