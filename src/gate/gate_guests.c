/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table `guests`: whose an address is on one of the Psv's interfaces, for private stacks, which may have the same one in several
 * VLANs of a bridge (struct gate_guest).  The entry for all VLANs follows from the others, so the table has a lock. */
#include "gate/gate.h"

#include <string.h>

#include "gate/gate_sys.h"
#include "lib/cleanup.h"
#include "lib/err.h"

static bool same_place(const struct gate_guest *a, const struct gate_guest *b)
{
	return a->ifindex == b->ifindex && memcmp(&a->addr, &b->addr, sizeof(a->addr)) == 0;
}

static bool same_guest(const struct gate_guest *a, const struct gate_guest *b)
{
	return a->vlan == b->vlan && same_place(a, b);
}

/* resolve: writes the entry for all VLANs anew, as if `but` (or NULL) were not there. */
static int resolve(int map, const struct gate_guest *at, const struct gate_guest *but)
{
	struct gate_guest any = *at, key, next;
	uint32_t owner, found = 0;
	int r = gate_map_next(map, NULL, &next);

	any.vlan = GATE_VLAN_ANY;
	while (r == 0) {
		key = next;
		r = gate_map_next(map, &key, &next);
		if (key.vlan == GATE_VLAN_ANY || !same_place(&key, at) || (but && same_guest(&key, but)))
			continue;
		if (gate_map_lookup(map, &key, &owner) == 0)
			found = found && found != owner ? GATE_SEVERAL : owner;
	}
	if (found)
		return gate_map_update(map, &any, &found, BPF_ANY);
	r = gate_map_delete(map, &any);
	return r == -ENOENT ? 0 : r;
}

static int add(int map, const struct gate_guest *g, uint32_t id)
{
	struct gate_guest any = *g;
	uint32_t owner = 0;
	int r = gate_map_update(map, g, &id, BPF_ANY);

	if (r < 0)
		return r;
	any.vlan = GATE_VLAN_ANY;
	r = gate_map_update(map, &any, &id, BPF_NOEXIST);
	if (r == -EEXIST && gate_map_lookup(map, &any, &owner) == 0 && owner == id)
		return 0;
	return r == -EEXIST ? resolve(map, g, NULL) : r;
}

static bool is_current(const struct gate_guest *g, const struct gate_vsv *v, uint32_t ifindex)
{
	for (size_t i = 0; v && i < v->n_nets; i++)
		if (g->ifindex == ifindex && (g->vlan == v->vlan || g->vlan == GATE_VLAN_ANY) &&
		    memcmp(&v->nets[i].addr, &g->addr, sizeof(g->addr)) == 0)
			return true;
	return false;
}

/* take: those of that id, but for what v (or NULL) has there.  No ledger names them: private stacks are few, and only one of them
 * looks here.  An entry goes after that for all VLANs knows nothing of it any more: who is killed in between is found again by it. */
static int take(int map, uint32_t id, const struct gate_vsv *v, uint32_t ifindex)
{
	struct gate_guest key, next;
	int r = gate_map_next(map, NULL, &next), first = 0;

	while (r == 0) {
		uint32_t owner;
		int one;

		key = next;
		r = gate_map_next(map, &key, &next);
		one = gate_map_lookup(map, &key, &owner);
		if (one == 0 && (owner != id || is_current(&key, v, ifindex)))
			continue;
		if (one == 0)
			one = resolve(map, &key, &key);
		if (one == 0 && key.vlan != GATE_VLAN_ANY)
			one = gate_map_delete(map, &key);
		gate_keep_first(&first, one);
	}
	gate_keep_first(&first, r);
	return first;
}

static int open_locked(const char *bpf_dir, int *ret_lock, struct err *err)
{
	int map = gate_map_open(bpf_dir, "guests", err);

	if (map < 0)
		return map;
	*ret_lock = gate_lock(bpf_dir, err);
	if (*ret_lock >= 0)
		return map;
	(void)close(map);
	return *ret_lock;
}

static int taken(int r, struct err *err)
{
	errno = -r;
	return r < 0 ? err_set(err, r, "cannot take an address out of the gate: %m") : 0;
}

int gate_guests_set(const char *bpf_dir, const struct gate_vsv *v, uint32_t id, uint32_t ifindex, struct err *err)
{
	_cleanup_close_ int lock = -1, map = open_locked(bpf_dir, &lock, err);

	if (map < 0)
		return map;
	for (size_t i = 0; ifindex && i < v->n_nets; i++) {
		struct gate_guest g = { .addr = v->nets[i].addr, .ifindex = ifindex, .vlan = v->vlan };
		int r = add(map, &g, id);

		if (r < 0) {
			errno = -r;
			return err_set(err, r, "cannot put an address into the gate: %m");
		}
	}
	return taken(take(map, id, v, ifindex), err);
}

int gate_guests_take(const char *bpf_dir, uint32_t id, struct err *err)
{
	_cleanup_close_ int lock = -1, map = open_locked(bpf_dir, &lock, err);

	if (map == -ENOENT) { /* a gate without that table */
		err_clear(err);
		return 0;
	}
	return map < 0 ? map : taken(take(map, id, NULL, 0), err);
}
