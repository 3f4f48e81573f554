/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psv/link.h"

#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/netlink.h"
#include "lib/netns.h"

enum { BUSY_TRIES = 250, PAUSE_NS = 20 * 1000 * 1000, CARRIER_TRIES = 150, MAC_BYTES = 6, GEN_MODE_NONE = 1 };

static void pause_shortly(void)
{
	struct timespec ts = { .tv_nsec = PAUSE_NS };

	(void)nanosleep(&ts, NULL);
}

/* host_name: the Psv's end of a pair, the same at each start, for the Psv's firewall: "vnas-" and the server's name; of a long name
 * as much as leaves room for "~" and its number, which no short name has. */
static void host_name(const char *server, uint32_t id, char buf[IFNAMSIZ])
{
	char number[16];

	if (str_format(buf, IFNAMSIZ, "vnas-%s", server))
		return;
	(void)str_format(number, sizeof(number), "~%u", id);
	(void)str_format(buf, IFNAMSIZ, "vnas-%.*s%s", (int)(IFNAMSIZ - 1 - 5 - strlen(number)), server, number);
}

int link_plan(const struct conf *c, uint32_t id, struct state_link *ret, struct err *err)
{
	struct link_info parent;
	int r = link_get(c->interface, &parent, err);

	if (r < 0)
		return r;
	*ret = (struct state_link){ .kind = link_kind(c, &parent), .was_up = parent.up };
	(void)str_copy(ret->interface, sizeof(ret->interface), parent.name);
	if (ret->kind == CONF_LINK_VETH)
		host_name(c->name, id, ret->host);
	return 0;
}

int link_set_up(uint32_t ifindex, struct err *err)
{
	_cleanup_netlink_ struct netlink nl = { .fd = -1 };
	struct ifinfomsg *ifi;
	struct netlink_msg m;
	int r = netlink_open(NETLINK_ROUTE, &nl, err);

	if (r < 0)
		return r;
	ifi = netlink_begin(&m, RTM_NEWLINK, 0, sizeof(*ifi));
	ifi->ifi_index = (int)ifindex;
	ifi->ifi_flags = ifi->ifi_change = IFF_UP;
	return netlink_talk(&nl, &m.h, NULL, NULL, err);
}

int link_delete(const char *name, const char *kind, struct err *err)
{
	_cleanup_netlink_ struct netlink nl = { .fd = -1 };
	struct ifinfomsg *ifi;
	struct link_info l;
	struct netlink_msg m;
	int r = link_get(name, &l, err);

	if (r == -ENODEV) {
		err_clear(err);
		return 0;
	}
	if (r < 0 || (kind && strcmp(l.kind, kind) != 0))
		return r;
	r = netlink_open(NETLINK_ROUTE, &nl, err);
	if (r < 0)
		return r;
	ifi = netlink_begin(&m, RTM_DELLINK, 0, sizeof(*ifi));
	ifi->ifi_index = (int)l.ifindex;
	r = netlink_talk(&nl, &m.h, NULL, NULL, err);
	if (r == -ENODEV) {
		err_clear(err);
		return 0;
	}
	return r < 0 ? err_wrap(err, r, "cannot take interface %s away", name) : 0;
}

/* What is being made. */
struct making {
	const struct conf *c;
	const struct state_link *plan;
	struct link_info parent;
	int net_fd, ifindex; /* inside */
	uint8_t mac[MAC_BYTES];
};

/* Servers do not reach each other past the Psv's firewall, unless one names a peer. */
static bool is_apart(const struct making *m)
{
	return m->c->peers.n == 0;
}

static void put_inside(struct nlmsghdr *h, const struct making *m)
{
	nl_attr_put_strz(h, IFLA_IFNAME, LINK_INSIDE);
	nl_attr_put_u32(h, IFLA_NET_NS_FD, (uint32_t)m->net_fd);
	if (m->plan->kind != CONF_LINK_IPVLAN)
		nl_attr_put(h, IFLA_ADDRESS, MAC_BYTES, m->mac);
	if (m->c->mtu || m->plan->kind == CONF_LINK_VETH)
		nl_attr_put_u32(h, IFLA_MTU, m->c->mtu ? m->c->mtu : m->parent.mtu);
}

/* On an interface of the Psv's. */
static int make_upper(struct netlink *nl, const struct making *m, struct err *err)
{
	struct nlattr *info, *data;
	struct ifinfomsg *ifi;
	struct netlink_msg msg;

	ifi = netlink_begin(&msg, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(*ifi));
	ifi->ifi_index = m->ifindex;
	put_inside(&msg.h, m);
	nl_attr_put_u32(&msg.h, IFLA_LINK, m->parent.ifindex);
	info = nl_attr_nest_start(&msg.h, IFLA_LINKINFO);
	nl_attr_put_strz(&msg.h, IFLA_INFO_KIND, conf_link_name(m->plan->kind));
	data = nl_attr_nest_start(&msg.h, IFLA_INFO_DATA);
	if (m->plan->kind == CONF_LINK_MACVLAN)
		nl_attr_put_u32(&msg.h, IFLA_MACVLAN_MODE, is_apart(m) ? MACVLAN_MODE_PRIVATE : MACVLAN_MODE_BRIDGE);
	if (m->plan->kind == CONF_LINK_IPVLAN) {
		nl_attr_put_u16(&msg.h, IFLA_IPVLAN_MODE, IPVLAN_MODE_L2);
		nl_attr_put_u16(&msg.h, IFLA_IPVLAN_FLAGS, is_apart(m) ? IPVLAN_F_PRIVATE : 0);
	}
	if (m->plan->kind == CONF_LINK_VLAN)
		nl_attr_put_u16(&msg.h, IFLA_VLAN_ID, (uint16_t)m->c->vlan);
	nl_attr_nest_end(&msg.h, data);
	nl_attr_nest_end(&msg.h, info);
	return netlink_talk(nl, &msg.h, NULL, NULL, err);
}

/* The Psv's end is made, but is neither a port nor up yet.  The inner one is the first of the two: veth takes the peer's index only
 * where the other has one. */
static int make_pair(struct netlink *nl, const struct making *m, struct err *err)
{
	struct nlattr *info, *data, *peer;
	struct ifinfomsg *ifi;
	struct netlink_msg msg;

	ifi = netlink_begin(&msg, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(*ifi));
	ifi->ifi_index = m->ifindex;
	put_inside(&msg.h, m);
	info = nl_attr_nest_start(&msg.h, IFLA_LINKINFO);
	nl_attr_put_strz(&msg.h, IFLA_INFO_KIND, "veth");
	data = nl_attr_nest_start(&msg.h, IFLA_INFO_DATA);
	peer = nl_attr_nest_start(&msg.h, VETH_INFO_PEER);
	(void)nl_put_header(&msg.h, sizeof(*ifi));
	nl_attr_put_strz(&msg.h, IFLA_IFNAME, m->plan->host);
	/* A port with a smaller one would lower the bridge's. */
	nl_attr_put_u32(&msg.h, IFLA_MTU, m->parent.mtu);
	nl_attr_nest_end(&msg.h, peer);
	nl_attr_nest_end(&msg.h, data);
	nl_attr_nest_end(&msg.h, info);
	return netlink_talk(nl, &msg.h, NULL, NULL, err);
}

/* What the kernel's bridge knows of the port. */
static int set_port(struct netlink *nl, uint32_t ifindex, bool isolated, struct err *err)
{
	struct ifinfomsg *ifi;
	struct netlink_msg msg;
	struct nlattr *port;
	int r;

	ifi = netlink_begin(&msg, RTM_SETLINK, 0, sizeof(*ifi));
	ifi->ifi_family = AF_BRIDGE;
	ifi->ifi_index = (int)ifindex;
	port = nl_attr_nest_start(&msg.h, IFLA_PROTINFO);
	nl_attr_put_u8(&msg.h, IFLA_BRPORT_ISOLATED, isolated);
	nl_attr_nest_end(&msg.h, port);
	r = netlink_talk(nl, &msg.h, NULL, NULL, err);
	return r < 0 ? err_wrap(err, r, "cannot set the bridge port apart") : 0;
}

/* A frame without a tag is of that VLAN, and goes out without one. */
static int set_port_vlan(struct netlink *nl, uint32_t ifindex, uint16_t type, uint32_t vlan, struct err *err)
{
	struct bridge_vlan_info v = { .vid = (uint16_t)vlan };
	struct ifinfomsg *ifi;
	struct netlink_msg msg;
	struct nlattr *spec;
	int r;

	if (type == RTM_SETLINK)
		v.flags = BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED;
	ifi = netlink_begin(&msg, type, 0, sizeof(*ifi));
	ifi->ifi_family = AF_BRIDGE;
	ifi->ifi_index = (int)ifindex;
	spec = nl_attr_nest_start(&msg.h, IFLA_AF_SPEC);
	nl_attr_put(&msg.h, IFLA_BRIDGE_VLAN_INFO, sizeof(v), &v);
	nl_attr_nest_end(&msg.h, spec);
	r = netlink_talk(nl, &msg.h, NULL, NULL, err);
	return r < 0 ? err_wrap(err, r, "cannot set the VLAN of the bridge port") : 0;
}

static int make_port(struct netlink *nl, uint32_t ifindex, const struct making *m, struct err *err)
{
	struct ifinfomsg *ifi;
	struct netlink_msg msg;

	ifi = netlink_begin(&msg, RTM_NEWLINK, 0, sizeof(*ifi));
	ifi->ifi_index = (int)ifindex;
	nl_attr_put_u32(&msg.h, IFLA_MASTER, m->parent.ifindex);
	return netlink_talk(nl, &msg.h, NULL, NULL, err);
}

/* set_joining: down, until it is set apart, with an alias that says so; or up, and whole: in one message, so that whoever is killed
 * between leaves what can be told from a port that its administrator has set down. */
static int set_joining(struct netlink *nl, uint32_t ifindex, const struct making *m, bool joins, struct err *err)
{
	struct ifinfomsg *ifi;
	struct netlink_msg msg;
	char alias[64];

	(void)str_format(alias, sizeof(alias), "vnas %s%s", m->c->name, joins ? LINK_JOINS : "");
	ifi = netlink_begin(&msg, RTM_NEWLINK, 0, sizeof(*ifi));
	ifi->ifi_index = (int)ifindex;
	ifi->ifi_change = IFF_UP;
	ifi->ifi_flags = joins ? 0 : IFF_UP;
	nl_attr_put_str(&msg.h, IFLA_IFALIAS, alias);
	return netlink_talk(nl, &msg.h, NULL, NULL, err);
}

/* No address of its own: it is a port, and nobody is to find the Psv by it. */
static int set_host_end(struct netlink *nl, uint32_t ifindex, struct err *err)
{
	struct nlattr *spec, *six;
	struct ifinfomsg *ifi;
	struct netlink_msg msg;
	int r;

	ifi = netlink_begin(&msg, RTM_NEWLINK, 0, sizeof(*ifi));
	ifi->ifi_index = (int)ifindex;
	spec = nl_attr_nest_start(&msg.h, IFLA_AF_SPEC);
	six = nl_attr_nest_start(&msg.h, AF_INET6);
	nl_attr_put_u8(&msg.h, IFLA_INET6_ADDR_GEN_MODE, GEN_MODE_NONE);
	nl_attr_nest_end(&msg.h, six);
	nl_attr_nest_end(&msg.h, spec);
	r = netlink_talk(nl, &msg.h, NULL, NULL, err);
	if (r == -EAFNOSUPPORT || r == -EOPNOTSUPP) { /* no IPv6 here */
		err_clear(err);
		return 0;
	}
	return r < 0 ? err_wrap(err, r, "cannot set interface number %u", ifindex) : 0;
}

/* Whom the port reaches. */
static int limit_port(struct netlink *nl, uint32_t ifindex, const struct making *m, struct err *err)
{
	int r = set_port(nl, ifindex, is_apart(m), err);

	if (r == 0 && m->c->vlan)
		r = set_port_vlan(nl, ifindex, RTM_SETLINK, m->c->vlan, err);
	/* Of the one that the bridge gave it, it would go on to hear. */
	if (r == 0 && m->c->vlan && m->parent.default_vlan && m->parent.default_vlan != m->c->vlan)
		r = set_port_vlan(nl, ifindex, RTM_DELLINK, m->parent.default_vlan, err);
	return r;
}

static int join_bridge(struct netlink *nl, const struct making *m, struct err *err)
{
	struct link_info host;
	int r = link_get(m->plan->host, &host, err);

	if (r == 0)
		r = make_port(nl, host.ifindex, m, err);
	if (r == 0)
		r = limit_port(nl, host.ifindex, m, err);
	if (r == 0)
		r = set_host_end(nl, host.ifindex, err);
	return r < 0 ? r : set_joining(nl, host.ifindex, m, false, err);
}

static int make(const struct making *m, struct err *err)
{
	_cleanup_netlink_ struct netlink nl = { .fd = -1 };
	int r = netlink_open(NETLINK_ROUTE, &nl, err);

	if (r < 0)
		return r;
	if (m->plan->kind != CONF_LINK_VETH)
		return make_upper(&nl, m, err);
	r = make_pair(&nl, m, err);
	return r < 0 ? r : join_bridge(&nl, m, err);
}

int link_rejoin(const struct conf *c, const struct state_link *plan, struct err *err)
{
	_cleanup_netlink_ struct netlink nl = { .fd = -1 };
	struct making m = { .c = c, .plan = plan, .net_fd = -1 };
	struct link_info host = { 0 };
	int r;

	if (plan->kind != CONF_LINK_VETH)
		return 0;
	r = link_get(plan->interface, &m.parent, err);
	if (r == 0)
		r = link_get(plan->host, &host, err);
	if (r == 0)
		r = netlink_open(NETLINK_ROUTE, &nl, err);
	if (r < 0)
		return r;
	if (strcmp(m.parent.kind, "bridge") != 0)
		return err_set(err, -ENODEV, "%s is no bridge", plan->interface);
	if (host.master == m.parent.ifindex && !host.joins)
		return limit_port(&nl, host.ifindex, &m, err);
	r = set_joining(&nl, host.ifindex, &m, true, err);
	if (r >= 0)
		r = join_bridge(&nl, &m, err);
	return r < 0 ? err_wrap(err, r, "cannot make %s a port of %s", plan->host, plan->interface) : 1;
}

static int explain(const struct making *m, int code, struct err *err)
{
	const char *kind = conf_link_name(m->plan->kind), *name = m->parent.name;

	(void)err_wrap(err, code, "cannot make a %s interface on %s", kind, name);
	if (code == -EOPNOTSUPP)
		return err_hint(err, code, "this kernel has no %s: modprobe %s", kind,
				m->plan->kind == CONF_LINK_VLAN ? "8021q" : kind);
	if (code == -EBUSY && m->plan->kind != CONF_LINK_VETH)
		return err_hint(err, code, "%s is a port of a bridge or bond, or has interfaces of another kind on it", name);
	if (code == -EEXIST && m->plan->kind == CONF_LINK_VLAN)
		return err_hint(err, code, "its VLAN %u has an interface already: name that one as 'interface', without 'vlan'",
				m->c->vlan);
	return code;
}

/* One that has just ended is taken apart by the kernel in its own time, and has the names and addresses until then. */
static bool is_in_use(int r)
{
	return r == -EEXIST || r == -EBUSY || r == -EADDRINUSE;
}

static int make_patiently(const struct making *m, struct err *err)
{
	int r = -EBUSY;

	for (int i = 0; i < BUSY_TRIES && is_in_use(r); i++) {
		if (i)
			pause_shortly();
		err_clear(err);
		r = make(m, err);
	}
	return r < 0 ? explain(m, r, err) : 0;
}

/* set_inside_up: and its index.  Again for a while: another one with its hardware address may be ending. */
static int set_inside_up(int net_fd, uint32_t *ret_ifindex, struct err *err)
{
	struct netns_visit visit _cleanup_netns_ = NETNS_HOME;
	struct link_info l = { 0 };
	int r = netns_enter(net_fd, &visit, err);

	if (r == 0)
		r = link_get(LINK_INSIDE, &l, err);
	if (r < 0)
		return r;
	r = -EBUSY;
	for (int i = 0; i < BUSY_TRIES && is_in_use(r); i++) {
		if (i)
			pause_shortly();
		err_clear(err);
		r = link_set_up(l.ifindex, err);
	}
	if (r == -EBUSY || r == -EADDRINUSE)
		return err_hint(err, err_wrap(err, r, "its hardware address is in use on the same interface"), "set another 'mac'");
	if (r < 0)
		return err_wrap(err, r, "cannot set its interface up");
	*ret_ifindex = l.ifindex;
	/* What is sent before it works is lost; without a cable it never does, which status tells. */
	for (int i = 0; i < CARRIER_TRIES && !l.carrier && link_get(LINK_INSIDE, &l, NULL) == 0 && !l.carrier; i++)
		pause_shortly();
	return 0;
}

int link_up(const struct psv *psv, const struct conf *c, const struct state_link *plan, int net_fd, uint32_t *ifindex,
	    struct err *err)
{
	struct making m = { .c = c, .plan = plan, .net_fd = net_fd, .ifindex = (int)*ifindex };
	int r = link_get(plan->interface, &m.parent, err);

	conf_mac(c, m.mac);
	if (r == 0)
		r = plan->kind == CONF_LINK_INTERFACE ? link_hand_over(psv, c->name, &m.parent, net_fd, err)
						      : make_patiently(&m, err);
	return r < 0 ? r : set_inside_up(net_fd, ifindex, err);
}

/* An orderly end does not leave it to the kernel, which would take its time. */
static int delete_inside(int net_fd, struct err *err)
{
	struct netns_visit visit _cleanup_netns_ = NETNS_HOME;
	int r = net_fd < 0 ? 1 : netns_enter(net_fd, &visit, err);

	return r ? 0 : link_delete(LINK_INSIDE, NULL, err);
}

int link_down(const struct psv *psv, const char *name, const struct state_link *plan, const struct conf *c, int net_fd,
	      struct err *err)
{
	const char *handed = plan->kind == CONF_LINK_INTERFACE                                           ? plan->interface
			     : plan->kind == CONF_LINK_AUTO && c->link == CONF_LINK_INTERFACE && c->interface ? c->interface
													     : "";
	int r = link_take_back(psv, name, handed, plan->kind == CONF_LINK_AUTO || plan->was_up, err);

	if (r != 0 || *handed)
		return r;
	r = delete_inside(net_fd, err);
	if (r == 0 && *plan->host)
		r = link_delete(plan->host, "veth", err);
	return r;
}
