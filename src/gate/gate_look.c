/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asking the kernel itself what of the gate is in force: no file of ours and no memory of what was done is believed. */
#include "gate/gate.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "gate/gate_sys.h"
#include "lib/cleanup.h"
#include "lib/err.h"

enum { PROGRAMS_MAX = 64 };

/* query: the programs of one attach type, by their numbers. */
static int query(int target_fd, enum bpf_attach_type type, uint32_t ids[PROGRAMS_MAX], uint32_t *ret_n)
{
	union bpf_attr attr = { .query.target_fd = (uint32_t)target_fd };
	int r;

	attr.query.attach_type = type;
	attr.query.prog_ids = (uint64_t)(uintptr_t)ids;
	attr.query.prog_cnt = PROGRAMS_MAX;
	r = gate_bpf(BPF_PROG_QUERY, &attr);
	if (r < 0)
		return r;
	*ret_n = attr.query.prog_cnt;
	return 0;
}

static int program_open(uint32_t id)
{
	union bpf_attr attr = { .prog_id = id };

	return gate_bpf(BPF_PROG_GET_FD_BY_ID, &attr);
}

static int program_of(uint32_t id, struct bpf_prog_info *ret)
{
	_cleanup_close_ int fd = program_open(id);

	*ret = (struct bpf_prog_info){ 0 };
	return fd < 0 ? fd : gate_info(fd, ret, sizeof(*ret));
}

/* The kernel keeps the first fifteen letters of a name. */
static bool find_attached(int target_fd, enum bpf_attach_type type, const char *name, struct bpf_prog_info *ret)
{
	uint32_t ids[PROGRAMS_MAX], n = 0;

	if (query(target_fd, type, ids, &n) < 0)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (program_of(ids[i], ret) == 0 && strncmp(ret->name, name, sizeof(ret->name) - 1) == 0)
			return true;
	return false;
}

int gate_lend(int from_cgroup_fd, int to_cgroup_fd, size_t program, bool attach)
{
	const struct gate_program *p = &gate_programs[program];
	union bpf_attr attr = { .target_fd = (uint32_t)to_cgroup_fd };
	_cleanup_close_ int fd = -1;
	struct bpf_prog_info info;

	if (!find_attached(from_cgroup_fd, p->attach, p->name, &info))
		return -ENOENT;
	fd = program_open(info.id);
	if (fd < 0)
		return fd;
	attr.attach_bpf_fd = (uint32_t)fd;
	attr.attach_type = p->attach;
	attr.attach_flags = attach ? BPF_F_ALLOW_MULTI : 0;
	return gate_bpf(attach ? BPF_PROG_ATTACH : BPF_PROG_DETACH, &attr);
}

static bool is_pinned_one(const char *bpf_dir, const char *name, const struct bpf_prog_info *attached)
{
	_cleanup_close_ int fd = -1;
	struct bpf_prog_info pinned = { 0 };
	char path[GATE_PATH_MAX];

	if (gate_program_path(bpf_dir, name, path) < 0)
		return false;
	fd = gate_obj_get(path);
	return fd >= 0 && gate_info(fd, &pinned, sizeof(pinned)) == 0 && pinned.id == attached->id;
}

static void look_at_programs(const char *bpf_dir, int cgroup_fd, const struct gate_vsv *assigned, struct gate_look *ret)
{
	for (size_t i = 0; i < gate_n_programs; i++) {
		struct bpf_prog_info info;

		if (!gate_program_wanted(&gate_programs[i], assigned))
			continue;
		if (!find_attached(cgroup_fd, gate_programs[i].attach, gate_programs[i].name, &info)) {
			if (!ret->missing)
				ret->missing = gate_programs[i].name;
			continue;
		}
		if (!ret->other_build && !is_pinned_one(bpf_dir, gate_programs[i].name, &info))
			ret->other_build = gate_programs[i].name;
	}
}

static void look_at_link(const char *bpf_dir, struct gate_look *ret)
{
	_cleanup_close_ int ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), link = -1;
	uint32_t ids[PROGRAMS_MAX], n = 0;
	struct bpf_link_info info = { 0 };
	char path[GATE_PATH_MAX];
	struct stat st;

	if (ns < 0 || fstat(ns, &st) < 0)
		return;
	gate_link_path(bpf_dir, (uint32_t)st.st_ino, path);
	link = gate_obj_get(path);
	if (link < 0 || gate_info(link, &info, sizeof(info)) < 0)
		return;
	ret->link_pinned = info.type == BPF_LINK_TYPE_NETNS && info.netns.netns_ino == (uint32_t)st.st_ino;
	if (query(ns, BPF_SK_LOOKUP, ids, &n) < 0)
		return;
	for (uint32_t i = 0; i < n; i++)
		ret->link_attached = ret->link_attached || ids[i] == info.prog_id;
}

static int look_at_assignment(const char *bpf_dir, int cgroup_fd, struct gate_vsv *assigned, struct gate_look *ret, struct err *err)
{
	_cleanup_close_ int identity = gate_map_open(bpf_dir, "identity", err), vsv = -1;
	struct gate_identity me = { 0 };
	uint64_t number;
	int r;

	if (identity < 0)
		return identity;
	vsv = gate_map_open(bpf_dir, "vsv", err);
	if (vsv < 0)
		return vsv;
	r = gate_cgroup_number(cgroup_fd, &number, err);
	if (r < 0)
		return r;
	if (gate_map_lookup(identity, &number, &me) == 0)
		ret->id = me.id;
	ret->assigned = ret->id && gate_map_lookup(vsv, &ret->id, assigned) == 0;
	return 0;
}

int gate_look(const char *bpf_dir, int cgroup_fd, struct gate_look *ret, struct err *err)
{
	struct gate_vsv assigned = { 0 };
	int r;

	*ret = (struct gate_look){ 0 };
	r = look_at_assignment(bpf_dir, cgroup_fd, &assigned, ret, err);
	look_at_programs(bpf_dir, cgroup_fd, &assigned, ret);
	look_at_link(bpf_dir, ret);
	return r;
}

int gate_address_owner(const char *bpf_dir, const struct ipaddr *a, uint32_t *ret_id, struct err *err)
{
	_cleanup_close_ int map = gate_map_open(bpf_dir, "addresses", err);
	struct gate_addr key = gate_key(a);
	int r;

	if (map < 0)
		return map;
	*ret_id = 0;
	r = gate_map_lookup(map, &key, ret_id);
	return r == -ENOENT ? 0 : r;
}
