/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "discover/mdns.h"

#include <string.h>

#include "discover/mdns_private.h"
#include "discover/mdns_records.h"

enum {
	PROBES = 3, PROBE_MS = 250,                 /* RFC 6762 section 8.1 */
	LOST_MS = 1000,                             /* 8.2 */
	ANNOUNCEMENTS = 2, ANNOUNCE_MS = 1000,      /* 8.3 */
	TAKEN_MS = 60 * 1000, TAKEN_SPREAD_MS = 10 * 1000,
};

uint32_t mdns_random(struct mdns *m, uint32_t below)
{
	/* xorshift: it spreads answers in time, and guards nothing. */
	m->random ^= m->random << 13;
	m->random ^= m->random >> 17;
	m->random ^= m->random << 5;
	return m->random % below;
}

void mdns_begin(struct mdns *m, const struct site *site, uint32_t random)
{
	m->site = site;
	m->n_paths = 0;
	m->random = random ? random : 1;
}

struct mdns_path *mdns_path_find(struct mdns *m, uint32_t ifindex, uint8_t family)
{
	for (size_t i = 0; i < m->n_paths; i++)
		if (m->paths[i].ifindex == ifindex && m->paths[i].family == family)
			return &m->paths[i];
	return NULL;
}

bool mdns_is_announced(const struct mdns_path *p)
{
	return p->state == MDNS_READY || (p->state == MDNS_ANNOUNCING && p->sent);
}

/* ---- states ---- */

void mdns_probe_again(struct mdns_path *p, int64_t when_ms)
{
	p->state = MDNS_PROBING;
	p->sent = 0;
	p->next_ms = when_ms;
	p->answer.due_ms = INT64_MAX;
}

void mdns_is_taken(struct mdns *m, struct mdns_path *p, const struct ipaddr *rival, int64_t now)
{
	bool told = p->rival.family != 0;

	p->state = MDNS_TAKEN;
	p->rival = *rival;
	p->next_ms = now + TAKEN_MS + mdns_random(m, TAKEN_SPREAD_MS);
	if (!told && m->changed)
		m->changed(m->arg, p);
}

void mdns_lost_tie(struct mdns_path *p, int64_t now)
{
	mdns_probe_again(p, now + LOST_MS);
}

static void all_bits(const struct mdns *m, uint64_t bits[MDNS_WORDS])
{
	memset(bits, 0, MDNS_WORDS * sizeof(*bits));
	for (size_t i = 0; i < mdns_records_n(m->site); i++)
		if (!mdns_record_denies(m->site, i))
			mdns_bit_set(bits, i);
}

static void probe(struct mdns *m, struct mdns_path *p, int64_t now)
{
	if (p->sent < PROBES) {
		mdns_send_probes(m, p);
		p->sent++;
		p->next_ms = now + PROBE_MS;
		return;
	}
	p->state = MDNS_ANNOUNCING;
	p->sent = 0;
	p->next_ms = now;
}

static void announce(struct mdns *m, struct mdns_path *p, int64_t now)
{
	uint64_t bits[MDNS_WORDS];

	all_bits(m, bits);
	mdns_send_to_group(m, p, bits, false, now);
	p->sent++;
	p->next_ms = now + ANNOUNCE_MS;
	if (p->sent < ANNOUNCEMENTS)
		return;
	p->state = MDNS_READY;
	p->next_ms = INT64_MAX;
	p->rival = (struct ipaddr){ 0 };
	if (m->changed)
		m->changed(m->arg, p);
}

static void tick(struct mdns *m, struct mdns_path *p, int64_t now)
{
	if (p->answer.due_ms <= now) {
		p->answer.due_ms = INT64_MAX;
		mdns_send_to_group(m, p, p->answer.bits, false, now);
	}
	while (p->next_ms <= now) {
		switch (p->state) {
		case MDNS_PROBING:
			probe(m, p, now);
			break;
		case MDNS_ANNOUNCING:
			announce(m, p, now);
			break;
		case MDNS_TAKEN:
			mdns_probe_again(p, now + 1 + mdns_random(m, PROBE_MS));
			break;
		case MDNS_READY:
			p->next_ms = INT64_MAX;
			break;
		}
	}
}

int64_t mdns_tick(struct mdns *m, int64_t now_ms)
{
	int64_t next = INT64_MAX;

	for (size_t i = 0; i < m->n_paths; i++) {
		struct mdns_path *p = &m->paths[i];

		tick(m, p, now_ms);
		next = p->next_ms < next ? p->next_ms : next;
		next = p->answer.due_ms < next ? p->answer.due_ms : next;
	}
	return next;
}

/* ---- another site ---- */

static bool has_record(const struct site *s, const struct mdns_path *p, const struct mdns_record *r)
{
	struct mdns_record other;

	for (size_t i = 0; i < mdns_records_n(s); i++)
		if (mdns_record(s, p, i, &other) && other.type == r->type && dns_name_equal(&other.name, &r->name) &&
		    dns_rdata_equal(r->type, other.rdata, other.len, r->rdata, r->len))
			return true;
	return false;
}

/* withdraw: what the path has announced of `old` and has no more.  next NULL: all of it. */
static void withdraw(struct mdns *m, struct mdns_path *p, const struct site *old, const struct site *next)
{
	uint64_t bits[MDNS_WORDS] = { 0 };
	struct mdns_record r;

	if (!mdns_is_announced(p))
		return;
	for (size_t i = 0; i < mdns_records_n(old); i++)
		if (!mdns_record_denies(old, i) && mdns_record(old, p, i, &r) && !(next && has_record(next, p, &r)))
			mdns_bit_set(bits, i);
	m->site = old;
	mdns_send_to_group(m, p, bits, true, 0);
}

static const struct ipaddr *source_on(const struct site *s, uint32_t ifindex, uint8_t family)
{
	for (size_t i = 0; i < s->n_addresses; i++)
		if (s->addresses[i].ifindex == ifindex && s->addresses[i].addr.family == family)
			return &s->addresses[i].addr;
	return NULL;
}

static void keep_paths(struct mdns *m, const struct site *old, const struct site *site, int64_t now)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->n_paths; i++) {
		struct mdns_path *p = &m->paths[i];
		const struct ipaddr *source = source_on(site, p->ifindex, p->family);

		withdraw(m, p, old, source ? site : NULL);
		if (!source)
			continue;
		p->source = *source;
		p->answer.due_ms = INT64_MAX;
		memset(p->sent_ms, 0, sizeof(p->sent_ms)); /* the numbers stand for others now */
		if (mdns_is_announced(p)) {
			p->state = MDNS_ANNOUNCING;
			p->sent = 0;
			p->next_ms = now;
		}
		if (kept != i)
			m->paths[kept] = *p;
		kept++;
	}
	m->n_paths = kept;
}

void mdns_set(struct mdns *m, const struct site *old, const struct site *site, int64_t now_ms)
{
	keep_paths(m, old, site, now_ms);
	m->site = site;
	for (size_t i = 0; i < site->n_addresses && m->n_paths < MDNS_PATHS; i++) {
		const struct site_address *a = &site->addresses[i];

		if (!a->ifindex || mdns_path_find(m, a->ifindex, a->addr.family))
			continue;
		m->paths[m->n_paths] = (struct mdns_path){ .ifindex = a->ifindex, .family = a->addr.family, .source = a->addr };
		mdns_probe_again(&m->paths[m->n_paths++], now_ms + mdns_random(m, PROBE_MS));
	}
}

void mdns_end(struct mdns *m)
{
	for (size_t i = 0; i < m->n_paths; i++)
		withdraw(m, &m->paths[i], m->site, NULL);
	m->n_paths = 0;
}
