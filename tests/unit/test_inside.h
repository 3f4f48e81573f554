/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A Vsv of the smallest kind for the tests of the inside: a tmpfs with busybox and vnas-init, a cgroup of its own. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "lib/str.h"
#include "psv/inside.h"

struct tiny {
	char cgroup[128];
	pid_t pid;
	uint64_t start;
	int conn;
	int root_fd;
};

/* tiny_root, tiny_cgroup: the parts of it; the cgroup's descriptor is returned.  They skip the test where they cannot run. */
struct root;
void tiny_root(struct root *ret);
int tiny_cgroup(struct tiny *t);
/* tiny_start: skips the test where it cannot run.  bounding: as inside_spawn. */
void tiny_start(struct tiny *t, uint64_t bounding);
/* tiny_stop: and checks that no process is left. */
void tiny_stop(struct tiny *t);
/* tiny_sh: the exit status of a shell command inside; its output if out is not NULL. */
int tiny_sh(struct tiny *t, const char *command, struct strbuf *out);
/* tiny_processes: how many are in its cgroup. */
unsigned tiny_processes(const struct tiny *t);
