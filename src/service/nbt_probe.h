/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a NetBIOS name server answers: one node status request, RFC 1002 4.2.17. */
#pragma once

struct ipaddr;

/* nbt_probe: of an IPv4 address.  0: a node status response came; -EAGAIN: none in time. */
int nbt_probe(const struct ipaddr *address, int timeout_ms);
