/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The responder on its sockets. */
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "discover/discover.h"
#include "discover/mdns.h"
#include "vsv/small.h"

static const struct site nothing;
static struct mdns responder;
static const struct group *sockets;

static void send_out(void *arg, const struct mdns_path *p, const struct mdns_peer *to, const void *msg, size_t len)
{
	struct group_peer peer;

	(void)arg;
	if (to)
		peer = (struct group_peer){ .addr = to->addr, .port = to->port };
	/* What is lost is asked for again; a link that is down comes back, and then it is said again. */
	(void)group_send(sockets, p->ifindex, p->family, to ? &peer : NULL, msg, len);
}

static void on_change(void *arg, const struct mdns_path *p)
{
	char where[IF_NAMESIZE + 16], interface[IF_NAMESIZE], address[IPADDR_STR_MAX];
	struct text t = TEXT(where);

	(void)arg;
	text_add(&t, if_indextoname(p->ifindex, interface) ? interface : "an interface");
	text_add(&t, p->family == AF_INET ? " (IPv4)" : " (IPv6)");
	if (p->state == MDNS_TAKEN)
		say(responder.site->host, ".local is the name of another host, ", ipaddr_str(&p->rival, address), "");
	say(responder.site->host, p->state == MDNS_TAKEN ? ".local is not announced on " : ".local is announced on ", where, "");
}

static int begin(const struct group *group, uint64_t seed)
{
	sockets = group;
	mdns_begin(&responder, &nothing, (uint32_t)(seed ^ seed >> 32));
	responder.send = send_out;
	responder.changed = on_change;
	return 0;
}

static void set(const struct site *old, const struct site *site, int64_t now_ms)
{
	mdns_set(&responder, old ? old : &nothing, site, now_ms);
}

static void receive(const struct group_socket *s, const struct group_peer *from, const void *msg, size_t len, int64_t now_ms)
{
	struct mdns_path *p = mdns_path_find(&responder, s->ifindex, s->addr.family);
	const struct mdns_peer peer = { .addr = from->addr, .port = from->port };

	if (p)
		mdns_receive(&responder, p, &peer, s->own, msg, len, now_ms);
}

static int64_t tick(int64_t now_ms)
{
	return mdns_tick(&responder, now_ms);
}

static void end(void)
{
	mdns_end(&responder);
}

const struct protocol mdns_protocol = {
	.name = "mdns",
	.four = { .family = AF_INET, .bytes = { 224, 0, 0, 251 } },
	.six = { .family = AF_INET6, .bytes = { 0xff, 0x02, [15] = 0xfb } },
	.port = MDNS_PORT,
	.hops = 255,
	.own_too = true,
	.begin = begin,
	.set = set,
	.receive = receive,
	.tick = tick,
	.end = end,
};
