/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the root share.  Everybody else includes psv/root.h. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "psv/root.h"

struct err;

/* tmpfs_new: a detached tmpfs of limited size and number of files; mode is octal text. */
int tmpfs_new(uint64_t size_bytes, unsigned int inodes, const char *mode, unsigned int attributes, struct err *err);
/* root_add: appends a mount, whose descriptor is taken; a negative one is passed on, so that calls can be nested. */
int root_add(struct root *r, int fd, const char *target, struct err *err);
/* root_volume_nodes: a detached mount with a node of each data volume's device, for dev/volumes: that is where who serves by
 * NFS finds the UUID of its file system, which it puts into its handles.  The gate lets them be read and nothing else. */
struct root_node {
	const char *name;
	dev_t number;
};
int root_volume_nodes(const struct root_node *volumes, size_t n, struct err *err);
/* root_add_dev: dev, dev/pts and dev/shm. */
int root_add_dev(struct root *r, struct err *err);
/* root_make_place: the folder that a data volume is attached to, whatever the tenant left there. */
int root_make_place(const struct root *r, const char *target, struct err *err);

/* One entry of a tree that is written at once: the skeleton of a root volume. */
struct skeleton_entry {
	const char *path;    /* relative; the folder above it comes before it in the table */
	mode_t mode;         /* S_IFDIR, S_IFREG or S_IFLNK, and the permissions */
	gid_t gid;
	const char *content; /* of a file; the target of a link */
};
extern const struct skeleton_entry skeleton[];
extern const size_t n_skeleton;
/* skeleton_write: below root_fd.  What is there already of the same kind is replaced; a folder stays. */
int skeleton_write(int root_fd, const struct skeleton_entry *entries, size_t n, struct err *err);
