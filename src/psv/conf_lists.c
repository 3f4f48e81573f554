/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kinds of values that stand in lists, one a line: each call adds one.  Lists are bounded, because each new
 * value is compared with all before it. */
#include "psv/conf_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "directory/passwd.h"
#include "gate/gate.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "service/samba.h"

enum {
	DNS_MAX = 3, /* what resolv.conf takes */
	DOMAINS_MAX = 32,
	PARAMS_MAX = 256,
	PARAM_KEY_MAX = 128,
	PARAM_VALUE_MAX = 4096,
};

static int why(struct conf_value *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int why(struct conf_value *v, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(v->why, sizeof(v->why), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

void conf_print_list(struct strbuf *out, const char *key, const void *target)
{
	const struct strlist *l = target;

	for (size_t i = 0; i < l->n; i++)
		strbuf_addf(out, "%s = %s\n", key, l->v[i]);
}

/* Addresses of the Vsv; the targets are the whole configuration. */

/* The words of what is wrong go into `buf`; an empty one stands for the shape. */
static int address_parse(const char *s, struct conf_address *ret, const char **ret_why)
{
	struct conf_address a = { 0 };
	const char *at = strchr(s, '@');
	char text[IPADDR_STR_MAX];
	size_t n = at ? (size_t)(at - s) : strlen(s);
	struct ipaddr network, broadcast;

	*ret_why = NULL;
	if (n >= sizeof(text))
		return -EINVAL;
	memcpy(text, s, n);
	text[n] = '\0';
	if (ipaddr_parse_prefix(text, &a.addr, &a.prefix) < 0)
		return -EINVAL;
	if (at && !conf_interface_ok(at + 1)) {
		*ret_why = "names no network interface after its '@'";
		return -EINVAL;
	}
	if (at)
		(void)str_copy(a.interface, sizeof(a.interface), at + 1);
	if (!ipaddr_is_host(&a.addr)) {
		*ret_why = "is no address that a host can have";
		return -EINVAL;
	}
	if (a.prefix < (a.addr.family == AF_INET ? 8 : 16)) {
		*ret_why = "has too short a prefix: expected its network's, as in 192.0.2.11/24";
		return -EINVAL;
	}
	network = ipaddr_network(&a.addr, a.prefix);
	broadcast = ipaddr_broadcast(&a.addr, a.prefix);
	if (a.prefix < ipaddr_len(&a.addr) * 8 - 1 &&
	    (ipaddr_equal(&a.addr, &network) || (a.addr.family == AF_INET && ipaddr_equal(&a.addr, &broadcast)))) {
		*ret_why = "is its network's first or broadcast address, which no host can have";
		return -EINVAL;
	}
	*ret = a;
	return 0;
}

int conf_address_parse(const char *s, struct conf_address *ret, struct err *err)
{
	const char *text;
	char quoted[72];

	if (conf_text_check(s, strlen(s)))
		return err_exit(err, VNAS_EXIT_USAGE, -EINVAL, "an address has %s in it", conf_text_check(s, strlen(s)));
	if (address_parse(s, ret, &text) == 0)
		return 0;
	conf_quote(s, quoted, sizeof(quoted));
	if (text)
		return err_exit(err, VNAS_EXIT_USAGE, -EINVAL, "'%s' %s", quoted, text);
	return err_exit(err, VNAS_EXIT_USAGE, -EINVAL, "'%s' is no %s: expected %s", quoted, conf_type_address.what,
		       conf_type_address.expected);
}

char *conf_address_str(const struct conf_address *a, char *buf, size_t size)
{
	char addr[IPADDR_STR_MAX];

	(void)str_format(buf, size, "%s/%u%s%s", ipaddr_str(&a->addr, addr), a->prefix, *a->interface ? "@" : "",
			 a->interface);
	return buf;
}

static int parse_address(struct conf_value *v, void *target)
{
	struct conf *c = target;
	struct conf_address a;
	const char *text;

	if (address_parse(v->text, &a, &text) < 0)
		return text ? why(v, "%s", text) : -EINVAL;
	for (size_t i = 0; i < c->n_addresses; i++)
		if (ipaddr_equal(&c->addresses[i].addr, &a.addr)) {
			v->before = c->addresses[i].line;
			return -EINVAL;
		}
	if (c->n_addresses == GATE_MAX_ADDRESSES)
		return why(v, "is one too many: expected at most %d", GATE_MAX_ADDRESSES);
	a.line = v->line;
	c->addresses = xrealloc(c->addresses, c->n_addresses + 1, sizeof(*c->addresses));
	c->addresses[c->n_addresses++] = a;
	return 0;
}

static void print_addresses(struct strbuf *out, const char *key, const void *target)
{
	const struct conf *c = target;
	char buf[96];

	for (size_t i = 0; i < c->n_addresses; i++)
		strbuf_addf(out, "%s = %s\n", key, conf_address_str(&c->addresses[i], buf, sizeof(buf)));
}

const struct conf_type conf_type_address = {
	.what = "address", .expected = "ADDRESS/PREFIX or ADDRESS/PREFIX@INTERFACE, as in 192.0.2.11/24",
	.parse = parse_address, .print = print_addresses,
};

/* Addresses of others. */

static void add_ipaddr(struct ipaddr **list, size_t *n, const struct ipaddr *a)
{
	*list = xrealloc(*list, *n + 1, sizeof(**list));
	(*list)[(*n)++] = *a;
}

static void print_ipaddrs(struct strbuf *out, const char *key, const struct ipaddr *list, size_t n)
{
	char buf[IPADDR_STR_MAX];

	for (size_t i = 0; i < n; i++)
		strbuf_addf(out, "%s = %s\n", key, ipaddr_str(&list[i], buf));
}

static int parse_gateway(struct conf_value *v, void *target)
{
	struct conf *c = target;
	struct ipaddr a;

	if (ipaddr_parse(v->text, &a) < 0)
		return -EINVAL;
	/* A link-local one would need an interface to be unambiguous. */
	if (!ipaddr_is_host(&a))
		return why(v, "is no address that a gateway can have here");
	for (size_t i = 0; i < c->n_gateways; i++)
		if (c->gateways[i].family == a.family)
			return why(v, "is a second gateway: expected at most one for IPv4 and one for IPv6");
	add_ipaddr(&c->gateways, &c->n_gateways, &a);
	return 0;
}

static void print_gateways(struct strbuf *out, const char *key, const void *target)
{
	const struct conf *c = target;

	print_ipaddrs(out, key, c->gateways, c->n_gateways);
}

const struct conf_type conf_type_gateway = {
	.what = "gateway", .expected = "an address in one of the server's own networks", .parse = parse_gateway,
	.print = print_gateways,
};

static int parse_dns(struct conf_value *v, void *target)
{
	struct conf *c = target;
	struct ipaddr a;

	if (ipaddr_parse(v->text, &a) < 0)
		return -EINVAL;
	if (!ipaddr_is_host(&a))
		return why(v, "is no address that a name server can have here");
	for (size_t i = 0; i < c->n_dns; i++)
		if (ipaddr_equal(&c->dns[i], &a))
			return why(v, "is doubled");
	if (c->n_dns == DNS_MAX)
		return why(v, "is one too many: resolv.conf takes %d", DNS_MAX);
	add_ipaddr(&c->dns, &c->n_dns, &a);
	return 0;
}

static void print_dns(struct strbuf *out, const char *key, const void *target)
{
	const struct conf *c = target;

	print_ipaddrs(out, key, c->dns, c->n_dns);
}

const struct conf_type conf_type_dns = {
	.what = "name server", .expected = "an address, at most three, one a line", .parse = parse_dns, .print = print_dns,
};

/* Names. */

static int add_name(struct conf_value *v, struct strlist *l, const char *s, size_t max)
{
	if (strlist_has(l, s))
		return why(v, "is doubled");
	if (l->n == max)
		return why(v, "is one too many: expected at most %zu", max);
	strlist_add(l, s);
	return 0;
}

static int parse_alias(struct conf_value *v, void *target)
{
	_cleanup_free_ char *name = xstrdup(v->text);

	if (!conf_word_ok(name, CONF_NETBIOS_MAX_BYTES, "-_"))
		return -EINVAL;
	conf_upper(name);
	return add_name(v, target, name, CONF_ALIASES_MAX);
}

const struct conf_type conf_type_alias = {
	.what = "NetBIOS name", .expected = "at most 15 letters, digits, '-' and '_', one a line", .parse = parse_alias,
	.print = conf_print_list,
};

static int parse_peer(struct conf_value *v, void *target)
{
	if (strcmp(v->text, "psv") != 0 && conf_name_check(v->text, NULL) < 0)
		return -EINVAL;
	if (strcmp(v->text, v->name) == 0)
		return why(v, "is this server itself");
	return add_name(v, target, v->text, 64);
}

const struct conf_type conf_type_peer = {
	.what = "peer", .expected = "the name of a virtual file server, or psv", .parse = parse_peer,
	.print = conf_print_list,
};

static int parse_domain(struct conf_value *v, void *target)
{
	struct strlist *l = target;

	if (!conf_domain_ok(v->text, 253))
		return -EINVAL;
	for (size_t i = 0; i < l->n; i++)
		if (strcasecmp(l->v[i], v->text) == 0)
			return why(v, "is doubled");
	if (l->n == DOMAINS_MAX)
		return why(v, "is one too many: expected at most %d", DOMAINS_MAX);
	strlist_add(l, v->text);
	return 0;
}

const struct conf_type conf_type_domain = {
	.what = "domain", .expected = "a domain of the DNS, one a line", .parse = parse_domain, .print = conf_print_list,
};

/* add_network: an address, or a network without host bits. */
static int add_network(struct conf_value *v, void *target, size_t max)
{
	char text[IPADDR_STR_MAX + 8], addr[IPADDR_STR_MAX];
	struct ipaddr a, network;
	uint8_t prefix;

	if (!strchr(v->text, '/')) {
		if (ipaddr_parse(v->text, &a) < 0)
			return -EINVAL;
		return add_name(v, target, ipaddr_str(&a, addr), max);
	}
	if (ipaddr_parse_prefix(v->text, &a, &prefix) < 0)
		return -EINVAL;
	network = ipaddr_network(&a, prefix);
	(void)str_format(text, sizeof(text), "%s/%u", ipaddr_str(&network, addr), prefix);
	if (!ipaddr_equal(&a, &network))
		return why(v, "is no network, its host bits are set: expected %s", text);
	return add_name(v, target, text, max);
}

static int parse_client(struct conf_value *v, void *target)
{
	return add_network(v, target, CONF_MAX_LIST);
}

const struct conf_type conf_type_client = {
	.what = "client", .expected = "an address or a network, as in 192.0.2.0/24, one a line", .parse = parse_client,
	.print = conf_print_list,
};

static int parse_deny(struct conf_value *v, void *target)
{
	return add_network(v, target, CONF_MAX_DENIES);
}

const struct conf_type conf_type_deny = {
	.what = "network", .expected = "an address or a network, as in 192.0.2.0/24, one a line", .parse = parse_deny,
	.print = conf_print_list,
};

static int parse_user(struct conf_value *v, void *target)
{
	/* Blanks only in groups: two users on one line are no user. */
	bool group = *v->text == '@';

	if (!(group ? passwd_foreign_group_ok(v->text + 1) : passwd_foreign_name_ok(v->text)))
		return -EINVAL;
	return add_name(v, target, v->text, CONF_MAX_LIST);
}

const struct conf_type conf_type_user = {
	.what = "user or group",
	.expected = "the name of a user, or of a group as @NAME, at most 64 bytes of letters, digits, '_', '-', '.' and '$', blanks inside a group's, one a line",
	.parse = parse_user, .print = conf_print_list,
};

/* Keys passed through to smb.conf.  Nothing in a key or value may change what another line of that file means, and what
 * vnas sets itself is refused here rather than overridden there. */

static int why_key(struct conf_value *v, const char *text)
{
	v->about_key = true;
	return why(v, "%s", text);
}

static int check_param(struct conf_value *v, const char *owned)
{
	char text[sizeof(v->why)];

	if (strlen(v->key) > PARAM_KEY_MAX || samba_key_check(v->key, NULL) < 0)
		return why_key(v, "is no key of smb.conf: expected a letter, then letters, digits, spaces and _-:*.");
	if (owned) {
		(void)str_format(text, sizeof(text), "is set by vnas itself: %s", owned);
		return why_key(v, text);
	}
	if (strlen(v->text) > PARAM_VALUE_MAX)
		return why(v, "is too long: expected at most %d bytes", PARAM_VALUE_MAX);
	if (samba_value_check(v->text, NULL) < 0)
		return why(v, "ends with '\\', which would join it with the next line of smb.conf");
	return 0;
}

static int add_param(struct conf_value *v, struct conf_param **params, size_t *n)
{
	struct conf_slice key = { .s = v->key, .len = strlen(v->key) };
	char folded[PARAM_KEY_MAX + 2], other[PARAM_KEY_MAX + 2];

	if (!conf_key_fold(CONF_SECTION_SMB, key, folded, sizeof(folded)))
		return -EINVAL;
	for (size_t i = 0; i < *n; i++) {
		struct conf_slice before = { .s = (*params)[i].key, .len = strlen((*params)[i].key) };

		if (!conf_key_fold(CONF_SECTION_SMB, before, other, sizeof(other)) || strcmp(folded, other) != 0)
			continue;
		v->about_key = true;
		v->before = (*params)[i].line;
		return -EINVAL;
	}
	if (*n == PARAMS_MAX)
		return why_key(v, "is one too many: expected at most 256 in a section");
	*params = xrealloc(*params, *n + 1, sizeof(**params));
	(*params)[(*n)++] = (struct conf_param){ .key = xstrdup(v->key), .value = xstrdup(v->text), .line = v->line };
	return 0;
}

static void print_params(struct strbuf *out, const char *prefix, const struct conf_param *params, size_t n)
{
	for (size_t i = 0; i < n; i++)
		strbuf_addf(out, "%s%s =%s%s\n", prefix, params[i].key, *params[i].value ? " " : "", params[i].value);
}

static int parse_param_server(struct conf_value *v, void *target)
{
	struct conf *c = target;
	int r = check_param(v, samba_owned_why(v->key));

	return r < 0 ? r : add_param(v, &c->smb, &c->n_smb);
}

static void print_param_server(struct strbuf *out, const char *key, const void *target)
{
	const struct conf *c = target;

	(void)key;
	print_params(out, "", c->smb, c->n_smb);
}

const struct conf_type conf_type_param_server = {
	.what = "value", .expected = "what smb.conf(5) says of a key of its [global] section", .parse = parse_param_server,
	.print = print_param_server,
};

static int parse_param_share(struct conf_value *v, void *target)
{
	struct conf_share *share = target;
	int r = check_param(v, samba_share_owned_why(v->key));

	return r < 0 ? r : add_param(v, &share->params, &share->n_params);
}

static void print_param_share(struct strbuf *out, const char *key, const void *target)
{
	const struct conf_share *share = target;

	(void)key;
	print_params(out, "smb.", share->params, share->n_params);
}

const struct conf_type conf_type_param_share = {
	.what = "value", .expected = "what smb.conf(5) says of a key of a share", .parse = parse_param_share,
	.print = print_param_share,
};
