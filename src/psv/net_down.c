/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Taking all of a Vsv's addresses away: those that are known, and without knowing them whatever leads to its table. */
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/netlink.h"
#include "lib/str.h"
#include "psv/net.h"
#include "psv/net_private.h"

enum { ATTR_IFA_PROTO = 11 /* see net_address.c */ };

static const uint8_t families[] = { AF_INET, AF_INET6 };

void net_sources_free(struct net_sources *s)
{
	free(s->v);
}

static int on_rule(const struct nlmsghdr *h, void *arg)
{
	const struct fib_rule_hdr *rule = nl_payload(h);
	const struct nlattr *a[FRA_MAX + 1];
	struct net_sources *s = arg;
	struct ipaddr from = { .family = rule->family };

	netlink_attrs(h, sizeof(*rule), a, FRA_MAX);
	if (!a[FRA_TABLE] || nl_attr_u32(a[FRA_TABLE]) != s->table || !a[FRA_SRC] ||
	    nl_attr_len(a[FRA_SRC]) != ipaddr_len(&from))
		return 0;
	memcpy(from.bytes, nl_attr_data(a[FRA_SRC]), ipaddr_len(&from));
	s->v = xrealloc(s->v, s->n + 1, sizeof(*s->v));
	s->v[s->n++] = from;
	return 0;
}

int net_rules_of(struct netlink *nl, uint8_t family, struct net_sources *ret, struct err *err)
{
	size_t before = ret->n;
	struct netlink_msg m;
	int r = 1;

	for (int i = 0; i < NETLINK_DUMP_TRIES && r == 1; i++) {
		struct fib_rule_hdr *rule = netlink_begin(&m, RTM_GETRULE, NLM_F_DUMP, sizeof(*rule));

		rule->family = family;
		ret->n = before;
		r = netlink_talk(nl, &m.h, on_rule, ret, err);
	}
	if (r == -EAFNOSUPPORT || r == -EOPNOTSUPP) {
		err_clear(err);
		return 0;
	}
	return r < 0 ? err_wrap(err, r, "cannot list routing rules") : 0;
}

struct route_dump {
	uint32_t table, metric; /* metric 0: any */
	struct strbuf found;    /* whole messages */
};

static int on_table_route(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *a[RTA_MAX + 1];
	struct route_dump *d = arg;

	netlink_attrs(h, sizeof(struct rtmsg), a, RTA_MAX);
	if (!a[RTA_TABLE] || nl_attr_u32(a[RTA_TABLE]) != d->table)
		return 0;
	if (d->metric && (!a[RTA_PRIORITY] || nl_attr_u32(a[RTA_PRIORITY]) != d->metric))
		return 0;
	strbuf_add(&d->found, h, h->nlmsg_len);
	return 0;
}

int net_flush_routes(struct netlink *nl, uint8_t family, uint32_t table, uint32_t metric, struct err *err)
{
	_cleanup_strbuf_ struct strbuf found = { 0 };
	struct route_dump d = { .table = table, .metric = metric };
	struct netlink_msg m;
	int r = 1;

	for (int i = 0; i < NETLINK_DUMP_TRIES && r == 1; i++) {
		struct rtmsg *rt = netlink_begin(&m, RTM_GETROUTE, NLM_F_DUMP, sizeof(*rt));

		rt->rtm_family = family;
		nl_attr_put_u32(&m.h, RTA_TABLE, table);
		d.found.len = 0;
		r = netlink_talk(nl, &m.h, on_table_route, &d, err);
	}
	found = d.found;
	/* -ENOENT: there is no such table. */
	if (r == -ENOENT || r == -EAFNOSUPPORT || r == -EOPNOTSUPP) {
		err_clear(err);
		return 0;
	}
	if (r < 0)
		return err_wrap(err, r, "cannot list routes");
	for (size_t at = 0; at < found.len;) {
		struct nlmsghdr h;

		memcpy(&h, found.buf + at, sizeof(h));
		if (h.nlmsg_len <= sizeof(m)) {
			memcpy(&m, found.buf + at, h.nlmsg_len);
			m.h.nlmsg_type = RTM_DELROUTE;
			m.h.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
			r = net_take(nl, &m, err);
			if (r < 0)
				return err_wrap(err, r, "cannot take a route away");
		}
		at += h.nlmsg_len;
	}
	return 0;
}

/* Finds on which interfaces the addresses are that rules name: as whole addresses with our protocol number only. */
struct address_dump {
	const struct net_sources *wanted;
	struct held {
		struct ipaddr addr;
		uint32_t ifindex;
	} *v;
	size_t n;
};

static void address_dump_free(struct address_dump *d)
{
	free(d->v);
}

static int on_address(const struct nlmsghdr *h, void *arg)
{
	const struct ifaddrmsg *ifa = nl_payload(h);
	const struct nlattr *a[ATTR_IFA_PROTO + 1];
	struct ipaddr addr = { .family = ifa->ifa_family };
	struct address_dump *d = arg;
	const struct nlattr *which;

	netlink_attrs(h, sizeof(*ifa), a, ATTR_IFA_PROTO);
	which = a[IFA_LOCAL] ? a[IFA_LOCAL] : a[IFA_ADDRESS];
	if (!which || nl_attr_len(which) != ipaddr_len(&addr) || ifa->ifa_prefixlen != ipaddr_len(&addr) * 8 ||
	    !a[ATTR_IFA_PROTO] || nl_attr_u8(a[ATTR_IFA_PROTO]) != NET_PROTOCOL)
		return 0;
	memcpy(addr.bytes, nl_attr_data(which), ipaddr_len(&addr));
	for (size_t i = 0; i < d->wanted->n; i++) {
		if (!ipaddr_equal(&addr, &d->wanted->v[i]))
			continue;
		d->v = xrealloc(d->v, d->n + 1, sizeof(*d->v));
		d->v[d->n++] = (struct held){ .addr = addr, .ifindex = ifa->ifa_index };
	}
	return 0;
}

static int take_addresses(struct netlink *nl, const struct net_sources *wanted, struct err *err)
{
	_cleanup_(address_dump_free) struct address_dump d = { .wanted = wanted };
	struct netlink_msg m;
	int r = 1;

	for (int i = 0; i < NETLINK_DUMP_TRIES && r == 1; i++) {
		(void)netlink_begin(&m, RTM_GETADDR, NLM_F_DUMP, sizeof(struct ifaddrmsg));
		d.n = 0;
		r = netlink_talk(nl, &m.h, on_address, &d, err);
	}
	for (size_t i = 0; i < d.n && r >= 0; i++)
		r = net_take_address(nl, &d.v[i].addr, d.v[i].ifindex, err);
	return r < 0 ? r : 0;
}

int net_down_all(uint32_t id, struct err *err)
{
	_cleanup_netlink_ struct netlink nl = { .fd = -1 };
	_cleanup_(net_sources_free) struct net_sources s = { .table = NET_TABLE_BASE + id };
	int r;

	r = netlink_open(NETLINK_ROUTE, &nl, err);
	for (size_t i = 0; i < sizeof(families) && r >= 0; i++)
		r = net_rules_of(&nl, families[i], &s, err);
	if (r >= 0 && s.n)
		r = take_addresses(&nl, &s, err);
	for (size_t i = 0; i < s.n && r >= 0; i++)
		r = net_take_rule(&nl, &s.v[i], s.table, err);
	for (size_t i = 0; i < sizeof(families) && r >= 0; i++)
		r = net_flush_routes(&nl, families[i], s.table, 0, err);
	if (r >= 0)
		r = net_flush_routes(&nl, AF_INET, RT_TABLE_LOCAL, s.table, err);
	return r < 0 ? err_wrap(err, r, "routing table %u", s.table) : 0;
}

/* take_known: 1: it was where it should be, with its rule; 0: something was not there.  An address that is elsewhere keeps its rule:
 * by that it is found. */
static int take_known(struct netlink *nl, const struct conf_address *a, uint32_t ifindex, uint32_t table, struct err *err)
{
	int address = net_take_address(nl, &a->addr, ifindex, err), rule, r;

	if (address <= 0)
		return address;
	rule = net_take_rule(nl, &a->addr, table, err);
	if (rule < 0)
		return rule;
	r = net_take_broadcast(nl, a, ifindex, table, err);
	return r < 0 ? r : rule;
}

int net_down_known(const struct conf_address *a, const uint32_t *ifindex, size_t n, uint32_t id, struct err *err)
{
	_cleanup_netlink_ struct netlink nl = { .fd = -1 };
	uint32_t table = NET_TABLE_BASE + id;
	bool all = n > 0;
	int r = netlink_open(NETLINK_ROUTE, &nl, err), first = 0;

	if (r < 0)
		return r;
	/* One that stays does not keep the others. */
	for (size_t i = 0; i < n; i++) {
		char text[IPADDR_STR_MAX];

		r = take_known(&nl, &a[i], ifindex[i], table, first < 0 ? NULL : err);
		if (r < 0 && first == 0)
			first = err_wrap(err, r, "cannot take %s away", ipaddr_str(&a[i].addr, text));
		all = all && r > 0;
	}
	if (!all) {
		r = net_down_all(id, first < 0 ? NULL : err);
		return first < 0 ? first : r;
	}
	for (size_t i = 0; i < sizeof(families) && r >= 0; i++)
		r = net_flush_routes(&nl, families[i], table, 0, err);
	return r < 0 ? err_wrap(err, r, "routing table %u", table) : 0;
}
