/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psv/net_frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <netinet/ip6.h>
#include <netpacket/packet.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "lib/cleanup.h"
#include "lib/err.h"

/* ND_OPT_NONCE of RFC 3971; glibc has no name for it. */
enum { OPTION_NONCE = 14, OPTION_BYTES = 8, HOP_LIMIT = 255 };

static const struct ipaddr unspecified6 = { .family = AF_INET6 };
static const struct ipaddr all_nodes = { .family = AF_INET6, .bytes = { 0xff, 0x02, [15] = 1 } };

int net_link_get(uint32_t ifindex, struct net_link *ret, struct err *err)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct net_link l = { 0 };
	struct ifreq r = { 0 };

	if (fd < 0)
		return err_set(err, -errno, "cannot make a socket: %m");
	if (!if_indextoname(ifindex, r.ifr_name) || ioctl(fd, SIOCGIFFLAGS, &r) < 0)
		return err_set(err, -errno, "interface number %u: %m", ifindex);
	l.up = r.ifr_flags & IFF_UP;
	l.ethernet = !(r.ifr_flags & (IFF_LOOPBACK | IFF_NOARP | IFF_POINTOPOINT));
	if (ioctl(fd, SIOCGIFHWADDR, &r) < 0)
		return err_set(err, -errno, "hardware address of %s: %m", r.ifr_name);
	l.ethernet &= r.ifr_hwaddr.sa_family == ARPHRD_ETHER;
	memcpy(l.mac, r.ifr_hwaddr.sa_data, MAC_BYTES);
	*ret = l;
	return 0;
}

void frame_arp(struct frame *f, uint16_t op, const uint8_t mac[MAC_BYTES], const struct ipaddr *sender,
	       const struct ipaddr *target)
{
	struct ether_arp arp = {
		.ea_hdr = { .ar_hrd = htons(ARPHRD_ETHER), .ar_pro = htons(ETH_P_IP), .ar_hln = MAC_BYTES, .ar_pln = 4,
			    .ar_op = htons(op) },
	};

	memcpy(arp.arp_sha, mac, MAC_BYTES);
	if (sender)
		memcpy(arp.arp_spa, sender->bytes, 4);
	/* A reply that nobody asked for names its sender as its target, too (RFC 5944 section 4.6). */
	if (op == ARPOP_REPLY)
		memcpy(arp.arp_tha, mac, MAC_BYTES);
	memcpy(arp.arp_tpa, target->bytes, 4);
	*f = (struct frame){ .protocol = ETH_P_ARP, .len = sizeof(arp) };
	memset(f->to, 0xff, MAC_BYTES);
	memcpy(f->bytes, &arp, sizeof(arp));
}

static uint32_t sum16(uint32_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	return sum;
}

/* The checksum of RFC 8200 section 8.1: with the addresses, the length and the protocol. */
static uint16_t icmp6_checksum(const struct ip6_hdr *ip, const void *data, size_t len)
{
	uint32_t sum = (uint32_t)len + IPPROTO_ICMPV6;

	sum = sum16(sum, &ip->ip6_src, sizeof(ip->ip6_src));
	sum = sum16(sum, &ip->ip6_dst, sizeof(ip->ip6_dst));
	sum = sum16(sum, data, len);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* An ICMPv6 message with one option of eight bytes, which is all that is needed here. */
static void frame_icmp6(struct frame *f, const struct ipaddr *from, const struct ipaddr *to, uint8_t type, uint8_t flags,
			const struct ipaddr *target, uint8_t option, const uint8_t value[OPTION_BYTES - 2])
{
	struct {
		struct ip6_hdr ip;
		struct {
			uint8_t type, code;
			uint16_t checksum;
			uint8_t flags, reserved[3];
			uint8_t target[16];
			uint8_t option, option_length, value[OPTION_BYTES - 2];
		} icmp;
	} m = { .icmp = { .type = type, .flags = flags, .option = option, .option_length = 1 } };

	m.ip.ip6_flow = htonl(6u << 28);
	m.ip.ip6_plen = htons(sizeof(m.icmp));
	m.ip.ip6_nxt = IPPROTO_ICMPV6;
	m.ip.ip6_hlim = HOP_LIMIT;
	memcpy(&m.ip.ip6_src, from->bytes, 16);
	memcpy(&m.ip.ip6_dst, to->bytes, 16);
	memcpy(m.icmp.target, target->bytes, 16);
	memcpy(m.icmp.value, value, sizeof(m.icmp.value));
	m.icmp.checksum = icmp6_checksum(&m.ip, &m.icmp, sizeof(m.icmp));
	_Static_assert(sizeof(m) <= FRAME_BYTES_MAX && sizeof(m) == 40 + 24 + OPTION_BYTES, "as on the wire");
	*f = (struct frame){ .protocol = ETH_P_IPV6, .len = sizeof(m), .to = { 0x33, 0x33 } };
	memcpy(f->to + 2, to->bytes + 12, 4);
	memcpy(f->bytes, &m, sizeof(m));
}

struct ipaddr frame_solicited_node(const struct ipaddr *a)
{
	struct ipaddr r = { .family = AF_INET6, .bytes = { 0xff, 0x02, [11] = 1, [12] = 0xff } };

	memcpy(r.bytes + 13, a->bytes + 13, 3);
	return r;
}

void frame_solicitation(struct frame *f, const struct ipaddr *target, const uint8_t nonce[NONCE_BYTES])
{
	struct ipaddr group = frame_solicited_node(target);

	frame_icmp6(f, &unspecified6, &group, ND_NEIGHBOR_SOLICIT, 0, target, OPTION_NONCE, nonce);
}

void frame_advertisement(struct frame *f, const struct ipaddr *target, const uint8_t mac[MAC_BYTES])
{
	enum { OVERRIDE = 0x20 };

	frame_icmp6(f, target, &all_nodes, ND_NEIGHBOR_ADVERT, OVERRIDE, target, ND_OPT_TARGET_LINKADDR, mac);
}

int frame_socket(uint16_t protocol, struct err *err)
{
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(protocol));

	return fd < 0 ? err_set(err, -errno, "cannot make a packet socket: %m") : fd;
}

int frame_send(int fd, uint32_t ifindex, const struct frame *f, struct err *err)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET, .sll_protocol = htons(f->protocol), .sll_ifindex = (int)ifindex, .sll_halen = MAC_BYTES,
	};
	char name[IF_NAMESIZE];
	int r;

	memcpy(to.sll_addr, f->to, MAC_BYTES);
	if (sendto(fd, f->bytes, f->len, 0, (struct sockaddr *)&to, sizeof(to)) == (ssize_t)f->len)
		return 0;
	r = -errno;
	/* A full queue loses frames as a network does, and the next one will be sent. */
	if (r == -ENOBUFS || r == -EAGAIN)
		return 0;
	return err_set(err, r, "cannot send on %s: %s", if_indextoname(ifindex, name) ? name : "(gone)", strerror(-r));
}
