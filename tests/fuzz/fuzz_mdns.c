/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages from anybody on the link, given to a responder in every one of its states.  Input: messages, each after a byte that
 * says what comes before it (how much time, from where) and two bytes of length.  What it sends must be readable, and must fit
 * into a frame. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "discover/dns.c"
#include "discover/mdns.c"
#include "discover/mdns_receive.c"
#include "discover/mdns_records.c"
#include "discover/mdns_send.c"
#include "discover/site.c"
#include "fuzz.h"

static void require(bool cond)
{
	if (!cond)
		abort();
}

/* check_sent: it can be read to its end. */
static void check_sent(void *arg, const struct mdns_path *p, const struct mdns_peer *to, const void *msg, size_t len)
{
	struct dns_reader r = { .msg = msg, .len = len };
	struct dns_header h;
	struct dns_question q;
	struct dns_record rec;

	(void)arg;
	require(len <= DNS_SEND_MAX && p->source.family == p->family && (!to || to->port));
	require(dns_read_header(&r, &h) == 0);
	for (unsigned i = 0; i < h.n[0]; i++)
		require(dns_read_question(&r, &q) == 0);
	for (unsigned i = 0; i < (unsigned)h.n[1] + h.n[2] + h.n[3]; i++)
		require(dns_read_record(&r, &rec) == 0);
	require(r.at == len);
}

static struct site site;

static void make_site(void)
{
	char text[] = "host fuzz\nnetbios FUZZ\nworkgroup W\nuuid u\naddress 192.0.2.11/24\naddress 2001:db8::11/64\n"
		      "service _smb._tcp 445\ninstance fuzz\nservice _nfs._tcp 2049\ninstance docs on fuzz\ntxt path=/srv/docs\n";

	require(site_parse(text, &site) == 0);
	site.addresses[0].ifindex = site.addresses[1].ifindex = 2;
}

/* Bits of the byte: 0 and 1: time passes; 2: directly to an own address; 3: by IPv6; 4: from another port; 5: from an own
 * address; 6: from far away. */
static void give(struct mdns *m, uint8_t how, const uint8_t *msg, size_t len, int64_t *now)
{
	static const int steps[] = { 1, 100, 1000, 70000 };
	static const char *const from[] = { "192.0.2.100", "192.0.2.11", "203.0.113.1", "203.0.113.1" };
	static const char *const from6[] = { "2001:db8::100", "2001:db8::11", "2001:db8:9::1", "fe80::1" };
	struct mdns_path *p = mdns_path_find(m, 2, how & 8 ? AF_INET6 : AF_INET);
	struct mdns_peer peer = { .port = how & 16 ? 4000 : MDNS_PORT };
	uint8_t *exact = malloc(len ? len : 1); /* so that a read beyond it shows */

	require(p && exact && ipaddr_parse((how & 8 ? from6 : from)[how >> 5 & 3], &peer.addr) == 0);
	memcpy(exact, msg, len);
	for (int64_t until = *now + steps[how & 3]; *now < until;) {
		int64_t next = mdns_tick(m, *now);

		require(next > *now);
		*now = next < until ? next : until;
	}
	mdns_receive(m, p, &peer, how & 4, exact, len, *now);
	free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct site nothing;
	static struct mdns m;
	int64_t now = 1;

	if (!site.n_addresses)
		make_site();
	mdns_begin(&m, &nothing, 1);
	m.send = check_sent;
	mdns_set(&m, &nothing, &site, now);
	for (unsigned n = 0; len > 3 && n < 64; n++) {
		size_t one = (size_t)data[1] << 8 | data[2];

		one = one > len - 3 ? len - 3 : one;
		one = one > DNS_RECEIVE_MAX ? DNS_RECEIVE_MAX : one;
		give(&m, data[0], data + 3, one, &now);
		data += 3 + one;
		len -= 3 + one;
	}
	mdns_end(&m);
	return 0;
}
