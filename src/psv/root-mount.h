/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Detached mounts: made, cloned and stacked without ever standing in the Psv's mount table.
 *
 * Linux before 6.15 neither clones a detached mount nor takes one as an overlay's layer.  There the same is done by a
 * child in a mount namespace of its own, which hands the result back and takes the namespace with it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct err;

struct mount_option {
	const char *key, *value; /* value NULL: a flag; key NULL ends a list */
};

/* mount_new: fsopen(2) to fsmount(2).  attributes: MOUNT_ATTR_….  A detached mount or -errno; err has the kernel's words. */
int mount_new(const char *type, const struct mount_option *options, unsigned int attributes, struct err *err);
/* mount_clone: a detached clone of one folder ("" is the whole), resolved without links and without leaving the mount.  Where
 * the kernel needs the child, fd goes on to name a fresh clone of the same mount. */
int mount_clone(int fd, const char *folder, struct err *err);
/* mount_overlay: a read-only overlay without an upper layer, of its own superblock; lower[0] is on top.  The layers' own
 * descriptors are good for nothing but closing afterwards. */
int mount_overlay(const int lower[2], struct err *err);
/* mount_attributes: sets and clears MOUNT_ATTR_… of one mount. */
int mount_attributes(int fd, unsigned long long set, unsigned long long clear, struct err *err);

/* mount_namespace_empty: a mount namespace that holds one empty folder, which cannot be written.  It lives as long as the descriptor, a
 * pin or a process in it.  Descriptor or -errno. */
int mount_namespace_empty(struct err *err);

/* The two ways, for the tests. */
int mount_clone_directly(int fd, const char *folder, struct err *err);
int mount_clone_by_namespace(int fd, const char *folder, struct err *err);
int mount_overlay_directly(const int lower[2], struct err *err);
int mount_overlay_by_namespace(const int lower[2], struct err *err);
