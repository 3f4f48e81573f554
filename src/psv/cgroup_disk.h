/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a Vsv may read and write of each of its volumes in a second: the kernel's throttle of the volume's block device (a loop
 * device, for an image).
 *
 * v2: io.max of the Vsv's own group.  It holds for what is written back later, too, as the kernel knows whose pages they are.
 * v1: blkio.throttle.* of the hierarchy's root group, where written pages are counted whoever dirtied them, and all else of
 * who is in no other group.  The device is the Vsv's alone, so nobody else is bound by it; of a partition the kernel can
 * bound the whole disk only, so it has no bound there. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "psv/psv.h"

struct err;

enum cgroup_disk_bound {
	CGROUP_DISK_READ_BYTES, CGROUP_DISK_WRITE_BYTES, CGROUP_DISK_READ_IOPS, CGROUP_DISK_WRITE_IOPS, CGROUP_DISK_BOUNDS,
};

/* cgroup_disk_limit: what limits say of one; 0: no bound. */
uint64_t cgroup_disk_limit(const struct conf_limits *limits, enum cgroup_disk_bound which);
/* cgroup_disk_bounded: they bound anything. */
bool cgroup_disk_bounded(const struct conf_limits *limits);
/* cgroup_disk_set: bounds these volumes; what limits do not bound, no more.  What the kernel cannot is left out:
 * cgroup_disk_real().  0 or -errno. */
int cgroup_disk_set(const struct psv *psv, const char *name, const struct conf_limits *limits, const struct state_volume *volumes,
		    size_t n, struct err *err);
/* cgroup_disk_free: bounds nothing of these any more.  Before a volume is taken away: what is still to be written would wait,
 * and of v1 the bound would stay with the number of the device.  Accepts "never was bounded". */
int cgroup_disk_free(const struct psv *psv, const char *name, const struct state_volume *volumes, size_t n, struct err *err);
/* cgroup_disk_real: the kernel bounds each of the volumes as limits say. */
bool cgroup_disk_real(const struct psv *psv, const char *name, const struct conf_limits *limits,
		      const struct state_volume *volumes, size_t n, enum cgroup_disk_bound which);
/* cgroup_disk_weighs: the disk below a file or device (0: unknown) is one that the kernel divides by weight. */
bool cgroup_disk_weighs(dev_t below);
/* cgroup_disk_some_weigh: some disk of the machine is one.  1; 0; -errno. */
int cgroup_disk_some_weigh(void);
/* cgroup_disk_is_v1: disks are divided by cgroup v1, in whose groups a process is from its start or not at all. */
bool cgroup_disk_is_v1(void);
