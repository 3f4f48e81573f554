/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The names of sockets, as the programs inside are to see them.  Part of gate.bpf.c. */
#pragma once

#include "gate_who.bpf.h"

static __always_inline bool show_loopback(struct gate_addr *a)
{
	struct gate_identity *me;

	if (!in_hidden_net(a))
		return false;
	me = bpf_get_local_storage(&identity, 0);
	if (hidden_id(a) != me->id)
		return false;
	*a = is_mapped(a) ? mapped(bpf_htonl(0x7f000001)) : v6(0, 0, 0, 1);
	return true;
}

/* A socket that is not connected says of itself what it asked for: the wildcard address, the port that it serves.  *port
 * in network order. */
static __always_inline bool show_asked(struct bpf_sock *sk, struct gate_addr *a, __u16 *port)
{
	struct sock_note *n = bpf_sk_storage_get(&notes, sk, NULL, 0);
	struct gate_addr bound = bound_to(sk);
	int wild = wild_of(n, &bound);

	if (!n || (sk->state != STATE_CLOSE && sk->state != STATE_LISTEN))
		return false;
	if (n->port && !is_any(&bound))
		*port = bpf_htons(n->port);
	if (!wild)
		return false;
	*a = wild == WILD_4 ? mapped(0) : (struct gate_addr){};
	return true;
}

/* Who comes to the own loopback is of the own: with an address that it was bound to for the wildcard address before it
 * connected, which elsewhere would have become 127.0.0.1 then (bindresvport(3); statd and mountd believe no other). */
static __always_inline bool show_own_peer(struct bpf_sock *sk, struct gate_addr *a)
{
	struct gate_identity *me = bpf_get_local_storage(&identity, 0);
	struct gate_addr bound = bound_to(sk);

	if (!in_hidden_net(&bound) || hidden_id(&bound) != me->id || owner_of(a) != me->id)
		return false;
	*a = is_mapped(a) ? mapped(bpf_htonl(0x7f000001)) : v6(0, 0, 0, 1);
	return true;
}

static __always_inline int show4(struct bpf_sock_addr *ctx, bool own)
{
	struct gate_addr a = mapped(ctx->user_ip4);
	struct bpf_sock *sk = ctx->sk;
	__u16 port = 0;

	if ((own && sk && show_asked(sk, &a, &port)) || show_loopback(&a))
		ctx->user_ip4 = a.w[3];
	if (port)
		ctx->user_port = port;
	return ALLOW;
}

static __always_inline int show6(struct bpf_sock_addr *ctx, bool own)
{
	struct gate_addr a = ADDR_LOAD(ctx, user_ip6);
	struct bpf_sock *sk = ctx->sk;
	__u16 port = 0;

	if ((own && sk && show_asked(sk, &a, &port)) || show_loopback(&a))
		ADDR_STORE(ctx, user_ip6, &a);
	if (port)
		ctx->user_port = port;
	return ALLOW;
}

SEC("cgroup/getsockname4")
int gate_getsockname4(struct bpf_sock_addr *ctx)
{
	return show4(ctx, true);
}

SEC("cgroup/getsockname6")
int gate_getsockname6(struct bpf_sock_addr *ctx)
{
	return show6(ctx, true);
}

SEC("cgroup/getpeername4")
int gate_getpeername4(struct bpf_sock_addr *ctx)
{
	struct gate_addr a = mapped(ctx->user_ip4);
	struct bpf_sock *sk = ctx->sk;

	if (!sk || !show_own_peer(sk, &a))
		return show4(ctx, false);
	ctx->user_ip4 = a.w[3];
	return ALLOW;
}

SEC("cgroup/getpeername6")
int gate_getpeername6(struct bpf_sock_addr *ctx)
{
	struct gate_addr a = ADDR_LOAD(ctx, user_ip6);
	struct bpf_sock *sk = ctx->sk;

	if (!sk || !show_own_peer(sk, &a))
		return show6(ctx, false);
	ADDR_STORE(ctx, user_ip6, &a);
	return ALLOW;
}

SEC("cgroup/recvmsg4")
int gate_recvmsg4(struct bpf_sock_addr *ctx)
{
	return show4(ctx, false);
}

SEC("cgroup/recvmsg6")
int gate_recvmsg6(struct bpf_sock_addr *ctx)
{
	return show6(ctx, false);
}
