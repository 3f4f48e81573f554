/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looking, in place of listening (supervise_net.c), whether this server's addresses, rules and routes are as they were.  A message of the
 * kernel's is offered to each listener, a dozen of them at each start of anybody: among a thousand servers it is cheaper that each looks
 * now and then.  Little is asked that takes longer the more servers there are: single addresses, which the kernel finds by a hash, our own
 * tables, and which table a route is taken from that begins at an address, for which the kernel goes through the rules, but lists none.
 *
 * All answers make one number.  Which it is says nothing; that it is another one says that something has changed. */
#include "vsv/supervise.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/nlmsg.h"
#include "vsv/small.h"

/* The routing table of server n is TABLE_BASE + n (psv/net.h). */
#define TABLE_BASE 0x564e0000u
#define FNV_START 14695981039346656037u
#define FNV_PRIME 1099511628211u

enum { ANSWER_BYTES = 32768, ANSWER_S = 1, OTHER_FOLDERS = 4 /* in RUN: locks, bpf, templates, … */ };

static uint64_t mix(uint64_t h, const void *data, size_t len)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * FNV_PRIME;
	return h;
}

/* one_route: what of it lasts: neither whether its interface has a carrier, nor how often it was used. */
static uint64_t one_route(const struct nlmsghdr *h)
{
	struct rtmsg rt;
	uint64_t sum;

	if (nl_payload_len(h) < sizeof(rt))
		return 0;
	memcpy(&rt, nl_payload(h), sizeof(rt));
	rt.rtm_flags = 0;
	sum = mix(FNV_START, &rt, sizeof(rt));
	for (const struct nlattr *a = nl_first_attr(h, sizeof(rt)); nl_attr_ok(a, nl_tail(h)); a = nl_attr_next(a))
		if (nl_attr_type(a) != RTA_CACHEINFO)
			sum = mix(sum, a, a->nla_len);
	return sum;
}

/* table_of: the one that a route was found in; 0: it is not said. */
static uint32_t table_of(const struct nlmsghdr *h)
{
	for (const struct nlattr *a = nl_first_attr(h, sizeof(struct rtmsg)); nl_attr_ok(a, nl_tail(h)); a = nl_attr_next(a))
		if (nl_attr_type(a) == RTA_TABLE && nl_attr_len(a) == sizeof(uint32_t))
			return nl_attr_u32(a);
	return 0;
}

/* take: true: that was the end of the answer.  The routes of a dump may come in any order. */
static bool take(const struct nlmsghdr *h, bool dump, uint64_t *sum)
{
	int error = 0;

	if (h->nlmsg_type == RTM_NEWADDR) {
		*sum += 1;
		return true;
	}
	if (h->nlmsg_type == RTM_NEWROUTE && !dump) {
		uint32_t table = nl_payload_len(h) < sizeof(struct rtmsg) ? 0 : table_of(h);

		*sum += mix(FNV_START, &table, sizeof(table));
		return true;
	}
	if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR) {
		if (nl_payload_len(h) >= sizeof(error))
			memcpy(&error, nl_payload(h), sizeof(error));
		*sum += mix(FNV_START, &error, sizeof(error));
		return true;
	}
	if (h->nlmsg_type == RTM_NEWROUTE)
		*sum += one_route(h);
	return false;
}

/* ask: false: there was no whole answer. */
static bool ask(int fd, const struct nlmsghdr *request, uint64_t *sum)
{
	union {
		struct nlmsghdr align;
		char bytes[ANSWER_BYTES];
	} buf;
	bool dump = (request->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	uint64_t answer = 0;

	if (send(fd, request, request->nlmsg_len, 0) < 0)
		return false;
	for (;;) {
		ssize_t n = recv(fd, &buf, sizeof(buf), 0);
		size_t left = n < 0 ? 0 : (size_t)n;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		for (const struct nlmsghdr *h = &buf.align; nl_ok(h, left); h = nl_next(h, &left)) {
			if (!take(h, dump, &answer))
				continue;
			*sum = mix(*sum, &answer, sizeof(answer));
			return true;
		}
	}
}

/* has_ipv4: without a question over netlink, for which the kernel would list the addresses of all; and not by bind(2), which succeeds
 * everywhere where somebody has set ip_nonlocal_bind. */
static bool has_ipv4(int fd, const unsigned char *addr)
{
	struct ip_mreqn m = { .imr_ifindex = 0 };

	memcpy(&m.imr_address, addr, sizeof(m.imr_address));
	return setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &m, sizeof(m)) == 0;
}

static bool one_address(int rtnl, int inet, const struct own_address *a, uint64_t *sum)
{
	struct {
		struct nlmsghdr h;
		struct ifaddrmsg m;
		char attributes[32];
	} q = { .h = { .nlmsg_len = NLMSG_LENGTH(sizeof(q.m)), .nlmsg_type = RTM_GETADDR, .nlmsg_flags = NLM_F_REQUEST },
		.m = { .ifa_family = AF_INET6, .ifa_index = a->ifindex } };
	bool has;

	if (a->family == AF_INET) {
		has = has_ipv4(inet, a->bytes);
		*sum = mix(*sum, &has, sizeof(has));
		return true;
	}
	nl_attr_put(&q.h, IFA_LOCAL, sizeof(a->bytes), a->bytes);
	return ask(rtnl, &q.h, sum);
}

/* elsewhere: an address that the way to is in our table, and that is nobody's here: to one that the machine has the kernel knows the way
 * before it comes to the rules.  The first one of a network of IPv4, the last one of IPv6 (whose first one is that of any router), the
 * other one of two, and of one alone some address far away: with no gateway its table is empty. */
static void elsewhere(const struct own_address *a, size_t len, unsigned char *ret)
{
	static const unsigned char far4[4] = { 203, 0, 113, 1 }, far6[16] = { 0x20, 0x01, 0x0d, 0xb8, 0xff, 0xff, [15] = 1 };
	unsigned bits = (unsigned)len * 8;

	for (unsigned bit = 0; bit < bits; bit++) {
		unsigned char mask = (unsigned char)(0x80 >> bit % 8);

		if (bit < a->prefix ? a->bytes[bit / 8] & mask : len == sizeof(far6))
			ret[bit / 8] |= mask;
	}
	if (a->prefix == bits - 1)
		ret[len - 1] = a->bytes[len - 1] ^ 1;
	if (a->prefix == bits)
		memcpy(ret, len == sizeof(far4) ? far4 : far6, len);
}

/* one_rule: by which table traffic from that address goes: while its rule stands, by ours. */
static bool one_rule(int rtnl, const struct own_address *a, uint64_t *sum)
{
	size_t len = a->family == AF_INET ? 4 : 16;
	unsigned char to[16] = { 0 };
	struct {
		struct nlmsghdr h;
		struct rtmsg rt;
		char attributes[64];
	} q = { .h = { .nlmsg_len = NLMSG_LENGTH(sizeof(q.rt)), .nlmsg_type = RTM_GETROUTE, .nlmsg_flags = NLM_F_REQUEST },
		.rt = { .rtm_family = (unsigned char)a->family, .rtm_src_len = (unsigned char)(len * 8),
			.rtm_dst_len = (unsigned char)(len * 8), .rtm_flags = a->family == AF_INET ? RTM_F_LOOKUP_TABLE : 0 } };

	elsewhere(a, len, to);
	nl_attr_put(&q.h, RTA_SRC, len, a->bytes);
	nl_attr_put(&q.h, RTA_DST, len, to);
	return ask(rtnl, &q.h, sum);
}

static bool one_table(int rtnl, int family, uint32_t table, uint64_t *sum)
{
	struct {
		struct nlmsghdr h;
		struct rtmsg rt;
		char attributes[32];
	} q = { .h = { .nlmsg_len = NLMSG_LENGTH(sizeof(q.rt)), .nlmsg_type = RTM_GETROUTE, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.rt = { .rtm_family = (unsigned char)family } };

	nl_attr_put(&q.h, RTA_TABLE, sizeof(table), &table);
	return ask(rtnl, &q.h, sum);
}

static bool look(int rtnl, int inet, const struct state_view *v, uint64_t *sum)
{
	struct own_address a;
	const char *at = NULL;
	uint64_t id;

	if (state_number(v, "id", &id) < 0)
		return false;
	while ((at = state_next_address(v, at, &a)))
		if (!one_address(rtnl, inet, &a, sum) || !one_rule(rtnl, &a, sum))
			return false;
	return one_table(rtnl, AF_INET, (uint32_t)(TABLE_BASE + id), sum) && one_table(rtnl, AF_INET6, (uint32_t)(TABLE_BASE + id), sum);
}

uint64_t net_look(const char *run_dir, const char *server)
{
	_cleanup_close_ int rtnl = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	_cleanup_close_ int inet = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct timeval patience = { .tv_sec = ANSWER_S };
	struct state_view v = { .text = NULL };
	uint64_t sum = FNV_START;
	int one = 1;
	bool whole;

	/* Strictly: else a dump of one table is one of all. */
	if (rtnl < 0 || inet < 0 || setsockopt(rtnl, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof(one)) < 0 ||
	    setsockopt(rtnl, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 || state_open(run_dir, server, &v) < 0)
		return 0;
	whole = look(rtnl, inet, &v, &sum);
	state_close(&v);
	return !whole ? 0 : sum ? sum : 1;
}

bool net_is_crowded(const char *run_dir)
{
	struct stat st;

	/* A folder of memory counts the folders in it, one for each server that runs. */
	return stat(run_dir, &st) == 0 && st.st_nlink > 2 + OTHER_FOLDERS + NET_LISTENERS_MAX;
}
