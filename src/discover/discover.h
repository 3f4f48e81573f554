/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vnas-discover: one program for the two protocols, run by PID 1 as two services.  discover.c is its loop, the rest is in a
 * file a protocol. */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "discover/group.h"
#include "discover/site.h"

struct protocol {
	const char *name; /* "mdns": the program's argument, and the service's name */
	struct ipaddr four, six;
	uint16_t port;
	int hops;
	bool own_too;     /* as of struct group */
	/* begin: 0 or -errno.  group and seed stay the same until the end. */
	int (*begin)(const struct group *group, uint64_t seed);
	/* set: the site is another one now; both stay as they are until the next call.  old NULL: there was none. */
	void (*set)(const struct site *old, const struct site *site, int64_t now_ms);
	void (*receive)(const struct group_socket *s, const struct group_peer *from, const void *msg, size_t len, int64_t now_ms);
	/* tick: when the next thing is due; INT64_MAX: nothing. */
	int64_t (*tick)(int64_t now_ms);
	void (*end)(void);
	/* polls: further descriptors to look at, at most DISCOVER_POLLS of them; ready: after poll(2), the same in their places.
	 * NULL: none. */
	size_t (*polls)(struct pollfd *ret);
	void (*ready)(const struct pollfd *p, size_t n, int64_t now_ms);
};

enum { DISCOVER_POLLS = 24 };

extern const struct protocol mdns_protocol, wsd_protocol;

/* say: a line of the service's log. */
void say(const char *a, const char *b, const char *c, const char *d);
