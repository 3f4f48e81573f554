/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the net_*.c files share among themselves. */
#pragma once

#include <stdint.h>

#include "lib/addr.h"

struct err;
struct inet_diag_req_v2;
struct netlink;
struct nlmsghdr;

/* net_put_address: a whole address (/32, /128) of the Vsv with that table.  1: it was missing; 0: it was there; -errno. */
int net_put_address(struct netlink *nl, const struct ipaddr *a, uint32_t ifindex, uint32_t table, struct err *err);
/* net_take_address: 1: it was there; 0: it was not; -errno. */
int net_take_address(struct netlink *nl, const struct ipaddr *a, uint32_t ifindex, struct err *err);

/* net_sockets_dump: every socket that req and the filter (linux/inet_diag.h) let through, to cb; *n is what cb counts up, set
 * back when the kernel has the dump begin anew. */
int net_sockets_dump(struct netlink *nl, const struct inet_diag_req_v2 *req, const void *filter, size_t filter_bytes,
		     int (*cb)(const struct nlmsghdr *h, void *arg), void *arg, size_t *n, struct err *err);
