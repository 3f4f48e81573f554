/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Filesystems of tenants as detached mounts, by the mount API of Linux 5.2. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "psv/conf.h"
#include "psv/superblock.h"

struct err;

/* A mount of a new superblock of exactly that device, never one that is mounted already; nodev, nosuid.
 * fs_mount_begin: lets a thread make the superblock, which reads the disk and the journal, while the caller does something
 * else.  What the thread does is that one system call (fsconfig(2)).  In between the caller enters no mount namespace and
 * no user namespace, which setns(2) keeps from a process with threads; nor right after it, for a thread that is joined shares the
 * caller's folders for a moment more: a child of the caller's does that.
 * fs_mount_end: waits for it.  Descriptor of the detached mount, or -errno; `m` is gone either way.
 * fs_mount_abandon: waits, and leaves nothing; also of NULL. */
struct fs_mounting;
int fs_mount_begin(enum conf_fs fs, const char *device, dev_t rdev, struct fs_mounting **ret, struct err *err);
int fs_mount_end(struct fs_mounting *m, struct err *err);
void fs_mount_abandon(struct fs_mounting *m);

/* fs_folder: opens a folder below dirfd, an ordinary descriptor; no link is followed, no mount is crossed.  */
int fs_folder(int dirfd, const char *folder, struct err *err);

/* fs_subtree: a detached clone of one folder of a detached mount.  Where the kernel cannot clone from a detached mount
 * (before Linux 6.15), the mount behind mount_fd is replaced by a clone of itself; the number stays.  Descriptor or
 * -errno. */
int fs_subtree(int mount_fd, const char *folder, struct err *err);
/* fs_subtree_attached: the way for older kernels. */
int fs_subtree_attached(int mount_fd, const char *folder, struct err *err);

/* fs_grow: to bytes, while it is mounted; fs_fd is any folder of it.  -EPERM: CAP_SYS_RESOURCE is missing (ext4). */
int fs_grow(int fs_fd, const struct superblock *sb, uint64_t bytes, struct err *err);
