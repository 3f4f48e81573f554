/* SPDX-License-Identifier: GPL-2.0-or-later */
/* By which of the Psv's interfaces a datagram may leave, and past which hosts. The client answers for its address on both of its
 * links, so what is sent out by the wrong one arrives there. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "test.h"
#include "test_gate.h"

enum { PORT = 4600, QUIET_MS = 50, UNICAST_IF = 50, UNICAST_IF6 = 76 };

static int udp(struct machine *m, enum place p, int family)
{
	int fd = machine_socket(m, p, family, SOCK_DGRAM, 0);

	CHECK(fd >= 0);
	return fd;
}

/* far_end: hears what comes to the client by its other link alone. */
static int far_end(struct machine *m, const char *host)
{
	int fd = udp(m, CLIENT, strchr(host, ':') ? AF_INET6 : AF_INET);

	CHECK(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "far0", 4) == 0);
	CHECK_INT(do_bind(fd, host, PORT), 0);
	return fd;
}

static void named_body(struct machine *m)
{
	int far = far_end(m, "192.0.2.100"), far6 = far_end(m, "2001:db8::100");
	int psv = udp(m, PSV, AF_INET), fd = udp(m, VSV_A, AF_INET), mapped = udp(m, VSV_A, AF_INET6), six = udp(m, VSV_A, AF_INET6);
	int connected = udp(m, VSV_A, AF_INET), connected6 = udp(m, VSV_A, AF_INET6);
	char host[64];
	uint16_t port;

	/* The control: the kernel takes the client to be on the link that is named. */
	CHECK_INT(do_send_via(psv, "192.0.2.100", PORT, "192.0.2.1", "other0"), 0);
	CHECK_INT(do_recv(far, 1000, host, &port), 0);
	CHECK_STR(host, "192.0.2.1");

	CHECK_INT(do_connect(connected, "192.0.2.100", PORT), 0);
	CHECK_INT(do_connect(connected6, "2001:db8::100", PORT), 0);
	CHECK_INT(do_send_via(fd, "192.0.2.100", PORT, "192.0.2.11", "other0"), -EPERM);
	CHECK_INT(do_send_via(fd, "192.0.2.100", PORT, "0.0.0.0", "other0"), -EPERM);
	CHECK_INT(do_send_via(fd, "198.51.100.100", PORT, "192.0.2.11", "other0"), -EPERM);
	CHECK_INT(do_send_via(connected, NULL, 0, "0.0.0.0", "other0"), -EPERM);
	CHECK_INT(do_send_via(mapped, "::ffff:192.0.2.100", PORT, "::ffff:192.0.2.11", "other0"), -EPERM);
	CHECK_INT(do_send_via(six, "2001:db8::100", PORT, "2001:db8::11", "other0"), -EPERM);
	CHECK_INT(do_send_via(six, "2001:db8::100", PORT, "::", "other0"), -EPERM);
	CHECK_INT(do_send_via(connected6, NULL, 0, "::", "other0"), -EPERM);
	CHECK_INT(do_recv(far, QUIET_MS, host, &port), -EAGAIN);
	CHECK_INT(do_recv(far6, QUIET_MS, host, &port), -EAGAIN);
	CHECK_INT(refused(m, VSV_A, GATE_SEND), 8);

	/* The own one, as those who answer by packet information name it, and loopback. */
	CHECK_INT(do_send_via(fd, "192.0.2.100", PORT, "192.0.2.12", "psv0"), 0);
	CHECK_INT(do_send_via(connected, NULL, 0, "0.0.0.0", "psv0"), 0);
	CHECK_INT(do_send_via(mapped, "::ffff:192.0.2.100", PORT, "::ffff:192.0.2.12", "psv0"), 0);
	CHECK_INT(do_send_via(six, "2001:db8::100", PORT, "2001:db8::12", "psv0"), 0);
	CHECK_INT(do_send_via(connected6, NULL, 0, "::", "psv0"), 0);
	CHECK_INT(do_send_via(udp(m, VSV_A, AF_INET), "127.0.0.1", PORT, "0.0.0.0", "lo"), 0);
}

TEST(gate_named_interface)
{
	machine_test(named_body);
}

/* In a stack of its own there are no others. */
static void own_stack_body(struct machine *m)
{
	struct gate_config c = m->config[VSV_A];

	c.own_stack = true;
	CHECK_INT(gate_set(m->bpf_dir, &c, NULL), 0);
	CHECK_INT(do_send_via(udp(m, VSV_A, AF_INET), "192.0.2.100", PORT, "192.0.2.11", "other0"), 0);
}

TEST(gate_named_interface_in_its_own_stack)
{
	machine_test(own_stack_body);
}

static int set_index(int fd, int level, int name, const char *interface)
{
	uint32_t index = htonl(if_nametoindex(interface));

	return setsockopt(fd, level, name, &index, sizeof(index)) < 0 ? -errno : 0;
}

/* size: of the whole value, which may be longer than a page. */
static int set_sticky(int fd, const char *interface, size_t size)
{
	union {
		struct in6_pktinfo info;
		char space[8192];
	} u = { .info.ipi6_ifindex = if_nametoindex(interface) };

	return setsockopt(fd, IPPROTO_IPV6, IPV6_PKTINFO, &u, (socklen_t)size) < 0 ? -errno : 0;
}

/* Options that name it for all that follows. */
static void option_body(struct machine *m)
{
	int far = far_end(m, "192.0.2.100"), psv = udp(m, PSV, AF_INET), fd = udp(m, VSV_A, AF_INET), six = udp(m, VSV_A, AF_INET6);
	char host[64];
	uint16_t port;

	CHECK_INT(set_index(psv, IPPROTO_IP, UNICAST_IF, "other0"), 0);
	CHECK_INT(do_sendto(psv, "192.0.2.100", PORT, NULL), 0);
	CHECK_INT(do_recv(far, 1000, host, &port), 0);

	CHECK_INT(set_index(fd, IPPROTO_IP, UNICAST_IF, "other0"), -EPERM);
	CHECK_INT(set_index(six, IPPROTO_IP, UNICAST_IF, "other0"), -EPERM);
	CHECK_INT(set_index(six, IPPROTO_IPV6, UNICAST_IF6, "other0"), -EPERM);
	CHECK_INT(set_sticky(six, "other0", sizeof(struct in6_pktinfo)), -EPERM);
	CHECK_INT(do_connect(fd, "192.0.2.100", PORT), 0);
	CHECK_INT(do_sendto(fd, NULL, 0, NULL), 0);
	CHECK_INT(do_sendto(six, "2001:db8::100", PORT, NULL), 0);
	CHECK_INT(do_recv(far, QUIET_MS, host, &port), -EAGAIN);

	fd = udp(m, VSV_A, AF_INET);
	CHECK_INT(set_index(fd, IPPROTO_IP, UNICAST_IF, "psv0"), 0);
	CHECK_INT(do_sendto(fd, "192.0.2.100", PORT, NULL), 0);
	CHECK_INT(set_index(fd, IPPROTO_IP, UNICAST_IF, ""), 0);
	CHECK_INT(set_index(six, IPPROTO_IPV6, UNICAST_IF6, "psv0"), 0);
	CHECK_INT(set_sticky(six, "psv0", sizeof(struct in6_pktinfo)), 0);
	CHECK_INT(set_sticky(six, "", sizeof(struct in6_pktinfo)), 0);
	/* One that the kernel would read once more, as another thread has made it by then. */
	CHECK_INT(set_sticky(six, "psv0", 8192), -EPERM);
	CHECK_INT(set_sticky(six, "psv0", 4), -EPERM);
}

TEST(gate_interface_options)
{
	machine_test(option_body);
}

/* send_past: by hosts that ancillary data names; options: as RFC 791 section 3.1 has them. */
static int send_past(int fd, const unsigned char *options, size_t len)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(40)] = { 0 };
	struct sockaddr_storage a;
	struct iovec iov = { .iov_base = (char[]){ "data" }, .iov_len = 4 };
	struct msghdr msg = { .msg_name = &a, .msg_namelen = socket_address("192.0.2.100", PORT, &a), .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = control, .msg_controllen = CMSG_SPACE(len) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(len), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_RETOPTS };
	memcpy(CMSG_DATA(c), options, len);
	return sendmsg(fd, &msg, 0) < 0 ? -errno : 0;
}

static void source_route_body(struct machine *m)
{
	/* Loose and strict, by the neighbour's address; and what only records. */
	static const unsigned char loose[] = { 131, 7, 4, 192, 0, 2, 21, 0 }, strict[] = { 137, 7, 4, 192, 0, 2, 21, 0 };
	static const unsigned char record[] = { 7, 7, 4, 0, 0, 0, 0, 0 };
	int psv = udp(m, PSV, AF_INET), fd = udp(m, VSV_A, AF_INET);

	CHECK_INT(send_past(psv, loose, sizeof(loose)), 0);
	CHECK_INT(send_past(fd, loose, sizeof(loose)), -EPERM);
	CHECK_INT(send_past(fd, strict, sizeof(strict)), -EPERM);
	CHECK_INT(send_past(fd, record, sizeof(record)), 0);
	fd = udp(m, VSV_A, AF_INET);
	CHECK_INT(do_connect(fd, "192.0.2.100", PORT), 0);
	CHECK_INT(send_past(fd, loose, sizeof(loose)), -EPERM);
}

TEST(gate_source_route)
{
	machine_test(source_route_body);
}

/* A private stack on the same interface, in a subnet that is nobody else's: it is a neighbour all the same. */
static void other_subnet_body(struct machine *m)
{
	struct gate_config a = m->config[VSV_A], b = { .id = 2, .own_stack = true, .n_addresses = 1, .ifindex = if_nametoindex("psv0") };

	CHECK_INT(gate_clear(m->bpf_dir, 2, NULL), 0);
	CHECK_INT(ipaddr_parse_prefix("10.9.0.5/24", &b.addresses[0].addr, &b.addresses[0].prefix), 0);
	CHECK_INT(gate_set(m->bpf_dir, &b, NULL), 0);
	for (unsigned own = 0; own < 2; own++) {
		a.own_stack = own;
		a.ifindex = own ? if_nametoindex("psv0") : 0;
		a.n_peers = 0;
		CHECK_INT(gate_set(m->bpf_dir, &a, NULL), 0);
		CHECK_INT(do_connect(machine_socket(m, VSV_A, AF_INET, SOCK_STREAM, 0), "10.9.0.5", PORT), -EPERM);
		CHECK_INT(do_send_via(udp(m, VSV_A, AF_INET), "10.9.0.5", PORT, "192.0.2.11", "psv0"), -EPERM);
		CHECK_INT(do_send_via(udp(m, VSV_A, AF_INET), "10.9.0.6", PORT, "192.0.2.11", "psv0"), 0);
		a.peers[a.n_peers++] = 2;
		CHECK_INT(gate_set(m->bpf_dir, &a, NULL), 0);
		CHECK_INT(do_send_via(udp(m, VSV_A, AF_INET), "10.9.0.5", PORT, "192.0.2.11", "psv0"), 0);
	}
	/* On another interface it is not. */
	b.ifindex = if_nametoindex("other0");
	a.n_peers = 0;
	CHECK_INT(gate_set(m->bpf_dir, &b, NULL), 0);
	CHECK_INT(gate_set(m->bpf_dir, &a, NULL), 0);
	CHECK_INT(do_send_via(udp(m, VSV_A, AF_INET), "10.9.0.5", PORT, "192.0.2.11", "psv0"), 0);
}

TEST(gate_neighbour_in_another_subnet)
{
	machine_test(other_subnet_body);
}

/* A peer's addresses are open, its loopback is not: who came there would be one of its own. */
static void peer_loopback_body(struct machine *m)
{
	static const char *const hidden[] = { "fd76:6e61:73::2", "127.200.0.2", "::ffff:127.200.0.2" };
	int listener = machine_socket(m, VSV_B, AF_INET6, SOCK_STREAM, 0), at = udp(m, VSV_B, AF_INET6);
	int reached = machine_socket(m, VSV_B, AF_INET6, SOCK_STREAM, 0);
	struct gate_config a = m->config[VSV_A];
	char host[64];
	uint16_t port;

	CHECK_INT(do_bind(listener, "::1", PORT), 0);
	CHECK_INT(do_listen(listener), 0);
	CHECK_INT(do_bind(at, "::1", PORT), 0);
	CHECK_INT(do_bind(reached, "2001:db8::21", PORT), 0);
	CHECK_INT(do_listen(reached), 0);
	a.peers[a.n_peers++] = 2;
	CHECK_INT(gate_set(m->bpf_dir, &a, NULL), 0);
	CHECK_INT(do_connect(machine_socket(m, VSV_A, AF_INET6, SOCK_STREAM, 0), "2001:db8::21", PORT), 0);
	CHECK_INT(do_connect(machine_socket(m, VSV_B, AF_INET6, SOCK_STREAM, 0), "::1", PORT), 0);
	CHECK(do_accept(listener, 1000, host) >= 0);
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
		int family = strchr(hidden[i], ':') ? AF_INET6 : AF_INET;

		CHECK_INT(do_connect(machine_socket(m, VSV_A, family, SOCK_STREAM, 0), hidden[i], PORT), -EPERM);
		CHECK_INT(do_connect(udp(m, VSV_A, family), hidden[i], PORT), -EPERM);
		CHECK_INT(do_sendto(udp(m, VSV_A, family), hidden[i], PORT, NULL), -EPERM);
	}
	CHECK_INT(do_accept(listener, QUIET_MS, host), -EAGAIN);
	CHECK_INT(do_recv(at, QUIET_MS, host, &port), -EAGAIN);
}

TEST(gate_loopback_of_a_peer)
{
	machine_test(peer_loopback_body);
}
