/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Groups two deep below the mount point of one hierarchy, MOUNT/TAG/NAME: made, opened, emptied and removed, while others
 * do the same beside it. */
#pragma once

struct err;

/* cgroup_tree_make: opens MOUNT/TAG and MOUNT/TAG/NAME, which are made if they are missing. */
int cgroup_tree_make(const char *mount, const char *tag, const char *name, int *ret_tag, int *ret_name, struct err *err);
/* cgroup_tree_open: a descriptor; -ENOENT: it never came up. */
int cgroup_tree_open(const char *mount, const char *tag, const char *name);
/* cgroup_tree_kill: kills every process in it (v2 only) and waits until it is empty.  -ETIME: it is not. */
int cgroup_tree_kill(const char *mount, const char *tag, const char *name, int timeout_ms, struct err *err);
/* cgroup_tree_remove: removes it, and TAG with the last one.  0 also if it never came up; -EBUSY: a process is in it. */
int cgroup_tree_remove(const char *mount, const char *tag, const char *name, struct err *err);
