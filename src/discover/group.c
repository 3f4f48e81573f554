/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "discover/group.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/cleanup.h"

#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif

union address {
	struct sockaddr sa;
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;
};

static socklen_t to_socket(const struct ipaddr *a, uint16_t port, uint32_t ifindex, union address *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->sa.sa_family = a->family;
	if (a->family == AF_INET) {
		ret->in4.sin_port = htons(port);
		memcpy(&ret->in4.sin_addr, a->bytes, sizeof(ret->in4.sin_addr));
		return sizeof(ret->in4);
	}
	ret->in6.sin6_port = htons(port);
	memcpy(&ret->in6.sin6_addr, a->bytes, sizeof(ret->in6.sin6_addr));
	if (IN6_IS_ADDR_LINKLOCAL(&ret->in6.sin6_addr) || IN6_IS_ADDR_MC_LINKLOCAL(&ret->in6.sin6_addr))
		ret->in6.sin6_scope_id = ifindex;
	return sizeof(ret->in6);
}

static bool set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

/* *_ALL: a socket on a group else hears it on every interface on which anybody of the machine has joined it. */
static bool prepare_four(int fd, const struct group *g, const struct group_socket *s)
{
	struct ip_mreqn m = { .imr_ifindex = (int)s->ifindex };

	memcpy(&m.imr_address, s->addr.bytes, sizeof(m.imr_address));
	memcpy(&m.imr_multiaddr, g->four.bytes, sizeof(m.imr_multiaddr));
	if (!set(fd, IPPROTO_IP, IP_MULTICAST_TTL, g->hops) || !set(fd, IPPROTO_IP, IP_TTL, g->hops))
		return false;
	return s->own || (set(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0) &&
			  setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &m, sizeof(m)) == 0 &&
			  setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)) == 0);
}

static bool prepare_six(int fd, const struct group *g, const struct group_socket *s)
{
	struct ipv6_mreq m = { .ipv6mr_interface = s->ifindex };

	memcpy(&m.ipv6mr_multiaddr, g->six.bytes, sizeof(m.ipv6mr_multiaddr));
	if (!set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) || !set(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, g->hops) ||
	    !set(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, g->hops))
		return false;
	return s->own || (set(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0) &&
			  set(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, (int)s->ifindex) &&
			  setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &m, sizeof(m)) == 0);
}

static int open_one(const struct group *g, struct group_socket *s)
{
	bool four = s->addr.family == AF_INET;
	_cleanup_close_ int fd = socket(s->addr.family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	const struct ipaddr *at = s->own ? &s->addr : four ? &g->four : &g->six;
	union address a;
	socklen_t len = to_socket(at, g->port, s->ifindex, &a);

	if (fd < 0 || !set(fd, SOL_SOCKET, SO_REUSEADDR, 1) || !(four ? prepare_four : prepare_six)(fd, g, s) ||
	    bind(fd, &a.sa, len) < 0)
		return -errno;
	s->fd = steal_fd(&fd);
	return 0;
}

static struct group_socket *find(struct group *g, const struct group_socket *like)
{
	for (size_t i = 0; i < g->n; i++) {
		struct group_socket *s = &g->sockets[i];

		if (s->own == like->own && s->ifindex == like->ifindex && s->addr.family == like->addr.family &&
		    (!s->own || ipaddr_equal(&s->addr, &like->addr)))
			return s;
	}
	return NULL;
}

/* want: that such a socket is there. */
static int want(struct group *g, struct group_socket like)
{
	struct group_socket *s = find(g, &like);
	int r;

	if (s) {
		if (!s->kept)
			s->addr = like.addr; /* the source can have become another one */
		s->kept = true;
		return 0;
	}
	if (g->n == GROUP_SOCKETS)
		return -E2BIG;
	r = open_one(g, &like);
	if (r < 0)
		return r;
	like.kept = true;
	g->sockets[g->n++] = like;
	return 0;
}

static void close_others(struct group *g)
{
	size_t kept = 0;

	for (size_t i = 0; i < g->n; i++) {
		if (g->sockets[i].kept)
			g->sockets[kept++] = g->sockets[i];
		else
			(void)close(g->sockets[i].fd);
	}
	g->n = kept;
}

int group_sync(struct group *g, const struct site *s)
{
	int first = 0;

	for (size_t i = 0; i < g->n; i++)
		g->sockets[i].kept = false;
	for (size_t i = 0; i < s->n_addresses; i++) {
		const struct site_address *a = &s->addresses[i];
		struct group_socket like = { .ifindex = a->ifindex, .addr = a->addr };
		int r = a->ifindex ? want(g, like) : -ENODEV;

		like.own = true;
		if (a->ifindex && g->own_too && r == 0)
			r = want(g, like);
		if (first == 0)
			first = r;
	}
	close_others(g);
	return first;
}

void group_close(struct group *g)
{
	for (size_t i = 0; i < g->n; i++)
		(void)close(g->sockets[i].fd);
	g->n = 0;
}

static void add_source(struct msghdr *m, const struct group_socket *s)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);

	if (s->addr.family == AF_INET) {
		struct in_pktinfo info = { .ipi_ifindex = (int)s->ifindex };

		memcpy(&info.ipi_spec_dst, s->addr.bytes, sizeof(info.ipi_spec_dst));
		*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(info)), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO };
		memcpy(CMSG_DATA(c), &info, sizeof(info));
		m->msg_controllen = CMSG_SPACE(sizeof(info));
	} else {
		struct in6_pktinfo info = { .ipi6_ifindex = s->ifindex };

		memcpy(&info.ipi6_addr, s->addr.bytes, sizeof(info.ipi6_addr));
		*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(info)), .cmsg_level = IPPROTO_IPV6, .cmsg_type = IPV6_PKTINFO };
		memcpy(CMSG_DATA(c), &info, sizeof(info));
		m->msg_controllen = CMSG_SPACE(sizeof(info));
	}
}

int group_send(const struct group *g, uint32_t ifindex, uint8_t family, const struct group_peer *to, const void *msg, size_t len)
{
	const struct group_socket like = { .ifindex = ifindex, .addr.family = family };
	const struct group_socket *s = find((struct group *)(uintptr_t)g, &like);
	const struct ipaddr *group = family == AF_INET ? &g->four : &g->six;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	} control = { .bytes = { 0 } };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)msg, .iov_len = len };
	union address a;
	struct msghdr m = { .msg_name = &a, .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			    .msg_controllen = sizeof(control) };

	if (!s)
		return -ENODEV;
	m.msg_namelen = to_socket(to ? &to->addr : group, to ? to->port : g->port, ifindex, &a);
	add_source(&m, s);
	return sendmsg(s->fd, &m, 0) < 0 ? -errno : 0;
}

int group_receive(const struct group_socket *s, void *buf, size_t size, struct group_peer *ret_from)
{
	union address a;
	socklen_t len = sizeof(a);
	ssize_t n;

	memset(&a, 0, sizeof(a));
	n = recvfrom(s->fd, buf, size, MSG_TRUNC, &a.sa, &len);
	if (n < 0)
		return -errno;
	if ((size_t)n > size)
		return -EMSGSIZE;
	*ret_from = (struct group_peer){ .addr.family = (uint8_t)a.sa.sa_family };
	if (a.sa.sa_family == AF_INET) {
		ret_from->port = ntohs(a.in4.sin_port);
		memcpy(ret_from->addr.bytes, &a.in4.sin_addr, sizeof(a.in4.sin_addr));
	} else {
		ret_from->port = ntohs(a.in6.sin6_port);
		memcpy(ret_from->addr.bytes, &a.in6.sin6_addr, sizeof(a.in6.sin6_addr));
	}
	return (int)n;
}
