/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A netlink(7) socket and one way to talk over it.  Messages are put together in a struct netlink_msg (lib/nlmsg.h). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/nlmsg.h"

struct err;

struct netlink {
	int fd;
	uint32_t seq;
};

/* Large enough for every request of ours: a header, an extra header, and a dozen attributes. */
struct netlink_msg {
	union {
		struct nlmsghdr h;
		char bytes[1024];
	};
};

/* netlink_open: NETLINK_ROUTE, NETLINK_SOCK_DIAG, … in this thread's network namespace.  0 or -errno. */
int netlink_open(int protocol, struct netlink *ret, struct err *err);
void netlink_close(struct netlink *nl);
#define _cleanup_netlink_ __attribute__((cleanup(netlink_close)))

/* netlink_begin: an empty request.  flags: NLM_F_DUMP, NLM_F_CREATE, …; NLM_F_REQUEST is added, and NLM_F_ACK unless it
 * is a dump.  Returns the extra header of that size, zeroed. */
void *netlink_begin(struct netlink_msg *m, uint16_t type, uint16_t flags, size_t extra);

/* How often a dump that changed meanwhile is asked for before somebody gives up. */
enum { NETLINK_DUMP_TRIES = 10 };

/* netlink_talk: sends the request and reads until its end; cb (may be NULL) sees each message of the answer, and a negative
 * return of it is handed on after the answer was read whole.  0; 1: what was dumped changed meanwhile, so the dump may lack
 * something: forget it and ask again; -errno, with the kernel's own words (extended ack) in err. */
int netlink_talk(struct netlink *nl, struct nlmsghdr *request, int (*cb)(const struct nlmsghdr *h, void *arg), void *arg,
		 struct err *err);

/* netlink_attrs: fills ret[0…max] with the attributes behind an extra header of that size; unknown ones are left out. */
void netlink_attrs(const struct nlmsghdr *h, size_t extra, const struct nlattr **ret, uint16_t max);

/* netlink_nested: the same of the attributes within one. */
void netlink_nested(const struct nlattr *in, const struct nlattr **ret, uint16_t max);
