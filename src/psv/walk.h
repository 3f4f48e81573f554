/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One walk over the life cycle's table: what the steps share.  Private to lifecycle.c, steps.c and change.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "psv/conf.h"
#include "psv/psv.h"
#include "psv/root.h"
#include "psv/supervise.h"
#include "psv/volume.h"

struct err;
struct gate_config;
struct start_opts;

struct walk {
	const struct psv *psv;
	const char *name;
	const struct start_opts *opts;
	char *conf_text;          /* as started: RUN/NAME/conf */
	struct conf conf;
	struct state st;
	struct volume *volumes;   /* opened so far, in the order of conf.volumes */
	size_t n_volumes;
	int overlay_fd, cgroup_fd, conn;
	int net_fd;               /* private stack: its namespace, or a pidfd of its PID 1; -1: the shared one, or not there */
	struct root root;
	struct supervise_begun supervisor; /* begun, not yet attached */
	int stop_timeout_ms;
	bool unbound;             /* nothing bounds its volumes any more (resources_down()) */
	bool degraded;            /* its directory does not answer */
};

struct step {
	const char *name;
	/* describe: what up would do, a line each, for --dry-run. */
	void (*describe)(const struct walk *w, struct strlist *ret);
	/* up: 0 or -errno. */
	int (*up)(struct walk *w, struct err *err);
	/* down: works from w->name, w->st and, if it could be read, w->conf; accepts "never came up".  NULL: what up made
	 * ends with its descriptors. */
	int (*down)(struct walk *w, struct err *err);
};

extern const struct step steps[];
extern const size_t n_steps;

/* walk_init: an empty walk for that Vsv.  walk_end: gives back everything it still holds. */
void walk_init(struct walk *w, const struct psv *psv, const char *name, const struct start_opts *opts);
void walk_end(struct walk *w);
/* walk_notice: to opts->notice, if there is one. */
void walk_notice(const struct walk *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* walk_add_device, walk_remove_device: what st.volumes says of an attached volume's block device. */
void walk_add_device(struct walk *w, const char *volume, dev_t rdev);
void walk_remove_device(struct walk *w, const char *volume);

/* walk_gate_config: what conf assigns, for gate_set(). */
int walk_gate_config(const struct walk *w, struct gate_config *ret, struct err *err);
/* walk_bounding: the most that anything inside may have (struct inside_spawn). */
uint64_t walk_bounding(const struct conf *conf);
/* walk_bpf_dir: RUN/bpf. */
char *walk_bpf_dir(const struct psv *psv, char *buf, size_t size);

/* walk_net.c: what is done in the network of w->st's stack. */
/* walk_net: w->net_fd of a Vsv that runs.  0, also of the shared stack; -ESRCH: its PID 1 is gone. */
int walk_net(struct walk *w, struct err *err);
/* walk_find_addresses: every address of conf into st.addresses, with its interface if the stack is the shared one. */
int walk_find_addresses(const struct conf *conf, struct state *st, struct err *err);
/* walk_probe: -EADDRINUSE: somebody on the network has one of them. */
int walk_probe(const struct walk *w, const struct state_address *a, size_t n, struct err *err);
/* walk_address_up: with the gateways of w->conf.  1: something was missing; 0; -errno.  walk_address_down: accepts "never came
 * up". */
int walk_address_up(const struct walk *w, const struct state_address *a, struct err *err);
int walk_address_down(const struct walk *w, const struct state_address *a, struct err *err);
/* walk_addresses_down: all that the state names, of the shared stack. */
int walk_addresses_down(const struct walk *w, struct err *err);
int walk_announce(const struct walk *w, const struct state_address *a, size_t n, struct err *err);
/* walk_end_sockets: what stands on addresses that are about to be taken away; what cannot be ended is said by the notice.  deserted:
 * all its processes are gone. */
void walk_end_sockets(const struct walk *w, const struct state_address *a, size_t n, bool deserted);

/* The configuration that a running Vsv was started or last reloaded with: RUN/NAME/conf. */
int running_conf_write(const struct psv *psv, const char *name, const char *text, struct err *err);
/* running_conf_read: 0; 1: there is none. */
int running_conf_read(const struct psv *psv, const char *name, char **ret_text, struct conf *ret, struct err *err);
