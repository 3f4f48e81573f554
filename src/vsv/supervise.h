/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vnas-supervise's own parts. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "vsv/proto.h"

/* ---- what it keeps (supervise_log.c) ---- */

enum {
	LOG_DEFAULT_BYTES = 64 * 1024 * 1024, LOG_LEAST_BYTES = 1024 * 1024, /* of log and log.1 together */
	LOG_LOOK_BYTES = 256 * 1024, /* looks again at its bound after so many */
	EVENTS_MAX_BYTES = 1024 * 1024,
};

struct log_files {
	const char *server, *run_dir;
	int folder; /* LIB/servers/NAME */
	int log;    /* its file "log", or -1 */
	uint64_t log_bytes;
	uint64_t max_bytes;    /* 0: not known yet */
	uint64_t looked_bytes; /* written since it was looked at */
	uint64_t next[2]; /* the number that is expected, by proto_kind; 0: any */
	char out[4096];   /* lines not written yet */
	size_t out_len;
};

/* keep_record: a checked PROTO_RECORD.  Nothing that fails here may stop the supervisor: a full disk loses lines. */
void keep_record(struct log_files *f, const struct proto_record *m);
/* keep_syslog: a checked PROTO_SYSLOG. */
void keep_syslog(struct log_files *f, const struct proto_syslog *m);
/* keep_flush: writes out what was gathered. */
void keep_flush(struct log_files *f);
/* keep_own: a line or an event of the supervisor's. */
void keep_own(struct log_files *f, enum proto_kind kind, const char *text);

/* ---- what the state file says (supervise_state.c) ---- */

struct state_view { /* the file, mapped only while it is looked at */
	const char *text;
	size_t len;
};

int state_open(const char *run_dir, const char *server, struct state_view *ret);
void state_close(struct state_view *v);
/* state_number: the first number of that key.  0 or -ENOENT. */
int state_number(const struct state_view *v, const char *key, uint64_t *ret);
bool state_is(const struct state_view *v, const char *key, const char *value);
/* state_has_address: bytes are 4 or 16 of them. */
bool state_has_address(const struct state_view *v, const void *bytes, size_t len);
bool state_has_ifindex(const struct state_view *v, uint32_t ifindex);

/* ---- what the network says (supervise_net.c) ---- */

/* What a message can mean for this server. */
enum { NET_GONE = 1 /* something of its own may be gone */, NET_NEW = 2 /* an address was put on: its rule came */ };
/* net_open: a socket that hears of addresses, routes and rules (of this server's table) that go, of links that come, and of
 * its rules that come.  -errno. */
int net_open(const char *run_dir, const char *server);
/* net_read: what was heard since the last time, as bits. */
unsigned net_read(int fd, const char *run_dir, const char *server);
/* net_message_concerns: the same for one message, which the fuzzer calls. */
unsigned net_message_concerns(const void *msg, size_t len, const struct state_view *v);

/* ---- what becomes of its volumes (supervise_health.c) ---- */

/* health_watch: looks at the file systems in the mount namespace of that PID 1.  What is wrong since the last look, or is
 * not any more, becomes an event; all that is wrong now stands in RUN/NAME/degraded, a line each, which is not there
 * while nothing is. */
void health_watch(struct log_files *f, const char *run_dir, pid_t init_pid);
