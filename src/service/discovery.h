/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mDNS and WS-Discovery: the rows of vnas-discover, which runs twice, and whether it answers. */
#pragma once

#include <stddef.h>

struct conf;
struct err;
struct ipaddr;
struct service;
struct strbuf;

extern const struct service mdns_service, wsd_service;

/* discovery_text: appends what vnas-discover reads (discover/site.h). */
void discovery_text(const struct conf *conf, struct strbuf *ret);

/* mdns_probe: asks at an own address for the server's name.  0: it answers; 1: it answers that another host of the network has
 * the name; -EAGAIN: no answer in time. */
int mdns_probe(const struct conf *conf, const struct ipaddr *address, int timeout_ms);
/* wsd_probe: asks for the metadata.  0: they came; -EAGAIN. */
int wsd_probe(const struct conf *conf, const struct ipaddr *address, int timeout_ms);
