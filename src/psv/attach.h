/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mounts in a running Vsv.  A child of the Psv's enters the mount namespace alone (setns(2)); it resolves the mount point
 * from the namespace's root without following any link, and does nothing else there. */
#pragma once

#include <sys/types.h>

struct conf;
struct err;
struct walk;

/* attach_changed_volumes: opens, mounts and attaches the volumes that w->conf has and w->st has not, and takes those away
 * that w->conf has not any more; w->st is written each time, after one came and before one goes.  old is what it was started with or changed to, tried what a change
 * that is taken back was to lead to (empty: none is).  -EBUSY with VNAS_EXIT_IN_USE: one is in use inside. */
int attach_changed_volumes(struct walk *w, const struct conf *old, const struct conf *tried, struct err *err);

/* open_inside: a descriptor on a folder of a running Vsv; O_PATH, so that it starts and opens nothing.  The way may cross
 * mounts but no link.  Descriptor or -errno. */
int open_inside(pid_t init_pid, const char *path);
