/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The prober: a small static program that the Psv runs in a Vsv from a sealed memfd (vsv/proto.h), with every right that
 * anything there can have.  It tries what must be refused, and says what the kernel answered; who judges is the Psv.  Every
 * attempt is made so that it does no harm where it succeeds.
 *
 * As PID 1 starts it (PROBER_STARTED), it stops, and executes itself anew under the Psv's eyes (verify/anew.h).
 *
 * It speaks with the Psv by a socket (verify/channel.h): it makes a pair and keeps the other end for the Psv to take.  Then
 * it takes its name.  What whoever started it has given it as standard streams it does not look at.
 *
 * From the Psv, a word and its values a line:
 *   limit SECONDS                     how long it may take
 *   layers                            "layers 0 N" is its answer: how many Landlock domains it could still enter
 *   mode inside|gate|control          which of the probes (enum probe_when; control: those whose control is "@psv")
 *   self                              what follows is the Vsv's own, up to "go"
 *   target psv|NAME                   what follows is that one's, up to "go"
 *   address A; tcp A PORT; udp A PORT; loopback PORT; wild PORT; deny A; broadcast A; absent A; pid N;
 *   device MAJOR MINOR; handle TYPE:DEV:INODE HEX; abstract NAME; file DEV INODE; link MAC; shm KEY; capabilities HEX;
 *   hostname NAME; discovery NUMBER; private (it has a stack of its own); token WORD
 *   go                                tries
 * It ends when the Psv's end does, or when it is not asked within seconds.
 * To the Psv: "PROBE INDEX ANSWER" a line (probes.h; INDEX counts the targets from 1, 0 is self), "end" at the end. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "verify/probes.h"

union address {
	struct sockaddr sa;
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;
};

/* Where its ends stand, whatever stood there; and its name, by which events of what was refused to it are known too. */
enum { PROBER_OWN_FD = 100, PROBER_CHANNEL_FD = 101 };
#define PROBER_NAME "vnas-prober"
/* Its first argument, as PID 1 starts it. */
#define PROBER_STARTED "vnas-prober-started"

enum { ADDRESSES_MAX = 64, PIDS_MAX = 8, HANDLES_MAX = 8, HANDLE_BYTES = 128, KEYS_MAX = 8, LINKS_MAX = 8 };

/* As enum conf_discovery of psv/conf.h. */
enum { DISCOVERY_NETBIOS = 1, DISCOVERY_WSD = 2, DISCOVERY_MDNS = 4 };

struct addresses {
	union address v[ADDRESSES_MAX]; /* with a port, where one is meant */
	unsigned n;
};

struct target {
	char name[40];
	bool is_psv;
	struct addresses own, tcp, udp, deny, broadcast, absent;
	uint16_t loopback_port, wild_port;
	pid_t pids[PIDS_MAX];
	unsigned n_pids;
	struct {
		unsigned major, minor;
	} devices[ADDRESSES_MAX];
	unsigned n_devices;
	struct {
		int type;
		uint64_t dev, inode;
		unsigned len;
		uint8_t bytes[HANDLE_BYTES];
	} handles[HANDLES_MAX];
	unsigned n_handles;
	char abstract[100];
	uint64_t file_dev, file_inode;
	uint8_t links[LINKS_MAX][6];
	unsigned n_links;
	int shm_keys[KEYS_MAX];
	unsigned n_shm;
	uint64_t capabilities;
	char hostname[256];
	unsigned discovery; /* DISCOVERY_… */
	bool private;
	char token[40];
};

/* What is the Vsv's own; a probe is called with the target, or with this one again. */
extern struct target self;

typedef int probe_function(const struct target *t);
#define PROBE(name, row, when, kind, answers, control, function) probe_function function;
#include "verify/probes.def"
#undef PROBE

/* outcome: a system call's result as 0 or -errno. */
int outcome(long r);
/* past: the same, but an error that the kernel gives only after it has allowed the call is a success: what was asked for is
 * made impossible, so that no harm is done. */
int past(long r, int error);
/* worse: of two answers, the one that counts more, whichever came first (verify/worse.c): success, then what is no refusal at all,
 * then the refusal. */
int worse(int a, int b);
/* in_child: runs f in a process of its own, so that what succeeds ends with it. */
int in_child(probe_function *f, const struct target *t);

/* Small helpers of the network probes. */
socklen_t address_len(const union address *a);
bool address_is4(const union address *a);
