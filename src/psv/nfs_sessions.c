/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psv/nfs_sessions.h"

#include <stdlib.h>

#include "lib/addr.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/netns.h"
#include "psv/conf.h"
#include "psv/lifecycle.h"
#include "psv/net.h"
#include "psv/psv.h"
#include "psv/walk.h"
#include "service/nfs_probe.h"

static void add(json_t *list, const struct net_client *c)
{
	char client[IPADDR_STR_MAX], at[IPADDR_STR_MAX];

	(void)json_array_append_new(list, json_pack("{s:s, s:n, s:s, s:s, s:i}", "protocol", "nfs", "user", "client",
						    ipaddr_str(&c->client, client), "address", ipaddr_str(&c->at, at), "connections",
						    (int)c->connections));
}

static int list_at(struct walk *w, json_t *list, struct err *err)
{
	_cleanup_free_ struct ipaddr *own = xcalloc(w->st.n_addresses, sizeof(*own));
	_cleanup_free_ struct net_client *clients = NULL;
	struct netns_visit visit _cleanup_netns_ = NETNS_HOME;
	size_t n = 0;
	int r = walk_net(w, err);

	if (r == 0)
		r = netns_enter(w->net_fd, &visit, err);
	for (size_t i = 0; i < w->st.n_addresses; i++)
		own[i] = w->st.addresses[i].a.addr;
	if (r == 0)
		r = net_clients(NFS_PORT, own, w->st.n_addresses, &clients, &n, err);
	for (size_t i = 0; i < n; i++)
		add(list, &clients[i]);
	return r;
}

int nfs_sessions_list(const struct psv *psv, const char *server, json_t *list, struct err *err)
{
	struct start_opts opts = { 0 };
	struct walk w;
	int r;

	walk_init(&w, psv, server, &opts);
	r = state_read(psv, server, &w.st, err);
	if (r == 0)
		r = psv_conf_load(psv, server, &w.conf_text, &w.conf, err);
	if (r == 0 && conf_serves_nfs(&w.conf))
		r = list_at(&w, list, err);
	walk_end(&w);
	return r;
}
