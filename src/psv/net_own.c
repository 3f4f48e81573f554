/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses of a private stack, as any host has them: nobody else is in that network namespace. */
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include "lib/err.h"
#include "lib/netlink.h"
#include "psv/net.h"
#include "psv/net_private.h"

enum { ATTR_IFA_PROTO = 11, BROADCAST_PREFIX_MAX = 30 };

static void address_msg(struct netlink_msg *m, uint16_t type, const struct conf_address *a, uint32_t ifindex)
{
	struct ipaddr last = ipaddr_broadcast(&a->addr, a->prefix);
	struct ifaddrmsg *ifa = netlink_begin(m, type, 0, sizeof(*ifa));

	ifa->ifa_family = a->addr.family;
	ifa->ifa_prefixlen = a->prefix;
	ifa->ifa_index = ifindex;
	ifa->ifa_scope = RT_SCOPE_UNIVERSE;
	nl_attr_put(&m->h, IFA_LOCAL, ipaddr_len(&a->addr), a->addr.bytes);
	if (type != RTM_NEWADDR)
		return;
	nl_attr_put(&m->h, IFA_ADDRESS, ipaddr_len(&a->addr), a->addr.bytes);
	nl_attr_put_u8(&m->h, ATTR_IFA_PROTO, NET_PROTOCOL);
	if (a->addr.family == AF_INET && a->prefix <= BROADCAST_PREFIX_MAX)
		nl_attr_put(&m->h, IFA_BROADCAST, ipaddr_len(&last), last.bytes);
	/* Without the kernel's duplicate detection: the probe has asked, and with it a bind would fail for a second. */
	if (a->addr.family == AF_INET6)
		nl_attr_put_u32(&m->h, IFA_FLAGS, IFA_F_NODAD);
}

int net_own_up(const struct conf_address *a, uint32_t ifindex, const struct ipaddr *gateways, size_t n_gateways,
	       struct err *err)
{
	_cleanup_netlink_ struct netlink nl = { .fd = -1 };
	struct netlink_msg m;
	int r = netlink_open(NETLINK_ROUTE, &nl, err), added = 0;

	if (r < 0)
		return r;
	address_msg(&m, RTM_NEWADDR, a, ifindex);
	added = net_put(&nl, &m, err);
	if (added == -EACCES && a->addr.family == AF_INET6)
		return err_hint(err, added, "IPv6 is switched off: sysctl net.ipv6.conf.default.disable_ipv6=0");
	if (added < 0)
		return added;
	r = net_default_route(&nl, a, ifindex, RT_TABLE_MAIN, gateways, n_gateways, err);
	return r < 0 ? err_wrap(err, r, "cannot make the default route") : added | r;
}

int net_own_down(const struct conf_address *a, uint32_t ifindex, struct err *err)
{
	_cleanup_netlink_ struct netlink nl = { .fd = -1 };
	struct netlink_msg m;
	int r = netlink_open(NETLINK_ROUTE, &nl, err);

	if (r < 0)
		return r;
	address_msg(&m, RTM_DELADDR, a, ifindex);
	r = net_take(&nl, &m, err);
	return r < 0 ? err_wrap(err, r, "cannot take an address away") : 0;
}
