/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vnas-init's own parts.  One process, one poll loop, tables of fixed size, no allocation: nothing that a tenant does can
 * make it fail for want of memory. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "vsv/proto.h"

struct seccomp_pass;

enum { SERVICES_MAX = 32, CONNECTIONS_MAX = 64 };

/* ---- the two rings (init_log.c): what services and PID 1 said, until a supervisor has fetched it ---- */

struct ring_cursor { /* a reader's place; {0}: after what was acknowledged last */
	uint64_t seq;
	size_t offset;
};

void log_add(enum proto_kind kind, const char *name, const char *text, size_t len);
struct syslog_line;
/* log_add_syslog: the same for what came over /dev/log, among the logs; pid is the sender's. */
void log_add_syslog(const struct syslog_line *line, pid_t pid);
/* log_event: "WORD detail". */
void log_event(const char *name, const char *word, const char *detail);
/* log_refused: of which all but header, number and time is filled in, among the events.  Counted only while too many of
 * these have not been fetched, or when they come too fast; that PID 1 answers must not depend on it. */
bool log_refused_wanted(void);
void log_refused(const struct proto_refused *what);
/* log_refused_tick: says how many were not noted, once their flood is over.  The time of the next thing, or -1. */
int64_t log_refused_tick(int64_t now_ms);
void log_begin(enum proto_kind kind, struct ring_cursor *c);
void log_ack(enum proto_kind kind, uint64_t seq);
bool log_pending(enum proto_kind kind, const struct ring_cursor *c);
union log_head {
	struct proto_header header;
	struct proto_record record;
	struct proto_syslog syslog;
	struct proto_refused refused;
};
/* log_next: the record at the cursor into buf (a log_head and PROTO_TEXT_MAX bytes), which then points behind it.  Its
 * size; 0: none. */
size_t log_next(enum proto_kind kind, struct ring_cursor *c, void *buf, size_t size);

/* ---- /dev/log (init_syslog.c) ---- */

/* init_syslog_open: binds it.  The descriptor or -errno; a server lives without it. */
int init_syslog_open(void);
/* init_syslog_read: what is there, up to a bound, so that one who floods it leaves time for the others. */
void init_syslog_read(int fd);

/* ---- services (init_service.c) ---- */

struct service_slot {
	bool used;
	char name[PROTO_NAME_MAX];
	char user[PROTO_NAME_MAX]; /* "": root */
	uint64_t capabilities;
	int stop_signal, reload_signal;
	uint32_t flags;
	uint32_t argc, n_folders, fresh_argc, n_env; /* of args; n_folders 0: it always begins in the same way */
	enum proto_service_state state;
	pid_t pid;
	pid_t session;        /* of a main process that has ended in order: what of it still ends */
	int64_t started_ms, next_ms; /* next_ms: start again, while waiting; kill, while stopping */
	unsigned delay_ms;
	uint32_t restarts;
	int last_exit;
	bool stopping, again, forget; /* asked to stop; and to start again after it, or to be forgotten */
	int log_fds[2];       /* its standard output and error: both ends, so that it outlives each run */
	size_t line_len;
	char args[PROTO_SERVICE_ARGS_BYTES];
	char line[PROTO_TEXT_MAX];
};

extern struct service_slot service_slots[SERVICES_MAX];

/* service_start, service_add, service_fresh: a checked message of that name.  0 or -errno. */
int service_start(const struct proto_service_start *m);
int service_add(const struct proto_service_add *m);
int service_fresh(const struct proto_service_fresh *m);
/* service_remove: as service_act, and then there is none of that name. */
int service_remove(const char *name, uint32_t *ret_wait);
/* service_act: the services that a caller must wait for, as a bit mask.  -ENOENT, -EOPNOTSUPP: no reload signal. */
int service_act(const struct proto_service_act *m, uint32_t *ret_wait);
/* service_unsettled: of the mask, those that are still on their way. */
uint32_t service_unsettled(uint32_t mask);
/* service_ended: true if it was a service's main process; called before it is reaped. */
bool service_ended(pid_t pid, int status);
void service_read_log(struct service_slot *s);
/* service_tick: starts and kills what is due.  The time of the next thing, or -1. */
int64_t service_tick(int64_t now_ms);
bool service_all_ended(void);
/* service_stop_in_order: tells the last one that still runs to stop. */
void service_stop_in_order(void);

/* ---- connections (init_conn.c) ---- */

struct connection {
	bool used;
	int fd;
	pid_t exec_pid;      /* the command that it runs */
	bool exec_ended;
	bool subscribed, blocked;
	struct ring_cursor cursor[2]; /* by proto_kind */
	uint32_t waiting;    /* services that an act waits for */
};

extern struct connection connections[CONNECTIONS_MAX];

void conn_accept(void);           /* what came over PROTO_FD_SERVER */
void conn_read(struct connection *c);
void conn_flush(struct connection *c); /* sends records, results */
bool conn_pending(const struct connection *c); /* there are more records to send, and room */
bool conn_ended(pid_t pid, int status); /* true: it was a command's process */
void conn_say_bye(void);

/* ---- commands (init_exec.c) and their users (init_user.c) ---- */

struct init_user {
	uint32_t uid, gid;
	char home[256];
	uint32_t groups[64];
	size_t n_groups;
};

/* user_find: from /etc/passwd and /etc/group of the Vsv; a number must stand there too.  0, -ENOENT, -errno. */
int user_find(const char *name, struct init_user *ret);
/* user_find_in: the same from open files, which is what the fuzzer calls. */
int user_find_in(int passwd_fd, int group_fd, const char *name, struct init_user *ret);

/* exec_start: forks the command of a checked message; conn is where the child sends its streams.  The pid or -errno.
 * exec_start_sealed: the same with a program's descriptor; -EPERM: it is not sealed. */
pid_t exec_start(const struct proto_exec *m, int conn);
pid_t exec_start_sealed(const struct proto_exec_sealed *m, int program, int conn);
/* look_start: forks a look at what a checked message names, which sends PROTO_LOOKED over conn (init_look.c).  The pid or -errno. */
pid_t look_start(const struct proto_look *m, int conn);
/* folder_is_empty: nothing but what lies hidden in it; also when it is not there. */
bool folder_is_empty(const char *path);
/* spawn_reset: what a fresh child undoes of PID 1's. */
void spawn_reset(void);

/* ---- what the filter asks PID 1 (init_count.c): what is counted by user, and what it refuses ---- */

/* count_prepare: before PID 1 is confined: the user as whom the Vsv's descriptors are counted, and the pass. */
int count_prepare(struct seccomp_pass *ret_pass);
/* count_answer: one call of the listener's, which is readable. */
void count_answer(int listener);
/* count_answer_late: tries again to give one of those who did not take their answer in time what they wait for. */
void count_answer_late(int listener);
bool count_is_late(void); /* there is such a one */

/* ---- calls that somebody inside can make wait (init_wait.c) ---- */

/* Between the two, each wait of PID 1's ends after a moment, with EINTR where the call says so. */
void wait_begin(void);
bool wait_is_over(void); /* it had to end one, since wait_begin() */
void wait_end(void);

/* ---- who connects while a service starts again (init_standby.c) ---- */

void standby_open(void);

/* ---- the rest (init.c) ---- */

/* init_proc_open: a file of /proc, to be read; -errno. */
int init_proc_open(const char *path);

/* init_kill_session: kills every process of the session, and the leader itself, which must not be reaped yet. */
void init_kill_session(pid_t leader);
/* init_signal_session: signals every process of the session (0: none); false: there is none.  What cannot be seen counts as one. */
bool init_signal_session(pid_t leader, int sig);
/* init_stop: the orderly end. */
void init_stop(uint32_t timeout_ms);
bool init_is_stopping(void);
extern uint64_t init_bounding;

/* reply: a proto_result. */
void reply(int fd, enum proto_type type, int error, const char *words);
