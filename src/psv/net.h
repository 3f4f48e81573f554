/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses of the shared stack.  IPv4 goes on as /32 with scope host, IPv6 as /128 with preferred lifetime 0 and without
 * the kernel's duplicate detection (the probe here does that), so that the Psv never chooses one as its own source and
 * taking one away takes no neighbour's.  A Vsv's traffic follows `from ADDRESS` rules (priority NET_RULE_PRIORITY) into a
 * routing table of its own (NET_TABLE_BASE + id) that holds its networks on-link, their broadcast addresses and its gateway.
 * Nothing is put into the main table; the broadcast address of each IPv4 network also goes into the local table (as one
 * can be bound and heard only then), behind the kernel's own entries: with a metric that is this Vsv's table number.
 *
 * Everything carries the protocol number NET_PROTOCOL, so that it can be told from what the administrator made.
 *
 * What this does not do: a Psv that has an IPv6 route but no IPv6 address of its own would take a Vsv's, because IPv6
 * prefers a deprecated address to none.  With several interfaces in one network the kernel answers ARP for any address on
 * all of them (arp_ignore = 0, the default).  That is the Psv's setting and stays as it is; 0 and 1 suit a Vsv, 2 and above
 * do not. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "psv/conf.h"

struct err;

enum { NET_TABLE_BASE = 0x564e0000, NET_RULE_PRIORITY = 10564, NET_PROTOCOL = 86 };

/* net_find_interface: the index of a->interface, or of the interface by which the Psv reaches the address without a
 * gateway (the connected network that holds it; the kernel's own choice if there are several).  err says which interfaces
 * there are. */
int net_find_interface(const struct conf_address *a, uint32_t *ret_ifindex, struct err *err);

/* net_is_local: 1: the address is on an interface of this machine (for IPv4: that is up); 0: no; -errno. */
int net_is_local(const struct ipaddr *a, uint32_t *ret_ifindex, struct err *err);

/* net_has_address: 1: that interface has an address that is no link-local one of IPv6: *ret; 0; -errno. */
int net_has_address(uint32_t ifindex, struct ipaddr *ret, struct err *err);

/* net_owner: 1: a rule of ours leads that source address to the table of *ret_id; 0: none does; -errno. */
int net_owner(const struct ipaddr *a, uint32_t *ret_id, struct err *err);

/* net_probe: asks the networks, all addresses at once, whether somebody has one: ARP probes (RFC 5227: sender address 0),
 * neighbour solicitations from :: (RFC 4862), three of each.  wait_ms: how long it takes if nobody answers.  0: nobody did
 * (or the interface has no neighbours); 1: *ret_taken is the index of one that is taken (or that somebody else asks for
 * at the same moment), and ret_mac its owner's hardware address ("aa:bb:…", or "another host"); -errno (-ENETDOWN, …). */
int net_probe(const struct conf_address *a, const uint32_t *ifindex, size_t n, int wait_ms, size_t *ret_taken,
	      char ret_mac[18], struct err *err);

/* net_address_up: address, rule, routes.  Puts on what is missing, so that it can be called again.  1: something was
 * missing and was put on.  gateways: of the Vsv; that of a's family goes into the table as default route if it lies in
 * a's network or is link-local, or a's prefix is the whole address.  With a
 * gateway nothing ever leaves by the Psv's own routes, even while the interface is down; without one, what no network of
 * the Vsv holds follows them.  -ENODEV: that interface is gone (one that came back has another index).
 * An IPv6 address can be bound at once, but the kernel makes its local route a few milliseconds later, and answers then.
 * net_address_down: takes away what is there; what other addresses of that Vsv need stays; accepts "never came up". */
int net_address_up(const struct conf_address *a, uint32_t ifindex, uint32_t id, const struct ipaddr *gateways,
		   size_t n_gateways, struct err *err);
int net_address_down(const struct conf_address *a, uint32_t ifindex, uint32_t id, struct err *err);
/* net_down_all: every rule and route of that id's table, and the addresses that such a rule names: for which the rules, addresses
 * and local routes of all must be listed.
 * net_down_known: the same where the addresses are known; what is not where it should be is looked for in that way. */
int net_down_all(uint32_t id, struct err *err);
int net_down_known(const struct conf_address *a, const uint32_t *ifindex, size_t n, uint32_t id, struct err *err);

/* net_own_up, net_own_down: addresses of a private stack, in whose network the caller is (lib/netns.h): with their prefix, and
 * a default route.  What is there already stays.  net_own_up: 1: something was missing.  net_own_down: accepts "never came up". */
int net_own_up(const struct conf_address *a, uint32_t ifindex, const struct ipaddr *gateways, size_t n_gateways,
	       struct err *err);
int net_own_down(const struct conf_address *a, uint32_t ifindex, struct err *err);

/* net_loopback_up: the hidden IPv6 loopback address of that id on lo (gate_loopback6()); 1: it was missing.  IPv4 needs
 * nothing, all of 127/8 is local. */
int net_loopback_up(uint32_t id, struct err *err);
int net_loopback_down(uint32_t id, struct err *err);

/* net_announce: gratuitous ARP (RFC 5944 section 4.6), unsolicited neighbour advertisement (RFC 4861 section 7.2.6),
 * so that switches and clients learn the new place.  Once; a network can lose it, so the supervisor does it again (vsv/supervise.c).
 * One socket serves all of net_announce_all; a process of its own closes it, which takes the kernel some 10 ms. */
int net_announce_all(const struct conf_address *a, const uint32_t *ifindex, size_t n, struct err *err);
int net_announce(const struct conf_address *a, uint32_t ifindex, struct err *err);

/* net_sockets_end: ends every TCP and UDP socket that stands on one of the addresses, whoever has it; a TCP peer gets a
 * reset, so long as the address is still there to send it from.  deserted: all processes of the
 * Vsv are gone, so only what the kernel keeps of TCP without a process is looked for, and only if there is such a thing.  (A socket of the
 * Psv's own on such an address stays then, and hears nothing.)  1: there are some, and this kernel cannot end them
 * (CONFIG_INET_DIAG_DESTROY): they last until they are closed; -errno. */
int net_sockets_end(const struct ipaddr *a, size_t n, bool deserted, struct err *err);

/* A socket of the Psv (not of a Vsv's cgroup) on the wildcard address of a port, or on an address asked for. */
struct net_listener {
	bool wildcard;
	uint8_t family;
	uint8_t protocol; /* IPPROTO_TCP, IPPROTO_UDP */
	uint16_t port;
	bool v6_only;     /* family AF_INET6: does not take IPv4, too */
	pid_t pid;        /* 0: not found; the kernel's own have none */
	char comm[17];
};
/* net_clients: who is connected by TCP to that port of the own addresses in this network namespace (sock_diag(7)): an entry for
 * each address of a client's at each of ours; beyond ten thousand
 * connections nobody is listed.  The caller frees *ret. */
struct net_client {
	struct ipaddr client, at;
	unsigned connections;
};
int net_clients(uint16_t port, const struct ipaddr *own, size_t n_own, struct net_client **ret, size_t *ret_n, struct err *err);

/* net_listeners: listeners (TCP) and unconnected sockets (UDP) on those ports in this network namespace (sock_diag(7)) that
 * stand on the wildcard address or on one of addrs, with their process.  Sockets of the v2 control group with number vsv_cgroup_root (cgroup_root_id()) and
 * below are left out (0: none are).  The caller frees *ret. */
int net_listeners(const uint16_t *ports, size_t n_ports, const struct conf_address *addrs, size_t n_addrs,
		  uint64_t vsv_cgroup_root, struct net_listener **ret, size_t *ret_n, struct err *err);
