/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Giving a Vsv a volume, taking one away, making one larger: the volume itself, the configuration and, if it runs, the
 * mount inside, in an order in which a kill loses nothing. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;
struct psv;

struct volume_add_opts { /* words of the configuration; NULL: its default */
	const char *size, *device, *pool, *fs, *mount;
	bool force;
	bool orphan; /* not a new one: the one of this name that server_volume_remove left; size and fs are what it has */
	void (*notice)(const char *line);
};

int server_volume_add(const struct psv *psv, const char *name, const char *volume, const struct volume_add_opts *opts,
		      struct err *err);
/* server_volume_remove: -EBUSY with VNAS_EXIT_IN_USE: a share lies on it, or something inside holds it open.  The data
 * stay as an orphan unless purge. */
int server_volume_remove(const struct psv *psv, const char *name, const char *volume, bool purge,
			 void (*notice)(const char *line), struct err *err);
int server_volume_grow(const struct psv *psv, const char *name, const char *volume, uint64_t size_bytes,
		       void (*notice)(const char *line), struct err *err);
