/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gate: eBPF programs on a Vsv's cgroup that make the kernel refuse what was not assigned.  Loaded and pinned
 * once per Psv and boot (RUN/bpf, a bpffs of ours), attached per Vsv, so that enforcement hangs on no process of
 * ours.  Identity is the cgroup that a program is attached to (its cgroup storage holds the Vsv's number), never
 * the task's; what is unknown is refused.  What follows a kill: an attachment goes with its cgroup; entries of the
 * maps are set anew by the next gate_set and taken away by gate_clear. */
#pragma once

/* What one IP stack for all leaves open, whatever the gate does:
 * - UDP has no listen(): a wildcard socket has the primary address of its family only (IPv4, if it serves both), and a
 *   socket of the Psv on the wildcard address takes the port from every Vsv.  TCP has neither limit.
 * - Where the kernel has CONFIG_IPV6_MIP6, ancillary data of sendmsg() can carry a routing header of type 2, which changes the
 *   next hop after gate_sendmsg6 has judged it (never the source), where gate_egress does not hang.  See docs/architecture.md.
 * - A socket that serves both families and is bound to a port cannot connect to IPv6 afterwards (EAFNOSUPPORT).
 * - Ephemeral ports are one lot for the machine; a Vsv has at most GATE_SOCKETS_MAX sockets to take them with.
 * - An address that is taken from a running Vsv is closed to new connections at once.  What stands on it, net_sockets_end()
 *   ends; where the kernel cannot (CONFIG_INET_DIAG_DESTROY), it lasts until it is closed.
 * - A Vsv sees its own loopback as 127.0.0.1 and ::1; the rest of 127.0.0.0/8 is refused. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/addr.h"

struct err;

enum { GATE_MAX_ADDRESSES = 64, GATE_MAX_DEVICES = 64, GATE_MAX_PEERS = 64, GATE_MAX_DENIES = 16, GATE_MAX_VSV = 4096 };

/* The broadcast addresses of its subnets; 239.255.255.250 and ff02::c; 224.0.0.251 and ff02::fb. */
enum gate_discovery { GATE_DISCOVERY_BROADCAST = 1, GATE_DISCOVERY_WSD = 2, GATE_DISCOVERY_MDNS = 4, GATE_DISCOVERY_ALL = 7 };

/* What one Vsv is assigned. */
struct gate_config {
	uint32_t id;                                      /* 1…65535 */
	struct {
		struct ipaddr addr;
		uint8_t prefix;                           /* for the subnet's broadcast address */
		uint32_t ifindex;                         /* that it stands on; 0: on none that groups are used on */
	} addresses[GATE_MAX_ADDRESSES];                  /* the first of each family is the primary one */
	size_t n_addresses;
	unsigned discovery;                               /* enum gate_discovery: what of broadcast and groups is allowed */
	bool peer_psv;                                    /* may reach the Psv's own addresses */
	bool own_stack;                                   /* private stack: wildcard and loopback stay as they are */
	uint32_t ifindex;                                 /* … the Psv's interface that it is joined to, in place of those of the
	                                                   * addresses; 0: none */
	uint32_t vlan;                                    /* … and its VLAN of that; 0: the one that the interface itself is in */
	uint32_t peers[GATE_MAX_PEERS];                   /* ids of Vsv that it may reach */
	size_t n_peers;
	struct {
		struct ipaddr net;
		uint8_t prefix;
	} denies[GATE_MAX_DENIES];                        /* networks that it may not reach */
	size_t n_denies;
	dev_t devices[GATE_MAX_DEVICES];                  /* block devices that may be opened for reading */
	size_t n_devices;
};

/* gate_ensure: loads, pins and attaches (sk_lookup to this network namespace) what is not there yet, under a lock
 * of its own.  bpf_dir is mounted as bpffs if it is none.  0 or -errno; err names the missing kernel feature. */
int gate_ensure(const char *bpf_dir, struct err *err);

/* gate_try: loads everything and lets it go again: what this kernel has against it.  0 or -errno, as gate_ensure. */
int gate_try(struct err *err);

/* gate_reads_kernel: whether this kernel lets the programs read its memory.  1; 0: it does not (lockdown=confidentiality): a
 * datagram's ancillary data can name any of the Psv's interfaces (gate_via.bpf.h), and a Vsv that has broadcast can send to the
 * broadcast addresses of all of the Psv's networks; -errno: that could not be found out, and the gate is not loaded. */
int gate_reads_kernel(void);

/* gate_set: puts the configuration into the maps; replaces an earlier one of the same id without a moment in which more
 * is open than either allows. */
int gate_set(const char *bpf_dir, const struct gate_config *c, struct err *err);

/* gate_let_device: lets it open that block device for reading, or no more; all else stays.  Accepts that it is so already. */
int gate_let_device(const char *bpf_dir, uint32_t id, dev_t rdev, bool allow, struct err *err);

/* gate_serves: whether a Vsv that runs has its configuration in the tables that gate_set writes.  0; -ESTALE: a gate of another
 * version started it, whose programs read other tables (gate_load.c). */
int gate_serves(const char *bpf_dir, uint32_t id, struct err *err);

/* gate_attach: attaches every program to the cgroup (an open folder of the v2 hierarchy, no process in it yet) for that
 * id.  Again on the same cgroup: nothing happens. */
int gate_attach(const char *bpf_dir, int cgroup_fd, uint32_t id, struct err *err);

/* gate_inside_up: of a private stack, before anything runs in it: who connects to a port whose listener has closed a moment ago is
 * left without an answer there too (struct gate_closed).  ifindex: its interface as it is numbered inside; GATE_INSIDE and
 * the id where vnas numbers it.  Enforces nothing: where another one has an interface of that number, clients are refused.
 * The link is pinned, and gate_clear takes it away. */
enum { GATE_INSIDE = 0x20000000 };
int gate_inside_up(const char *bpf_dir, uint32_t id, int netns_fd, uint32_t ifindex, struct err *err);

/* gate_attach_more: before gate_set() of a Vsv that runs: what that configuration needs on the cgroup and the one so far did
 * not (gate_group.bpf.h).  What is no longer needed stays. */
int gate_attach_more(const char *bpf_dir, int cgroup_fd, const struct gate_config *c, struct err *err);

/* gate_clear: takes every map entry of that id away; accepts "never came up". */
int gate_clear(const char *bpf_dir, uint32_t id, struct err *err);

/* gate_refusals: how often something was refused to that id since gate_attach, by kind. */
enum gate_kind { GATE_BIND, GATE_CONNECT, GATE_SEND, GATE_SOCKET, GATE_DEVICE, GATE_INGRESS, GATE_KINDS };
extern const char *const gate_kind_names[GATE_KINDS];
int gate_refusals(const char *bpf_dir, uint32_t id, uint64_t ret[GATE_KINDS], struct err *err);

/* gate_look: what really stands there, for who must not take the word of the others. */
struct gate_look {
	const char *missing;     /* the first program that is not attached to the cgroup; NULL: all are */
	const char *other_build; /* the first that is not the one of this build, as it is pinned; NULL: all are */
	uint32_t id;             /* the number that the cgroup's gate serves; 0: none */
	bool link_pinned;        /* the link of gate_lookup, for this network namespace */
	bool link_attached;      /* and its program is among those that the kernel asks there */
	bool assigned;           /* there is an assignment for that number */
};
int gate_look(const char *bpf_dir, int cgroup_fd, struct gate_look *ret, struct err *err);
/* gate_address_owner: whose an address is, as the programs see it; 0: nobody's. */
int gate_address_owner(const char *bpf_dir, const struct ipaddr *a, uint32_t *ret_id, struct err *err);

/* gate_unload: takes the pins away and unmounts bpf_dir; only when no Vsv runs (uninstallation, tests). */
int gate_unload(const char *bpf_dir, struct err *err);

/* The hidden loopback addresses of an id, which the gate gives for 127.0.0.1 and ::1. */
struct ipaddr gate_loopback4(uint32_t id);
struct ipaddr gate_loopback6(uint32_t id);
