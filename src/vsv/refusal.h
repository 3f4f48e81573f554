/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One thing that was refused to somebody inside, whoever refused it, and the line that is kept of it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gate/gate_shared.h"

struct proto_refused;
struct text;

/* By whom, and what kind of wish: the gate's kinds (enum gate_kind of gate/gate.h), and the system call filter's. */
enum refusal_kind {
	REFUSAL_BIND, REFUSAL_CONNECT, REFUSAL_SEND, REFUSAL_SOCKET, REFUSAL_DEVICE, REFUSAL_INGRESS,
	REFUSAL_CALL,
	REFUSAL_KINDS,
};

struct refusal {
	int64_t realtime_ns;
	enum refusal_kind kind;
	enum gate_asked asked;   /* not of REFUSAL_CALL */
	uint64_t count;          /* so often, one after the other */
	bool unnoted;            /* count more of that kind, of which no more is known */
	uint32_t psv_pid;        /* in the Psv's numbers; 0: not known */
	uint32_t pid;            /* in the Vsv's; 0: not known */
	uint32_t uid;            /* only with a process */
	char process[16];        /* its name: any bytes; "": not known */
	struct gate_addr addr;   /* as in struct gate_event */
	uint32_t x, y;
	int error;               /* the answer, an errno; 0: the caller got none */
	uint32_t call;           /* of REFUSAL_CALL: its number, and what it was given */
	uint64_t args[6];
};

extern const char *const refusal_kinds[REFUSAL_KINDS];

/* refusal_of_gate: false: it makes no sense (a reader never trusts what it reads). */
bool refusal_of_gate(const struct gate_event *e, struct refusal *ret);
/* refusal_of_call: a checked message of PID 1's. */
void refusal_of_call(const struct proto_refused *m, struct refusal *ret);
/* refusal_same: but for when, and how often. */
bool refusal_same(const struct refusal *a, const struct refusal *b);

/* refusal_words: "bind 192.0.2.5:445 tcp by smbd[12]: EADDRNOTAVAIL"; nothing in it acts on a terminal. */
void refusal_words(struct text *t, const struct refusal *r);
/* refusal_line: one line of JSON with its new line; at most REFUSAL_LINE_MAX bytes. */
enum { REFUSAL_LINE_MAX = 1024 };
void refusal_line(struct text *t, const char *server, const struct refusal *r);

/* call_name: of a system call that the filter refuses; NULL: of none. */
const char *call_name(uint32_t nr);
