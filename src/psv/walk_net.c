/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The addresses of a walk's Vsv, in the network of either stack: the Psv's, or one of its own, which is visited for as long as
 * something is done there. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/netns.h"
#include "lib/process.h"
#include "psv/link.h"
#include "psv/net.h"
#include "psv/walk.h"

enum { PROBE_WAIT_MS = 500 };

/* The namespace and not a pidfd, which leads nowhere any more when the process has ended. */
int walk_net(struct walk *w, struct err *err)
{
	_cleanup_close_ int alive = -1, fd = -1;
	char path[64];

	if (w->st.link.kind == CONF_LINK_AUTO || w->net_fd >= 0)
		return 0;
	(void)str_format(path, sizeof(path), "/proc/%d/ns/net", (int)w->st.init_pid);
	alive = pid_open_checked(w->st.init_pid, w->st.init_start);
	fd = alive < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	/* Looked at again: its number could have become another's in between. */
	if (fd < 0 || !pidfd_is_alive(alive))
		return err_exit(err, VNAS_EXIT_NOT_RUNNING, -ESRCH, "its first process is gone, and its network with it");
	w->net_fd = steal_fd(&fd);
	return 0;
}

int walk_find_addresses(const struct conf *conf, struct state *st, struct err *err)
{
	struct state_address *list = xcalloc(conf->n_addresses, sizeof(*list));

	for (size_t i = 0; i < conf->n_addresses; i++) {
		char buf[96];
		int r;

		list[i].a = conf->addresses[i];
		/* Of a private stack there is no interface yet. */
		if (conf->stack == CONF_STACK_PRIVATE)
			continue;
		r = net_find_interface(&list[i].a, &list[i].ifindex, err);
		if (r < 0) {
			free(list);
			return err_wrap(err, r, "address %s", conf_address_str(&conf->addresses[i], buf, sizeof(buf)));
		}
	}
	free(st->addresses);
	st->addresses = list;
	st->n_addresses = conf->n_addresses;
	return 0;
}

/* split: as the net functions take them. */
static struct conf_address *split(const struct state_address *a, size_t n, uint32_t **ret_ifindexes)
{
	struct conf_address *list = xcalloc(n, sizeof(*list));

	*ret_ifindexes = xcalloc(n, sizeof(**ret_ifindexes));
	for (size_t i = 0; i < n; i++) {
		list[i] = a[i].a;
		(*ret_ifindexes)[i] = a[i].ifindex;
	}
	return list;
}

/* An ipvlan interface hears what is for its addresses alone, and an answer to an ARP probe is for 0.0.0.0: there the question is
 * asked on the Psv's interface, which has the same hardware address. */
static int probe_parent(const struct walk *w, uint32_t *ifindexes, size_t n, struct err *err)
{
	struct link_info parent;
	int r = link_get(w->st.link.interface, &parent, err);

	for (size_t i = 0; r == 0 && i < n; i++)
		ifindexes[i] = parent.ifindex;
	return r;
}

int walk_probe(const struct walk *w, const struct state_address *a, size_t n, struct err *err)
{
	struct netns_visit visit _cleanup_netns_ = NETNS_HOME;
	_cleanup_free_ uint32_t *ifindexes = NULL;
	_cleanup_free_ struct conf_address *list = split(a, n, &ifindexes);
	char mac[18], buf[96];
	size_t taken;
	int r;

	if (n == 0)
		return 0;
	r = w->st.link.kind == CONF_LINK_IPVLAN ? probe_parent(w, ifindexes, n, err) : netns_enter(w->net_fd, &visit, err);
	if (r == 0)
		r = net_probe(list, ifindexes, n, PROBE_WAIT_MS, &taken, mac, err);
	if (r <= 0)
		return r;
	(void)err_exit(err, VNAS_EXIT_IN_USE, -EADDRINUSE, "address %s answers on the network: %s has it",
		       conf_address_str(&list[taken], buf, sizeof(buf)), mac);
	return err_hint(err, -EADDRINUSE, "turn the other host off, or give this server another address");
}

int walk_address_up(const struct walk *w, const struct state_address *a, struct err *err)
{
	struct netns_visit visit _cleanup_netns_ = NETNS_HOME;
	const struct conf *c = &w->conf;
	int r;

	if (w->st.link.kind == CONF_LINK_AUTO)
		return net_address_up(&a->a, a->ifindex, w->st.id, c->gateways, c->n_gateways, err);
	r = netns_enter(w->net_fd, &visit, err);
	return r < 0 ? r : net_own_up(&a->a, a->ifindex, c->gateways, c->n_gateways, err);
}

int walk_address_down(const struct walk *w, const struct state_address *a, struct err *err)
{
	struct netns_visit visit _cleanup_netns_ = NETNS_HOME;
	int r;

	if (w->st.link.kind == CONF_LINK_AUTO)
		return net_address_down(&a->a, a->ifindex, w->st.id, err);
	r = netns_enter(w->net_fd, &visit, err);
	return r < 0 ? r : net_own_down(&a->a, a->ifindex, err);
}

void walk_end_sockets(const struct walk *w, const struct state_address *a, size_t n, bool deserted)
{
	struct netns_visit visit _cleanup_netns_ = NETNS_HOME;
	_cleanup_free_ struct ipaddr *addresses = xcalloc(n, sizeof(*addresses));
	struct err why = { 0 };
	int r = netns_enter(w->net_fd, &visit, &why);

	for (size_t i = 0; i < n; i++)
		addresses[i] = a[i].a.addr;
	if (r == 0)
		r = net_sockets_end(addresses, n, deserted, &why);
	if (r > 0)
		walk_notice(w, "connections of the address last until they are closed: this kernel cannot end them "
			       "(CONFIG_INET_DIAG_DESTROY)");
	if (r < 0)
		walk_notice(w, "%s", why.text);
}

int walk_addresses_down(const struct walk *w, struct err *err)
{
	_cleanup_free_ uint32_t *ifindexes = NULL;
	_cleanup_free_ struct conf_address *list = split(w->st.addresses, w->st.n_addresses, &ifindexes);

	return net_down_known(list, ifindexes, w->st.n_addresses, w->st.id, err);
}

int walk_announce(const struct walk *w, const struct state_address *a, size_t n, struct err *err)
{
	struct netns_visit visit _cleanup_netns_ = NETNS_HOME;
	_cleanup_free_ uint32_t *ifindexes = NULL;
	_cleanup_free_ struct conf_address *list = split(a, n, &ifindexes);
	int r = netns_enter(w->net_fd, &visit, err);

	return r < 0 ? r : net_announce_all(list, ifindexes, n, err);
}
