/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sockets of a multicast protocol: one for the group on each interface and family where the Vsv has an address, and one for
 * each own address, to which a host may write directly.  All are shared (SO_REUSEADDR): the neighbours need the same group,
 * and a daemon of the Psv's may stand on the wildcard address.  Every message leaves by the interface and from the own address
 * that are named, which the gate holds it to. */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "discover/site.h"

enum { GROUP_SOCKETS = 32 + SITE_ADDRESSES };

struct group_peer {
	struct ipaddr addr;
	uint16_t port; /* host order */
};

struct group_socket {
	int fd;
	bool own;            /* on an own address, not on the group */
	uint32_t ifindex;
	struct ipaddr addr;  /* own: that address; else the source of what is sent */
	bool kept;           /* inside group_sync() */
};

struct group {
	struct ipaddr four, six; /* the groups */
	uint16_t port;
	int hops;
	bool own_too;            /* sockets on the own addresses as well */
	bool complained;
	struct group_socket sockets[GROUP_SOCKETS];
	size_t n;
};

/* group_sync: opens and closes what the site wants.  0: all are there; -errno: of one that is not, which another call tries
 * again. */
int group_sync(struct group *g, const struct site *s);
void group_close(struct group *g);
/* group_send: to NULL: to the group.  From the group's socket on that interface and family. */
int group_send(const struct group *g, uint32_t ifindex, uint8_t family, const struct group_peer *to, const void *msg, size_t len);
/* group_receive: bytes, or -errno (-EAGAIN: there is no more). */
int group_receive(const struct group_socket *s, void *buf, size_t size, struct group_peer *ret_from);
