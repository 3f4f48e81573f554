/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The mDNS responder (RFC 6762, RFC 6763): claims the Vsv's host name and the names of its services on each link, announces
 * them, answers, and says goodbye.  It has no sockets and no clock: messages and the time come in, messages go out by one
 * function.  A name that somebody else has is left to him: the responder is silent on that link, and tries again later. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "discover/dns.h"
#include "discover/site.h"

enum { MDNS_PORT = 5353, MDNS_PATHS = 32, MDNS_RECORDS = 320, MDNS_WORDS = MDNS_RECORDS / 64 };

struct mdns_peer {
	struct ipaddr addr;
	uint16_t port; /* host order */
};

enum mdns_state { MDNS_PROBING, MDNS_ANNOUNCING, MDNS_READY, MDNS_TAKEN };

/* An interface by one of the two families: what RFC 6762 calls an interface. */
struct mdns_path {
	uint32_t ifindex;
	uint8_t family;
	struct ipaddr source;   /* an own address on it */
	enum mdns_state state;
	unsigned sent;          /* of the probes or announcements */
	int64_t next_ms;        /* of these, or when it tries again; INT64_MAX: never */
	struct ipaddr rival;    /* MDNS_TAKEN: who answered */
	struct {
		int64_t due_ms;     /* INT64_MAX: nothing is to be sent */
		uint64_t bits[MDNS_WORDS];
		struct ipaddr asker; /* whose further known answers still count */
		bool several;
	} answer;
	uint32_t sent_ms[MDNS_RECORDS]; /* when a record went to the group last, as the lower bits of the time; 0: never */
	int64_t bucket_ms;      /* of answers to single hosts: a time that runs ahead of the clock with each */
};

struct mdns {
	const struct site *site;
	struct mdns_path paths[MDNS_PATHS];
	size_t n_paths;
	uint32_t random;
	/* send: to that host, or to the group where it is NULL, from the path's source. */
	void (*send)(void *arg, const struct mdns_path *p, const struct mdns_peer *to, const void *msg, size_t len);
	/* changed: the state of that path. */
	void (*changed)(void *arg, const struct mdns_path *p);
	void *arg;
};

/* mdns_begin: random: from anywhere.  The site stays the caller's. */
void mdns_begin(struct mdns *m, const struct site *site, uint32_t random);
/* mdns_set: the same with another site, or the same site after its addresses moved: paths come and go, what is no more is
 * withdrawn, what is new is announced.  old: as it was until now (may be the same as the new one when it is the first time). */
void mdns_set(struct mdns *m, const struct site *old, const struct site *site, int64_t now_ms);
/* mdns_receive: a message that came in on that path.  own: to an address of the Vsv's, not to the group. */
void mdns_receive(struct mdns *m, struct mdns_path *p, const struct mdns_peer *from, bool own, const void *msg, size_t len,
		  int64_t now_ms);
/* mdns_tick: does what is due.  When the next thing is, INT64_MAX: never. */
int64_t mdns_tick(struct mdns *m, int64_t now_ms);
/* mdns_end: withdraws everything. */
void mdns_end(struct mdns *m);
struct mdns_path *mdns_path_find(struct mdns *m, uint32_t ifindex, uint8_t family);
