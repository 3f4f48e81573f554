/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "discover/mdns_private.h"
#include "discover/mdns_records.h"

enum { LEGACY_TTL = 10 /* RFC 6762 section 6.7 */ };

enum how { HOW_ANSWER, HOW_GOODBYE, HOW_LEGACY };

static void send_message(struct mdns *m, const struct mdns_path *p, const struct mdns_peer *to, struct dns_writer *w)
{
	dns_write_end(w);
	m->send(m->arg, p, to, w->buf, w->len);
}

static bool write_one(struct dns_writer *w, enum dns_section section, const struct mdns_record *r, enum how how)
{
	unsigned class = r->unique && how != HOW_LEGACY ? DNS_IN | DNS_TOP_BIT : DNS_IN;
	uint32_t ttl = how == HOW_GOODBYE ? 0 : how == HOW_LEGACY && r->ttl > LEGACY_TTL ? LEGACY_TTL : r->ttl;

	return dns_write_record(w, section, &r->name, r->type, (uint16_t)class, ttl, r->rdata, r->len);
}

/* write_more: what belongs to the answers, as far as it fits. */
static void write_more(struct mdns *m, const struct mdns_path *p, struct dns_writer *w, const uint64_t bits[MDNS_WORDS],
		       enum how how)
{
	uint64_t more[MDNS_WORDS] = { 0 };
	struct mdns_record r;
	size_t n = mdns_records_n(m->site);

	for (size_t i = 0; i < n; i++)
		if (mdns_bit(bits, i))
			mdns_record_more(m->site, i, more);
	for (size_t i = 0; i < n; i++)
		if (mdns_bit(more, i) && !mdns_bit(bits, i) && mdns_record(m->site, p, i, &r))
			(void)write_one(w, DNS_ADDITIONAL, &r, how);
}

void mdns_send_to_group(struct mdns *m, struct mdns_path *p, const uint64_t bits[MDNS_WORDS], bool goodbye, int64_t now)
{
	enum how how = goodbye ? HOW_GOODBYE : HOW_ANSWER;
	struct mdns_record r;
	struct dns_writer w;

	dns_write_begin(&w, 0, DNS_RESPONSE | DNS_AUTHORITATIVE);
	for (size_t i = 0; i < mdns_records_n(m->site); i++) {
		if (!mdns_bit(bits, i) || !mdns_record(m->site, p, i, &r))
			continue;
		p->sent_ms[i] = (uint32_t)now | 1; /* 0 is never */
		if (write_one(&w, DNS_ANSWER, &r, how))
			continue;
		send_message(m, p, NULL, &w);
		dns_write_begin(&w, 0, DNS_RESPONSE | DNS_AUTHORITATIVE);
		(void)write_one(&w, DNS_ANSWER, &r, how);
	}
	if (!goodbye)
		write_more(m, p, &w, bits, how);
	if (w.n[DNS_ANSWER])
		send_message(m, p, NULL, &w);
}

void mdns_send_to_host(struct mdns *m, const struct mdns_path *p, const struct mdns_peer *to, struct dns_writer *w,
		       const uint64_t bits[MDNS_WORDS], bool legacy)
{
	enum how how = legacy ? HOW_LEGACY : HOW_ANSWER;
	struct mdns_record r;

	for (size_t i = 0; i < mdns_records_n(m->site); i++)
		if (mdns_bit(bits, i) && mdns_record(m->site, p, i, &r))
			(void)write_one(w, DNS_ANSWER, &r, how); /* who got not all of it asks again */
	write_more(m, p, w, bits, how);
	if (w->n[DNS_ANSWER])
		send_message(m, p, to, w);
}

/* write_claims: questions for so many names, and what they shall have; false: that is too much for one message. */
static bool write_claims(struct mdns *m, const struct mdns_path *p, struct dns_writer *w, size_t first, size_t n)
{
	struct dns_name name;
	struct mdns_record r;

	dns_write_begin(w, 0, 0);
	for (size_t c = first; c < first + n; c++) {
		mdns_claim_name(m->site, c, &name);
		if (!dns_write_question(w, &name, DNS_ANY, DNS_IN | DNS_TOP_BIT))
			return false;
	}
	for (size_t c = first; c < first + n; c++)
		for (size_t i = 0; i < mdns_records_n(m->site); i++)
			if (mdns_claim_has(m->site, c, i) && mdns_record(m->site, p, i, &r) &&
			    !dns_write_record(w, DNS_AUTHORITY, &r.name, r.type, DNS_IN, r.ttl, r.rdata, r.len))
				return false;
	return true;
}

void mdns_send_probes(struct mdns *m, const struct mdns_path *p)
{
	size_t all = mdns_claims_n(m->site), n;
	struct dns_writer w;

	for (size_t first = 0; first < all; first += n) {
		n = all - first;
		while (!write_claims(m, p, &w, first, n) && n > 1)
			n = (n + 1) / 2;
		send_message(m, p, NULL, &w);
	}
}
