/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gate's one program in the network namespace of a private stack (gate_listen.bpf.h).  An sk_lookup program hangs on a namespace
 * by a link alone, bpf_link(BPF_SK_LOOKUP).  The link is pinned under the Vsv's number, so it outlives who made it; it holds no namespace, and
 * one whose namespace has ended is a name and no more, until the next gate_clear or gate_inside_up of that number. */
#include "gate/gate.h"

#include <string.h>

#include "gate/gate_sys.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/str.h"

static bool link_path(const char *bpf_dir, uint32_t id, char buf[GATE_PATH_MAX])
{
	return str_format(buf, GATE_PATH_MAX, "%s/inside-%u", bpf_dir, id);
}

static int put_link(const char *bpf_dir, uint32_t id, int netns_fd, struct err *err)
{
	union bpf_attr create = { .link_create.target_fd = (uint32_t)netns_fd }, pin = { 0 };
	_cleanup_close_ int prog = -1, link = -1;
	char path[GATE_PATH_MAX];
	int r = gate_program_path(bpf_dir, "gate_inside", path);

	if (r == 0)
		r = prog = gate_obj_get(path);
	if (r < 0) {
		errno = -r;
		return err_set(err, r, "cannot open the gate's program %s: %m", path);
	}
	create.link_create.prog_fd = (uint32_t)prog;
	create.link_create.attach_type = BPF_SK_LOOKUP;
	r = link = gate_bpf(BPF_LINK_CREATE, &create);
	if (r < 0) {
		errno = -r;
		return err_set(err, r, "cannot attach gate_inside to the network namespace: %m");
	}
	if (!link_path(bpf_dir, id, path))
		return err_set(err, -ENAMETOOLONG, "%s is too long a path", bpf_dir);
	/* Of a namespace that ended without gate_clear. */
	(void)unlink(path);
	pin.pathname = (uint64_t)(uintptr_t)path;
	pin.bpf_fd = (uint32_t)link;
	r = gate_bpf(BPF_OBJ_PIN, &pin);
	errno = -r;
	return r < 0 ? err_set(err, r, "cannot pin %s: %m", path) : 0;
}

/* 0: the number is this one's; 1: another's. */
static int take_number(const char *bpf_dir, uint32_t id, uint32_t ifindex, struct err *err)
{
	_cleanup_close_ int inside = gate_map_open(bpf_dir, "inside", err);
	uint32_t owner = 0;
	int r = inside < 0 ? inside : gate_map_update(inside, &ifindex, &id, BPF_NOEXIST);

	if (inside < 0 || r == 0)
		return r;
	if (r == -EEXIST)
		return gate_map_lookup(inside, &ifindex, &owner) == 0 && owner == id ? 0 : 1;
	errno = -r;
	return err_set(err, r, "cannot put an interface into the gate: %m");
}

int gate_inside_up(const char *bpf_dir, uint32_t id, int netns_fd, uint32_t ifindex, struct err *err)
{
	static const struct gate_ports none;
	_cleanup_close_ int ports = -1;
	int r = take_number(bpf_dir, id, ifindex, err);

	if (r != 0)
		return r < 0 ? r : 0;
	ports = gate_map_open(bpf_dir, "ports", err);
	if (ports < 0)
		return ports;
	r = gate_map_update(ports, &id, &none, BPF_ANY);
	if (r < 0) {
		errno = -r;
		return err_set(err, r, "cannot set the ports of number %u: %m", id);
	}
	return put_link(bpf_dir, id, netns_fd, err);
}

int gate_inside_down(const char *bpf_dir, uint32_t id, struct err *err)
{
	_cleanup_close_ int inside = gate_map_open(bpf_dir, "inside", NULL), ports = gate_map_open(bpf_dir, "ports", NULL);
	uint32_t key, next, owner;
	char path[GATE_PATH_MAX];
	int r, first = 0;

	if (link_path(bpf_dir, id, path) && unlink(path) < 0 && errno != ENOENT)
		return err_set(err, -errno, "cannot remove %s: %m", path);
	gate_keep_first(&first, ports < 0 ? ports : gate_map_delete(ports, &id));
	/* No ledger names them: private stacks are few, and only one of them looks here. */
	r = inside < 0 ? inside : gate_map_next(inside, NULL, &next);
	while (r == 0) {
		int one;

		key = next;
		r = gate_map_next(inside, &key, &next);
		one = gate_map_lookup(inside, &key, &owner);
		if (one == 0 && owner == id)
			one = gate_map_delete(inside, &key);
		gate_keep_first(&first, one);
	}
	gate_keep_first(&first, r);
	errno = -first;
	return first < 0 ? err_set(err, first, "cannot take an interface out of the gate: %m") : 0;
}
