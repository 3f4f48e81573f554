/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asking sock_diag(7) for sockets, by a filter in the kernel; and ending what still stands on an address that is taken
 * away, one after the other by SOCK_DESTROY.  A TCP peer is told by a reset, so this comes before the address goes. */
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/fd.h"
#include "lib/netlink.h"
#include "lib/str.h"
#include "psv/net.h"
#include "psv/net_private.h"

enum {
	ADDRESSES_A_REQUEST = 16,
	CONDITION_BYTES = sizeof(struct inet_diag_bc_op) + sizeof(struct inet_diag_hostcond) + 16,
	JUMP_BYTES = sizeof(struct inet_diag_bc_op),
	FILTER_BYTES = ADDRESSES_A_REQUEST * (CONDITION_BYTES + JUMP_BYTES),
	ALL_STATES = 0xffff,
};

int net_sockets_dump(struct netlink *nl, const struct inet_diag_req_v2 *req, const void *filter, size_t filter_bytes,
		     int (*cb)(const struct nlmsghdr *h, void *arg), void *arg, size_t *n, struct err *err)
{
	size_t before = *n;
	int r = 1;

	for (int i = 0; i < NETLINK_DUMP_TRIES && r == 1; i++) {
		struct netlink_msg m;
		struct inet_diag_req_v2 *ask = netlink_begin(&m, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, sizeof(*ask));

		*ask = *req;
		nl_attr_put(&m.h, INET_DIAG_REQ_BYTECODE, filter_bytes, filter);
		*n = before;
		r = netlink_talk(nl, &m.h, cb, arg, err);
	}
	return r < 0 ? r : 0;
}

struct standing {
	struct inet_diag_req_v2 *v;
	size_t n;
	uint8_t protocol;
};

/* The kernel's little filter language (linux/inet_diag.h): each address is a condition and a jump to the end, which
 * accepts; a condition that fails goes on behind the jump, and the last one's beyond the end, which refuses.  One of IPv4
 * also meets the IPv6 sockets on that address. */
static size_t address_filter(const struct ipaddr *a, size_t n, char filter[FILTER_BYTES])
{
	size_t len = n * (CONDITION_BYTES + JUMP_BYTES) - JUMP_BYTES, at = 0; /* no jump behind the last one */

	memset(filter, 0, len);
	for (size_t i = 0; i < n; i++) {
		struct inet_diag_bc_op op = { .code = INET_DIAG_BC_S_COND, .yes = CONDITION_BYTES,
					      .no = CONDITION_BYTES + JUMP_BYTES };
		struct inet_diag_hostcond cond = { .family = a[i].family, .port = -1 };

		cond.prefix_len = (uint8_t)(ipaddr_len(&a[i]) * 8);
		memcpy(filter + at, &op, sizeof(op));
		memcpy(filter + at + sizeof(op), &cond, sizeof(cond));
		memcpy(filter + at + sizeof(op) + sizeof(cond), a[i].bytes, ipaddr_len(&a[i]));
		at += CONDITION_BYTES;
		if (i == n - 1)
			break;
		op = (struct inet_diag_bc_op){ .code = INET_DIAG_BC_JMP, .yes = JUMP_BYTES, .no = (uint16_t)(len - at) };
		memcpy(filter + at, &op, sizeof(op));
		at += JUMP_BYTES;
	}
	return len;
}

static int on_socket(const struct nlmsghdr *h, void *arg)
{
	const struct inet_diag_msg *m = nl_payload(h);
	struct standing *s = arg;

	if (nl_payload_len(h) < sizeof(*m))
		return 0;
	s->v = xrealloc(s->v, s->n + 1, sizeof(*s->v));
	s->v[s->n++] = (struct inet_diag_req_v2){ .sdiag_family = m->idiag_family, .sdiag_protocol = s->protocol,
						  .idiag_states = ALL_STATES, .id = m->id };
	return 0;
}

/* find_tcp: of both families.  To be asked for one family is for the kernel to go through its table of all connections, however empty
 * that is: 1.5 ms on a machine with 24 GiB.  The oldest form of the question is for both. */
static int find_tcp(struct netlink *nl, const struct ipaddr *a, size_t n, struct standing *s, struct err *err)
{
	char filter[FILTER_BYTES];
	size_t bytes = address_filter(a, n, filter), before = s->n;
	int r = 1;

	s->protocol = IPPROTO_TCP;
	for (int i = 0; i < NETLINK_DUMP_TRIES && r == 1; i++) {
		struct netlink_msg m;
		struct inet_diag_req *ask = netlink_begin(&m, TCPDIAG_GETSOCK, NLM_F_DUMP, sizeof(*ask));

		ask->idiag_states = ALL_STATES;
		nl_attr_put(&m.h, INET_DIAG_REQ_BYTECODE, bytes, filter);
		s->n = before;
		r = netlink_talk(nl, &m.h, on_socket, s, err);
	}
	return r < 0 ? r : 0;
}

static int find_udp(struct netlink *nl, const struct ipaddr *a, size_t n, uint8_t family, struct standing *s, struct err *err)
{
	struct inet_diag_req_v2 req = { .sdiag_family = family, .sdiag_protocol = IPPROTO_UDP, .idiag_states = ALL_STATES };
	char filter[FILTER_BYTES];

	s->protocol = IPPROTO_UDP;
	return net_sockets_dump(nl, &req, filter, address_filter(a, n, filter), on_socket, s, &s->n, err);
}

/* leftovers: whether the kernel keeps a TCP connection that no process has any more.  What cannot be read: perhaps. */
static bool leftovers(void)
{
	char text[1024], *orphans, *waiting;

	if (file_read_small(AT_FDCWD, "/proc/self/net/sockstat", text, sizeof(text)) < 0)
		return true;
	orphans = strstr(text, " orphan ");
	waiting = strstr(text, " tw ");
	return !orphans || !waiting || strncmp(orphans + 8, "0 ", 2) != 0 || strncmp(waiting + 4, "0 ", 2) != 0;
}

static int find_all(struct netlink *nl, const struct ipaddr *a, size_t n, bool deserted, struct standing *s, struct err *err)
{
	int r = 0;

	for (size_t at = 0, part; at < n && r == 0; at += part) {
		part = n - at < ADDRESSES_A_REQUEST ? n - at : ADDRESSES_A_REQUEST;
		r = find_tcp(nl, a + at, part, s, err);
	}
	/* One of UDP goes with its process. */
	for (size_t at = 0, part; at < n && r == 0 && !deserted; at += part) {
		part = n - at < ADDRESSES_A_REQUEST ? n - at : ADDRESSES_A_REQUEST;
		r = find_udp(nl, a + at, part, AF_INET, s, err);
		if (r == 0)
			r = find_udp(nl, a + at, part, AF_INET6, s, err);
	}
	return r;
}

static int destroy(struct netlink *nl, const struct inet_diag_req_v2 *which, struct err *err)
{
	struct netlink_msg m;
	struct inet_diag_req_v2 *req = netlink_begin(&m, SOCK_DESTROY, 0, sizeof(*req));
	int r;

	*req = *which;
	r = netlink_talk(nl, &m.h, NULL, NULL, err);
	if (r == -ENOENT || r == -ESTALE) { /* it ended by itself */
		err_clear(err);
		return 0;
	}
	return r;
}

int net_sockets_end(const struct ipaddr *a, size_t n, bool deserted, struct err *err)
{
	_cleanup_netlink_ struct netlink nl = { .fd = -1 };
	struct standing s = { 0 };
	int r;

	if (n == 0 || (deserted && !leftovers()))
		return 0;
	r = netlink_open(NETLINK_SOCK_DIAG, &nl, err);
	if (r == 0)
		r = find_all(&nl, a, n, deserted, &s, err);
	for (size_t i = 0; i < s.n && r == 0; i++)
		r = destroy(&nl, &s.v[i], err);
	free(s.v);
	if (r == -EOPNOTSUPP) {
		err_clear(err);
		return 1;
	}
	return r < 0 ? err_wrap(err, r, "cannot end the connections of an address") : 0;
}
