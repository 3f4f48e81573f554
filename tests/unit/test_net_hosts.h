/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hosts of a test's own: network namespaces, joined by veth pairs.  All are gone with the test's process. */
#pragma once

#include <stddef.h>

#include "lib/str.h"
#include "psv/conf.h"

struct host {
	int ns;
};

/* hosts_begin: SKIPs where network namespaces cannot be made.  host_new: one with lo up, without IPv6's waiting. */
void hosts_begin(void);
struct host host_new(void);
void host_enter(const struct host *h);
/* host_link: a veth pair, both ends up. */
void host_link(const struct host *a, const char *a_name, const struct host *b, const char *b_name);
/* ip: runs ip(8) with these words, separated by spaces, in the host where we are. */
void ip(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* ip_says: what it printed. */
void ip_says(struct strbuf *ret, const char *words);
/* host_settle: waits until every IPv6 address has its local route, which the kernel makes a moment later. */
void host_settle(void);
/* host_dump: everything that rtnetlink shows of addresses, routes and rules. */
const char *host_dump(void);
struct conf_address address(const char *text);
/* echo_serve: a child process in h that answers each TCP connection to port 7 with the client's address, a line. */
void echo_serve(const struct host *h);
/* echo_ask: connects to port 7 from `from` ("" : whatever the kernel chooses); what the server saw, or "errno N". */
const char *echo_ask(const char *from, const char *to);
