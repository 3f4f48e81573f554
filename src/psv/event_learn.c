/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psv/event_learn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "psv/event.h"
#include "psv/psv.h"

/* Whose an address is. */
struct owned {
	struct ipaddr addr;
	char *owner; /* a server's name; NULL: the Psv's */
};

struct learner {
	const struct psv *psv;
	const char *name;
	struct conf conf;
	struct owned *owned;
	size_t n_owned;
	unsigned discovery; /* enum conf_discovery: what it was refused of it */
	json_t *list;
};

/* What would allow it: a line of [server], or why none does. */
struct proposal {
	const char *key; /* NULL: nothing would */
	char value[IPADDR_STR_MAX + 8]; /* has room for CONF_DISCOVERY_STR_MAX */
	const char *why; /* beside what was asked for; NULL: nothing to say */
};

static void learner_free(struct learner *l)
{
	for (size_t i = 0; i < l->n_owned; i++)
		free(l->owned[i].owner);
	free(l->owned);
	conf_free(&l->conf);
	json_decref(l->list);
}

/* ---- whose is it ---- */

static void own(struct learner *l, const struct ipaddr *a, const char *owner)
{
	l->owned = xrealloc(l->owned, l->n_owned + 1, sizeof(*l->owned));
	l->owned[l->n_owned++] = (struct owned){ .addr = *a, .owner = owner ? xstrdup(owner) : NULL };
}

static const struct owned *owner_of(const struct learner *l, const struct ipaddr *a)
{
	for (size_t i = 0; i < l->n_owned; i++)
		if (ipaddr_equal(&l->owned[i].addr, a))
			return &l->owned[i];
	return NULL;
}

/* The servers' first: theirs stand on the Psv's interfaces too. */
static int find_owners(struct learner *l, struct err *err)
{
	_cleanup_strlist_ struct strlist names = { 0 };
	struct ifaddrs *all = NULL;
	int r = psv_list(l->psv, &names, err);

	for (size_t i = 0; r == 0 && i < names.n; i++) {
		char path[PATH_MAX];
		struct conf c;

		/* Another's file that is wrong is not this server's matter. */
		if (conf_read(psv_conf_path(l->psv, names.v[i], path), names.v[i], &c, NULL) == 0)
			for (size_t k = 0; k < c.n_addresses; k++)
				own(l, &c.addresses[k].addr, names.v[i]);
		conf_free(&c);
	}
	if (r < 0)
		return r;
	if (getifaddrs(&all) < 0)
		return err_set(err, -errno, "cannot list the machine's addresses: %m");
	for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
		struct ipaddr a = { 0 };

		if (!i->ifa_addr)
			continue;
		a.family = (uint8_t)i->ifa_addr->sa_family;
		if (a.family == AF_INET)
			memcpy(a.bytes, &((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr, 4);
		else if (a.family == AF_INET6)
			memcpy(a.bytes, &((const struct sockaddr_in6 *)(const void *)i->ifa_addr)->sin6_addr, 16);
		else
			continue;
		if (ipaddr_is_host(&a) && !owner_of(l, &a))
			own(l, &a, NULL);
	}
	freeifaddrs(all);
	return 0;
}

/* ---- one refusal ---- */

/* discovery_of: which way of discovery opens it; 0: none. */
static unsigned discovery_of(const struct learner *l, const struct ipaddr *a)
{
	static const struct {
		const char *address;
		enum conf_discovery way;
	} groups[] = {
		{ "224.0.0.251", CONF_DISCOVERY_MDNS }, { "ff02::fb", CONF_DISCOVERY_MDNS },
		{ "239.255.255.250", CONF_DISCOVERY_WSD }, { "ff02::c", CONF_DISCOVERY_WSD },
	};
	struct ipaddr b;

	for (size_t i = 0; i < sizeof(groups) / sizeof(*groups); i++)
		if (ipaddr_parse(groups[i].address, &b) == 0 && ipaddr_equal(a, &b))
			return groups[i].way;
	for (size_t i = 0; i < l->conf.n_addresses; i++) {
		const struct conf_address *own_address = &l->conf.addresses[i];

		if (own_address->addr.family != AF_INET || a->family != AF_INET || own_address->prefix > 30)
			continue;
		b = ipaddr_broadcast(&own_address->addr, own_address->prefix);
		if (ipaddr_equal(a, &b))
			return CONF_DISCOVERY_NETBIOS;
	}
	return 0;
}

static const struct conf_address *network_of(const struct learner *l, const struct ipaddr *a)
{
	for (size_t i = 0; i < l->conf.n_addresses; i++)
		if (l->conf.addresses[i].addr.family == a->family &&
		    ipaddr_in(a, &l->conf.addresses[i].addr, l->conf.addresses[i].prefix))
			return &l->conf.addresses[i];
	return NULL;
}

static void of_bind(const struct learner *l, const struct ipaddr *a, struct proposal *p)
{
	const struct owned *o = owner_of(l, a);
	const struct conf_address *near = network_of(l, a);
	char buf[IPADDR_STR_MAX];

	if (o && o->owner && strcmp(o->owner, l->name) == 0) {
		p->why = "it is its own: too many sockets, or it was not on yet";
	} else if (o) {
		p->why = o->owner ? "it is another server's" : "it is the physical server's";
	} else if (!ipaddr_is_host(a)) {
		p->why = "no server has it";
	} else {
		p->key = "address";
		(void)str_format(p->value, sizeof(p->value), "%s/%u", ipaddr_str(a, buf),
				 near ? near->prefix : a->family == AF_INET ? 32 : 128);
	}
}

/* is_denied: by a line of the configuration, whatever else would open it. */
static bool is_denied(const struct learner *l, const struct ipaddr *a)
{
	for (size_t i = 0; i < l->conf.denies.n; i++) {
		const char *text = l->conf.denies.v[i];
		struct ipaddr net;
		uint8_t prefix;

		if (ipaddr_parse_prefix(text, &net, &prefix) == 0 ? ipaddr_in(a, &net, prefix) :
								     ipaddr_parse(text, &net) == 0 && ipaddr_equal(a, &net))
			return true;
	}
	return false;
}

static void of_destination(const struct learner *l, const struct ipaddr *a, struct proposal *p)
{
	const struct owned *o = owner_of(l, a);

	if (o && o->owner && strcmp(o->owner, l->name) == 0) {
		p->why = "it is its own";
	} else if (is_denied(l, a)) {
		p->why = "a line with deny says so";
	} else if (o && strlist_has(&l->conf.peers, o->owner ? o->owner : "psv")) {
		p->why = "a line with peer allows it by now";
	} else if (o) {
		p->key = "peer";
		(void)str_copy(p->value, sizeof(p->value), o->owner ? o->owner : "psv");
	} else {
		p->why = ipaddr_is_host(a) ? "it has no address of that family" : "nobody may";
	}
}

static const char *string_of(const json_t *event, const char *key)
{
	const char *s = json_string_value(json_object_get(event, key));

	return s ? s : "";
}

/* of_discovery: one line for all of it, in place of the one that there may be. */
static void of_discovery(struct learner *l, unsigned way, struct proposal *p)
{
	if (l->conf.discovery & way) {
		p->why = "a line with discovery allows it by now";
		return;
	}
	l->discovery |= way;
	p->key = "discovery";
	p->why = "in place of any other line with discovery";
	(void)conf_discovery_str(l->conf.discovery | l->discovery, p->value);
}

static void propose(struct learner *l, const json_t *event, struct proposal *p)
{
	const char *kind = string_of(event, "kind");
	struct ipaddr a;
	unsigned way;

	if (ipaddr_parse(string_of(event, "address"), &a) < 0)
		return;
	way = discovery_of(l, &a);
	if (way)
		of_discovery(l, way, p);
	else if (strcmp(kind, "bind") == 0)
		of_bind(l, &a, p);
	else
		of_destination(l, &a, p);
}

/* what: the refusal's words without the process's number, so that those of all runs of a program come together. */
static void what(const json_t *event, char *buf, size_t size)
{
	const char *detail = string_of(event, "detail"), *process = string_of(event, "process"), *by;
	int n;

	/* "1234 more of kind bind": they come together as well. */
	if (!json_object_get(event, "process"))
		detail += strspn(detail, "0123456789 ");
	by = strstr(detail, " by ");
	n = by ? (int)(by - detail) : (int)strcspn(detail, ",");

	if (n > 100)
		n = 100;
	(void)str_format(buf, size, "%.*s%s%.80s", n, detail, *process ? " by " : "", process);
}

static bool is_key(const json_t *o, const char *key)
{
	return strcmp(string_of(o, "key"), key) == 0;
}

static json_t *find(json_t *list, const struct proposal *p, const char *reason)
{
	json_t *o;
	size_t i;

	json_array_foreach(list, i, o) {
		if (!is_key(o, p->key ? p->key : ""))
			continue;
		if (!p->key ? strcmp(string_of(o, "reason"), reason) == 0 :
			      is_key(o, "discovery") || strcmp(string_of(o, "value"), p->value) == 0)
			return o;
	}
	return NULL;
}

static int learn(json_t *event, void *arg)
{
	struct learner *l = arg;
	struct proposal p = { 0 };
	json_int_t count = json_integer_value(json_object_get(event, "count"));
	char words[256], reason[384];
	json_t *o;

	if (strcmp(string_of(event, "event"), "refused") != 0 || count <= 0)
		return 0;
	propose(l, event, &p);
	what(event, words, sizeof(words));
	(void)str_format(reason, sizeof(reason), "%s%s%s", words, p.why ? ": " : "", p.why ? p.why : "");
	o = find(l->list, &p, reason);
	if (!o) {
		o = json_pack("{s:s, s:s?, s:s?, s:s?, s:I, s:s}", "server", l->name, "section", p.key ? "server" : NULL, "key", p.key,
			      "value", p.key ? p.value : NULL, "count", (json_int_t)0, "reason", reason);
		if (!o)
			return 0;
		(void)json_array_append_new(l->list, o);
	}
	if (p.key)
		(void)json_object_set_new(o, "value", json_string(p.value));
	(void)json_object_set_new(o, "count", json_integer(json_integer_value(json_object_get(o, "count")) + count));
	return 0;
}

/* ---- what the configuration takes ---- */

/* takes: the text with that line more, or NULL. */
static char *takes(const struct learner *l, const char *text, const char *key, const char *value)
{
	char *changed = strcmp(key, "discovery") == 0 ? confedit_set(text, "server", key, value) :
							confedit_add(text, "server", key, value);
	struct conf c;
	int r = changed ? conf_parse(changed, strlen(changed), "", l->name, &c, NULL) : -EINVAL;

	if (r == 0) {
		conf_free(&c);
		return changed;
	}
	free(changed);
	return NULL;
}

/* keep_what_is_taken: whoever has written the events: each line stands in the configuration together with those before it, or is
 * none. */
static void keep_what_is_taken(struct learner *l)
{
	_cleanup_strbuf_ struct strbuf printed = { 0 };
	char *text;
	json_t *o;
	size_t i;

	conf_print(&l->conf, &printed);
	text = xstrdup(strbuf_str(&printed));
	json_array_foreach(l->list, i, o) {
		const char *key = json_string_value(json_object_get(o, "key")), *value = string_of(o, "value");
		char *changed = key ? takes(l, text, key, value) : NULL, *reason;

		if (changed) {
			free(text);
			text = changed;
		} else if (key) {
			reason = xasprintf("%s: the configuration cannot have %s = %s", string_of(o, "reason"), key, value);
			(void)json_object_set_new(o, "reason", json_string(reason));
			free(reason);
			(void)json_object_set_new(o, "section", json_null());
			(void)json_object_set_new(o, "value", json_null());
			(void)json_object_set_new(o, "key", json_null());
		}
	}
	free(text);
}

/* ---- the list ---- */

static int by_use(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	bool nx = json_is_null(json_object_get(x, "key")), ny = json_is_null(json_object_get(y, "key"));
	json_int_t cx = json_integer_value(json_object_get(x, "count")), cy = json_integer_value(json_object_get(y, "count"));

	return nx != ny ? nx - ny : (cx < cy) - (cx > cy);
}

static json_t *sorted(json_t *list)
{
	size_t n = json_array_size(list);
	json_t **rows = xcalloc(n ? n : 1, sizeof(*rows)), *out = json_array();

	for (size_t i = 0; i < n; i++)
		rows[i] = json_array_get(list, i);
	qsort(rows, n, sizeof(*rows), by_use);
	for (size_t i = 0; i < n; i++)
		(void)json_array_append(out, rows[i]);
	free(rows);
	return out;
}

int event_learn(const struct psv *psv, const char *name, const char *since, json_t **ret, struct err *err)
{
	_cleanup_strlist_ struct strlist names = { 0 };
	_cleanup_(learner_free) struct learner l = { .psv = psv, .name = name, .list = json_array() };
	struct events_wanted w = { .names = &names, .since = since, .each = learn, .arg = &l };
	char path[PATH_MAX];
	int r;

	strlist_add(&names, name);
	r = conf_read(psv_conf_path(psv, name, path), name, &l.conf, err);
	if (r == 0)
		r = find_owners(&l, err);
	if (r == 0)
		r = events_read(psv, &w, err);
	if (r == 0) {
		keep_what_is_taken(&l);
		*ret = sorted(l.list);
	}
	return r;
}
