/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starting services under a running PID 1, and bringing what runs there from one configuration to another. */
#pragma once

#include "lib/str.h"

struct conf;
struct err;
struct inside_ref;
struct service;

/* Where they run. */
struct service_host {
	const char *server;
	const struct inside_ref *ref;
	int conn;
	int net_fd; /* of a private stack: its network (lib/netns.h); -1: the shared one */
};

/* service_begin: what prepares it is run, then it is started. */
int service_begin(const struct service_host *h, const struct conf *conf, const struct service *s, struct err *err);
/* service_await: until it answers at the first address; at most a minute, or until it has ended three times. */
int service_await(const struct service_host *h, const struct conf *conf, const struct service *s, struct err *err);
/* service_restart: one that PID 1 keeps, if it does; awaited for a few seconds, not more: the root inside can hold it up. */
int service_restart(const struct service_host *h, const struct conf *conf, const struct service *s, struct err *err);
/* service_restart_all: all that PID 1 keeps, each awaited if the configuration has it, together for a minute. */
int service_restart_all(const struct service_host *h, const struct conf *conf, struct err *err);
/* service_change: ends what `to` does not have any more, starts what is new, and starts again what is another program now;
 * the rows of the table stay.  When one of them fails, all are as before.  What the template that runs does not have is
 * added to ret_restart, which may be NULL. */
int service_change(const struct service_host *h, const struct conf *from, const struct conf *to,
		   struct strlist *ret_restart, struct err *err);
