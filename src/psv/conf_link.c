/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The private stack: the interface that a Vsv has of its own, and what can be said about it. */
#include "psv/conf_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

enum {
	VLAN_MAX = 4094,
	MTU_LEAST = 576,       /* what every host of IPv4 takes (RFC 791) */
	MTU_LEAST_IPV6 = 1280, /* RFC 8200 */
	MTU_MOST = 65535,
};

static int why(struct conf_value *v, const char *text)
{
	(void)str_copy(v->why, sizeof(v->why), text);
	return -EINVAL;
}

static int parse_stack(struct conf_value *v, void *target)
{
	bool private = strcmp(v->text, "private") == 0;

	if (!private && strcmp(v->text, "shared") != 0)
		return -EINVAL;
	*(enum conf_stack *)target = private ? CONF_STACK_PRIVATE : CONF_STACK_SHARED;
	return 0;
}

static void print_stack(struct strbuf *out, const char *key, const void *target)
{
	strbuf_addf(out, "%s = %s\n", key, conf_stack_name(*(const enum conf_stack *)target));
}

const char *conf_stack_name(enum conf_stack stack)
{
	return stack == CONF_STACK_PRIVATE ? "private" : "shared";
}

const struct conf_type conf_type_stack = {
	.what = "stack", .expected = "shared or private", .parse = parse_stack, .print = print_stack,
};

static int parse_interface(struct conf_value *v, void *target)
{
	if (!conf_interface_ok(v->text) || strcmp(v->text, "lo") == 0)
		return -EINVAL;
	return conf_set_string(target, v->text);
}

const struct conf_type conf_type_interface = {
	.what = "network interface", .expected = "the name of one of the physical server's, as in ip link",
	.parse = parse_interface, .print = conf_print_string,
};

static const char *const link_names[] = {
	[CONF_LINK_AUTO] = NULL,       [CONF_LINK_MACVLAN] = "macvlan", [CONF_LINK_IPVLAN] = "ipvlan",
	[CONF_LINK_VETH] = "veth",     [CONF_LINK_VLAN] = "vlan",       [CONF_LINK_INTERFACE] = "interface",
};

const char *conf_link_name(enum conf_link link)
{
	return link_names[link];
}

static int parse_link(struct conf_value *v, void *target)
{
	for (size_t i = CONF_LINK_MACVLAN; i < sizeof(link_names) / sizeof(*link_names); i++) {
		if (strcmp(v->text, link_names[i]) != 0)
			continue;
		*(enum conf_link *)target = (enum conf_link)i;
		return 0;
	}
	return -EINVAL;
}

static void print_link(struct strbuf *out, const char *key, const void *target)
{
	const char *name = conf_link_name(*(const enum conf_link *)target);

	if (name)
		strbuf_addf(out, "%s = %s\n", key, name);
}

const struct conf_type conf_type_link = {
	.what = "kind of interface", .expected = "macvlan, ipvlan, veth, vlan or interface", .parse = parse_link,
	.print = print_link,
};

static int parse_number(struct conf_value *v, void *target, uint32_t least, uint32_t most)
{
	uint32_t n;

	if (parse_u32(v->text, most, &n) < 0 || n < least)
		return -EINVAL;
	*(uint32_t *)target = n;
	return 0;
}

static int parse_vlan(struct conf_value *v, void *target)
{
	return parse_number(v, target, 1, VLAN_MAX);
}

static int parse_mtu(struct conf_value *v, void *target)
{
	return parse_number(v, target, MTU_LEAST, MTU_MOST);
}

static void print_number(struct strbuf *out, const char *key, const void *target)
{
	uint32_t n = *(const uint32_t *)target;

	if (n)
		strbuf_addf(out, "%s = %u\n", key, n);
}

const struct conf_type conf_type_vlan = {
	.what = "number of a VLAN", .expected = "1 to 4094", .parse = parse_vlan, .print = print_number,
};
const struct conf_type conf_type_mtu = {
	.what = "packet size", .expected = "576 to 65535 bytes", .parse = parse_mtu, .print = print_number,
};

static bool hex_digit(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool conf_mac_parse(const char *s, uint8_t ret[6])
{
	unsigned b[6];

	if (strlen(s) != 17)
		return false;
	for (size_t i = 0; i < 17; i++)
		if (i % 3 == 2 ? s[i] != ':' : !hex_digit(s[i]))
			return false;
	if (sscanf(s, "%2x:%2x:%2x:%2x:%2x:%2x", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5]) != 6)
		return false;
	for (size_t i = 0; i < 6; i++)
		ret[i] = (uint8_t)b[i];
	return true;
}

static int parse_mac(struct conf_value *v, void *target)
{
	static const uint8_t zero[6];
	uint8_t mac[6];
	char text[18];

	if (!conf_mac_parse(v->text, mac))
		return -EINVAL;
	if (mac[0] & 1)
		return why(v, "is an address of many hosts: expected one host's, whose first byte is even");
	if (memcmp(mac, zero, sizeof(mac)) == 0)
		return why(v, "is nobody's: expected one host's");
	(void)str_format(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	return conf_set_string(target, text);
}

const struct conf_type conf_type_mac = {
	.what = "hardware address", .expected = "six bytes, as in 02:00:5e:10:00:01", .parse = parse_mac,
	.print = conf_print_string,
};

/* 64 bits of FNV-1a, of which 40 are used: two servers of one network with the same address would be a 1 to 10^12 chance,
 * and preflight looks. */
void conf_mac(const struct conf *c, uint8_t ret[6])
{
	const char *from = *c->volumes[0].uuid ? c->volumes[0].uuid : c->name;
	uint64_t h = 14695981039346656037ULL;

	if (c->mac && conf_mac_parse(c->mac, ret))
		return;
	for (; *from; from++)
		h = (h ^ (uint8_t)*from) * 1099511628211ULL;
	ret[0] = 0x02; /* locally administered */
	for (size_t i = 1; i < 6; i++)
		ret[i] = (uint8_t)(h >> (8 * i));
}

bool conf_same_network(const struct conf *a, const struct conf *b)
{
	return a->stack == CONF_STACK_SHARED || b->stack == CONF_STACK_SHARED ||
	       (strcmp(a->interface, b->interface) == 0 && a->vlan == b->vlan);
}

/* What stands beside 'stack = shared' means nothing there. */
static int check_shared(const struct conf_parser *p)
{
	static const char *const keys[] = { "interface", "link", "vlan", "mac", "mtu" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (conf_has(p, CONF_SECTION_SERVER, 0, keys[i]))
			return conf_bad(p, conf_line_of(p, CONF_SECTION_SERVER, 0, keys[i]),
					"key '%s': a server of the shared stack has no interface of its own: expected 'stack = "
					"private' beside it%s", keys[i], i == 0 ? ", or 'address = ADDR/PREFIX@INTERFACE'" : "");
	return 0;
}

static int bad(const struct conf_parser *p, const char *key, const char *words)
{
	return conf_bad(p, conf_line_of(p, CONF_SECTION_SERVER, 0, key), "key '%s': %s", key, words);
}

int conf_check_link(const struct conf_parser *p)
{
	const struct conf *c = p->conf;
	bool six = false;

	if (c->stack == CONF_STACK_SHARED)
		return check_shared(p);
	if (!c->interface)
		return bad(p, "stack", "a private stack needs an 'interface' of the physical server");
	for (size_t i = 0; i < c->n_addresses; i++) {
		six |= c->addresses[i].addr.family == AF_INET6;
		if (*c->addresses[i].interface)
			return conf_bad(p, c->addresses[i].line, "key 'address': a server with a private stack has one interface, that "
					"of 'interface': expected no @%s", c->addresses[i].interface);
	}
	if (c->link == CONF_LINK_VLAN && !c->vlan)
		return bad(p, "link", "a VLAN interface needs its number: expected 'vlan' beside it");
	if (c->vlan && c->link != CONF_LINK_AUTO && c->link != CONF_LINK_VLAN && c->link != CONF_LINK_VETH)
		return bad(p, "vlan", "is for 'link = vlan' or, on a bridge, 'link = veth'; for the others 'interface' names a VLAN "
				      "interface of the physical server");
	if (c->mac && c->link == CONF_LINK_IPVLAN)
		return bad(p, "mac", "an ipvlan interface has the hardware address of 'interface'");
	if (c->link == CONF_LINK_INTERFACE && (c->mac || c->mtu))
		return bad(p, c->mac ? "mac" : "mtu", "an interface that is handed over stays as it is: set it with ip link");
	if (c->mtu && c->mtu < MTU_LEAST_IPV6 && six)
		return bad(p, "mtu", "IPv6 needs at least 1280");
	return 0;
}
