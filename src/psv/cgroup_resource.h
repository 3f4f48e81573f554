/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a Vsv has of processors, disks and memory when others want them too: weights, the bound of the processors and the
 * reserve of memory, as files of its control group.  The bounds of disks are in psv/cgroup_disk.h. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "psv/cgroup_layout.h"

struct conf_limits;
struct err;

/* cgroup_keep: writes one value into a file of a control group, unless that is what its first line says already.  0; 1: the
 * kernel has no such file; -errno with words. */
int cgroup_keep(int fd, const char *file, const char *text, struct err *err);
/* cgroup_resource_set: what limits say of that controller.  What the kernel has no file for is left out: cgroup_resource_real().
 * 0 or -errno. */
int cgroup_resource_set(int fd, enum cgroup_controller which, bool v2, const struct conf_limits *limits, struct err *err);
/* cgroup_resource_inherit: v1: a group of processors has those of the group above, and its memory, of which a new one has none. */
int cgroup_resource_inherit(int fd, struct err *err);
/* cgroup_resource_reserve: v2: what the group of all Vsv must be left, so that the reserve of each counts: their sum.  Where
 * neither it nor the one that comes (own_bytes) or goes (0) has any, nobody is asked. */
int cgroup_resource_reserve(int tag_fd, uint64_t own_bytes, struct err *err);

/* What the group with that descriptor (-1: it is in no such group) has, held against limits; runs: so that its processes are in it. */
struct cgroup_resource_real {
	bool cpu_weight, cpu, cpus, disk_weight, reserve;
};
void cgroup_resource_real(int fd, enum cgroup_controller which, bool v2, bool runs, const struct conf_limits *limits,
			  struct cgroup_resource_real *ret);
