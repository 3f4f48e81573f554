/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gate's programs on a Vsv's control group.
 *
 * Attaching is by BPF_PROG_ATTACH and not by pinned links: such an attachment belongs to the cgroup alone, so that it
 * outlives whoever made it and goes when the cgroup goes, without a pin that a kill could leave behind or that
 * somebody could forget. */
#include "gate/gate.h"

#include <fcntl.h>
#include <string.h>

#include "gate/gate_sys.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/weaken.h"

/* The number of a cgroup, by which its storage is found: kernfs gives it as the file handle, cgroup2(7). */
int gate_cgroup_number(int cgroup_fd, uint64_t *ret, struct err *err)
{
	union {
		struct file_handle h;
		char space[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} u = { .h = { .handle_bytes = MAX_HANDLE_SZ } };
	int mount_id;

	if (name_to_handle_at(cgroup_fd, "", &u.h, &mount_id, AT_EMPTY_PATH) < 0)
		return err_set(err, -errno, "cannot tell the cgroup's number: %m");
	if (u.h.handle_bytes != sizeof(*ret))
		return err_set(err, -EINVAL, "the folder is no cgroup of the v2 hierarchy");
	memcpy(ret, u.h.f_handle, sizeof(*ret));
	return 0;
}

static bool is_attached(int cgroup_fd, int prog, enum bpf_attach_type type)
{
	struct bpf_prog_info info = { 0 };
	union bpf_attr attr = { 0 };
	uint32_t ids[64] = { 0 };

	if (gate_info(prog, &info, sizeof(info)) < 0)
		return false;
	attr.query.target_fd = (uint32_t)cgroup_fd;
	attr.query.attach_type = type;
	attr.query.prog_ids = (uint64_t)(uintptr_t)ids;
	attr.query.prog_cnt = 64;
	if (gate_bpf(BPF_PROG_QUERY, &attr) < 0)
		return false;
	for (size_t i = 0; i < attr.query.prog_cnt && i < 64; i++)
		if (ids[i] == info.id)
			return true;
	return false;
}

static int attach_one(const char *bpf_dir, const struct gate_program *p, int cgroup_fd, struct err *err)
{
	_cleanup_close_ int prog = -1;
	char path[GATE_PATH_MAX];
	union bpf_attr attr = { 0 };
	int r = gate_program_path(bpf_dir, p->name, path);

	if (r == 0)
		r = prog = gate_obj_get(path);
	if (r < 0) {
		errno = -r;
		return err_set(err, r, "cannot open the gate's program %s: %m", path);
	}
	attr.target_fd = (uint32_t)cgroup_fd;
	attr.attach_bpf_fd = (uint32_t)prog;
	attr.attach_type = p->attach;
	attr.attach_flags = BPF_F_ALLOW_MULTI;
	r = gate_bpf(BPF_PROG_ATTACH, &attr);
	/* The kernel says EINVAL of a program that is there already: an attach that was interrupted. */
	if (r == 0 || (r == -EINVAL && is_attached(cgroup_fd, prog, p->attach)))
		return 0;
	errno = -r;
	err_set(err, r, "cannot attach %s to the cgroup: %m", p->name);
	if (r == -EPERM)
		err_hint(err, r, "another program on a cgroup above excludes it: see `bpftool cgroup tree`");
	return r;
}

int gate_attach(const char *bpf_dir, int cgroup_fd, uint32_t id, struct err *err)
{
	_cleanup_close_ int identity = -1, stats = -1, taken = -1, vsv = -1;
	struct gate_identity me = { 0 };
	struct gate_vsv v = { 0 };
	struct gate_stats zero = { 0 };
	uint64_t number = 0;
	int r;

	r = gate_check_id(id, err);
	if (r == 0)
		r = gate_cgroup_number(cgroup_fd, &number, err);
	if (r == 0)
		r = identity = gate_map_open(bpf_dir, "identity", err);
	if (r >= 0)
		r = stats = gate_map_open(bpf_dir, "stats", err);
	if (r >= 0)
		r = taken = gate_map_open(bpf_dir, "taken", err);
	if (r >= 0)
		r = vsv = gate_map_open(bpf_dir, "vsv", err);
	if (r < 0)
		return r;
	/* The number is written last, so where it stands everything is attached. */
	r = gate_map_lookup(identity, &number, &me);
	if (r == 0 && me.id == id)
		return 0;
	if (r == 0 && me.id != 0)
		return err_set(err, -EBUSY, "the cgroup's gate serves the Vsv with number %u", me.id);
	if (r == 0 || r == -ENOENT)
		r = gate_map_lookup(vsv, &id, &v);
	if (r < 0 && r != -ENOENT) { /* that there is none is said below */
		errno = -r;
		return err_set(err, r, "cannot look into the gate: %m");
	}
	for (size_t i = 0; i < gate_n_programs; i++) {
		if (!gate_program_wanted(&gate_programs[i], &v) || weakened(gate_programs[i].name))
			continue;
		r = attach_one(bpf_dir, &gate_programs[i], cgroup_fd, err);
		if (r < 0)
			return r;
	}
	(void)gate_map_delete(taken, &id);
	r = gate_map_update(stats, &id, &zero, BPF_EXIST);
	if (r == -ENOENT)
		return err_set(err, r, "the gate has no Vsv with number %u", id);
	me.id = id;
	r = gate_map_update(identity, &number, &me, BPF_ANY);
	if (r < 0) {
		errno = -r;
		return err_set(err, r, "cannot give the cgroup its number: %m");
	}
	return 0;
}

int gate_attach_more(const char *bpf_dir, int cgroup_fd, const struct gate_config *c, struct err *err)
{
	struct gate_vsv now = { 0 }, next = { 0 };
	_cleanup_close_ int vsv = -1;
	int r = gate_to_vsv(c, &next, err);

	if (r == 0)
		r = vsv = gate_map_open(bpf_dir, "vsv", err);
	if (r < 0)
		return r;
	(void)gate_map_lookup(vsv, &c->id, &now);
	for (size_t i = 0; i < gate_n_programs; i++) {
		const struct gate_program *p = &gate_programs[i];

		if (!gate_program_wanted(p, &next) || gate_program_wanted(p, &now) || weakened(p->name))
			continue;
		/* An upgrade may have come since the start. */
		r = gate_ensure(bpf_dir, err);
		if (r == 0)
			r = attach_one(bpf_dir, p, cgroup_fd, err);
		if (r < 0)
			return r;
	}
	return 0;
}
