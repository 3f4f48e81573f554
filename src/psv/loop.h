/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loop devices (loop(4)) that nobody has to clean up: each clears itself when its last user is gone. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct err;

struct loop {
	int fd;          /* the device, open for reading and writing */
	char device[64]; /* /dev/loopN */
	dev_t rdev;
};

enum { LOOP_BLOCK_BYTES = 4096 };

/* loop_attach: a loop device for file_fd from offset_bytes to the file's end, with direct I/O where the file system can.
 * The device keeps file_fd's open file, and with it any flock(2) held through it, for exactly as long as it is attached.
 * 0 or -errno. */
int loop_attach(int file_fd, uint64_t offset_bytes, const char *name, struct loop *ret, struct err *err);

/* loop_open: the loop device with that number, if it is attached to exactly that file.  0 or -errno; -ESTALE: it is
 * attached to something else. */
int loop_open(dev_t rdev, int file_fd, struct loop *ret, struct err *err);

/* loop_find: whether any loop device is attached to that file.  1: its name is in device; 0; -errno.  Looks at all of them:
 * for the rare case only. */
int loop_find(int file_fd, char device[64]);

/* loop_refresh: makes the device as long as its file is now. */
int loop_refresh(const struct loop *l, struct err *err);
