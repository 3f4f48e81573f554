/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The root of a Vsv, put together by the Psv from detached mounts and then attached by the Vsv's first process:
 * a small read-only tmpfs with usr (the template's overlay), etc, var, home, root, srv (of the root volume), the data
 * volumes, dev, proc, run, tmp, and run/vnas: what the Psv generates, read-only inside.
 *
 * No path is ever resolved through a tree that a tenant can write (rule 1 of docs/architecture.md), and no superblock of
 * the Psv's is reachable through any of the mounts. */
#pragma once

#include <stddef.h>

#include "psv/conf.h"

struct err;
struct psv;
struct volume;

enum { ROOT_MOUNTS_MAX = 64 };

struct root_mount {
	int fd;           /* detached mount */
	char target[256]; /* below the root, without a leading slash; "" is the root itself */
};

struct root {
	struct root_mount mounts[ROOT_MOUNTS_MAX]; /* in the order of attaching; [0] is the root */
	size_t n;
	int conf_fd; /* writable clone of run/vnas, kept by PID 1 so that the Psv can change what it generated */
};

/* root_begin: what needs no filesystem of the volumes, which are opened and need not be mounted yet ([0] is the root volume), from a
 * template's overlay (the descriptor is taken).  root_add_volumes: what the volumes hold, when they are mounted; it ends the root,
 * and who called root_begin closes it in any case.  procfs is not among the mounts: it must be made in the Vsv's own pid namespace. */
int root_begin(const struct conf *conf, const struct volume *volumes, size_t n_volumes, int overlay_fd, struct root *ret,
	       struct err *err);
int root_add_volumes(struct root *r, struct volume *volumes, size_t n_volumes, struct err *err);
void root_close(struct root *r);

/* root_base: the mount namespace that a Vsv's is a copy of, with nothing in it.  Descriptor, or below 0: it cannot be had, and the Psv's own
 * is copied in its place. */
int root_base(const struct psv *psv);

/* root_populate: what a fresh root volume holds (etc from our skeleton: passwd, group, shadow, nsswitch.conf, hosts, …,
 * and the folders that the services of conf need below var).  Called once by create, on the mounted volume. */
int root_populate(const struct conf *conf, const struct volume *root_volume, struct err *err);

/* root_generate: writes what the Psv generates (resolv.conf, hosts, hostname, samba/smb.conf, …) into conf_fd, each file
 * atomically.  Called at start and again by reload and by the share and address verbs. */
int root_generate(const struct conf *conf, int conf_fd, struct err *err);
