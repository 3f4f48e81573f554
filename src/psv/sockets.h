/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>

/* sockets_raise: lets the memory of all sockets of the machine together be as much as this, if it is less.  dir:
 * /proc/sys/net/ipv4.  0 or -errno: it stays as it is, as in a network namespace, where this cannot be set. */
int sockets_raise(const char *dir, uint64_t bytes);
