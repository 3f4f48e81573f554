/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asking the network whether somebody has an address already: by ARP probes (RFC 5227) and by what IPv6's duplicate
 * address detection sends (RFC 4862), all addresses at once.
 *
 * An answer is a conflict; so is somebody else's probe for the same address, who would take it at the same time. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/str.h"
#include "lib/when.h"
#include "psv/net.h"
#include "psv/net_frame.h"

enum { PROBES = 3, TARGETS_MAX = 256, HOP_LIMIT = 255, OPTION_NONCE = 14 };

struct target {
	const struct ipaddr *addr;
	uint32_t ifindex;
	bool asked; /* its link has neighbours that can be asked */
	uint8_t mac[MAC_BYTES];
	uint8_t nonce[NONCE_BYTES];
};

struct probe {
	struct target *targets;
	size_t n;
	int packet; /* sends all, receives ARP */
	int icmp6;  /* receives solicitations and advertisements; -1: no IPv6 address */
	size_t taken;
	char mac[18];
};

static void mac_str(const uint8_t *mac, char buf[18])
{
	(void)str_format(buf, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

static struct target *target_find(const struct probe *p, uint8_t family, const void *addr, uint32_t ifindex)
{
	for (size_t i = 0; i < p->n; i++) {
		struct target *t = &p->targets[i];

		if (t->addr->family == family && t->ifindex == ifindex && memcmp(t->addr->bytes, addr, ipaddr_len(t->addr)) == 0)
			return t;
	}
	return NULL;
}

/* The answer of RFC 5227 section 2.1.1: a packet from that address, or another's probe for it. */
static struct target *arp_conflict(const struct probe *p, const struct ether_arp *arp, uint32_t ifindex)
{
	static const uint8_t zero[4];
	struct target *t = target_find(p, AF_INET, arp->arp_spa, ifindex);

	if (!t && arp->ea_hdr.ar_op == htons(ARPOP_REQUEST) && memcmp(arp->arp_spa, zero, sizeof(zero)) == 0)
		t = target_find(p, AF_INET, arp->arp_tpa, ifindex);
	/* Our own, sent back by a switch. */
	if (t && memcmp(arp->arp_sha, t->mac, MAC_BYTES) == 0)
		return NULL;
	return t;
}

/* 1: somebody answered. */
static int read_arp(struct probe *p)
{
	for (;;) {
		struct sockaddr_ll from;
		socklen_t from_len = sizeof(from);
		struct ether_arp arp;
		struct target *t;
		ssize_t n = recvfrom(p->packet, &arp, sizeof(arp), 0, (struct sockaddr *)&from, &from_len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return 0; /* EAGAIN; or the link went down, which the next frame tells */
		if ((size_t)n < sizeof(arp) || from.sll_pkttype == PACKET_OUTGOING || arp.ea_hdr.ar_pro != htons(ETH_P_IP) ||
		    arp.ea_hdr.ar_hln != MAC_BYTES || arp.ea_hdr.ar_pln != 4)
			continue;
		t = arp_conflict(p, &arp, (uint32_t)from.sll_ifindex);
		if (!t)
			continue;
		p->taken = (size_t)(t - p->targets);
		mac_str(arp.arp_sha, p->mac);
		return 1;
	}
}

/* The value of an option of that type with at least six bytes in it, or NULL. */
static const uint8_t *nd_option(const uint8_t *options, size_t len, uint8_t type)
{
	while (len >= 8) {
		size_t n = (size_t)options[1] * 8;

		if (n == 0 || n > len)
			return NULL;
		if (options[0] == type)
			return options + 2;
		options += n;
		len -= n;
	}
	return NULL;
}

static bool nd_conflict(struct probe *p, const uint8_t *m, size_t len, const struct sockaddr_in6 *from, uint32_t ifindex)
{
	const struct nd_neighbor_solicit *nd = (const void *)m; /* both messages begin the same way */
	const uint8_t *mac, *nonce;
	struct target *t;

	if (len < sizeof(*nd))
		return false;
	t = target_find(p, AF_INET6, &nd->nd_ns_target, ifindex);
	if (!t)
		return false;
	if (nd->nd_ns_type == ND_NEIGHBOR_SOLICIT) {
		nonce = nd_option(m + sizeof(*nd), len - sizeof(*nd), OPTION_NONCE);
		/* Somebody who only looks for that address has one of his own. */
		if (!IN6_IS_ADDR_UNSPECIFIED(&from->sin6_addr) || (nonce && memcmp(nonce, t->nonce, NONCE_BYTES) == 0))
			return false;
	}
	mac = nd->nd_ns_type == ND_NEIGHBOR_ADVERT ? nd_option(m + sizeof(*nd), len - sizeof(*nd), ND_OPT_TARGET_LINKADDR) : NULL;
	p->taken = (size_t)(t - p->targets);
	(void)str_copy(p->mac, sizeof(p->mac), "another host");
	if (mac)
		mac_str(mac, p->mac);
	return true;
}

static int read_icmp6(struct probe *p)
{
	for (;;) {
		union {
			struct cmsghdr align;
			char bytes[256];
		} control;
		uint8_t m[512] __attribute__((aligned(8)));
		struct sockaddr_in6 from = { 0 };
		struct iovec iov = { m, sizeof(m) };
		struct msghdr msg = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1,
				      .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes) };
		struct in6_pktinfo info = { 0 };
		int hops = 0;
		ssize_t n = recvmsg(p->icmp6, &msg, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return 0;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
			if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)
				memcpy(&info, CMSG_DATA(c), sizeof(info));
			if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT)
				memcpy(&hops, CMSG_DATA(c), sizeof(hops));
		}
		/* Less: it came through a router, and says nothing about this network. */
		if (hops == HOP_LIMIT && nd_conflict(p, m, (size_t)n, &from, info.ipi6_ifindex))
			return 1;
	}
}

static int open_icmp6(struct probe *p, struct err *err)
{
	struct icmp6_filter filter;
	int one = 1;

	p->icmp6 = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMPV6);
	ICMP6_FILTER_SETBLOCKALL(&filter);
	ICMP6_FILTER_SETPASS(ND_NEIGHBOR_SOLICIT, &filter);
	ICMP6_FILTER_SETPASS(ND_NEIGHBOR_ADVERT, &filter);
	if (p->icmp6 < 0 || setsockopt(p->icmp6, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof(filter)) < 0 ||
	    setsockopt(p->icmp6, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof(one)) < 0 ||
	    setsockopt(p->icmp6, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &one, sizeof(one)) < 0)
		return err_set(err, -errno, "cannot listen for neighbour advertisements: %m");
	return 0;
}

/* Others' solicitations go to a group that only who has the address would hear. */
static void join(const struct probe *p, const struct target *t)
{
	struct ipaddr group = frame_solicited_node(t->addr);
	struct ipv6_mreq mreq = { .ipv6mr_interface = t->ifindex };

	memcpy(&mreq.ipv6mr_multiaddr, group.bytes, 16);
	(void)setsockopt(p->icmp6, IPPROTO_IPV6, IPV6_JOIN_GROUP, &mreq, sizeof(mreq));
}

static int prepare(struct probe *p, const struct conf_address *a, const uint32_t *ifindex, struct err *err)
{
	bool any = false;

	for (size_t i = 0; i < p->n; i++) {
		struct target *t = &p->targets[i];
		char name[IF_NAMESIZE] = "?";
		struct net_link link;
		int r;

		*t = (struct target){ .addr = &a[i].addr, .ifindex = ifindex[i] };
		r = net_link_get(t->ifindex, &link, err);
		if (r < 0)
			return r;
		if (!link.up) {
			(void)if_indextoname(t->ifindex, name);
			(void)err_set(err, -ENETDOWN, "interface %s is down", name);
			return err_hint(err, -ENETDOWN, "ip link set %s up", name);
		}
		if (getrandom(t->nonce, sizeof(t->nonce), 0) != (ssize_t)sizeof(t->nonce))
			return err_set(err, -errno, "cannot get random bytes: %m");
		memcpy(t->mac, link.mac, MAC_BYTES);
		t->asked = link.ethernet;
		any |= t->asked;
		if (t->addr->family != AF_INET6 || !t->asked)
			continue;
		r = p->icmp6 < 0 ? open_icmp6(p, err) : 0;
		if (r < 0)
			return r;
		join(p, t);
	}
	return any;
}

static int send_probes(const struct probe *p, struct err *err)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct target *t = &p->targets[i];
		struct frame f;
		int r;

		if (!t->asked)
			continue;
		if (t->addr->family == AF_INET)
			frame_arp(&f, ARPOP_REQUEST, t->mac, NULL, t->addr);
		else
			frame_solicitation(&f, t->addr, t->nonce);
		r = frame_send(p->packet, t->ifindex, &f, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Listens until then.  1: somebody answered. */
static int listen_until(struct probe *p, int64_t end)
{
	struct pollfd fds[] = { { .fd = p->packet, .events = POLLIN }, { .fd = p->icmp6, .events = POLLIN } };

	for (;;) {
		int64_t left = end - now_ms();

		if (poll(fds, 2, left > 0 ? (int)left : 0) > 0 && (read_arp(p) || (p->icmp6 >= 0 && read_icmp6(p))))
			return 1;
		if (left <= 0)
			return 0;
	}
}

static int ask(struct probe *p, int wait_ms, struct err *err)
{
	int64_t start = now_ms();
	int r = 0;

	/* The probes fill the first half of the time, so that the last one has the other half to be answered in. */
	for (int i = 0; i < PROBES && r == 0; i++) {
		bool last = i == PROBES - 1;

		r = send_probes(p, err);
		if (r == 0)
			r = listen_until(p, start + (last ? wait_ms : wait_ms * (i + 1) / (2 * (PROBES - 1))));
	}
	return r;
}

static void probe_close(struct probe *p)
{
	cleanup_close(&p->packet);
	cleanup_close(&p->icmp6);
	free(p->targets);
}

int net_probe(const struct conf_address *a, const uint32_t *ifindex, size_t n, int wait_ms, size_t *ret_taken,
	      char ret_mac[18], struct err *err)
{
	_cleanup_(probe_close) struct probe p = { .n = n, .packet = -1, .icmp6 = -1 };
	int r;

	if (n > TARGETS_MAX)
		return err_set(err, -E2BIG, "too many addresses at once: %zu", n);
	p.targets = xcalloc(n, sizeof(*p.targets));
	r = prepare(&p, a, ifindex, err);
	if (r <= 0)
		return r;
	p.packet = frame_socket(ETH_P_ARP, err);
	if (p.packet < 0)
		return p.packet;
	r = ask(&p, wait_ms, err);
	if (r <= 0)
		return r;
	*ret_taken = p.taken;
	(void)str_copy(ret_mac, 18, p.mac);
	return 1;
}
