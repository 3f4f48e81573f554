/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/addr.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/process.h"
#include "psv/net.h"
#include "test.h"
#include "test_net_hosts.h"

/* The words of a failure are in `e`. */
#define OK(call)                                                          \
	do {                                                              \
		if ((call) < 0) {                                         \
			(void)fprintf(stderr, "    %s\n", e.text);        \
			test_fail(__FILE__, __LINE__, #call);             \
		}                                                         \
	} while (0)

/* What is put on one address, with its interface found as the program does. */
static int up(uint32_t id, const char *text, const char *gateway)
{
	struct conf_address a = address(text);
	struct ipaddr gw = { 0 };
	uint32_t ifindex = 0;
	struct err e = { 0 };
	int r;

	if (gateway)
		CHECK_INT(ipaddr_parse(gateway, &gw), 0);
	OK(net_find_interface(&a, &ifindex, &e));
	r = net_address_up(&a, ifindex, id, &gw, gateway != NULL, &e);
	if (r < 0)
		(void)fprintf(stderr, "    %s\n", e.text);
	host_settle();
	return r;
}

static int down(uint32_t id, const char *text)
{
	struct conf_address a = address(text);
	uint32_t ifindex = 0;
	struct err e = { 0 };

	OK(net_find_interface(&a, &ifindex, &e));
	return net_address_down(&a, ifindex, id, &e);
}

/* The Psv with eth0 in 192.0.2.0/24 and 2001:db8:1::/64, the client beside it. */
static struct host psv, client;

static void one_network(void)
{
	hosts_begin();
	psv = host_new();
	client = host_new();
	host_link(&psv, "eth0", &client, "eth0");
	ip("addr add 192.0.2.99/24 dev eth0");
	ip("addr add 2001:db8:1::99/64 dev eth0 nodad");
	host_enter(&psv);
	ip("addr add 192.0.2.1/24 dev eth0");
	ip("addr add 2001:db8:1::1/64 dev eth0 nodad");
	host_settle();
}

TEST(net_up_is_idempotent_and_down_leaves_nothing)
{
	const char *before, *after, *once, *twice;

	one_network();
	before = host_dump();
	CHECK_INT(up(3, "192.0.2.11/24", "192.0.2.254"), 1);
	CHECK_INT(up(3, "2001:db8:1::11/64", "fe80::1"), 1);
	once = host_dump();
	CHECK(strcmp(before, once) != 0);
	CHECK_INT(up(3, "192.0.2.11/24", "192.0.2.254"), 0);
	CHECK_INT(up(3, "2001:db8:1::11/64", "fe80::1"), 0);
	twice = host_dump();
	CHECK_STR(twice, once);
	CHECK_INT(down(3, "192.0.2.11/24"), 0);
	CHECK_INT(down(3, "2001:db8:1::11/64"), 0);
	after = host_dump();
	CHECK_STR(after, before);
	CHECK_INT(down(3, "192.0.2.11/24"), 0);
	CHECK_INT(down(3, "2001:db8:1::11/64"), 0);
}

TEST(net_neighbours_in_one_network_do_not_touch_each_other)
{
	const char *with_one, *before;
	struct err e = { 0 };

	one_network();
	before = host_dump();
	CHECK_INT(up(1, "192.0.2.11/24", "192.0.2.254"), 1);
	CHECK_INT(up(1, "2001:db8:1::11/64", NULL), 1);
	with_one = host_dump();
	CHECK_INT(up(2, "192.0.2.12/24", "192.0.2.253"), 1);
	CHECK_INT(up(2, "192.0.2.13/24", "192.0.2.253"), 1);
	CHECK_INT(up(2, "2001:db8:1::12/64", NULL), 1);
	CHECK_INT(down(2, "192.0.2.12/24"), 0);
	/* 2 still has .13 and needs its network's route */
	CHECK_INT(up(2, "192.0.2.13/24", "192.0.2.253"), 0);
	CHECK_INT(down(2, "192.0.2.13/24"), 0);
	CHECK_INT(down(2, "2001:db8:1::12/64"), 0);
	CHECK_STR(host_dump(), with_one);
	OK(net_down_all(1, &e));
	CHECK_STR(host_dump(), before);
	OK(net_down_all(1, &e));
}

TEST(net_down_all_needs_no_state)
{
	struct err e = { 0 };
	const char *before;

	one_network();
	before = host_dump();
	CHECK_INT(up(65535, "192.0.2.11/24", "192.0.2.254"), 1);
	CHECK_INT(up(65535, "198.51.100.11/24@eth0", "192.0.2.254"), 1);
	CHECK_INT(up(65535, "2001:db8:1::11/64", "2001:db8:1::fe"), 1);
	OK(net_down_all(65535, &e));
	CHECK_STR(host_dump(), before);
}

/* What is where it should be is taken away as it is; else, on another interface or without its rule, it is looked for. */
TEST(net_down_known_finds_what_is_elsewhere)
{
	struct conf_address a[2] = { address("192.0.2.11/24"), address("2001:db8:1::11/64") };
	static const char *const spoilt[] = { NULL, "rule del from 192.0.2.11", "-6 rule del from 2001:db8:1::11",
					      "addr del 192.0.2.11/32 dev eth0" };
	uint32_t right[2], wrong[2];
	struct err e = { 0 };
	const char *before;

	one_network();
	before = host_dump();
	for (size_t i = 0; i < sizeof(spoilt) / sizeof(*spoilt) + 1; i++) {
		CHECK_INT(up(7, "192.0.2.11/24", "192.0.2.254"), 1);
		CHECK_INT(up(7, "2001:db8:1::11/64", "2001:db8:1::fe"), 1);
		for (size_t k = 0; k < 2; k++) {
			OK(net_find_interface(&a[k], &right[k], &e));
			wrong[k] = 9999; /* one that came back has another index */
		}
		if (i < sizeof(spoilt) / sizeof(*spoilt) && spoilt[i])
			ip("%s", spoilt[i]);
		OK(net_down_known(a, i == sizeof(spoilt) / sizeof(*spoilt) ? wrong : right, 2, 7, &e));
		CHECK_STR(host_dump(), before);
	}
	OK(net_down_known(a, right, 2, 7, &e));
	OK(net_down_known(NULL, NULL, 0, 7, &e));
	CHECK_STR(host_dump(), before);
}

TEST(net_what_is_flushed_comes_back)
{
	const char *full;

	one_network();
	CHECK_INT(up(3, "192.0.2.11/24", "192.0.2.254"), 1);
	CHECK_INT(up(3, "2001:db8:1::11/64", "fe80::1"), 1);
	full = host_dump();
	ip("addr del 192.0.2.11/32 dev eth0");
	ip("-6 addr del 2001:db8:1::11/128 dev eth0");
	CHECK_INT(up(3, "192.0.2.11/24", "192.0.2.254"), 1);
	CHECK_INT(up(3, "2001:db8:1::11/64", "fe80::1"), 1);
	CHECK_STR(host_dump(), full);
	ip("rule flush");
	ip("rule add from all lookup main priority 32766");
	ip("rule add from all lookup default priority 32767");
	ip("route flush table %u", NET_TABLE_BASE + 3);
	ip("-6 route flush table %u", NET_TABLE_BASE + 3);
	CHECK_INT(up(3, "192.0.2.11/24", "192.0.2.254"), 1);
	CHECK_INT(up(3, "2001:db8:1::11/64", "fe80::1"), 1);
	CHECK_INT(up(3, "192.0.2.11/24", "192.0.2.254"), 0);
	CHECK_INT(up(3, "2001:db8:1::11/64", "fe80::1"), 0);
}

TEST(net_gateway_can_be_changed_and_taken_away)
{
	static const char *const gateways[2][2] = { { "192.0.2.254", "192.0.2.253" }, { "fe80::1", "2001:db8:1::2" } };
	static const char *const addresses[2] = { "192.0.2.11/24", "2001:db8:1::11/64" };

	one_network();
	for (size_t i = 0; i < 2; i++) {
		const char *without, *first;

		CHECK_INT(up(3, addresses[i], NULL), 1);
		without = host_dump();
		CHECK_INT(up(3, addresses[i], gateways[i][0]), 1);
		first = host_dump();
		CHECK_INT(up(3, addresses[i], gateways[i][1]), 1);
		CHECK_INT(up(3, addresses[i], gateways[i][1]), 0);
		CHECK_INT(up(3, addresses[i], gateways[i][0]), 1);
		CHECK_STR(host_dump(), first);
		CHECK_INT(up(3, addresses[i], NULL), 0);
		CHECK_STR(host_dump(), without);
	}
}

TEST(net_psv_never_takes_an_address_of_a_vsv_as_its_own)
{
	one_network();
	echo_serve(&client);
	host_enter(&psv);
	CHECK_INT(up(1, "192.0.2.11/24", NULL), 1);
	CHECK_INT(up(1, "2001:db8:1::11/64", NULL), 1);
	CHECK_STR(echo_ask("", "192.0.2.99"), "192.0.2.1");
	CHECK_STR(echo_ask("", "2001:db8:1::99"), "2001:db8:1::1");
	CHECK_STR(echo_ask("192.0.2.11", "192.0.2.99"), "192.0.2.11");
	CHECK_STR(echo_ask("2001:db8:1::11", "2001:db8:1::99"), "2001:db8:1::11");
	/* The Psv's own address goes and comes: the Vsv's was there first then. */
	ip("addr del 192.0.2.1/24 dev eth0");
	ip("addr add 192.0.2.1/24 dev eth0");
	CHECK_STR(echo_ask("", "192.0.2.99"), "192.0.2.1");
	/* And without one, rather none than a Vsv's. */
	ip("addr del 192.0.2.1/24 dev eth0");
	ip("route add 192.0.2.0/24 dev eth0");
	CHECK(strcmp(echo_ask("", "192.0.2.99"), "192.0.2.11") != 0);
	CHECK_STR(echo_ask("192.0.2.11", "192.0.2.99"), "192.0.2.11");
}

TEST(net_own_address_can_be_reached_from_itself_and_from_the_psv)
{
	one_network();
	echo_serve(&psv);
	CHECK_INT(up(1, "192.0.2.11/24", "192.0.2.254"), 1);
	CHECK_INT(up(1, "2001:db8:1::11/64", "fe80::1"), 1);
	CHECK_STR(echo_ask("192.0.2.11", "192.0.2.11"), "192.0.2.11");
	CHECK_STR(echo_ask("2001:db8:1::11", "2001:db8:1::11"), "2001:db8:1::11");
	CHECK_STR(echo_ask("192.0.2.1", "192.0.2.11"), "192.0.2.1");
	host_enter(&client);
	CHECK_STR(echo_ask("", "192.0.2.11"), "192.0.2.99");
	CHECK_STR(echo_ask("", "2001:db8:1::11"), "2001:db8:1::99");
}

/* Two departments, each with its own network, its own router and, behind that, its own far client with the same address:
 * only a routing table for each Vsv can answer both. */
TEST(net_two_vsv_behind_two_routers)
{
	struct host router[2], far[2];

	hosts_begin();
	psv = host_new();
	echo_serve(&psv);
	for (int i = 0; i < 2; i++) {
		char name[16];

		router[i] = host_new();
		far[i] = host_new();
		(void)snprintf(name, sizeof(name), "eth%d", i);
		host_link(&psv, name, &router[i], "lan");
		ip("addr add 198.51.%d.254/24 dev lan", 100 + i);
		ip("addr add 2001:db8:%d::fe/64 dev lan nodad", 100 + i);
		host_link(&router[i], "wan", &far[i], "eth0");
		ip("addr add 203.0.113.9/24 dev eth0");
		ip("addr add 2001:db8:f::9/64 dev eth0 nodad");
		ip("route add default via 203.0.113.1");
		ip("-6 route add default via 2001:db8:f::1");
		host_enter(&router[i]);
		ip("addr add 203.0.113.1/24 dev wan");
		ip("addr add 2001:db8:f::1/64 dev wan nodad");
		CHECK_INT(file_write_at(AT_FDCWD, "/proc/sys/net/ipv4/ip_forward", "1"), 0);
		CHECK_INT(file_write_at(AT_FDCWD, "/proc/sys/net/ipv6/conf/all/forwarding", "1"), 0);
	}
	host_enter(&psv);
	/* The first network is the Psv's, too; in the second it has no address, and it has no default route. */
	ip("addr add 198.51.100.1/24 dev eth0");
	CHECK_INT(up(1, "198.51.100.11/24", "198.51.100.254"), 1);
	CHECK_INT(up(1, "2001:db8:100::11/64@eth0", "2001:db8:100::fe"), 1);
	CHECK_INT(up(2, "198.51.101.11/24@eth1", "198.51.101.254"), 1);
	CHECK_INT(up(2, "2001:db8:101::11/64@eth1", "2001:db8:101::fe"), 1);
	for (int i = 0; i < 2; i++) {
		static const char *const v4[] = { "198.51.100.11", "198.51.101.11" };
		static const char *const v6[] = { "2001:db8:100::11", "2001:db8:101::11" };
		char near4[32], near6[32];

		(void)snprintf(near4, sizeof(near4), "198.51.%d.254", 100 + i);
		(void)snprintf(near6, sizeof(near6), "2001:db8:%d::fe", 100 + i);
		host_enter(&far[i]);
		CHECK_STR(echo_ask("", v4[i]), "203.0.113.9");
		CHECK_STR(echo_ask("", v6[i]), "2001:db8:f::9");
		host_enter(&router[i]);
		CHECK_STR(echo_ask("", v4[i]), near4);
		CHECK_STR(echo_ask("", v6[i]), near6);
	}
}

/* What a route look-up with that source says; the gateway is somewhere, or nowhere. */
static bool leaves_by(const char *words, const char *want)
{
	_cleanup_strbuf_ struct strbuf said = { 0 };
	const char *argv[] = { "ip", "route", "get", words, "from", "192.0.2.11", NULL };
	struct run_opts how = { .out = &said, .accept_status = true };
	struct err e = { 0 };

	if (run(argv, &how, &e) != 0)
		return !want;
	return want && strstr(strbuf_str(&said), want);
}

/* Who asks for the hosts of the link alone (SO_DONTROUTE): 0, or the kernel's errno. */
static int on_link(const char *from, const char *to, int type)
{
	struct sockaddr_in own = { .sin_family = AF_INET }, other = { .sin_family = AF_INET, .sin_port = htons(9) };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1, r;

	CHECK(inet_pton(AF_INET, from, &own.sin_addr) == 1 && inet_pton(AF_INET, to, &other.sin_addr) == 1);
	CHECK(setsockopt(fd, SOL_SOCKET, SO_DONTROUTE, &one, sizeof(one)) == 0);
	CHECK(bind(fd, (struct sockaddr *)&own, sizeof(own)) == 0);
	r = connect(fd, (struct sockaddr *)&other, sizeof(other)) < 0 && errno != EINPROGRESS ? errno : 0;
	(void)close(fd);
	return r;
}

TEST(net_never_leaves_by_another_network)
{
	struct host third;

	one_network();
	third = host_new();
	host_link(&psv, "eth1", &third, "eth0");
	host_enter(&psv);
	ip("addr add 203.0.113.1/24 dev eth1");
	ip("route add default via 203.0.113.254");
	CHECK_INT(up(1, "192.0.2.11/24", NULL), 1);
	CHECK(leaves_by("198.51.100.1", "via 203.0.113.254 "));
	CHECK_INT(up(1, "192.0.2.11/24", "192.0.2.254"), 1);
	CHECK(leaves_by("198.51.100.1", "via 192.0.2.254 "));
	/* Nor to hosts of the Psv's other link that are asked for as neighbours; its own are. */
	CHECK_INT(on_link("203.0.113.1", "203.0.113.7", SOCK_DGRAM), 0);
	CHECK_INT(on_link("192.0.2.11", "203.0.113.7", SOCK_DGRAM), EHOSTUNREACH);
	CHECK_INT(on_link("192.0.2.11", "203.0.113.7", SOCK_STREAM), EHOSTUNREACH);
	CHECK_INT(on_link("192.0.2.11", "192.0.2.99", SOCK_DGRAM), 0);
	CHECK_INT(on_link("192.0.2.11", "192.0.2.99", SOCK_STREAM), 0);
	ip("link set eth0 down");
	CHECK(leaves_by("198.51.100.1", NULL));
	ip("link set eth0 up");
	CHECK_INT(up(1, "192.0.2.11/24", "192.0.2.254"), 1);
	CHECK(leaves_by("198.51.100.1", "via 192.0.2.254 "));
	/* the same, with a gateway that another address of the Vsv reaches */
	CHECK_INT(up(1, "198.18.0.1/24@eth0", "192.0.2.254"), 1);
	CHECK_INT(up(1, "198.18.0.1/24@eth0", "192.0.2.254"), 0);
	CHECK_INT(down(1, "192.0.2.11/24"), 0);
	CHECK_INT(down(1, "198.18.0.1/24@eth0"), 0);
}

TEST(net_broadcast_of_a_network_that_is_not_the_psvs)
{
	_cleanup_strbuf_ struct strbuf said = { 0 };

	one_network();
	CHECK_INT(up(1, "198.51.100.11/24@eth0", NULL), 1);
	CHECK_INT(up(2, "198.51.100.12/24@eth0", NULL), 1);
	CHECK_INT(down(1, "198.51.100.11/24@eth0"), 0);
	ip_says(&said, "route get 198.51.100.255 from 198.51.100.12");
	CHECK(str_starts(strbuf_str(&said), "broadcast "));
	CHECK_INT(down(2, "198.51.100.12/24@eth0"), 0);
}

/* told: how many messages wait there for who listens to addresses, routes and rules. */
static unsigned told(int fd)
{
	char buf[8192];
	unsigned n = 0;

	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		n++;
	return n;
}

/* Each message of a start goes to the supervisors of all that run (docs/architecture.md, "What grows"). */
TEST(net_up_and_down_say_little)
{
	struct sockaddr_nl all = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV4_RULE };
	int fd;

	one_network();
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&all, sizeof(all)) == 0);
	CHECK_INT(up(1, "192.0.2.11/24", NULL), 1);
	/* rule, address, its local route, its network, the network's broadcast address */
	CHECK_INT(told(fd), 5);
	CHECK_INT(up(1, "192.0.2.11/24", NULL), 0);
	CHECK_INT(told(fd), 0);
	CHECK_INT(down(1, "192.0.2.11/24"), 0);
	CHECK_INT(told(fd), 5);
	CHECK(close(fd) == 0);
}

TEST(net_interface_is_found_or_named)
{
	struct conf_address a;
	struct err e = { 0 };
	uint32_t ifindex = 0;

	one_network();
	a = address("192.0.2.77/24");
	CHECK_INT(net_find_interface(&a, &ifindex, &e), 0);
	CHECK_INT(ifindex, if_nametoindex("eth0"));
	a = address("2001:db8:1::77/64");
	CHECK_INT(net_find_interface(&a, &ifindex, &e), 0);
	CHECK_INT(ifindex, if_nametoindex("eth0"));
	a = address("198.51.100.7/24");
	CHECK_INT(net_find_interface(&a, &ifindex, &e), -ENODEV);
	CHECK_STR(e.text, "address 198.51.100.7: no interface of this machine is in its network");
	CHECK(strstr(e.hint, "198.51.100.7/24@INTERFACE") && strstr(e.hint, "eth0"));
	a = address("198.51.100.7/24@eth9");
	CHECK_INT(net_find_interface(&a, &ifindex, &e), -ENODEV);
	CHECK_STR(e.text, "address 198.51.100.7: there is no interface eth9");
	/* By a gateway is not connected. */
	ip("route add default via 192.0.2.254");
	a = address("198.51.100.7/24");
	CHECK_INT(net_find_interface(&a, &ifindex, &e), -ENODEV);
}

TEST(net_is_local_tells_ours_from_others)
{
	struct ipaddr a;
	struct err e = { 0 };
	uint32_t ifindex = 0;

	one_network();
	CHECK_INT(ipaddr_parse("192.0.2.1", &a), 0);
	CHECK_INT(net_is_local(&a, &ifindex, &e), 1);
	CHECK_INT(ifindex, if_nametoindex("eth0"));
	CHECK_INT(ipaddr_parse("2001:db8:1::1", &a), 0);
	CHECK_INT(net_is_local(&a, &ifindex, &e), 1);
	CHECK_INT(ifindex, if_nametoindex("eth0"));
	CHECK_INT(ipaddr_parse("192.0.2.2", &a), 0);
	CHECK_INT(net_is_local(&a, NULL, &e), 0);
	CHECK_INT(ipaddr_parse("192.0.2.255", &a), 0);
	CHECK_INT(net_is_local(&a, NULL, &e), 0);
	CHECK_INT(ipaddr_parse("203.0.113.1", &a), 0);
	CHECK_INT(net_is_local(&a, NULL, &e), 0);
	CHECK_INT(ipaddr_parse("2001:db8:ffff::1", &a), 0);
	CHECK_INT(net_is_local(&a, NULL, &e), 0);
}

TEST(net_errors_say_what_to_do)
{
	struct conf_address a = address("192.0.2.11/24@eth0");
	struct err e = { 0 };
	uint32_t ifindex = 0;

	one_network();
	ip("link set eth0 down");
	OK(net_find_interface(&a, &ifindex, &e));
	CHECK_INT(net_address_up(&a, ifindex, 1, NULL, 0, &e), -ENETDOWN);
	CHECK_STR(e.hint, "the interface is down: ip link set eth0 up");
	CHECK_INT(net_address_down(&a, ifindex, 1, &e), 0);
	CHECK_INT(net_address_up(&a, 4711, 1, NULL, 0, &e), -ENODEV);
	CHECK_INT(net_address_down(&a, 4711, 1, &e), 0);
}

TEST(net_up_takes_well_below_a_millisecond)
{
	enum { ROUNDS = 50 };
	struct conf_address a = address("192.0.2.11/24");
	double best = 1e9;
	struct err e = { 0 };
	uint32_t ifindex = 0;

	one_network();
	OK(net_find_interface(&a, &ifindex, &e));
	for (int i = 0; i < ROUNDS; i++) {
		struct timespec t0, t1;
		double ms;

		(void)clock_gettime(CLOCK_MONOTONIC, &t0);
		OK(net_address_up(&a, ifindex, 1, NULL, 0, &e));
		(void)clock_gettime(CLOCK_MONOTONIC, &t1);
		ms = (double)(t1.tv_sec - t0.tv_sec) * 1e3 + (double)(t1.tv_nsec - t0.tv_nsec) / 1e6;
		if (ms < best)
			best = ms;
		OK(net_address_down(&a, ifindex, 1, &e));
	}
	if (getenv("VNAS_TEST_FIGURES"))
		(void)fprintf(stderr, "    net_address_up: %.3f ms\n", best);
	CHECK(best < 1.0);
}

TEST(net_own_loopback_address)
{
	struct err e = { 0 };
	const char *before;

	one_network();
	before = host_dump();
	CHECK_INT(net_loopback_up(3, &e), 1);
	CHECK_INT(net_loopback_up(3, &e), 0);
	CHECK_INT(net_loopback_down(3, &e), 0);
	CHECK_INT(net_loopback_down(3, &e), 0);
	CHECK_STR(host_dump(), before);
	CHECK_INT(file_write_at(AT_FDCWD, "/proc/sys/net/ipv6/conf/lo/disable_ipv6", "1"), 0);
	CHECK_INT(net_loopback_up(3, &e), 0);
	CHECK_INT(net_loopback_down(3, &e), 0);
}

/* A thousandth address goes on as fast as the tenth, or nearly. */
TEST(net_a_thousand_addresses)
{
	enum { MANY = 1000, ROUND = 10 };
	double tenth = 0, last = 0;
	struct err e = { 0 };
	const char *before;

	one_network();
	before = host_dump();
	for (uint32_t id = 1; id <= MANY; id++) {
		struct timespec t0, t1;
		struct conf_address a;
		char text[64];
		double ms;

		(void)snprintf(text, sizeof(text), "198.18.%u.%u/15@eth0", id / 250, 1 + id % 250);
		a = address(text);
		(void)clock_gettime(CLOCK_MONOTONIC, &t0);
		CHECK_INT(net_address_up(&a, if_nametoindex("eth0"), id, NULL, 0, &e), 1);
		(void)clock_gettime(CLOCK_MONOTONIC, &t1);
		ms = (double)(t1.tv_sec - t0.tv_sec) * 1e3 + (double)(t1.tv_nsec - t0.tv_nsec) / 1e6;
		tenth += id <= ROUND ? ms / ROUND : 0;
		last += id > MANY - ROUND ? ms / ROUND : 0;
	}
	if (getenv("VNAS_TEST_FIGURES"))
		(void)fprintf(stderr, "    net_address_up: the first ten %.3f ms, the last ten %.3f ms each\n", tenth, last);
	for (uint32_t id = 1; id <= MANY; id++)
		OK(net_down_all(id, &e));
	CHECK_STR(host_dump(), before);
}
