/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The interface that a private stack stands on. */
#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "lib/err.h"
#include "lib/str.h"
#include "psv/conf.h"
#include "psv/link.h"
#include "psv/net.h"
#include "psv/preflight_private.h"
#include "psv/psv.h"

static void names_of_all(struct strbuf *ret)
{
	struct if_nameindex *all = if_nameindex();

	for (struct if_nameindex *i = all; i && i->if_index; i++)
		if (strcmp(i->if_name, "lo") != 0)
			strbuf_addf(ret, "%s%s", ret->len ? ", " : "", i->if_name);
	if_freenameindex(all);
}

static void missing(struct preflight_run *run)
{
	_cleanup_strbuf_ struct strbuf names = { 0 };

	names_of_all(&names);
	preflight_hint(preflight_obstacle(run, VNAS_EXIT_FAILED, "there is no interface %s", run->conf->interface),
		       "the interfaces are: %s", names.len ? strbuf_str(&names) : "none but lo");
}

/* It has the interface by itself: while it runs, the Psv does not see it. */
static bool has_it(const struct preflight_run *run)
{
	struct state st = { 0 };
	bool yes = state_read(run->psv, run->name, &st, NULL) == 0 && st.link.kind == CONF_LINK_INTERFACE &&
		   strcmp(st.link.interface, run->conf->interface) == 0 && state_phase(run->psv, run->name, &st) != VSV_STOPPED;

	state_free(&st);
	return yes;
}

static void check_bridge(struct preflight_run *run, const struct link_info *l)
{
	if (strcmp(l->kind, "bridge") != 0) {
		preflight_hint(preflight_obstacle(run, VNAS_EXIT_FAILED, "interface %s is no bridge, which 'link = veth' needs a port of",
						  l->name), "link = macvlan, or make a bridge and let %s be a port of it", l->name);
		return;
	}
	if (run->conf->vlan && !l->vlan_filtering)
		preflight_hint(preflight_obstacle(run, VNAS_EXIT_FAILED, "bridge %s does not tell VLANs apart, which 'vlan' needs",
						  l->name), "ip link set %s type bridge vlan_filtering 1", l->name);
	if (l->stp_delay_ms)
		preflight_hint(preflight_warning(run, "bridge %s runs the spanning tree protocol: for %u seconds its new port forwards nothing, so "
						 "clients do not reach it, and the question whether an address is taken is not heard", l->name,
						 l->stp_delay_ms / 1000), "ip link set %s type bridge stp_state 0, if it is in no ring", l->name);
}

static int check_upper(struct preflight_run *run, const struct link_info *l, struct err *err)
{
	char master[IF_NAMESIZE] = "another one";
	int r = 0;

	if (l->master) {
		(void)if_indextoname(l->master, master);
		preflight_hint(preflight_obstacle(run, VNAS_EXIT_IN_USE, "interface %s is a port of %s", l->name, master),
			       "interface = %s, or ip link set %s nomaster", master, l->name);
	}
	if (run->conf->link != CONF_LINK_INTERFACE)
		return 0;
	r = link_has_upper(l->ifindex, err);
	if (r > 0)
		preflight_hint(preflight_obstacle(run, VNAS_EXIT_IN_USE, "interface %s cannot be handed over: others stand on it",
						  l->name), "ip link shows those that are NAME@%s or have 'master %s'", l->name, l->name);
	return r < 0 ? r : 0;
}

/* What the Psv has there would be lost. */
static int check_addresses(struct preflight_run *run, const struct link_info *l, struct err *err)
{
	char text[IPADDR_STR_MAX];
	struct ipaddr own;
	int r = net_has_address(l->ifindex, &own, err);

	if (r > 0)
		preflight_hint(preflight_obstacle(run, VNAS_EXIT_IN_USE, "interface %s cannot be handed over: the address %s is on it",
						  l->name, ipaddr_str(&own, text)), "ip addr flush dev %s, if nobody needs it", l->name);
	return r < 0 ? r : 0;
}

/* The Psv's own on the same network; elsewhere the same address is another host's. */
static int check_held(struct preflight_run *run, const struct link_info *l, struct err *err)
{
	char text[IPADDR_STR_MAX];

	for (size_t i = 0; i < run->conf->n_addresses; i++) {
		uint32_t ifindex;
		int r = net_is_local(&run->conf->addresses[i].addr, &ifindex, err);

		if (r < 0)
			return r;
		if (r > 0 && ifindex == l->ifindex && !run->conf->vlan && !run->address_told[i])
			preflight_hint(preflight_obstacle(run, VNAS_EXIT_IN_USE, "address %s is on %s of this machine already",
							  ipaddr_str(&run->conf->addresses[i].addr, text), l->name),
				       "take it from the machine (ip addr show dev %s), or give the server another one", l->name);
	}
	return 0;
}

static int check_parent(struct preflight_run *run, const struct link_info *l, struct err *err)
{
	enum conf_link kind = link_kind(run->conf, l);
	struct err why = { 0 };
	int r;

	if (link_kind_known(kind, &why) == -EOPNOTSUPP)
		preflight_hint(preflight_obstacle(run, VNAS_EXIT_FAILED, "the kernel has no %s interfaces (%s)", conf_link_name(kind),
						  kind == CONF_LINK_VLAN ? "CONFIG_VLAN_8021Q" : kind == CONF_LINK_IPVLAN ?
						  "CONFIG_IPVLAN" : "CONFIG_MACVLAN"), "modprobe %s; a kernel that has it is "
			       "needed", kind == CONF_LINK_VLAN ? "8021q" : conf_link_name(kind));
	if (kind == CONF_LINK_VETH)
		check_bridge(run, l);
	if (kind == CONF_LINK_INTERFACE && strcmp(l->kind, "bridge") == 0)
		preflight_hint(preflight_obstacle(run, VNAS_EXIT_FAILED, "interface %s is a bridge, which cannot be handed over", l->name),
			       "link = veth");
	if (kind != CONF_LINK_INTERFACE && !l->up)
		preflight_hint(preflight_obstacle(run, VNAS_EXIT_FAILED, "interface %s is down", l->name), "ip link set %s up", l->name);
	else if (kind != CONF_LINK_INTERFACE && kind != CONF_LINK_VETH && !l->carrier)
		preflight_hint(preflight_warning(run, "interface %s has no carrier", l->name), "see whether its cable is plugged in");
	if (run->conf->mtu > l->mtu && kind != CONF_LINK_INTERFACE)
		preflight_hint(preflight_obstacle(run, VNAS_EXIT_FAILED, "mtu %u is larger than that of %s, %u", run->conf->mtu, l->name,
						  l->mtu), "ip link set %s mtu %u, if its network takes that", l->name, run->conf->mtu);
	r = check_upper(run, l, err);
	if (r == 0)
		r = kind == CONF_LINK_INTERFACE ? check_addresses(run, l, err) : check_held(run, l, err);
	return r;
}

int preflight_link(struct preflight_run *run, struct err *err)
{
	struct link_info l;
	int r;

	if (run->conf->stack != CONF_STACK_PRIVATE || has_it(run))
		return 0;
	r = link_get(run->conf->interface, &l, err);
	if (r == -ENODEV) {
		missing(run);
		return 0;
	}
	return r < 0 ? r : check_parent(run, &l, err);
}
