/* SPDX-License-Identifier: GPL-2.0-or-later */
/* (a) datagrams and their sources, groups and broadcast. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "verify/probe_net.h"

enum { ANSWER_MS = 400, LOOPBACK_INDEX = 1, PORT_DISCARD = 9 };

/* send_with: one datagram with ancillary data of one kind; value NULL: without. */
static int send_with(int fd, const union address *to, const char *text, int level, int type, const void *value, size_t size)
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
	if (value) {
		m.msg_control = control.bytes;
		m.msg_controllen = (socklen_t)CMSG_SPACE(size);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_len = (socklen_t)CMSG_LEN(size);
		c->cmsg_level = level;
		c->cmsg_type = type;
		memcpy(CMSG_DATA(c), value, size);
	}
	return outcome(sendmsg(fd, &m, MSG_DONTWAIT));
}

int send_from(int fd, const union address *to, const union address *source, unsigned ifindex, const char *text)
{
	struct in_pktinfo four = { .ipi_ifindex = (int)ifindex };
	struct in6_pktinfo six = { .ipi6_ifindex = ifindex };

	if (!source)
		return send_with(fd, to, text, 0, 0, NULL, 0);
	if (address_is4(source)) {
		four.ipi_spec_dst = source->in4.sin_addr;
		return send_with(fd, to, text, IPPROTO_IP, IP_PKTINFO, &four, sizeof(four));
	}
	six.ipi6_addr = source->in6.sin6_addr;
	return send_with(fd, to, text, IPPROTO_IPV6, IPV6_PKTINFO, &six, sizeof(six));
}

static const char *sent_text;
/* An address without a port is sent to where nobody minds. */
static int send_to(const union address *to)
{
	union address with = with_port(to, PORT_DISCARD);
	const union address *a = port_of(to) ? to : &with;
	int fd = socket_for(a, SOCK_DGRAM), one = 1, r;

	if (fd < 0)
		return fd;
	(void)setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof(one));
	r = send_from(fd, a, NULL, 0, sent_text);
	(void)close(fd);
	return r;
}

int send_empty(const union address *to)
{
	sent_text = "";
	return send_to(to);
}

int send_peer(const struct target *t)
{
	int r;

	sent_text = self.token;
	r = each_address(&t->udp, send_to);
	return r == 0 && t->is_psv ? ANSWER_SENT : r;
}
int deny_send(const struct target *t)
{
	sent_text = "vnas";
	return let_go(each_address(&t->deny, send_to));
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
		fd = socket_for(ret_at, SOCK_DGRAM);
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
	fd = socket_for(&at, SOCK_DGRAM);
	if (fd < 0) {
		(void)close(to);
		return fd;
	}
	if (connected)
		r = outcome(connect(fd, &at.sa, address_len(&at)));
	unnamed = with_port(&at, 0);
	if (r == 0)
		r = send_from(fd, connected ? &unnamed : &at, source, 0, "vnas");
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

int send_own(const struct target *t) { return every_address(&t->own, chosen); }
int source_chosen(const struct target *t) { return each_address(&t->own, chosen); }
int source_connected(const struct target *t) { return each_address(&t->own, chosen_connected); }

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

static void add_group4(struct addresses *list, uint32_t word, uint16_t port)
{
	list->v[list->n] = wildcard(AF_INET);
	list->v[list->n].in4.sin_port = htons(port);
	list->v[list->n++].in4.sin_addr.s_addr = htonl(word);
}

static void add_group6(struct addresses *list, const uint8_t bytes[16], uint16_t port)
{
	list->v[list->n] = wildcard(AF_INET6);
	list->v[list->n].in6.sin6_port = htons(port);
	memcpy(list->v[list->n++].in6.sin6_addr.s6_addr, bytes, 16);
}

/* own_groups: those that are allowed. */
static void own_groups(unsigned allowed, uint16_t port, struct addresses *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (unsigned i = 0; i < sizeof(groups4) / sizeof(*groups4); i++)
		if (allowed & groups4[i].needs)
			add_group4(ret, groups4[i].word, port);
	for (unsigned i = 0; i < sizeof(groups6) / sizeof(*groups6); i++)
		if (allowed & groups6[i].needs)
			add_group6(ret, groups6[i].bytes, port);
}

/* groups: all but those that are allowed. */
static void groups(unsigned allowed, uint16_t port, struct addresses *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (unsigned i = 0; i < sizeof(groups4) / sizeof(*groups4); i++)
		if (!(allowed & groups4[i].needs))
			add_group4(ret, groups4[i].word, port);
	for (unsigned i = 0; i < sizeof(groups6) / sizeof(*groups6); i++)
		if (!(allowed & groups6[i].needs))
			add_group6(ret, groups6[i].bytes, port);
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
	return each_address(&list, free_udp);
}
int bind_broadcast(const struct target *t)
{
	struct addresses list;
	int r;

	limited(0, &list);
	r = each_address(&list, free_udp);
	return t->discovery & DISCOVERY_NETBIOS ? r : worse(each_address(&t->broadcast, free_udp), r);
}
int send_group(const struct target *t)
{
	struct addresses list;

	sent_text = "";
	groups(t->discovery, 9, &list);
	return each_address(&list, send_to);
}
int send_broadcast(const struct target *t)
{
	struct addresses list;
	int r;

	sent_text = "";
	limited(9, &list);
	r = each_address(&list, send_to);
	return t->discovery & DISCOVERY_NETBIOS ? r : worse(each_address(&t->broadcast, send_to), r);
}

/* The kernel then asks for the group on that interface, and lets its packets come. */
static int join_at(const union address *a, uint32_t ifindex)
{
	struct group_req req = { .gr_interface = ifindex };
	int fd = socket_for(a, SOCK_DGRAM), r;

	if (fd < 0)
		return fd;
	memcpy(&req.gr_group, a, address_len(a));
	r = outcome(setsockopt(fd, a->sa.sa_family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6, MCAST_JOIN_GROUP, &req, sizeof(req)));
	(void)close(fd);
	return r;
}
static int join_somewhere(const union address *a)
{
	return worse(join_at(a, 0), join_at(a, LOOPBACK_INDEX));
}
int join_group(const struct target *t)
{
	struct addresses list;

	groups(t->discovery, 0, &list);
	return each_address(&list, join_somewhere);
}

/* A group that it may use, by a link of the machine that it has no address on.  In a stack of its own all are its own. */
static int join_loopback(const union address *a) { return join_at(a, LOOPBACK_INDEX); }
int join_interface(const struct target *t)
{
	struct addresses list;

	own_groups(t->private ? 0 : t->discovery, 0, &list);
	return each_address(&list, join_loopback);
}
static int send_by_loopback(const union address *a)
{
	const struct in_pktinfo four = { .ipi_ifindex = LOOPBACK_INDEX };
	const struct in6_pktinfo six = { .ipi6_ifindex = LOOPBACK_INDEX };
	int fd = socket_for(a, SOCK_DGRAM), r;

	if (fd < 0)
		return fd;
	r = address_is4(a) ? send_with(fd, a, "", IPPROTO_IP, IP_PKTINFO, &four, sizeof(four)) :
			     send_with(fd, a, "", IPPROTO_IPV6, IPV6_PKTINFO, &six, sizeof(six));
	(void)close(fd);
	/* The kernel has no way for such groups there: nothing was sent that anybody could judge. */
	return r == -ENETUNREACH ? ANSWER_NOTHING : r;
}
int send_interface(const struct target *t)
{
	struct addresses list;

	own_groups(t->private ? 0 : t->discovery, PORT_DISCARD, &list);
	return each_address(&list, send_by_loopback);
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
