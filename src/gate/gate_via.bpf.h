/* SPDX-License-Identifier: GPL-2.0-or-later */
/* By which way a datagram leaves.  Ancillary data of sendmsg(2) can name one of the Psv's interfaces (IP_PKTINFO,
 * IPV6_PKTINFO) and a first hop (IP_RETOPTS), and IPv4 takes whatever host is named to be on a named interface, whatever
 * the routing tables say.  The sendmsg hooks are not shown it: so what the kernel has made of it by then is read where the
 * kernel keeps it, beside the source address that it does show.  It is the kernel's own copy, which no process can still
 * change; a socket that names nothing pays for two reads.  Options of a socket are judged where they are set.
 *
 * Part of gate.bpf.c. */
#pragma once

#include "gate_group.bpf.h"
#include "gate_who.bpf.h"

enum { OPT_IP_UNICAST_IF = 50, OPT_IPV6_UNICAST_IF = 76, OPT_IPV6_PKTINFO = 50, OPT_IPV6_MULTICAST_IF = 17 };

/* The kernel's (net/core/filter.c, net/ip.h, net/flow.h): __cgroup_bpf_run_filter_sock_addr() gets the place of the source,
 * which is ipcm_cookie.addr in udp_sendmsg() and flowi6.saddr in udpv6_sendmsg(). */
struct bpf_sock_addr_kern {
	void *uaddr; /* the kernel's copy of the address */
	void *t_ctx;
} __attribute__((preserve_access_index));

struct ip_options {
	unsigned char srr;
} __attribute__((preserve_access_index));

struct ip_options_rcu {
	struct ip_options opt;
} __attribute__((preserve_access_index));

struct ipcm_cookie {
	__be32 addr;
	int oif;
	struct ip_options_rcu *opt;
} __attribute__((preserve_access_index));

struct flowi_common {
	int flowic_oif;
} __attribute__((preserve_access_index));

struct flowi6 {
	struct flowi_common __fl_common;
	struct in6_addr saddr;
} __attribute__((preserve_access_index));

struct via {
	__u32 ifindex; /* that is named; 0: none */
	__u32 hops;    /* not 0: a route through hosts that were named */
};

static __always_inline struct via via_unknown(void)
{
	return (struct via){ .ifindex = NO_IFINDEX };
}

static __always_inline struct via via4(struct bpf_sock_addr *ctx)
{
	const struct ip_options_rcu *options = NULL;
	const struct ipcm_cookie *cookie;
	struct via via = {};
	unsigned char srr = 0;
	void *source = NULL;

	if (!gate_reads_kernel)
		return via;
	if (bpf_core_read(&source, sizeof(source), &((struct bpf_sock_addr_kern *)ctx)->t_ctx))
		return via_unknown();
	cookie = source - bpf_core_field_offset(struct ipcm_cookie, addr);
	if (bpf_core_read(&via.ifindex, sizeof(via.ifindex), &cookie->oif) ||
	    bpf_core_read(&options, sizeof(options), &cookie->opt))
		return via_unknown();
	if (options && bpf_core_read(&srr, sizeof(srr), &options->opt.srr))
		return via_unknown();
	via.hops = srr;
	return via;
}

static __always_inline struct via via6(struct bpf_sock_addr *ctx)
{
	const struct flowi6 *flow;
	struct via via = {};
	void *source = NULL;

	if (!gate_reads_kernel)
		return via;
	if (bpf_core_read(&source, sizeof(source), &((struct bpf_sock_addr_kern *)ctx)->t_ctx))
		return via_unknown();
	flow = source - bpf_core_field_offset(struct flowi6, saddr);
	if (bpf_core_read(&via.ifindex, sizeof(via.ifindex), &flow->__fl_common.flowic_oif))
		return via_unknown();
	return via;
}

/* may_leave_by: an interface that is named.  Loopback: gate_lookup judges what arrives there. */
static __always_inline bool may_leave_by(const struct gate_vsv *v, __u32 ifindex)
{
	if (v->flags & GATE_F_OWN_STACK || !ifindex || ifindex == LOOPBACK_IFINDEX)
		return true;
	return gate_has_interface(v, ifindex);
}

/* may_hold: the scope of an address in bind(2) or connect(2), or IPV6_MULTICAST_IF, holds the socket to a link from then on, whatever it is
 * connected to next, and until a corked datagram of it leaves. */
static __always_inline bool may_hold(struct bpf_sock_addr *ctx, const struct gate_addr *a, int kind)
{
	const struct sockaddr_in6 *named = NULL;
	__u32 scope = NO_IFINDEX;
	struct asker me;

	if (!gate_reads_kernel || (!is_link_local(a) && !is_group(a)))
		return true;
	if (!bpf_core_read(&named, sizeof(named), &((struct bpf_sock_addr_kern *)ctx)->uaddr))
		(void)bpf_probe_read_kernel(&scope, sizeof(scope), &named->sin6_scope_id);
	me = who();
	if (!me.v || may_leave_by(me.v, scope) || weak(GATE_WEAK_INTERFACE_SEND))
		return true;
	return refuse(me.id, kind, kind == KIND_BIND ? EADDRNOTAVAIL : EPERM, a, bpf_ntohs(ctx->user_port), ctx->protocol);
}

/* judge_interface: options that name an interface for all that a socket sends.  A function of its own: within the others the
 * compiler steps through the context, which the verifier does not let it. */
static __noinline int judge_interface(struct bpf_sockopt *ctx)
{
	__u32 *p = ctx->optval, ifindex;
	struct asker me;

	if ((ctx->level == IPPROTO_IP && ctx->optname == OPT_IP_UNICAST_IF) ||
	    (ctx->level == IPPROTO_IPV6 && ctx->optname == OPT_IPV6_UNICAST_IF)) {
		if ((void *)(p + 1) > ctx->optval_end)
			return JOIN_REFUSED;
		ifindex = bpf_ntohl(p[0]);
	} else if (ctx->level == IPPROTO_IPV6 && ctx->optname == OPT_IPV6_MULTICAST_IF) {
		if ((void *)(p + 1) > ctx->optval_end)
			return JOIN_REFUSED;
		ifindex = p[0];
	} else if (ctx->level == IPPROTO_IPV6 && ctx->optname == OPT_IPV6_PKTINFO) {
		/* struct in6_pktinfo */
		if ((void *)(p + 5) > ctx->optval_end)
			return JOIN_REFUSED;
		ifindex = p[4];
	} else {
		return JOIN_NONE;
	}
	/* As of a membership: what is longer than a page would be read once more. */
	if (ctx->optlen > JOIN_LONGEST)
		return JOIN_REFUSED;
	me = who();
	return me.v && may_leave_by(me.v, ifindex) ? JOIN_ALLOWED : JOIN_REFUSED;
}
