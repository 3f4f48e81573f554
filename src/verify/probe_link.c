/* SPDX-License-Identifier: GPL-2.0-or-later */
/* (a) kinds of sockets and their options, the interfaces' settings, and what can be seen of others' network. */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "verify/probe_net.h"
#include "vsv/small.h"

#ifndef SO_BINDTOIFINDEX
#define SO_BINDTOIFINDEX 62
#endif
enum { LOCAL_PORT_RANGE = 51, PROTO_MPTCP = 262, PROTO_UDPLITE = 136, PROTO_SCTP = 132, NO_LINK = 0x7ffffff0, ANSWER_MS = 1000 };
enum { FLOWLABEL_MGR = 32, LABEL_GET = 0, LABEL_EXCLUSIVE = 1, LABEL_CREATE = 1, ESP_IN_UDP = 2, OPT_UDP_ENCAP = 100, OPT_TCP_ULP = 31 };
enum { FAMILY_RDS = 21, FAMILY_CAN = 29, FAMILY_TIPC = 30, FAMILY_BLUETOOTH = 31, FAMILY_ALG = 38, FAMILY_VSOCK = 40,
       FAMILY_KCM = 41, FAMILY_QIPCRTR = 42, FAMILY_SMC = 43, FAMILY_XDP = 44, FAMILY_KEY = 15, FAMILY_APPLETALK = 5 };

static int try_socket(int family, int type, int protocol)
{
	int fd = socket(family, type | SOCK_CLOEXEC, protocol), r = outcome(fd);

	if (fd >= 0)
		(void)close(fd);
	return r;
}

#define SOCKET(name, family, type, protocol) \
	int name(const struct target *t)     \
	{                                    \
		(void)t;                     \
		return try_socket(family, type, protocol); \
	}
SOCKET(socket_raw, AF_INET, SOCK_RAW, IPPROTO_ICMP)
SOCKET(socket_raw6, AF_INET6, SOCK_RAW, IPPROTO_ICMPV6)
SOCKET(socket_ping, AF_INET, SOCK_DGRAM, IPPROTO_ICMP)
SOCKET(socket_ping6, AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6)
SOCKET(socket_packet, AF_PACKET, SOCK_RAW, 0x0300)
SOCKET(socket_vsock, FAMILY_VSOCK, SOCK_STREAM, 0)
SOCKET(socket_mptcp, AF_INET, SOCK_STREAM, PROTO_MPTCP)
SOCKET(socket_udplite, AF_INET, SOCK_DGRAM, PROTO_UDPLITE)
SOCKET(socket_sctp, AF_INET, SOCK_STREAM, PROTO_SCTP)
SOCKET(socket_alg, FAMILY_ALG, SOCK_SEQPACKET, 0)
SOCKET(socket_xdp, FAMILY_XDP, SOCK_RAW, 0)

int socket_others(const struct target *t)
{
	static const struct {
		int family, type, protocol;
	} kinds[] = {
		{ FAMILY_RDS, SOCK_SEQPACKET, 0 }, { FAMILY_CAN, SOCK_RAW, 1 },       { FAMILY_TIPC, SOCK_SEQPACKET, 0 },
		{ FAMILY_KCM, SOCK_DGRAM, 0 },     { FAMILY_BLUETOOTH, SOCK_RAW, 1 }, { FAMILY_QIPCRTR, SOCK_DGRAM, 0 },
		{ FAMILY_SMC, SOCK_STREAM, 0 },    { FAMILY_KEY, SOCK_RAW, 2 },       { FAMILY_APPLETALK, SOCK_DGRAM, 0 },
		{ AF_INET, SOCK_RAW, IPPROTO_TCP }, { AF_INET, SOCK_RAW, 255 },
	};
	int r = ANSWER_NOTHING;

	(void)t;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		r = worse(r, try_socket(kinds[i].family, kinds[i].type, kinds[i].protocol));
	return r;
}

/* Packet filter, auditing, generic netlink, devices' events, sockets of everybody, and kin. */
int netlink_others(const struct target *t)
{
	int r = ANSWER_NOTHING;

	(void)t;
	for (int protocol = 1; protocol < 24; protocol++)
		r = worse(r, try_socket(AF_NETLINK, SOCK_RAW, protocol));
	return r;
}

int socket_own(const struct target *t)
{
	static const struct {
		int family, type;
	} kinds[] = { { AF_INET, SOCK_STREAM }, { AF_INET, SOCK_DGRAM }, { AF_INET6, SOCK_STREAM }, { AF_INET6, SOCK_DGRAM },
		      { AF_UNIX, SOCK_STREAM }, { AF_NETLINK, SOCK_RAW } };
	int r = 0;

	(void)t;
	for (size_t i = 0; r == 0 && i < sizeof(kinds) / sizeof(*kinds); i++)
		r = try_socket(kinds[i].family, kinds[i].type, 0);
	return r;
}

int gate_socket_own(const struct target *t)
{
	int r = try_socket(AF_INET, SOCK_STREAM, 0);

	(void)t;
	return r == 0 ? try_socket(AF_INET6, SOCK_DGRAM, 0) : r;
}

static int set_option(int level, int option, const void *value, socklen_t len)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		return -errno;
	r = outcome(setsockopt(fd, level, option, value, len));
	(void)close(fd);
	return r;
}
int option_own(const struct target *t)
{
	int one = 1;

	(void)t;
	return set_option(SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
}
int option_device(const struct target *t)
{
	(void)t;
	return set_option(SOL_SOCKET, SO_BINDTODEVICE, "lo", 3);
}
int option_ifindex(const struct target *t)
{
	int lo = 1;

	(void)t;
	return set_option(SOL_SOCKET, SO_BINDTOIFINDEX, &lo, sizeof(lo));
}
int option_mark(const struct target *t)
{
	int mark = 1;

	(void)t;
	return set_option(SOL_SOCKET, SO_MARK, &mark, sizeof(mark));
}
int option_port_range(const struct target *t)
{
	uint32_t range = 700u << 16 | 600u;

	(void)t;
	return set_option(IPPROTO_IP, LOCAL_PORT_RANGE, &range, sizeof(range));
}
/* Memory that the kernel counts by the user's number. */
int option_zerocopy(const struct target *t)
{
	int one = 1;

	(void)t;
	return set_option(SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one));
}
/* One of 4,096 labels of the machine, for which a routing header could be laid down. */
int option_flow_label(const struct target *t)
{
	/* struct in6_flowlabel_req of linux/in6.h, whose other names are netinet/in.h's. */
	const struct {
		struct in6_addr to;
		uint32_t label;
		uint8_t action, share;
		uint16_t flags, expires, linger;
		uint32_t pad;
	} req = { .action = LABEL_GET, .share = LABEL_EXCLUSIVE, .flags = LABEL_CREATE };
	const union address six = wildcard(AF_INET6);
	int fd = socket_for(&six, SOCK_DGRAM), r;

	(void)t;
	if (fd < 0)
		return fd == -EAFNOSUPPORT ? ANSWER_NOTHING : fd;
	r = outcome(setsockopt(fd, IPPROTO_IPV6, FLOWLABEL_MGR, &req, sizeof(req)));
	(void)close(fd);
	return r;
}
/* Protocols inside of TCP and of UDP: ESP here and there. */
int option_protocol(const struct target *t)
{
	const union address four = wildcard(AF_INET);
	int fd = socket_for(&four, SOCK_DGRAM), type = ESP_IN_UDP, r;

	(void)t;
	if (fd < 0)
		return fd;
	r = outcome(setsockopt(fd, IPPROTO_UDP, OPT_UDP_ENCAP, &type, sizeof(type)));
	(void)close(fd);
	fd = socket_for(&four, SOCK_STREAM);
	if (fd < 0)
		return fd;
	r = worse(r, outcome(setsockopt(fd, IPPROTO_TCP, OPT_TCP_ULP, "espintcp", 8)));
	(void)close(fd);
	return r;
}

/* ---- rtnetlink ---- */

struct request {
	struct nlmsghdr h;
	char body[128];
};

static int open_route(struct request *m, uint16_t type, uint16_t flags, const void *body, size_t len)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), r;

	if (fd < 0)
		return -errno;
	memset(m, 0, sizeof(*m));
	m->h.nlmsg_type = type;
	m->h.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	m->h.nlmsg_len = (uint32_t)NLMSG_LENGTH(len);
	memcpy(m->body, body, len);
	if (send(fd, m, m->h.nlmsg_len, 0) < 0) {
		r = -errno;
		(void)close(fd);
		return r;
	}
	return fd;
}

/* change: the kernel's answer to one request, whose content is impossible: who has the right gets another error. */
static int change(uint16_t type, uint16_t flags, const void *body, size_t len)
{
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		char rest[512];
	} answer;
	struct request m;
	int fd = open_route(&m, type, (uint16_t)(NLM_F_ACK | flags), body, len);
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (fd < 0)
		return fd;
	if (poll(&p, 1, ANSWER_MS) != 1 || recv(fd, &answer, sizeof(answer), 0) < (ssize_t)NLMSG_LENGTH(sizeof(answer.e))) {
		(void)close(fd);
		return -ETIMEDOUT;
	}
	(void)close(fd);
	return answer.h.nlmsg_type == NLMSG_ERROR && answer.e.error == -EPERM ? -EPERM : 0;
}

int address_add(const struct target *t)
{
	struct {
		struct ifaddrmsg m;
		struct rtattr a;
		uint32_t addr;
	} body = { .m = { .ifa_family = AF_INET, .ifa_prefixlen = 32, .ifa_index = NO_LINK },
		   .a = { .rta_len = RTA_LENGTH(4), .rta_type = IFA_LOCAL },
		   .addr = 0x0100007f };

	(void)t;
	return change(RTM_NEWADDR, NLM_F_CREATE, &body, sizeof(body));
}
int route_add(const struct target *t)
{
	struct {
		struct rtmsg m;
		struct rtattr a;
		uint32_t link;
	} body = { .m = { .rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN, .rtm_type = RTN_UNICAST, .rtm_scope = RT_SCOPE_LINK },
		   .a = { .rta_len = RTA_LENGTH(4), .rta_type = RTA_OIF },
		   .link = NO_LINK };

	(void)t;
	return change(RTM_NEWROUTE, NLM_F_CREATE, &body, sizeof(body));
}
int link_change(const struct target *t)
{
	struct ifinfomsg m = { .ifi_index = NO_LINK, .ifi_change = IFF_PROMISC, .ifi_flags = IFF_PROMISC };

	(void)t;
	return change(RTM_SETLINK, 0, &m, sizeof(m));
}
int neighbour_add(const struct target *t)
{
	struct ndmsg m = { .ndm_family = AF_INET, .ndm_ifindex = NO_LINK, .ndm_state = NUD_PERMANENT };

	(void)t;
	return change(RTM_NEWNEIGH, NLM_F_CREATE, &m, sizeof(m));
}
int interface_ioctl(const struct target *t)
{
	struct ifreq r = { .ifr_name = "vnas-none" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), answer;

	(void)t;
	if (fd < 0)
		return -errno;
	answer = past(ioctl(fd, SIOCSIFFLAGS, &r), ENODEV);
	(void)close(fd);
	return answer;
}

const void *route_after(const void *p, unsigned len, unsigned *left)
{
	unsigned step = NLMSG_ALIGN(len) < *left ? NLMSG_ALIGN(len) : *left;

	*left -= step;
	return (const char *)p + step;
}

int route_dump(uint16_t type, row_function *is_it, const void *wanted)
{
	static union {
		char bytes[32768];
		struct nlmsghdr align;
	} buf;
	struct rtgenmsg all = { .rtgen_family = AF_UNSPEC };
	struct request m;
	int fd = open_route(&m, type, NLM_F_DUMP, &all, sizeof(all)), r = -ENOENT;
	bool done = false;

	if (fd < 0)
		return fd;
	while (!done) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t n = poll(&p, 1, ANSWER_MS) == 1 ? recv(fd, &buf, sizeof(buf), 0) : -1;
		unsigned left = n > 0 ? (unsigned)n : 0;

		if (n <= 0) {
			r = -ETIMEDOUT;
			break;
		}
		for (const struct nlmsghdr *h = &buf.align; NLMSG_OK(h, left); h = route_after(h, h->nlmsg_len, &left)) {
			if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR)
				done = true;
			else if (is_it(h, wanted))
				r = 0;
		}
	}
	(void)close(fd);
	return r;
}

static bool any_row(const struct nlmsghdr *h, const void *wanted)
{
	(void)h;
	(void)wanted;
	return true;
}
int route_read(const struct target *t)
{
	(void)t;
	return route_dump(RTM_GETLINK, any_row, NULL);
}

bool route_is_address(const struct nlmsghdr *h, const void *wanted)
{
	const struct addresses *list = wanted;
	const struct ifaddrmsg *m = NLMSG_DATA(h);
	unsigned left = (unsigned)(h->nlmsg_len - NLMSG_LENGTH(0));

	for (const struct rtattr *a = route_after(m, sizeof(*m), &left); RTA_OK(a, left); a = route_after(a, a->rta_len, &left)) {
		if (a->rta_type != IFA_ADDRESS && a->rta_type != IFA_LOCAL)
			continue;
		for (unsigned i = 0; i < list->n; i++) {
			const union address *w = &list->v[i];
			const void *bytes = address_is4(w) ? (const void *)&w->in4.sin_addr : &w->in6.sin6_addr;

			if (m->ifa_family == w->sa.sa_family && memcmp(RTA_DATA(a), bytes, address_is4(w) ? 4 : 16) == 0)
				return true;
		}
	}
	return false;
}
int see_addresses(const struct target *t)
{
	return t->own.n ? route_dump(RTM_GETADDR, route_is_address, &t->own) : ANSWER_NOTHING;
}

bool route_is_link(const struct nlmsghdr *h, const void *wanted)
{
	const struct target *t = wanted;
	const struct ifinfomsg *m = NLMSG_DATA(h);
	unsigned left = (unsigned)(h->nlmsg_len - NLMSG_LENGTH(0));

	for (const struct rtattr *a = route_after(m, sizeof(*m), &left); RTA_OK(a, left); a = route_after(a, a->rta_len, &left))
		for (unsigned i = 0; a->rta_type == IFLA_ADDRESS && RTA_PAYLOAD(a) == 6 && i < t->n_links; i++)
			if (memcmp(RTA_DATA(a), t->links[i], 6) == 0)
				return true;
	return false;
}
int see_links(const struct target *t)
{
	return t->n_links ? route_dump(RTM_GETLINK, route_is_link, t) : ANSWER_NOTHING;
}

/* ---- /proc/net ---- */

/* contains: a text file has that text; 0, -ENOENT, -errno. */
static int contains(const char *path, const char *text)
{
	static char buf[16384];
	size_t kept = 0, want = strlen(text);
	int fd = open(path, O_RDONLY | O_CLOEXEC), r = -ENOENT;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while (r != 0 && (n = read(fd, buf + kept, sizeof(buf) - 1 - kept)) > 0) {
		size_t len = kept + (size_t)n;

		buf[len] = '\0';
		if (memmem(buf, len, text, want))
			r = 0;
		kept = len < want ? len : want;
		memmove(buf, buf + len - kept, kept);
	}
	(void)close(fd);
	return r;
}

static void add_digits(struct text *t, uint32_t word, int shift)
{
	static const char digits[] = "0123456789ABCDEF";

	for (; shift >= 0; shift -= 4)
		text_add_n(t, &digits[word >> shift & 0xf], 1);
}
static void add_hex(struct text *t, uint32_t word) { add_digits(t, word, 28); }
static void add_hex_port(struct text *t, uint16_t port) { add_digits(t, port, 12); }

/* A listener of the Psv's, by the way in which /proc writes its address. */
int see_sockets(const struct target *t)
{
	int r = ANSWER_NOTHING;

	for (unsigned i = 0; i < t->tcp.n && r != 0; i++) {
		const union address *a = &t->tcp.v[i];
		char text[128] = "";
		struct text hex = TEXT(text);
		uint32_t words[4];

		text_add(&hex, " ");
		memcpy(words, address_is4(a) ? (const void *)&a->in4.sin_addr : &a->in6.sin6_addr, address_is4(a) ? 4 : 16);
		for (unsigned k = 0; k < (address_is4(a) ? 1u : 4u); k++)
			add_hex(&hex, words[k]);
		text_add(&hex, ":");
		add_hex_port(&hex, ntohs(address_is4(a) ? a->in4.sin_port : a->in6.sin6_port));
		/* Nobody at the other end, and the state of a listener. */
		text_add(&hex, address_is4(a) ? " 00000000:0000 0A" : " 00000000000000000000000000000000:0000 0A");
		r = worse(r, contains(address_is4(a) ? "/proc/self/net/tcp" : "/proc/self/net/tcp6", text));
	}
	return r;
}

int see_abstract(const struct target *t)
{
	return t->abstract[0] ? contains("/proc/self/net/unix", t->abstract) : ANSWER_NOTHING;
}
