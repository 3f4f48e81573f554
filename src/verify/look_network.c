/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the Psv sees of a Vsv's network: the gate as the kernel has it, the Psv as a client, and where its sockets stand. */
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gate/gate.h"
#include "gate/gate_sys.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/netlink.h"
#include "psv/net_private.h"
#include "verify/internal.h"

enum { NO_INTERFACE = 0x7fffffff, ARRIVE_MS = 30 };
/* A TCP socket that is bound at most stands nowhere yet; a datagram socket has no other state. */
enum { STATES_TCP = 0xffff & ~(1 << 7 | 1 << 13), STATES_UDP = 0xffff };

/* ---- the gate ---- */

enum verdict look_gate_programs(struct verify *v, struct server *s, char *answer, size_t size)
{
	struct err err = { 0 };
	struct gate_look g;

	if (s->cgroup_fd < 0 || gate_look(v->bpf_dir, s->cgroup_fd, &g, &err) < 0) {
		(void)str_format(answer, size, "%.200s", s->cgroup_fd < 0 ? "its control group cannot be opened" : err.text);
		return s->cgroup_fd < 0 ? VERDICT_OPEN : VERDICT_THROUGH;
	}
	if (g.missing) {
		(void)str_format(answer, size, "%s is not attached", g.missing);
		return VERDICT_THROUGH;
	}
	if (g.id != s->st.id || !g.assigned) {
		(void)str_format(answer, size, "it serves number %u and not %u", g.id, s->st.id);
		return VERDICT_THROUGH;
	}
	if (g.other_build) {
		(void)str_format(answer, size, "%s is attached, and is not the one that is pinned for this build", g.other_build);
		return VERDICT_OPEN;
	}
	(void)str_format(answer, size, "%zu programs", gate_n_programs);
	return VERDICT_REFUSED;
}

enum verdict look_gate_lookup(struct verify *v, struct server *s, char *answer, size_t size)
{
	struct gate_look g;

	if (s->cgroup_fd < 0) {
		(void)str_copy(answer, size, "its control group cannot be opened");
		return VERDICT_OPEN;
	}
	(void)gate_look(v->bpf_dir, s->cgroup_fd, &g, NULL);
	if (!g.link_attached || !g.link_pinned) {
		(void)str_copy(answer, size, g.link_pinned ? "it is not attached" : "it is not pinned");
		return VERDICT_THROUGH;
	}
	(void)str_copy(answer, size, "attached and pinned");
	return VERDICT_REFUSED;
}

enum verdict look_gate_addresses(struct verify *v, struct server *s, char *answer, size_t size)
{
	char text[IPADDR_STR_MAX];

	/* Other networks may have the same ones, so what others look into does not have them. */
	if (is_private(s)) {
		(void)str_copy(answer, size, "it has a stack of its own");
		return VERDICT_REFUSED;
	}
	for (size_t i = 0; i < s->as_victim.n_addresses; i++) {
		uint32_t id = 0;

		if (gate_address_owner(v->bpf_dir, &s->as_victim.addresses[i], &id, NULL) == 0 && id == s->st.id)
			continue;
		(void)str_format(answer, size, "%s belongs to number %u", ipaddr_str(&s->as_victim.addresses[i], text), id);
		return VERDICT_THROUGH;
	}
	(void)str_format(answer, size, "%zu addresses", s->as_victim.n_addresses);
	return VERDICT_REFUSED;
}

/* ---- a client ---- */

static enum verdict no_client(char *answer, size_t size)
{
	(void)str_copy(answer, size, "the control failed: the physical server does not reach its own port");
	return VERDICT_OPEN;
}

enum verdict look_ingress_tcp(struct verify *v, struct server *s, char *answer, size_t size)
{
	if (!v->host.ingress_ok)
		return no_client(answer, size);
	(void)str_copy(answer, size, "no address");
	for (size_t i = 0; i < s->as_victim.n_addresses; i++) {
		int r = victim_connect(&s->as_victim.addresses[i], v->host.wild_tcp.port);
		char text[IPADDR_STR_MAX];

		answer_text(r, answer, size);
		if (r == 0) {
			(void)str_format(answer, size, "%s answered", ipaddr_str(&s->as_victim.addresses[i], text));
			return VERDICT_THROUGH;
		}
		if (r != -ECONNREFUSED && !(is_private(s) && (r == -EHOSTUNREACH || r == -ENETUNREACH || r == -ETIMEDOUT)))
			return VERDICT_OPEN;
	}
	return s->as_victim.n_addresses ? VERDICT_REFUSED : VERDICT_OPEN;
}

static int send_to(const struct ipaddr *a, uint16_t port, const char *text)
{
	_cleanup_close_ int fd = socket(a->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(port) };

	if (fd < 0)
		return -errno;
	memcpy(&six.sin6_addr, a->bytes, sizeof(six.sin6_addr));
	memcpy(&four.sin_addr, a->bytes, sizeof(four.sin_addr));
	if ((a->family == AF_INET ? sendto(fd, text, strlen(text), 0, (struct sockaddr *)&four, sizeof(four)) :
				    sendto(fd, text, strlen(text), 0, (struct sockaddr *)&six, sizeof(six))) < 0)
		return -errno;
	return 0;
}

enum verdict look_ingress_udp(struct verify *v, struct server *s, char *answer, size_t size)
{
	struct pollfd p = { .fd = v->host.wild_udp.fd, .events = POLLIN };
	char want[40];

	if (!v->host.ingress_ok)
		return no_client(answer, size);
	(void)str_format(want, sizeof(want), "ingress-%s", s->token);
	for (size_t i = 0; i < s->as_victim.n_addresses; i++) {
		int r = send_to(&s->as_victim.addresses[i], v->host.wild_udp.port, want);

		if (r < 0 && !(is_private(s) && (r == -EHOSTUNREACH || r == -ENETUNREACH))) {
			answer_text(r, answer, size);
			return VERDICT_OPEN;
		}
	}
	(void)poll(&p, 1, ARRIVE_MS);
	if (victim_tokens(v, p.fd, want)) {
		(void)str_copy(answer, size, "it arrived");
		return VERDICT_THROUGH;
	}
	if (v->flooded) {
		(void)str_copy(answer, size, "it could not be told: too much arrived there");
		return VERDICT_OPEN;
	}
	(void)str_copy(answer, size, "nothing arrived");
	return s->as_victim.n_addresses ? VERDICT_REFUSED : VERDICT_OPEN;
}

/* ---- where its sockets stand ---- */

struct gather {
	struct verify *v;
	uint8_t protocol;
};

static void from_words(uint8_t family, const __be32 words[4], struct ipaddr *ret)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	const uint8_t *bytes = (const uint8_t *)words;

	*ret = (struct ipaddr){ .family = family };
	if (family == AF_INET6 && memcmp(bytes, mapped, sizeof(mapped)) == 0) {
		ret->family = AF_INET;
		bytes += sizeof(mapped);
	}
	memcpy(ret->bytes, bytes, ipaddr_len(ret));
}

static int on_socket(const struct nlmsghdr *h, void *arg)
{
	const struct inet_diag_msg *m = nl_payload(h);
	const struct nlattr *a[INET_DIAG_MAX + 1];
	struct gather *g = arg;
	struct socket_at at = { .protocol = g->protocol };

	if (nl_payload_len(h) < sizeof(*m))
		return 0;
	netlink_attrs(h, sizeof(*m), a, INET_DIAG_MAX);
	if (!a[INET_DIAG_CGROUP_ID])
		return 0;
	at.cgroup_id = nl_attr_u64(a[INET_DIAG_CGROUP_ID]);
	from_words(m->idiag_family, m->id.idiag_src, &at.addr);
	at.port = ntohs(m->id.idiag_sport);
	at.shut = m->id.idiag_if == NO_INTERFACE;
	g->v->sockets = xrealloc(g->v->sockets, g->v->n_sockets + 1, sizeof(*g->v->sockets));
	g->v->sockets[g->v->n_sockets++] = at;
	return 0;
}

static bool gather_sockets(struct verify *v)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 }, protocols[] = { IPPROTO_TCP, IPPROTO_UDP };
	_cleanup_netlink_ struct netlink nl = { .fd = -1 };

	if (netlink_open(NETLINK_SOCK_DIAG, &nl, NULL) < 0)
		return false;
	for (size_t i = 0; i < 4; i++) {
		struct gather g = { .v = v, .protocol = protocols[i / 2] };
		struct netlink_msg m;
		struct inet_diag_req_v2 *ask = netlink_begin(&m, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, sizeof(*ask));

		*ask = (struct inet_diag_req_v2){ .sdiag_family = families[i % 2], .sdiag_protocol = protocols[i / 2],
						  .idiag_states = protocols[i / 2] == IPPROTO_TCP ? STATES_TCP : STATES_UDP };
		/* A dump that changed meanwhile lacks at most what came and went. */
		if (netlink_talk(&nl, &m.h, on_socket, &g, NULL) < 0)
			return false;
	}
	return true;
}

static bool is_any(const struct ipaddr *a)
{
	static const uint8_t zero[16];

	return memcmp(a->bytes, zero, sizeof(zero)) == 0;
}

static bool may_stand(const struct server *s, const struct socket_at *at)
{
	struct ipaddr four = gate_loopback4(s->st.id), six = gate_loopback6(s->st.id);
	bool group = at->addr.family == AF_INET ? at->addr.bytes[0] >= 224 : at->addr.bytes[0] == 0xff;

	if (at->shut || ipaddr_equal(&at->addr, &four) || ipaddr_equal(&at->addr, &six))
		return true;
	for (size_t i = 0; i < s->as_victim.n_addresses; i++)
		if (ipaddr_equal(&at->addr, &s->as_victim.addresses[i]))
			return true;
	/* A datagram without a bind: the gate answers for its port. */
	if (at->protocol == IPPROTO_UDP && is_any(&at->addr))
		return true;
	if (at->protocol == IPPROTO_UDP && s->has_conf && s->conf.discovery) {
		for (size_t i = 0; i < s->st.n_addresses; i++) {
			const struct conf_address *c = &s->st.addresses[i].a;
			struct ipaddr b = ipaddr_broadcast(&c->addr, c->prefix);

			if (ipaddr_equal(&at->addr, &b))
				return true;
		}
		return group;
	}
	return false;
}

enum verdict look_sockets(struct verify *v, struct server *s, char *answer, size_t size)
{
	uint64_t id = 0;
	size_t n = 0;

	if (!v->has_sockets)
		v->has_sockets = gather_sockets(v);
	if (!v->has_sockets || s->cgroup_fd < 0 || gate_cgroup_number(s->cgroup_fd, &id, NULL) < 0) {
		(void)str_copy(answer, size, "its sockets cannot be listed");
		return VERDICT_OPEN;
	}
	for (size_t i = 0; i < v->n_sockets; i++) {
		char text[IPADDR_STR_MAX];

		if (v->sockets[i].cgroup_id != id)
			continue;
		n++;
		if (may_stand(s, &v->sockets[i]))
			continue;
		(void)str_format(answer, size, "one stands on %s port %u", ipaddr_str(&v->sockets[i].addr, text), v->sockets[i].port);
		return VERDICT_THROUGH;
	}
	(void)str_format(answer, size, "%zu sockets", n);
	return VERDICT_REFUSED;
}

/* look_targets: what could not be reached, or was too much to be tried, is not refused for that. */
enum verdict look_targets(struct verify *v, struct server *s, const struct server *other, char *answer, size_t size)
{
	const struct victim *t = other ? &other->as_victim : &v->host;

	(void)s;
	if (t->n_left_out) {
		(void)str_format(answer, size, "it has %zu addresses: %zu were tried", t->n_addresses + t->n_left_out, t->n_addresses);
		return VERDICT_OPEN;
	}
	if (t->n_tcp < t->n_addresses || t->n_udp < t->n_addresses) {
		(void)str_format(answer, size, "it has %zu addresses: by TCP %zu, by UDP %zu of them were tried", t->n_addresses, t->n_tcp,
				 t->n_udp);
		return VERDICT_OPEN;
	}
	(void)str_format(answer, size, "%zu addresses", t->n_addresses);
	return VERDICT_REFUSED;
}
