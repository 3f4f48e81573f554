/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Groups: which of them a Vsv may use, on which interfaces it may ask for them, and where its packets leave. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "test.h"
#include "test_gate.h"

enum { PORT = 5353 };

static int udp(struct machine *m, enum place p, int family)
{
	int fd = machine_socket(m, p, family, SOCK_DGRAM, 0);

	CHECK(fd >= 0);
	CHECK_INT(set_option(fd, SOL_SOCKET, SO_BROADCAST, 1), 0);
	return fd;
}

/* Each kind of discovery opens its own group or broadcast address, to bind, to send and to join, and no other's. */
static void narrow_body(struct machine *m)
{
	static const struct {
		const char *group;
		unsigned needs;
	} groups[] = {
		{ "192.0.2.255", GATE_DISCOVERY_BROADCAST }, { "239.255.255.250", GATE_DISCOVERY_WSD }, { "ff02::c", GATE_DISCOVERY_WSD },
		{ "224.0.0.251", GATE_DISCOVERY_MDNS }, { "ff02::fb", GATE_DISCOVERY_MDNS },
	};
	struct gate_config c = m->config[VSV_A];

	for (unsigned kinds = 0; kinds <= GATE_DISCOVERY_ALL; kinds++) {
		c.discovery = kinds;
		CHECK_INT(gate_set(m->bpf_dir, &c, NULL), 0);
		for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
			int family = strchr(groups[i].group, ':') ? AF_INET6 : AF_INET;
			bool good = kinds & groups[i].needs;
			int fd = udp(m, VSV_A, family);

			if (family == AF_INET6)
				CHECK_INT(set_option(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, (int)if_nametoindex("psv0")), 0);
			CHECK_INT(do_sendto(fd, groups[i].group, PORT, NULL), good ? 0 : -EPERM);
			(void)close(fd);
			fd = udp(m, VSV_A, family);
			CHECK_INT(do_bind(fd, groups[i].group, PORT), good ? 0 : -EADDRNOTAVAIL);
			(void)close(fd);
		}
	}
}

TEST(gate_groups_by_kind)
{
	machine_test(narrow_body);
}

/* join: in each of the ways that there are.  interface "": left to the kernel. */
enum way { BY_ADDRESS, BY_NUMBER, BY_REQUEST, WAYS };

static int join(int fd, const char *group, enum way way, const char *interface, const char *address)
{
	bool six = strchr(group, ':');
	struct ipv6_mreq m6 = { .ipv6mr_interface = if_nametoindex(interface) };
	struct ip_mreqn m4 = { .imr_ifindex = (int)if_nametoindex(interface) };
	struct group_req req = { .gr_interface = if_nametoindex(interface) };
	int r;

	(void)socket_address(group, 0, &req.gr_group);
	if (way == BY_REQUEST) {
		r = setsockopt(fd, six ? IPPROTO_IPV6 : IPPROTO_IP, MCAST_JOIN_GROUP, &req, sizeof(req));
	} else if (six) {
		CHECK(inet_pton(AF_INET6, group, &m6.ipv6mr_multiaddr) == 1);
		r = setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &m6, sizeof(m6));
	} else {
		CHECK(inet_pton(AF_INET, group, &m4.imr_multiaddr) == 1 && inet_pton(AF_INET, address, &m4.imr_address) == 1);
		if (way == BY_ADDRESS)
			m4.imr_ifindex = 0;
		r = setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m4, way == BY_ADDRESS ? sizeof(struct ip_mreq) : sizeof(m4));
	}
	return r < 0 ? -errno : 0;
}

static int try_join(struct machine *m, enum place p, const char *group, enum way way, const char *interface, const char *address)
{
	int fd = udp(m, p, strchr(group, ':') ? AF_INET6 : AF_INET), r = join(fd, group, way, interface, address);

	(void)close(fd);
	return r;
}

/* joined_on: by the kernel's own account. */
static bool joined_on(const char *file, const char *interface, const char *hex)
{
	char line[256], name[64] = "";
	FILE *f = fopen(file, "re");
	bool found = false;

	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		if (line[0] >= '0' && line[0] <= '9')
			(void)sscanf(line, "%*d %63[^ :\t]", name);
		found = found || (strcmp(name, interface) == 0 && strstr(line, hex));
	}
	(void)fclose(f);
	return found;
}

static void join_body(struct machine *m)
{
	struct { const char *group; bool good; } groups[] = {
		{ "224.0.0.251", true }, { "239.255.255.250", true }, { "ff02::fb", true }, { "ff02::c", true },
		{ "224.0.0.1", false }, { "239.1.2.3", false }, { "ff02::1:3", false }, { "ff05::c", false },
	};
	uint64_t before = refused(m, VSV_A, GATE_SOCKET);
	int fd;

	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		for (enum way way = BY_ADDRESS; way < WAYS; way++) {
			const char *g = groups[i].group;
			bool six = strchr(g, ':'), by_address = !six && way == BY_ADDRESS;

			/* The control: the Psv itself is asked nothing. */
			CHECK_INT(try_join(m, PSV, g, way, "other0", "198.51.100.1"), 0);
			CHECK_INT(try_join(m, VSV_A, g, way, "psv0", "192.0.2.11"), groups[i].good ? 0 : -EPERM);
			CHECK_INT(try_join(m, VSV_A, g, way, "", "192.0.2.12"), groups[i].good ? 0 : -EPERM);
			CHECK_INT(try_join(m, VSV_A, g, way, "other0", by_address ? "198.51.100.1" : "192.0.2.11"), -EPERM);
			CHECK_INT(try_join(m, VSV_A, g, way, "lo", by_address ? "127.0.0.1" : "192.0.2.11"), -EPERM);
			if (by_address) {
				CHECK_INT(try_join(m, VSV_A, g, way, "", "192.0.2.1"), -EPERM);
				CHECK_INT(try_join(m, VSV_A, g, way, "", "192.0.2.21"), -EPERM);
			}
		}
	}
	CHECK(refused(m, VSV_A, GATE_SOCKET) > before);
	/* What is left to the kernel comes to the Vsv's own interface, and not to that of the Psv's route. */
	fd = udp(m, VSV_A, AF_INET);
	CHECK_INT(join(fd, "224.0.0.251", BY_ADDRESS, "", "0.0.0.0"), 0);
	CHECK(joined_on("/proc/net/igmp", "psv0", "FB0000E0") && !joined_on("/proc/net/igmp", "other0", "FB0000E0"));
	CHECK(!joined_on("/proc/net/igmp", "lo", "FB0000E0"));
	/* From a given source only, and as an anycast address: nobody needs that. */
	{
		struct ip_mreq_source s = { .imr_multiaddr.s_addr = htonl(0xe00000fb), .imr_sourceaddr.s_addr = htonl(0xc0000264),
					    .imr_interface.s_addr = htonl(0xc000020b) };

		CHECK(setsockopt(fd, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &s, sizeof(s)) < 0 && errno == EPERM);
		/* Short values are the kernel's to refuse. */
		CHECK(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &s, 4) < 0);
	}
	/* One that is longer than a page is not read where it was judged, so it is not taken. */
	{
		char page[8192] = { 0 };
		struct ip_mreqn m4 = { .imr_multiaddr.s_addr = htonl(0xe00000fb), .imr_ifindex = (int)if_nametoindex("psv0") };
		struct group_req req = { .gr_interface = if_nametoindex("psv0"), .gr_group.ss_family = AF_UNIX };

		memcpy(page, &m4, sizeof(m4));
		CHECK(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, page, sizeof(page)) < 0 && errno == EPERM);
		CHECK(setsockopt(fd, IPPROTO_IP, MCAST_JOIN_GROUP, &req, sizeof(req)) < 0 && errno == EPERM);
		CHECK(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, page, 2) < 0 && errno == EPERM);
	}
	/* By an IPv6 socket at the level of IPv4. */
	fd = udp(m, VSV_A, AF_INET6);
	CHECK_INT(join(fd, "224.0.0.251", BY_NUMBER, "other0", "0.0.0.0"), -EPERM);
	CHECK_INT(join(fd, "239.1.2.3", BY_NUMBER, "psv0", "0.0.0.0"), -EPERM);
}

TEST(gate_joins_groups_on_its_own_interfaces)
{
	machine_discovery = GATE_DISCOVERY_ALL;
	machine_test(join_body);
}

static void join_without_body(struct machine *m)
{
	CHECK_INT(try_join(m, VSV_A, "224.0.0.251", BY_NUMBER, "psv0", "192.0.2.11"), -EPERM);
	CHECK_INT(try_join(m, VSV_A, "ff02::fb", BY_NUMBER, "psv0", ""), -EPERM);
	CHECK_INT(try_join(m, VSV_A, "ff02::c", BY_REQUEST, "psv0", ""), -EPERM);
}

TEST(gate_joins_no_group_without_discovery)
{
	machine_test(join_without_body);
}

/* send_by: to a group, from that source, by an interface that packet information names. */
static int send_by(int fd, const char *to, const char *from, const char *interface)
{
	return do_send_via(fd, to, PORT, from, interface);
}

/* send_by_option: by the interface that the socket's option and the address's scope name. */
static int send_by_option(int fd, const char *to)
{
	struct sockaddr_storage dst;
	socklen_t len = socket_address(to, PORT, &dst);

	if (dst.ss_family == AF_INET6)
		((struct sockaddr_in6 *)&dst)->sin6_scope_id = if_nametoindex("other0");
	return sendto(fd, "abcd", 4, 0, (struct sockaddr *)&dst, len) < 0 ? -errno : 0;
}

static int far_ifindex(const void *arg)
{
	(void)arg;
	return (errno = (int)if_nametoindex("far0")) ? -1 : 0;
}

/* listener: the client's, for a group on its other interface alone. */
static int listener(struct machine *m, const char *group)
{
	int fd = udp(m, CLIENT, strchr(group, ':') ? AF_INET6 : AF_INET);
	struct group_req req = { .gr_interface = (uint32_t)-machine_call(m, CLIENT, far_ifindex, NULL) };
	socklen_t len = socket_address(group, PORT, &req.gr_group);

	CHECK(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "far0", 4) == 0);
	CHECK(setsockopt(fd, req.gr_group.ss_family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6, MCAST_JOIN_GROUP, &req, sizeof(req)) == 0);
	if (req.gr_group.ss_family == AF_INET6)
		((struct sockaddr_in6 *)&req.gr_group)->sin6_scope_id = req.gr_interface;
	CHECK(bind(fd, (struct sockaddr *)&req.gr_group, len) == 0);
	return fd;
}

static void leave_body(struct machine *m)
{
	static const struct { const char *group, *own, *psv; } tries[] = {
		{ "224.0.0.251", "192.0.2.11", "198.51.100.1" }, { "239.255.255.250", "192.0.2.11", "198.51.100.1" },
		{ "ff02::fb", "2001:db8::11", "2001:db8::1" }, { "ff02::c", "2001:db8::11", "2001:db8::1" },
	};
	char host[64];
	uint16_t port;

	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		const char *g = tries[i].group;
		int family = strchr(g, ':') ? AF_INET6 : AF_INET, level = family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
		int name = family == AF_INET ? IP_MULTICAST_IF : IPV6_MULTICAST_IF;
		int far = listener(m, g), fd = udp(m, VSV_A, family), psv = udp(m, PSV, family);
		struct ip_mreqn m4 = { .imr_ifindex = (int)if_nametoindex("other0") };
		int six = (int)if_nametoindex("other0");
		const void *value = family == AF_INET ? (void *)&m4 : (void *)&six;

		/* The control: the Psv's own goes there, once IPv6 has noticed that the link is up. */
		for (unsigned k = 0; k < 300 && send_by(psv, g, tries[i].psv, "other0") < 0; k++)
			(void)usleep(10000);
		CHECK_INT(do_recv(far, 1000, host, &port), 0);
		/* A Vsv's does not: by packet information, by the socket's option, to an interface that is not even a link. */
		CHECK_INT(send_by(fd, g, tries[i].own, "other0"), -EPERM);
		CHECK(send_by(fd, g, tries[i].own, "lo") < 0);
		CHECK_INT(send_by(fd, g, tries[i].own, "psv0"), 0);
		CHECK((setsockopt(fd, level, name, value, family == AF_INET ? sizeof(m4) : sizeof(six)) == 0) == (family == AF_INET));
		CHECK_INT(send_by_option(fd, g), -EPERM);
		CHECK_INT(do_recv(far, 50, host, &port), -EAGAIN);
		(void)close(far);
		(void)close(fd);
		(void)close(psv);
	}
	/* Its subnet's broadcast address is the same: no other link hears it. */
	{
		int fd = udp(m, VSV_A, AF_INET);

		CHECK_INT(send_by(fd, "192.0.2.255", "192.0.2.11", "psv0"), 0);
		CHECK_INT(send_by(fd, "192.0.2.255", "192.0.2.11", "other0"), -EPERM);
		/* And what goes to one host goes on. */
		CHECK_INT(do_sendto(fd, "192.0.2.100", PORT, NULL), 0);
	}
	CHECK(refused(m, VSV_A, GATE_SEND) > 0);
}

TEST(gate_groups_leave_by_its_own_interfaces)
{
	machine_discovery = GATE_DISCOVERY_ALL;
	machine_test(leave_body);
}

/* Discovery that comes to a Vsv which runs is held to its own interfaces as well. */
static void later_body(struct machine *m)
{
	struct gate_config c = m->config[VSV_A];
	int fd = udp(m, VSV_A, AF_INET);

	c.discovery = GATE_DISCOVERY_ALL;
	for (unsigned i = 0; i < 2; i++) {
		CHECK_INT(gate_attach_more(m->bpf_dir, m->cgroup[VSV_A], &c, NULL), 0);
		CHECK_INT(send_by(fd, "224.0.0.251", "192.0.2.11", "psv0"), i ? 0 : -EPERM);
		CHECK_INT(gate_set(m->bpf_dir, &c, NULL), 0);
		CHECK_INT(send_by(fd, "224.0.0.251", "192.0.2.11", "psv0"), 0);
		CHECK_INT(send_by(fd, "224.0.0.251", "192.0.2.11", "other0"), -EPERM);
	}
	/* Off and on again: it is there already. */
	c.discovery = 0;
	CHECK_INT(gate_attach_more(m->bpf_dir, m->cgroup[VSV_A], &c, NULL), 0);
	CHECK_INT(gate_set(m->bpf_dir, &c, NULL), 0);
	c.discovery = GATE_DISCOVERY_MDNS;
	CHECK_INT(gate_attach_more(m->bpf_dir, m->cgroup[VSV_A], &c, NULL), 0);
	CHECK_INT(gate_set(m->bpf_dir, &c, NULL), 0);
	CHECK_INT(send_by(fd, "224.0.0.251", "192.0.2.11", "other0"), -EPERM);
	(void)close(fd);
}

TEST(gate_groups_are_held_to_interfaces_when_they_come_later)
{
	machine_test(later_body);
}

/* The link-local address of the client's other interface, by which it would be reached from other0 alone. */
static struct sockaddr_in6 far_address(const struct machine *m)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(PORT), .sin6_scope_id = if_nametoindex("other0") };
	int fd = udp((struct machine *)(uintptr_t)m, CLIENT, AF_INET6);
	struct ifreq r = { .ifr_name = "far0" };

	CHECK(a.sin6_scope_id && ioctl(fd, SIOCGIFHWADDR, &r) == 0);
	(void)close(fd);
	/* RFC 4291 appendix A. */
	a.sin6_addr = (struct in6_addr){ { { 0xfe, 0x80, [11] = 0xff, [12] = 0xfe } } };
	for (unsigned i = 0; i < 6; i++)
		a.sin6_addr.s6_addr[i < 3 ? 8 + i : 10 + i] = (uint8_t)r.ifr_hwaddr.sa_data[i];
	a.sin6_addr.s6_addr[8] ^= 2;
	return a;
}

static int to_far(int fd, const struct sockaddr_in6 *a)
{
	return sendto(fd, "abcd", 4, 0, (const struct sockaddr *)a, sizeof(*a)) < 0 ? -errno : 0;
}

static void link_local_body(struct machine *m)
{
	const struct sockaddr_in6 far = far_address(m);
	int at = udp(m, CLIENT, AF_INET6), listener = machine_socket(m, CLIENT, AF_INET6, SOCK_STREAM, 0);
	int psv = udp(m, PSV, AF_INET6), fd = udp(m, VSV_A, AF_INET6), tcp = machine_socket(m, VSV_A, AF_INET6, SOCK_STREAM, 0);
	char host[64];
	uint16_t port;

	CHECK_INT(do_bind(at, "::", PORT), 0);
	CHECK_INT(do_bind(listener, "::", PORT), 0);
	CHECK_INT(do_listen(listener), 0);
	/* The control, once IPv6 has noticed that the link is up. */
	for (unsigned k = 0; k < 300 && (to_far(psv, &far) < 0 || do_recv(at, 10, host, &port) < 0); k++)
		(void)usleep(10000);
	while (do_recv(at, 100, host, &port) == 0)
		; /* those before, which waited for the link */
	CHECK_INT(to_far(psv, &far), 0);
	CHECK_INT(do_recv(at, 1000, host, &port), 0);
	CHECK_INT(to_far(fd, &far), -EPERM);
	CHECK_INT(do_recv(at, 50, host, &port), -EAGAIN);
	CHECK_INT(connect(tcp, (const struct sockaddr *)&far, sizeof(far)) < 0 ? -errno : 0, -EPERM);
	CHECK_INT(do_accept(listener, 50, host), -EAGAIN);
	(void)close(at);
	(void)close(listener);
	(void)close(psv);
	(void)close(fd);
	(void)close(tcp);
}

TEST(gate_link_local_is_of_its_own_interfaces)
{
	machine_test(link_local_body);
}

TEST(gate_link_local_is_of_its_own_interfaces_with_discovery)
{
	machine_discovery = GATE_DISCOVERY_ALL;
	machine_test(link_local_body);
}

/* Two Vsv of one subnet on one group and port: both hear it; what goes to one's address is for nobody else. */
static void two_body(struct machine *m)
{
	static const struct { const char *group, *a, *b; } tries[] = {
		{ "224.0.0.251", "192.0.2.11", "192.0.2.21" }, { "ff02::fb", "2001:db8::11", "2001:db8::21" },
	};
	char host[64];
	uint16_t port;

	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		int family = strchr(tries[i].group, ':') ? AF_INET6 : AF_INET;
		int a = udp(m, VSV_A, family), b = udp(m, VSV_B, family), a1 = udp(m, VSV_A, family), b1 = udp(m, VSV_B, family);
		int psv = udp(m, PSV, family), client = udp(m, CLIENT, family);
		int fds[] = { a, b, a1, b1, psv };
		struct { int fd; const char *at; } binds[] = { { a, tries[i].group }, { b, tries[i].group }, { a1, tries[i].a },
							       { b1, tries[i].b }, { psv, family == AF_INET ? "0.0.0.0" : "::" } };

		if (family == AF_INET6)
			CHECK_INT(set_option(psv, IPPROTO_IPV6, IPV6_V6ONLY, 1), 0);
		for (size_t k = 0; k < sizeof(binds) / sizeof(binds[0]); k++) {
			CHECK_INT(set_option(binds[k].fd, SOL_SOCKET, SO_REUSEADDR, 1), 0);
			if (family == AF_INET6)
				CHECK_INT(set_option(binds[k].fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, (int)if_nametoindex("psv0")), 0);
			CHECK_INT(do_bind(binds[k].fd, binds[k].at, PORT), 0);
		}
		CHECK_INT(join(a, tries[i].group, BY_NUMBER, "psv0", "0.0.0.0"), 0);
		CHECK_INT(join(b, tries[i].group, BY_NUMBER, "psv0", "0.0.0.0"), 0);
		if (family == AF_INET) {
			const struct in_addr by = { htonl(0xc0000264) };

			CHECK(setsockopt(client, IPPROTO_IP, IP_MULTICAST_IF, &by, sizeof(by)) == 0);
		}
		CHECK_INT(do_sendto(client, family == AF_INET ? tries[i].group : tries[i].a, PORT, NULL), 0);
		if (family == AF_INET) {
			CHECK_INT(do_recv(a, 1000, host, &port), 0);
			CHECK_INT(do_recv(b, 1000, host, &port), 0);
			CHECK_INT(do_recv(a1, 20, host, &port), -EAGAIN);
			CHECK_INT(do_recv(psv, 20, host, &port), 0); /* as any socket on the wildcard address, where IP_MULTICAST_ALL is on */
		} else {
			CHECK_INT(do_recv(a1, 1000, host, &port), 0);
		}
		CHECK_INT(do_sendto(client, tries[i].b, PORT, NULL), 0);
		CHECK_INT(do_recv(b1, 1000, host, &port), 0);
		for (size_t k = 0; k < sizeof(fds) / sizeof(fds[0]); k++) {
			CHECK_INT(do_recv(fds[k], 20, host, &port), -EAGAIN);
			(void)close(fds[k]);
		}
		(void)close(client);
	}
}

TEST(gate_groups_of_two_beside_each_other)
{
	machine_discovery = GATE_DISCOVERY_ALL;
	machine_test(two_body);
}

/* A scope that is named in bind(2) or connect(2) holds the socket to a link, also when it is connected to another address next, and a
 * corked datagram after that. The kernel sets it before it looks for a route. */
static int hold_to(int fd, const struct sockaddr_in6 *first)
{
	return connect(fd, (const struct sockaddr *)first, sizeof(*first)) < 0 ? -errno : 0;
}

static int held_by(int fd)
{
	int index = -1;
	socklen_t len = sizeof(index);

	CHECK(getsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &index, &len) == 0);
	return index;
}

static void scope_body(struct machine *m)
{
	struct sockaddr_in6 link = far_address(m), group = link;
	int psv = udp(m, PSV, AF_INET6), fd = udp(m, VSV_A, AF_INET6), other = (int)if_nametoindex("other0");

	CHECK(inet_pton(AF_INET6, "ff02::fb", &group.sin6_addr) == 1);
	/* The control. */
	(void)hold_to(psv, &link);
	CHECK_INT(do_connect(psv, "2001:db8:9::1", PORT), 0);
	CHECK_INT(held_by(psv), other);
	CHECK_INT(hold_to(fd, &link), -EPERM);
	CHECK_INT(hold_to(fd, &group), -EPERM);
	CHECK(bind(fd, (const struct sockaddr *)&group, sizeof(group)) < 0 && errno == EADDRNOTAVAIL);
	CHECK_INT(refused(m, VSV_A, GATE_CONNECT), 2);
	CHECK_INT(refused(m, VSV_A, GATE_BIND), 1);
	/* A group without a scope takes the one of the option. */
	CHECK_INT(set_option(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, other), -EPERM);
	CHECK_INT(held_by(fd), 0);
	/* Its own does what it is for. */
	group.sin6_scope_id = if_nametoindex("psv0");
	CHECK_INT(hold_to(fd, &group), 0);
	CHECK_INT(do_connect(fd, "2001:db8::100", PORT), 0);
	CHECK_INT(do_sendto(fd, NULL, 0, NULL), 0);
	fd = udp(m, VSV_A, AF_INET6);
	CHECK(bind(fd, (const struct sockaddr *)&group, sizeof(group)) == 0);
}

TEST(gate_scope_of_a_connection)
{
	machine_discovery = GATE_DISCOVERY_ALL;
	machine_test(scope_body);
}
