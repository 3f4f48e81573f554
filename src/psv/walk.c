/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psv/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "gate/gate.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/weaken.h"
#include "psv/lifecycle.h"
#include "psv/link.h"

void walk_init(struct walk *w, const struct psv *psv, const char *name, const struct start_opts *opts)
{
	*w = (struct walk){ .psv = psv, .name = name, .opts = opts, .overlay_fd = -1, .cgroup_fd = -1, .conn = -1, .net_fd = -1,
			    .root.conf_fd = -1, .supervisor = SUPERVISE_NONE };
}

void walk_end(struct walk *w)
{
	supervise_abandon(&w->supervisor);
	cleanup_close(&w->conn);
	root_close(&w->root);
	cleanup_close(&w->overlay_fd);
	cleanup_close(&w->cgroup_fd);
	cleanup_close(&w->net_fd);
	for (size_t i = 0; i < w->n_volumes; i++)
		volume_close(&w->volumes[i]);
	free(w->volumes);
	state_free(&w->st);
	conf_free(&w->conf);
	free(w->conf_text);
	walk_init(w, w->psv, w->name, w->opts);
}

void walk_notice(const struct walk *w, const char *fmt, ...)
{
	char line[1200];
	va_list ap;

	if (!w->opts || !w->opts->notice)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	w->opts->notice(line);
}

char *walk_bpf_dir(const struct psv *psv, char *buf, size_t size)
{
	(void)str_format(buf, size, "%s/bpf", psv->run);
	return buf;
}

void walk_add_device(struct walk *w, const char *volume, dev_t rdev)
{
	/* What else is said to lie there did so once: a kill came between its end and the state. */
	for (size_t i = 0; i < w->st.n_volumes; i++)
		if (w->st.volumes[i].rdev == rdev)
			w->st.volumes[i--] = w->st.volumes[--w->st.n_volumes];
	walk_remove_device(w, volume);
	w->st.volumes = xrealloc(w->st.volumes, w->st.n_volumes + 1, sizeof(*w->st.volumes));
	w->st.volumes[w->st.n_volumes] = (struct state_volume){ .rdev = rdev };
	(void)str_copy(w->st.volumes[w->st.n_volumes].name, sizeof(w->st.volumes->name), volume);
	w->st.n_volumes++;
}

void walk_remove_device(struct walk *w, const char *volume)
{
	for (size_t i = 0; i < w->st.n_volumes; i++)
		if (strcmp(w->st.volumes[i].name, volume) == 0)
			w->st.volumes[i--] = w->st.volumes[--w->st.n_volumes];
}

/* add_denies: the configuration has made sure that each is an address or a network. */
static int add_denies(const struct conf *conf, struct gate_config *ret, struct err *err)
{
	_Static_assert((int)CONF_MAX_DENIES == (int)GATE_MAX_DENIES, "deny");
	for (size_t i = 0; i < conf->denies.n; i++) {
		struct ipaddr a;
		uint8_t prefix;

		if (ipaddr_parse_prefix(conf->denies.v[i], &a, &prefix) < 0) {
			if (ipaddr_parse(conf->denies.v[i], &a) < 0)
				return err_set(err, -EINVAL, "deny: '%s' is no network", conf->denies.v[i]);
			prefix = (uint8_t)(ipaddr_len(&a) * 8);
		}
		ret->denies[ret->n_denies].net = a;
		ret->denies[ret->n_denies++].prefix = prefix;
	}
	return 0;
}

static unsigned discovery_of(unsigned conf)
{
	return (conf & CONF_DISCOVERY_NETBIOS ? GATE_DISCOVERY_BROADCAST : 0u) | (conf & CONF_DISCOVERY_WSD ? GATE_DISCOVERY_WSD : 0u) |
	       (conf & CONF_DISCOVERY_MDNS ? GATE_DISCOVERY_MDNS : 0u);
}

static uint32_t ifindex_of(const struct state *st, const struct ipaddr *a)
{
	for (size_t i = 0; i < st->n_addresses; i++)
		if (ipaddr_equal(&st->addresses[i].a.addr, a))
			return st->addresses[i].ifindex;
	return 0;
}

/* For lib/weaken.h: what was not assigned. */
static void gate_weaken(struct gate_config *c)
{
	c->peer_psv = c->peer_psv || weakened("gate-peer-psv");
	if (weakened("gate-discovery"))
		c->discovery = GATE_DISCOVERY_BROADCAST | GATE_DISCOVERY_WSD | GATE_DISCOVERY_MDNS;
	c->own_stack = c->own_stack || weakened("gate-loopback");
	if (weakened("gate-peer"))
		for (c->n_peers = 0; c->n_peers < GATE_MAX_PEERS; c->n_peers++)
			c->peers[c->n_peers] = (uint32_t)c->n_peers + 1;
}

/* joined_to: the Psv's interface by which it meets a private stack; 0: by none.  What has a VLAN's tag does not come in by the
 * interface below: there the same address is another host's. */
static int joined_to(const struct state *st, uint32_t *ret, struct err *err)
{
	*ret = 0;
	if (st->link.kind == CONF_LINK_AUTO || st->link.kind == CONF_LINK_VLAN)
		return 0;
	*ret = if_nametoindex(st->link.interface);
	/* One that was handed over is not the Psv's now. */
	return *ret || errno == ENODEV ? 0 : err_set(err, -errno, "cannot look at interface %s: %m", st->link.interface);
}

/* vlan_of: of a port of a bridge; 0: the one that the bridge itself is in, as far as is known. */
static int vlan_of(const struct walk *w, uint32_t *ret, struct err *err)
{
	struct link_info bridge;
	int r;

	*ret = 0;
	if (w->st.link.kind != CONF_LINK_VETH || !w->conf.vlan)
		return 0;
	r = link_get(w->st.link.interface, &bridge, err);
	if (r < 0 && r != -ENODEV)
		return r;
	if (r < 0)
		err_clear(err);
	*ret = r == 0 && bridge.default_vlan == w->conf.vlan ? 0 : w->conf.vlan;
	return 0;
}

int walk_gate_config(const struct walk *w, struct gate_config *ret, struct err *err)
{
	int r;

	*ret = (struct gate_config){ .id = w->st.id, .discovery = discovery_of(w->conf.discovery),
				      .own_stack = w->st.link.kind != CONF_LINK_AUTO };
	r = joined_to(&w->st, &ret->ifindex, err);
	if (r == 0)
		r = vlan_of(w, &ret->vlan, err);
	if (r < 0)
		return r;
	if (w->conf.n_addresses > GATE_MAX_ADDRESSES)
		return err_set(err, -E2BIG, "it has %zu addresses: at most %d", w->conf.n_addresses, GATE_MAX_ADDRESSES);
	if (w->st.n_volumes > GATE_MAX_DEVICES)
		return err_set(err, -E2BIG, "it has %zu volumes: at most %d", w->st.n_volumes, GATE_MAX_DEVICES);
	for (size_t i = 0; i < w->conf.n_addresses; i++) {
		ret->addresses[i].addr = w->conf.addresses[i].addr;
		ret->addresses[i].prefix = w->conf.addresses[i].prefix;
		ret->addresses[i].ifindex = ifindex_of(&w->st, &w->conf.addresses[i].addr);
	}
	ret->n_addresses = w->conf.n_addresses;
	for (size_t i = 0; i < w->st.n_volumes; i++)
		ret->devices[i] = w->st.volumes[i].rdev;
	ret->n_devices = w->st.n_volumes;
	for (size_t i = 0; i < w->conf.peers.n; i++) {
		uint32_t id;

		if (strcmp(w->conf.peers.v[i], "psv") == 0) {
			ret->peer_psv = true;
			continue;
		}
		if (ret->n_peers == sizeof(ret->peers) / sizeof(*ret->peers))
			return err_set(err, -E2BIG, "it has more than %zu peers", ret->n_peers);
		/* A peer that does not exist yet opens nothing, and one whose number is damaged cannot run. */
		r = psv_id_get(w->psv, w->conf.peers.v[i], &id, err);
		if (r == 0)
			ret->peers[ret->n_peers++] = id;
		else if (r != -ENOENT && r != -EBADMSG)
			return r;
		else
			err_clear(err);
	}
	gate_weaken(ret);
	return weakened("gate-deny") ? 0 : add_denies(&w->conf, ret, err);
}

int running_conf_write(const struct psv *psv, const char *name, const char *text, struct err *err)
{
	_cleanup_close_ int dir = -1;
	char path[PATH_MAX];
	int r;

	(void)str_format(path, sizeof(path), "%s/%s", psv->run, name);
	r = dir_make_path(path, 0700);
	if (r < 0)
		return err_set(err, r, "cannot make %s: %m", path);
	dir = dir_open(AT_FDCWD, path);
	r = dir < 0 ? dir : file_write_atomic_at(dir, "conf", text, strlen(text), 0600);
	return r < 0 ? err_set(err, r, "cannot write %s/conf: %m", path) : 0;
}

int running_conf_read(const struct psv *psv, const char *name, char **ret_text, struct conf *ret, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];
	size_t len;
	int r;

	(void)str_format(path, sizeof(path), "%s/%s/conf", psv->run, name);
	r = file_read_at(AT_FDCWD, path, CONF_MAX_BYTES, &text, &len);
	if (r == -ENOENT)
		return 1;
	if (r < 0)
		return err_set(err, r, "cannot read %s: %m", path);
	r = conf_parse(text, len, path, name, ret, err);
	if (r < 0)
		return r;
	*ret_text = steal_ptr(&text);
	return 0;
}
