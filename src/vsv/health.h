/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is wrong with the file systems of a running Vsv, from what the kernel says of them.  For the supervisor, which
 * looks every few seconds and allocates nothing, and for `vnas status`. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum health {
	HEALTH_READ_ONLY,   /* it met an error and takes no more writes (ext4: errors=remount-ro) */
	HEALTH_SHUT_DOWN,   /* it gave up: every access is an input/output error */
	HEALTH_DEVICE_GONE, /* its block device is not there any more */
	HEALTH_IMAGE_GONE,  /* the image's name is: the data lasts until the Vsv stops */
	HEALTH_CUT_SHORT,   /* the image is shorter than the file system on it */
};

struct health_row {
	dev_t rdev;
	char mount[128]; /* where it is inside, as the kernel shows it; the first of several places */
	enum health what;
};

enum { HEALTH_MAX = 64 };

/* health_read: a row for each block device in the mount namespace of PID 1 on which something is wrong.  Their number;
 * -errno: nothing is known.  proc(5), mountinfo; sysfs-block. */
int health_read(pid_t init_pid, struct health_row *ret, size_t max);

/* health_line: the same for one line of mountinfo, which is changed; the test and the fuzzer call it.  1: *ret is filled
 * in; 0: nothing is wrong, or it is no file system of a volume's. */
int health_line(char *line, int root_fd, struct health_row *ret);

/* health_words: "its file system turned read-only after an error" and the like. */
const char *health_words(enum health what);
