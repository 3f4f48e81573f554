/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The responder as a machine of messages and times: what goes out is compared with what RFC 6762 wants, byte by byte where
 * others must be able to read it. */
#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>

#include "discover/mdns.h"
#include "discover/mdns_records.h"
#include "test.h"

enum { LAN = 7, OTHER = 8, SENT_MAX = 64 };

/* ---- a responder whose messages are kept ---- */

struct sent {
	uint32_t ifindex;
	uint8_t family;
	bool to_host;
	struct mdns_peer to;
	size_t len;
	uint8_t msg[DNS_SEND_MAX];
};
static struct sent sent[SENT_MAX];
static size_t n_sent;
static unsigned n_changed;
static struct mdns m;
static struct site site;

static void keep(void *arg, const struct mdns_path *p, const struct mdns_peer *to, const void *msg, size_t len)
{
	struct sent *s = &sent[n_sent++];

	(void)arg;
	CHECK(n_sent <= SENT_MAX && len <= sizeof(s->msg));
	*s = (struct sent){ .ifindex = p->ifindex, .family = p->family, .to_host = to != NULL, .len = len };
	if (to)
		s->to = *to;
	memcpy(s->msg, msg, len);
}

static void count_change(void *arg, const struct mdns_path *p)
{
	(void)arg;
	(void)p;
	n_changed++;
}

static const char text[] =
	"host FileSrv\nnetbios FILESRV\nworkgroup SALES\nuuid 00000000-0000-4000-8000-000000000001\n"
	"address 192.0.2.11/24\naddress 2001:db8::11/64\naddress 198.51.100.5/24\n"
	"service _smb._tcp 445\ninstance FileSrv\n"
	"service _nfs._tcp 2049\ninstance docs on FileSrv\ntxt path=/srv/data/docs\n";

static struct ipaddr addr(const char *s)
{
	struct ipaddr a;

	CHECK_INT(ipaddr_parse(s, &a), 0);
	return a;
}

static void read_site(const char *from, struct site *ret)
{
	char buf[2048];

	CHECK(strlen(from) < sizeof(buf));
	memcpy(buf, from, strlen(from) + 1);
	CHECK_INT(site_parse(buf, ret), 0);
	for (size_t i = 0; i < ret->n_addresses; i++)
		ret->addresses[i].ifindex = i < 2 ? LAN : OTHER;
}

static void begin(void)
{
	static const struct site nothing;

	read_site(text, &site);
	n_sent = n_changed = 0;
	mdns_begin(&m, &nothing, 1);
	m.send = keep;
	m.changed = count_change;
	mdns_set(&m, &nothing, &site, 0);
	CHECK_INT(m.n_paths, 3);
}

/* run_to: lets it do all that is due until then. */
static void run_to(int64_t until)
{
	for (int64_t at = 0, next; at <= until; at = next) {
		next = mdns_tick(&m, at);
		CHECK(next > at);
	}
}

static struct mdns_path *path(uint32_t ifindex, uint8_t family)
{
	struct mdns_path *p = mdns_path_find(&m, ifindex, family);

	CHECK(p);
	return p;
}

/* settled: it has announced itself on all paths, and nothing of that is remembered. */
static void settled(void)
{
	begin();
	run_to(10000);
	for (size_t i = 0; i < m.n_paths; i++)
		CHECK_INT(m.paths[i].state, MDNS_READY);
	CHECK_INT(n_changed, 3);
	n_sent = n_changed = 0;
}

/* ---- reading what was sent ---- */

static void open_message(const struct sent *s, struct dns_reader *r, struct dns_header *h)
{
	*r = (struct dns_reader){ .msg = s->msg, .len = s->len };
	CHECK_INT(dns_read_header(r, h), 0);
}

static struct dns_name name_of(const char *dotted)
{
	struct dns_name n;

	dns_name_root(&n);
	CHECK(dns_name_add_dotted(&n, dotted));
	return n;
}

/* count_records: in a section of a message, of that name and type; the last one is in *ret. */
static unsigned count_records(const struct sent *s, enum dns_section section, const char *name, uint16_t type,
			      struct dns_record *ret)
{
	struct dns_name wanted = name_of(name);
	struct dns_question q;
	struct dns_reader r;
	struct dns_header h;
	struct dns_record rec;
	unsigned found = 0;

	open_message(s, &r, &h);
	for (unsigned i = 0; i < h.n[0]; i++)
		CHECK_INT(dns_read_question(&r, &q), 0);
	for (enum dns_section k = DNS_ANSWER; k <= section; k++) {
		for (unsigned i = 0; i < h.n[k]; i++) {
			CHECK_INT(dns_read_record(&r, &rec), 0);
			if (k != section || rec.type != type || !dns_name_equal(&rec.name, &wanted))
				continue;
			found++;
			if (ret)
				*ret = rec;
		}
	}
	return found;
}

/* ---- asking ---- */

static struct dns_writer query;

static void ask_begin(uint16_t flags)
{
	dns_write_begin(&query, 77, flags);
}

static void ask(const char *name, uint16_t type, uint16_t class)
{
	struct dns_name n = name_of(name);

	CHECK(dns_write_question(&query, &n, type, class));
}

static void tell(enum dns_section section, const char *name, uint16_t type, uint16_t class, uint32_t ttl, const void *data, size_t len)
{
	struct dns_name n = name_of(name);

	CHECK(dns_write_record(&query, section, &n, type, class, ttl, data, len));
}

static void deliver(struct mdns_path *p, const char *from, uint16_t port, bool own, int64_t now)
{
	struct mdns_peer peer = { .addr = addr(from), .port = port };

	dns_write_end(&query);
	mdns_receive(&m, p, &peer, own, query.buf, query.len, now);
}

/* ---- tests ---- */

TEST(mdns_site_text)
{
	static const char *const bad[] = {
		"", "host a\n", "host a", "host\n", "host a\nnetbios A\nworkgroup W\nuuid u\naddress 192.0.2.1\n",
		"host a\nnetbios A\nworkgroup W\nuuid u\nservice _smb._tcp\n",
		"host a\nnetbios A\nworkgroup W\nuuid u\nservice _smb._tcp 70000\ninstance a\n",
		"host a\nnetbios A\nworkgroup W\nuuid u\nservice _smb._tcp 445\n",
		"host a\nnetbios A\nworkgroup W\nuuid u\ninstance a\n",
		"host a\nnetbios A\nworkgroup W\nuuid u\nwhat a\n",
	};
	struct site s;
	char buf[256];

	read_site(text, &s);
	CHECK_STR(s.host, "FileSrv");
	CHECK(!s.member);
	CHECK_INT(s.n_services, 2);
	CHECK_STR(s.services[1].txt, "path=/srv/data/docs");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		(void)snprintf(buf, sizeof(buf), "%s", bad[i]);
		CHECK_INT(site_parse(buf, &s), -EINVAL);
	}
}

TEST(mdns_claims_then_announces)
{
	static const uint8_t wanted[] =
		"\0\0\0\0\0\3\0\0\0\6\0\0"
		"\7FileSrv\5local\0\0\377\200\1"
		"\7FileSrv\4_smb\4_tcp\300\24\0\377\200\1"
		"\17docs on FileSrv\4_nfs\300\54\0\377\200\1"
		"\300\14\0\1\0\1\0\0\0\170\0\4\300\0\2\13"
		"\300\14\0\34\0\1\0\0\0\170\0\20\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\21"
		"\300\37\0\41\0\1\0\0\0\170\0\10\0\0\0\0\1\275\300\14"
		"\300\37\0\20\0\1\0\0\21\224\0\1\0"
		"\300\67\0\41\0\1\0\0\0\170\0\10\0\0\0\0\10\1\300\14"
		"\300\67\0\20\0\1\0\0\21\224\0\24\23path=/srv/data/docs";
	unsigned probes = 0, announcements = 0;

	begin();
	run_to(10000);
	for (size_t i = 0; i < n_sent; i++) {
		struct dns_reader r;
		struct dns_header h;

		CHECK(!sent[i].to_host);
		if (sent[i].ifindex != LAN || sent[i].family != AF_INET)
			continue;
		open_message(&sent[i], &r, &h);
		if (h.flags == 0) {
			CHECK_INT(announcements, 0);
			CHECK_INT(sent[i].len, sizeof(wanted) - 1);
			CHECK(memcmp(sent[i].msg, wanted, sizeof(wanted) - 1) == 0);
			probes++;
			continue;
		}
		CHECK_INT(h.flags, DNS_RESPONSE | DNS_AUTHORITATIVE);
		CHECK_INT(count_records(&sent[i], DNS_ANSWER, "filesrv.local", DNS_A, NULL), 1);
		CHECK_INT(count_records(&sent[i], DNS_ANSWER, "11.2.0.192.in-addr.arpa", DNS_PTR, NULL), 1);
		CHECK_INT(count_records(&sent[i], DNS_ANSWER, "_smb._tcp.local", DNS_PTR, NULL), 1);
		CHECK_INT(count_records(&sent[i], DNS_ANSWER, "_services._dns-sd._udp.local", DNS_PTR, NULL), 2);
		announcements++;
	}
	CHECK_INT(probes, 3);
	CHECK_INT(announcements, 2);
}

TEST(mdns_answers_the_group)
{
	struct mdns_path *p;
	struct dns_record r;

	settled();
	p = path(LAN, AF_INET);
	/* What is the Vsv's alone is said at once, with the bit that replaces what others remember. */
	ask_begin(0);
	ask("FILESRV.local", DNS_A, DNS_IN);
	deliver(p, "192.0.2.100", MDNS_PORT, false, 20000);
	CHECK_INT(mdns_tick(&m, 20000), INT64_MAX);
	CHECK_INT(n_sent, 1);
	CHECK(!sent[0].to_host && sent[0].ifindex == LAN && sent[0].family == AF_INET);
	CHECK_INT(count_records(&sent[0], DNS_ANSWER, "filesrv.local", DNS_A, &r), 1);
	CHECK_INT(r.class, DNS_IN | DNS_TOP_BIT);
	CHECK_INT(r.ttl, 120);
	/* Not again within a second; a host that claims the name is told so all the same. */
	deliver(p, "192.0.2.100", MDNS_PORT, false, 20500);
	CHECK_INT(mdns_tick(&m, 20500), INT64_MAX);
	CHECK_INT(n_sent, 1);
	ask_begin(0);
	ask("filesrv.local", DNS_ANY, DNS_IN | DNS_TOP_BIT);
	tell(DNS_AUTHORITY, "filesrv.local", DNS_A, DNS_IN, 120, "\300\0\2\144", 4);
	deliver(p, "192.0.2.100", MDNS_PORT, false, 20500);
	(void)mdns_tick(&m, 20500);
	CHECK_INT(n_sent, 2);
	CHECK(!sent[1].to_host);
	/* What others may have too comes after a moment, with all that is asked next. */
	n_sent = 0;
	ask_begin(0);
	ask("_nfs._tcp.local", DNS_PTR, DNS_IN);
	deliver(p, "192.0.2.100", MDNS_PORT, false, 30000);
	CHECK(mdns_tick(&m, 30000) >= 30020);
	CHECK_INT(n_sent, 0);
	CHECK_INT(mdns_tick(&m, 30120), INT64_MAX);
	CHECK_INT(n_sent, 1);
	CHECK_INT(count_records(&sent[0], DNS_ANSWER, "_nfs._tcp.local", DNS_PTR, &r), 1);
	CHECK_INT(r.class, DNS_IN);
	CHECK_INT(count_records(&sent[0], DNS_ADDITIONAL, "docs on FileSrv._nfs._tcp.local", DNS_SRV, NULL), 1);
	CHECK_INT(count_records(&sent[0], DNS_ADDITIONAL, "docs on FileSrv._nfs._tcp.local", DNS_TXT, NULL), 1);
	CHECK_INT(count_records(&sent[0], DNS_ADDITIONAL, "filesrv.local", DNS_A, NULL), 1);
	CHECK_INT(count_records(&sent[0], DNS_ADDITIONAL, "filesrv.local", DNS_AAAA, NULL), 1);
}

TEST(mdns_tells_the_addresses_of_that_link_alone)
{
	struct dns_record r;

	settled();
	ask_begin(0);
	ask("filesrv.local", DNS_ANY, DNS_IN);
	deliver(path(OTHER, AF_INET), "198.51.100.9", MDNS_PORT, false, 20000);
	(void)mdns_tick(&m, 20000);
	CHECK_INT(n_sent, 1);
	CHECK_INT(sent[0].ifindex, OTHER);
	CHECK_INT(count_records(&sent[0], DNS_ANSWER, "filesrv.local", DNS_A, &r), 1);
	CHECK(memcmp(r.rdata, "\306\63\144\5", 4) == 0);
	CHECK_INT(count_records(&sent[0], DNS_ANSWER, "filesrv.local", DNS_AAAA, NULL), 0);
	/* There it says that it has no AAAA (RFC 6762 section 6.1): the bitmap has type 1 alone. */
	ask_begin(0);
	ask("filesrv.local", DNS_AAAA, DNS_IN);
	deliver(path(OTHER, AF_INET), "198.51.100.9", MDNS_PORT, false, 30000);
	(void)mdns_tick(&m, 30000);
	CHECK_INT(n_sent, 2);
	CHECK_INT(count_records(&sent[1], DNS_ANSWER, "filesrv.local", DNS_NSEC, &r), 1);
	CHECK(r.len == 15 + 3 && memcmp(r.rdata + 15, "\0\1\100", 3) == 0);
}

TEST(mdns_knows_what_the_asker_knows)
{
	struct mdns_path *p;
	struct dns_name instance = name_of("FileSrv._smb._tcp.local");

	settled();
	p = path(LAN, AF_INET);
	ask_begin(0);
	ask("_smb._tcp.local", DNS_PTR, DNS_IN);
	tell(DNS_ANSWER, "_smb._tcp.local", DNS_PTR, DNS_IN, 4000, instance.wire, instance.len);
	deliver(p, "192.0.2.100", MDNS_PORT, false, 20000);
	CHECK_INT(mdns_tick(&m, 21000), INT64_MAX);
	CHECK_INT(n_sent, 0);
	/* Not if it is old. */
	ask_begin(0);
	ask("_smb._tcp.local", DNS_PTR, DNS_IN);
	tell(DNS_ANSWER, "_smb._tcp.local", DNS_PTR, DNS_IN, 2000, instance.wire, instance.len);
	deliver(p, "192.0.2.100", MDNS_PORT, false, 30000);
	(void)mdns_tick(&m, 31000);
	CHECK_INT(n_sent, 1);
	/* More of it may come in a second message, for which an asker who says so is waited for. */
	ask_begin(DNS_TRUNCATED);
	ask("_smb._tcp.local", DNS_PTR, DNS_IN);
	deliver(p, "192.0.2.100", MDNS_PORT, false, 40000);
	CHECK(mdns_tick(&m, 40000) >= 40400);
	ask_begin(0);
	tell(DNS_ANSWER, "_smb._tcp.local", DNS_PTR, DNS_IN, 4500, instance.wire, instance.len);
	deliver(p, "192.0.2.100", MDNS_PORT, false, 40100);
	(void)mdns_tick(&m, 41000);
	CHECK_INT(n_sent, 1);
}

TEST(mdns_answers_single_hosts)
{
	struct mdns_path *p;
	struct dns_question q;
	struct dns_reader r;
	struct dns_header h;
	struct dns_record rec;

	settled();
	p = path(LAN, AF_INET);
	ask_begin(0);
	ask("filesrv.local", DNS_A, DNS_IN | DNS_TOP_BIT);
	deliver(p, "192.0.2.100", MDNS_PORT, false, 20000);
	CHECK_INT(n_sent, 1);
	CHECK(sent[0].to_host && sent[0].to.port == MDNS_PORT);
	/* By plain DNS: its number and its question come back, and nothing that a cache of DNS would not understand. */
	ask_begin(0);
	ask("filesrv.local", DNS_A, DNS_IN);
	deliver(p, "192.0.2.100", 4000, false, 20000);
	CHECK_INT(n_sent, 2);
	CHECK(sent[1].to_host && sent[1].to.port == 4000);
	open_message(&sent[1], &r, &h);
	CHECK_INT(h.id, 77);
	CHECK_INT(h.n[0], 1);
	CHECK_INT(dns_read_question(&r, &q), 0);
	CHECK_INT(q.class, DNS_IN);
	CHECK_INT(count_records(&sent[1], DNS_ANSWER, "filesrv.local", DNS_A, &rec), 1);
	CHECK_INT(rec.class, DNS_IN);
	CHECK_INT(rec.ttl, 10);
	/* Who is not on the link gets nothing, and nobody gets a flood. */
	deliver(p, "203.0.113.1", 4000, true, 20000);
	CHECK_INT(n_sent, 2);
	for (unsigned i = 0; i < 1000; i++) {
		n_sent = n_sent > 60 ? 60 : n_sent;
		deliver(p, "192.0.2.100", 4000, false, 20000);
	}
	CHECK(n_sent <= 60);
	n_sent = 0;
	deliver(p, "192.0.2.100", 4000, false, 20000);
	CHECK_INT(n_sent, 0);
	deliver(p, "192.0.2.100", 4000, false, 25000);
	CHECK_INT(n_sent, 1);
}

TEST(mdns_leaves_a_name_that_is_taken)
{
	struct mdns_path *p;

	begin();
	p = path(LAN, AF_INET);
	run_to(300);
	CHECK_INT(p->state, MDNS_PROBING);
	n_sent = 0;
	ask_begin(DNS_RESPONSE);
	tell(DNS_ANSWER, "FILESRV.LOCAL", DNS_A, DNS_IN | DNS_TOP_BIT, 120, "\300\0\2\144", 4);
	deliver(p, "192.0.2.100", MDNS_PORT, false, 310);
	CHECK_INT(p->state, MDNS_TAKEN);
	CHECK_INT(n_changed, 1);
	CHECK_INT(memcmp(p->rival.bytes, "\300\0\2\144", 4), 0);
	/* It is silent there, but for the Psv, which asks whether it lives. */
	n_sent = 0;
	ask_begin(0);
	ask("filesrv.local", DNS_ANY, DNS_IN);
	deliver(p, "192.0.2.100", MDNS_PORT, false, 20000);
	deliver(p, "192.0.2.100", 4000, true, 20000);
	CHECK_INT(n_sent, 0);
	deliver(p, "192.0.2.11", 4000, true, 20000);
	CHECK_INT(n_sent, 1);
	CHECK_INT(sent[0].msg[3] & DNS_RCODE, DNS_NAME_EXISTS);
	/* A minute later it tries again, and when nobody objects the name is its own. */
	for (int64_t at = 20000; at < 100000; at += 100)
		(void)mdns_tick(&m, at);
	CHECK_INT(p->state, MDNS_READY);
}

TEST(mdns_two_who_claim_at_once)
{
	struct mdns_path *p;

	begin();
	p = path(LAN, AF_INET);
	run_to(300);
	CHECK(p->state == MDNS_PROBING && p->sent);
	/* 192.0.2.5 is before 192.0.2.11, so this one goes on; after it is 192.0.2.100, to whom it gives way. */
	ask_begin(0);
	ask("filesrv.local", DNS_ANY, DNS_IN | DNS_TOP_BIT);
	tell(DNS_AUTHORITY, "filesrv.local", DNS_A, DNS_IN, 120, "\300\0\2\5", 4);
	deliver(p, "192.0.2.5", MDNS_PORT, false, 310);
	CHECK(p->sent);
	ask_begin(0);
	ask("filesrv.local", DNS_ANY, DNS_IN | DNS_TOP_BIT);
	tell(DNS_AUTHORITY, "filesrv.local", DNS_A, DNS_IN, 120, "\300\0\2\144", 4);
	/* From another network nobody keeps it from its name. */
	deliver(p, "203.0.113.1", MDNS_PORT, true, 315);
	CHECK(p->sent);
	deliver(p, "192.0.2.100", MDNS_PORT, false, 320);
	CHECK_INT(p->sent, 0);
	CHECK_INT(p->next_ms, 1320);
	/* The same data are no other claim: the Vsv's own, repeated by somebody. */
	(void)mdns_tick(&m, 1320);
	CHECK_INT(p->sent, 1);
	ask_begin(0);
	ask("FileSrv._smb._tcp.local", DNS_ANY, DNS_IN | DNS_TOP_BIT);
	{
		struct mdns_record r;

		for (size_t i = 0; i < mdns_records_n(&site); i++)
			if (mdns_claim_has(&site, 1, i) && mdns_record(&site, p, i, &r))
				CHECK(dns_write_record(&query, DNS_AUTHORITY, &r.name, r.type, DNS_IN, r.ttl, r.rdata, r.len));
	}
	deliver(p, "192.0.2.100", MDNS_PORT, false, 1330);
	CHECK_INT(p->sent, 1);
}

TEST(mdns_somebody_says_that_our_name_is_his)
{
	struct mdns_path *p;

	settled();
	p = path(LAN, AF_INET);
	/* What is no contest: our own address on the other link, a farewell, another type, our own message. */
	ask_begin(DNS_RESPONSE);
	tell(DNS_ANSWER, "filesrv.local", DNS_A, DNS_IN | DNS_TOP_BIT, 120, "\306\63\144\5", 4);
	tell(DNS_ANSWER, "filesrv.local", DNS_A, DNS_IN, 0, "\300\0\2\144", 4);
	tell(DNS_ANSWER, "filesrv.local", DNS_TXT, DNS_IN, 120, "\1a", 2);
	deliver(p, "192.0.2.100", MDNS_PORT, false, 20000);
	CHECK_INT(p->state, MDNS_READY);
	ask_begin(DNS_RESPONSE);
	tell(DNS_ANSWER, "filesrv.local", DNS_A, DNS_IN | DNS_TOP_BIT, 120, "\300\0\2\144", 4);
	deliver(p, "192.0.2.11", MDNS_PORT, false, 20000);
	deliver(p, "192.0.2.100", 4000, false, 20000);
	deliver(p, "203.0.113.1", MDNS_PORT, true, 20000);
	CHECK_INT(p->state, MDNS_READY);
	deliver(p, "192.0.2.100", MDNS_PORT, false, 20000);
	CHECK_INT(p->state, MDNS_PROBING);
	CHECK_INT(path(OTHER, AF_INET)->state, MDNS_READY);
	deliver(p, "192.0.2.100", MDNS_PORT, false, 20010);
	CHECK_INT(p->state, MDNS_TAKEN);
}

TEST(mdns_addresses_come_and_go)
{
	struct site next;
	unsigned bye = 0;

	settled();
	/* The IPv4 address of the first link goes, and one comes on the other. */
	next = site;
	next.addresses[0].addr = addr("198.51.100.6");
	next.addresses[0].ifindex = OTHER;
	mdns_set(&m, &site, &next, 20000);
	CHECK_INT(m.n_paths, 2);
	for (size_t i = 0; i < n_sent; i++) {
		struct dns_record r;

		if (count_records(&sent[i], DNS_ANSWER, "filesrv.local", DNS_A, &r) && sent[i].ifindex == LAN) {
			CHECK_INT(r.ttl, 0);
			bye++;
		}
	}
	CHECK_INT(bye, 2); /* by IPv4 and by IPv6 */
	n_sent = 0;
	(void)mdns_tick(&m, 20000);
	CHECK_INT(n_sent, 2);
	for (size_t i = 0; i < n_sent; i++)
		CHECK_INT(count_records(&sent[i], DNS_ANSWER, "filesrv.local", DNS_A, NULL), sent[i].ifindex == OTHER ? 2 : 0);
	/* The end: everything is withdrawn. */
	n_sent = 0;
	mdns_end(&m);
	CHECK_INT(n_sent, 2);
	for (size_t i = 0; i < n_sent; i++) {
		struct dns_record r;

		CHECK_INT(count_records(&sent[i], DNS_ANSWER, "_smb._tcp.local", DNS_PTR, &r), 1);
		CHECK_INT(r.ttl, 0);
	}
}

TEST(mdns_many_shares_go_in_several_messages)
{
	char long_text[16384];
	size_t at = (size_t)snprintf(long_text, sizeof(long_text), "host a\nnetbios A\nworkgroup W\nuuid u\naddress 192.0.2.11/24\n");
	static const struct site nothing;
	unsigned pointers = 0;

	for (unsigned i = 0; i < SITE_SERVICES; i++)
		at += (size_t)snprintf(long_text + at, sizeof(long_text) - at,
				       "service _nfs._tcp 2049\ninstance share number %u on a\ntxt path=/srv/data/%0100u\n", i, i);
	CHECK_INT(site_parse(long_text, &site), 0);
	site.addresses[0].ifindex = LAN;
	n_sent = 0;
	mdns_begin(&m, &nothing, 1);
	m.send = keep;
	m.changed = NULL;
	mdns_set(&m, &nothing, &site, 0);
	for (int64_t until = 1000; n_sent < SENT_MAX / 2 && until < 1100; until++)
		(void)mdns_tick(&m, until);
	for (size_t i = 0; i < n_sent; i++)
		CHECK(sent[i].len <= DNS_SEND_MAX);
	n_sent = 0;
	for (int64_t at_ms = 1100; m.paths[0].state != MDNS_ANNOUNCING; at_ms += 250) {
		n_sent = 0;
		(void)mdns_tick(&m, at_ms);
	}
	for (size_t i = 0; i < n_sent; i++)
		pointers += count_records(&sent[i], DNS_ANSWER, "_nfs._tcp.local", DNS_PTR, NULL);
	CHECK_INT(pointers, SITE_SERVICES);
}

TEST(mdns_reads_no_further_than_the_message)
{
	static const struct {
		const char *msg;
		size_t len;
	} bad[] = {
#define BAD(s) { s, sizeof(s) - 1 }
		BAD(""), BAD("\0\0\0\0\0\1\0\0\0\0\0"),                    /* no whole header */
		BAD("\0\0\0\0\0\1\0\0\0\0\0\0"),                           /* a question that is not there */
		BAD("\0\0\0\0\0\1\0\0\0\0\0\0\77abc"),                     /* a label longer than the rest */
		BAD("\0\0\0\0\0\1\0\0\0\0\0\0\300\14\0\1\0\1"),            /* a name that points to itself */
		BAD("\0\0\0\0\0\1\0\0\0\0\0\0\1a\300\16\0\1\0\1"),         /* forwards */
		BAD("\0\0\0\0\0\1\0\0\0\0\0\0\1a\300\377\0\1\0\1"),        /* behind the end */
		BAD("\0\0\0\0\0\1\0\0\0\0\0\0\200\0\0\1\0\1"),             /* a kind of label that nobody has */
		BAD("\0\0\204\0\0\0\0\1\0\0\0\0\0\0\1\0\1\0\0\0\1\0\5\1\2\3\4"), /* data longer than the rest */
		BAD("\0\0\204\0\0\0\0\1\0\0\0\0\0\0\41\0\1\0\0\0\1\0\2\1\2"),   /* a server without a name */
		BAD("\0\0\204\0\0\0\0\1\0\0\0\0\0\0\14\0\1\0\0\0\1\0\3\1a\1"),  /* a name that ends behind its data */
	};
	struct dns_record rec;
	struct dns_question q;
	struct dns_header h;

	settled();
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct dns_reader r = { .msg = (const uint8_t *)bad[i].msg, .len = bad[i].len };
		struct mdns_peer from = { .addr = addr("192.0.2.100"), .port = MDNS_PORT };

		if (dns_read_header(&r, &h) == 0)
			CHECK_INT(h.n[0] ? dns_read_question(&r, &q) : dns_read_record(&r, &rec), -EBADMSG);
		mdns_receive(&m, path(LAN, AF_INET), &from, false, bad[i].msg, bad[i].len, 20000);
	}
	CHECK_INT(n_sent, 0);
}
