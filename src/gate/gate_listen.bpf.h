/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Listeners, and what arrives for them.  Part of gate.bpf.c. */
#pragma once

#include "gate_who.bpf.h"

/* --- listeners --- */

static __always_inline void put_listener(struct bpf_sock_ops *ctx, struct gate_listener *key)
{
	key->slot = 0;
	if (!bpf_sock_hash_update(ctx, &listeners, key, BPF_NOEXIST))
		return;
	key->slot = 1;
	bpf_sock_hash_update(ctx, &listeners, key, BPF_ANY);
}

static __always_inline void shut(struct bpf_sock_ops *ctx)
{
	int nowhere = NO_IFINDEX;

	bpf_setsockopt(ctx, SOL_SOCKET, SO_BINDTOIFINDEX, &nowhere, sizeof(nowhere));
}

static __always_inline bool count_listener(struct sock_note *n, const struct asker *me, const struct gate_listener *key)
{
	if (n->listener)
		return true;
	if (me->counts->listeners >= GATE_LISTENERS_MAX) {
		gate_note_packet(me->id, how(KIND_BIND, GATE_ASKED_ADDRESS, 0), &key->addr, key->port, IPPROTO_TCP);
		return false;
	}
	__sync_fetch_and_add(&me->counts->listeners, 1);
	n->listener = 1;
	return true;
}

/* In a private stack nothing is judged, and no socket but PID 1's own put into the table. */
static __always_inline void on_listen_inside(struct bpf_sock_ops *ctx, struct bpf_sock *sk, const struct asker *me)
{
	struct gate_ports *p = bpf_map_lookup_elem(&ports, &me->id);
	struct gate_listener key = { .id = me->id, .port = ctx->local_port, .scope = GATE_EXACT };
	struct gate_addr at = bound_to(sk);
	struct sock_note *n = p ? note_make(sk) : NULL;

	if (!n || n->listener)
		return;
	n->listener = 1;
	n->listens = key.port;
	__sync_fetch_and_add(&me->counts->listeners, 1);
	__sync_fetch_and_add(&p->at[key.port & (GATE_PORTS - 1)].listeners, 1);
	if (key.port != GATE_STANDBY_PORT || !is_loopback(&at))
		return;
	key.addr = is_mapped(&at) ? hidden4(me->id) : hidden6(me->id);
	put_listener(ctx, &key);
}

/* A socket begins to listen.  What is not put into the table is reached by nobody: gate_lookup asks the table alone. */
static __always_inline void on_listen(struct bpf_sock_ops *ctx, struct bpf_sock *sk)
{
	struct gate_listener key = { .port = ctx->local_port };
	struct asker me = who();
	struct sock_note *n;
	int wild;

	if (!me.v) {
		if (!weak(GATE_WEAK_LISTEN_STRANGER))
			shut(ctx);
		return;
	}
	if (me.v->flags & GATE_F_OWN_STACK) {
		on_listen_inside(ctx, sk, &me);
		return;
	}
	key.addr = bound_to(sk);
	/* listen() without bind(): it stands on the wildcard address, the Psv's addresses included. */
	if (is_any(&key.addr) && !weak(GATE_WEAK_LISTEN_ANY)) {
		gate_note_packet(me.id, how(KIND_BIND, GATE_ASKED_ADDRESS, 0), &key.addr, key.port, IPPROTO_TCP);
		shut(ctx);
		return;
	}
	n = note_make(sk);
	if (!n || !count_listener(n, &me, &key))
		return;
	key.id = me.id;
	if (n->port)
		key.port = n->port;
	n->listens = key.port;
	wild = wild_of(n, &key.addr);
	if (!wild) {
		put_listener(ctx, &key);
		return;
	}
	key.addr = (struct gate_addr){};
	if (wild != WILD_6) {
		key.scope = GATE_WILD4;
		put_listener(ctx, &key);
	}
	if (wild != WILD_4) {
		key.scope = GATE_WILD6;
		put_listener(ctx, &key);
	}
}

SEC("sockops")
int gate_sock_ops(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *sk;

	ctx->reply = -1; /* no opinion on what other events ask */
	if (ctx->op != BPF_SOCK_OPS_TCP_LISTEN_CB)
		return 1;
	sk = ctx->sk;
	if (sk)
		on_listen(ctx, sk);
	return 1;
}

/* --- what arrives --- */

static __always_inline int drop(struct bpf_sk_lookup *ctx, __u32 id, const struct gate_addr *to)
{
	gate_note_packet(id, how(KIND_INGRESS, GATE_ASKED_ADDRESS, 0), to, ctx->local_port, ctx->protocol);
	return SK_DROP;
}

static __always_inline bool give(struct bpf_sk_lookup *ctx, struct gate_listener *key, __u8 slot)
{
	struct bpf_sock *sk;
	long r;

	key->slot = slot;
	sk = bpf_map_lookup_elem(&listeners, key);
	if (!sk)
		return false;
	r = bpf_sk_assign(ctx, sk, 0);
	bpf_sk_release(sk);
	return !r;
}

static __always_inline bool closed_lately(__u32 id, __u32 port)
{
	const struct gate_stats *s = bpf_map_lookup_elem(&stats, &id);
	__u64 now = bpf_ktime_get_boot_ns();

	if (!s)
		return false;
	for (int i = 0; i < GATE_CLOSED; i++)
		if (s->closed[i].port == port && now - s->closed[i].boot_ns < GATE_STANDBY_NS)
			return true;
	return false;
}

/* A listener that answers nobody: see struct gate_closed. */
static __always_inline bool give_standby(struct bpf_sk_lookup *ctx, bool four, __u32 id)
{
	struct gate_listener key = { .id = id, .port = GATE_STANDBY_PORT, .scope = GATE_EXACT };

	key.addr = four ? hidden4(id) : hidden6(id);
	return give(ctx, &key, 0);
}

/* The second slots come last: they are asked only when a first one has closed. */
static __always_inline int to_listener(struct bpf_sk_lookup *ctx, const struct gate_addr *to, __u32 id)
{
	struct gate_listener exact = { .addr = *to, .id = id, .port = ctx->local_port, .scope = GATE_EXACT };
	struct gate_listener wild = { .id = id, .port = ctx->local_port };

	wild.scope = is_mapped(to) ? GATE_WILD4 : GATE_WILD6;
	if (give(ctx, &exact, 0) || give(ctx, &wild, 0) || give(ctx, &exact, 1) || give(ctx, &wild, 1))
		return SK_PASS;
	if (closed_lately(id, ctx->local_port) && give_standby(ctx, is_mapped(to), id))
		return SK_PASS;
	return weak(GATE_WEAK_LOOKUP_LISTENER) ? SK_PASS : SK_DROP;
}

static __always_inline int to_datagram(struct bpf_sk_lookup *ctx, const struct gate_addr *to, __u32 id)
{
	struct gate_udp key = { .addr = *to, .port = ctx->local_port };
	struct gate_udp_use *u = bpf_map_lookup_elem(&udp_ports, &key);

	return (u && u->id == id) || weak(GATE_WEAK_LOOKUP_DATAGRAM) ? SK_PASS : SK_DROP;
}

/* Whether the Vsv `sender` may reach the address of `owner` (0: the Psv's).  A sender without a configuration is
 * one of a gate with another layout; whether it may reach the Psv, that gate's program says, and its neighbours
 * are shut to it. */
static __always_inline bool may_reach(__u32 sender, __u32 owner, bool hidden)
{
	const struct gate_vsv *v;

	if (!sender || sender == owner)
		return true;
	if (sender == GATE_SEVERAL)
		return false;
	v = bpf_map_lookup_elem(&vsv, &sender);
	if (!v)
		return (!owner && !hidden) || weak(GATE_WEAK_LOOKUP_STRANGER);
	return owner ? gate_has_peer(v, owner) : v->flags & GATE_F_PEER_PSV;
}

/* Which Vsv sends: one of a private stack by where it comes in, or one of the shared stack; 0: nobody's. */
static __always_inline __u32 sender_of(const struct gate_addr *from, __u32 ingress_ifindex)
{
	__u32 guest = guest_at(from, ingress_ifindex, 0);

	return guest ? guest : owner_of(from);
}

SEC("sk_lookup")
int gate_lookup(struct bpf_sk_lookup *ctx)
{
	struct gate_addr to, from;
	const struct gate_vsv *v;
	__u32 owner, sender;

	if (ctx->family == AF_INET) {
		to = mapped(ctx->local_ip4);
		if (to.w[3] == bpf_htonl(ASK4)) /* psv_listens asks */
			return SK_PASS;
		from = mapped(ctx->remote_ip4);
	} else {
		to = ADDR_LOAD(ctx, local_ip6);
		from = ADDR_LOAD(ctx, remote_ip6);
		if (to.w[0] == bpf_htonl(ASK6_0) && is_any6(&from))
			return SK_PASS;
	}
	owner = owner_of(&to);
	sender = sender_of(&from, ctx->ingress_ifindex);
	if (in_hidden_net(&to) && !weak(GATE_WEAK_LOOKUP_HIDDEN) && (!owner || sender != owner || ctx->ingress_ifindex != LOOPBACK_IFINDEX))
		return drop(ctx, sender, &to);
	if (!may_reach(sender, owner, in_hidden_net(&from)))
		return drop(ctx, sender, &to);
	if (!owner)
		return SK_PASS;
	/* An address without a configuration is one of a gate with another layout, whose program answers for it: the
	 * loader writes the configuration before the addresses and takes it away after them.  The socket that it gives counts
	 * more than a refusal here; of UDP it gives none. */
	v = bpf_map_lookup_elem(&vsv, &owner);
	if (!v)
		return ctx->protocol == IPPROTO_TCP ? SK_DROP : SK_PASS;
	return ctx->protocol == IPPROTO_TCP ? to_listener(ctx, &to, owner) : to_datagram(ctx, &to, owner);
}

/* On the network namespace of a private stack: refuses nothing, gives nobody's connection to a service, and only keeps silent where
 * the kernel would refuse. */
SEC("sk_lookup")
int gate_inside(struct bpf_sk_lookup *ctx)
{
	__u32 ifindex = ctx->ingress_ifindex, port = ctx->local_port, i = port & (GATE_PORTS - 1), *id;
	const struct gate_ports *p;

	if (ctx->protocol != IPPROTO_TCP)
		return SK_PASS;
	id = bpf_map_lookup_elem(&inside, &ifindex);
	p = id ? bpf_map_lookup_elem(&ports, id) : NULL;
	if (p && p->at[i].listeners <= 0 && p->at[i].port == port &&
	    bpf_ktime_get_boot_ns() - p->at[i].boot_ns < GATE_STANDBY_NS)
		(void)give_standby(ctx, ctx->family == AF_INET, *id);
	return SK_PASS;
}
