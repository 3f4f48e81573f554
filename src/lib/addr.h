/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IPv4 and IPv6 addresses as configuration and the kernel use them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Long enough for any address with "/128" and its NUL. */
#define IPADDR_STR_MAX 56

struct ipaddr {
	uint8_t family;    /* AF_INET, AF_INET6; 0: none */
	uint8_t bytes[16]; /* network order; IPv4 in the first four, the rest zero */
};

/* ipaddr_parse: numeric only, never a name.  A v4-mapped IPv6 address is refused.  0 or -EINVAL. */
int ipaddr_parse(const char *s, struct ipaddr *ret);
/* ipaddr_parse_prefix: "ADDR/PREFIX"; the prefix is required.  0 or -EINVAL. */
int ipaddr_parse_prefix(const char *s, struct ipaddr *ret, uint8_t *ret_prefix);
/* ipaddr_str: into buf, which is returned. */
char *ipaddr_str(const struct ipaddr *a, char buf[IPADDR_STR_MAX]);
bool ipaddr_equal(const struct ipaddr *a, const struct ipaddr *b);
/* ipaddr_len: 4 or 16 bytes. */
size_t ipaddr_len(const struct ipaddr *a);
/* ipaddr_in: a lies in net/prefix (same family). */
bool ipaddr_in(const struct ipaddr *a, const struct ipaddr *net, uint8_t prefix);
/* ipaddr_network: the first address of a's network.  ipaddr_broadcast: the last one. */
struct ipaddr ipaddr_network(const struct ipaddr *a, uint8_t prefix);
struct ipaddr ipaddr_broadcast(const struct ipaddr *a, uint8_t prefix);
/* ipaddr_is_host: can be one host's own address: not any, loopback, multicast, link-local IPv6 or 255.255.255.255. */
bool ipaddr_is_host(const struct ipaddr *a);
