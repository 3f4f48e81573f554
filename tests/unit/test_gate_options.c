/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What socket options and headers would open past the hooks of bind, connect and send: broadcast addresses of the Psv's other
 * networks, hosts that a routing header names, and parts of the kernel that are no tenant's. */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>
#include <unistd.h>

#include "gate/gate_sys.h"
#include "test.h"
#include "test_gate.h"

enum { PORT = 4620, QUIET_MS = 50, OPT_FLOWLABEL_MGR = 32, OPT_ZEROCOPY = 60, OPT_UDP_ENCAP = 100, OPT_TCP_ULP = 31 };

static int udp(struct machine *m, enum place p, int family)
{
	int fd = machine_socket(m, p, family, SOCK_DGRAM, 0);

	CHECK(fd >= 0);
	return fd;
}

/* --- broadcast --- */

/* The kernel finds the broadcast addresses of the Psv's networks before it asks the Vsv's rules, and what is sent there comes to
 * the Psv's sockets too, which no look-up is asked about. */
static void broadcast_body(struct machine *m)
{
	int far = udp(m, CLIENT, AF_INET), near = udp(m, CLIENT, AF_INET), own = udp(m, PSV, AF_INET);
	int psv = udp(m, PSV, AF_INET), fd = udp(m, VSV_A, AF_INET), six = udp(m, VSV_A, AF_INET6), connected = udp(m, VSV_A, AF_INET);
	bool allowed = machine_discovery & GATE_DISCOVERY_BROADCAST;
	int answer = allowed ? -EPERM : -EACCES;
	char host[64];
	uint16_t port;

	CHECK(setsockopt(far, SOL_SOCKET, SO_BINDTODEVICE, "far0", 4) == 0);
	CHECK(setsockopt(near, SOL_SOCKET, SO_BINDTODEVICE, "c0", 2) == 0);
	CHECK_INT(do_bind(far, "0.0.0.0", PORT), 0);
	CHECK_INT(do_bind(near, "0.0.0.0", PORT), 0);
	CHECK_INT(do_bind(own, "0.0.0.0", PORT), 0);
	/* The control. */
	CHECK_INT(set_option(psv, SOL_SOCKET, SO_BROADCAST, 1), 0);
	CHECK_INT(do_sendto(psv, "198.51.100.255", PORT, NULL), 0);
	CHECK_INT(do_recv(far, 1000, host, &port), 0);
	CHECK_INT(do_recv(own, 1000, host, &port), 0);

	CHECK_INT(set_option(fd, SOL_SOCKET, SO_BROADCAST, 1), 0);
	CHECK_INT(set_option(six, SOL_SOCKET, SO_BROADCAST, 1), 0);
	CHECK_INT(set_option(connected, SOL_SOCKET, SO_BROADCAST, 1), 0);
	CHECK_INT(do_sendto(fd, "198.51.100.255", PORT, NULL), answer);
	CHECK_INT(do_sendto(fd, "198.51.100.255", PORT, "192.0.2.12"), answer);
	CHECK_INT(do_sendto(six, "::ffff:198.51.100.255", PORT, NULL), answer);
	CHECK_INT(do_connect(connected, "198.51.100.255", PORT), allowed ? 0 : -EACCES);
	if (allowed)
		CHECK_INT(do_sendto(connected, NULL, 0, NULL), -EPERM);
	CHECK_INT(do_recv(far, QUIET_MS, host, &port), -EAGAIN);
	/* The kernel's copy for the machine itself asks no program; who has broadcast has one by its own subnet's anyway. */
	if (!allowed)
		CHECK_INT(do_recv(own, QUIET_MS, host, &port), -EAGAIN);
	/* That of its own subnet is another matter. */
	CHECK_INT(do_sendto(udp(m, VSV_A, AF_INET), "192.0.2.255", PORT, NULL), allowed ? -EACCES : -EPERM);
	CHECK_INT(do_sendto(fd, "192.0.2.255", PORT, NULL), allowed ? 0 : -EPERM);
	CHECK_INT(do_recv(near, allowed ? 1000 : QUIET_MS, host, &port), allowed ? 0 : -EAGAIN);
}

TEST(gate_broadcast_of_other_networks)
{
	machine_test(broadcast_body);
}

TEST(gate_broadcast_of_other_networks_with_discovery)
{
	machine_discovery = GATE_DISCOVERY_ALL;
	machine_test(broadcast_body);
}

/* A reload takes discovery away: who is connected to a group or broadcast address sends nothing there any more. */
static void taken_body(struct machine *m)
{
	static const char *const places[] = { "192.0.2.255", "224.0.0.251", "ff02::fb" };
	struct gate_config c = m->config[VSV_A];
	int fds[3];

	for (size_t i = 0; i < 3; i++) {
		fds[i] = udp(m, VSV_A, strchr(places[i], ':') ? AF_INET6 : AF_INET);
		CHECK_INT(set_option(fds[i], SOL_SOCKET, SO_BROADCAST, 1), 0);
		CHECK_INT(do_connect(fds[i], places[i], PORT), 0);
		CHECK_INT(do_sendto(fds[i], NULL, 0, NULL), 0);
	}
	c.discovery = 0;
	CHECK_INT(gate_set(m->bpf_dir, &c, NULL), 0);
	for (size_t i = 0; i < 3; i++)
		CHECK_INT(do_sendto(fds[i], NULL, 0, NULL), -EPERM);
	c.discovery = GATE_DISCOVERY_MDNS;
	CHECK_INT(gate_set(m->bpf_dir, &c, NULL), 0);
	for (size_t i = 0; i < 3; i++)
		CHECK_INT(do_sendto(fds[i], NULL, 0, NULL), i == 0 ? -EPERM : 0);
}

TEST(gate_discovery_that_is_taken_away)
{
	machine_discovery = GATE_DISCOVERY_ALL;
	machine_test(taken_body);
}

/* In a stack of its own the option is what it is for the kernel. */
static void own_broadcast_body(struct machine *m)
{
	struct gate_config c = m->config[VSV_A];
	int fd, on = 0;
	socklen_t len = sizeof(on);

	c.own_stack = true;
	CHECK_INT(gate_set(m->bpf_dir, &c, NULL), 0);
	fd = udp(m, VSV_A, AF_INET);
	CHECK_INT(set_option(fd, SOL_SOCKET, SO_BROADCAST, 1), 0);
	CHECK(getsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, &len) == 0 && on == 1);
	CHECK_INT(set_option(machine_socket(m, STRANGER, AF_UNIX, SOCK_DGRAM, 0), SOL_SOCKET, SO_BROADCAST, 1), 0);
}

TEST(gate_broadcast_in_its_own_stack)
{
	machine_test(own_broadcast_body);
}

/* --- a routing header --- */

/* gate_setsockopt refuses the option, and a kernel with CONFIG_IPV6_MIP6 takes the header from ancillary data, which no hook is shown; it
 * is the same packet.  So here the hook is taken away, and the packet is judged where it leaves. */
static void take_option_hook(const struct machine *m)
{
	for (size_t i = 0; i < gate_n_programs; i++)
		if (gate_programs[i].attach == BPF_CGROUP_SETSOCKOPT)
			CHECK_INT(gate_lend(m->cgroup[VSV_A], m->cgroup[VSV_A], i, false), 0);
}

static int set_route(int fd)
{
	/* RFC 8754 section 2: by the client to whoever is named. */
	struct {
		uint8_t next, length, type, left, last, flags, tag[2];
		struct in6_addr segments[2];
	} route = { .length = 4, .type = 4, .left = 1, .last = 1 };
	struct sockaddr_storage a;

	(void)socket_address("2001:db8::100", 0, &a);
	route.segments[1] = ((struct sockaddr_in6 *)&a)->sin6_addr;
	return setsockopt(fd, IPPROTO_IPV6, IPV6_RTHDR, &route, sizeof(route)) < 0 ? -errno : 0;
}

static int set_header(int fd, int name)
{
	/* Eight bytes of padding. */
	const uint8_t header[8] = { 0, 0, 1, 4 };

	return setsockopt(fd, IPPROTO_IPV6, name, header, sizeof(header)) < 0 ? -errno : 0;
}

static void route_body(struct machine *m)
{
	int psv = udp(m, PSV, AF_INET6), fd = udp(m, VSV_A, AF_INET6);

	CHECK_INT(set_route(fd), -EPERM);
	CHECK_INT(set_route(psv), 0);
	CHECK_INT(do_sendto(psv, "2001:db8::21", PORT, NULL), 0);
	take_option_hook(m);
	CHECK_INT(set_header(fd, IPV6_HOPOPTS), 0);
	CHECK_INT(do_sendto(fd, "2001:db8::100", PORT, NULL), 0);
	CHECK_INT(set_route(fd), 0);
	CHECK_INT(do_sendto(fd, "2001:db8::100", PORT, NULL), -EPERM);
	CHECK_INT(set_header(fd, IPV6_RTHDRDSTOPTS), 0);
	CHECK_INT(do_sendto(fd, "2001:db8::100", PORT, NULL), -EPERM);
	fd = udp(m, VSV_A, AF_INET6);
	CHECK_INT(set_route(fd), 0);
	CHECK_INT(do_sendto(fd, "2001:db8::100", PORT, NULL), -EPERM);
	CHECK_INT(refused(m, VSV_A, GATE_SEND), 3);
}

TEST(gate_routing_header)
{
	machine_discovery = GATE_DISCOVERY_WSD;
	machine_test(route_body);
}

/* The same by ancillary data, which needs no right. */
static int send_routed(int fd, const char *to, const char *past)
{
	struct {
		uint8_t next, length, type, left;
		uint32_t reserved;
		struct in6_addr past;
	} route = { .length = 2, .type = 2, .left = 1 };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(route))] = { 0 };
	struct sockaddr_storage a, host;
	struct iovec iov = { .iov_base = (char[]){ "data" }, .iov_len = 4 };
	struct msghdr msg = { .msg_name = &a, .msg_namelen = socket_address(to, PORT, &a), .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	(void)socket_address(past, 0, &host);
	route.past = ((struct sockaddr_in6 *)&host)->sin6_addr;
	*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(route)), .cmsg_level = IPPROTO_IPV6, .cmsg_type = IPV6_RTHDR };
	memcpy(CMSG_DATA(c), &route, sizeof(route));
	return sendmsg(fd, &msg, 0) < 0 ? -errno : 0;
}

static void mobile_body(struct machine *m)
{
	int psv = udp(m, PSV, AF_INET6), fd = udp(m, VSV_A, AF_INET6), connected = udp(m, VSV_A, AF_INET6);
	/* Without CONFIG_IPV6_MIP6 the kernel knows no such header, from anybody. */
	int answer = send_routed(psv, "2001:db8::100", "2001:db8::100") == -EINVAL ? -EINVAL : -EPERM;

	CHECK_INT(do_connect(connected, "2001:db8::100", PORT), 0);
	CHECK_INT(send_routed(fd, "2001:db8::100", "2001:db8::21"), answer);
	CHECK_INT(send_routed(fd, "2001:db8::100", "2001:db8::100"), answer);
	CHECK_INT(send_routed(connected, "2001:db8::100", "2001:db8::21"), answer);
	CHECK_INT(do_sendto(fd, "2001:db8::100", PORT, NULL), 0);
}

TEST(gate_routing_header_of_ancillary_data)
{
	machine_discovery = GATE_DISCOVERY_WSD;
	machine_test(mobile_body);
}

/* --- what is for nobody --- */

static void options_body(struct machine *m)
{
	static const struct { int type, level, name; } options[] = {
		{ SOCK_STREAM, SOL_SOCKET, SO_MARK },            { SOCK_DGRAM, SOL_SOCKET, SO_MARK },
		{ SOCK_STREAM, SOL_SOCKET, OPT_ZEROCOPY },       { SOCK_DGRAM, SOL_SOCKET, OPT_ZEROCOPY },
		{ SOCK_DGRAM, IPPROTO_UDP, OPT_UDP_ENCAP },      { SOCK_STREAM, IPPROTO_TCP, OPT_TCP_ULP },
		{ SOCK_DGRAM, IPPROTO_IPV6, OPT_FLOWLABEL_MGR }, { SOCK_STREAM, IPPROTO_IPV6, OPT_FLOWLABEL_MGR },
	};
	/* struct in6_flowlabel_req: whoever has none gets one. */
	const uint32_t label[8] = { [4] = 0, [5] = 0x00010100 /* action: get, share: exclusive, flags: create */ };
	struct gate_config c = m->config[VSV_A];

	CHECK_INT(set_option(udp(m, PSV, AF_INET6), SOL_SOCKET, OPT_ZEROCOPY, 1), 0);
	for (unsigned own = 0; own < 2; own++) {
		c.own_stack = own;
		CHECK_INT(gate_set(m->bpf_dir, &c, NULL), 0);
		for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
			int fd = machine_socket(m, VSV_A, AF_INET6, options[i].type, 0);

			CHECK(fd >= 0);
			CHECK(setsockopt(fd, options[i].level, options[i].name, label, sizeof(label)) < 0 && errno == EPERM);
			(void)close(fd);
		}
	}
	CHECK_INT(refused(m, VSV_A, GATE_SOCKET), 16);
}

TEST(gate_options_for_nobody)
{
	machine_test(options_body);
}
