/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is connected to a TCP port of given addresses: sock_diag(7), filtered by the kernel. */
#include <linux/inet_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/netlink.h"
#include "lib/str.h"
#include "psv/net.h"
#include "psv/net_private.h"

struct search {
	uint16_t port;
	const struct ipaddr *own;
	size_t n_own;
	struct net_client *v;
	size_t n;
};

/* address_of: a socket of IPv6 can stand on an address of IPv4. */
static struct ipaddr address_of(uint8_t family, const __be32 words[4])
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	const unsigned char *bytes = (const unsigned char *)words;
	struct ipaddr a = { .family = family };

	if (family == AF_INET6 && memcmp(bytes, mapped, sizeof(mapped)) == 0) {
		a.family = AF_INET;
		bytes += sizeof(mapped);
	}
	memcpy(a.bytes, bytes, ipaddr_len(&a));
	return a;
}

static bool is_own(const struct search *s, const struct ipaddr *a)
{
	for (size_t i = 0; i < s->n_own; i++)
		if (ipaddr_equal(&s->own[i], a))
			return true;
	return false;
}

static int on_socket(const struct nlmsghdr *h, void *arg)
{
	const struct inet_diag_msg *m = nl_payload(h);
	struct search *s = arg;
	struct net_client c = { .connections = 1 };

	if (nl_payload_len(h) < sizeof(*m) || ntohs(m->id.idiag_sport) != s->port)
		return 0;
	c.at = address_of(m->idiag_family, m->id.idiag_src);
	c.client = address_of(m->idiag_family, m->id.idiag_dst);
	if (!is_own(s, &c.at))
		return 0;
	s->v = xrealloc(s->v, s->n + 1, sizeof(*s->v));
	s->v[s->n++] = c;
	return 0;
}

static int compare_addresses(const struct ipaddr *a, const struct ipaddr *b)
{
	return a->family != b->family ? (a->family > b->family) - (a->family < b->family) : memcmp(a->bytes, b->bytes, ipaddr_len(a));
}

static int compare(const void *a, const void *b)
{
	const struct net_client *x = a, *y = b;
	int r = compare_addresses(&x->at, &y->at);

	return r ? r : compare_addresses(&x->client, &y->client);
}

/* gather: the connections of a client as one.  How many there are then. */
static size_t gather(struct net_client *v, size_t n)
{
	size_t kept = 0;

	if (n)
		qsort(v, n, sizeof(*v), compare);
	for (size_t i = 0; i < n; i++)
		if (kept && compare(&v[kept - 1], &v[i]) == 0)
			v[kept - 1].connections++;
		else
			v[kept++] = v[i];
	return kept;
}

int net_clients(uint16_t port, const struct ipaddr *own, size_t n_own, struct net_client **ret, size_t *ret_n, struct err *err)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	/* The kernel's little filter language: the port on our side; what fails goes beyond the end, which refuses. */
	const struct inet_diag_bc_op filter[] = { { .code = INET_DIAG_BC_S_EQ, .yes = 8, .no = 12 }, { .no = port } };
	_cleanup_netlink_ struct netlink nl = { .fd = -1 };
	struct search s = { .port = port, .own = own, .n_own = n_own };
	int r = netlink_open(NETLINK_SOCK_DIAG, &nl, err);

	for (size_t i = 0; i < sizeof(families) && r == 0; i++) {
		const struct inet_diag_req_v2 req = { .sdiag_family = families[i], .sdiag_protocol = IPPROTO_TCP,
						      .idiag_states = 1 << TCP_ESTABLISHED };

		r = net_sockets_dump(&nl, &req, filter, sizeof(filter), on_socket, &s, &s.n, err);
	}
	if (r < 0) {
		free(s.v);
		return err_wrap(err, r, "cannot list the connections of its clients");
	}
	*ret = s.v;
	*ret_n = gather(s.v, s.n);
	return 0;
}
