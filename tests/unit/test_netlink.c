/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "lib/err.h"
#include "lib/netlink.h"
#include "test.h"
#include "test_net_hosts.h"

static int count_to(const struct nlmsghdr *h, void *arg)
{
	int *n = arg;

	(void)h;
	return ++*n == 2 ? -ECANCELED : 0;
}

static void ask_addresses(struct netlink_msg *m)
{
	(void)netlink_begin(m, RTM_GETADDR, NLM_F_DUMP, sizeof(struct ifaddrmsg));
}

TEST(netlink_passes_on_what_the_kernel_says)
{
	_cleanup_netlink_ struct netlink nl = { .fd = -1 };
	static const unsigned char gateway[4] = { 203, 0, 113, 1 };
	struct netlink_msg m;
	struct err e = { 0 };
	struct rtmsg *rt;

	hosts_begin();
	(void)host_new();
	CHECK_INT(netlink_open(NETLINK_ROUTE, &nl, &e), 0);
	rt = netlink_begin(&m, RTM_NEWROUTE, NLM_F_CREATE, sizeof(*rt));
	rt->rtm_family = AF_INET;
	rt->rtm_table = RT_TABLE_MAIN;
	rt->rtm_type = RTN_UNICAST;
	nl_attr_put(&m.h, RTA_GATEWAY, sizeof(gateway), gateway);
	CHECK_INT(netlink_talk(&nl, &m.h, NULL, NULL, &e), -ENETUNREACH);
	CHECK_STR(e.text, "Nexthop has invalid gateway");
	CHECK_INT(netlink_talk(&nl, &m.h, NULL, NULL, NULL), -ENETUNREACH);
}

TEST(netlink_callback_that_fails_leaves_the_socket_usable)
{
	_cleanup_netlink_ struct netlink nl = { .fd = -1 };
	struct netlink_msg m;
	struct err e = { 0 };
	int n = 0, all = -100;

	hosts_begin();
	(void)host_new();
	for (int i = 1; i < 100; i++)
		ip("addr add 127.1.0.%d/32 dev lo", i);
	CHECK_INT(netlink_open(NETLINK_ROUTE, &nl, &e), 0);
	ask_addresses(&m);
	CHECK_INT(netlink_talk(&nl, &m.h, count_to, &n, &e), -ECANCELED);
	CHECK_INT(n, 2);
	ask_addresses(&m);
	CHECK_INT(netlink_talk(&nl, &m.h, count_to, &all, &e), 0);
	CHECK_INT(all, 1); /* 99, 127.0.0.1 and ::1 */
}

TEST(netlink_attributes_that_are_broken)
{
	struct netlink_msg m;
	const struct nlattr *a[IFA_MAX + 1];
	struct nlattr *last;

	(void)netlink_begin(&m, RTM_NEWADDR, 0, sizeof(struct ifaddrmsg));
	nl_attr_put_u32(&m.h, IFA_LOCAL, 1);
	nl_attr_put_u32(&m.h, 999, 1);
	last = nl_tail(&m.h);
	nl_attr_put_u32(&m.h, IFA_ADDRESS, 1);
	netlink_attrs(&m.h, sizeof(struct ifaddrmsg), a, IFA_MAX);
	CHECK(a[IFA_LOCAL] && a[IFA_ADDRESS] && !a[IFA_LABEL]);
	/* longer than the message, and shorter than a header */
	last->nla_len = 100;
	netlink_attrs(&m.h, sizeof(struct ifaddrmsg), a, IFA_MAX);
	CHECK(a[IFA_LOCAL] && !a[IFA_ADDRESS]);
	last->nla_len = 1;
	netlink_attrs(&m.h, sizeof(struct ifaddrmsg), a, IFA_MAX);
	CHECK(a[IFA_LOCAL] && !a[IFA_ADDRESS]);
	/* no room for the extra header */
	m.h.nlmsg_len = sizeof(m.h);
	netlink_attrs(&m.h, sizeof(struct ifaddrmsg), a, IFA_MAX);
	CHECK(!a[IFA_LOCAL]);
}
