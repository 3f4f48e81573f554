/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The physical server as one command sees it: its folders (below VNAS_PREFIX if that is set) and its settings.
 * And the registry: which Vsv there are, what each is doing, and who is changing it. */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/str.h"
#include "psv/conf.h"

struct err;

struct psv {
	char etc[PATH_MAX / 2]; /* PREFIX/etc/vnas: vnas.conf, NAME.conf */
	char lib[PATH_MAX / 2]; /* PREFIX/var/lib/vnas: servers/NAME/, templates/, volumes/ */
	char run[PATH_MAX / 2]; /* PREFIX/run/vnas: NAME/state.json, locks/, bpf/ */
	char tag[16];           /* "vnas", or "vnas-xxxxxxxx" of the prefix: names cgroups; tests never meet a real one */
	struct conf_psv conf;
};

/* psv_open: reads VNAS_PREFIX (absolute) and vnas.conf; makes the folders (0700; etc 0755) if root.  0 or -errno. */
int psv_open(struct psv *ret, struct err *err);
void psv_close(struct psv *psv);
/* psv_paths: the paths and the tag alone, for who reads only; nothing to close. */
int psv_paths(struct psv *ret, struct err *err);

/* psv_conf_path: the path of NAME.conf. */
char *psv_conf_path(const struct psv *psv, const char *name, char buf[PATH_MAX]);

/* psv_conf_text: NAME.conf as it is, even if it is wrong.  psv_conf_load: NAME.conf, read and parsed; either result may be NULL.  0 or -errno.  psv_conf_write: replaces it
 * atomically.  psv_server_dir: LIB/servers/NAME, made if it is not there; a descriptor or -errno. */
int psv_conf_text(const struct psv *psv, const char *name, char **ret, size_t *ret_len, struct err *err);
int psv_conf_load(const struct psv *psv, const char *name, char **ret_text, struct conf *ret, struct err *err);
int psv_conf_write(const struct psv *psv, const char *name, const char *text, struct err *err);
/* psv_conf_sweep: removes what a killed psv_conf_write left. */
void psv_conf_sweep(const struct psv *psv, const char *name);
int psv_server_dir(const struct psv *psv, const char *name, struct err *err);

/* psv_list: names of all Vsv, sorted.  A Vsv exists when its NAME.conf does. */
int psv_list(const struct psv *psv, struct strlist *ret, struct err *err);
/* psv_exists: 1, 0 or -errno.  psv_require: 0 or -errno; if there is none -ENOENT with VNAS_EXIT_NO_SUCH. */
int psv_exists(const struct psv *psv, const char *name, struct err *err);
int psv_require(const struct psv *psv, const char *name, struct err *err);

/* The lock of one Vsv (name), or of the registry (name NULL: addresses and volumes of all).  Held by every command
 * that changes it, for as long as it changes it; a lock of an open file description (fcntl(2), F_OFD_SETLK), so that
 * a kill frees it and others can ask who has it without taking it.  A child that is forked without exec shares it
 * until it closes the descriptor.  Order: a Vsv's, then the registry's.  Waits up to timeout_ms (below 0: for ever),
 * after writing one line "waiting for VERB of process PID" by notice() if not NULL.  verb is stored for others to
 * read.  Descriptor (close it to unlock) or -errno; -EWOULDBLOCK: somebody else still has it, err says who with
 * VNAS_EXIT_IN_USE. */
int psv_lock(const struct psv *psv, const char *name, const char *verb, int timeout_ms,
	     void (*notice)(const char *line), struct err *err);
/* psv_lock_held: true while anybody, the caller too, has it. */
bool psv_lock_held(const struct psv *psv, const char *name);
/* psv_lock_remove: takes the lock's file away; for destroy, which holds the lock.  Who waits for it, waits on. */
void psv_lock_remove(const struct psv *psv, const char *name);

/* The number of a Vsv, 1…65535: its place in the gate's tables, in the hidden loopback range, and of its routing
 * table.  It stays until the Vsv is destroyed.  psv_id_claim gives the smallest free one (or the one it has);
 * psv_id_get: -ENOENT if there is none; psv_id_release: accepts none.  They take a short lock of their own, so
 * whoever calls may hold any. */
int psv_id_claim(const struct psv *psv, const char *name, uint32_t *ret, struct err *err);
int psv_id_get(const struct psv *psv, const char *name, uint32_t *ret, struct err *err);
int psv_id_release(const struct psv *psv, const char *name, struct err *err);

/* What a running Vsv is made of: all that `down` needs to take it away again, written before each thing is made, so
 * that a kill at any point leaves a state file that names at least what exists.  RUN/NAME/state.json, replaced
 * atomically. */
enum vsv_phase { VSV_STOPPED, VSV_STARTING, VSV_RUNNING, VSV_STOPPING, VSV_FAILED };

struct state_address {
	struct conf_address a;
	uint32_t ifindex;
	bool added; /* we put it on */
};

struct state_volume {
	char name[VOLUME_NAME_MAX + 1];
	dev_t rdev; /* its block device, which the gate lets the Vsv read */
};

struct state_link { /* of a private stack (psv/link.h) */
	enum conf_link kind;       /* CONF_LINK_AUTO: it runs in the shared stack */
	char interface[IFNAMSIZ];  /* of the Psv */
	char host[IFNAMSIZ];       /* of a veth pair: its end on the Psv's side; else "" */
	bool was_up;               /* interface, before it was handed over */
};

struct state {
	enum vsv_phase phase;
	char step[32];              /* the last step begun, while starting or stopping */
	int64_t since;              /* seconds since the epoch */
	uint32_t id;
	uint64_t generation;
	uint64_t log_bytes;         /* what the supervisor keeps of the log at most; 0: the default */
	unsigned syslog;            /* facility under which it tells the Psv's syslog of events; 0: it does not */
	pid_t init_pid;             /* 0: none */
	uint64_t init_start;        /* pid_start_time() of it */
	pid_t supervisor_pid;
	uint64_t supervisor_start;
	char boot_id[40];           /* of the kernel run in which all this is true; else nothing of it is left */
	char template_name[80];
	struct state_link link;
	struct state_address *addresses;
	size_t n_addresses;
	struct state_volume *volumes;
	size_t n_volumes;
	char *failure;              /* why the phase is VSV_FAILED; or NULL */
};

/* state_read: a Vsv without a file is VSV_STOPPED; so is one whose boot_id is not this boot's.  A damaged file is
 * -EBADMSG.  state_write fills boot_id in by itself.  state_parse: the text of such a file, of whatever boot; path
 * and name are for messages.  state_read_brief: in half the time, without addresses, volumes, link and failure; what is damaged
 * there it does not see. */
int state_parse(const char *text, size_t len, const char *path, const char *name, struct state *ret, struct err *err);
int state_read(const struct psv *psv, const char *name, struct state *ret, struct err *err);
int state_read_brief(const struct psv *psv, const char *name, struct state *ret, struct err *err);
int state_write(const struct psv *psv, const char *name, const struct state *st, struct err *err);
int state_remove(const struct psv *psv, const char *name, struct err *err); /* and RUN/NAME itself */
void state_free(struct state *st);
const char *vsv_phase_name(enum vsv_phase p);
/* state_phase: what is true now: VSV_RUNNING only if its PID 1 lives; VSV_FAILED if it was running and that is gone;
 * VSV_STARTING and VSV_STOPPING only while somebody holds the lock, else VSV_FAILED ("interrupted").  Who holds the
 * lock itself looks at st->phase: what it finds as starting or stopping was interrupted. */
enum vsv_phase state_phase(const struct psv *psv, const char *name, const struct state *st);

/* event_log: one line of JSON, {"time","server","event","detail"}, to LIB/servers/NAME/events.jsonl (kept below 1
 * MiB, the older half goes, by a new file under the old name); name NULL: an event of the Psv, to LIB/events.jsonl.  And to
 * the Psv's syslog, as vnas.conf says.  Never fails the caller. */
void event_log(const struct psv *psv, const char *name, const char *event, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* event_fetch: writes down what the gate has noted of refusals (vsv/refusal_fetch.h).  0 or -errno; -EAGAIN: somebody is at
 * it. */
int event_fetch(const struct psv *psv, const char *name, const struct state *st);
