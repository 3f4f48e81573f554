/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the responder share: mdns.c is its states in time, mdns_receive.c what comes in, mdns_send.c what goes
 * out, mdns_records.c what it has to say. */
#pragma once

#include "discover/mdns.h"

/* mdns_random: from 0 to below - 1. */
uint32_t mdns_random(struct mdns *m, uint32_t below);
/* mdns_is_announced: it has said on that path what it has, and answers. */
bool mdns_is_announced(const struct mdns_path *p);
void mdns_probe_again(struct mdns_path *p, int64_t when_ms);
void mdns_is_taken(struct mdns *m, struct mdns_path *p, const struct ipaddr *rival, int64_t now);
void mdns_lost_tie(struct mdns_path *p, int64_t now);

void mdns_send_probes(struct mdns *m, const struct mdns_path *p);
/* mdns_send_to_group: answers of these numbers, with what belongs to them; goodbye: that they are no more. */
void mdns_send_to_group(struct mdns *m, struct mdns_path *p, const uint64_t bits[MDNS_WORDS], bool goodbye, int64_t now);
/* mdns_send_to_host: the same to who asked.  w has been begun with the questions, for one that asked by plain DNS (legacy). */
void mdns_send_to_host(struct mdns *m, const struct mdns_path *p, const struct mdns_peer *to, struct dns_writer *w,
		       const uint64_t bits[MDNS_WORDS], bool legacy);
