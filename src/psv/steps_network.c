/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The steps that give a Vsv its network: a namespace and an interface of its own, or none; addresses; and what the network is asked
 * and told. */
#include "psv/steps.h"

#include <unistd.h>

#include "gate/gate.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/netns.h"
#include "psv/lifecycle.h"
#include "psv/link.h"
#include "psv/net.h"
#include "psv/walk.h"

/* network: of a private stack */

static bool is_private(const struct walk *w)
{
	return w->conf.stack == CONF_STACK_PRIVATE;
}

void network_describe(const struct walk *w, struct strlist *ret)
{
	const struct conf *c = &w->conf;
	struct link_info parent;

	if (is_private(w) && link_get(c->interface, &parent, NULL) == 0)
		strlist_addf(ret, "network: a namespace of its own, joined to %s by %s", c->interface,
			     conf_link_name(link_kind(c, &parent)));
}

int network_up(struct walk *w, struct err *err)
{
	uint32_t ifindex = GATE_INSIDE + w->st.id;
	int r;

	if (!is_private(w))
		return 0;
	r = link_plan(&w->conf, w->st.id, &w->st.link, err);
	if (r == 0)
		r = state_write(w->psv, w->name, &w->st, err);
	if (r < 0)
		return r;
	w->net_fd = netns_new(err);
	r = w->net_fd < 0 ? w->net_fd : link_up(w->psv, &w->conf, &w->st.link, w->net_fd, &ifindex, err);
	for (size_t i = 0; r == 0 && i < w->st.n_addresses; i++)
		w->st.addresses[i].ifindex = ifindex;
	return r < 0 ? r : state_write(w->psv, w->name, &w->st, err);
}

int network_down(struct walk *w, struct err *err)
{
	int r = link_down(w->psv, w->name, &w->st.link, &w->conf, w->net_fd, err);

	cleanup_close(&w->net_fd);
	w->net_fd = -1;
	if (r > 0)
		event_log(w->psv, w->name, "interface-renamed", "%s is back by another name: somebody took its own",
			  w->st.link.interface);
	return r < 0 ? r : 0;
}

/* probe */

void probe_describe(const struct walk *w, struct strlist *ret)
{
	char buf[96];

	if (w->opts->no_probe)
		return;
	for (size_t i = 0; i < w->conf.n_addresses; i++)
		strlist_addf(ret, "probe: ask the network whether %s is taken",
			     conf_address_str(&w->conf.addresses[i], buf, sizeof(buf)));
}

int probe_up(struct walk *w, struct err *err)
{
	return w->opts->no_probe ? 0 : walk_probe(w, w->st.addresses, w->st.n_addresses, err);
}

/* addresses */

void addresses_describe(const struct walk *w, struct strlist *ret)
{
	char buf[96];

	for (size_t i = 0; i < w->conf.n_addresses; i++)
		strlist_addf(ret, "addresses: put on %s with %s", conf_address_str(&w->conf.addresses[i], buf, sizeof(buf)),
			     is_private(w) ? "its route" : "its rule and route");
}

int addresses_up(struct walk *w, struct err *err)
{
	int r = is_private(w) ? 0 : net_loopback_up(w->st.id, err);

	for (size_t i = 0; r >= 0 && i < w->st.n_addresses; i++) {
		char buf[96];

		r = walk_address_up(w, &w->st.addresses[i], err);
		if (r < 0)
			return err_wrap(err, r, "address %s", conf_address_str(&w->st.addresses[i].a, buf, sizeof(buf)));
	}
	return r < 0 ? r : 0;
}

int addresses_down(struct walk *w, struct err *err)
{
	int first = 0, r;

	/* They go with its network. */
	if (w->st.link.kind != CONF_LINK_AUTO)
		return 0;
	/* What was not read to its end outlives its process, and would wait for answers that cannot come. */
	walk_end_sockets(w, w->st.addresses, w->st.n_addresses, true);
	first = walk_addresses_down(w, err);
	r = net_loopback_down(w->st.id, err);
	return first < 0 ? first : r;
}

/* announce */

void announce_describe(const struct walk *w, struct strlist *ret)
{
	if (w->conf.n_addresses)
		strlist_add(ret, "announce: tell the network where the addresses are");
}

int announce_up(struct walk *w, struct err *err)
{
	return walk_announce(w, w->st.addresses, w->st.n_addresses, err);
}
