/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What another Vsv's configuration holds already: an address, a name, a volume. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/str.h"
#include "psv/conf.h"
#include "psv/link.h"
#include "psv/net.h"
#include "psv/preflight_index.h"
#include "psv/preflight_private.h"
#include "psv/psv.h"

static void cleanup_conf(struct conf *c)
{
	conf_free(c);
}

/* interface_of: where an address stands; "" if that cannot be said. */
static const char *interface_of(const struct conf *c, const struct conf_address *a, char buf[IF_NAMESIZE])
{
	uint32_t ifindex;

	if (c->stack == CONF_STACK_PRIVATE)
		return c->interface;
	return net_find_interface(a, &ifindex, NULL) == 0 && if_indextoname(ifindex, buf) ? buf : "";
}

/* meet: two addresses are in one network; one of a private stack and one of the shared may each have their own. */
static bool meet(const struct conf *a, const struct conf_address *x, const struct conf *b, const struct conf_address *y)
{
	char buf[2][IF_NAMESIZE];

	if (!conf_same_network(a, b))
		return false;
	if (a->stack == b->stack)
		return true;
	return a->vlan == b->vlan && strcmp(interface_of(a, x, buf[0]), interface_of(b, y, buf[1])) == 0;
}

/* compare_links: of two private stacks. */
static void compare_links(struct preflight_run *run, const struct conf *other)
{
	const struct conf *c = run->conf;
	struct link_info parent;
	uint8_t mine[6], theirs[6];

	if (c->stack != CONF_STACK_PRIVATE || other->stack != CONF_STACK_PRIVATE || strcmp(c->interface, other->interface) != 0)
		return;
	if (c->link == CONF_LINK_INTERFACE || other->link == CONF_LINK_INTERFACE) {
		preflight_hint(preflight_obstacle(run, VNAS_EXIT_IN_USE, "interface %s belongs to %s%s", c->interface, other->name,
						  other->link == CONF_LINK_INTERFACE ? ", whole" : ", and cannot be handed over whole"),
			       "give one of the two another 'interface'");
		return;
	}
	conf_mac(c, mine);
	conf_mac(other, theirs);
	if (c->link != CONF_LINK_IPVLAN && other->link != CONF_LINK_IPVLAN && c->vlan == other->vlan &&
	    memcmp(mine, theirs, sizeof(mine)) == 0)
		preflight_hint(preflight_obstacle(run, VNAS_EXIT_IN_USE, "hardware address %02x:%02x:%02x:%02x:%02x:%02x belongs to %s",
						  mine[0], mine[1], mine[2], mine[3], mine[4], mine[5], other->name),
			       "set another 'mac' in [server]");
	else if (c->vlan && c->vlan == other->vlan && link_get(c->interface, &parent, NULL) == 0 &&
		 link_kind(c, &parent) == CONF_LINK_VLAN)
		preflight_hint(preflight_obstacle(run, VNAS_EXIT_IN_USE, "VLAN %u of %s belongs to %s", c->vlan, c->interface,
						  other->name),
			       "make the VLAN's interface (ip link add link %s name %s.%u type vlan id %u), and name it as "
			       "'interface' in both, without 'vlan'", c->interface, c->interface, c->vlan, c->vlan);
}

static void compare_addresses(struct preflight_run *run, const struct conf *other)
{
	char text[IPADDR_STR_MAX];

	for (size_t i = 0; i < run->conf->n_addresses; i++)
		for (size_t j = 0; j < other->n_addresses; j++) {
			if (!ipaddr_equal(&run->conf->addresses[i].addr, &other->addresses[j].addr) ||
			    !meet(run->conf, &run->conf->addresses[i], other, &other->addresses[j]))
				continue;
			run->address_told[i] = true;
			preflight_hint(preflight_obstacle(run, VNAS_EXIT_IN_USE, "address %s belongs to %s",
							  ipaddr_str(&other->addresses[j].addr, text), other->name),
				       "vnas address remove %s %s/%u, or give the server another one", other->name, text,
				       other->addresses[j].prefix);
		}
}

/* has_netbios_name: as its own or as an alias. */
static bool has_netbios_name(const struct conf *c, const char *name)
{
	if (strcasecmp(c->netbios_name, name) == 0)
		return true;
	for (size_t i = 0; i < c->aliases.n; i++)
		if (strcasecmp(c->aliases.v[i], name) == 0)
			return true;
	return false;
}

/* compare_netbios: 1 if the two have a name in common. */
static int compare_netbios(struct preflight_run *run, const struct conf *other)
{
	const struct conf *c = run->conf;

	if (has_netbios_name(other, c->netbios_name)) {
		preflight_hint(preflight_obstacle(run, VNAS_EXIT_IN_USE, "NetBIOS name %s belongs to %s", c->netbios_name,
						  other->name),
			       "set another 'netbios name' in [server]");
		return 1;
	}
	for (size_t i = 0; i < c->aliases.n; i++)
		if (has_netbios_name(other, c->aliases.v[i])) {
			preflight_hint(preflight_obstacle(run, VNAS_EXIT_IN_USE, "alias %s belongs to %s", c->aliases.v[i],
							  other->name),
				       "take the 'alias' out of [server], of one of the two");
			return 1;
		}
	return 0;
}

static void compare_names(struct preflight_run *run, const struct conf *other)
{
	if (!conf_same_network(run->conf, other))
		return;
	/* Clients know a server by either; one of two with the same would be found by chance. */
	if (compare_netbios(run, other))
		return;
	if (strcasecmp(run->conf->hostname, other->hostname) == 0)
		preflight_hint(preflight_obstacle(run, VNAS_EXIT_IN_USE, "host name %s belongs to %s", other->hostname, other->name),
			       "set another 'hostname' in [server]");
}

static bool same_device(const char *a, const char *b)
{
	char x[PATH_MAX], y[PATH_MAX];

	if (strcmp(a, b) == 0)
		return true;
	/* The many names below /dev/disk lead to one place. */
	return realpath(a, x) && realpath(b, y) && strcmp(x, y) == 0;
}

static void compare_volumes(struct preflight_run *run, const struct conf *other)
{
	for (size_t i = 0; i < run->conf->n_volumes; i++) {
		const struct conf_volume *v = &run->conf->volumes[i];

		for (size_t j = 0; j < other->n_volumes; j++) {
			const struct conf_volume *o = &other->volumes[j];

			if (v->device && o->device && same_device(v->device, o->device))
				preflight_hint(preflight_obstacle(run, VNAS_EXIT_IN_USE, "volume %s: %s is volume %s of %s", v->name,
								  v->device, o->name, other->name),
					       "give the server another device");
			else if (*v->uuid && strcmp(v->uuid, o->uuid) == 0)
				preflight_hint(preflight_obstacle(run, VNAS_EXIT_IN_USE, "volume %s: its UUID %s is that of volume %s "
						"of %s", v->name, v->uuid, o->name, other->name),
					       "a copied configuration: take the 'uuid' lines out and create the server's own volumes");
		}
	}
}

static void check_peers(struct preflight_run *run, const struct index *index)
{
	for (size_t i = 0; i < run->conf->peers.n; i++)
		if (strcmp(run->conf->peers.v[i], "psv") != 0 && !index_find(index, run->conf->peers.v[i]))
			preflight_hint(preflight_warning(run, "peer %s: there is no such server", run->conf->peers.v[i]),
				       "vnas list shows which there are");
}

static void compare_with(struct preflight_run *run, const char *name)
{
	_cleanup_(cleanup_conf) struct conf other = { 0 };
	struct err why = { 0 };
	char path[PATH_MAX];
	int r;

	r = conf_read(psv_conf_path(run->psv, name, path), name, &other, &why);
	if (r == -ENOENT)
		return; /* destroyed just now */
	if (r < 0) {
		preflight_hint(preflight_warning(run, "cannot compare with %s: %s", name, why.text), "vnas edit %s", name);
		return;
	}
	compare_links(run, &other);
	compare_addresses(run, &other);
	compare_names(run, &other);
	compare_volumes(run, &other);
}

int preflight_servers(struct preflight_run *run, struct err *err)
{
	_cleanup_(index_free) struct index index = { 0 };
	struct index_record own = index_record_of(run->conf);
	int r;

	r = index_load(run->psv, &index, err);
	if (r < 0)
		return r;
	check_peers(run, &index);
	for (size_t i = 0; i < index.n; i++)
		if (strcmp(index.v[i].name, run->name) != 0 && index_may_collide(&own, &index.v[i]))
			compare_with(run, index.v[i].name);
	index_merge(&index, &own);
	index_save(run->psv, &index);
	return 0;
}
