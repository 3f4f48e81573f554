/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Taking a Vsv that comes with its volumes: from another Psv, or an orphan of this one.
 *
 * Nothing is mounted and nothing is changed before the administrator has seen what the disk asks for and agreed: the
 * labels alone are read.  Whoever made the disk made its labels too, so all of them is untrusted: the configuration is
 * parsed as strictly as any, and where its volumes lie is never taken from it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/str.h"
#include "psv/conf.h"
#include "psv/volume.h"

struct err;
struct psv;

struct adopt_volume {
	char path[4096];   /* absolute; of a device as it was given (a name in /dev/disk/by-id stays) */
	char target[4096]; /* of an image: where it will lie; the same as path if it lies in its pool already */
	bool device;
	enum conf_fs fs;
	uint64_t size_bytes;
	struct label label;
};

struct adopt {
	char server[VSV_NAME_MAX + 1];
	uint64_t generation;          /* of the root volume */
	uint64_t known_generation;    /* the newest that this Psv has started; larger only if that was forced */
	struct adopt_volume *volumes; /* [0] is the root */
	size_t n_volumes;
	char *found_text;             /* the configuration on the root volume */
	char *conf_text;              /* the same as it would be registered: its volumes are those that were given */
};

/* adopt_read: images and devices, in any order, all volumes of one Vsv.  Refused: volumes of several servers, no root
 * volume, two of one role, one that the configuration does not know or knows and that was not given, labels whose
 * generations do not belong together, or are older than what this Psv has started (unless force: what was written since is
 * not in them), a label that does not belong to its
 * filesystem, a name that exists here, and what somebody uses.  0 or -errno. */
int adopt_read(const struct psv *psv, const char *const *paths, size_t n_paths, bool force, struct adopt *ret,
	       struct err *err);

/* adopt_look: one of them alone, by the same rules.  Its label is the caller's to free.  0 or -errno. */
int adopt_look(const char *path, struct adopt_volume *ret, struct err *err);

/* adopt_register: what was agreed to.  Images move into their pool (one in a pool stays there), NAME.conf is written last.
 * Fails if anything has changed since adopt_read().  A failure or a kill before the end leaves no NAME.conf and every
 * image whole, in its old place or in its pool, to be adopted again.  The caller holds the locks of that name and of the
 * registry. */
int adopt_register(const struct psv *psv, const struct adopt *a, struct err *err);
void adopt_free(struct adopt *a);
