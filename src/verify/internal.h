/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of verify share on the Psv's side. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/addr.h"
#include "lib/str.h"
#include "psv/conf.h"
#include "psv/psv.h"
#include "verify/probes.h"
#include "verify/verify.h"

struct err;

/* ---- the answers (judge.c) ---- */

enum { NO_ANSWER = INT32_MIN };

/* What the prober said: [probe * (n_targets + 1) + index]. */
struct answers {
	int32_t *v;
	unsigned n_targets;
};
void answers_init(struct answers *a, unsigned n_targets); /* all are NO_ANSWER */
void answers_free(struct answers *a);
int32_t answers_get(const struct answers *a, unsigned probe, unsigned index);
/* answers_parse: adds what a prober wrote.  0; -EBADMSG: it is not what a prober writes; -ENODATA: it was cut short. */
int answers_parse(struct answers *a, const char *text, size_t len);

/* probe_find: its number, or -1. */
int probe_find(const char *name);
/* answer_text: in words: "EPERM", "succeeded". */
void answer_text(int32_t answer, char *buf, size_t size);

enum control { CONTROL_PASSED, CONTROL_FAILED, CONTROL_NONE };
/* judge_listed: the answer is among those that the words name. */
bool judge_listed(const char *answers, int32_t answer);
/* judge: the verdict on an answer; *ret_note is added to the answer's text, or NULL.  false: there is nothing to report (it
 * could not be tried for want of something to try it on). */
bool judge(const struct probe *p, int32_t answer, enum control control, enum verdict *ret, const char **ret_note);

/* ---- what there is to try it on (targets.c) ---- */

enum { TARGET_ADDRESSES = 64, TARGET_PIDS = 4, TARGET_HANDLES = 3, TARGET_DEVICES = 33, TARGET_LINKS = 4, TARGET_KEYS = 4 };

struct listener {
	struct ipaddr addr;
	uint16_t port;
	int fd;
};

/* The Psv, or a Vsv that runs. */
struct victim {
	char name[VSV_NAME_MAX + 1]; /* "psv" */
	bool is_psv;
	struct ipaddr addresses[TARGET_ADDRESSES];
	size_t n_addresses, n_left_out; /* those that it has besides */
	struct listener tcp[TARGET_ADDRESSES], udp[TARGET_ADDRESSES], loop[2], wild_tcp, wild_udp;
	size_t n_tcp, n_udp, n_loop;
	pid_t pids[TARGET_PIDS];
	size_t n_pids;
	dev_t devices[TARGET_DEVICES];
	size_t n_devices;
	struct {
		int type;
		dev_t dev;
		ino_t inode;
		char hex[260];
	} handles[TARGET_HANDLES];
	size_t n_handles;
	int abstract_fd;
	char abstract[80];
	dev_t etc_dev;
	ino_t etc_inode;
	char links[TARGET_LINKS][13];
	size_t n_links;
	int shm[TARGET_KEYS];
	size_t n_shm;
	/* What the same call by the Psv says. */
	bool reach_ok, loopback_ok, ingress_ok, abstract_ok, device_ok, handle_ok;
};

enum { SUPERBLOCKS_MAX = 128, NAMESPACES = 6, NAMESPACE_IPC = 2, NAMESPACE_NET = 5 };
extern const char *const namespace_names[NAMESPACES];

/* A Vsv that runs. */
struct server {
	char name[VSV_NAME_MAX + 1];
	struct state st;
	struct conf conf;
	bool has_conf;
	int cgroup_fd;
	struct victim as_victim;
	bool chosen;             /* it is asked itself, not only tried against */
	char token[17];          /* names it in what it sends */
	struct answers inside, gate;
	char inside_problem[256], gate_problem[256]; /* why there are no answers */
	dev_t superblocks[SUPERBLOCKS_MAX]; /* of its mounts */
	uint64_t mounts[SUPERBLOCKS_MAX];   /* and the mounts' own numbers */
	size_t n_superblocks;
	ino_t namespaces[NAMESPACES];
	bool arrived;            /* something of its came to a socket of the Psv's that it must not reach */
};

struct verify {
	const struct psv *psv;
	struct victim host;
	struct server *servers;
	size_t n_servers;
	int program;             /* the prober, sealed */
	dev_t superblocks[1024]; /* of the Psv's own mounts */
	size_t n_superblocks;
	ino_t namespaces[NAMESPACES];
	struct socket_at {
		uint64_t cgroup_id;
		struct ipaddr addr;
		uint16_t port;
		uint8_t protocol;
		bool shut;       /* bound to an interface that does not exist */
	} *sockets;              /* every socket that stands on an address */
	size_t n_sockets;
	bool has_sockets;
	bool flooded;            /* more came to the Psv's datagram sockets than they held */
	int layers;              /* of Landlock, that this process could enter */
	struct answers control;  /* what the prober said with the Psv's rights, in namespaces of its own */
	char bpf_dir[PATH_MAX];
	json_t *probes;
	struct verify_sum sum;
};

/* victim_host, victim_server: gathers it; what cannot be had is left out, and its control has failed then.  victim_free:
 * closes what it holds.  victim_text: what the prober is told of it. */
void victim_host(struct verify *v);
void victim_server(struct verify *v, struct server *s);
void victim_free(struct victim *t);
void victim_text(const struct victim *t, struct strbuf *out);
/* victim_arrived: marks each server whose token came to a datagram socket of the Psv's, and whether some were lost there. */
void victim_arrived(struct verify *v);
/* victim_tokens: the same for one socket.  What else comes there, from whoever can reach it, cannot hold it up.  want: another word that
 * is looked for, or NULL; true: it came. */
bool victim_tokens(struct verify *v, int fd, const char *want);
/* victim_connect: 0: connected; -errno.  The Psv itself as a client. */
int victim_connect(const struct ipaddr *a, uint16_t port);
int victim_connect_from(const struct ipaddr *a, uint16_t port, const struct ipaddr *from); /* NULL: the kernel chooses */

/* is_private: it has a stack of its own. */
static inline bool is_private(const struct server *s)
{
	return s->has_conf && s->conf.stack == CONF_STACK_PRIVATE;
}

/* ---- running it (run.c) ---- */

/* prober_limit_ms: how long one run of it may take. */
int prober_limit_ms(size_t n_targets);
/* prober_open: the sealed program. */
int prober_open(int *ret, struct err *err);
/* prober_inside: tries all from inside s.  prober_gate: by a process of the Psv's in its control group.  prober_control: what
 * the Psv itself can do.  Why one gave no answers is written down; nothing of it is an error of verify's. */
void prober_inside(struct verify *v, struct server *s);
void prober_gate(struct verify *v, struct server *s);
void prober_control(struct verify *v);

/* A fork of this process that was born in a control group (and goes into a network namespace; -1: stays), which does what `f` does
 * with its end of a socket pair, for ten seconds at most.  helper_begin: 0 or -errno; helper_end in any case. */
struct helper {
	int conn;
	pid_t pid;
};
int helper_begin(int cgroup_fd, int net_fd, void (*f)(int conn), struct helper *ret);
void helper_end(struct helper *h);
/* helper_say, helper_hear: exactly that much. */
bool helper_say(int conn, const void *what, size_t size);
bool helper_hear(int conn, void *ret, size_t size);

/* ---- looks from outside (look*.c) ---- */

/* One look at a server, or at a server and each victim.  Returns the verdict, with its answer in words. */
struct look {
	const char *name;
	enum verify_row_id row;
	const char *expected;
	enum verdict (*server)(struct verify *v, struct server *s, char *answer, size_t size);
	enum verdict (*pair)(struct verify *v, struct server *s, const struct server *other, char *answer, size_t size);
};
extern const struct look looks[];
extern const size_t n_looks;

enum verdict look_gate_programs(struct verify *v, struct server *s, char *answer, size_t size);
enum verdict look_gate_lookup(struct verify *v, struct server *s, char *answer, size_t size);
enum verdict look_gate_addresses(struct verify *v, struct server *s, char *answer, size_t size);
enum verdict look_gate_stranger(struct verify *v, struct server *s, char *answer, size_t size);
enum verdict look_loopback(struct verify *v, struct server *s, char *answer, size_t size);
enum verdict look_rights(struct verify *v, struct server *s, char *answer, size_t size);
enum verdict look_filter(struct verify *v, struct server *s, char *answer, size_t size);
enum verdict look_group(struct verify *v, struct server *s, char *answer, size_t size);
enum verdict look_mounts(struct verify *v, struct server *s, char *answer, size_t size);
enum verdict look_proc(struct verify *v, struct server *s, char *answer, size_t size);
enum verdict look_descriptors(struct verify *v, struct server *s, char *answer, size_t size);
enum verdict look_limits(struct verify *v, struct server *s, char *answer, size_t size);
enum verdict look_own_limits(struct verify *v, struct server *s, char *answer, size_t size);
enum verdict look_ingress_tcp(struct verify *v, struct server *s, char *answer, size_t size);
enum verdict look_ingress_udp(struct verify *v, struct server *s, char *answer, size_t size);
enum verdict look_sockets(struct verify *v, struct server *s, char *answer, size_t size);
/* other NULL: the Psv. */
enum verdict look_namespaces(struct verify *v, struct server *s, const struct server *other, char *answer, size_t size);
enum verdict look_ipc(struct verify *v, struct server *s, const struct server *other, char *answer, size_t size);
enum verdict look_targets(struct verify *v, struct server *s, const struct server *other, char *answer, size_t size);
enum verdict look_superblocks(struct verify *v, struct server *s, const struct server *other, char *answer, size_t size);

/* look_begin, look_server_begin: what is read once: mounts, namespaces, sockets. */
void look_begin(struct verify *v);
void look_server_begin(struct server *s);
void look_own_mounts(struct verify *v);
void look_server_mounts(struct server *s);
/* each_process: calls f with every process of the server's control group that lives, until it returns false. */
void each_process(const struct server *s, bool (*f)(pid_t pid, void *arg), void *arg);
/* each_thread: the same with every thread: each has rights, a filter, and, if it wants, descriptors of its own; and it lives on when the
 * one by which its process is named has ended. */
void each_thread(const struct server *s, bool (*f)(pid_t tid, void *arg), void *arg);
/* status_read: /proc/PID/status; false: it is gone, or dead already.  status_value: what follows a key there; NULL: there is none. */
bool status_read(pid_t pid, char **ret);
const char *status_value(const char *status, const char *key);
/* say_process: pid 0: all n are as they should be. */
enum verdict say_process(pid_t pid, const char *what, size_t n, char *answer, size_t size);
