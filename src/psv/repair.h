/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Repairing the volumes of a Vsv, on the administrator's word. */
#pragma once

#include <stdbool.h>

struct err;
struct psv;

struct repair_opts {
	bool no_start; /* leave it stopped */
	void (*notice)(const char *line);
};

/* server_repair: stops what is degraded or failed, volume_repair() of every volume, and starts it; notice gets a line for
 * each volume.  All are tried, also after one that could not be repaired.  0 or -errno: of the first that could not, and then
 * it is not started; -EBUSY with VNAS_EXIT_IN_USE: it runs and nothing is wrong with its volumes. */
int server_repair(const struct psv *psv, const char *name, const struct repair_opts *opts, struct err *err);
