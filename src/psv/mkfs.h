/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making, checking and resizing filesystems by the programs that belong to them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "psv/conf.h"

struct err;

/* mkfs_min_bytes: the smallest volume of that filesystem, label included. */
uint64_t mkfs_min_bytes(enum conf_fs fs, bool is_root);

/* mkfs_make: of exactly bytes, on an unmounted device.  zeroed: all of it reads zero now, as a new image does. */
int mkfs_make(enum conf_fs fs, const char *device, const char uuid[37], uint64_t bytes, bool zeroed, struct err *err);

/* mkfs_check: repairs what can be repaired without losing anything.  1: something was repaired; 0; -EUCLEAN: somebody
 * must decide. */
int mkfs_check(enum conf_fs fs, const char *device, bool force, struct err *err);

/* mkfs_repair: answers every question with yes.  1: something was repaired; 0; -EUCLEAN: it cannot be. */
int mkfs_repair(enum conf_fs fs, const char *device, struct err *err);

/* mkfs_enlarge_ext4: an unmounted one, to the device's first bytes. */
int mkfs_enlarge_ext4(const char *device, uint64_t bytes, struct err *err);

/* uuid_make: a random one. */
int uuid_make(char ret[37], struct err *err);
