/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Block devices that become volumes as they are. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

struct blockdev {
	int fd;          /* open for reading and writing */
	char device[64]; /* canonical path */
	dev_t rdev;
	uint64_t size_bytes;
};

/* blockdev_open: by any path.  exclusive: with O_EXCL, so that nothing else can mount it or claim it as long as the
 * descriptor is open; -EBUSY with VNAS_EXIT_IN_USE and the mount point if it is in use. */
int blockdev_open(const char *path, bool exclusive, struct blockdev *ret, struct err *err);

/* blockdev_signature: what libblkid finds on it.  0: nothing; 1: `what` says what; -errno. */
int blockdev_signature(const struct blockdev *b, char *what, size_t size, struct err *err);

/* blockdev_wipe: takes every signature that libblkid knows off it.  0 or -errno. */
int blockdev_wipe(const struct blockdev *b, struct err *err);
