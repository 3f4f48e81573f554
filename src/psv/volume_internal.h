/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the volume*.c files share. */
#pragma once

#include "psv/blockdev.h"
#include "psv/loop.h"
#include "psv/superblock.h"
#include "psv/volume.h"

enum {
	/* How long a lock is waited for that only its last owner's end still holds: a loop device clears itself some
	 * milliseconds after its last user died, and udev looks at every new device. */
	LOCK_PATIENCE_MS = 300,
	/* Filesystems end a little before the device when their last group would be too small; and grow in larger steps. */
	GROW_SLACK_BYTES = 8 * LABEL_BYTES,
	GROW_MIN_BYTES = 16 * LABEL_BYTES,
};

static inline uint64_t round_down_mib(uint64_t bytes)
{
	return bytes / LABEL_BYTES * LABEL_BYTES;
}

static inline uint64_t round_up_mib(uint64_t bytes)
{
	return round_down_mib(bytes + LABEL_BYTES - 1);
}

/* volume_init: an empty one with its path. */
int volume_init(const struct psv *psv, const char *server, const struct conf_volume *v, struct volume *ret,
		struct err *err);

/* image_lock: the lock of an opened image.  0; -EBUSY with VNAS_EXIT_IN_USE. */
int image_lock(int fd, const char *path, int patience_ms, struct err *err);

/* image_open: opens and locks it, and makes sure that it is still the file of that name. */
int image_open(const char *path, struct err *err);

/* image_extend: an opened image that ends at `from` has its space up to `bytes`, if its pool has it; durable.  As it was when
 * it fails. */
int image_extend(const struct psv *psv, const struct volume *v, uint64_t from, uint64_t bytes, struct err *err);

/* volume_attach: the loop device of an image whose label is known. */
int volume_attach(struct volume *v, struct err *err);

/* volume_fill_holes: allocates what is a hole in the image.  A copy has them, and the loop driver makes them of what a
 * filesystem discards, or zeroes while it grows.  Without their blocks a full pool means write errors inside; if it cannot
 * be done, v->sparse says so. */
void volume_fill_holes(struct volume *v);

/* volume_fs_fd: where the filesystem begins at offset 0. */
static inline int volume_fs_fd(const struct volume *v)
{
	return v->device_fd >= 0 ? v->device_fd : v->backing_fd;
}

/* volume_release_claim: O_EXCL of ours would keep mkfs, fsck and mount away; each of them takes its own. */
int volume_release_claim(struct volume *v, struct err *err);

/* volume_is_thin: its pool is. */
bool volume_is_thin(const struct psv *psv, const struct conf_volume *v);
