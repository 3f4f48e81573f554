/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Arithmetic on addresses.  Part of gate.bpf.c. */
#pragma once

#include "gate_base.bpf.h"

static __always_inline struct gate_addr mapped(__be32 v4)
{
	return (struct gate_addr){ { 0, 0, bpf_htonl(0xffff), v4 } };
}

static __always_inline struct gate_addr v6(__u32 a, __u32 b, __u32 c, __u32 d)
{
	return (struct gate_addr){ { bpf_htonl(a), bpf_htonl(b), bpf_htonl(c), bpf_htonl(d) } };
}

static __always_inline bool same(const struct gate_addr *a, const struct gate_addr *b)
{
	return a->w[3] == b->w[3] && a->w[2] == b->w[2] && a->w[1] == b->w[1] && a->w[0] == b->w[0];
}

static __always_inline bool is_mapped(const struct gate_addr *a)
{
	return a->w[2] == bpf_htonl(0xffff) && !a->w[0] && !a->w[1];
}

static __always_inline bool is_any6(const struct gate_addr *a)
{
	return !(a->w[0] | a->w[1] | a->w[2] | a->w[3]);
}

static __always_inline bool is_any(const struct gate_addr *a)
{
	return is_any6(a) || (is_mapped(a) && !a->w[3]);
}

/* 127.0.0.1 or ::1, and nothing else of 127.0.0.0/8: all of that behind one hidden address would mix their ports. */
static __always_inline bool is_loopback(const struct gate_addr *a)
{
	if (is_mapped(a))
		return a->w[3] == bpf_htonl(0x7f000001);
	return !(a->w[0] | a->w[1] | a->w[2]) && a->w[3] == bpf_htonl(1);
}

static __always_inline bool in_loopback_net(const struct gate_addr *a)
{
	if (is_mapped(a))
		return (a->w[3] & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000);
	return is_loopback(a);
}

/* Multicast, the limited broadcast and the reserved 240.0.0.0/4. */
static __always_inline bool is_group(const struct gate_addr *a)
{
	if (is_mapped(a))
		return bpf_ntohl(a->w[3]) >= 0xe0000000;
	return (a->w[0] & bpf_htonl(0xff000000)) == bpf_htonl(0xff000000);
}

/* Of IPv6 alone: 169.254.0.0/16 is routed as any other network. */
static __always_inline bool is_link_local(const struct gate_addr *a)
{
	return (a->w[0] & bpf_htonl(0xffc00000)) == bpf_htonl(0xfe800000);
}

/* What a Vsv must be allowed for that group; 0: it is for nobody. */
static __always_inline __u32 group_flag(const struct gate_addr *a)
{
	if (is_mapped(a))
		return a->w[3] == bpf_htonl(0xe00000fb) ? GATE_F_MDNS : a->w[3] == bpf_htonl(0xeffffffa) ? GATE_F_WSD : 0;
	if (a->w[0] != bpf_htonl(0xff020000) || a->w[1] || a->w[2])
		return 0;
	return a->w[3] == bpf_htonl(0xfb) ? GATE_F_MDNS : a->w[3] == bpf_htonl(0xc) ? GATE_F_WSD : 0;
}

static __always_inline struct gate_addr hidden4(__u32 id)
{
	return mapped(bpf_htonl(GATE_HIDDEN4 | id));
}

static __always_inline struct gate_addr hidden6(__u32 id)
{
	return v6(GATE_HIDDEN6_0, GATE_HIDDEN6_1, 0, id);
}

static __always_inline bool in_hidden_net(const struct gate_addr *a)
{
	if (is_mapped(a))
		return (a->w[3] & bpf_htonl(0xffff0000)) == bpf_htonl(GATE_HIDDEN4);
	return a->w[0] == bpf_htonl(GATE_HIDDEN6_0) && a->w[1] == bpf_htonl(GATE_HIDDEN6_1);
}

/* The Vsv that a hidden address belongs to; 0: of the hidden networks, but nobody's. */
static __always_inline __u32 hidden_id(const struct gate_addr *a)
{
	if (is_mapped(a))
		return bpf_ntohl(a->w[3]) & 0xffff;
	return !a->w[2] && bpf_ntohl(a->w[3]) <= 0xffff ? bpf_ntohl(a->w[3]) : 0;
}

/* Whose an address is: a Vsv's number, or 0. */
static __always_inline __u32 owner_of(const struct gate_addr *a)
{
	__u32 *id;

	if (in_hidden_net(a))
		return hidden_id(a);
	id = bpf_map_lookup_elem(&addresses, a);
	return id ? *id : 0;
}

static __always_inline bool in_net(const struct gate_net *n, const struct gate_addr *a)
{
	return !(((a->w[0] ^ n->addr.w[0]) & n->mask.w[0]) | ((a->w[1] ^ n->addr.w[1]) & n->mask.w[1]) |
		 ((a->w[2] ^ n->addr.w[2]) & n->mask.w[2]) | ((a->w[3] ^ n->addr.w[3]) & n->mask.w[3]));
}
