/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Filesystems of tenants as detached mounts, by the mount API of Linux 5.2. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "psv/conf.h"
#include "psv/superblock.h"

struct err;

/* fs_mount: a new superblock of exactly that device, never one that is mounted already; nodev, nosuid.  Descriptor of
 * the detached mount, or -errno. */
int fs_mount(enum conf_fs fs, const char *device, dev_t rdev, struct err *err);

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
