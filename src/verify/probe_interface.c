/* SPDX-License-Identifier: GPL-2.0-or-later */
/* (a) the interfaces of others: leaving by one, and seeing what stands on it. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include "verify/probe_net.h"

enum { DISCARD_PORT = 9 };

/* ---- by another interface ---- */

struct interfaces {
	const struct addresses *own;
	unsigned v[64], n;
};

static void interface_add(struct interfaces *i, unsigned index)
{
	if (i->n < sizeof(i->v) / sizeof(*i->v))
		i->v[i->n++] = index;
}
static bool is_own_row(const struct nlmsghdr *h, const void *wanted)
{
	struct interfaces *i = (struct interfaces *)(uintptr_t)wanted;

	if (route_is_address(h, i->own))
		interface_add(i, ((const struct ifaddrmsg *)NLMSG_DATA(h))->ifa_index);
	return false;
}
static bool is_up_row(const struct nlmsghdr *h, const void *wanted)
{
	const struct ifinfomsg *m = NLMSG_DATA(h);

	if (m->ifi_flags & IFF_UP && !(m->ifi_flags & IFF_LOOPBACK))
		interface_add((struct interfaces *)(uintptr_t)wanted, (unsigned)m->ifi_index);
	return false;
}
static bool has(const struct interfaces *i, unsigned index)
{
	for (unsigned k = 0; k < i->n; k++)
		if (i->v[k] == index)
			return true;
	return false;
}

/* other_of: nobody's address of the same family. */
static bool other_of(const struct target *t, const union address *a, union address *ret)
{
	for (unsigned i = 0; i < t->absent.n; i++) {
		if (t->absent.v[i].sa.sa_family != a->sa.sa_family)
			continue;
		*ret = with_port(&t->absent.v[i], DISCARD_PORT);
		return true;
	}
	return false;
}

/* A datagram for nobody, with an own source, by each interface that none of the own addresses stands on. */
int source_interface(const struct target *t)
{
	struct interfaces own = { .own = &t->own }, up = { .n = 0 };
	int r = ANSWER_NOTHING, dumped = route_dump(RTM_GETADDR, is_own_row, &own);

	if (dumped == -ENOENT)
		dumped = route_dump(RTM_GETLINK, is_up_row, &up);
	if (dumped != -ENOENT)
		return dumped;
	for (unsigned k = 0; k < up.n; k++) {
		for (unsigned i = 0; !has(&own, up.v[k]) && i < t->own.n; i++) {
			const union address *a = &t->own.v[i];
			union address to;
			int fd;

			if (!other_of(t, a, &to))
				continue;
			fd = socket_for(a, SOCK_DGRAM);
			r = worse(r, fd < 0 ? fd : send_from(fd, &to, a, up.v[k], "vnas"));
			(void)close(fd);
		}
	}
	return r;
}

struct broadcasts {
	const struct addresses *own;
	struct addresses found;
};

/* is_others: the kernel's broadcast routes, which it looks at before all rules. */
static bool is_others(const struct nlmsghdr *h, const void *wanted)
{
	struct broadcasts *b = (struct broadcasts *)(uintptr_t)wanted;
	const struct rtmsg *m = NLMSG_DATA(h);
	unsigned left = (unsigned)(h->nlmsg_len - NLMSG_LENGTH(0));
	union address a = wildcard(AF_INET);

	if (m->rtm_family != AF_INET || m->rtm_type != RTN_BROADCAST)
		return false;
	for (const struct rtattr *r = route_after(m, sizeof(*m), &left); RTA_OK(r, left); r = route_after(r, r->rta_len, &left))
		if (r->rta_type == RTA_DST && RTA_PAYLOAD(r) == 4)
			memcpy(&a.in4.sin_addr, RTA_DATA(r), 4);
	for (unsigned i = 0; i < b->own->n; i++)
		if (b->own->v[i].in4.sin_addr.s_addr == a.in4.sin_addr.s_addr)
			return false;
	if (b->found.n < ADDRESSES_MAX)
		b->found.v[b->found.n++] = a;
	return false;
}

/* The broadcast addresses of networks that are none of its own, by whatever link they are.  In a stack of its own there are no others. */
int send_broadcast_others(const struct target *t)
{
	struct broadcasts b = { .own = &t->broadcast };
	int r;

	if (t->private)
		return ANSWER_NOTHING;
	r = route_dump(RTM_GETROUTE, is_others, &b);
	return r == -ENOENT ? each_address(&b.found, send_empty) : r;
}

/* ---- what stands on them ---- */

struct links {
	const struct target *of;
	struct interfaces found;
};

static bool is_link_of(const struct nlmsghdr *h, const void *wanted)
{
	struct links *l = (struct links *)(uintptr_t)wanted;

	if (route_is_link(h, l->of))
		interface_add(&l->found, (unsigned)((const struct ifinfomsg *)NLMSG_DATA(h))->ifi_index);
	return false;
}

static bool is_neighbour(const struct nlmsghdr *h, const void *wanted)
{
	return has(wanted, (unsigned)((const struct ndmsg *)NLMSG_DATA(h))->ndm_ifindex);
}

static bool is_route(const struct nlmsghdr *h, const void *wanted)
{
	const struct rtmsg *m = NLMSG_DATA(h);
	unsigned left = (unsigned)(h->nlmsg_len - NLMSG_LENGTH(0)), index;

	for (const struct rtattr *a = route_after(m, sizeof(*m), &left); RTA_OK(a, left); a = route_after(a, a->rta_len, &left)) {
		if (a->rta_type != RTA_OIF || RTA_PAYLOAD(a) != sizeof(index))
			continue;
		memcpy(&index, RTA_DATA(a), sizeof(index));
		return has(wanted, index);
	}
	return false;
}

/* see_on_links: rows on the links of the Psv's. Where the links are seen and no row is, there is none to see. */
static int see_on_links(const struct target *t, uint16_t type, row_function *is_it)
{
	struct links l = { .of = t };
	int r;

	if (!t->n_links)
		return ANSWER_NOTHING;
	r = route_dump(RTM_GETLINK, is_link_of, &l);
	if (r != -ENOENT || !l.found.n)
		return r;
	r = route_dump(type, is_it, &l.found);
	return r == -ENOENT ? ANSWER_NOTHING : r;
}

int see_neighbours(const struct target *t) { return see_on_links(t, RTM_GETNEIGH, is_neighbour); }
int see_routes(const struct target *t) { return see_on_links(t, RTM_GETROUTE, is_route); }

static bool is_rule(const struct nlmsghdr *h, const void *wanted)
{
	const struct fib_rule_hdr *m = NLMSG_DATA(h);
	const struct addresses *list = wanted;
	unsigned left = (unsigned)(h->nlmsg_len - NLMSG_LENGTH(0));

	for (const struct rtattr *a = route_after(m, sizeof(*m), &left); RTA_OK(a, left); a = route_after(a, a->rta_len, &left)) {
		for (unsigned i = 0; a->rta_type == FRA_SRC && i < list->n; i++) {
			const union address *w = &list->v[i];
			const void *bytes = address_is4(w) ? (const void *)&w->in4.sin_addr : &w->in6.sin6_addr;

			if (m->family == w->sa.sa_family && memcmp(RTA_DATA(a), bytes, address_is4(w) ? 4 : 16) == 0)
				return true;
		}
	}
	return false;
}

/* The rules that lead another Vsv's traffic to its routes. */
int see_rules(const struct target *t)
{
	return t->own.n ? route_dump(RTM_GETRULE, is_rule, &t->own) : ANSWER_NOTHING;
}
