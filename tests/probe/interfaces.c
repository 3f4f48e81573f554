/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Row (a), when named: kinds of sockets, and the interfaces' own settings.  Parameters: psv6, other6. */
#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

static int bind6(const char *text, int option)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6 };
	int one = 1, fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || inet_pton(AF_INET6, text, &a.sin6_addr) != 1)
		return -errno;
	if (option && setsockopt(fd, SOL_IPV6, option, &one, sizeof(one)) < 0)
		return -errno;
	return outcome(bind(fd, (struct sockaddr *)&a, sizeof(a)));
}
static int bind_psv6(void) { return bind6(param("psv6"), 0); }
static int bind_other6_freebind(void) { return bind6(param("other6"), IPV6_FREEBIND); }
static int socket_ping4(void) { return outcome(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_ICMP)); }
static int socket_vsock(void) { return outcome(socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0)); }
static int socket_mptcp4(void) { return outcome(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP)); }

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

const struct attempt interface_attempts[] = {
	{ "bind-psv6", bind_psv6 },
	{ "bind-other6-freebind", bind_other6_freebind },
	{ "socket-ping4", socket_ping4 },
	{ "socket-vsock", socket_vsock },
	{ "socket-mptcp4", socket_mptcp4 },
	{ "address-add", address_add },
	{ "route-add", route_add },
	{ "link-promiscuous", link_down },
	{ NULL, NULL },
};
