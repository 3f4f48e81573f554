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
	GATE_LAYOUT = 8,
	GATE_NETS = 64,             /* addresses of a Vsv */
	GATE_PEERS = 64,
	GATE_DEVICES = 64,
	GATE_DENIES = 16,
	GATE_VSV = 4096,
	GATE_LEDGER = 2 * GATE_NETS,
	GATE_SOCKETS_MAX = 4096,    /* TCP and UDP sockets that a Vsv made itself, not accepted */
	GATE_LISTENERS_MAX = 512,   /* a Vsv's listening TCP sockets that can be reached */
	GATE_UDP_MAX = 512,         /* a Vsv's bound UDP sockets */
	GATE_EVENTS = 64,           /* refusals of a Vsv that wait for a reader; a power of two */
	GATE_CLOSED = 16,           /* listeners of a Vsv that closed last; a power of two */
	GATE_STANDBY_PORT = 65535,  /* on the own loopback: see struct gate_closed */
	GATE_PORTS = 1024,          /* of a private stack: see struct gate_ports; a power of two */
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
	GATE_F_BROADCAST = 1u << 0, /* its subnets' broadcast addresses */
	GATE_F_PEER_PSV = 1u << 1,
	GATE_F_OWN_STACK = 1u << 2,
	GATE_F_HAS4 = 1u << 3,
	GATE_F_HAS6 = 1u << 4,
	GATE_F_WSD = 1u << 5,       /* 239.255.255.250 and ff02::c */
	GATE_F_MDNS = 1u << 6,      /* 224.0.0.251 and ff02::fb */
	GATE_F_DISCOVERY = GATE_F_BROADCAST | GATE_F_WSD | GATE_F_MDNS,
};

/* What a Vsv is assigned.  Replaced as a whole, so that a program sees one configuration or the other. */
struct gate_vsv {
	__u32 flags;
	__u32 n_nets, n_broadcasts, n_peers, n_devices, n_denies, n_interfaces;
	__u32 vlan; /* of a private stack: see struct gate_guest */
	struct gate_addr primary4, primary6;
	struct gate_net nets[GATE_NETS];
	struct gate_net denies[GATE_DENIES];
	__u32 broadcasts[GATE_NETS]; /* IPv4 of its subnets, each once, network order */
	__u32 interfaces[GATE_NETS]; /* that its addresses stand on, each once */
	__u32 peers[GATE_PEERS];
	__u32 devices[GATE_DEVICES]; /* major << 20 | minor */
};

/* An address of a private stack, as the Psv meets it: on the interface through which it reaches its network, and in which VLAN of that
 * (0: the one that the interface itself is in).  Another one, and the Psv, may have the same address elsewhere.  Under
 * GATE_VLAN_ANY stands who has it in any VLAN, or GATE_SEVERAL: who is asked about an address without its VLAN takes the Vsv that has it in one
 * for its owner, and of several nobody, who is a stranger to all. */
struct gate_guest {
	struct gate_addr addr;
	__u32 ifindex;
	__u32 vlan;
};
#define GATE_VLAN_ANY 0xffffu
#define GATE_SEVERAL 0xffffffffu

/* Every address that an id may still have in `addresses`: written before the first is added and after the last is taken
 * away, for user space alone. */
struct gate_ledger {
	__u32 n;
	struct gate_addr addrs[GATE_LEDGER];
};

enum { GATE_N_KINDS = 6 };

/* What was asked for, and so what stands in a gate_event beside its kind. */
enum gate_asked {
	GATE_ASKED_ADDRESS, /* addr; x: port, host order; y: IPPROTO_TCP or IPPROTO_UDP */
	GATE_ASKED_SOCKET,  /* x: family; y: type << 16 | protocol */
	GATE_ASKED_OPTION,  /* x: level; y: name */
	GATE_ASKED_DEVICE,  /* x: major << 20 | minor; y: BPF_DEVCG_DEV_… << 16 | BPF_DEVCG_ACC_… */
};

/* One refusal. */
struct gate_event {
	__u64 number;  /* from 1; written last: what stands here is whole */
	__u64 boot_ns; /* CLOCK_BOOTTIME */
	__u32 pid;     /* in the Psv's numbers; 0: not known, as of what arrives by the network */
	__u32 uid;
	char comm[16]; /* any bytes */
	struct gate_addr addr;
	__u32 x, y;
	__u8 kind;     /* enum gate_kind */
	__u8 asked;    /* enum gate_asked */
	__u16 error;   /* errno; 0: the caller got none */
	__u32 zero;
};

/* A refusal costs no more than a note, whoever floods: GATE_BURST at once, then one in GATE_PAUSE_NS, are noted; the others
 * are counted.  A note that has no room, because nobody reads, is counted too: the older ones are never written over, so
 * that a reader sees whole ones without a lock. */
#define GATE_BURST 48
#define GATE_PAUSE_NS 500000000ull

/* A listener that closed: for GATE_STANDBY_NS, while its service is started again, who connects to that port is not
 * refused but gets no answer, and asks again after a second (RFC 6298); Linux's NFS and SMB clients wait three seconds after a
 * refusal. The silence comes from PID 1's standby listener, whose queue is always full (src/vsv/init_standby.c). */
#define GATE_STANDBY_NS 5000000000ull

struct gate_closed {
	__u64 boot_ns; /* CLOCK_BOOTTIME; 0: none */
	__u32 port;    /* host order */
	__u32 zero;
};

/* A private stack has the kernel's own look-up, whose answer no program is told. So its listening sockets are counted here by port
 * (ports with the same last bits are one), and nobody is left without an answer where one of them may stand. */
struct gate_ports {
	struct {
		__s32 listeners;
		__u32 port;    /* host order; of the last one that closed */
		__u64 boot_ns; /* when; CLOCK_BOOTTIME */
	} at[GATE_PORTS];
};

struct gate_stats {
	__u64 refused[GATE_N_KINDS]; /* by enum gate_kind */
	__u64 unnoted[GATE_N_KINDS]; /* of them, those without a note */
	__u64 head;                  /* notes so far */
	__u64 due_ns;                /* CLOCK_BOOTTIME when the bucket is full again */
	struct gate_event events[GATE_EVENTS]; /* by number - 1, modulo */
	__u64 n_closed;                        /* so far; the last ones stand in closed[], modulo */
	struct gate_closed closed[GATE_CLOSED];
};

/* How far the readers of an id have come, in a map of their own: a user's update replaces a whole value. */
struct gate_taken {
	__u64 head;
	__u64 unnoted[GATE_N_KINDS];
};

/* On the cgroup: the number of the Vsv that the programs there serve; 0 until gate_attach is through.  And what the limits
 * above count: the programs find it without a look-up, and it ends with the cgroup whose sockets it counts. */
struct gate_identity {
	__u32 id;
	__s32 sockets, listeners, udp;
	__u32 stepped; /* 1: a socket has stepped aside (gate_bind.bpf.h); else none has a port of that kind in its note */
	__u32 zero;
	__u64 asked;   /* the last port where the Psv did not listen, and when: see psv_may_listen() */
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
