/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where this machine has its control groups: v2 alone (the usual case), or a v2 hierarchy beside v1 controllers that are
 * mounted one by one, each of which can limit in one of the two only. */
#pragma once

#include <limits.h>
#include <stdbool.h>

struct err;

enum cgroup_controller { CGROUP_MEMORY, CGROUP_PIDS, CGROUP_CPU, CGROUP_IO, CGROUP_CPUSET, CGROUP_CONTROLLERS };
extern const char *const cgroup_controller_names[CGROUP_CONTROLLERS];

enum { CGROUP_PATH_MAX = 256 };

struct cgroup_layout {
	char v2[CGROUP_PATH_MAX];                     /* its mount point */
	bool in_v2[CGROUP_CONTROLLERS];               /* the controller is there */
	char v1[CGROUP_CONTROLLERS][CGROUP_PATH_MAX]; /* or here; "": in neither */
};

/* cgroup_layout: 0, or -ENOENT: no v2 hierarchy is mounted. */
int cgroup_layout(struct cgroup_layout *ret, struct err *err);
/* cgroup_layout_parse: the mount points only, from the text of /proc/self/mountinfo. */
void cgroup_layout_parse(const char *mountinfo, struct cgroup_layout *ret);
/* cgroup_is_v1: the controller is there by v1, in whose groups a process is from its start or not at all. */
bool cgroup_is_v1(enum cgroup_controller which);
/* cgroup_word: a word of a list separated by spaces, commas or new lines. */
bool cgroup_word(const char *list, const char *word);
