/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Putting addresses on and taking them away: rtnetlink(7).
 *
 * Each piece is one request that only creates (NLM_F_EXCL), so asking again is free and the answer tells whether it was
 * missing.  The routes name no preferred source: they are found by `from ADDRESS`, when the source is known already, and
 * the same route then serves two addresses of one network. */
#include "psv/net.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/netlink.h"
#include "lib/str.h"
#include "psv/net_private.h"

/* IFA_PROTO: Linux 5.18; glibc 2.36's copy of the header has it, an older one may not. */
enum { ATTR_IFA_PROTO = 11 };

static uint8_t bits(const struct ipaddr *a)
{
	return (uint8_t)(ipaddr_len(a) * 8);
}

static const char *if_name(uint32_t ifindex, char buf[IF_NAMESIZE])
{
	return if_indextoname(ifindex, buf) ? buf : "(gone)";
}

int net_put(struct netlink *nl, struct netlink_msg *m, struct err *err)
{
	int r;

	m->h.nlmsg_flags |= NLM_F_CREATE | NLM_F_EXCL;
	r = netlink_talk(nl, &m->h, NULL, NULL, err);
	if (r == -EEXIST) {
		err_clear(err);
		return 0;
	}
	return r < 0 ? r : 1;
}

int net_take(struct netlink *nl, struct netlink_msg *m, struct err *err)
{
	int r = netlink_talk(nl, &m->h, NULL, NULL, err);

	if (r == -ENOENT || r == -ESRCH || r == -EADDRNOTAVAIL || r == -ENODEV || r == -EAFNOSUPPORT || r == -EOPNOTSUPP) {
		err_clear(err);
		return 0;
	}
	return r < 0 ? r : 1;
}

static void address_msg(struct netlink_msg *m, uint16_t type, const struct ipaddr *a, uint32_t ifindex, uint32_t table)
{
	struct ifaddrmsg *ifa = netlink_begin(m, type, 0, sizeof(*ifa));

	ifa->ifa_family = a->family;
	ifa->ifa_prefixlen = bits(a);
	ifa->ifa_index = ifindex;
	/* Of scope host no route's source is ever chosen, not even on an interface that has no other address.  For IPv6,
	 * where scope follows from the address, the preferred lifetime does that. */
	ifa->ifa_scope = a->family == AF_INET ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
	nl_attr_put(&m->h, IFA_LOCAL, ipaddr_len(a), a->bytes);
	/* Also when it is taken away: with it the kernel compares the prefix, and takes none of the machine's own. */
	nl_attr_put(&m->h, IFA_ADDRESS, ipaddr_len(a), a->bytes);
	if (type != RTM_NEWADDR)
		return;
	nl_attr_put_u8(&m->h, ATTR_IFA_PROTO, NET_PROTOCOL);
	/* The metric of a prefix route that a whole address has none of: here it says whose address it is, so that its end
	 * wakes one supervisor and not a thousand. */
	nl_attr_put_u32(&m->h, IFA_RT_PRIORITY, table);
	if (a->family == AF_INET6) {
		struct ifa_cacheinfo life = { .ifa_prefered = 0, .ifa_valid = UINT32_MAX };

		/* Without the kernel's duplicate detection, which would refuse to bind it for a second; and without a
		 * route to it in the main table. */
		nl_attr_put_u32(&m->h, IFA_FLAGS, IFA_F_NODAD | IFA_F_NOPREFIXROUTE);
		nl_attr_put(&m->h, IFA_CACHEINFO, sizeof(life), &life);
	}
}

int net_put_address(struct netlink *nl, const struct ipaddr *a, uint32_t ifindex, uint32_t table, struct err *err)
{
	struct netlink_msg m;

	address_msg(&m, RTM_NEWADDR, a, ifindex, table);
	return net_put(nl, &m, err);
}

int net_take_address(struct netlink *nl, const struct ipaddr *a, uint32_t ifindex, struct err *err)
{
	struct netlink_msg m;

	address_msg(&m, RTM_DELADDR, a, ifindex, 0);
	return net_take(nl, &m, err);
}

static void rule_msg(struct netlink_msg *m, uint16_t type, const struct ipaddr *from, uint32_t table)
{
	struct fib_rule_hdr *rule = netlink_begin(m, type, 0, sizeof(*rule));

	rule->family = from->family;
	rule->src_len = bits(from);
	rule->action = FR_ACT_TO_TBL;
	nl_attr_put(&m->h, FRA_SRC, ipaddr_len(from), from->bytes);
	nl_attr_put_u32(&m->h, FRA_PRIORITY, NET_RULE_PRIORITY);
	nl_attr_put_u32(&m->h, FRA_TABLE, table);
	nl_attr_put_u8(&m->h, FRA_PROTOCOL, NET_PROTOCOL);
}

struct route {
	uint8_t family;
	uint8_t type;               /* RTN_UNICAST, RTN_BROADCAST, RTN_UNREACHABLE */
	struct ipaddr dst;
	uint8_t dst_len;
	const struct ipaddr *gateway; /* or NULL: on-link, or nowhere */
	uint32_t table, metric, ifindex;
};

static void route_msg(struct netlink_msg *m, uint16_t type, const struct route *r)
{
	struct rtmsg *rt = netlink_begin(m, type, 0, sizeof(*rt));

	rt->rtm_family = r->family;
	rt->rtm_dst_len = r->dst_len;
	rt->rtm_table = RT_TABLE_UNSPEC;
	rt->rtm_protocol = NET_PROTOCOL;
	rt->rtm_type = r->type;
	/* Of an end too: who asks for hosts on the link alone (SO_DONTROUTE, MSG_DONTROUTE) is shown no route of a wider scope, and
	 * would pass by it to the Psv's own links. */
	rt->rtm_scope = r->family == AF_INET && !r->gateway ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	if (r->gateway)
		rt->rtm_flags = RTNH_F_ONLINK; /* the Psv's own tables need not know its network */
	if (r->dst_len)
		nl_attr_put(&m->h, RTA_DST, ipaddr_len(&r->dst), r->dst.bytes);
	nl_attr_put_u32(&m->h, RTA_TABLE, r->table);
	if (r->ifindex)
		nl_attr_put_u32(&m->h, RTA_OIF, r->ifindex);
	if (r->gateway)
		nl_attr_put(&m->h, RTA_GATEWAY, ipaddr_len(r->gateway), r->gateway->bytes);
	if (r->metric)
		nl_attr_put_u32(&m->h, RTA_PRIORITY, r->metric);
}

/* The routes that one address's network needs: its own, and its broadcast address.  Returns how many: each is told to the supervisors of all. */
static size_t network_routes(const struct conf_address *a, uint32_t ifindex, uint32_t table, struct route ret[2])
{
	struct route r = { .family = a->addr.family, .type = RTN_UNICAST, .dst = ipaddr_network(&a->addr, a->prefix),
			   .dst_len = a->prefix, .table = table, .ifindex = ifindex };
	size_t n = 0;

	if (a->prefix >= bits(&a->addr))
		return 0;
	ret[n++] = r;
	/* A /31 has two hosts and no broadcast address (RFC 3021). */
	if (r.family != AF_INET || a->prefix > 30)
		return n;
	/* The local table is asked before all others: a broadcast address in the Vsv's own would never be found. */
	r.type = RTN_BROADCAST;
	r.dst = ipaddr_broadcast(&a->addr, a->prefix);
	r.dst_len = 32;
	r.table = RT_TABLE_LOCAL;
	r.metric = table;
	ret[n++] = r;
	return n;
}

static const struct ipaddr *gateway_of(const struct conf_address *a, const struct ipaddr *gateways, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (gateways[i].family == a->addr.family)
			return &gateways[i];
	return NULL;
}

static bool reaches(const struct conf_address *a, const struct ipaddr *gateway)
{
	bool link_local = gateway->family == AF_INET6 && gateway->bytes[0] == 0xfe && (gateway->bytes[1] & 0xc0) == 0x80;

	return link_local || a->prefix >= bits(&a->addr) || ipaddr_in(gateway, &a->addr, a->prefix);
}

struct default_found {
	uint32_t table, ifindex;
	struct ipaddr gateway;
};

static int on_default(const struct nlmsghdr *h, void *arg)
{
	const struct rtmsg *rt = nl_payload(h);
	const struct nlattr *a[RTA_MAX + 1];
	struct default_found *d = arg;

	netlink_attrs(h, sizeof(*rt), a, RTA_MAX);
	if (!a[RTA_TABLE] || nl_attr_u32(a[RTA_TABLE]) != d->table || rt->rtm_dst_len || !a[RTA_GATEWAY] ||
	    nl_attr_len(a[RTA_GATEWAY]) != ipaddr_len(&d->gateway))
		return 0;
	memcpy(d->gateway.bytes, nl_attr_data(a[RTA_GATEWAY]), ipaddr_len(&d->gateway));
	d->ifindex = a[RTA_OIF] ? nl_attr_u32(a[RTA_OIF]) : 0;
	return 0;
}

/* Changes the default route that is there, if it is another one: a replacement that changes nothing would still be told
 * to everybody who listens, and those who put things back when told so would never rest. */
static int change_default(struct netlink *nl, const struct route *route, struct err *err)
{
	struct default_found d = { .table = route->table, .gateway.family = route->family };
	struct netlink_msg m;
	struct rtmsg *rt = netlink_begin(&m, RTM_GETROUTE, NLM_F_DUMP, sizeof(*rt));
	int r;

	rt->rtm_family = route->family;
	nl_attr_put_u32(&m.h, RTA_TABLE, route->table);
	r = netlink_talk(nl, &m.h, on_default, &d, err);
	if (r < 0)
		return r;
	if (d.ifindex == route->ifindex && ipaddr_equal(&d.gateway, route->gateway))
		return 0;
	route_msg(&m, RTM_NEWROUTE, route);
	m.h.nlmsg_flags |= NLM_F_CREATE | NLM_F_REPLACE;
	r = netlink_talk(nl, &m.h, NULL, NULL, err);
	return r < 0 ? r : 1;
}

static int take_default(struct netlink *nl, const struct route *route, struct err *err)
{
	struct netlink_msg m;

	route_msg(&m, RTM_DELROUTE, route);
	((struct rtmsg *)nl_payload(&m.h))->rtm_scope = RT_SCOPE_NOWHERE; /* any */
	return net_take(nl, &m, err);
}

int net_default_route(struct netlink *nl, const struct conf_address *a, uint32_t ifindex, uint32_t table,
		      const struct ipaddr *gateways, size_t n_gateways, struct err *err)
{
	const struct ipaddr *gateway = gateway_of(a, gateways, n_gateways);
	struct route route = { .family = a->addr.family, .type = RTN_UNICAST, .table = table };
	/* Behind it, for when its interface is down: otherwise the traffic would leave by the Psv's own routes, and so by
	 * somebody else's network. */
	struct route end = { .family = a->addr.family, .type = RTN_UNREACHABLE, .table = table, .metric = UINT32_MAX };
	struct netlink_msg m;
	int r, added;

	if (!gateway) {
		r = take_default(nl, &route, err);
		if (r >= 0)
			r = take_default(nl, &end, err);
		return r < 0 ? r : 0;
	}
	route_msg(&m, RTM_NEWROUTE, &end);
	added = net_put(nl, &m, err);
	if (added < 0 || !reaches(a, gateway))
		return added;
	route.gateway = gateway;
	route.ifindex = ifindex;
	route_msg(&m, RTM_NEWROUTE, &route);
	r = net_put(nl, &m, err);
	if (r == 0)
		r = change_default(nl, &route, err);
	return r < 0 ? r : added | r;
}

static int explain(const struct conf_address *a, uint32_t ifindex, const char *what, int code, struct err *err)
{
	char text[IPADDR_STR_MAX], name[IF_NAMESIZE];

	(void)if_name(ifindex, name);
	(void)err_wrap(err, code, "cannot %s %s on %s", what, ipaddr_str(&a->addr, text), if_name(ifindex, name));
	if (code == -ENETDOWN)
		return err_hint(err, code, "the interface is down: ip link set %s up", if_name(ifindex, name));
	if (code == -EACCES && a->addr.family == AF_INET6)
		return err_hint(err, code, "IPv6 is switched off there: sysctl net.ipv6.conf.%s.disable_ipv6=0",
				if_name(ifindex, name));
	return code;
}

int net_address_up(const struct conf_address *a, uint32_t ifindex, uint32_t id, const struct ipaddr *gateways,
		   size_t n_gateways, struct err *err)
{
	_cleanup_netlink_ struct netlink nl = { .fd = -1 };
	uint32_t table = NET_TABLE_BASE + id;
	struct netlink_msg m;
	struct route routes[2];
	size_t n_routes;
	int r, added = 0;

	r = netlink_open(NETLINK_ROUTE, &nl, err);
	if (r < 0)
		return r;
	/* The rule first: nothing ever leaves with this address by the Psv's own routes. */
	rule_msg(&m, RTM_NEWRULE, &a->addr, table);
	r = net_put(&nl, &m, err);
	if (r < 0)
		return explain(a, ifindex, "make a rule for", r, err);
	added |= r;
	r = net_put_address(&nl, &a->addr, ifindex, table, err);
	if (r < 0)
		return explain(a, ifindex, "put", r, err);
	added |= r;
	n_routes = network_routes(a, ifindex, table, routes);
	for (size_t i = 0; i < n_routes; i++) {
		route_msg(&m, RTM_NEWROUTE, &routes[i]);
		r = net_put(&nl, &m, err);
		if (r < 0)
			return explain(a, ifindex, "make the route of", r, err);
		added |= r;
	}
	r = net_default_route(&nl, a, ifindex, table, gateways, n_gateways, err);
	if (r < 0)
		return explain(a, ifindex, "make the default route of", r, err);
	return added | r;
}

int net_take_rule(struct netlink *nl, const struct ipaddr *from, uint32_t table, struct err *err)
{
	struct netlink_msg m;

	rule_msg(&m, RTM_DELRULE, from, table);
	return net_take(nl, &m, err);
}

int net_take_broadcast(struct netlink *nl, const struct conf_address *a, uint32_t ifindex, uint32_t table, struct err *err)
{
	struct route routes[2];
	size_t n = network_routes(a, ifindex, table, routes);
	struct netlink_msg m;

	if (n < 2)
		return 0;
	route_msg(&m, RTM_DELROUTE, &routes[1]);
	return net_take(nl, &m, err);
}

/* The routes of a's network, unless another address of the Vsv is in it; all, if there is no other address. */
static int take_routes(struct netlink *nl, const struct conf_address *a, uint32_t ifindex, uint32_t table,
		       const struct net_sources *left, struct err *err)
{
	struct route routes[2];
	size_t n = network_routes(a, ifindex, table, routes);
	struct netlink_msg m;
	int r;

	for (size_t i = 0; i < left->n; i++)
		if (ipaddr_in(&left->v[i], &a->addr, a->prefix))
			return 0;
	for (size_t i = 0; i < n; i++) {
		route_msg(&m, RTM_DELROUTE, &routes[i]);
		r = net_take(nl, &m, err);
		if (r < 0)
			return r;
	}
	return left->n ? 0 : net_flush_routes(nl, a->addr.family, table, 0, err);
}

int net_address_down(const struct conf_address *a, uint32_t ifindex, uint32_t id, struct err *err)
{
	_cleanup_netlink_ struct netlink nl = { .fd = -1 };
	_cleanup_(net_sources_free) struct net_sources left = { .table = NET_TABLE_BASE + id };
	int r;

	r = netlink_open(NETLINK_ROUTE, &nl, err);
	if (r == 0)
		r = net_take_address(&nl, &a->addr, ifindex, err);
	if (r >= 0)
		r = net_take_rule(&nl, &a->addr, left.table, err);
	if (r >= 0)
		r = net_rules_of(&nl, a->addr.family, &left, err);
	if (r >= 0)
		r = take_routes(&nl, a, ifindex, left.table, &left, err);
	return r < 0 ? explain(a, ifindex, "take away", r, err) : 0;
}
