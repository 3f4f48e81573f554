/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looking at interfaces. */
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "lib/err.h"
#include "lib/netlink.h"
#include "lib/netns.h"
#include "psv/link.h"

enum { LOWER_UP = 1 << 16 /* IFF_LOWER_UP; linux/if.h and net/if.h do not go together */ };

static void copy_text(const struct nlattr *a, char *buf, size_t size)
{
	const char *text = a ? nl_attr_str(a) : NULL;

	if (text)
		(void)str_copy(buf, size, text);
}

static uint32_t number(const struct nlattr *a)
{
	return a && nl_attr_len(a) == sizeof(uint32_t) ? nl_attr_u32(a) : 0;
}

static void read_kind(const struct nlattr *in, struct link_info *ret)
{
	const struct nlattr *info[IFLA_INFO_MAX + 1], *data[IFLA_BR_VLAN_DEFAULT_PVID + 1];

	netlink_nested(in, info, IFLA_INFO_MAX);
	copy_text(info[IFLA_INFO_KIND], ret->kind, sizeof(ret->kind));
	if (strcmp(ret->kind, "bridge") != 0 || !info[IFLA_INFO_DATA])
		return;
	netlink_nested(info[IFLA_INFO_DATA], data, IFLA_BR_VLAN_DEFAULT_PVID);
	/* A port listens, then learns, each for a forward delay, which is in hundredths of a second. */
	if (number(data[IFLA_BR_STP_STATE]))
		ret->stp_delay_ms = 2 * 10 * number(data[IFLA_BR_FORWARD_DELAY]);
	ret->vlan_filtering = data[IFLA_BR_VLAN_FILTERING] && nl_attr_u8(data[IFLA_BR_VLAN_FILTERING]);
	if (data[IFLA_BR_VLAN_DEFAULT_PVID])
		ret->default_vlan = nl_attr_u16(data[IFLA_BR_VLAN_DEFAULT_PVID]);
}

static bool is_joining(const struct nlattr *alias)
{
	const char *text = alias ? nl_attr_str(alias) : NULL;
	size_t len = text ? strlen(text) : 0;

	return len >= strlen(LINK_JOINS) && strcmp(text + len - strlen(LINK_JOINS), LINK_JOINS) == 0;
}

static int on_link(const struct nlmsghdr *h, void *arg)
{
	const struct ifinfomsg *m = nl_payload(h);
	const struct nlattr *a[IFLA_MAX + 1];
	struct link_info *ret = arg;

	if (h->nlmsg_type != RTM_NEWLINK)
		return 0;
	netlink_attrs(h, sizeof(*m), a, IFLA_MAX);
	*ret = (struct link_info){
		.ifindex = (uint32_t)m->ifi_index,
		.mtu = number(a[IFLA_MTU]),
		.lower = number(a[IFLA_LINK]),
		.master = number(a[IFLA_MASTER]),
		.up = m->ifi_flags & IFF_UP,
		.carrier = (m->ifi_flags & (IFF_UP | IFF_RUNNING | LOWER_UP)) == (IFF_UP | IFF_RUNNING | LOWER_UP),
	};
	copy_text(a[IFLA_IFNAME], ret->name, sizeof(ret->name));
	if (a[IFLA_LINKINFO])
		read_kind(a[IFLA_LINKINFO], ret);
	ret->joins = is_joining(a[IFLA_IFALIAS]);
	return 0;
}

int link_get(const char *name, struct link_info *ret, struct err *err)
{
	_cleanup_netlink_ struct netlink nl = { .fd = -1 };
	struct link_info found = { 0 };
	struct netlink_msg m;
	int r = netlink_open(NETLINK_ROUTE, &nl, err);

	if (r < 0)
		return r;
	(void)netlink_begin(&m, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
	nl_attr_put_strz(&m.h, IFLA_IFNAME, name);
	r = netlink_talk(&nl, &m.h, on_link, &found, err);
	if (r == -ENODEV || (r >= 0 && !found.ifindex))
		return err_set(err, -ENODEV, "there is no interface %s", name);
	if (r < 0)
		return err_wrap(err, r, "cannot look at interface %s", name);
	*ret = found;
	return 0;
}

struct upper {
	uint32_t of;
	bool found;
};

static int on_upper(const struct nlmsghdr *h, void *arg)
{
	struct link_info l = { 0 };
	struct upper *u = arg;

	(void)on_link(h, &l);
	/* The other end of a pair calls it its lower one, too. */
	if (strcmp(l.kind, "veth") == 0)
		l.lower = 0;
	u->found |= l.ifindex != u->of && (l.lower == u->of || l.master == u->of);
	return 0;
}

int link_has_upper(uint32_t ifindex, struct err *err)
{
	_cleanup_netlink_ struct netlink nl = { .fd = -1 };
	struct upper u = { .of = ifindex };
	struct netlink_msg m;
	int r = netlink_open(NETLINK_ROUTE, &nl, err);

	if (r < 0)
		return r;
	r = 1;
	for (int i = 0; i < NETLINK_DUMP_TRIES && r == 1; i++) {
		(void)netlink_begin(&m, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg));
		r = netlink_talk(&nl, &m.h, on_upper, &u, err);
	}
	if (r == 1 && !u.found)
		r = err_set(err, -EAGAIN, "they change all the time");
	return r < 0 ? err_wrap(err, r, "cannot list the interfaces") : u.found;
}

int link_kind_known(enum conf_link kind, struct err *err)
{
	_cleanup_netlink_ struct netlink nl = { .fd = -1 };
	struct nlattr *info;
	struct netlink_msg m;

	/* A pair would be made; and a kernel without veth has no bridge to join it to in use. */
	if (kind == CONF_LINK_VETH || kind == CONF_LINK_INTERFACE || kind == CONF_LINK_AUTO)
		return 0;
	if (netlink_open(NETLINK_ROUTE, &nl, NULL) < 0)
		return 0;
	/* On no interface: a kernel that knows the kind says that one is needed. */
	(void)netlink_begin(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
	info = nl_attr_nest_start(&m.h, IFLA_LINKINFO);
	nl_attr_put_strz(&m.h, IFLA_INFO_KIND, conf_link_name(kind));
	nl_attr_nest_end(&m.h, info);
	return netlink_talk(&nl, &m.h, NULL, NULL, err) == -EOPNOTSUPP ? -EOPNOTSUPP : 0;
}

enum conf_link link_kind(const struct conf *c, const struct link_info *parent)
{
	if (c->link != CONF_LINK_AUTO)
		return c->link;
	if (strcmp(parent->kind, "bridge") == 0)
		return CONF_LINK_VETH;
	return c->vlan ? CONF_LINK_VLAN : CONF_LINK_MACVLAN;
}

int link_carrier(int net_fd, struct err *err)
{
	struct netns_visit visit _cleanup_netns_ = NETNS_HOME;
	struct link_info l = { 0 };
	int r = netns_enter(net_fd, &visit, err);

	if (r == 0)
		r = link_get(LINK_INSIDE, &l, err);
	return r < 0 ? r : l.carrier;
}
