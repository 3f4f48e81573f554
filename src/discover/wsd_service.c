/* SPDX-License-Identifier: GPL-2.0-or-later */
/* WS-Discovery: Hello and Bye to the group, answers to who looks, and the metadata by HTTP, from which Windows takes the name
 * that its folder "Network" shows.  Requests are anybody's: their number in work is bounded, and so are the answers to one
 * moment, because a forged source gets another host what it did not ask for. */
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "discover/discover.h"
#include "discover/soap.h"
#include "discover/wsd_http.h"
#include "vsv/small.h"

enum {
	PENDING_MAX = 32, SEEN_MAX = 32, REPEAT_MS = 100,
	DELAY_MS = 500,                           /* APP_MAX_DELAY: answers of many hosts are spread over it */
	UNICAST_MS = 20, UNICAST_AHEAD_MS = 1000, /* as of mDNS */
	PATHS_MAX = 32,
};

struct pending {
	bool used;
	int64_t due_ms;
	enum soap_answer what;
	uint32_t ifindex;
	uint8_t family;
	struct group_peer to; /* family 0: the group */
	char relates_to[SOAP_ID_MAX + 1];
};

static const struct group *sockets;
static const struct site *site;
static struct pending pending[PENDING_MAX];
static uint64_t seen[SEEN_MAX]; /* messages that came already: whoever looks says so several times */
static unsigned seen_at;
static uint64_t instance, number, state;
static int64_t bucket_ms;
static struct { /* on which Hello was said */
	uint32_t ifindex;
	uint8_t family;
} paths[PATHS_MAX];
static size_t n_paths;

static uint64_t next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static void new_uuid(char ret[37])
{
	static const char hex[] = "0123456789abcdef";
	uint64_t bits = 0;

	for (unsigned i = 0; i < 36; i++) {
		if (i % 16 == 0)
			bits = next_random();
		ret[i] = hex[bits & 0xf];
		bits >>= 4;
		if (i == 8 || i == 13 || i == 18 || i == 23)
			ret[i] = '-';
	}
	ret[14] = '4'; /* RFC 9562: a random one */
	ret[19] = hex[8 + (state & 3)];
	ret[36] = '\0';
}

bool wsd_write(enum soap_answer what, uint32_t ifindex, uint8_t family, const char *relates_to, struct text *t)
{
	struct soap_answer_of a = { .what = what, .site = site, .ifindex = ifindex, .family = family, .relates_to = relates_to,
				    .instance = instance };

	a.number = ++number;
	new_uuid(a.id);
	return soap_write(&a, t);
}

bool wsd_is_our_path(const char *path, size_t len)
{
	size_t n = strlen(site->uuid);

	return (len == n + 1 || (len == n + 2 && path[len - 1] == '/')) && path[0] == '/' && memcmp(path + 1, site->uuid, n) == 0;
}

static void send_now(enum soap_answer what, uint32_t ifindex, uint8_t family, const struct group_peer *to, const char *relates_to)
{
	static char buf[SOAP_SEND_MAX];
	struct text t = TEXT(buf);

	if (wsd_write(what, ifindex, family, relates_to, &t))
		(void)group_send(sockets, ifindex, family, to, buf, t.len);
}

static void later(int64_t due_ms, const struct pending *p)
{
	for (size_t i = 0; i < PENDING_MAX; i++) {
		if (pending[i].used)
			continue;
		pending[i] = *p;
		pending[i].used = true;
		pending[i].due_ms = due_ms;
		return;
	}
}

/* ---- where we are ---- */

static bool has_path(const struct site *s, uint32_t ifindex, uint8_t family)
{
	for (size_t i = 0; i < s->n_addresses; i++)
		if (s->addresses[i].ifindex == ifindex && s->addresses[i].addr.family == family)
			return true;
	return false;
}

static bool said_hello(uint32_t ifindex, uint8_t family)
{
	for (size_t i = 0; i < n_paths; i++)
		if (paths[i].ifindex == ifindex && paths[i].family == family)
			return true;
	return false;
}

/* hello: after a moment, and once more. */
static void hello(uint32_t ifindex, uint8_t family, int64_t now)
{
	struct pending p = { .what = SOAP_HELLO, .ifindex = ifindex, .family = family };
	int64_t due = now + 1 + (int64_t)(next_random() % REPEAT_MS);

	later(due, &p);
	later(due + REPEAT_MS, &p);
	if (!said_hello(ifindex, family) && n_paths < PATHS_MAX) {
		paths[n_paths].ifindex = ifindex;
		paths[n_paths++].family = family;
	}
}

static void bye(uint32_t ifindex, uint8_t family)
{
	for (unsigned i = 0; i < 2; i++)
		send_now(SOAP_BYE, ifindex, family, NULL, NULL);
}

static void set(const struct site *old, const struct site *next, int64_t now_ms)
{
	size_t kept = 0;

	site = old ? old : next;
	memset(pending, 0, sizeof(pending));
	for (size_t i = 0; i < n_paths; i++) {
		if (has_path(next, paths[i].ifindex, paths[i].family))
			paths[kept++] = paths[i];
		else
			bye(paths[i].ifindex, paths[i].family);
	}
	n_paths = kept;
	site = next;
	for (size_t i = 0; i < next->n_addresses; i++) {
		const struct site_address *a = &next->addresses[i];
		bool told = !a->ifindex;

		for (size_t j = 0; j < i; j++)
			told |= next->addresses[j].ifindex == a->ifindex && next->addresses[j].addr.family == a->addr.family;
		if (!told)
			hello(a->ifindex, a->addr.family, now_ms);
	}
}

/* ---- who looks ---- */

static bool is_repeated(const char *id)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (; *id; id++)
		hash = (hash ^ (uint8_t)*id) * 0x100000001b3u;
	for (size_t i = 0; i < SEEN_MAX; i++)
		if (seen[i] == hash)
			return true;
	seen[seen_at++ % SEEN_MAX] = hash;
	return false;
}

static bool may_answer(const struct group_socket *s, const struct group_peer *from, int64_t now)
{
	if (!from->port || !site_is_near(site, &from->addr, s->ifindex))
		return false;
	if (bucket_ms < now)
		bucket_ms = now;
	if (bucket_ms - now > UNICAST_AHEAD_MS)
		return false;
	bucket_ms += UNICAST_MS;
	return true;
}

static bool is_us(const char *address)
{
	static const char urn[] = "urn:uuid:";

	return strncmp(address, urn, strlen(urn)) == 0 && strcmp(address + strlen(urn), site->uuid) == 0;
}

static void receive(const struct group_socket *s, const struct group_peer *from, const void *msg, size_t len, int64_t now_ms)
{
	struct pending p = { .ifindex = s->ifindex, .family = s->addr.family, .to = *from };
	struct soap_request q;
	int64_t delay = 0;

	if (len > SOAP_RECEIVE_MAX || soap_parse(msg, len, &q) < 0)
		return;
	if (q.kind == SOAP_PROBE && q.for_us) {
		p.what = SOAP_PROBE_MATCHES;
		delay = (int64_t)(next_random() % DELAY_MS);
	} else if (q.kind == SOAP_RESOLVE && is_us(q.address)) {
		p.what = SOAP_RESOLVE_MATCHES;
	} else {
		return;
	}
	if (is_repeated(q.id) || !may_answer(s, from, now_ms))
		return;
	copy_str(p.relates_to, sizeof(p.relates_to), q.id);
	later(now_ms + delay, &p);
}

/* ---- the loop's ---- */

static int64_t tick(int64_t now_ms)
{
	int64_t next = http_tick(now_ms);

	for (size_t i = 0; i < PENDING_MAX; i++) {
		struct pending *p = &pending[i];

		if (p->used && p->due_ms <= now_ms) {
			p->used = false;
			send_now(p->what, p->ifindex, p->family, p->to.addr.family ? &p->to : NULL,
				 *p->relates_to ? p->relates_to : NULL);
		}
		if (p->used && p->due_ms < next)
			next = p->due_ms;
	}
	return next;
}

static int begin(const struct group *group, uint64_t seed)
{
	int r = http_begin();

	sockets = group;
	state = seed ? seed : 1;
	instance = (uint64_t)clock_realtime_ns() / 1000000000;
	if (r < 0)
		say("cannot listen on TCP port 5357: ", strerror(-r), "", "");
	return r;
}

static void end(void)
{
	for (size_t i = 0; i < n_paths; i++)
		bye(paths[i].ifindex, paths[i].family);
}

const struct protocol wsd_protocol = {
	.name = "wsd",
	.four = { .family = AF_INET, .bytes = { 239, 255, 255, 250 } },
	.six = { .family = AF_INET6, .bytes = { 0xff, 0x02, [15] = 0x0c } },
	.port = 3702,
	.hops = 1,
	.begin = begin,
	.set = set,
	.receive = receive,
	.tick = tick,
	.end = end,
	.polls = http_polls,
	.ready = http_ready,
};
