/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who asks, what an address is to him, and refusing.  Part of gate.bpf.c. */
#pragma once

#include "gate_addr.bpf.h"

/* The verifier wants the fields of a context or socket at constant offsets from its own pointer, where the
 * compiler likes to step through an array of four with a pointer of its own. */
#define FIELD_LOAD(p, field)                                                                                       \
	({                                                                                                         \
		__u32 value_;                                                                                      \
		asm volatile("%0 = *(u32 *)(%1 + %2)"                                                              \
			     : "=r"(value_)                                                                        \
			     : "r"(p), "i"(__builtin_offsetof(__typeof__(*(p)), field)));                          \
		value_;                                                                                            \
	})
#define FIELD_STORE(p, field, value)                                                                               \
	asm volatile("*(u32 *)(%0 + %1) = %2"                                                                      \
		     :                                                                                             \
		     : "r"(p), "i"(__builtin_offsetof(__typeof__(*(p)), field)), "r"(value)                        \
		     : "memory")
#define ADDR_LOAD(p, field)                                                                                        \
	((struct gate_addr){ { FIELD_LOAD(p, field[0]), FIELD_LOAD(p, field[1]), FIELD_LOAD(p, field[2]),          \
			       FIELD_LOAD(p, field[3]) } })
#define ADDR_STORE(p, field, a)                                                                                    \
	({                                                                                                         \
		FIELD_STORE(p, field[0], (a)->w[0]);                                                               \
		FIELD_STORE(p, field[1], (a)->w[1]);                                                               \
		FIELD_STORE(p, field[2], (a)->w[2]);                                                               \
		FIELD_STORE(p, field[3], (a)->w[3]);                                                               \
	})

static __always_inline struct gate_addr bound_to(struct bpf_sock *sk)
{
	if (sk->family == AF_INET6)
		return ADDR_LOAD(sk, src_ip6);
	return mapped(sk->src_ip4);
}

/* --- who asks --- */

struct asker {
	struct gate_identity *counts;
	__u32 id;
	const struct gate_vsv *v; /* NULL: unknown, refuse */
};

static __always_inline struct asker who(void)
{
	struct gate_identity *me = bpf_get_local_storage(&identity, 0);
	struct asker a = { .counts = me, .id = me->id };

	if (a.id)
		a.v = bpf_map_lookup_elem(&vsv, &a.id);
	return a;
}

static __always_inline struct sock_note *note_make(struct bpf_sock *sk)
{
	return bpf_sk_storage_get(&notes, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
}

/* Which wildcard a socket takes itself to be bound to. */
static __always_inline int wild_of(const struct sock_note *n, const struct gate_addr *bound)
{
	return n && n->wild && same(&n->wild_at, bound) ? n->wild : WILD_NONE;
}

/* --- refusing, and the note that somebody may read --- */

enum { NOTE_TRIES = 4 };

/* One note's place in the bucket, which is kept as the time when it is full again. */
static __always_inline bool take_token(struct gate_stats *s, __u64 now)
{
	for (int i = 0; i < NOTE_TRIES; i++) {
		__u64 old = s->due_ns, from = old > now ? old : now;

		if (from - now >= GATE_BURST * GATE_PAUSE_NS)
			return false;
		if (__sync_val_compare_and_swap(&s->due_ns, old, from + GATE_PAUSE_NS) == old)
			return true;
	}
	return false;
}

/* The number of a free place, or 0. */
static __always_inline __u64 take_place(struct gate_stats *s, __u32 id)
{
	struct gate_taken *t = bpf_map_lookup_elem(&taken, &id);
	__u64 read = t ? t->head : 0;

	for (int i = 0; i < NOTE_TRIES; i++) {
		__u64 head = s->head;

		if (head - read >= GATE_EVENTS)
			return 0;
		if (__sync_val_compare_and_swap(&s->head, head, head + 1) == head)
			return head + 1;
	}
	return 0;
}

/* What a refusal is: kind, answer, and what was asked for, in one word, for a function takes five. */
static __always_inline __u32 how(int kind, int asked, int error)
{
	return (__u32)kind | (__u32)asked << 8 | (__u32)error << 16;
}

static __always_inline int note(__u32 id, __u32 how, const struct gate_addr *a, __u32 x, __u32 y, bool current)
{
	struct gate_stats *s = bpf_map_lookup_elem(&stats, &id);
	__u32 kind = how & 0xff;
	__u64 now, number;
	struct gate_event *e;

	if (!s || kind >= GATE_N_KINDS)
		return 0;
	__sync_fetch_and_add(&s->refused[kind], 1);
	now = bpf_ktime_get_boot_ns();
	number = take_token(s, now) ? take_place(s, id) : 0;
	if (!number) {
		__sync_fetch_and_add(&s->unnoted[kind], 1);
		return 0;
	}
	e = &s->events[(number - 1) & (GATE_EVENTS - 1)];
	e->boot_ns = now;
	e->kind = kind;
	e->asked = how >> 8 & 0xff;
	e->error = how >> 16;
	e->x = x;
	e->y = y;
	if (a)
		e->addr = *a;
	e->pid = e->uid = 0;
	e->comm[0] = 0;
	if (current) {
		e->pid = bpf_get_current_pid_tgid() >> 32;
		e->uid = (__u32)bpf_get_current_uid_gid();
		bpf_get_current_comm(e->comm, sizeof(e->comm));
	}
	/* With a full barrier, after all the others. */
	__sync_lock_test_and_set(&e->number, number);
	return 0;
}

/* Functions of their own, for the reason below.  gate_note_packet: where no process asks. */
__noinline int gate_note(__u32 id, __u32 how, const struct gate_addr *a, __u32 x, __u32 y)
{
	return note(id, how, a, x, y, true);
}

__noinline int gate_note_packet(__u32 id, __u32 how, const struct gate_addr *a, __u32 x, __u32 y)
{
	return note(id, how, a, x, y, false);
}

static __always_inline int refuse(__u32 id, int kind, int error, const struct gate_addr *a, __u32 port, __u32 protocol)
{
	gate_note(id, how(kind, GATE_ASKED_ADDRESS, error), a, port, protocol);
	bpf_set_retval(-error);
	return REFUSE;
}

/* The loops stand in functions of their own, which the verifier walks through once and not once for every way that
 * leads there: loading takes a fiftieth of the time. */
__noinline int gate_has_peer(const struct gate_vsv *v, __u32 to)
{
	if (!v)
		return 0;
	for (__u32 i = 0; i < GATE_PEERS && i < v->n_peers; i++)
		if (v->peers[i] == to)
			return 1;
	return 0;
}

/* Whether an address is one of its own.  The table of all does not have those of a private stack. */
__noinline int gate_has_address(const struct gate_vsv *v, const struct gate_addr *a)
{
	if (!v || !a)
		return 0;
	for (__u32 i = 0; i < GATE_NETS && i < v->n_nets; i++)
		if (same(&v->nets[i].addr, a))
			return 1;
	return 0;
}

static __always_inline bool is_own(const struct asker *me, const struct gate_addr *a)
{
	if (me->v->flags & GATE_F_OWN_STACK)
		return gate_has_address(me->v, a);
	return owner_of(a) == me->id;
}

/* Which Vsv of a private stack has that address on that interface of the Psv's; 0: none; GATE_SEVERAL: one of several. */
static __always_inline __u32 guest_at(const struct gate_addr *a, __u32 ifindex, __u32 vlan)
{
	struct gate_guest key = { .addr = *a, .ifindex = ifindex, .vlan = GATE_VLAN_ANY };
	__u32 *id = bpf_map_lookup_elem(&guests, &key);

	if (!id || *id != GATE_SEVERAL)
		return id ? *id : 0;
	key.vlan = vlan;
	id = bpf_map_lookup_elem(&guests, &key);
	return id ? *id : GATE_SEVERAL;
}

/* What an address is to a Vsv's networks. */
enum {
	PLACE_NEAR = 1,      /* in a subnet of its own; *from is its first address there */
	PLACE_BROADCAST = 2, /* the broadcast address of such a subnet */
	PLACE_DENIED = 4,    /* in a network that it may not reach */
};

__noinline int gate_place(const struct gate_vsv *v, const struct gate_addr *a, struct gate_addr *from)
{
	int place = 0;

	if (!v || !a || !from)
		return PLACE_DENIED;
	for (__u32 i = 0; i < GATE_NETS && i < v->n_nets; i++) {
		if (in_net(&v->nets[i], a)) {
			*from = v->nets[i].addr;
			place = PLACE_NEAR;
			break;
		}
	}
	for (__u32 i = 0; i < GATE_NETS && i < v->n_broadcasts; i++)
		if (v->broadcasts[i] == a->w[3] && is_mapped(a)) {
			place |= PLACE_BROADCAST;
			break;
		}
	for (__u32 i = 0; i < GATE_DENIES && i < v->n_denies; i++)
		if (in_net(&v->denies[i], a))
			return place | PLACE_DENIED;
	return place;
}
