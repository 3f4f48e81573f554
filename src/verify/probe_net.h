/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the prober's files about the network share. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "verify/prober.h"

typedef int address_function(const union address *a);

/* each_address: the worse answer of all addresses.  every_address: 0 only if it succeeds for each of them. */
int each_address(const struct addresses *list, address_function *f);
int every_address(const struct addresses *list, address_function *f);

/* socket_for: of the address's family; a descriptor or -errno. */
int socket_for(const union address *a, int type);
union address with_port(const union address *a, uint16_t port);
uint16_t port_of(const union address *a);
/* to_mapped: the same as a v4-mapped address of IPv6; false: it is one of IPv6. */
bool to_mapped(const union address *a, union address *ret);
union address wildcard(int family);
/* loopback: 127.0.0.LAST or ::1. */
union address loopback(int family, uint8_t last);

/* free_udp: binds a datagram socket to the address, on any port (probe_bind.c). */
int free_udp(const union address *a);
/* connect_from: by TCP, from an address or wherever.  listen_at: on any port; *ret_port says which; a descriptor or -errno
 * (probe_connect.c).  let_go: whatever the network then said, the gate did not refuse it. */
int connect_from(const union address *a, const union address *from);
int listen_at(const union address *a, bool v6_only, uint16_t *ret_port);
int let_go(int r);

/* send_from: one datagram, with a source and an interface (0: none) that packet information names, if there is a source
 * (probe_datagram.c). */
int send_from(int fd, const union address *to, const union address *source, unsigned ifindex, const char *text);

/* send_empty: a datagram without a byte, to the discard port if the address has none, with SO_BROADCAST (probe_datagram.c). */
int send_empty(const union address *to);

/* rtnetlink (probe_link.c).  route_dump: 0 if a row is as wanted, -ENOENT, -errno.  route_after: what follows something of that
 * length in a message of which so much is left.  Rows: an address that is among struct addresses; a link of struct target. */
struct nlmsghdr;
typedef bool row_function(const struct nlmsghdr *h, const void *wanted);
int route_dump(uint16_t type, row_function *is_it, const void *wanted);
const void *route_after(const void *p, unsigned len, unsigned *left);
row_function route_is_address, route_is_link;
