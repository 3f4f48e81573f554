/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Namespaces that are pinned: a mount of the namespace's own file (namespaces(7)) keeps it when no process is in it. */
#pragma once

/* nspin: mounts the namespace ns_fd over the file at that path, which is made if it is not there.  0 or -errno (-EINVAL: the mount there is
 * passed on to others, or the namespace is one of mounts and not younger than the caller's). */
int nspin(const char *path, int ns_fd);
/* nspin_open: what is pinned there.  type: its kind, CLONE_NEW….  Descriptor or -errno; -ENOENT: nothing is, or one of another kind. */
int nspin_open(const char *path, int type);
