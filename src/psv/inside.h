/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Psv's side of a Vsv's PID 1 (vsv/proto.h is what they say).  PID 1 holds both ends of a socket pair; whoever has
 * the right on the Psv takes one end by pidfd_getfd(2) and hands in a connection of its own, so no path, address or
 * name inside a Vsv leads to management. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/str.h"

struct err;
struct root;

struct inside_spawn {
	const char *hostname;
	const char *domainname; /* "" : none */
	int cgroup_fd;          /* v2 */
	struct root *root;      /* its mounts and conf_fd */
	uint64_t bounding;      /* the most that services and commands get; all that exec and shell have */
	uint32_t nofile;        /* RLIMIT_NOFILE for all inside */
	const int *net_fd;      /* private stack: its network namespace (netns_new()); NULL: the caller's */
	const int *base_fd;     /* root_base(); NULL or -1: the caller's mount namespace is copied */
	/* enter: called in the child first of all, while it is still at home on the Psv (v1 cgroups).  before_go: called with
	 * the pid while the child waits and has run nothing of the tenant's yet (state file).  A negative return ends it.
	 * Each can be NULL. */
	int (*enter)(void *arg, struct err *err);
	int (*before_go)(pid_t pid, void *arg, struct err *err);
	/* meanwhile: called when PID 1 was told to go on, before its answer is waited for; again if it is made a second time. */
	int (*meanwhile)(void *arg, struct err *err);
	void *arg;
};

/* inside_spawn: clones PID 1 into the cgroup and new namespaces, attaches the mounts, changes its root, confines, and executes
 * /usr/lib/vnas/vnas-init of the template.  Returns when PID 1 answers.  If the caller dies before that, PID 1 ends by
 * itself.  0 or -errno; err carries PID 1's own words. */
int inside_spawn(const struct inside_spawn *s, pid_t *ret_pid, struct err *err);

/* inside_connect: a connection to PID 1.  Descriptor (a seqpacket socket) or -errno; -ESRCH: it does not run. */
int inside_connect(pid_t init_pid, uint64_t init_start, struct err *err);
/* inside_settled: false if PID 1 is gone, or was just dying and is gone now: until the kernel has taken it apart its process
 * looks alive but answers nobody. */
bool inside_settled(pid_t init_pid, uint64_t init_start);
/* inside_conf_fd: the writable folder of what the Psv generates. */
int inside_conf_fd(pid_t init_pid, uint64_t init_start, struct err *err);

struct inside_service {
	char name[32];
	struct strlist argv;
	uint64_t capabilities;  /* as far as they are in the bounding set */
	int stop_signal, reload_signal; /* 0: SIGTERM; cannot reload */
	const char *user;       /* NULL: root; another one keeps the capabilities */
	bool no_xattrs;         /* may not write extended attributes */
	struct strlist folders, fresh; /* when these are empty, or not there, it begins by that command in place of argv; or none of both */
	struct strlist env;     /* NAME=VALUE, for a service with `fresh` alone */
	bool file_handles;      /* may call open_by_handle_at(2), which leads to every file of every superblock it reaches */
};
/* inside_service_start: adds the service to PID 1's table and starts it; PID 1 restarts it from then on, after 0.1 s,
 * doubling to 30 s, and from 0.1 s again after a minute's run. */
int inside_service_start(int conn, const struct inside_service *s, struct err *err);
/* inside_service_remove: stops it and takes it out of the table.  0 also when there is none. */
int inside_service_remove(int conn, const char *name, struct err *err);
enum inside_action { INSIDE_STOP, INSIDE_RESTART, INSIDE_RELOAD };
int inside_service_act(int conn, const char *name, enum inside_action what, struct err *err); /* name NULL: all */

enum inside_service_state { INSIDE_RUNNING, INSIDE_WAITING, INSIDE_STOPPED };
struct inside_status {
	char name[32];
	enum inside_service_state state;
	pid_t pid;          /* in the Psv's numbers; 0: none */
	uint64_t uptime_ms;
	uint32_t restarts;
	int last_exit;      /* wait status; -1: never ended */
};
int inside_status(int conn, struct inside_status **ret, size_t *ret_n, struct err *err);

/* inside_stop: services by their stop signals (reverse order, timeout_ms for all), then everything by SIGKILL, then PID 1
 * itself.  Returns when PID 1 is gone. */
int inside_stop(int conn, pid_t init_pid, uint64_t init_start, int timeout_ms, struct err *err);

struct inside_exec {
	const char *const *argv;     /* looked up inside, in the PATH of the Vsv */
	/* In place of what argv[0] names: a program of the Psv's, a memfd with every seal that is open for reading alone,
	 * run as root of the Vsv; argv[0] is what it is told to be called, and no more is told.  Needs input and output.
	 * A PID 1 that is older than this: -EOPNOTSUPP. */
	const struct inside_sealed {
		int fd;
		uint64_t capabilities; /* as far as PID 1 has them */
		bool file_handles;     /* may call open_by_handle_at(2) */
	} *sealed;
	const char *user;            /* NULL: root */
	const char *input;           /* with `output` or alone: text for its standard input */
	struct strbuf *output;       /* gathers standard output and error instead of passing them through */
	size_t output_max;           /* of that, in bytes (0: 4 MiB); one more is gathered of what says more, and nothing else read */
	bool tty;                    /* a pty of the Vsv's own, made inside; the caller's terminal goes raw meanwhile */
	int timeout_ms;              /* 0: none; at its end the command is killed and -ETIME returned */
};
/* inside_exec: runs a command inside, in its user's home folder; a connection serves for one command.  Standard input, output and error pass through pipes of the Vsv's own, unchanged and
 * of any length: no descriptor of the Psv's goes in.  Returns the exit status 0…255 (128 + signal), or -errno when it
 * could not be run at all (-ENOENT: no such command).  If the caller dies, the command's session is killed. */
int inside_exec(int conn, const struct inside_exec *e, struct err *err);
