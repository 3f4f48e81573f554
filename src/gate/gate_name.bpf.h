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

/* A socket bound to the wildcard address says so, until it is connected. */
static __always_inline bool show_wild(struct bpf_sock *sk, struct gate_addr *a)
{
	struct sock_note *n = bpf_sk_storage_get(&notes, sk, NULL, 0);
	struct gate_addr bound = bound_to(sk);
	int wild = wild_of(n, &bound);

	if (!wild || (sk->state != STATE_CLOSE && sk->state != STATE_LISTEN))
		return false;
	*a = wild == WILD_4 ? mapped(0) : (struct gate_addr){};
	return true;
}

static __always_inline int show4(struct bpf_sock_addr *ctx, bool own)
{
	struct gate_addr a = mapped(ctx->user_ip4);
	struct bpf_sock *sk = ctx->sk;

	if ((own && sk && show_wild(sk, &a)) || show_loopback(&a))
		ctx->user_ip4 = a.w[3];
	return ALLOW;
}

static __always_inline int show6(struct bpf_sock_addr *ctx, bool own)
{
	struct gate_addr a = ADDR_LOAD(ctx, user_ip6);
	struct bpf_sock *sk = ctx->sk;

	if ((own && sk && show_wild(sk, &a)) || show_loopback(&a))
		ADDR_STORE(ctx, user_ip6, &a);
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
	return show4(ctx, false);
}

SEC("cgroup/getpeername6")
int gate_getpeername6(struct bpf_sock_addr *ctx)
{
	return show6(ctx, false);
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
