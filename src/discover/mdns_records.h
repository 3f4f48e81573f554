/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The records that a site has on a path, by number.  The numbers of one site are always the same, also on a path that has not
 * all of them: an address is told on the link where it stands. */
#pragma once

#include "discover/mdns.h"

enum { MDNS_TTL_HOST = 120, MDNS_TTL_OTHER = 4500 };

struct mdns_record {
	struct dns_name name;
	uint16_t type;
	bool unique;    /* nobody else has one of that name and type */
	uint32_t ttl;
	size_t len;
	uint8_t rdata[DNS_RDATA_MAX];
};

size_t mdns_records_n(const struct site *s);
/* mdns_record: false: there is none of that number on the path. */
bool mdns_record(const struct site *s, const struct mdns_path *p, size_t i, struct mdns_record *ret);
/* mdns_record_denies: it is the one that says which types the host name has not (NSEC). */
bool mdns_record_denies(const struct site *s, size_t i);
/* mdns_record_more: adds what somebody who asked for that record asks next. */
void mdns_record_more(const struct site *s, size_t i, uint64_t bits[MDNS_WORDS]);

/* The names that must be the Vsv's alone: 0 is the host's, then one a service. */
size_t mdns_claims_n(const struct site *s);
void mdns_claim_name(const struct site *s, size_t claim, struct dns_name *ret);
/* mdns_claim_of: that record is part of the claim. */
bool mdns_claim_has(const struct site *s, size_t claim, size_t i);

static inline bool mdns_bit(const uint64_t bits[MDNS_WORDS], size_t i)
{
	return bits[i / 64] >> i % 64 & 1;
}

static inline void mdns_bit_set(uint64_t bits[MDNS_WORDS], size_t i)
{
	bits[i / 64] |= UINT64_C(1) << i % 64;
}

static inline void mdns_bit_clear(uint64_t bits[MDNS_WORDS], size_t i)
{
	bits[i / 64] &= ~(UINT64_C(1) << i % 64);
}

static inline bool mdns_bits_any(const uint64_t bits[MDNS_WORDS])
{
	uint64_t all = 0;

	for (size_t w = 0; w < MDNS_WORDS; w++)
		all |= bits[w];
	return all != 0;
}
