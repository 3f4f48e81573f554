/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which interface an address belongs to, asked of the kernel's routing (rtnetlink(7)): one look-up, however many
 * addresses the machine has. */
#include "psv/net.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

#include "lib/err.h"
#include "lib/netlink.h"
#include "lib/str.h"

enum { NET_ID_MAX = 65535 };

struct route_found {
	uint8_t type;
	uint8_t dst_len;
	bool gateway;
	uint32_t ifindex;
};

static int on_route(const struct nlmsghdr *h, void *arg)
{
	const struct rtmsg *rt = nl_payload(h);
	const struct nlattr *a[RTA_MAX + 1];
	struct route_found *ret = arg;

	if (h->nlmsg_type != RTM_NEWROUTE)
		return 0;
	netlink_attrs(h, sizeof(*rt), a, RTA_MAX);
	*ret = (struct route_found){
		.type = rt->rtm_type,
		.dst_len = rt->rtm_dst_len,
		.gateway = a[RTA_GATEWAY] || a[RTA_VIA] || a[RTA_MULTIPATH] || a[RTA_NH_ID],
		.ifindex = a[RTA_OIF] ? nl_attr_u32(a[RTA_OIF]) : 0,
	};
	return 0;
}

/* The routing entry that the Psv's own traffic to addr matches.  type is RTN_UNREACHABLE if there is none. */
static int route_find(const struct ipaddr *addr, struct route_found *ret, struct err *err)
{
	_cleanup_netlink_ struct netlink nl = { .fd = -1 };
	struct netlink_msg m;
	struct rtmsg *rt;
	int r;

	r = netlink_open(NETLINK_ROUTE, &nl, err);
	if (r < 0)
		return r;
	rt = netlink_begin(&m, RTM_GETROUTE, 0, sizeof(*rt));
	rt->rtm_family = addr->family;
	rt->rtm_dst_len = (uint8_t)(ipaddr_len(addr) * 8);
	rt->rtm_flags = RTM_F_FIB_MATCH; /* the entry, not what would be made of it */
	nl_attr_put(&m.h, RTA_DST, ipaddr_len(addr), addr->bytes);
	*ret = (struct route_found){ .type = RTN_UNREACHABLE };
	r = netlink_talk(&nl, &m.h, on_route, ret, err);
	/* What the entry itself answers: unreachable, prohibit, blackhole; or there is none; or no such family. */
	if (r == -ENETUNREACH || r == -EHOSTUNREACH || r == -EACCES || r == -EINVAL || r == -EAFNOSUPPORT ||
	    r == -EOPNOTSUPP) {
		err_clear(err);
		return 0;
	}
	return r < 0 ? err_wrap(err, r, "cannot look up a route") : 0;
}

static void interface_names(struct strbuf *ret)
{
	struct if_nameindex *all = if_nameindex();

	for (struct if_nameindex *i = all; i && i->if_index; i++)
		if (strcmp(i->if_name, "lo") != 0)
			strbuf_addf(ret, "%s%s", ret->len ? ", " : "", i->if_name);
	if (!ret->len)
		strbuf_addstr(ret, "none but lo");
	if_freenameindex(all);
}

int net_find_interface(const struct conf_address *a, uint32_t *ret_ifindex, struct err *err)
{
	_cleanup_strbuf_ struct strbuf names = { 0 };
	char text[IPADDR_STR_MAX];
	struct route_found found;
	int r;

	if (a->interface[0]) {
		uint32_t ifindex = if_nametoindex(a->interface);

		if (ifindex) {
			*ret_ifindex = ifindex;
			return 0;
		}
		interface_names(&names);
		(void)err_set(err, -ENODEV, "address %s: there is no interface %s", ipaddr_str(&a->addr, text), a->interface);
		return err_hint(err, -ENODEV, "the interfaces are: %s", strbuf_str(&names));
	}
	r = route_find(&a->addr, &found, err);
	if (r < 0)
		return r;
	if ((found.type == RTN_UNICAST || found.type == RTN_LOCAL) && found.dst_len > 0 && !found.gateway && found.ifindex) {
		*ret_ifindex = found.ifindex;
		return 0;
	}
	interface_names(&names);
	(void)ipaddr_str(&a->addr, text);
	(void)err_set(err, -ENODEV, "address %s: no interface of this machine is in its network", text);
	return err_hint(err, -ENODEV, "say which one: %s/%u@INTERFACE (the interfaces are: %s)", text, a->prefix,
			strbuf_str(&names));
}

static int on_address(const struct nlmsghdr *h, void *arg)
{
	const struct ifaddrmsg *ifa = nl_payload(h);

	if (h->nlmsg_type == RTM_NEWADDR)
		*(uint32_t *)arg = ifa->ifa_index;
	return 0;
}

/* IPv6 can be asked for the address itself; its route may not be there yet. */
static int address6_find(const struct ipaddr *a, uint32_t *ret_ifindex, struct err *err)
{
	_cleanup_netlink_ struct netlink nl = { .fd = -1 };
	struct ifaddrmsg *ifa;
	struct netlink_msg m;
	uint32_t ifindex = 0;
	int r;

	r = netlink_open(NETLINK_ROUTE, &nl, err);
	if (r < 0)
		return r;
	ifa = netlink_begin(&m, RTM_GETADDR, 0, sizeof(*ifa));
	ifa->ifa_family = AF_INET6;
	nl_attr_put(&m.h, IFA_ADDRESS, ipaddr_len(a), a->bytes);
	r = netlink_talk(&nl, &m.h, on_address, &ifindex, err);
	if (r == -EADDRNOTAVAIL || r == -EAFNOSUPPORT || r == -EOPNOTSUPP) {
		err_clear(err);
		return 0;
	}
	if (r < 0)
		return err_wrap(err, r, "cannot look up an address");
	*ret_ifindex = ifindex;
	return 1;
}

int net_is_local(const struct ipaddr *a, uint32_t *ret_ifindex, struct err *err)
{
	struct route_found found = { 0 };
	int r;

	if (a->family == AF_INET6)
		r = address6_find(a, &found.ifindex, err);
	else
		r = route_find(a, &found, err);
	if (r == 0 && found.type == RTN_LOCAL)
		r = 1;
	if (r > 0 && ret_ifindex)
		*ret_ifindex = found.ifindex;
	return r;
}

struct address_on {
	uint32_t ifindex;
	struct ipaddr found; /* family 0: none yet */
};

static int on_any_address(const struct nlmsghdr *h, void *arg)
{
	const struct ifaddrmsg *ifa = nl_payload(h);
	struct ipaddr addr = { .family = ifa->ifa_family };
	const struct nlattr *a[IFA_MAX + 1], *which;
	struct address_on *o = arg;

	netlink_attrs(h, sizeof(*ifa), a, IFA_MAX);
	which = a[IFA_LOCAL] ? a[IFA_LOCAL] : a[IFA_ADDRESS];
	if (ifa->ifa_index != o->ifindex || ifa->ifa_scope == RT_SCOPE_LINK || !which ||
	    (addr.family != AF_INET && addr.family != AF_INET6) || nl_attr_len(which) != ipaddr_len(&addr))
		return 0;
	memcpy(addr.bytes, nl_attr_data(which), ipaddr_len(&addr));
	o->found = addr;
	return 0;
}

int net_has_address(uint32_t ifindex, struct ipaddr *ret, struct err *err)
{
	_cleanup_netlink_ struct netlink nl = { .fd = -1 };
	struct address_on o = { .ifindex = ifindex };
	struct netlink_msg m;
	int r = netlink_open(NETLINK_ROUTE, &nl, err);

	if (r < 0)
		return r;
	r = 1;
	for (int i = 0; i < NETLINK_DUMP_TRIES && r == 1; i++) {
		(void)netlink_begin(&m, RTM_GETADDR, NLM_F_DUMP, sizeof(struct ifaddrmsg));
		r = netlink_talk(&nl, &m.h, on_any_address, &o, err);
	}
	if (r == 1 && !o.found.family)
		r = err_set(err, -EAGAIN, "they change all the time");
	if (r < 0)
		return err_wrap(err, r, "cannot list the addresses");
	if (o.found.family)
		*ret = o.found;
	return o.found.family != 0;
}

struct owner {
	const struct ipaddr *addr;
	uint32_t id;
};

static int on_rule(const struct nlmsghdr *h, void *arg)
{
	const struct fib_rule_hdr *rule = nl_payload(h);
	const struct nlattr *a[FRA_MAX + 1];
	struct owner *o = arg;
	uint32_t table;

	netlink_attrs(h, sizeof(*rule), a, FRA_MAX);
	if (!a[FRA_TABLE] || !a[FRA_SRC] || rule->src_len != ipaddr_len(o->addr) * 8 ||
	    nl_attr_len(a[FRA_SRC]) != ipaddr_len(o->addr) ||
	    memcmp(nl_attr_data(a[FRA_SRC]), o->addr->bytes, ipaddr_len(o->addr)) != 0)
		return 0;
	table = nl_attr_u32(a[FRA_TABLE]);
	if (table > NET_TABLE_BASE && table <= NET_TABLE_BASE + NET_ID_MAX)
		o->id = table - NET_TABLE_BASE;
	return 0;
}

int net_owner(const struct ipaddr *a, uint32_t *ret_id, struct err *err)
{
	_cleanup_netlink_ struct netlink nl = { .fd = -1 };
	struct owner o = { .addr = a };
	struct fib_rule_hdr *rule;
	struct netlink_msg m;
	int r;

	r = netlink_open(NETLINK_ROUTE, &nl, err);
	if (r < 0)
		return r;
	rule = netlink_begin(&m, RTM_GETRULE, NLM_F_DUMP, sizeof(*rule));
	rule->family = a->family;
	/* One that changed meanwhile is one of another address, or this one's end: nothing is asked again. */
	r = netlink_talk(&nl, &m.h, on_rule, &o, err);
	if (r < 0)
		return err_wrap(err, r, "cannot list routing rules");
	if (o.id)
		*ret_id = o.id;
	return o.id != 0;
}
