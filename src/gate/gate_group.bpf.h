/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Groups and interfaces.  What a group's or link-local address means depends on the link, so a Vsv that may use one is held to the
 * interfaces that its own addresses stand on: where it joins (the Psv's interface would ask for the group's packets, and tell
 * the routers so), and where its packets leave.  The latter is chosen by packet information and options that no other
 * hook is shown, so it is judged by gate_egress, which hangs on the cgroup of such a Vsv alone: it costs every packet a
 * look at its socket.  In a stack of its own all interfaces are the Vsv's.  Part of gate.bpf.c. */
#pragma once

#include "gate_who.bpf.h"

enum {
	OPT_IP_ADD_MEMBERSHIP = 35, OPT_IP_ADD_SOURCE_MEMBERSHIP = 39, OPT_IPV6_ADD_MEMBERSHIP = 20, OPT_IPV6_JOIN_ANYCAST = 27,
	OPT_JOIN_GROUP = 42, OPT_JOIN_SOURCE_GROUP = 46, /* of both levels */
};
enum { ETH_P_IP = 0x0800, ETH_P_IPV6 = 0x86dd, IPV4_DESTINATION = 16, IPV6_DESTINATION = 24 };

__noinline int gate_has_interface(const struct gate_vsv *v, __u32 ifindex)
{
	if (!v)
		return 0;
	for (__u32 i = 0; i < GATE_NETS && i < v->n_interfaces; i++)
		if (v->interfaces[i] == ifindex)
			return 1;
	return 0;
}

static __always_inline bool may_join(const struct gate_vsv *v, const struct gate_addr *group)
{
	return v->flags & group_flag(group) || weak(GATE_WEAK_GROUP_JOIN);
}

/* may_use: an interface that was named; 0: the kernel would take the Psv's own choice, so it gets the first one of the Vsv's. */
static __always_inline bool may_use(const struct gate_vsv *v, __u32 *ifindex)
{
	if (v->flags & GATE_F_OWN_STACK)
		return true;
	if (!*ifindex)
		*ifindex = v->n_interfaces ? v->interfaces[0] : NO_IFINDEX;
	return gate_has_interface(v, *ifindex) || weak(GATE_WEAK_INTERFACE_JOIN);
}

/* IP_ADD_MEMBERSHIP: struct ip_mreq, by an address of the interface, or struct ip_mreqn, by its number. */
static __always_inline bool judge_join4(struct bpf_sockopt *ctx, const struct asker *me)
{
	__u32 *p = ctx->optval;
	struct gate_addr a;

	if ((void *)(p + 2) > ctx->optval_end)
		return false;
	a = mapped(p[0]);
	if (!may_join(me->v, &a))
		return false;
	if (ctx->optlen >= 12 && (void *)(p + 3) <= ctx->optval_end && p[2])
		return may_use(me->v, &p[2]);
	if (me->v->flags & GATE_F_OWN_STACK)
		return true;
	if (!p[1])
		p[1] = me->v->primary4.w[3];
	a = mapped(p[1]);
	return owner_of(&a) == me->id;
}

/* IPV6_ADD_MEMBERSHIP: struct ipv6_mreq. */
static __always_inline bool judge_join6(struct bpf_sockopt *ctx, const struct asker *me)
{
	__u32 *p = ctx->optval;
	struct gate_addr a;

	if ((void *)(p + 5) > ctx->optval_end)
		return false;
	a = (struct gate_addr){ { p[0], p[1], p[2], p[3] } };
	return may_join(me->v, &a) && may_use(me->v, &p[4]);
}

/* MCAST_JOIN_GROUP: struct group_req, an interface and a socket address of either family. */
static __always_inline bool judge_join(struct bpf_sockopt *ctx, const struct asker *me)
{
	__u32 *p = ctx->optval;
	struct gate_addr a;

	if ((void *)(p + 8) > ctx->optval_end)
		return false;
	if (*(__u16 *)(p + 2) == AF_INET)
		a = mapped(p[3]);
	else if (*(__u16 *)(p + 2) == AF_INET6)
		a = (struct gate_addr){ { p[4], p[5], p[6], p[7] } };
	else
		return false;
	return may_join(me->v, &a) && may_use(me->v, &p[0]);
}

enum { JOIN_NONE, JOIN_ALLOWED, JOIN_REFUSED };
enum { JOIN_LONGEST = 136 /* struct group_req */ };

/* judge_membership: the value may be changed by it.  One that is longer than a page would be read by the kernel (since 6.4) from the
 * caller's own memory once more, as it was or as another thread has made it by then, so none is longer than it need be. */
static __always_inline int judge_membership(struct bpf_sockopt *ctx)
{
	int level = ctx->level, name = ctx->optname;
	struct asker me;
	bool good;

	if (level != IPPROTO_IP && level != IPPROTO_IPV6)
		return JOIN_NONE;
	if (name != OPT_JOIN_GROUP && name != OPT_JOIN_SOURCE_GROUP &&
	    !(level == IPPROTO_IP && (name == OPT_IP_ADD_MEMBERSHIP || name == OPT_IP_ADD_SOURCE_MEMBERSHIP)) &&
	    !(level == IPPROTO_IPV6 && (name == OPT_IPV6_ADD_MEMBERSHIP || name == OPT_IPV6_JOIN_ANYCAST)))
		return JOIN_NONE;
	me = who();
	if (!me.v)
		return weak(GATE_WEAK_JOIN_STRANGER) ? JOIN_ALLOWED : JOIN_REFUSED;
	if (ctx->optlen > JOIN_LONGEST)
		good = false;
	else if (name == OPT_JOIN_GROUP)
		good = judge_join(ctx, &me);
	else if (name == OPT_IP_ADD_MEMBERSHIP)
		good = judge_join4(ctx, &me);
	else
		good = name == OPT_IPV6_ADD_MEMBERSHIP && judge_join6(ctx, &me);
	return good ? JOIN_ALLOWED : JOIN_REFUSED;
}

/* --- what leaves --- */

/* The kernel's (linux/skbuff.h, net/route.h): by which route a packet leaves. */
struct sk_buff {
	unsigned long _skb_refdst;
} __attribute__((preserve_access_index));

struct rtable {
	unsigned int rt_flags;
} __attribute__((preserve_access_index));

enum { ROUTE_POINTER = ~7ull, ROUTE_BROADCAST = 0x10000000 /* RTCF_BROADCAST */ };
enum { NEXT_HOP_BY_HOP = 0, NEXT_ROUTING = 43, NEXT_DESTINATION = 60, NEXT_HEADER = 6, IPV6_HEADER = 40, HEADERS_MAX = 4 };

/* is_broadcast: to a broadcast address of any network that the Psv is in: these routes come before all rules. */
static __always_inline bool is_broadcast(struct __sk_buff *skb)
{
	unsigned long reference = 0;
	unsigned int flags = 0;

	if (!gate_reads_kernel)
		return false;
	if (bpf_core_read(&reference, sizeof(reference), &((struct sk_buff *)skb)->_skb_refdst) ||
	    bpf_core_read(&flags, sizeof(flags), &((struct rtable *)(reference & ROUTE_POINTER))->rt_flags))
		return true;
	return flags & ROUTE_BROADCAST;
}

/* is_routed: with a routing header, whose hosts no hook has judged.  Ancillary data can carry one without a right. */
static __always_inline bool is_routed(struct __sk_buff *skb)
{
	struct {
		__u8 next, more;
	} header;
	__u32 at = IPV6_HEADER;

	if (bpf_skb_load_bytes_relative(skb, NEXT_HEADER, &header.next, 1, BPF_HDR_START_NET))
		return true;
	for (int i = 0; i < HEADERS_MAX; i++) {
		if (header.next != NEXT_HOP_BY_HOP && header.next != NEXT_DESTINATION)
			return header.next == NEXT_ROUTING;
		if (bpf_skb_load_bytes_relative(skb, at, &header, sizeof(header), BPF_HDR_START_NET))
			return true;
		at += (header.more + 1u) * 8;
	}
	return true;
}

static __always_inline int refuse_packet(__u32 id, const struct gate_addr *to)
{
	gate_note_packet(id, how(KIND_SEND, GATE_ASKED_ADDRESS, EPERM), to, 0, IPPROTO_UDP);
	return REFUSE;
}

SEC("cgroup_skb/egress")
int gate_egress(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	bool four = skb->protocol == bpf_htons(ETH_P_IP);
	struct gate_addr to = mapped(0), near;
	struct asker me;
	long r;

	if (sk)
		sk = bpf_sk_fullsock(sk);
	if (!sk || sk->protocol != IPPROTO_UDP)
		return ALLOW;
	if (four)
		r = bpf_skb_load_bytes_relative(skb, IPV4_DESTINATION, &to.w[3], sizeof(to.w[3]), BPF_HDR_START_NET);
	else
		r = bpf_skb_load_bytes_relative(skb, IPV6_DESTINATION, &to, sizeof(to), BPF_HDR_START_NET);
	me = who();
	if (!me.v && weak(GATE_WEAK_EGRESS_STRANGER))
		return ALLOW;
	if (r || !me.v)
		return REFUSE;
	if (!four && is_routed(skb))
		return refuse_packet(me.id, &to);
	if (is_link_local(&to)) {
		if (skb->ifindex == LOOPBACK_IFINDEX) /* the Psv's own: gate_lookup judges */
			return ALLOW;
	} else if (is_group(&to)) {
		/* A socket that was connected to it before a reload took it away. */
		if (!(me.v->flags & group_flag(&to)) && !weak(GATE_WEAK_GROUP_SEND))
			return refuse_packet(me.id, &to);
	} else if (gate_place(me.v, &to, &near) & PLACE_BROADCAST) {
		if (!(me.v->flags & GATE_F_BROADCAST))
			return refuse_packet(me.id, &to);
	} else {
		if (four && is_broadcast(skb) && !weak(GATE_WEAK_BROADCAST))
			return refuse_packet(me.id, &to);
		/* Held to a link by the scope of an address, where may_hold() cannot read it. */
		if (!sk->bound_dev_if || skb->ifindex == LOOPBACK_IFINDEX)
			return ALLOW;
	}
	if (gate_has_interface(me.v, skb->ifindex) || weak(GATE_WEAK_INTERFACE_SEND))
		return ALLOW;
	return refuse_packet(me.id, &to);
}
