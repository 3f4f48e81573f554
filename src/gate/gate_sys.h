/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bpf(2) itself, for what every start of a Vsv does: no ELF, no skeleton, a few system calls.  Each returns 0 or a
 * descriptor, or -errno.  And the names under which the gate lies in its bpffs, for gate.c and gate_load.c. */
#pragma once

#include <errno.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gate/gate_shared.h"

/* One program of the gate and where it is attached. */
struct gate_program {
	const char *name;
	enum bpf_attach_type attach;
};
extern const struct gate_program gate_programs[];
extern const size_t gate_n_programs;
/* gate_program_wanted: gate_egress only where a Vsv may use groups, in the stack of all. */
bool gate_program_wanted(const struct gate_program *p, const struct gate_vsv *v);

/* The map `addresses` lies in bpf_dir itself, the others in a folder of their layout, the programs in one of their
 * build. Each puts "DIR/NAME" into buf; -ENAMETOOLONG. */
enum { GATE_PATH_MAX = 4096 };
int gate_map_path(const char *bpf_dir, const char *map, char buf[GATE_PATH_MAX]);
int gate_program_path(const char *bpf_dir, const char *program, char buf[GATE_PATH_MAX]);
/* gate_map_open: a descriptor, or -errno in words. */
struct err;
int gate_map_open(const char *bpf_dir, const char *map, struct err *err);
/* gate_link_path: of the link that holds gate_lookup on that network namespace. */
void gate_link_path(const char *bpf_dir, uint32_t netns, char buf[GATE_PATH_MAX]);
uint64_t gate_build(void);
/* gate_keep_first: of several deeds that all are done; ENOENT is no failure: what is to go is not there. */
static inline void gate_keep_first(int *first, int r)
{
	if (*first == 0 && r < 0 && r != -ENOENT)
		*first = r;
}
/* gate_inside_down: takes away what gate_inside_up did for that id; nothing, if it did not.  0 or -errno: then it is all there. */
int gate_inside_down(const char *bpf_dir, uint32_t id, struct err *err);

/* gate_lock: of what is loaded and of the table `guests`; a descriptor, which holds it. */
int gate_lock(const char *bpf_dir, struct err *err);
/* gate_guests_set: the addresses of a private stack, as they are met on that interface (0: they are not).  gate_guests_take: of
 * that id, all. */
int gate_guests_set(const char *bpf_dir, const struct gate_vsv *v, uint32_t id, uint32_t ifindex, struct err *err);
int gate_guests_take(const char *bpf_dir, uint32_t id, struct err *err);

/* gate_check_id: a number that a Vsv can have.  gate_to_vsv: the configuration as the programs read it; -EINVAL, -E2BIG. */
int gate_check_id(uint32_t id, struct err *err);
struct gate_config;
int gate_to_vsv(const struct gate_config *c, struct gate_vsv *v, struct err *err);

/* gate_lend: puts the program of that number in gate_programs, as it hangs on one cgroup, on another one too, or takes it from
 * there.  0; -ENOENT: it does not hang on the first; -errno. */
int gate_lend(int from_cgroup_fd, int to_cgroup_fd, size_t program, bool attach);

/* gate_cgroup_number: what the kernel calls an open folder of the v2 hierarchy. */
int gate_cgroup_number(int cgroup_fd, uint64_t *ret, struct err *err);
/* gate_key: an address as the tables have it. */
struct ipaddr;
struct gate_addr gate_key(const struct ipaddr *a);

/* gate_reading: what gate_reads_kernel() answers; GATE_READING_ASK: what the kernel says.  Tests alone change it. */
enum { GATE_READING_ASK = 2 };
extern int gate_reading;

static inline int gate_bpf(enum bpf_cmd cmd, union bpf_attr *attr)
{
	long r = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return r < 0 ? -errno : (int)r;
}

static inline int gate_obj_get(const char *path)
{
	union bpf_attr attr = { .pathname = (uint64_t)(uintptr_t)path };

	return gate_bpf(BPF_OBJ_GET, &attr);
}

static inline int gate_map_lookup(int map, const void *key, void *ret_value)
{
	union bpf_attr attr = { .map_fd = (uint32_t)map, .key = (uint64_t)(uintptr_t)key };

	attr.value = (uint64_t)(uintptr_t)ret_value;
	return gate_bpf(BPF_MAP_LOOKUP_ELEM, &attr);
}

static inline int gate_map_update(int map, const void *key, const void *value, uint64_t flags)
{
	union bpf_attr attr = { .map_fd = (uint32_t)map, .key = (uint64_t)(uintptr_t)key };

	attr.value = (uint64_t)(uintptr_t)value;
	attr.flags = flags;
	return gate_bpf(BPF_MAP_UPDATE_ELEM, &attr);
}

static inline int gate_map_delete(int map, const void *key)
{
	union bpf_attr attr = { .map_fd = (uint32_t)map, .key = (uint64_t)(uintptr_t)key };

	return gate_bpf(BPF_MAP_DELETE_ELEM, &attr);
}

static inline int gate_map_next(int map, const void *key, void *ret_key)
{
	union bpf_attr attr = { .map_fd = (uint32_t)map, .key = (uint64_t)(uintptr_t)key };

	attr.next_key = (uint64_t)(uintptr_t)ret_key;
	return gate_bpf(BPF_MAP_GET_NEXT_KEY, &attr);
}

static inline int gate_info(int fd, void *info, uint32_t len)
{
	union bpf_attr attr = { 0 };

	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = len;
	attr.info.info = (uint64_t)(uintptr_t)info;
	return gate_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);
}
