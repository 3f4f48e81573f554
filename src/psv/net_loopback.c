/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hidden IPv6 loopback address that the gate gives a Vsv in place of ::1. */
#include <errno.h>
#include <linux/netlink.h>

#include "gate/gate.h"
#include "lib/err.h"
#include "lib/netlink.h"
#include "psv/net.h"
#include "psv/net_private.h"

enum { LO_IFINDEX = 1 };

int net_loopback_up(uint32_t id, struct err *err)
{
	_cleanup_netlink_ struct netlink nl = { .fd = -1 };
	struct ipaddr a = gate_loopback6(id);
	int r;

	r = netlink_open(NETLINK_ROUTE, &nl, err);
	if (r < 0)
		return r;
	r = net_put_address(&nl, &a, LO_IFINDEX, NET_TABLE_BASE + id, err);
	/* Where IPv6 is switched off, nothing asks for ::1 either. */
	if (r == -EACCES || r == -EAFNOSUPPORT || r == -EOPNOTSUPP) {
		err_clear(err);
		return 0;
	}
	return r < 0 ? err_wrap(err, r, "cannot put the own IPv6 loopback address on lo") : r;
}

int net_loopback_down(uint32_t id, struct err *err)
{
	_cleanup_netlink_ struct netlink nl = { .fd = -1 };
	struct ipaddr a = gate_loopback6(id);
	int r;

	r = netlink_open(NETLINK_ROUTE, &nl, err);
	if (r == 0)
		r = net_take_address(&nl, &a, LO_IFINDEX, err);
	return r < 0 ? err_wrap(err, r, "cannot take the own IPv6 loopback address from lo") : 0;
}
