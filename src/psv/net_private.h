/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the net_*.c files share among themselves. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/addr.h"

struct err;
struct inet_diag_req_v2;
struct conf_address;
struct netlink;
struct netlink_msg;
struct nlmsghdr;

/* net_put: sends a request that makes something.  1: it was missing and is there now; 0: it was there; -errno. */
int net_put(struct netlink *nl, struct netlink_msg *m, struct err *err);
/* net_take: 1: it was there and is gone; 0: it was not there, or its interface or family is gone, and it with that; -errno. */
int net_take(struct netlink *nl, struct netlink_msg *m, struct err *err);
/* net_default_route: of a's family into that table: put on, changed to another gateway, or taken away if there is none.  1: it was
 * missing or another; 0; -errno. */
int net_default_route(struct netlink *nl, const struct conf_address *a, uint32_t ifindex, uint32_t table,
		      const struct ipaddr *gateways, size_t n_gateways, struct err *err);

/* net_put_address: a whole address (/32, /128) of the Vsv with that table.  1: it was missing; 0: it was there; -errno. */
int net_put_address(struct netlink *nl, const struct ipaddr *a, uint32_t ifindex, uint32_t table, struct err *err);
/* net_take_address: 1: it was there; 0: it was not; -errno. */
int net_take_address(struct netlink *nl, const struct ipaddr *a, uint32_t ifindex, struct err *err);

/* net_take_rule: the one from that address to that table. */
int net_take_rule(struct netlink *nl, const struct ipaddr *from, uint32_t table, struct err *err);
/* net_take_broadcast: the route of its network's broadcast address in the local table, if it has one. */
int net_take_broadcast(struct netlink *nl, const struct conf_address *a, uint32_t ifindex, uint32_t table, struct err *err);

/* net_rules_of: adds the addresses that rules of that family lead to ret->table.  The kernel has no filter for it: it lists the rules
 * of all.  net_flush_routes: takes every route of a table away, or those with that metric (0: any). */
struct net_sources {
	uint32_t table;
	struct ipaddr *v;
	size_t n;
};
void net_sources_free(struct net_sources *s);
int net_rules_of(struct netlink *nl, uint8_t family, struct net_sources *ret, struct err *err);
int net_flush_routes(struct netlink *nl, uint8_t family, uint32_t table, uint32_t metric, struct err *err);

/* net_sockets_dump: every socket that req and the filter (linux/inet_diag.h) let through, to cb; *n is what cb counts up, set
 * back when the kernel has the dump begin anew. */
int net_sockets_dump(struct netlink *nl, const struct inet_diag_req_v2 *req, const void *filter, size_t filter_bytes,
		     int (*cb)(const struct nlmsghdr *h, void *arg), void *arg, size_t *n, struct err *err);
