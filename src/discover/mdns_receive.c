/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What comes in is anybody's: a message is read to its end or up to a bound, and what is wrong in it ends it. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "discover/mdns_private.h"
#include "discover/mdns_records.h"

enum {
	QUESTIONS_MAX = 32, RECORDS_MAX = 256, RIVALS_MAX = 16,
	AGAIN_MS = 1000, DEFEND_AGAIN_MS = 250,    /* RFC 6762 section 6 */
	SHARED_LEAST_MS = 20, SHARED_SPREAD_MS = 100,
	TRUNCATED_LEAST_MS = 400, TRUNCATED_SPREAD_MS = 100,
	UNICAST_MS = 20, UNICAST_AHEAD_MS = 1000,  /* to hosts: 50 a second, and so many at once */
};

struct query {
	struct dns_header h;
	struct mdns_peer from;
	bool legacy;                    /* by plain DNS, from another port than mDNS's */
	bool direct;                    /* to an own address */
	bool own;                       /* from an own address: whether the responder is there */
	bool about_host;                /* asks for the host's name */
	uint64_t to_group[MDNS_WORDS], to_host[MDNS_WORDS];
};

static bool is_type(uint16_t asked, uint16_t type)
{
	return asked == type || asked == DNS_ANY;
}

/* match: the records that answer the question. */
static void match(const struct mdns *m, const struct mdns_path *p, const struct dns_question *q, uint64_t bits[MDNS_WORDS])
{
	size_t n = mdns_records_n(m->site), denial = n - 1;
	bool has_type = false;
	struct mdns_record r;

	for (size_t i = 0; i < denial; i++) {
		if (!mdns_record(m->site, p, i, &r) || !is_type(q->type, r.type) || !dns_name_equal(&q->name, &r.name))
			continue;
		has_type = true;
		mdns_bit_set(bits, i);
	}
	if (!has_type && mdns_record(m->site, p, denial, &r) && dns_name_equal(&q->name, &r.name))
		mdns_bit_set(bits, denial);
}

static int read_questions(struct mdns *m, struct mdns_path *p, struct dns_reader *r, struct query *q, struct dns_writer *w)
{
	struct dns_question ask;
	struct dns_name host;

	mdns_claim_name(m->site, 0, &host);
	for (unsigned i = 0; i < q->h.n[DNS_QUESTION]; i++) {
		bool single;

		if (dns_read_question(r, &ask) < 0)
			return -EBADMSG;
		if (i >= QUESTIONS_MAX || ((ask.class & ~DNS_TOP_BIT) != DNS_IN && (ask.class & ~DNS_TOP_BIT) != DNS_ANY))
			continue;
		/* Who claims a name is answered before all: others who claim it now hear it too. */
		single = q->legacy || q->direct || (ask.class & DNS_TOP_BIT && !q->h.n[DNS_AUTHORITY]);
		q->about_host |= dns_name_equal(&ask.name, &host);
		match(m, p, &ask, single ? q->to_host : q->to_group);
		if (q->legacy)
			(void)dns_write_question(w, &ask.name, ask.type, (uint16_t)(ask.class & ~DNS_TOP_BIT));
	}
	return 0;
}

/* forget: what the asker has, if it is good for half of its time, it need not be told. */
static void forget(const struct mdns *m, const struct mdns_path *p, const struct dns_record *known, uint64_t bits[MDNS_WORDS])
{
	struct mdns_record r;

	for (size_t i = 0; i < mdns_records_n(m->site); i++)
		if (mdns_bit(bits, i) && mdns_record(m->site, p, i, &r) && r.type == known->type && known->ttl >= r.ttl / 2 &&
		    dns_name_equal(&r.name, &known->name) &&
		    dns_rdata_equal(r.type, r.rdata, r.len, known->rdata, known->len))
			mdns_bit_clear(bits, i);
}

static int read_known(struct mdns *m, struct mdns_path *p, struct dns_reader *r, struct query *q)
{
	/* A further message of who asked before, when one had not room for all that he knows. */
	bool more = q->h.n[DNS_QUESTION] == 0 && p->answer.due_ms != INT64_MAX && !p->answer.several &&
		    ipaddr_equal(&p->answer.asker, &q->from.addr);
	struct dns_record known;

	for (unsigned i = 0; i < q->h.n[DNS_ANSWER] && i < RECORDS_MAX; i++) {
		if (dns_read_record(r, &known) < 0)
			return -EBADMSG;
		forget(m, p, &known, q->to_host);
		forget(m, p, &known, q->to_group);
		if (more)
			forget(m, p, &known, p->answer.bits);
	}
	return q->h.n[DNS_ANSWER] > RECORDS_MAX ? -EBADMSG : 0;
}

/* ---- two who claim a name at once (RFC 6762 section 8.2) ---- */

struct claim {
	struct rdata {
		uint16_t type;
		size_t len;
		uint8_t data[DNS_RDATA_MAX];
	} v[RIVALS_MAX];
	size_t n;
};

static int compare(const struct rdata *a, const struct rdata *b)
{
	size_t len = a->len < b->len ? a->len : b->len;
	int r = memcmp(a->data, b->data, len);

	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	if (r)
		return r;
	return a->len == b->len ? 0 : a->len < b->len ? -1 : 1;
}

static void claim_add(struct claim *c, uint16_t type, const uint8_t *data, size_t len)
{
	struct rdata fresh = { .type = type, .len = len };
	size_t at = c->n;

	if (c->n == RIVALS_MAX || len > sizeof(fresh.data))
		return;
	memcpy(fresh.data, data, len);
	while (at > 0 && compare(&fresh, &c->v[at - 1]) < 0) {
		c->v[at] = c->v[at - 1];
		at--;
	}
	c->v[at] = fresh;
	c->n++;
}

static int claim_compare(const struct claim *a, const struct claim *b)
{
	for (size_t i = 0; i < a->n && i < b->n; i++) {
		int r = compare(&a->v[i], &b->v[i]);

		if (r)
			return r;
	}
	return a->n == b->n ? 0 : a->n < b->n ? -1 : 1;
}

/* lost: of the two who claim that name now, the other one has the later data. */
static bool lost(const struct mdns *m, const struct mdns_path *p, struct dns_reader r, const struct query *q, size_t claim)
{
	static struct claim ours, theirs; /* too large for a stack of small programs */
	struct mdns_record mine;
	struct dns_record rec;
	struct dns_name name;

	ours.n = theirs.n = 0;
	mdns_claim_name(m->site, claim, &name);
	for (unsigned i = 0; i < q->h.n[DNS_AUTHORITY] && i < RECORDS_MAX && dns_read_record(&r, &rec) == 0; i++)
		if (dns_name_equal(&rec.name, &name))
			claim_add(&theirs, rec.type, rec.rdata, rec.len);
	if (theirs.n == 0)
		return false;
	for (size_t i = 0; i < mdns_records_n(m->site); i++)
		if (mdns_claim_has(m->site, claim, i) && mdns_record(m->site, p, i, &mine))
			claim_add(&ours, mine.type, mine.rdata, mine.len);
	return claim_compare(&ours, &theirs) < 0;
}

/* ---- questions ---- */

static bool recent(const struct mdns_path *p, size_t i, int64_t now, uint32_t within)
{
	return p->sent_ms[i] && (uint32_t)now - p->sent_ms[i] < within;
}

/* answer_group: to all, after a moment in which others can say the same or the asker what he knows. */
static void answer_group(struct mdns *m, struct mdns_path *p, const struct query *q, int64_t now)
{
	bool pending = p->answer.due_ms != INT64_MAX, shared = false, any = false;
	uint32_t within = q->h.n[DNS_AUTHORITY] ? DEFEND_AGAIN_MS : AGAIN_MS;
	int64_t due = now;
	struct mdns_record r;

	if (!pending)
		memset(p->answer.bits, 0, sizeof(p->answer.bits));
	for (size_t i = 0; i < mdns_records_n(m->site); i++) {
		if (!mdns_bit(q->to_group, i) || recent(p, i, now, within) || !mdns_record(m->site, p, i, &r))
			continue;
		mdns_bit_set(p->answer.bits, i);
		shared |= !r.unique;
		any = true;
	}
	if (!any)
		return;
	if (q->h.flags & DNS_TRUNCATED)
		due += TRUNCATED_LEAST_MS + mdns_random(m, TRUNCATED_SPREAD_MS);
	else if (shared)
		due += SHARED_LEAST_MS + mdns_random(m, SHARED_SPREAD_MS);
	p->answer.several = pending && (p->answer.several || !ipaddr_equal(&p->answer.asker, &q->from.addr));
	p->answer.asker = q->from.addr;
	p->answer.due_ms = pending && p->answer.due_ms < due ? p->answer.due_ms : due;
}

/* may_answer_host: who is on the link, and not as often as he likes: a forged source gets another host many answers. */
static bool may_answer_host(const struct mdns *m, struct mdns_path *p, const struct query *q, int64_t now)
{
	if (q->own)
		return true;
	if (!site_is_near(m->site, &q->from.addr, p->ifindex))
		return false;
	if (p->bucket_ms < now)
		p->bucket_ms = now;
	if (p->bucket_ms - now > UNICAST_AHEAD_MS)
		return false;
	p->bucket_ms += UNICAST_MS;
	return true;
}

/* say_state: the Psv asks at an own address, from an own address, whether the responder lives; there need be no answer. */
static void say_state(struct mdns *m, const struct mdns_path *p, const struct query *q, struct dns_writer *w)
{
	if (p->state == MDNS_TAKEN)
		w->buf[3] |= DNS_NAME_EXISTS;
	dns_write_end(w);
	m->send(m->arg, p, &q->from, w->buf, w->len);
}

static void on_query(struct mdns *m, struct mdns_path *p, struct dns_reader *r, struct query *q, int64_t now)
{
	struct dns_writer w;

	dns_write_begin(&w, q->legacy ? q->h.id : 0, DNS_RESPONSE | DNS_AUTHORITATIVE);
	if (read_questions(m, p, r, q, &w) < 0 || read_known(m, p, r, q) < 0)
		return;
	if (p->state == MDNS_PROBING && q->h.n[DNS_AUTHORITY]) {
		for (size_t c = 0; c < mdns_claims_n(m->site); c++)
			if (lost(m, p, *r, q, c)) {
				mdns_lost_tie(p, now);
				return;
			}
	}
	if (!mdns_is_announced(p)) {
		if (q->own && q->direct && q->about_host)
			say_state(m, p, q, &w);
		return;
	}
	if (mdns_bits_any(q->to_host) && may_answer_host(m, p, q, now))
		mdns_send_to_host(m, p, &q->from, &w, q->to_host, q->legacy);
	answer_group(m, p, q, now);
}

/* ---- answers of others ---- */

/* is_mine: it is what we say ourselves, perhaps on another link from which somebody repeats it. */
static bool is_mine(const struct mdns *m, const struct mdns_path *p, size_t claim, const struct dns_record *rec)
{
	struct ipaddr a = { .family = rec->type == DNS_A ? AF_INET : AF_INET6 };
	struct mdns_record mine;

	if (claim == 0 && (rec->type == DNS_A || rec->type == DNS_AAAA) && rec->len == ipaddr_len(&a)) {
		memcpy(a.bytes, rec->rdata, rec->len);
		return site_is_own(m->site, &a);
	}
	for (size_t i = 0; i < mdns_records_n(m->site); i++)
		if (mdns_claim_has(m->site, claim, i) && mdns_record(m->site, p, i, &mine) && mine.type == rec->type &&
		    dns_rdata_equal(mine.type, mine.rdata, mine.len, rec->rdata, rec->len))
			return true;
	return false;
}

/* contests: somebody else says that a name of ours is his.  While it is only claimed, whatever he has there counts. */
static bool contests(const struct mdns *m, const struct mdns_path *p, const struct dns_record *rec)
{
	struct dns_name name;

	if (rec->ttl == 0 || (rec->class & ~DNS_TOP_BIT) != DNS_IN)
		return false;
	for (size_t c = 0; c < mdns_claims_n(m->site); c++) {
		bool ours = c == 0 ? rec->type == DNS_A || rec->type == DNS_AAAA : rec->type == DNS_SRV || rec->type == DNS_TXT;

		if (!ours && mdns_is_announced(p))
			continue;
		mdns_claim_name(m->site, c, &name);
		if (dns_name_equal(&rec->name, &name) && !is_mine(m, p, c, rec))
			return true;
	}
	return false;
}

static void on_response(struct mdns *m, struct mdns_path *p, struct dns_reader *r, const struct dns_header *h,
			const struct mdns_peer *from, int64_t now)
{
	unsigned n = (unsigned)h->n[DNS_ANSWER] + h->n[DNS_AUTHORITY] + h->n[DNS_ADDITIONAL];
	struct dns_question q;
	struct dns_record rec;

	for (unsigned i = 0; i < h->n[DNS_QUESTION]; i++)
		if (i >= QUESTIONS_MAX || dns_read_question(r, &q) < 0)
			return;
	for (unsigned i = 0; i < n && i < RECORDS_MAX; i++) {
		if (dns_read_record(r, &rec) < 0)
			return;
		if (!contests(m, p, &rec))
			continue;
		if (p->state == MDNS_PROBING)
			mdns_is_taken(m, p, &from->addr, now);
		else if (mdns_is_announced(p))
			mdns_probe_again(p, now); /* section 9: then it shows who keeps it */
		return;
	}
}

void mdns_receive(struct mdns *m, struct mdns_path *p, const struct mdns_peer *from, bool own, const void *msg, size_t len,
		  int64_t now_ms)
{
	struct dns_reader r = { .msg = msg, .len = len };
	struct query q = { .from = *from, .legacy = from->port != MDNS_PORT, .direct = own,
			   .own = site_is_own(m->site, &from->addr) };

	if (from->port == 0 || (q.own && !q.legacy)) /* our own, as the group hears it */
		return;
	/* To an own address anybody can write, from anywhere (RFC 6762 section 11). */
	if (own && !site_is_near(m->site, &from->addr, p->ifindex))
		return;
	if (dns_read_header(&r, &q.h) < 0 || q.h.flags & (DNS_OPCODE | DNS_RCODE))
		return;
	if (!(q.h.flags & DNS_RESPONSE))
		on_query(m, p, &r, &q, now_ms);
	else if (!q.legacy)
		on_response(m, p, &r, &q.h, from, now_ms);
}
