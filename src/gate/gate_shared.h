/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the gate's programs (gate.bpf.c) and their loader (gate.c, gate_load.c) both know: the layout of the maps.
 *
 * Every address is written in sixteen bytes, an IPv4 address as v4-mapped, so that one key, one table and one code path
 * serve both families and the sockets that speak both.
 *
 * GATE_LAYOUT counts up whenever a structure below or struct sock_note (gate_base.bpf.h) changes: programs of two builds
 * with the same layout share their maps, so an upgrade touches no running Vsv.  The map `addresses` (struct gate_addr to a
 * number) is outside of it and never changes: whatever the layout, each build knows whose an address is. */
#pragma once

#include <linux/types.h>

enum {
	GATE_LAYOUT = 3,
	GATE_NETS = 64,             /* addresses of a Vsv */
	GATE_PEERS = 64,
	GATE_DEVICES = 64,
	GATE_DENIES = 16,
	GATE_VSV = 4096,
	GATE_LEDGER = 2 * GATE_NETS,
	GATE_SOCKETS_MAX = 4096,    /* TCP and UDP sockets that a Vsv made itself, not accepted */
	GATE_LISTENERS_MAX = 512,   /* a Vsv's listening TCP sockets that can be reached */
	GATE_UDP_MAX = 512,         /* a Vsv's bound UDP sockets */
};

/* The hidden loopback: 127.200.0.0/16 and fd76:6e61:73::/48 ("vnas"), with the Vsv's number in the last two bytes. */
#define GATE_HIDDEN4 0x7fc80000u
#define GATE_HIDDEN6_0 0xfd766e61u
#define GATE_HIDDEN6_1 0x00730000u

struct gate_addr {
	__u32 w[4]; /* network order */
};

struct gate_net {
	struct gate_addr addr, mask;
};

enum gate_flags {
	GATE_F_DISCOVERY = 1u << 0,
	GATE_F_PEER_PSV = 1u << 1,
	GATE_F_OWN_STACK = 1u << 2,
	GATE_F_HAS4 = 1u << 3,
	GATE_F_HAS6 = 1u << 4,
};

/* What a Vsv is assigned.  Replaced as a whole, so that a program sees one configuration or the other. */
struct gate_vsv {
	__u32 flags;
	__u32 n_nets, n_broadcasts, n_peers, n_devices, n_denies;
	__u32 pad[2];
	struct gate_addr primary4, primary6;
	struct gate_net nets[GATE_NETS];
	struct gate_net denies[GATE_DENIES];
	__u32 broadcasts[GATE_NETS]; /* IPv4 of its subnets, each once, network order */
	__u32 peers[GATE_PEERS];
	__u32 devices[GATE_DEVICES]; /* major << 20 | minor */
};

/* Every address that an id may still have in `addresses`: written before the first is added and after the last is taken
 * away, for user space alone. */
struct gate_ledger {
	__u32 n;
	struct gate_addr addrs[GATE_LEDGER];
};

enum { GATE_N_KINDS = 6 };

struct gate_stats {
	__u64 refused[GATE_N_KINDS]; /* by enum gate_kind */
};

/* On the cgroup: the number of the Vsv that the programs there serve; 0 until gate_attach is through.  And what the limits
 * above count: the programs find it without a look-up, and it ends with the cgroup whose sockets it counts. */
struct gate_identity {
	__u32 id;
	__s32 sockets, listeners, udp;
};

/* A listener's place in the socket table. */
enum gate_scope { GATE_EXACT, GATE_WILD4, GATE_WILD6 };

struct gate_listener {
	struct gate_addr addr; /* GATE_EXACT only, else zero */
	__u32 id;
	__u16 port;            /* host order */
	__u8 scope;
	__u8 slot;             /* two: a newer listener of a SO_REUSEPORT group beside the older one */
};

struct gate_udp {
	struct gate_addr addr;
	__u32 port; /* host order */
};

struct gate_udp_use {
	__u32 id;
	__s32 sockets;
};
