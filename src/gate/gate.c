/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every start, change and stop of a Vsv does with the gate: a few bpf(2) calls on what gate_load.c pinned. */
#include "gate/gate.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "gate/gate_sys.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/str.h"

/* gate.h cannot include gate_shared.h, so the limits stand in both. */
#define SAME(a, b) _Static_assert((int)(a) == (int)(b), #a " and " #b)
SAME(GATE_MAX_ADDRESSES, GATE_NETS);
SAME(GATE_MAX_DEVICES, GATE_DEVICES);
SAME(GATE_MAX_PEERS, GATE_PEERS);
SAME(GATE_MAX_DENIES, GATE_DENIES);
SAME(GATE_MAX_VSV, GATE_VSV);
SAME(GATE_KINDS, GATE_N_KINDS);

const char *const gate_kind_names[GATE_KINDS] = {
	[GATE_BIND] = "bind",     [GATE_CONNECT] = "connect", [GATE_SEND] = "send",
	[GATE_SOCKET] = "socket", [GATE_DEVICE] = "device",   [GATE_INGRESS] = "ingress",
};

const struct gate_program gate_programs[] = {
	{ "gate_sock_create", BPF_CGROUP_INET_SOCK_CREATE },
	{ "gate_sock_release", BPF_CGROUP_INET_SOCK_RELEASE },
	{ "gate_setsockopt", BPF_CGROUP_SETSOCKOPT },
	{ "gate_bind4", BPF_CGROUP_INET4_BIND },
	{ "gate_bind6", BPF_CGROUP_INET6_BIND },
	{ "gate_post_bind4", BPF_CGROUP_INET4_POST_BIND },
	{ "gate_post_bind6", BPF_CGROUP_INET6_POST_BIND },
	{ "gate_connect4", BPF_CGROUP_INET4_CONNECT },
	{ "gate_connect6", BPF_CGROUP_INET6_CONNECT },
	{ "gate_sendmsg4", BPF_CGROUP_UDP4_SENDMSG },
	{ "gate_sendmsg6", BPF_CGROUP_UDP6_SENDMSG },
	{ "gate_recvmsg4", BPF_CGROUP_UDP4_RECVMSG },
	{ "gate_recvmsg6", BPF_CGROUP_UDP6_RECVMSG },
	{ "gate_getsockname4", BPF_CGROUP_INET4_GETSOCKNAME },
	{ "gate_getsockname6", BPF_CGROUP_INET6_GETSOCKNAME },
	{ "gate_getpeername4", BPF_CGROUP_INET4_GETPEERNAME },
	{ "gate_getpeername6", BPF_CGROUP_INET6_GETPEERNAME },
	{ "gate_sock_ops", BPF_CGROUP_SOCK_OPS },
	{ "gate_device", BPF_CGROUP_DEVICE },
	{ "gate_egress", BPF_CGROUP_INET_EGRESS },
};
const size_t gate_n_programs = sizeof(gate_programs) / sizeof(gate_programs[0]);

bool gate_program_wanted(const struct gate_program *p, const struct gate_vsv *v)
{
	return p->attach != BPF_CGROUP_INET_EGRESS || (v->flags & GATE_F_DISCOVERY && !(v->flags & GATE_F_OWN_STACK));
}

int gate_map_path(const char *bpf_dir, const char *map, char buf[GATE_PATH_MAX])
{
	bool frozen = strcmp(map, "addresses") == 0;

	if (frozen ? str_format(buf, GATE_PATH_MAX, "%s/%s", bpf_dir, map)
		   : str_format(buf, GATE_PATH_MAX, "%s/maps-%u/%s", bpf_dir, GATE_LAYOUT, map))
		return 0;
	return -ENAMETOOLONG;
}

int gate_program_path(const char *bpf_dir, const char *program, char buf[GATE_PATH_MAX])
{
	return str_format(buf, GATE_PATH_MAX, "%s/progs-%016llx/%s", bpf_dir, (unsigned long long)gate_build(), program)
		       ? 0 : -ENAMETOOLONG;
}

int gate_map_open(const char *bpf_dir, const char *map, struct err *err)
{
	char path[GATE_PATH_MAX];
	int fd = gate_map_path(bpf_dir, map, path);

	if (fd == 0)
		fd = gate_obj_get(path);
	if (fd >= 0)
		return fd;
	errno = -fd;
	return err_set(err, fd, "cannot open the gate's table %s: %m", path);
}

int gate_check_id(uint32_t id, struct err *err)
{
	if (id >= 1 && id <= 65535)
		return 0;
	return err_set(err, -EINVAL, "%u is no number of a Vsv: expected 1 to 65535", id);
}

/* --- the kernel's form of an assignment --- */

struct gate_addr gate_key(const struct ipaddr *a)
{
	struct gate_addr k = { { 0, 0, htonl(0xffff), 0 } };

	if (a->family == AF_INET)
		memcpy(&k.w[3], a->bytes, 4);
	else
		memcpy(k.w, a->bytes, sizeof(k.w));
	return k;
}

static struct gate_net to_net(const struct ipaddr *a, uint8_t prefix)
{
	struct gate_net n = { .addr = gate_key(a) };
	unsigned bits = prefix + (a->family == AF_INET ? 96u : 0u);

	for (unsigned i = 0; i < 4; i++) {
		unsigned here = bits > 32 * i ? bits - 32 * i : 0;

		n.mask.w[i] = here >= 32 ? 0xffffffff : here ? htonl(~(0xffffffffu >> here)) : 0;
	}
	return n;
}

/* A network of fewer than four addresses has none. */
static void add_broadcast(struct gate_vsv *v, const struct ipaddr *a, uint8_t prefix)
{
	struct ipaddr last;
	uint32_t word;

	if (a->family != AF_INET || prefix > 30)
		return;
	last = ipaddr_broadcast(a, prefix);
	memcpy(&word, last.bytes, sizeof(word));
	for (size_t i = 0; i < v->n_broadcasts; i++)
		if (v->broadcasts[i] == word)
			return;
	v->broadcasts[v->n_broadcasts++] = word;
}

static void add_interface(struct gate_vsv *v, uint32_t ifindex)
{
	for (size_t i = 0; i < v->n_interfaces; i++)
		if (v->interfaces[i] == ifindex)
			return;
	if (ifindex)
		v->interfaces[v->n_interfaces++] = ifindex;
}

static bool prefix_fits(const struct ipaddr *a, uint8_t prefix)
{
	return (a->family == AF_INET && prefix <= 32) || (a->family == AF_INET6 && prefix <= 128);
}

static uint32_t device_number(dev_t rdev)
{
	return major(rdev) << 20 | minor(rdev);
}

int gate_to_vsv(const struct gate_config *c, struct gate_vsv *v, struct err *err)
{
	if (c->n_addresses > GATE_NETS || c->n_peers > GATE_PEERS || c->n_devices > GATE_DEVICES ||
	    c->n_denies > GATE_DENIES)
		return err_set(err, -E2BIG,
			       "too many for the gate: at most %d addresses, %d peers, %d devices and %d denied nets",
			       GATE_NETS, GATE_PEERS, GATE_DEVICES, GATE_DENIES);
	*v = (struct gate_vsv){ .n_nets = (uint32_t)c->n_addresses,
				.n_peers = (uint32_t)c->n_peers,
				.n_devices = (uint32_t)c->n_devices,
				.n_denies = (uint32_t)c->n_denies,
				.vlan = c->own_stack ? c->vlan : 0 };
	v->flags = (c->discovery & GATE_DISCOVERY_BROADCAST ? GATE_F_BROADCAST : 0u) |
		   (c->discovery & GATE_DISCOVERY_WSD ? GATE_F_WSD : 0u) |
		   (c->discovery & GATE_DISCOVERY_MDNS ? GATE_F_MDNS : 0u) | (c->peer_psv ? GATE_F_PEER_PSV : 0u) |
		   (c->own_stack ? GATE_F_OWN_STACK : 0u);
	for (size_t i = 0; i < c->n_addresses; i++) {
		const struct ipaddr *a = &c->addresses[i].addr;
		uint32_t has = a->family == AF_INET ? GATE_F_HAS4 : GATE_F_HAS6;

		if (!prefix_fits(a, c->addresses[i].prefix) || !ipaddr_is_host(a))
			return err_set(err, -EINVAL, "address %zu cannot be a Vsv's own", i + 1);
		v->nets[i] = to_net(a, c->addresses[i].prefix);
		add_broadcast(v, a, c->addresses[i].prefix);
		add_interface(v, c->own_stack ? c->ifindex : c->addresses[i].ifindex);
		if (v->flags & has)
			continue;
		v->flags |= has;
		*(has == GATE_F_HAS4 ? &v->primary4 : &v->primary6) = v->nets[i].addr;
	}
	for (size_t i = 0; i < c->n_denies; i++) {
		if (!prefix_fits(&c->denies[i].net, c->denies[i].prefix))
			return err_set(err, -EINVAL, "denied network %zu is none", i + 1);
		v->denies[i] = to_net(&c->denies[i].net, c->denies[i].prefix);
	}
	for (size_t i = 0; i < c->n_peers; i++)
		v->peers[i] = c->peers[i];
	for (size_t i = 0; i < c->n_devices; i++)
		v->devices[i] = device_number(c->devices[i]);
	return 0;
}

/* --- the tables --- */

struct tables {
	int addresses, vsv, ledger, stats, taken;
};

static void tables_close(struct tables *t)
{
	cleanup_close(&t->addresses);
	cleanup_close(&t->vsv);
	cleanup_close(&t->ledger);
	cleanup_close(&t->stats);
	cleanup_close(&t->taken);
}

static int tables_open(const char *bpf_dir, struct tables *t, struct err *err)
{
	const struct {
		const char *name;
		int *fd;
	} maps[] = {
		{ "addresses", &t->addresses }, { "vsv", &t->vsv }, { "ledger", &t->ledger }, { "stats", &t->stats },
		{ "taken", &t->taken },
	};

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
		*maps[i].fd = gate_map_open(bpf_dir, maps[i].name, err);
		if (*maps[i].fd < 0)
			return *maps[i].fd;
	}
	return 0;
}

#define _cleanup_tables_ _cleanup_(tables_close)
#define TABLES_NONE { -1, -1, -1, -1, -1 }

/* The addresses of a private stack are in its own network, where another one or the Psv can have the same: the table of all
 * knows nothing of them. */
static uint32_t n_listed(const struct gate_vsv *v)
{
	return v->flags & GATE_F_OWN_STACK ? 0 : v->n_nets;
}

static bool has_address(const struct gate_vsv *v, const struct gate_addr *a)
{
	for (size_t i = 0; v && i < n_listed(v); i++)
		if (memcmp(&v->nets[i].addr, a, sizeof(*a)) == 0)
			return true;
	return false;
}

static bool ledger_has(const struct gate_ledger *l, const struct gate_addr *a)
{
	for (size_t i = 0; i < l->n; i++)
		if (memcmp(&l->addrs[i], a, sizeof(*a)) == 0)
			return true;
	return false;
}

static int address_taken(const struct gate_addr *a, uint32_t by, struct err *err)
{
	char text[INET6_ADDRSTRLEN];
	bool four = a->w[2] == htonl(0xffff) && !a->w[0] && !a->w[1];

	(void)inet_ntop(four ? AF_INET : AF_INET6, four ? &a->w[3] : &a->w[0], text, sizeof(text));
	return err_set(err, -EADDRINUSE, "%s belongs to the Vsv with number %u", text, by);
}

static int check_free(const struct tables *t, const struct gate_vsv *v, uint32_t id, struct err *err)
{
	for (size_t i = 0; i < n_listed(v); i++) {
		uint32_t owner;

		if (gate_map_lookup(t->addresses, &v->nets[i].addr, &owner) == 0 && owner != id)
			return address_taken(&v->nets[i].addr, owner, err);
	}
	return 0;
}

static int add_addresses(const struct tables *t, const struct gate_vsv *v, uint32_t id, struct err *err)
{
	for (size_t i = 0; i < n_listed(v); i++) {
		uint32_t owner = 0;
		int r = gate_map_update(t->addresses, &v->nets[i].addr, &id, BPF_NOEXIST);

		if (r == -EEXIST && gate_map_lookup(t->addresses, &v->nets[i].addr, &owner) == 0 && owner == id)
			continue;
		if (r == -EEXIST)
			return address_taken(&v->nets[i].addr, owner, err);
		if (r < 0) {
			errno = -r;
			return err_set(err, r, "cannot put an address into the gate: %m");
		}
	}
	return 0;
}

/* Takes what the ledger names, but what `keep` (or NULL) still has. */
static int take_addresses(const struct tables *t, const struct gate_ledger *l, const struct gate_vsv *keep, uint32_t id,
			  struct err *err)
{
	for (size_t i = 0; i < l->n && i < GATE_LEDGER; i++) {
		uint32_t owner;
		int r;

		if (has_address(keep, &l->addrs[i]))
			continue;
		r = gate_map_lookup(t->addresses, &l->addrs[i], &owner);
		if (r == 0 && owner != id)
			continue;
		if (r == 0)
			r = gate_map_delete(t->addresses, &l->addrs[i]);
		if (r < 0 && r != -ENOENT) {
			errno = -r;
			return err_set(err, r, "cannot take an address out of the gate: %m");
		}
	}
	return 0;
}

static int put(int map, uint32_t id, const void *value, uint64_t flags, struct err *err)
{
	int r = gate_map_update(map, &id, value, flags);

	if (r == 0)
		return 0;
	errno = -r;
	err_set(err, r, "cannot set the gate of number %u: %m", id);
	if (r == -E2BIG)
		err_hint(err, r, "the gate has room for %d Vsv", GATE_VSV);
	return r;
}

/* Names every address that the id has or is about to get.  What an interrupted call left is taken away first, if it and
 * the new ones do not fit together. */
static int write_ledger(const struct tables *t, const struct gate_vsv *v, uint32_t id, struct gate_ledger *l,
			struct err *err)
{
	struct gate_vsv now;
	int r;

	*l = (struct gate_ledger){ 0 };
	r = gate_map_lookup(t->ledger, &id, l);
	if (r < 0 && r != -ENOENT) {
		errno = -r;
		return err_set(err, r, "cannot read the gate's ledger: %m");
	}
	if (l->n > GATE_LEDGER)
		l->n = GATE_LEDGER;
	if (l->n > GATE_LEDGER - GATE_NETS) {
		struct gate_ledger kept = { 0 };

		if (gate_map_lookup(t->vsv, &id, &now) < 0)
			now = (struct gate_vsv){ 0 };
		r = take_addresses(t, l, &now, id, err);
		if (r < 0)
			return r;
		for (size_t i = 0; i < n_listed(&now) && i < GATE_NETS; i++)
			kept.addrs[kept.n++] = now.nets[i].addr;
		*l = kept;
	}
	for (size_t i = 0; i < n_listed(v); i++)
		if (!ledger_has(l, &v->nets[i].addr))
			l->addrs[l->n++] = v->nets[i].addr;
	return put(t->ledger, id, l, BPF_ANY, err);
}

/* The order is what keeps it safe against a kill at any point: the ledger names an address before the gate has it; a
 * configuration is there before its addresses (see gate_lookup). */
int gate_set(const char *bpf_dir, const struct gate_config *c, struct err *err)
{
	_cleanup_tables_ struct tables t = TABLES_NONE;
	struct gate_stats zero = { 0 };
	struct gate_ledger l, final = { 0 };
	struct gate_vsv v;
	int r;

	r = gate_check_id(c->id, err);
	if (r == 0)
		r = gate_to_vsv(c, &v, err);
	if (r == 0)
		r = tables_open(bpf_dir, &t, err);
	if (r == 0)
		r = check_free(&t, &v, c->id, err);
	if (r == 0)
		r = write_ledger(&t, &v, c->id, &l, err);
	if (r < 0)
		return r;
	r = gate_map_update(t.stats, &c->id, &zero, BPF_NOEXIST);
	if (r < 0 && r != -EEXIST)
		return put(t.stats, c->id, &zero, BPF_NOEXIST, err);
	r = put(t.vsv, c->id, &v, BPF_ANY, err);
	if (r == 0)
		r = add_addresses(&t, &v, c->id, err);
	if (r == 0)
		r = take_addresses(&t, &l, &v, c->id, err);
	if (r == 0 && c->own_stack)
		r = gate_guests_set(bpf_dir, &v, c->id, c->ifindex, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n_listed(&v); i++)
		final.addrs[final.n++] = v.nets[i].addr;
	return put(t.ledger, c->id, &final, BPF_ANY, err);
}

int gate_let_device(const char *bpf_dir, uint32_t id, dev_t rdev, bool allow, struct err *err)
{
	_cleanup_close_ int map = gate_map_open(bpf_dir, "vsv", err);
	struct gate_vsv v;
	uint32_t kept = 0;
	int r = map < 0 ? map : gate_map_lookup(map, &id, &v);

	if (r < 0)
		return map < 0 ? r : err_set(err, r, "cannot read what the gate knows of it: %m");
	for (uint32_t i = 0; i < v.n_devices && i < GATE_DEVICES; i++)
		if (v.devices[i] != device_number(rdev))
			v.devices[kept++] = v.devices[i];
	if (allow && kept < GATE_DEVICES)
		v.devices[kept++] = device_number(rdev);
	v.n_devices = kept;
	return put(map, id, &v, BPF_EXIST, err);
}

int gate_serves(const char *bpf_dir, uint32_t id, struct err *err)
{
	_cleanup_close_ int map = gate_map_open(bpf_dir, "vsv", NULL);
	struct gate_vsv v;
	int r = map < 0 ? map : gate_map_lookup(map, &id, &v);

	errno = -r;
	if (r < 0 && r != -ENOENT)
		return err_set(err, r, "cannot look into the gate: %m");
	if (r == 0)
		return 0;
	return err_hint(err, err_set(err, -ESTALE, "a gate of another version serves it, which cannot be told anything any more"),
			"stop and start it");
}

/* An id that no ledger of this layout knows can be that of a Vsv started by another build: the table of addresses is
 * searched, and the number is taken out of the other layouts' tables, whose keys are the same everywhere. */
static int clear_unknown(const char *bpf_dir, const struct tables *t, uint32_t id)
{
	_cleanup_closedir_ DIR *d = opendir(bpf_dir);
	struct gate_addr key, next;
	const struct dirent *e;
	int r = gate_map_next(t->addresses, NULL, &next), first = d ? 0 : -errno;

	while (r == 0) {
		uint32_t owner;
		int one;

		key = next;
		r = gate_map_next(t->addresses, &key, &next);
		one = gate_map_lookup(t->addresses, &key, &owner);
		if (one == 0 && owner == id)
			one = gate_map_delete(t->addresses, &key);
		gate_keep_first(&first, one);
	}
	gate_keep_first(&first, r);
	for (errno = 0; d && (e = readdir(d)); errno = 0) {
		_cleanup_close_ int map = -1;
		char path[GATE_PATH_MAX];

		if (!str_starts(e->d_name, "maps-") || !str_format(path, sizeof(path), "%s/%s/vsv", bpf_dir, e->d_name))
			continue;
		map = gate_obj_get(path);
		gate_keep_first(&first, map < 0 ? map : gate_map_delete(map, &id));
	}
	gate_keep_first(&first, -errno);
	return first;
}

/* clear_known: what the ledger names; it goes last, as the word that there is something. */
static int clear_known(const struct tables *t, uint32_t id)
{
	const int maps[] = { t->vsv, t->stats, t->taken, t->ledger };

	for (size_t i = 0; i < sizeof(maps) / sizeof(*maps); i++) {
		int r = gate_map_delete(maps[i], &id);

		if (r < 0 && r != -ENOENT)
			return r;
	}
	return 0;
}

static int cleared(int r, uint32_t id, struct err *err)
{
	errno = -r;
	return r < 0 ? err_set(err, r, "cannot take number %u out of the gate: %m", id) : 0;
}

int gate_clear(const char *bpf_dir, uint32_t id, struct err *err)
{
	_cleanup_tables_ struct tables t = TABLES_NONE;
	struct gate_ledger l;
	struct gate_vsv v;
	int r;

	r = gate_check_id(id, err);
	if (r < 0)
		return r;
	r = tables_open(bpf_dir, &t, err);
	if (r == -ENOENT) {
		err_clear(err);
		return 0;
	}
	if (r < 0)
		return r;
	/* The configuration goes last but for the counters: until then it says that there are some. */
	if (gate_map_lookup(t.vsv, &id, &v) < 0 || v.flags & GATE_F_OWN_STACK) {
		r = gate_guests_take(bpf_dir, id, err);
		if (r == 0)
			r = gate_inside_down(bpf_dir, id, err);
		if (r < 0)
			return r;
	}
	r = gate_map_lookup(t.ledger, &id, &l);
	if (r == 0)
		r = take_addresses(&t, &l, NULL, id, err);
	else if (r == -ENOENT)
		return cleared(clear_unknown(bpf_dir, &t, id), id, err);
	else
		return cleared(r, id, err);
	return r < 0 ? r : cleared(clear_known(&t, id), id, err);
}

int gate_refusals(const char *bpf_dir, uint32_t id, uint64_t ret[GATE_KINDS], struct err *err)
{
	_cleanup_close_ int map = gate_map_open(bpf_dir, "stats", err);
	struct gate_stats s;
	int r;

	if (map < 0)
		return map;
	r = gate_map_lookup(map, &id, &s);
	if (r < 0)
		return err_set(err, r, "the gate has no Vsv with number %u", id);
	for (size_t i = 0; i < GATE_KINDS; i++)
		ret[i] = s.refused[i];
	return 0;
}

/* --- the hidden loopback --- */

struct ipaddr gate_loopback4(uint32_t id)
{
	struct ipaddr a = { .family = AF_INET };
	uint32_t word = htonl(GATE_HIDDEN4 | (id & 0xffff));

	memcpy(a.bytes, &word, sizeof(word));
	return a;
}

struct ipaddr gate_loopback6(uint32_t id)
{
	struct ipaddr a = { .family = AF_INET6 };
	uint32_t words[4] = { htonl(GATE_HIDDEN6_0), htonl(GATE_HIDDEN6_1), 0, htonl(id & 0xffff) };

	memcpy(a.bytes, words, sizeof(words));
	return a;
}
