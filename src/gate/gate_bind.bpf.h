/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Binding, and the table of UDP ports that follows from it.  Part of gate.bpf.c. */
#pragma once

#include "gate_via.bpf.h"
#include "gate_who.bpf.h"

/* --- binding --- */

static __always_inline void switch_on(struct bpf_sock_addr *ctx, int option)
{
	int one = 1;

	bpf_setsockopt(ctx, SOL_SOCKET, option, &one, sizeof(one));
}

/* What SO_REUSEADDR and SO_REUSEPORT were asked for on a UDP socket, and gate_setsockopt held back. */
static __always_inline void apply_reuse(struct bpf_sock_addr *ctx, const struct sock_note *n)
{
	if (n->reuse & 1)
		switch_on(ctx, SO_REUSEADDR);
	if (n->reuse & 2)
		switch_on(ctx, SO_REUSEPORT);
}

/* Judges an address to bind and replaces it where the gate has another for it.  *wild says what it stood for. */
static __always_inline bool judge_bind(const struct asker *me, struct gate_addr *a, bool udp, bool v6only, int *wild,
				       bool *group)
{
	const struct gate_vsv *v = me->v;
	struct gate_addr from = {};

	*wild = WILD_NONE;
	*group = false;
	if (v->flags & GATE_F_OWN_STACK) {
		if (is_any(a) || in_loopback_net(a))
			return true;
	} else if (is_any(a)) {
		bool four = is_mapped(a);

		*wild = four ? WILD_4 : v6only ? WILD_6 : WILD_BOTH;
		if (four || (!v6only && (v->flags & (GATE_F_HAS4 | GATE_F_HAS6)) != GATE_F_HAS6)) {
			*a = v->flags & GATE_F_HAS4 ? v->primary4 : hidden4(me->id);
			return true;
		}
		if (!v6only && v->flags & GATE_F_HAS4) {
			*a = v->primary4;
			return true;
		}
		/* Bound to an IPv6 address a socket serves IPv6 alone. */
		*wild = WILD_6;
		*a = v->flags & GATE_F_HAS6 ? v->primary6 : hidden6(me->id);
		return true;
	} else if (is_loopback(a)) {
		*a = is_mapped(a) ? hidden4(me->id) : hidden6(me->id);
		return true;
	}
	if (is_own(me, a) || (weak(GATE_WEAK_ADDRESS) && !owner_of(a)))
		return true;
	if (weak(GATE_WEAK_GROUP_BIND) && udp && is_group(a)) {
		*group = true;
		return true;
	}
	if (!udp || !(v->flags & GATE_F_DISCOVERY))
		return false;
	*group = true;
	if (v->flags & group_flag(a))
		return true;
	return v->flags & GATE_F_BROADCAST && gate_place(v, a, &from) & PLACE_BROADCAST;
}

/* Whether a listener of the Psv stands on that port of the wildcard address.  Asked by way of addresses that nobody has,
 * so that no listener on one address answers, nor a Vsv's.  The kernel goes through all its look-up for it, gate_lookup included. */
static __noinline int psv_listens(struct bpf_sock_addr *ctx, bool four)
{
	struct bpf_sock_tuple to = {};
	struct bpf_sock *found;
	int wild;

	if (four) {
		to.ipv4.daddr = bpf_htonl(ASK4);
		to.ipv4.dport = ctx->user_port;
		found = bpf_skc_lookup_tcp(ctx, &to, sizeof(to.ipv4), BPF_F_CURRENT_NETNS, 0);
	} else {
		to.ipv6.daddr[0] = bpf_htonl(ASK6_0);
		to.ipv6.daddr[3] = bpf_htonl(1);
		to.ipv6.dport = ctx->user_port;
		found = bpf_skc_lookup_tcp(ctx, &to, sizeof(to.ipv6), BPF_F_CURRENT_NETNS, 0);
	}
	if (!found)
		return 0;
	wild = found->state == STATE_LISTEN;
	bpf_sk_release(found);
	return wild;
}

/* A 'no' holds for some milliseconds: a service binds one of its addresses after the other to the same port.  What has come
 * to listen in between has the port, and the kernel says so.  In one word, so that it is read and written whole: the time, the
 * family and the port. */
enum { ASKED_SHIFT = 17, ASKED_MASK = (1 << ASKED_SHIFT) - 1, ASKED_SIX = 1 << 16, ASKED_TICK = 20 /* bits: a millisecond */, ASKED_TICKS = 10 };

static __always_inline bool psv_may_listen(struct bpf_sock_addr *ctx, const struct gate_addr *a, struct gate_identity *me)
{
	__u32 port = bpf_ntohs(ctx->user_port), what = port | (is_mapped(a) ? 0 : ASKED_SIX);
	__u64 now = bpf_ktime_get_coarse_ns() >> ASKED_TICK, asked = me->asked;

	if (!port || (port < 1024 && (__u32)bpf_get_current_uid_gid() != 0))
		return false;
	if ((asked & ASKED_MASK) == what && now - (asked >> ASKED_SHIFT) < ASKED_TICKS)
		return false;
	if (psv_listens(ctx, is_mapped(a)))
		return true;
	me->asked = now << ASKED_SHIFT | what;
	return false;
}

static __always_inline bool is_served(const struct gate_listener *key)
{
	struct bpf_sock *sk = bpf_map_lookup_elem(&listeners, key);

	if (!sk)
		return false;
	bpf_sk_release(sk);
	return true;
}

/* The Psv's wildcard listener (its sshd, its rpcbind) would take the port from every Vsv.  But gate_lookup finds a
 * listener by what the table says, so it can stand on any port of the Vsv's address; the kernel chooses one.  A second
 * listener gets the kernel's answer, and a port below 1024 is root's.  0, or the errno to refuse with. */
static __always_inline int step_aside(struct bpf_sock_addr *ctx, struct sock_note *n, const struct gate_addr *a,
				      struct gate_identity *me, int wild)
{
	struct gate_listener key = { .id = me->id, .port = bpf_ntohs(ctx->user_port), .scope = GATE_EXACT };

	if (!wild)
		key.addr = *a;
	else
		key.scope = wild == WILD_6 ? GATE_WILD6 : GATE_WILD4;
	if (is_served(&key))
		return EADDRINUSE;
	n->port = key.port;
	me->stepped = 1;
	ctx->user_port = 0;
	return 0;
}

static __always_inline int bind_hook(struct bpf_sock_addr *ctx, struct bpf_sock *sk, struct gate_addr *a, bool v6only)
{
	struct gate_identity *identified = bpf_get_local_storage(&identity, 0);
	bool udp = ctx->protocol == IPPROTO_UDP, group = false, own_stack = false, listens = false;
	__u32 id = identified->id, port = bpf_ntohs(ctx->user_port), *owner;
	int wild = WILD_NONE, error;
	struct sock_note *n;
	struct asker me;

	/* The common case first.  Where an address is in the table, its owner has a configuration (see gate_set), and shares the
	 * stack of all. */
	owner = is_any(a) ? NULL : bpf_map_lookup_elem(&addresses, a);
	if (owner && (!id || *owner != id))
		owner = NULL;
	if (owner && !udp) {
		/* What an earlier bind left in the note, if it failed after it stepped aside, is left there. */
		if (!port)
			return ALLOW;
		listens = psv_may_listen(ctx, a, identified);
		if (!listens && !identified->stepped)
			return ALLOW;
	}
	n = note_make(sk);
	if (!n)
		return refuse(id, KIND_BIND, EADDRNOTAVAIL, a, port, ctx->protocol);
	n->unlisted = 0;
	if (!owner) {
		me = who();
		if (!me.v && weak(GATE_WEAK_BIND_STRANGER))
			return ALLOW;
		if (!me.v || !judge_bind(&me, a, udp, v6only, &wild, &group))
			return refuse(me.id, KIND_BIND, EADDRNOTAVAIL, a, port, ctx->protocol);
		own_stack = me.v->flags & GATE_F_OWN_STACK;
		n->unlisted = group || own_stack;
		if (!udp && !own_stack) /* what listens there is its own */
			listens = psv_may_listen(ctx, a, identified);
	}
	if (wild) {
		n->wild = wild;
		n->wild_at = *a;
	}
	if (!udp) {
		n->port = 0;
		error = listens ? step_aside(ctx, n, a, identified, wild) : 0;
		if (error) {
			bpf_set_retval(-error);
			return REFUSE;
		}
		return ALLOW;
	}
	apply_reuse(ctx, n);
	/* Else the first Vsv of a subnet would keep its broadcast address from the others. */
	if (group)
		switch_on(ctx, SO_REUSEADDR);
	return ALLOW;
}

SEC("cgroup/bind4")
int gate_bind4(struct bpf_sock_addr *ctx)
{
	struct gate_addr a = mapped(ctx->user_ip4);
	struct bpf_sock *sk = ctx->sk;

	if (!sk || !bind_hook(ctx, sk, &a, false))
		return REFUSE;
	ctx->user_ip4 = a.w[3];
	return ALLOW;
}

static __always_inline bool is_v6only(struct bpf_sock *sk, bool udp)
{
	struct sock_common *c;

	c = udp ? (struct sock_common *)bpf_skc_to_udp6_sock(sk) : (struct sock_common *)bpf_skc_to_tcp6_sock(sk);
	return c && BPF_CORE_READ_BITFIELD(c, skc_ipv6only);
}

SEC("cgroup/bind6")
int gate_bind6(struct bpf_sock_addr *ctx)
{
	struct gate_addr a = ADDR_LOAD(ctx, user_ip6);
	struct bpf_sock *sk = ctx->sk;
	bool v6only;

	if (!sk)
		return REFUSE;
	v6only = is_any6(&a) && is_v6only(sk, ctx->protocol == IPPROTO_UDP);
	if (!may_hold(ctx, &a, KIND_BIND) || !bind_hook(ctx, sk, &a, v6only))
		return REFUSE;
	ADDR_STORE(ctx, user_ip6, &a);
	return ALLOW;
}

/* --- UDP: which ports gate_lookup lets through --- */

static __always_inline void udp_forget(struct sock_note *n, struct gate_identity *counts)
{
	struct gate_udp_use *u = bpf_map_lookup_elem(&udp_ports, &n->udp);

	n->has_udp = 0;
	if (counts->udp > 0)
		__sync_fetch_and_add(&counts->udp, -1);
	if (u && __sync_fetch_and_add(&u->sockets, -1) <= 1)
		bpf_map_delete_elem(&udp_ports, &n->udp);
}

/* Two sockets of one Vsv on one address and port that come and go at the same moment can lose the entry between them:
 * then its datagrams are refused, never another's let in. */
static __always_inline bool udp_register(struct sock_note *n, struct gate_identity *counts, const struct gate_udp *key)
{
	struct gate_udp_use fresh = { .id = counts->id, .sockets = 1 };
	struct gate_udp_use *u;

	if (n->has_udp) {
		if (n->udp.port == key->port && same(&n->udp.addr, &key->addr))
			return true;
		udp_forget(n, counts);
	}
	if (counts->udp >= GATE_UDP_MAX)
		return false;
	/* Mostly it is the first socket there. */
	if (bpf_map_update_elem(&udp_ports, key, &fresh, BPF_NOEXIST)) {
		u = bpf_map_lookup_elem(&udp_ports, key);
		if (!u || u->id != fresh.id || __sync_fetch_and_add(&u->sockets, 1) <= 0)
			if (bpf_map_update_elem(&udp_ports, key, &fresh, BPF_ANY))
				return false;
	}
	__sync_fetch_and_add(&counts->udp, 1);
	n->udp = *key;
	n->has_udp = 1;
	return true;
}

static __always_inline int post_bind(struct bpf_sock *ctx, const struct gate_addr *a)
{
	struct gate_udp key = { .addr = *a, .port = ctx->src_port };
	struct gate_identity *me;
	struct sock_note *n;

	if (ctx->protocol != IPPROTO_UDP)
		return ALLOW;
	/* Without a number, or a note of bind_hook's, nothing was judged. */
	me = bpf_get_local_storage(&identity, 0);
	n = bpf_sk_storage_get(&notes, ctx, NULL, 0);
	if (!n || !me->id)
		return weak(GATE_WEAK_POST_BIND_STRANGER) ? ALLOW : REFUSE;
	/* A group's datagrams go to every socket of it and ask no look-up. */
	if (n->unlisted || udp_register(n, me, &key))
		return ALLOW;
	gate_note(me->id, how(KIND_BIND, GATE_ASKED_ADDRESS, EPERM), a, key.port, IPPROTO_UDP);
	return REFUSE;
}

SEC("cgroup/post_bind4")
int gate_post_bind4(struct bpf_sock *ctx)
{
	struct gate_addr a = mapped(ctx->src_ip4);

	return post_bind(ctx, &a);
}

SEC("cgroup/post_bind6")
int gate_post_bind6(struct bpf_sock *ctx)
{
	struct gate_addr a = ADDR_LOAD(ctx, src_ip6);

	return post_bind(ctx, &a);
}

static __always_inline void note_closed(__u32 id, __u32 port)
{
	struct gate_ports *inside_ports = bpf_map_lookup_elem(&ports, &id);
	struct gate_stats *s;
	struct gate_closed *c;

	if (inside_ports) {
		__u32 i = port & (GATE_PORTS - 1);

		inside_ports->at[i].port = port;
		inside_ports->at[i].boot_ns = bpf_ktime_get_boot_ns();
		__sync_fetch_and_add(&inside_ports->at[i].listeners, -1);
		return;
	}
	s = bpf_map_lookup_elem(&stats, &id);
	if (!s)
		return;
	c = &s->closed[__sync_fetch_and_add(&s->n_closed, 1) & (GATE_CLOSED - 1)];
	c->port = port;
	c->boot_ns = bpf_ktime_get_boot_ns();
}

SEC("cgroup/sock_release")
int gate_sock_release(struct bpf_sock *ctx)
{
	struct sock_note *n = bpf_sk_storage_get(&notes, ctx, NULL, 0);
	struct gate_identity *me;

	if (!n || !(n->counted | n->listener | n->has_udp))
		return ALLOW;
	me = bpf_get_local_storage(&identity, 0);
	if (n->counted && me->sockets > 0)
		__sync_fetch_and_add(&me->sockets, -1);
	if (n->listener && me->listeners > 0)
		__sync_fetch_and_add(&me->listeners, -1);
	if (n->listener)
		note_closed(me->id, n->listens);
	n->counted = n->listener = 0;
	if (n->has_udp)
		udp_forget(n, me);
	return ALLOW;
}
