/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the Psv and a Vsv's PID 1 say to each other.
 *
 * A running PID 1 outlives every upgrade of the tools, so all of this is frozen: a new meaning gets a new type, and a
 * struct never changes.  Both sides run on one machine and one kernel; integers are in its byte order.
 *
 * PID 1 holds both ends of a socket pair (seqpacket) at the descriptors PROTO_FD_CLIENT and PROTO_FD_SERVER.  Who has
 * the right on the Psv takes the client's end by pidfd_getfd(2) and sends a proto_hello with one descriptor, an end of a
 * seqpacket pair of its own: the connection.  PID 1 answers on it with PROTO_RESULT (its words are the version of its
 * program).  From then on one request at a time goes over the connection, and no descriptor goes in any more but the
 * program of PROTO_EXEC_SEALED; those that come out are marked below.  Each message is one packet that begins with a proto_header.
 *
 * Neither side trusts the other: PID 1 because it must not fall, the Psv because PID 1 lives among hostile processes.
 * proto_check() is the only way in for both. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	PROTO_FD_CLIENT = 3, /* the client's end */
	PROTO_FD_SERVER = 4, /* PID 1's end */
	PROTO_FD_CONF = 5,   /* the writable folder of what the Psv generates */
	PROTO_FD_BOOT = 6,   /* to the starter, closed when PID 1 runs */
};

#define PROTO_MAGIC 0x53414e56u /* "VNAS" */
enum {
	PROTO_VERSION = 1,
	PROTO_MESSAGE_MAX = 64 * 1024,
	PROTO_NAME_MAX = 32, /* with its NUL */
	PROTO_WORDS_MAX = 240,
	PROTO_TEXT_MAX = 1024, /* a line of a log */
	PROTO_ARGS_MAX = 4096,
	PROTO_SERVICE_ARGS_BYTES = 2048,
	PROTO_ENV_MAX = 8,
};

enum proto_type {
	/* Between the starter and PROTO_FD_BOOT. */
	PROTO_GO = 1,         /* to the first process: everything on the Psv is ready (proto_header alone) */
	PROTO_BOOT = 2,       /* proto_boot */
	PROTO_BOOT_DONE = 3,  /* back: proto_result; error 0: PID 1 runs */
	/* Over PROTO_FD_CLIENT. */
	PROTO_HELLO = 8,      /* proto_header, with one descriptor */
	/* Requests over a connection. */
	PROTO_SERVICE_START = 16, /* proto_service_start; answer: PROTO_RESULT */
	PROTO_SERVICE_ACT = 17,   /* proto_service_act; answer: PROTO_RESULT when it is done */
	PROTO_STATUS = 18,        /* proto_header; answer: a PROTO_STATUS_ROW for each service, PROTO_RESULT */
	PROTO_EXEC = 19,          /* proto_exec; answer: PROTO_EXEC_STREAMS, PROTO_EXEC_FAILED or none, PROTO_EXEC_EXIT */
	PROTO_SUBSCRIBE = 20,     /* proto_subscribe; answer: PROTO_RECORD for ever, PROTO_BYE at the orderly end */
	PROTO_ACK = 21,           /* proto_ack: no answer */
	PROTO_STOP = 22,          /* proto_stop: PID 1 ends; that it is gone is the answer */
	PROTO_SERVICE_ADD = 24,   /* proto_service_add: as PROTO_SERVICE_START, for what has a user or more flags */
	PROTO_SERVICE_REMOVE = 25, /* proto_service_remove; answer: PROTO_RESULT when it has ended and is forgotten */
	PROTO_EXEC_SEALED = 26,   /* proto_exec_sealed, with the program's descriptor; answer: as PROTO_EXEC */
	PROTO_LOOK = 27,          /* proto_look; answer: PROTO_LOOKED or none, PROTO_EXEC_EXIT */
	PROTO_SERVICE_FRESH = 28, /* proto_service_fresh: as PROTO_SERVICE_ADD, with another command for a fresh start */
	/* Answers. */
	PROTO_RESULT = 32,        /* proto_result */
	PROTO_STATUS_ROW = 33,    /* proto_status_row, with a pidfd when pid is not 0 */
	PROTO_EXEC_STREAMS = 34,  /* proto_header, with the terminal's master, or pipes: to 0, from 1, from 2 */
	PROTO_EXEC_FAILED = 35,   /* proto_result: the command could not be run */
	PROTO_EXEC_EXIT = 36,     /* proto_exec_exit */
	PROTO_RECORD = 37,        /* proto_record */
	PROTO_BYE = 38,           /* proto_header */
	PROTO_SYSLOG = 39,        /* proto_syslog, between the records of PROTO_LOG */
	PROTO_REFUSED = 40,       /* proto_refused, between those of PROTO_EVENT */
	PROTO_LOOKED = 41,        /* proto_looked */
};

struct proto_header {
	uint32_t magic;
	uint16_t version; /* of the message's sender */
	uint16_t type;
	uint32_t size; /* of the whole message */
	uint32_t zero;
};

struct proto_boot {
	struct proto_header h;
	uint64_t bounding;
	uint32_t nofile;
	uint32_t zero;
};

struct proto_result {
	struct proto_header h;
	int32_t error; /* 0 or -errno */
	uint32_t zero;
	char words[PROTO_WORDS_MAX];
};

enum {
	PROTO_SERVICE_FILE_HANDLES = 1, /* may call open_by_handle_at */
	PROTO_SERVICE_NO_XATTRS = 2,    /* may not write extended attributes; only of PROTO_SERVICE_ADD */
};

struct proto_service_start {
	struct proto_header h;
	uint64_t capabilities;
	int32_t stop_signal;
	int32_t reload_signal; /* 0: cannot reload */
	uint32_t flags;
	uint32_t argc;
	char name[PROTO_NAME_MAX];
	/* then argc strings, each with its NUL; the first is an absolute path */
};

struct proto_service_add {
	struct proto_header h;
	uint64_t capabilities; /* which another user than root keeps too */
	int32_t stop_signal;
	int32_t reload_signal; /* 0: cannot reload */
	uint32_t flags;
	uint32_t argc;
	char name[PROTO_NAME_MAX];
	char user[PROTO_NAME_MAX]; /* "": root */
	/* then argc strings, as above */
};

/* Each time before it begins the service looks whether the folders are empty, or not there: then it runs the command for that. */
struct proto_service_fresh {
	struct proto_service_add add; /* its own header and argc */
	uint32_t n_folders;
	uint32_t fresh_argc;
	uint32_t n_env;
	uint32_t zero;
	/* then add.argc strings as above, n_folders absolute paths, fresh_argc strings, the first an absolute path, and n_env of the
	 * form NAME=VALUE, which both commands have in their environment */
};

struct proto_service_remove {
	struct proto_header h;
	char name[PROTO_NAME_MAX];
};

enum proto_act { PROTO_ACT_STOP = 0, PROTO_ACT_RESTART = 1, PROTO_ACT_RELOAD = 2 };

struct proto_service_act {
	struct proto_header h;
	uint32_t act;
	uint32_t zero;
	char name[PROTO_NAME_MAX]; /* "": all */
};

enum proto_service_state { PROTO_RUNNING = 0, PROTO_WAITING = 1, PROTO_STOPPED = 2 };

struct proto_status_row {
	struct proto_header h;
	char name[PROTO_NAME_MAX];
	uint32_t state;
	int32_t pid; /* in the Vsv's numbers; 0: none */
	uint64_t uptime_ms;
	uint32_t restarts;
	int32_t last_exit; /* wait status; -1: never ended */
};

enum { PROTO_EXEC_TTY = 1 };

struct proto_exec {
	struct proto_header h;
	uint32_t flags;
	uint16_t rows, cols;
	char user[PROTO_NAME_MAX]; /* "": root */
	char term[PROTO_NAME_MAX]; /* "": dumb */
	uint32_t argc;
	uint32_t zero;
	/* then argc strings */
};

/* A program of the Psv's, run as root of the Vsv in its root folder: a memfd with every seal, so that nobody inside can
 * alter it.  Of the Vsv's files none is looked at on the way. */
struct proto_exec_sealed {
	struct proto_header h;
	uint64_t capabilities; /* as far as they are in PID 1's own bounding set */
	uint32_t flags;        /* PROTO_SERVICE_FILE_HANDLES */
	uint32_t zero;
	char name[PROTO_NAME_MAX]; /* its first argument */
};

/* What is there of the Vsv's own: absolute paths, and users of its passwd file. */
struct proto_look {
	struct proto_header h;
	uint32_t argc;
	uint32_t zero;
	/* then argc strings */
};

enum {
	PROTO_LOOK_THERE = 1,  /* links are followed */
	PROTO_LOOK_ASTRAY = 2, /* a symbolic link stands on the path */
};

struct proto_looked {
	struct proto_header h;
	uint32_t n;
	uint32_t zero;
	/* then n bytes, one for each string: bits of the above */
};

struct proto_exec_exit {
	struct proto_header h;
	int32_t status; /* of wait */
	uint32_t zero;
};

/* Records come in order.  Logs and events are counted apart, from 1; a gap in the numbers is what nobody fetched in time. */
struct proto_subscribe {
	struct proto_header h;
	uint64_t zero[2]; /* begins after what was acknowledged last */
};

struct proto_ack {
	struct proto_header h;
	uint64_t log_seq, event_seq; /* everything up to these is safe */
};

enum { SYSLOG_FACILITIES = 24, SYSLOG_SEVERITIES = 8 }; /* syslog(3) */

enum proto_kind { PROTO_LOG = 0, PROTO_EVENT = 1 };

struct proto_record {
	struct proto_header h;
	uint32_t kind;
	uint32_t text_len;
	uint64_t seq;
	int64_t realtime_ns;
	char name[PROTO_NAME_MAX];
	/* then text_len bytes of any value; an event's is "WORD detail" */
};

/* What somebody sent to /dev/log; counted together with PROTO_LOG.  All but pid and time is the sender's word. */
struct proto_syslog {
	struct proto_header h;
	uint32_t text_len;
	uint16_t facility, severity; /* syslog(3): at most 23 and 7 */
	uint64_t seq;
	int64_t realtime_ns;
	uint32_t pid; /* in the Vsv's numbers; 0: unknown */
	uint32_t zero;
	char tag[PROTO_NAME_MAX]; /* proto_name_ok() */
	/* then text_len bytes of any value */
};

/* A system call that the filter refused; counted together with PROTO_EVENT.  Those of a flood have no record. */
enum { PROTO_NO_CALL = 0x7fffffff };
struct proto_refused {
	struct proto_header h;
	uint64_t seq;
	int64_t realtime_ns;
	uint64_t unnoted; /* so many before this one have no record */
	uint32_t pid;     /* in the Vsv's numbers; 0: unknown */
	uint32_t uid;
	uint32_t call;    /* its number; PROTO_NO_CALL: there is none, only `unnoted` */
	uint32_t error;   /* the answer, an errno */
	uint64_t args[6];
	char process[16]; /* its name, of any bytes; ends with a NUL if it is shorter */
};

struct proto_stop {
	struct proto_header h;
	uint32_t timeout_ms;
	uint32_t zero;
};

/* proto_check: that this is a whole message of its type, of a known size, with ended strings and values in their bounds.
 * The type, or -EBADMSG; -EPROTO: a type that this program does not know. */
int proto_check(const void *msg, size_t len);

/* proto_init: fills in a header. */
void proto_init(struct proto_header *h, enum proto_type type, size_t size);

/* proto_args: the strings after the fixed part of a checked message, as an array with a NULL at its end, which needs
 * argc + 1 places. */
void proto_args(const void *msg, size_t fixed, uint32_t argc, const char **ret_args);

/* proto_name_ok: what a service may be called: [A-Za-z0-9][A-Za-z0-9_.-]*, less than PROTO_NAME_MAX bytes. */
bool proto_name_ok(const char *name);
