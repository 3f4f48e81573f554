/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Listening to what the kernel says about addresses, routes, rules and links.  Which of it concerns this server is read
 * from its state file at that moment, so that an address that was just added needs nobody to tell us. */
#include "vsv/supervise.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/cleanup.h"

/* The routing table of server n is TABLE_BASE + n (psv/net.h). */
#define TABLE_BASE 0x564e0000u

enum { BUFFER = 8192, READS_MAX = 64 };

int net_open(void)
{
	static const int groups[] = { RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
				      RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE };
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	struct sockaddr_nl any = { .nl_family = AF_NETLINK };

	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0)
		return -errno;
	for (size_t i = 0; i < sizeof(groups) / sizeof(*groups); i++)
		if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i], sizeof(groups[i])) < 0)
			return -errno;
	return steal_fd(&fd);
}

struct attributes {
	const char *p;
	size_t len;
};

/* next_attribute: its type; -1: no more. */
static int next_attribute(struct attributes *a, const void **ret, size_t *ret_len)
{
	struct rtattr h;
	size_t step;

	if (a->len < sizeof(h))
		return -1;
	memcpy(&h, a->p, sizeof(h));
	if (h.rta_len < sizeof(h) || h.rta_len > a->len)
		return -1;
	*ret = a->p + RTA_ALIGN(sizeof(h));
	*ret_len = h.rta_len - sizeof(h);
	step = RTA_ALIGN((size_t)h.rta_len);
	step = step > a->len ? a->len : step;
	a->p += step;
	a->len -= step;
	return h.rta_type & NLA_TYPE_MASK;
}

static bool own_address(const struct state_view *v, const void *data, size_t len)
{
	return (len == 4 || len == 16) && state_has_address(v, data, len);
}

static bool own_table(const struct state_view *v, const void *data, size_t len)
{
	uint32_t table;
	uint64_t id;

	if (len != sizeof(table) || state_number(v, "id", &id) < 0)
		return false;
	memcpy(&table, data, len);
	return table == TABLE_BASE + id;
}

/* concerns: one of the attributes is an address of ours (in two places), or our table. */
static bool concerns(const char *p, size_t len, size_t head, int address_a, int address_b, int table,
		     const struct state_view *v)
{
	struct attributes a = { .p = p + NLMSG_ALIGN(head), .len = len };
	const void *data;
	size_t data_len;
	int type;

	if (len < NLMSG_ALIGN(head))
		return false;
	a.len -= NLMSG_ALIGN(head);
	while ((type = next_attribute(&a, &data, &data_len)) >= 0)
		if (((type == address_a || type == address_b) && own_address(v, data, data_len)) ||
		    (type == table && own_table(v, data, data_len)))
			return true;
	return false;
}

static bool link_came(const char *p, size_t len, const struct state_view *v)
{
	struct ifinfomsg m;

	if (len < sizeof(m))
		return false;
	memcpy(&m, p, sizeof(m));
	return (m.ifi_flags & IFF_UP) && (m.ifi_change & IFF_UP) && state_has_ifindex(v, (uint32_t)m.ifi_index);
}

bool net_message_concerns(const void *msg, size_t len, const struct state_view *v)
{
	const struct nlmsghdr *h = msg;
	const char *p = (const char *)msg + NLMSG_HDRLEN;

	if (len < NLMSG_HDRLEN || h->nlmsg_len < NLMSG_HDRLEN || h->nlmsg_len > len)
		return false;
	len = h->nlmsg_len - NLMSG_HDRLEN;
	switch (h->nlmsg_type) {
	case RTM_DELADDR:
		return concerns(p, len, sizeof(struct ifaddrmsg), IFA_ADDRESS, IFA_LOCAL, -1, v);
	case RTM_DELROUTE:
		return concerns(p, len, sizeof(struct rtmsg), RTA_DST, RTA_PREFSRC, RTA_TABLE, v);
	case RTM_DELRULE:
		return concerns(p, len, sizeof(struct fib_rule_hdr), FRA_SRC, FRA_DST, FRA_TABLE, v);
	case RTM_NEWLINK:
		return link_came(p, len, v);
	default:
		return false;
	}
}

static bool packet_concerns(const char *p, size_t len, const char *run_dir, const char *server)
{
	struct state_view v = { .text = NULL };
	bool found = false;

	if (state_open(run_dir, server, &v) < 0)
		return false;
	while (!found && len >= NLMSG_HDRLEN) {
		size_t step = NLMSG_ALIGN((size_t)((const struct nlmsghdr *)(const void *)p)->nlmsg_len);

		found = net_message_concerns(p, len, &v);
		if (step < NLMSG_HDRLEN || step > len)
			break;
		p += step;
		len -= step;
	}
	state_close(&v);
	return found;
}

bool net_read(int fd, const char *run_dir, const char *server)
{
	union {
		struct nlmsghdr align;
		char bytes[BUFFER];
	} buf;
	bool found = false;

	for (unsigned i = 0; i < READS_MAX; i++) {
		struct sockaddr_nl from;
		socklen_t from_len = sizeof(from);
		ssize_t n = recvfrom(fd, &buf, sizeof(buf), MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);

		if (n < 0 && errno == ENOBUFS)
			found = true; /* some were lost: look */
		else if (n < 0 && errno != EINTR)
			break;
		else if (n > 0 && from.nl_pid == 0)
			found = packet_concerns(buf.bytes, (size_t)n, run_dir, server) || found;
	}
	return found;
}
