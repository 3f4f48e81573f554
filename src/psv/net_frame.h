/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The few frames that probing and announcing send: ARP, neighbour solicitation and advertisement. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/addr.h"

struct err;

enum { MAC_BYTES = 6, NONCE_BYTES = 6, FRAME_BYTES_MAX = 96 };

/* What a link is like. */
struct net_link {
	bool up;
	bool ethernet; /* Ethernet addresses, and neighbours are asked for theirs */
	uint8_t mac[MAC_BYTES];
};
int net_link_get(uint32_t ifindex, struct net_link *ret, struct err *err);

struct frame {
	uint16_t protocol;     /* ETH_P_ARP, ETH_P_IPV6 */
	uint8_t to[MAC_BYTES]; /* Ethernet address */
	size_t len;
	uint8_t bytes[FRAME_BYTES_MAX];
};

/* frame_arp: op is ARPOP_REQUEST or ARPOP_REPLY; sender NULL: 0.0.0.0, a probe. */
void frame_arp(struct frame *f, uint16_t op, const uint8_t mac[MAC_BYTES], const struct ipaddr *sender,
	       const struct ipaddr *target);
/* frame_solicitation: as duplicate detection sends it, from ::, with a nonce (RFC 7527) by which an own copy that comes
 * back is known. */
void frame_solicitation(struct frame *f, const struct ipaddr *target, const uint8_t nonce[NONCE_BYTES]);
/* frame_advertisement: to all nodes, unsolicited, overriding. */
void frame_advertisement(struct frame *f, const struct ipaddr *target, const uint8_t mac[MAC_BYTES]);
/* frame_solicited_node: the multicast group of an address (RFC 4291 section 2.7.1). */
struct ipaddr frame_solicited_node(const struct ipaddr *a);

/* frame_socket: a packet(7) socket for frame_send; protocol 0: it receives nothing.  Closing one takes the kernel some
 * milliseconds, so use one for all.  Descriptor or -errno. */
int frame_socket(uint16_t protocol, struct err *err);
int frame_send(int fd, uint32_t ifindex, const struct frame *f, struct err *err);
