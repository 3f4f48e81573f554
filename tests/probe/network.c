/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Row (a): addresses, loopback, sources, as hosts on a network see them; `vnas verify` has what needs none.
 * Parameters: own4 own6 psv4 psv6 other4 other6 absent4 absent6 broadcast4, client4 client6 client_port (a service that
 * answers with the address it was called from), psv_port (listens on every address of the Psv), other_port, interface (that
 * the own addresses stand on), elsewhere (another one). */
#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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
BIND(bind_other4, "other4", SOCK_STREAM, 0, 0)
BIND(bind_other6, "other6", SOCK_STREAM, 0, 0)
BIND(bind_other4_udp, "other4", SOCK_DGRAM, 0, 0)
BIND(bind_other4_freebind, "other4", SOCK_STREAM, SOL_IP, IP_FREEBIND)
BIND(bind_absent4_freebind, "absent4", SOCK_STREAM, SOL_IP, IP_FREEBIND)
BIND(bind_other4_transparent, "other4", SOCK_STREAM, SOL_IP, IP_TRANSPARENT)
BIND(bind_broadcast4, "broadcast4", SOCK_DGRAM, 0, 0)

static int bind_mapped(const char *key)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "::ffff:%s", param(key));
	return bind_to(text, SOCK_STREAM, 0, 0);
}
static int bind_mapped_own4(void) { return bind_mapped("own4"); }
static int bind_mapped_other4(void) { return bind_mapped("other4"); }

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

static int socket_raw4(void) { return outcome(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP)); }
static int socket_packet(void) { return outcome(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL))); }
static int option_bindtodevice(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return outcome(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
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

/* Groups and the broadcast address on an interface: binding, sending, joining. */
static int group_socket(const char *group, const char *interface, union address *a, socklen_t *len)
{
	int one = 1, fd;

	*len = address(group, 5354, a);
	if (a->sa.sa_family == AF_INET6)
		a->in6.sin6_scope_id = if_nametoindex(interface);
	fd = socket(a->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof(one));
	return fd;
}

static int group_bind(const char *group, const char *interface)
{
	union address a;
	socklen_t len;
	int fd = group_socket(group, interface, &a, &len), one = 1;

	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	return outcome(bind(fd, &a.sa, len));
}

static int group_send(const char *group, const char *interface)
{
	struct ip_mreqn four = { .imr_ifindex = (int)if_nametoindex(interface) };
	union address a;
	socklen_t len;
	int fd = group_socket(group, interface, &a, &len);

	if (a.sa.sa_family == AF_INET && setsockopt(fd, SOL_IP, IP_MULTICAST_IF, &four, sizeof(four)) < 0)
		return -errno;
	return outcome((int)sendto(fd, "?", 1, 0, &a.sa, len));
}

static int group_join(const char *group, const char *interface)
{
	struct group_req req = { .gr_interface = if_nametoindex(interface) };
	union address a;
	socklen_t len;
	int fd = group_socket(group, interface, &a, &len);

	memcpy(&req.gr_group, &a, len);
	return outcome(setsockopt(fd, a.sa.sa_family == AF_INET ? SOL_IP : SOL_IPV6, MCAST_JOIN_GROUP, &req, sizeof(req)));
}

#define GROUP(name, group)                                                                        \
	static int name##_bind(void) { return group_bind(group, param("interface")); }           \
	static int name##_send(void) { return group_send(group, param("interface")); }           \
	static int name##_join(void) { return group_join(group, param("interface")); }           \
	static int name##_send_elsewhere(void) { return group_send(group, param("elsewhere")); } \
	static int name##_join_elsewhere(void) { return group_join(group, param("elsewhere")); }
GROUP(mdns4, "224.0.0.251")
GROUP(wsd4, "239.255.255.250")
GROUP(mdns6, "ff02::fb")
GROUP(wsd6, "ff02::c")
GROUP(any4, "239.1.2.3")
GROUP(any6, "ff02::1:3")
static int broadcast_send(void) { return group_send(param("broadcast4"), param("interface")); }

#define GROUP_ATTEMPTS(name)                                                                                                    \
	{ "bind-" #name, name##_bind }, { "send-" #name, name##_send }, { "join-" #name, name##_join },                         \
	{ "send-" #name "-elsewhere", name##_send_elsewhere }, { "join-" #name "-elsewhere", name##_join_elsewhere }

const struct attempt network_attempts[] = {
	GROUP_ATTEMPTS(mdns4),
	GROUP_ATTEMPTS(wsd4),
	GROUP_ATTEMPTS(mdns6),
	GROUP_ATTEMPTS(wsd6),
	GROUP_ATTEMPTS(any4),
	GROUP_ATTEMPTS(any6),
	{ "send-broadcast4", broadcast_send },
	{ "bind-own4", bind_own4 },
	{ "bind-own6", bind_own6 },
	{ "bind-own4-udp", bind_own4_udp },
	{ "bind-own6-udp", bind_own6_udp },
	{ "bind-mapped-own4", bind_mapped_own4 },
	{ "bind-psv4", bind_psv4 },
	{ "bind-other4", bind_other4 },
	{ "bind-other6", bind_other6 },
	{ "bind-other4-udp", bind_other4_udp },
	{ "bind-mapped-other4", bind_mapped_other4 },
	{ "bind-other4-freebind", bind_other4_freebind },
	{ "bind-absent4-freebind", bind_absent4_freebind },
	{ "bind-other4-transparent", bind_other4_transparent },
	{ "bind-broadcast4", bind_broadcast4 },
	{ "wildcard4", wildcard4 },
	{ "wildcard4-udp", wildcard4_udp },
	{ "wildcard6-only", wildcard6_only },
	{ "wildcard6-dual", wildcard6_dual },
	{ "wildcard6-udp", wildcard6_udp },
	{ "listen-unbound4", listen_unbound4 },
	{ "serve", serve },
	{ "socket-raw4", socket_raw4 },
	{ "socket-packet", socket_packet },
	{ "option-bindtodevice", option_bindtodevice },
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
	{ NULL, NULL },
};
