/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making sockets, their options, and devices.  Part of gate.bpf.c. */
#pragma once

#include "gate_group.bpf.h"
#include "gate_via.bpf.h"
#include "gate_who.bpf.h"

/* --- sockets and their options --- */

/* A socket that was made here, and not accepted, can hold a port of its own without a hook seeing it (a send
 * without a bind takes one on the wildcard address), and a machine has some 28,000 for all.  So each is counted
 * until its release. */
static __always_inline bool count_socket(struct bpf_sock *ctx, struct gate_identity *counts)
{
	struct sock_note *n;

	if (counts->sockets >= GATE_SOCKETS_MAX)
		return false;
	n = note_make(ctx);
	if (!n)
		return false;
	n->counted = 1;
	__sync_fetch_and_add(&counts->sockets, 1);
	return true;
}

static __always_inline int refuse_socket(struct bpf_sock *ctx, __u32 id, int error)
{
	gate_note(id, how(KIND_SOCKET, GATE_ASKED_SOCKET, error), NULL, ctx->family, ctx->type << 16 | ctx->protocol);
	bpf_set_retval(-error);
	return REFUSE;
}

/* TCP and UDP: what else hangs on these families (raw, ping, MPTCP, SCTP, …) has no hooks at bind or send. */
SEC("cgroup/sock_create")
int gate_sock_create(struct bpf_sock *ctx)
{
	struct asker me = who();

	if (!me.v && weak(GATE_WEAK_SOCKET_STRANGER))
		return ALLOW;
	if (me.v && weak(GATE_WEAK_KIND))
		return ALLOW;
	if (!me.v || !((ctx->type == SOCK_STREAM && ctx->protocol == IPPROTO_TCP) ||
		       (ctx->type == SOCK_DGRAM && ctx->protocol == IPPROTO_UDP)))
		return refuse_socket(ctx, me.id, EPERM);
	if (!count_socket(ctx, me.counts))
		return refuse_socket(ctx, me.id, ENOBUFS);
	return ALLOW;
}

/* A UDP socket without a bind gets a port on the wildcard address when it sends, and no hook sees that: it must never
 * share that port with a socket of the Psv's.  So these two options wait for the bind.  And on a group or broadcast
 * address, which the neighbours need as well, bind_hook set SO_REUSEADDR, and it stays. */
static __always_inline int hold_reuse(struct bpf_sockopt *ctx, struct bpf_sock *sk, int bit)
{
	struct gate_addr bound = bound_to(sk);
	int *on = ctx->optval;
	struct sock_note *n;
	struct asker me;

	if (sk->protocol != IPPROTO_UDP || sk->type != SOCK_DGRAM)
		return ALLOW;
	if (ctx->optlen < (int)sizeof(*on) || (void *)(on + 1) > ctx->optval_end)
		return REFUSE;
	me = who();
	if (!me.v)
		return weak(GATE_WEAK_OPTION_STRANGER) ? ALLOW : REFUSE;
	/* Nobody else has sockets there, and what was bound to the wildcard address stands on it. */
	if (me.v->flags & GATE_F_OWN_STACK)
		return ALLOW;
	if (!is_any(&bound)) {
		if (owner_of(&bound) != me.id)
			ctx->optlen = -1;
		return ALLOW;
	}
	n = note_make(sk);
	if (!n)
		return REFUSE;
	if (*on)
		n->reuse |= bit;
	else
		n->reuse &= ~bit;
	ctx->optlen = -1; /* done, says the kernel to the caller */
	return ALLOW;
}

/* The Psv's networks have broadcast addresses that no hook of a send can tell from others: the kernel finds them before it asks
 * the Vsv's rules, sends by the Psv's other links, and gives a copy to the Psv's own sockets without asking gate_lookup.  It
 * refuses all of them to a socket without this option, so only a Vsv that has broadcast gets it (then gate_egress looks); to
 * others it is said to be done, for there are programs that end without it. */
static __always_inline int hold_broadcast(struct bpf_sockopt *ctx)
{
	struct asker me = who();

	if (!me.v)
		return weak(GATE_WEAK_OPTION_STRANGER) ? ALLOW : REFUSE;
	if (!(me.v->flags & (GATE_F_BROADCAST | GATE_F_OWN_STACK)) && !weak(GATE_WEAK_BROADCAST))
		ctx->optlen = -1;
	return ALLOW;
}

/* What would choose an interface, a port, a first hop or both ends past the hooks; and what reaches parts of the kernel that no
 * file server needs: a flow label (which can carry a routing header, and is one of 4,096 for the machine), other
 * protocols inside of TCP and UDP, and memory that is locked by the user's number and so for all Vsv.  The system call filter
 * refuses some of these as well; this holds where there is another way to the call. */
static __always_inline bool is_bypass(int level, int name)
{
	switch (level) {
	case SOL_SOCKET:
		return name == SO_BINDTODEVICE || name == SO_BINDTOIFINDEX || name == SO_MARK || name == SO_ZEROCOPY;
	case IPPROTO_TCP:
		return name == OPT_TCP_REPAIR || name == OPT_TCP_ULP;
	case IPPROTO_UDP:
		return name == OPT_UDP_ENCAP;
	case IPPROTO_IP:
		return name == IP_OPTIONS || name == OPT_PORT_RANGE;
	case IPPROTO_IPV6:
		return name == IPV6_RTHDR || name == IPV6_2292RTHDR || name == IPV6_2292PKTOPTIONS || name == OPT_FLOWLABEL_MGR;
	default:
		return false;
	}
}

SEC("cgroup/setsockopt")
int gate_setsockopt(struct bpf_sockopt *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct gate_identity *me;
	int r = ALLOW, judged;

	if (is_bypass(ctx->level, ctx->optname)) {
		me = bpf_get_local_storage(&identity, 0);
		gate_note(me->id, how(KIND_SOCKET, GATE_ASKED_OPTION, EPERM), NULL, ctx->level, ctx->optname);
		return REFUSE;
	}
	judged = judge_interface(ctx);
	switch (judged == JOIN_NONE ? judge_membership(ctx) : judged) {
	case JOIN_ALLOWED:
		return ALLOW; /* with the value as it stands now, which is short */
	case JOIN_REFUSED:
		me = bpf_get_local_storage(&identity, 0);
		gate_note(me->id, how(KIND_SOCKET, GATE_ASKED_OPTION, EPERM), NULL, ctx->level, ctx->optname);
		return REFUSE;
	}
	if (ctx->level == SOL_SOCKET && sk && (sk->family == AF_INET || sk->family == AF_INET6)) {
		if (ctx->optname == SO_REUSEADDR)
			r = hold_reuse(ctx, sk, 1);
		else if (ctx->optname == SO_REUSEPORT)
			r = hold_reuse(ctx, sk, 2);
		else if (ctx->optname == SO_BROADCAST)
			r = hold_broadcast(ctx);
	}
	/* 0: the kernel reads the caller's own memory; a value longer than a page would fail otherwise. */
	if (ctx->optlen > 0)
		ctx->optlen = 0;
	return r;
}

/* --- devices --- */

/* Character devices without state of anybody's: null, zero, full, random, urandom, tty, ptmx and the pty slaves, of
 * which a Vsv sees those of its own devpts. */
static __always_inline bool is_plain_char(__u32 major, __u32 minor)
{
	if (major == 1)
		return minor == 3 || minor == 5 || minor == 7 || minor == 8 || minor == 9;
	if (major == 5)
		return minor == 0 || minor == 2;
	return major >= 136 && major <= 143;
}

SEC("cgroup/dev")
int gate_device(struct bpf_cgroup_dev_ctx *ctx)
{
	__u32 type = ctx->access_type & 0xffff, access = ctx->access_type >> 16;
	__u32 dev = ctx->major << 20 | ctx->minor;
	struct asker me = who();

	if (me.v ? weak(GATE_WEAK_DEVICE) : weak(GATE_WEAK_DEVICE_STRANGER))
		return ALLOW;
	if (me.v && type == BPF_DEVCG_DEV_CHAR && is_plain_char(ctx->major, ctx->minor))
		return ALLOW;
	if (me.v && type == BPF_DEVCG_DEV_BLOCK && !(access & BPF_DEVCG_ACC_WRITE))
		for (__u32 i = 0; i < GATE_DEVICES && i < me.v->n_devices; i++)
			if (me.v->devices[i] == dev)
				return ALLOW;
	gate_note(me.id, how(KIND_DEVICE, GATE_ASKED_DEVICE, EPERM), NULL, dev, type << 16 | access);
	return REFUSE;
}
