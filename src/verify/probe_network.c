/* SPDX-License-Identifier: GPL-2.0-or-later */
/* (a) addresses, connections, datagrams and their sources. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "verify/prober.h"

#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78
#endif

enum { CONNECT_MS = 400, ANSWER_MS = 400 };

typedef int address_function(const union address *a);

/* each: the worse answer of all addresses. */
static int each(const struct addresses *list, address_function *f)
{
	int r = ANSWER_NOTHING;

	for (unsigned i = 0; i < list->n && r != 0; i++)
		r = worse(r, f(&list->v[i]));
	return r;
}

/* every: 0 only if it succeeds for each address. */
static int every(const struct addresses *list, address_function *f)
{
	int r = ANSWER_NOTHING;

	for (unsigned i = 0; i < list->n && (r == 0 || r == ANSWER_NOTHING); i++)
		r = f(&list->v[i]);
	return r;
}

static int new_socket(const union address *a, int type)
{
	int fd = socket(a->sa.sa_family, type | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

static union address with_port(const union address *a, uint16_t port)
{
	union address r = *a;

	if (address_is4(a))
		r.in4.sin_port = htons(port);
	else
		r.in6.sin6_port = htons(port);
	return r;
}

static uint16_t port_of(const union address *a)
{
	return ntohs(address_is4(a) ? a->in4.sin_port : a->in6.sin6_port);
}

static bool to_mapped(const union address *a, union address *ret)
{
	if (!address_is4(a))
		return false;
	memset(ret, 0, sizeof(*ret));
	ret->in6.sin6_family = AF_INET6;
	ret->in6.sin6_port = a->in4.sin_port;
	ret->in6.sin6_addr.s6_addr[10] = ret->in6.sin6_addr.s6_addr[11] = 0xff;
	memcpy(&ret->in6.sin6_addr.s6_addr[12], &a->in4.sin_addr, 4);
	return true;
}

/* ---- binding ---- */

static int bind_with(const union address *a, int type, int level, int option)
{
	int one = 1, fd = new_socket(a, type), r;

	if (fd < 0)
		return fd;
	r = option ? outcome(setsockopt(fd, level, option, &one, sizeof(one))) : 0;
	if (r == 0)
		r = outcome(bind(fd, &a->sa, address_len(a)));
	(void)close(fd);
	return r;
}

static int free_tcp(const union address *a)
{
	union address b = with_port(a, 0);

	return bind_with(&b, SOCK_STREAM, 0, 0);
}
static int free_udp(const union address *a)
{
	union address b = with_port(a, 0);

	return bind_with(&b, SOCK_DGRAM, 0, 0);
}
static int free_mapped(const union address *a)
{
	union address b;

	return to_mapped(a, &b) ? bind_with(&b, SOCK_STREAM, 0, 0) : ANSWER_NOTHING;
}
static int freebind(const union address *a, int type)
{
	return address_is4(a) ? bind_with(a, type, IPPROTO_IP, IP_FREEBIND) : bind_with(a, type, IPPROTO_IPV6, IPV6_FREEBIND);
}
static int freebind_tcp(const union address *a) { return freebind(a, SOCK_STREAM); }
static int freebind_udp(const union address *a) { return freebind(a, SOCK_DGRAM); }
static int transparent(const union address *a)
{
	return address_is4(a) ? bind_with(a, SOCK_STREAM, IPPROTO_IP, IP_TRANSPARENT) :
				bind_with(a, SOCK_STREAM, IPPROTO_IPV6, IPV6_TRANSPARENT);
}

int bind_own(const struct target *t) { return every(&t->own, free_tcp); }
int bind_own_udp(const struct target *t) { return every(&t->own, free_udp); }
int bind_own_mapped(const struct target *t)
{
	for (unsigned i = 0; i < t->own.n; i++)
		if (address_is4(&t->own.v[i]))
			return free_mapped(&t->own.v[i]);
	return ANSWER_NOTHING;
}
int bind_tcp(const struct target *t) { return each(&t->own, free_tcp); }
int bind_udp(const struct target *t) { return each(&t->own, free_udp); }
int bind_mapped(const struct target *t) { return each(&t->own, free_mapped); }
int bind_freebind(const struct target *t) { return each(&t->own, freebind_tcp); }
int bind_freebind_udp(const struct target *t) { return each(&t->own, freebind_udp); }
int bind_transparent(const struct target *t) { return each(&t->own, transparent); }
int bind_nobody(const struct target *t) { return worse(each(&t->absent, freebind_tcp), each(&t->absent, freebind_udp)); }

/* At the very place where another listens. */
static int share(const union address *a)
{
	return worse(bind_with(a, SOCK_STREAM, SOL_SOCKET, SO_REUSEPORT), bind_with(a, SOCK_STREAM, SOL_SOCKET, SO_REUSEADDR));
}
int port_share(const struct target *t) { return each(&t->tcp, share); }

/* ---- connecting ---- */

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

static int connect_from(const union address *a, const union address *from)
{
	int fd = new_socket(a, SOCK_STREAM | SOCK_NONBLOCK), r;

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

int connect_peer(const struct target *t) { return each(&t->tcp, connect_to); }
int connect_mapped(const struct target *t) { return each(&t->tcp, connect_to_mapped); }

/* let_go: whatever the network then says, the gate did not refuse it. */
static int let_go(int r)
{
	return r == -ENETUNREACH || r == -EHOSTUNREACH || r == -ETIMEDOUT || r == -ECONNREFUSED || r == -EINPROGRESS ? 0 : r;
}
int deny_connect(const struct target *t) { return let_go(each(&t->deny, connect_to)); }

static uint16_t tried_port;
static int connect_port(const union address *a)
{
	union address b = with_port(a, tried_port);

	return connect_to(&b);
}

int connect_own_port(const struct target *t)
{
	tried_port = t->wild_port;
	return tried_port ? each(&self.own, connect_port) : ANSWER_NOTHING;
}

/* listen_at: on any port; *ret_port says which.  A descriptor or -errno. */
static int listen_at(const union address *a, bool v6_only, uint16_t *ret_port)
{
	union address b = *a;
	socklen_t len = sizeof(b);
	int one = 1, fd = new_socket(a, SOCK_STREAM), r = 0;

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
int connect_own(const struct target *t) { return every(&t->own, listen_and_connect); }

static union address wildcard(int family)
{
	union address a;

	memset(&a, 0, sizeof(a));
	a.sa.sa_family = (sa_family_t)family;
	return a;
}

static union address loopback(int family, uint8_t last)
{
	union address a = wildcard(family);

	if (family == AF_INET)
		a.in4.sin_addr.s_addr = htonl(0x7f000000u | last);
	else
		a.in6.sin6_addr.s6_addr[15] = 1;
	return a;
}

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
		if (judge == every && r != 0)
			return r;
		answer = worse(answer, r);
	}
	return answer;
}
int wildcard_own(const struct target *t) { return on_wildcard(&t->own, every); }
int wildcard_peer(const struct target *t) { return on_wildcard(&t->own, each); }

/* listen() without bind(): nobody may reach what then stands on the wildcard address of the machine.  In a stack of its own
 * it is the Vsv's. */
int listen_unbound(const struct target *t)
{
	union address any = wildcard(AF_INET), here = loopback(AF_INET, 1);
	socklen_t len = sizeof(any);
	int fd, r;

	if (t->private)
		return ANSWER_NOTHING;
	fd = new_socket(&any, SOCK_STREAM);
	if (fd < 0)
		return fd;
	r = outcome(listen(fd, 4));
	if (r == 0)
		r = outcome(getsockname(fd, &any.sa, &len));
	if (r == 0) {
		tried_port = port_of(&any);
		r = worse(each(&t->own, connect_port), connect_port(&here));
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

/* ---- datagrams ---- */

/* send_from: one datagram, with a source chosen by packet information if there is one. */
static int send_from(int fd, const union address *to, const union address *source, const char *text)
{
	union {
		char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
		struct cmsghdr align;
	} control;
	union address name = *to;
	struct iovec iov = { .iov_base = (char *)(uintptr_t)text, .iov_len = strlen(text) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (port_of(to)) {
		m.msg_name = &name;
		m.msg_namelen = address_len(to);
	}
	memset(&control, 0, sizeof(control));
	if (source && address_is4(source)) {
		struct in_pktinfo info = { .ipi_spec_dst = source->in4.sin_addr };

		m.msg_control = control.bytes;
		m.msg_controllen = CMSG_SPACE(sizeof(info));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_len = CMSG_LEN(sizeof(info));
		c->cmsg_level = IPPROTO_IP;
		c->cmsg_type = IP_PKTINFO;
		memcpy(CMSG_DATA(c), &info, sizeof(info));
	} else if (source) {
		struct in6_pktinfo info = { .ipi6_addr = source->in6.sin6_addr };

		m.msg_control = control.bytes;
		m.msg_controllen = CMSG_SPACE(sizeof(info));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_len = CMSG_LEN(sizeof(info));
		c->cmsg_level = IPPROTO_IPV6;
		c->cmsg_type = IPV6_PKTINFO;
		memcpy(CMSG_DATA(c), &info, sizeof(info));
	}
	return outcome(sendmsg(fd, &m, MSG_DONTWAIT));
}

static const char *sent_text;
static int send_to(const union address *a)
{
	int fd = new_socket(a, SOCK_DGRAM), one = 1, r;

	if (fd < 0)
		return fd;
	(void)setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof(one));
	r = send_from(fd, a, NULL, sent_text);
	(void)close(fd);
	return r;
}

int send_peer(const struct target *t)
{
	int r;

	sent_text = self.token;
	r = each(&t->udp, send_to);
	return r == 0 && t->is_psv ? ANSWER_SENT : r;
}
int deny_send(const struct target *t)
{
	sent_text = "vnas";
	return let_go(each(&t->deny, send_to));
}

enum { NO_FAMILY = -1000000 }; /* no errno */

/* receiver: bound to an own address of that family; *ret_at with its port.  A descriptor, -errno, or NO_FAMILY. */
static int receiver(int family, union address *ret_at)
{
	for (unsigned i = 0; i < self.own.n; i++) {
		socklen_t len = sizeof(*ret_at);
		int fd;

		if (self.own.v[i].sa.sa_family != family)
			continue;
		*ret_at = self.own.v[i];
		fd = new_socket(ret_at, SOCK_DGRAM);
		if (fd >= 0 && (bind(fd, &ret_at->sa, address_len(ret_at)) < 0 || getsockname(fd, &ret_at->sa, &len) < 0)) {
			int r = -errno;

			(void)close(fd);
			return r;
		}
		return fd;
	}
	return NO_FAMILY;
}

/* with_source: to a receiver of one's own, from that source. */
static int with_source(const union address *source, bool connected)
{
	union address at, unnamed;
	int to = receiver(source->sa.sa_family, &at), fd, r = 0;

	if (to < 0)
		return to == NO_FAMILY ? ANSWER_NOTHING : to;
	fd = new_socket(&at, SOCK_DGRAM);
	if (fd < 0) {
		(void)close(to);
		return fd;
	}
	if (connected)
		r = outcome(connect(fd, &at.sa, address_len(&at)));
	unnamed = with_port(&at, 0);
	if (r == 0)
		r = send_from(fd, connected ? &unnamed : &at, source, "vnas");
	if (r == 0 && source != NULL) {
		struct pollfd p = { .fd = to, .events = POLLIN };

		/* Where it does not arrive the send was accepted all the same. */
		(void)poll(&p, 1, ANSWER_MS);
	}
	(void)close(fd);
	(void)close(to);
	return r;
}
static int chosen(const union address *a) { return with_source(a, false); }
static int chosen_connected(const union address *a) { return with_source(a, true); }

int send_own(const struct target *t) { return every(&t->own, chosen); }
int source_chosen(const struct target *t) { return each(&t->own, chosen); }
int source_connected(const struct target *t) { return each(&t->own, chosen_connected); }

/* ---- groups and broadcast ---- */

/* What each needs of the configuration; 0: it is for nobody. */
static const struct {
	uint8_t bytes[16];
	unsigned needs;
} groups6[] = {
	{ { 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfb }, DISCOVERY_MDNS },
	{ { 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0c }, DISCOVERY_WSD },
	{ { 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 3 }, 0 },
};
static const struct {
	uint32_t word;
	unsigned needs;
} groups4[] = { { 0xe00000fb, DISCOVERY_MDNS }, { 0xeffffffa, DISCOVERY_WSD }, { 0xef010203, 0 } };

/* groups: all but those that are allowed. */
static void groups(unsigned allowed, uint16_t port, struct addresses *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (unsigned i = 0; i < sizeof(groups4) / sizeof(*groups4); i++) {
		if (allowed & groups4[i].needs)
			continue;
		ret->v[ret->n] = wildcard(AF_INET);
		ret->v[ret->n].in4.sin_port = htons(port);
		ret->v[ret->n++].in4.sin_addr.s_addr = htonl(groups4[i].word);
	}
	for (unsigned i = 0; i < sizeof(groups6) / sizeof(*groups6); i++) {
		if (allowed & groups6[i].needs)
			continue;
		ret->v[ret->n] = wildcard(AF_INET6);
		ret->v[ret->n].in6.sin6_port = htons(port);
		memcpy(ret->v[ret->n++].in6.sin6_addr.s6_addr, groups6[i].bytes, 16);
	}
}

/* What every member of the subnet hears, 255.255.255.255, is never a Vsv's to bind. */
static void limited(uint16_t port, struct addresses *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->n = 1;
	ret->v[0] = wildcard(AF_INET);
	ret->v[0].in4.sin_port = htons(port);
	ret->v[0].in4.sin_addr.s_addr = htonl(0xffffffff);
}

int bind_group(const struct target *t)
{
	struct addresses list;

	groups(t->discovery, 0, &list);
	return each(&list, free_udp);
}
int bind_broadcast(const struct target *t)
{
	struct addresses list;
	int r;

	limited(0, &list);
	r = each(&list, free_udp);
	return t->discovery & DISCOVERY_NETBIOS ? r : worse(each(&t->broadcast, free_udp), r);
}
int send_group(const struct target *t)
{
	struct addresses list;

	sent_text = "";
	groups(t->discovery, 9, &list);
	return each(&list, send_to);
}
int send_broadcast(const struct target *t)
{
	struct addresses list;
	int r;

	sent_text = "";
	limited(9, &list);
	r = each(&list, send_to);
	return t->discovery & DISCOVERY_NETBIOS ? r : worse(each(&t->broadcast, send_to), r);
}

/* The kernel then asks for the group on that interface, and lets its packets come. */
static int join_at(const union address *a, uint32_t ifindex)
{
	struct group_req req = { .gr_interface = ifindex };
	int fd = new_socket(a, SOCK_DGRAM), r;

	if (fd < 0)
		return fd;
	memcpy(&req.gr_group, a, address_len(a));
	r = outcome(setsockopt(fd, a->sa.sa_family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6, MCAST_JOIN_GROUP, &req, sizeof(req)));
	(void)close(fd);
	return r;
}
static int join_somewhere(const union address *a)
{
	enum { LOOPBACK_INDEX = 1 };

	return worse(join_at(a, 0), join_at(a, LOOPBACK_INDEX));
}
int join_group(const struct target *t)
{
	struct addresses list;

	groups(t->discovery, 0, &list);
	return each(&list, join_somewhere);
}

/* Bound to a group, then connected, it would leave with the Psv's address. */
int source_group(const struct target *t)
{
	struct addresses list;
	union address any = wildcard(AF_INET);
	uint16_t port;
	int r = ANSWER_NOTHING, fd;

	if (t->own.n == 0 || !address_is4(&t->own.v[0]))
		return ANSWER_NOTHING;
	fd = listen_at(&any, false, &port);
	if (fd < 0)
		return fd;
	any = with_port(&t->own.v[0], port);
	groups(0, 0, &list);
	r = connect_from(&any, &list.v[0]);
	(void)close(fd);
	return r;
}
