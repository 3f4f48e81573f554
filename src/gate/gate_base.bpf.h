/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all the gate's programs stand on: constants, tables, and who asks.  Part of gate.bpf.c. */
#pragma once

#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/types.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "gate_shared.h"
#include "gate_weak.h"

enum { AF_INET = 2, AF_INET6 = 10, SOCK_STREAM = 1, SOCK_DGRAM = 2, STATE_CLOSE = 7, STATE_LISTEN = 10 };
enum { SOL_SOCKET = 1, SO_REUSEADDR = 2, SO_BROADCAST = 6, SO_REUSEPORT = 15, SO_BINDTODEVICE = 25, SO_MARK = 36, SO_ZEROCOPY = 60, SO_BINDTOIFINDEX = 62 };
enum { OPT_TCP_REPAIR = 19, OPT_TCP_ULP = 31, OPT_UDP_ENCAP = 100, OPT_FLOWLABEL_MGR = 32, OPT_PORT_RANGE = 51 /* IP_LOCAL_PORT_RANGE, Linux 6.3 */ };
enum { EPERM = 1, EADDRINUSE = 98, EADDRNOTAVAIL = 99, ENOBUFS = 105 };
/* Addresses that nobody has, by which psv_listens asks for the Psv's wildcard listeners: the broadcast address of 127/8,
 * and 100::1 of the discard prefix. */
#define ASK4 0x7fffffffu
#define ASK6_0 0x01000000u
enum { REFUSE = 0, ALLOW = 1 };
enum { LOOPBACK_IFINDEX = 1, NO_IFINDEX = 0x7fffffff };

/* enum gate_kind of gate.h, which needs headers that do not compile here. */
enum { KIND_BIND, KIND_CONNECT, KIND_SEND, KIND_SOCKET, KIND_DEVICE, KIND_INGRESS };

struct sock_common {
	unsigned char skc_ipv6only : 1;
} __attribute__((preserve_access_index));

/* False: this kernel lets no program read its memory (lockdown=confidentiality): what a datagram names (gate_via.bpf.h), and
 * whether it goes to a broadcast address that is not the Vsv's own, is not seen. */
const volatile bool gate_reads_kernel = true;

/* weak: lib/weaken.h leaves this refusal out. */
#ifdef VNAS_WEAKEN
const volatile __u32 gate_weak_at = GATE_WEAK_NOWHERE;

static __always_inline bool weak(enum gate_weak place)
{
	return gate_weak_at == place;
}
#else
static __always_inline bool weak(enum gate_weak place)
{
	(void)place;
	return false;
}
#endif

/* --- tables --- */

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
	__type(key, __u64);
	__type(value, struct gate_identity);
} identity SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, GATE_VSV * 16);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct gate_addr);
	__type(value, __u32);
} addresses SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, GATE_VSV * 16);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct gate_guest);
	__type(value, __u32);
} guests SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, GATE_VSV);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct gate_vsv);
} vsv SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, GATE_VSV);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct gate_ledger);
} ledger SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, GATE_VSV);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct gate_stats);
} stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, GATE_VSV);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct gate_taken);
} taken SEC(".maps");

/* Which private stack has an interface of that number: those that vnas makes have GATE_INSIDE and the Vsv's, one that was handed over
 * has the Psv's. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, GATE_VSV);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, __u32);
} inside SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, GATE_VSV);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct gate_ports);
} ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 131072);
	__type(key, struct gate_listener);
	__type(value, __u64);
} listeners SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 131072);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct gate_udp);
	__type(value, struct gate_udp_use);
} udp_ports SEC(".maps");

/* What a socket was before the gate changed it, and what it holds in the tables. */
enum { WILD_NONE, WILD_4, WILD_6, WILD_BOTH };

struct sock_note {
	struct gate_udp udp;
	__u16 port;               /* the port that its listener serves, where another holds it for the Psv; else 0 */
	__u16 listens;            /* the port that its listener serves */
	struct gate_addr wild_at; /* what it got for the wildcard address; another bind may have followed */
	__u8 counted;  /* in gate_identity.sockets */
	__u8 wild;     /* asked to be bound to the wildcard address */
	__u8 listener; /* counted in gate_identity.listeners */
	__u8 has_udp;  /* counted in gate_identity.udp, registered under `udp` */
	__u8 reuse;    /* 1: SO_REUSEADDR, 2: SO_REUSEPORT, asked for before the bind */
	__u8 unlisted; /* UDP, bound where gate_lookup asks no table: a group, or the own stack */
	__u8 pad2[2];
};
_Static_assert(GATE_LAYOUT == 8 && sizeof(struct sock_note) == 48, "a change of sock_note counts GATE_LAYOUT up");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct sock_note);
} notes SEC(".maps");

