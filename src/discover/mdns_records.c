/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "discover/mdns_records.h"

#include <string.h>
#include <sys/socket.h>

/* How the numbers are handed out: a block for each kind, in this order. */
enum kind { KIND_ADDRESS, KIND_REVERSE, KIND_TYPE, KIND_POINTER, KIND_SERVER, KIND_TEXT, KIND_DENIAL };

_Static_assert(2 * SITE_ADDRESSES + 4 * SITE_SERVICES + 1 <= MDNS_RECORDS, "each record has a number");

static enum kind kind_of(const struct site *s, size_t i, size_t *ret_index)
{
	const size_t blocks[] = { [KIND_ADDRESS] = s->n_addresses, [KIND_REVERSE] = s->n_addresses,
				  [KIND_TYPE] = s->n_services, [KIND_POINTER] = s->n_services,
				  [KIND_SERVER] = s->n_services, [KIND_TEXT] = s->n_services };

	for (size_t k = 0; k < sizeof(blocks) / sizeof(*blocks); k++) {
		if (i < blocks[k]) {
			*ret_index = i;
			return (enum kind)k;
		}
		i -= blocks[k];
	}
	*ret_index = 0;
	return KIND_DENIAL;
}

static size_t number_of(const struct site *s, enum kind kind, size_t index)
{
	size_t before = 0;

	for (enum kind k = KIND_ADDRESS; k < kind; k++)
		before += k <= KIND_REVERSE ? s->n_addresses : s->n_services;
	return before + index;
}

size_t mdns_records_n(const struct site *s)
{
	return number_of(s, KIND_DENIAL, 0) + 1;
}

bool mdns_record_denies(const struct site *s, size_t i)
{
	return i + 1 == mdns_records_n(s);
}

/* ---- names ---- */

static void host_name(const struct site *s, struct dns_name *ret)
{
	dns_name_root(ret);
	(void)dns_name_add(ret, s->host, strlen(s->host));
	(void)dns_name_add_dotted(ret, "local");
}

static void type_name(const struct site_service *v, struct dns_name *ret)
{
	dns_name_root(ret);
	(void)dns_name_add_dotted(ret, v->type);
	(void)dns_name_add_dotted(ret, "local");
}

static void instance_name(const struct site_service *v, struct dns_name *ret)
{
	dns_name_root(ret);
	(void)dns_name_add(ret, v->instance, strlen(v->instance));
	(void)dns_name_add_dotted(ret, v->type);
	(void)dns_name_add_dotted(ret, "local");
}

static void reverse_name(const struct ipaddr *a, struct dns_name *ret)
{
	static const char hex[] = "0123456789abcdef";

	dns_name_root(ret);
	for (size_t i = ipaddr_len(a); i-- > 0;) {
		uint8_t b = a->bytes[i];
		char decimal[3] = { (char)('0' + b / 100), (char)('0' + b / 10 % 10), (char)('0' + b % 10) };
		size_t zeros = b >= 100 ? 0 : b >= 10 ? 1 : 2;

		if (a->family == AF_INET) {
			(void)dns_name_add(ret, decimal + zeros, sizeof(decimal) - zeros);
			continue;
		}
		(void)dns_name_add(ret, &hex[b & 0xf], 1);
		(void)dns_name_add(ret, &hex[b >> 4], 1);
	}
	(void)dns_name_add_dotted(ret, a->family == AF_INET ? "in-addr.arpa" : "ip6.arpa");
}

/* ---- data ---- */

static void set_data(struct mdns_record *r, const void *data, size_t len)
{
	memcpy(r->rdata, data, len);
	r->len = len;
}

static bool first_of_its_type(const struct site *s, size_t service)
{
	for (size_t i = 0; i < service; i++)
		if (strcmp(s->services[i].type, s->services[service].type) == 0)
			return false;
	return true;
}

static void server(const struct site *s, const struct site_service *v, struct mdns_record *r)
{
	struct dns_name host;

	host_name(s, &host);
	memset(r->rdata, 0, 4); /* priority and weight */
	r->rdata[4] = (uint8_t)(v->port >> 8);
	r->rdata[5] = (uint8_t)v->port;
	memcpy(r->rdata + 6, host.wire, host.len);
	r->len = 6 + host.len;
}

/* Strings with their length before them; one that is empty stands for none. */
static void text(const struct site_service *v, struct mdns_record *r)
{
	size_t len = strlen(v->txt);

	r->rdata[0] = (uint8_t)len;
	memcpy(r->rdata + 1, v->txt, len);
	r->len = 1 + len;
}

/* RFC 4034 4.1: the name itself again, then a bitmap of the types below 256 that it has. */
static void denial(const struct site *s, const struct mdns_path *p, struct mdns_record *r)
{
	uint8_t *map;
	bool four = false, six = false;

	for (size_t i = 0; i < s->n_addresses; i++) {
		if (s->addresses[i].ifindex != p->ifindex)
			continue;
		four |= s->addresses[i].addr.family == AF_INET;
		six |= s->addresses[i].addr.family == AF_INET6;
	}
	memcpy(r->rdata, r->name.wire, r->name.len);
	map = r->rdata + r->name.len;
	memset(map, 0, 6);
	map[1] = six ? 4 : 1; /* bytes that follow */
	if (four)
		map[2 + DNS_A / 8] |= (uint8_t)(0x80 >> DNS_A % 8);
	if (six)
		map[2 + DNS_AAAA / 8] |= (uint8_t)(0x80 >> DNS_AAAA % 8);
	r->len = r->name.len + 2 + map[1];
}

static bool of_address(const struct site *s, const struct mdns_path *p, enum kind kind, size_t index, struct mdns_record *r)
{
	const struct site_address *a = &s->addresses[index];
	struct dns_name host;

	if (a->ifindex != p->ifindex)
		return false;
	host_name(s, &host);
	r->unique = true;
	r->ttl = MDNS_TTL_HOST;
	if (kind == KIND_ADDRESS) {
		r->name = host;
		r->type = a->addr.family == AF_INET ? DNS_A : DNS_AAAA;
		set_data(r, a->addr.bytes, ipaddr_len(&a->addr));
		return true;
	}
	reverse_name(&a->addr, &r->name);
	r->type = DNS_PTR;
	set_data(r, host.wire, host.len);
	return true;
}

static bool of_service(const struct site *s, enum kind kind, size_t index, struct mdns_record *r)
{
	const struct site_service *v = &s->services[index];
	struct dns_name to;

	r->unique = kind == KIND_SERVER || kind == KIND_TEXT;
	r->ttl = kind == KIND_SERVER ? MDNS_TTL_HOST : MDNS_TTL_OTHER;
	r->type = kind == KIND_SERVER ? DNS_SRV : kind == KIND_TEXT ? DNS_TXT : DNS_PTR;
	if (r->unique)
		instance_name(v, &r->name);
	if (kind == KIND_SERVER)
		server(s, v, r);
	if (kind == KIND_TEXT)
		text(v, r);
	if (r->unique)
		return true;
	if (kind == KIND_POINTER) {
		type_name(v, &r->name);
		instance_name(v, &to);
	} else {
		if (!first_of_its_type(s, index))
			return false;
		dns_name_root(&r->name);
		(void)dns_name_add_dotted(&r->name, "_services._dns-sd._udp.local");
		type_name(v, &to);
	}
	set_data(r, to.wire, to.len);
	return true;
}

bool mdns_record(const struct site *s, const struct mdns_path *p, size_t i, struct mdns_record *ret)
{
	size_t index;
	enum kind kind = kind_of(s, i, &index);

	if (kind == KIND_ADDRESS || kind == KIND_REVERSE)
		return of_address(s, p, kind, index, ret);
	if (kind != KIND_DENIAL)
		return of_service(s, kind, index, ret);
	host_name(s, &ret->name);
	ret->type = DNS_NSEC;
	ret->unique = true;
	ret->ttl = MDNS_TTL_HOST;
	denial(s, p, ret);
	return true;
}

void mdns_record_more(const struct site *s, size_t i, uint64_t bits[MDNS_WORDS])
{
	size_t index;
	enum kind kind = kind_of(s, i, &index);

	if (kind == KIND_POINTER) {
		mdns_bit_set(bits, number_of(s, KIND_SERVER, index));
		mdns_bit_set(bits, number_of(s, KIND_TEXT, index));
	}
	if (kind != KIND_POINTER && kind != KIND_SERVER)
		return;
	for (size_t a = 0; a < s->n_addresses; a++)
		mdns_bit_set(bits, number_of(s, KIND_ADDRESS, a));
}

/* ---- claims ---- */

size_t mdns_claims_n(const struct site *s)
{
	return 1 + s->n_services;
}

void mdns_claim_name(const struct site *s, size_t claim, struct dns_name *ret)
{
	if (claim == 0)
		host_name(s, ret);
	else
		instance_name(&s->services[claim - 1], ret);
}

bool mdns_claim_has(const struct site *s, size_t claim, size_t i)
{
	size_t index;
	enum kind kind = kind_of(s, i, &index);

	if (claim == 0)
		return kind == KIND_ADDRESS;
	return (kind == KIND_SERVER || kind == KIND_TEXT) && index == claim - 1;
}
