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
};

struct log_files {
	const char *server, *run_dir;
	int folder; /* LIB/servers/NAME */
	int log;    /* its file "log", or -1 */
	uint64_t log_bytes;
	uint64_t max_bytes;    /* 0: not known yet */
	uint64_t looked_bytes; /* written since it was looked at */
	uint64_t next[2]; /* the number that is expected, by proto_kind; 0: any */
	int stats, taken; /* the gate's maps, or -1 */
	int64_t refused_due_ms;   /* when as many of PID 1's refusals may come at once again */
	uint64_t refused_unnoted; /* those that came faster */
	char out[4096];   /* lines not written yet */
	size_t out_len;
};

/* keep_record: a checked PROTO_RECORD.  Nothing that fails here may stop the supervisor: a full disk loses lines. */
void keep_record(struct log_files *f, const struct proto_record *m);
/* keep_syslog: a checked PROTO_SYSLOG. */
void keep_syslog(struct log_files *f, const struct proto_syslog *m);
/* keep_refused: a checked PROTO_REFUSED. */
void keep_refused(struct log_files *f, const struct proto_refused *m);
/* keep_fetch: what the gate has noted of the Vsv with that PID 1.  How much it was, or -errno. */
int keep_fetch(struct log_files *f, pid_t init_pid);
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
bool state_has(const struct state_view *v, const char *key);
bool state_text(const struct state_view *v, const char *key, char *buf, size_t size);
bool state_is(const struct state_view *v, const char *key, const char *value);
/* state_is_none: of what state_open returned: there is no such file, or nothing in it.  Any other failure says nothing. */
bool state_is_none(int r);
/* state_runs: the server is meant to run, or that cannot be seen; a stop writes its intention first. */
bool state_runs(const char *run_dir, const char *server);
/* state_has_address: bytes are 4 or 16 of them. */
bool state_has_address(const struct state_view *v, const void *bytes, size_t len);
bool state_has_ifindex(const struct state_view *v, uint32_t ifindex);
/* state_next_address: the one behind at (NULL: the first), and where it stands; NULL: there is none more. */
struct own_address {
	int family;
	unsigned prefix, ifindex;
	unsigned char bytes[16];
};
const char *state_next_address(const struct state_view *v, const char *at, struct own_address *ret);

/* ---- the verbs of vnas that it runs, one at a time (supervise_verbs.c) ---- */

/* `reassert` puts addresses back, `announce` tells the network of them again, `recover` brings up a server whose PID 1 ended.
 * Times are of clock_ms(); -1: not due. */
enum verb { VERB_REASSERT, VERB_ANNOUNCE, VERB_RECOVER };

struct verbs {
	const char *vnas, *name, *run_dir;
	struct log_files *files;
	pid_t child; /* the one that runs; 0: none */
	enum verb verb; /* what it is, or was */
	bool done;      /* the last reassertion did what it should */
	bool recovering;
	int64_t reassert_ms, reassert_last_ms;
	int reassert_gap_ms;
	int64_t announce_ms;
	int announcements; /* still to be made */
	int64_t recover_ms;
	int recover_gap_ms;
};

/* verbs_init: the first announcement is due soon. */
void verbs_init(struct verbs *v, const char *vnas, const char *name, const char *run_dir, struct log_files *files);
/* verbs_want_announce: a network can lose what was said once, or have been in the middle of a change. */
void verbs_want_announce(struct verbs *v);
/* verbs_want_reassert: soon, but a reassertion that is undone again and again gets rarer. */
void verbs_want_reassert(struct verbs *v);
/* verbs_recover: now, and again until verbs_reap() says that it is over.  Nothing else is run meanwhile. */
void verbs_recover(struct verbs *v);
/* verbs_run_due: begins what is due.  When the next is, or -1. */
int64_t verbs_run_due(struct verbs *v, int64_t now);
/* verbs_reap: takes in what has ended.  true: a recovery is over, and the state file says what came of it. */
bool verbs_reap(struct verbs *v);

/* ---- one supervisor a Vsv (supervise_lock.c) ---- */

/* lock_take: the lock that only one has, as long as it keeps the descriptor that is returned.  -EBUSY: another one has it; -errno. */
int lock_take(const char *run_dir, const char *server);
/* lock_leave: takes its file away, before the descriptor goes. */
void lock_leave(const char *run_dir, const char *server);
/* process_start: field 22 of /proc/PID/stat, which with the number names a process for ever; 0: it is gone. */
uint64_t process_start(pid_t pid);

/* ---- what the network says (supervise_net.c) ---- */

/* What a message can mean for this server. */
enum { NET_GONE = 1 /* something of its own may be gone */, NET_NEW = 2 /* an address was put on: it came, or its rule */ };
/* net_is_private: 1: the server has a network of its own; 0; -errno: that cannot be seen. */
int net_is_private(const char *run_dir, const char *server);
/* net_carrier: the interface of a private network works, in which net_open made that socket. */
bool net_carrier(int fd);
/* net_port_astray: the Psv's end of its pair is not, or no longer, a port of the bridge that has the name now; or is, but that is another
 * bridge than when it was asked before, whose index *bridge_seen holds (0: it was not asked yet): somebody else has made it a port. */
bool net_port_astray(const char *run_dir, const char *server, uint32_t *bridge_seen);
/* net_open: a socket that hears of addresses, routes and rules (of this server's table) that go, of links that come, and of
 * its rules that come; in the network of the process pidfd, or -1: in our own.  rarely: of links alone.  -errno. */
int net_open(const char *run_dir, const char *server, int pidfd, bool rarely);
/* net_read: what was heard since the last time, as bits. */
unsigned net_read(int fd, const char *run_dir, const char *server);
/* net_message_concerns: the same for one message, which the fuzzer calls. */
unsigned net_message_concerns(const void *msg, size_t len, const struct state_view *v);

/* ---- what the network says when it is asked (supervise_look.c) ---- */

/* So many servers, by and large, hear at once what becomes of their addresses, rules and routes: dozens, as a company has them, for whom that is
 * worth more than the tenth of a millisecond that it costs each start.  Those that are started beside more look every few seconds, so that a
 * thousand do not hear of each address that comes or goes. */
enum { NET_LISTENERS_MAX = 64 };
/* net_is_crowded: so many run, by the folders in RUN_DIR. */
bool net_is_crowded(const char *run_dir);
/* net_look: a number that stays the same as long as this server's addresses, rules and routes in the Psv's stack do; 0: not known. */
uint64_t net_look(const char *run_dir, const char *server);

/* ---- what becomes of its volumes (supervise_health.c) ---- */

/* health_watch: looks at the file systems in the mount namespace of that PID 1, and at the interface if net_fd is of a private
 * network (-1: it has none).  What is wrong since the last look, or is
 * not any more, becomes an event; all that is wrong now stands in RUN/NAME/degraded, a line each, which is not there
 * while nothing is. */
void health_watch(struct log_files *f, const char *run_dir, pid_t init_pid, int net_fd);
