/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Going out: connections and datagrams.  Part of gate.bpf.c. */
#pragma once

#include "gate_group.bpf.h"
#include "gate_via.bpf.h"
#include "gate_who.bpf.h"

/* Which Vsv of a private stack has an address on a network that v is on too, told by the Psv's interface; 0: none. */
__noinline int gate_guest_of(const struct gate_vsv *v, const struct gate_addr *a)
{
	if (!v || !a)
		return 0;
	for (__u32 i = 0; i < GATE_NETS && i < v->n_interfaces; i++) {
		__u32 id = guest_at(a, v->interfaces[i], v->vlan);

		if (id)
			return id;
	}
	return 0;
}

/* A neighbour on the same interface of the Psv: whose it is; 0: nobody's that is known here.  Whatever its subnet: a route of
 * the Psv's, or an interface that is named with MSG_DONTROUTE, leads to it past the router. */
static __always_inline __u32 neighbour(const struct gate_vsv *v, const struct gate_addr *a)
{
	__u32 owner = gate_guest_of(v, a);
	const struct gate_vsv *other;

	if (owner || !(v->flags & GATE_F_OWN_STACK))
		return owner;
	/* Of the shared stack, seen from a private one. */
	owner = owner_of(a);
	other = owner ? bpf_map_lookup_elem(&vsv, &owner) : NULL;
	return other && gate_has_interface(other, v->interfaces[0]) ? owner : 0;
}

/* Judges a destination and puts the hidden address for the own loopback.  Chooses the source for it: the own address in
 * the same subnet, else the primary one.  0, or the errno to refuse with. */
static __always_inline int judge_destination(const struct asker *me, struct gate_addr *to, struct gate_addr *from, bool tcp)
{
	const struct gate_vsv *v = me->v;
	bool four = is_mapped(to);
	struct gate_addr near = {};
	__u32 owner;
	int place;

	if (v->flags & GATE_F_OWN_STACK) {
		*from = four ? mapped(0) : (struct gate_addr){};
		if (is_any(to) || in_loopback_net(to))
			return 0;
	} else if (is_any(to) || is_loopback(to)) {
		*to = *from = four ? hidden4(me->id) : hidden6(me->id);
		return 0;
	} else if ((in_loopback_net(to) || in_hidden_net(to)) && owner_of(to) != me->id &&
		   !weak(in_hidden_net(to) ? GATE_WEAK_HIDDEN : GATE_WEAK_LOOPBACK)) {
		return EPERM; /* of a peer too: by its loopback one would come as one of its own */
	}
	if (is_group(to) && !(v->flags & group_flag(to)) && !weak(GATE_WEAK_GROUP_SEND))
		return EPERM;
	/* On which of the Psv's links it is, no hook is shown. Who looks for the Vsv by such an address is answered, since
	 * gate_egress sees to the link then. */
	if (is_link_local(to) && !(v->flags & GATE_F_OWN_STACK) && !weak(GATE_WEAK_LINK_LOCAL) && (tcp || !(v->flags & (GATE_F_WSD | GATE_F_MDNS))))
		return EPERM;
	/* In a private stack an address alone says nothing about who has it on that network. */
	if (!(v->flags & GATE_F_OWN_STACK)) {
		owner = owner_of(to);
		if (owner && owner != me->id && !gate_has_peer(v, owner))
			return EPERM;
	}
	place = gate_place(v, to, &near);
	if (place & PLACE_DENIED || (place & PLACE_BROADCAST && !(v->flags & GATE_F_BROADCAST)))
		return EPERM;
	owner = neighbour(v, to);
	if (owner && owner != me->id && !gate_has_peer(v, owner))
		return EPERM;
	if (v->flags & GATE_F_OWN_STACK)
		return 0;
	if (in_hidden_net(to))
		*from = *to;
	else if (place & PLACE_NEAR)
		*from = near;
	else if (v->flags & (four ? GATE_F_HAS4 : GATE_F_HAS6))
		*from = four ? v->primary4 : v->primary6;
	else
		return EADDRNOTAVAIL;
	return 0;
}

/* A source that a socket is bound to, or asks for: one's own, or loopback in the own stack. */
static __always_inline bool is_own_source(const struct asker *me, const struct gate_addr *a)
{
	if (me->v->flags & GATE_F_OWN_STACK && in_loopback_net(a))
		return true;
	return is_own(me, a);
}

/* Binding an IPv6 socket by its IPv4 address would leave its IPv6 one unset: the socket's own family decides. */
static __always_inline long bind_source(struct bpf_sock_addr *ctx, struct bpf_sock *sk, const struct gate_addr *from)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
	struct sockaddr_in four = { .sin_family = AF_INET };

	if (sk->family == AF_INET6) {
		__builtin_memcpy(&six.sin6_addr, from, sizeof(*from));
		return bpf_bind(ctx, (struct sockaddr *)&six, sizeof(six));
	}
	four.sin_addr.s_addr = from->w[3];
	return bpf_bind(ctx, (struct sockaddr *)&four, sizeof(four));
}

static __always_inline int connect_hook(struct bpf_sock_addr *ctx, struct bpf_sock *sk, struct gate_addr *to)
{
	struct asker me = who();
	const struct gate_addr asked = *to;
	__u32 port = bpf_ntohs(ctx->user_port);
	struct gate_addr from, bound;
	struct sock_note *n;
	int error;

	if (!me.v && weak(GATE_WEAK_CONNECT_STRANGER))
		return ALLOW;
	if (!me.v)
		return refuse(me.id, KIND_CONNECT, EPERM, &asked, port, ctx->protocol);
	error = judge_destination(&me, to, &from, ctx->protocol == IPPROTO_TCP);
	if (error)
		return refuse(me.id, KIND_CONNECT, error, &asked, port, ctx->protocol);
	bound = bound_to(sk);
	if (is_any(&bound)) {
		/* It fails when a datagram was sent before, for then the port is bound to the wildcard already. */
		if (!is_any(&from) && bind_source(ctx, sk, &from))
			return refuse(me.id, KIND_CONNECT, EADDRNOTAVAIL, &asked, port, ctx->protocol);
		return ALLOW;
	}
	/* Bound to a group or broadcast address, the kernel would take the Psv's address as the source. */
	if (!is_own_source(&me, &bound))
		return refuse(me.id, KIND_CONNECT, EADDRNOTAVAIL, &asked, port, ctx->protocol);
	/* It asked for a port that it only has for listening (see step_aside): say now what bind did not. */
	n = ctx->protocol == IPPROTO_TCP ? bpf_sk_storage_get(&notes, sk, NULL, 0) : NULL;
	if (n && n->port) {
		bpf_set_retval(-EADDRINUSE);
		return REFUSE;
	}
	return ALLOW;
}

SEC("cgroup/connect4")
int gate_connect4(struct bpf_sock_addr *ctx)
{
	struct gate_addr to = mapped(ctx->user_ip4);
	struct bpf_sock *sk = ctx->sk;

	if (!sk || !connect_hook(ctx, sk, &to))
		return REFUSE;
	ctx->user_ip4 = to.w[3];
	return ALLOW;
}

SEC("cgroup/connect6")
int gate_connect6(struct bpf_sock_addr *ctx)
{
	struct gate_addr to = ADDR_LOAD(ctx, user_ip6);
	struct bpf_sock *sk = ctx->sk;

	if (!sk || !may_hold(ctx, &to, KIND_CONNECT) || !connect_hook(ctx, sk, &to))
		return REFUSE;
	ADDR_STORE(ctx, user_ip6, &to);
	return ALLOW;
}

/* A datagram.  `from` is the source that the kernel is about to use: by packet information, by bind, or none yet.
 * without_name: on a connected socket, with ancillary data; connect_hook judged the destination. */
static __always_inline int send_hook(struct bpf_sock *sk, struct gate_addr *to, struct gate_addr *from, __u32 port,
				     bool without_name, struct via via)
{
	struct gate_addr chosen = mapped(0), bound = bound_to(sk);
	const struct gate_addr asked = *to;
	struct asker me = who();
	struct sock_note *n;
	struct gate_udp key;
	int error;

	if (!me.v && weak(GATE_WEAK_SEND_STRANGER))
		return ALLOW;
	if (!me.v)
		return refuse(me.id, KIND_SEND, EPERM, &asked, port, IPPROTO_UDP);
	if (without_name) {
		chosen = bound;
	} else {
		error = judge_destination(&me, to, &chosen, false);
		if (error)
			return refuse(me.id, KIND_SEND, error, &asked, port, IPPROTO_UDP);
		if (!is_any(&bound) && is_own_source(&me, &bound))
			chosen = bound;
	}
	if (via.hops || (!may_leave_by(me.v, via.ifindex) && !weak(GATE_WEAK_INTERFACE_SEND)))
		return refuse(me.id, KIND_SEND, EPERM, &asked, port, IPPROTO_UDP);
	if (is_any(from))
		*from = chosen;
	if (me.v->flags & GATE_F_OWN_STACK)
		return is_any(from) || is_own_source(&me, from) ? ALLOW : refuse(me.id, KIND_SEND, EADDRNOTAVAIL, &asked, port, IPPROTO_UDP);
	if (!is_own_source(&me, from) && !(weak(GATE_WEAK_SOURCE) && !owner_of(from)))
		return refuse(me.id, KIND_SEND, EADDRNOTAVAIL, &asked, port, IPPROTO_UDP);
	if (without_name) /* whom it is connected to, the kernel finds it for without a look-up */
		return ALLOW;
	n = note_make(sk);
	if (!is_any(&bound) && n && n->unlisted)
		return ALLOW;
	/* Bound by the kernel, to the wildcard address for want of a bind, or to the address of one that chose no port
	 * (IP_BIND_ADDRESS_NO_PORT) or of a connection that is over: the answers come there. */
	key = (struct gate_udp){ .addr = is_any(&bound) ? *from : bound, .port = sk->src_port };
	if (!n || !udp_register(n, me.counts, &key))
		return refuse(me.id, KIND_SEND, EPERM, &asked, port, IPPROTO_UDP);
	return ALLOW;
}

SEC("cgroup/sendmsg4")
int gate_sendmsg4(struct bpf_sock_addr *ctx)
{
	struct gate_addr to = mapped(ctx->user_ip4), from = mapped(ctx->msg_src_ip4);
	struct bpf_sock *sk = ctx->sk;
	/* A named destination has a port: the kernel refused port 0 before. */
	bool without_name = !ctx->user_port;

	if (!sk || !send_hook(sk, &to, &from, bpf_ntohs(ctx->user_port), without_name, via4(ctx)))
		return REFUSE;
	if (!without_name)
		ctx->user_ip4 = to.w[3];
	ctx->msg_src_ip4 = from.w[3];
	return ALLOW;
}

SEC("cgroup/sendmsg6")
int gate_sendmsg6(struct bpf_sock_addr *ctx)
{
	struct gate_addr to = ADDR_LOAD(ctx, user_ip6), from = ADDR_LOAD(ctx, msg_src_ip6);
	struct bpf_sock *sk = ctx->sk;
	bool without_name = !ctx->user_port;

	if (!sk || !send_hook(sk, &to, &from, bpf_ntohs(ctx->user_port), without_name, via6(ctx)))
		return REFUSE;
	if (!without_name)
		ADDR_STORE(ctx, user_ip6, &to);
	ADDR_STORE(ctx, msg_src_ip6, &from);
	return ALLOW;
}
