/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Repairing the volumes of a stopped Vsv, on the administrator's word. */
#pragma once

struct err;
struct psv;

/* server_repair: volume_repair() of every volume; notice gets a line for each.  All are tried, also after one that could
 * not be repaired.  0 or -errno: of the first that could not; -EBUSY with VNAS_EXIT_IN_USE: it is running. */
int server_repair(const struct psv *psv, const char *name, void (*notice)(const char *line), struct err *err);
