/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Network namespaces, for a program of one thread: a visit to another one, in which sockets are made and interfaces named. */
#pragma once

#include <stdint.h>

struct err;

struct netns_visit {
	int home; /* where to go back to; -1: it went nowhere */
};
#define NETNS_HOME { -1 }

/* netns_enter: the caller is in that namespace until netns_leave; nothing but its network changes.  fd: of the namespace, or a
 * pidfd of a process in it; -1: the caller stays where it is.  0 or -errno (-ESRCH: the process is gone). */
int netns_enter(int fd, struct netns_visit *ret, struct err *err);
/* netns_leave: accepts that it went nowhere.  A process that cannot go back ends: what it did next would be done to another's
 * network, and a killed command is repaired by the next one. */
void netns_leave(struct netns_visit *v);
#define _cleanup_netns_ __attribute__((cleanup(netns_leave)))

/* netns_new: a namespace of nobody's, which lives as long as something in it or this descriptor.  Its loopback is up, because in one
 * whose loopback never was every bind succeeds; nothing that comes from the wire gives it an address or a route. */
int netns_new(struct err *err);
