/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Row (a): addresses, socket kinds, loopback, sources, the interfaces' own settings.
 * Parameters: own4 own6 psv4 psv6 other4 other6 absent4 absent6 broadcast4, client4 client6 client_port (a service that
 * answers with the address it was called from), psv_port (listens on every address of the Psv), other_port. */
#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51
#endif
#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

enum { ANSWER_MS = 2000 };

union address {
	struct sockaddr sa;
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;
};

/* address: text to a socket address; "::ffff:A.B.C.D" gives a mapped one.  Returns its length. */
static socklen_t address(const char *text, unsigned port, union address *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, text, &ret->in4.sin_addr) == 1) {
		ret->in4.sin_family = AF_INET;
		ret->in4.sin_port = htons((uint16_t)port);
		return sizeof(ret->in4);
	}
	ret->in6.sin6_family = AF_INET6;
	ret->in6.sin6_port = htons((uint16_t)port);
	(void)inet_pton(AF_INET6, text, &ret->in6.sin6_addr);
	return sizeof(ret->in6);
}

static const char *address_text(const union address *a)
{
	static char text[INET6_ADDRSTRLEN];

	if (a->sa.sa_family == AF_INET)
		return inet_ntop(AF_INET, &a->in4.sin_addr, text, sizeof(text));
	return inet_ntop(AF_INET6, &a->in6.sin6_addr, text, sizeof(text));
}

static int bind_to(const char *text, int type, int level, int option)
{
	union address a;
	socklen_t len = address(text, 0, &a);
	int one = 1, fd = socket(a.sa.sa_family, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (option && setsockopt(fd, level, option, &one, sizeof(one)) < 0)
		return -errno;
	return outcome(bind(fd, &a.sa, len));
}

#define BIND(function, key, type, level, option)                   \
	static int function(void)                                  \
	{                                                          \
		return bind_to(param(key), type, level, option);   \
	}
BIND(bind_own4, "own4", SOCK_STREAM, 0, 0)
BIND(bind_own6, "own6", SOCK_STREAM, 0, 0)
BIND(bind_own4_udp, "own4", SOCK_DGRAM, 0, 0)
BIND(bind_own6_udp, "own6", SOCK_DGRAM, 0, 0)
BIND(bind_psv4, "psv4", SOCK_STREAM, 0, 0)
BIND(bind_psv6, "psv6", SOCK_STREAM, 0, 0)
BIND(bind_psv4_udp, "psv4", SOCK_DGRAM, 0, 0)
BIND(bind_psv6_udp, "psv6", SOCK_DGRAM, 0, 0)
BIND(bind_other4, "other4", SOCK_STREAM, 0, 0)
BIND(bind_other6, "other6", SOCK_STREAM, 0, 0)
BIND(bind_other4_udp, "other4", SOCK_DGRAM, 0, 0)
BIND(bind_other6_udp, "other6", SOCK_DGRAM, 0, 0)
BIND(bind_other4_freebind, "other4", SOCK_STREAM, SOL_IP, IP_FREEBIND)
BIND(bind_other6_freebind, "other6", SOCK_STREAM, SOL_IPV6, IPV6_FREEBIND)
BIND(bind_absent4_freebind, "absent4", SOCK_STREAM, SOL_IP, IP_FREEBIND)
BIND(bind_absent6_freebind, "absent6", SOCK_STREAM, SOL_IPV6, IPV6_FREEBIND)
BIND(bind_absent4_udp_freebind, "absent4", SOCK_DGRAM, SOL_IP, IP_FREEBIND)
BIND(bind_other4_transparent, "other4", SOCK_STREAM, SOL_IP, IP_TRANSPARENT)
BIND(bind_other6_transparent, "other6", SOCK_STREAM, SOL_IPV6, IPV6_TRANSPARENT)
BIND(bind_broadcast4, "broadcast4", SOCK_DGRAM, 0, 0)

static int bind_mapped(const char *key)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "::ffff:%s", param(key));
	return bind_to(text, SOCK_STREAM, 0, 0);
}
static int bind_mapped_own4(void) { return bind_mapped("own4"); }
static int bind_mapped_other4(void) { return bind_mapped("other4"); }
static int bind_mapped_psv4(void) { return bind_mapped("psv4"); }
static int bind_mdns4(void) { return bind_to("224.0.0.251", SOCK_DGRAM, 0, 0); }
static int bind_ssdp4(void) { return bind_to("239.255.255.250", SOCK_DGRAM, 0, 0); }
static int bind_mdns6(void) { return bind_to("ff02::fb", SOCK_DGRAM, 0, 0); }
static int bind_wsd6(void) { return bind_to("ff02::c", SOCK_DGRAM, 0, 0); }
static int bind_limited_broadcast(void) { return bind_to("255.255.255.255", SOCK_DGRAM, 0, 0); }

/* Binding the wildcard address succeeds; what the socket is bound to then is the answer. */
static int bind_wildcard(const char *any, int type, int v6only)
{
	union address a;
	socklen_t len = address(any, 0, &a);
	int fd = socket(a.sa.sa_family, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (v6only >= 0 && setsockopt(fd, SOL_IPV6, IPV6_V6ONLY, &v6only, sizeof(v6only)) < 0)
		return -errno;
	if (bind(fd, &a.sa, len) < 0)
		return -errno;
	if (type == SOCK_STREAM && listen(fd, 1) < 0)
		return -errno;
	len = sizeof(a);
	if (getsockname(fd, &a.sa, &len) < 0)
		return -errno;
	return result("%s", address_text(&a));
}
static int wildcard4(void) { return bind_wildcard("0.0.0.0", SOCK_STREAM, -1); }
static int wildcard4_udp(void) { return bind_wildcard("0.0.0.0", SOCK_DGRAM, -1); }
static int wildcard6_only(void) { return bind_wildcard("::", SOCK_STREAM, 1); }
static int wildcard6_dual(void) { return bind_wildcard("::", SOCK_STREAM, 0); }
static int wildcard6_udp(void) { return bind_wildcard("::", SOCK_DGRAM, 1); }

/* listen() without bind(): the address it ended on, which must not answer for anybody else. */
static int listen_unbound4(void)
{
	union address a;
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || listen(fd, 1) < 0 || getsockname(fd, &a.sa, &len) < 0)
		return -errno;
	return result("listening");
}

/* serve: listens on the wildcard address, and tells each caller the address at which it was reached, until the alarm. */
static int serve(void)
{
	union address a;
	socklen_t len = address("::", param_number("listen_port"), &a);
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), zero = 0;

	if (fd < 0 || setsockopt(fd, SOL_IPV6, IPV6_V6ONLY, &zero, sizeof(zero)) < 0 || bind(fd, &a.sa, len) < 0 ||
	    listen(fd, 8) < 0)
		return -errno;
	for (;;) {
		int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

		len = sizeof(a);
		if (c < 0 || getsockname(c, &a.sa, &len) < 0)
			return -errno;
		(void)dprintf(c, "%s\n", address_text(&a));
		(void)close(c);
	}
}

#define SOCKET(function, family, type, protocol)                                  \
	static int function(void)                                                 \
	{                                                                         \
		return outcome(socket(family, (type) | SOCK_CLOEXEC, protocol));  \
	}
SOCKET(socket_tcp4, AF_INET, SOCK_STREAM, 0)
SOCKET(socket_udp6, AF_INET6, SOCK_DGRAM, 0)
SOCKET(socket_unix, AF_UNIX, SOCK_STREAM, 0)
SOCKET(socket_route, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)
SOCKET(socket_raw4, AF_INET, SOCK_RAW, IPPROTO_ICMP)
SOCKET(socket_raw6, AF_INET6, SOCK_RAW, IPPROTO_ICMPV6)
SOCKET(socket_raw4_tcp, AF_INET, SOCK_RAW, IPPROTO_TCP)
SOCKET(socket_ping4, AF_INET, SOCK_DGRAM, IPPROTO_ICMP)
SOCKET(socket_ping6, AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6)
SOCKET(socket_packet, AF_PACKET, SOCK_RAW, htons(ETH_P_ALL))
SOCKET(socket_vsock, AF_VSOCK, SOCK_STREAM, 0)
SOCKET(socket_mptcp4, AF_INET, SOCK_STREAM, IPPROTO_MPTCP)
SOCKET(socket_udplite4, AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE)
SOCKET(socket_sctp4, AF_INET, SOCK_STREAM, IPPROTO_SCTP)
SOCKET(socket_alg, AF_ALG, SOCK_SEQPACKET, 0)
SOCKET(socket_xdp, AF_XDP, SOCK_RAW, 0)
SOCKET(socket_tipc, AF_TIPC, SOCK_SEQPACKET, 0)
SOCKET(socket_rds, AF_RDS, SOCK_SEQPACKET, 0)
SOCKET(socket_bluetooth, AF_BLUETOOTH, SOCK_RAW, 1)
SOCKET(socket_can, AF_CAN, SOCK_RAW, 1)
SOCKET(socket_netfilter, AF_NETLINK, SOCK_RAW, 12)
SOCKET(socket_generic, AF_NETLINK, SOCK_RAW, 16)
SOCKET(socket_audit, AF_NETLINK, SOCK_RAW, 9)
SOCKET(socket_uevent, AF_NETLINK, SOCK_RAW, 15)
SOCKET(socket_diag, AF_NETLINK, SOCK_RAW, 4)

static int set_option(int level, int option, const void *value, socklen_t len)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return outcome(setsockopt(fd, level, option, value, len));
}
static int option_bindtodevice(void) { return set_option(SOL_SOCKET, SO_BINDTODEVICE, "lo", 3); }
static int option_bindtoifindex(void)
{
	int lo = 1;
	return set_option(SOL_SOCKET, SO_BINDTOIFINDEX, &lo, sizeof(lo));
}
static int option_mark(void)
{
	int mark = 1;
	return set_option(SOL_SOCKET, SO_MARK, &mark, sizeof(mark));
}
static int option_port_range(void)
{
	uint32_t range = 700u << 16 | 600u;
	return set_option(SOL_IP, IP_LOCAL_PORT_RANGE, &range, sizeof(range));
}

/* connect_to: connects and reads what the other end says, which is the caller's address if it is the test's client. */
static int connect_to(const char *text, unsigned port, const char *from, bool speak)
{
	union address a, source;
	socklen_t len = address(text, port, &a);
	int fd = socket(a.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char line[128];
	ssize_t n;

	if (fd < 0)
		return -errno;
	if (from && bind(fd, &source.sa, address(from, 0, &source)) < 0)
		return -errno;
	if (connect(fd, &a.sa, len) < 0)
		return -errno;
	if (!speak)
		return 0;
	n = read(fd, line, sizeof(line) - 1);
	if (n <= 0)
		return result("silent");
	line[n] = '\0';
	return result("%.*s", (int)strcspn(line, "\n"), line);
}
static int connect_client4(void) { return connect_to(param("client4"), param_number("client_port"), NULL, true); }
static int connect_client6(void) { return connect_to(param("client6"), param_number("client_port"), NULL, true); }
static int connect_client4_from_group(void)
{
	return connect_to(param("client4"), param_number("client_port"), "224.0.0.251", true);
}
static int connect_client4_from_any(void)
{
	return connect_to(param("client4"), param_number("client_port"), "0.0.0.0", true);
}
static int connect_psv4(void) { return connect_to(param("psv4"), param_number("psv_port"), NULL, false); }
static int connect_psv6(void) { return connect_to(param("psv6"), param_number("psv_port"), NULL, false); }
static int connect_other4(void) { return connect_to(param("other4"), param_number("other_port"), NULL, false); }
static int connect_other6(void) { return connect_to(param("other6"), param_number("other_port"), NULL, false); }
static int connect_own4_psv_port(void) { return connect_to(param("own4"), param_number("psv_port"), NULL, false); }
static int connect_loopback4(void) { return connect_to("127.0.0.1", param_number("psv_port"), NULL, false); }
static int connect_loopback4_2(void) { return connect_to("127.0.0.2", param_number("psv_port"), NULL, false); }
static int connect_loopback6(void) { return connect_to("::1", param_number("psv_port"), NULL, false); }
static int connect_mapped_psv4(void)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "::ffff:%s", param("psv4"));
	return connect_to(text, param_number("psv_port"), NULL, false);
}

/* An own loopback: what listens there is reached there. */
static int own_loopback(const char *text)
{
	union address a;
	socklen_t len = address(text, 0, &a);
	int fd = socket(a.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int c = socket(a.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint16_t port;

	if (fd < 0 || c < 0 || bind(fd, &a.sa, len) < 0 || listen(fd, 1) < 0 || getsockname(fd, &a.sa, &len) < 0)
		return -errno;
	port = a.sa.sa_family == AF_INET ? a.in4.sin_port : a.in6.sin6_port;
	len = address(text, ntohs(port), &a);
	return outcome(connect(c, &a.sa, len));
}
static int own_loopback4(void) { return own_loopback("127.0.0.1"); }
static int own_loopback6(void) { return own_loopback("::1"); }

/* datagram: sends to the client's echo; with a source chosen by packet info if given.  Says the source that it saw. */
static int datagram(const char *to, const char *source, bool connected)
{
	union address a, s;
	socklen_t len = address(to, param_number("client_port"), &a);
	int fd = socket(a.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char control[CMSG_SPACE(sizeof(struct in6_pktinfo))] = { 0 }, line[128];
	struct iovec iov = { .iov_base = (char[]){ "?" }, .iov_len = 1 };
	struct msghdr m = { .msg_name = &a, .msg_namelen = len, .msg_iov = &iov, .msg_iovlen = 1 };
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	if (fd < 0)
		return -errno;
	if (connected && connect(fd, &a.sa, len) < 0)
		return -errno;
	if (source) {
		struct cmsghdr *c;

		(void)address(source, 0, &s);
		m.msg_control = control;
		m.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&m);
		if (a.sa.sa_family == AF_INET) {
			struct in_pktinfo info = { .ipi_spec_dst = s.in4.sin_addr };

			*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(info)), .cmsg_level = SOL_IP, .cmsg_type = IP_PKTINFO };
			memcpy(CMSG_DATA(c), &info, sizeof(info));
			m.msg_controllen = CMSG_SPACE(sizeof(info));
		} else {
			struct in6_pktinfo info = { .ipi6_addr = s.in6.sin6_addr };

			*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(info)), .cmsg_level = SOL_IPV6,
					       .cmsg_type = IPV6_PKTINFO };
			memcpy(CMSG_DATA(c), &info, sizeof(info));
			m.msg_controllen = CMSG_SPACE(sizeof(info));
		}
	}
	if (connected) {
		m.msg_name = NULL;
		m.msg_namelen = 0;
	}
	if (sendmsg(fd, &m, 0) < 0)
		return -errno;
	if (poll(&p, 1, ANSWER_MS) != 1)
		return result("sent-no-answer");
	n = recv(fd, line, sizeof(line) - 1, 0);
	if (n < 0)
		return -errno;
	line[n] = '\0';
	return result("%.*s", (int)strcspn(line, "\n"), line);
}
static int udp_client4(void) { return datagram(param("client4"), NULL, false); }
static int udp_client6(void) { return datagram(param("client6"), NULL, false); }
static int udp_client4_connected(void) { return datagram(param("client4"), NULL, true); }
static int udp_pktinfo4_own(void) { return datagram(param("client4"), param("own4"), false); }
static int udp_pktinfo4_psv(void) { return datagram(param("client4"), param("psv4"), false); }
static int udp_pktinfo4_other(void) { return datagram(param("client4"), param("other4"), false); }
static int udp_pktinfo4_psv_connected(void) { return datagram(param("client4"), param("psv4"), true); }
static int udp_pktinfo6_psv(void) { return datagram(param("client6"), param("psv6"), false); }
static int udp_pktinfo6_other(void) { return datagram(param("client6"), param("other6"), false); }

/* Changing the interfaces: the kernel's answer to one rtnetlink request. */
static int route_request(uint16_t type, uint16_t flags, const void *body, size_t body_len)
{
	struct {
		struct nlmsghdr h;
		char body[64];
	} m = { .h = { .nlmsg_type = type, .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags) } };
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		char rest[256];
	} answer;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return -errno;
	memcpy(m.body, body, body_len);
	m.h.nlmsg_len = (uint32_t)NLMSG_LENGTH(body_len);
	if (send(fd, &m, m.h.nlmsg_len, 0) < 0 || recv(fd, &answer, sizeof(answer), 0) < 0)
		return -errno;
	return answer.h.nlmsg_type == NLMSG_ERROR ? answer.e.error : 0;
}
static int address_add(void)
{
	struct {
		struct ifaddrmsg m;
		struct rtattr a;
		struct in_addr addr;
	} body = {
		.m = { .ifa_family = AF_INET, .ifa_prefixlen = 32, .ifa_index = 1 },
		.a = { .rta_len = RTA_LENGTH(4), .rta_type = IFA_LOCAL },
	};

	(void)inet_pton(AF_INET, "127.77.77.77", &body.addr);
	return route_request(RTM_NEWADDR, NLM_F_CREATE, &body, sizeof(body));
}
static int route_add(void)
{
	struct rtmsg m = { .rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN, .rtm_type = RTN_BLACKHOLE,
			   .rtm_scope = RT_SCOPE_UNIVERSE, .rtm_protocol = RTPROT_STATIC };

	return route_request(RTM_NEWROUTE, NLM_F_CREATE, &m, sizeof(m));
}
static int link_down(void)
{
	struct ifinfomsg m = { .ifi_index = 1, .ifi_change = IFF_PROMISC, .ifi_flags = IFF_PROMISC };

	return route_request(RTM_NEWLINK, 0, &m, sizeof(m));
}

const struct attempt network_attempts[] = {
	{ "bind-own4", bind_own4 },
	{ "bind-own6", bind_own6 },
	{ "bind-own4-udp", bind_own4_udp },
	{ "bind-own6-udp", bind_own6_udp },
	{ "bind-mapped-own4", bind_mapped_own4 },
	{ "bind-psv4", bind_psv4 },
	{ "bind-psv6", bind_psv6 },
	{ "bind-psv4-udp", bind_psv4_udp },
	{ "bind-psv6-udp", bind_psv6_udp },
	{ "bind-mapped-psv4", bind_mapped_psv4 },
	{ "bind-other4", bind_other4 },
	{ "bind-other6", bind_other6 },
	{ "bind-other4-udp", bind_other4_udp },
	{ "bind-other6-udp", bind_other6_udp },
	{ "bind-mapped-other4", bind_mapped_other4 },
	{ "bind-other4-freebind", bind_other4_freebind },
	{ "bind-other6-freebind", bind_other6_freebind },
	{ "bind-absent4-freebind", bind_absent4_freebind },
	{ "bind-absent6-freebind", bind_absent6_freebind },
	{ "bind-absent4-udp-freebind", bind_absent4_udp_freebind },
	{ "bind-other4-transparent", bind_other4_transparent },
	{ "bind-other6-transparent", bind_other6_transparent },
	{ "bind-broadcast4", bind_broadcast4 },
	{ "bind-limited-broadcast", bind_limited_broadcast },
	{ "bind-mdns4", bind_mdns4 },
	{ "bind-ssdp4", bind_ssdp4 },
	{ "bind-mdns6", bind_mdns6 },
	{ "bind-wsd6", bind_wsd6 },
	{ "wildcard4", wildcard4 },
	{ "wildcard4-udp", wildcard4_udp },
	{ "wildcard6-only", wildcard6_only },
	{ "wildcard6-dual", wildcard6_dual },
	{ "wildcard6-udp", wildcard6_udp },
	{ "listen-unbound4", listen_unbound4 },
	{ "serve", serve },
	{ "socket-tcp4", socket_tcp4 },
	{ "socket-udp6", socket_udp6 },
	{ "socket-unix", socket_unix },
	{ "socket-route", socket_route },
	{ "socket-raw4", socket_raw4 },
	{ "socket-raw6", socket_raw6 },
	{ "socket-raw4-tcp", socket_raw4_tcp },
	{ "socket-ping4", socket_ping4 },
	{ "socket-ping6", socket_ping6 },
	{ "socket-packet", socket_packet },
	{ "socket-vsock", socket_vsock },
	{ "socket-mptcp4", socket_mptcp4 },
	{ "socket-udplite4", socket_udplite4 },
	{ "socket-sctp4", socket_sctp4 },
	{ "socket-alg", socket_alg },
	{ "socket-xdp", socket_xdp },
	{ "socket-tipc", socket_tipc },
	{ "socket-rds", socket_rds },
	{ "socket-bluetooth", socket_bluetooth },
	{ "socket-can", socket_can },
	{ "socket-netfilter", socket_netfilter },
	{ "socket-generic", socket_generic },
	{ "socket-audit", socket_audit },
	{ "socket-uevent", socket_uevent },
	{ "socket-diag", socket_diag },
	{ "option-bindtodevice", option_bindtodevice },
	{ "option-bindtoifindex", option_bindtoifindex },
	{ "option-mark", option_mark },
	{ "option-port-range", option_port_range },
	{ "connect-client4", connect_client4 },
	{ "connect-client6", connect_client6 },
	{ "connect-client4-from-any", connect_client4_from_any },
	{ "connect-client4-from-group", connect_client4_from_group },
	{ "connect-psv4", connect_psv4 },
	{ "connect-psv6", connect_psv6 },
	{ "connect-mapped-psv4", connect_mapped_psv4 },
	{ "connect-other4", connect_other4 },
	{ "connect-other6", connect_other6 },
	{ "connect-own4-psv-port", connect_own4_psv_port },
	{ "connect-loopback4", connect_loopback4 },
	{ "connect-loopback4-2", connect_loopback4_2 },
	{ "connect-loopback6", connect_loopback6 },
	{ "own-loopback4", own_loopback4 },
	{ "own-loopback6", own_loopback6 },
	{ "udp-client4", udp_client4 },
	{ "udp-client6", udp_client6 },
	{ "udp-client4-connected", udp_client4_connected },
	{ "udp-pktinfo4-own", udp_pktinfo4_own },
	{ "udp-pktinfo4-psv", udp_pktinfo4_psv },
	{ "udp-pktinfo4-other", udp_pktinfo4_other },
	{ "udp-pktinfo4-psv-connected", udp_pktinfo4_psv_connected },
	{ "udp-pktinfo6-psv", udp_pktinfo6_psv },
	{ "udp-pktinfo6-other", udp_pktinfo6_other },
	{ "address-add", address_add },
	{ "route-add", route_add },
	{ "link-promiscuous", link_down },
	{ NULL, NULL },
};
