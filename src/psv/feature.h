/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel of this machine can do, by trying it: never by its version, because kernels are built and patched
 * differently.  Nothing is left behind; what may change something is tried in a process of its own. */
#pragma once

#include <stddef.h>

enum feature_id {
	FEATURE_CGROUP2,
	FEATURE_CGROUP_INTO,
	FEATURE_MEMORY,
	FEATURE_PIDS,
	FEATURE_CPU,
	FEATURE_CPU_BOUND,
	FEATURE_CPUSET,
	FEATURE_DISK_BOUND,
	FEATURE_DISK_WEIGHT,
	FEATURE_RESERVE,
	FEATURE_BPF,
	FEATURE_BTF,
	FEATURE_BPFFS,
	FEATURE_GATE,
	FEATURE_BPF_READ,
	FEATURE_SK_LOOKUP,
	FEATURE_SECCOMP_NOTIFY,
	FEATURE_LANDLOCK_SCOPES,
	FEATURE_NAMESPACES,
	FEATURE_NETNS,
	FEATURE_MACVLAN,
	FEATURE_IPVLAN,
	FEATURE_VLAN,
	FEATURE_VETH,
	FEATURE_DETACHED_MOUNTS,
	FEATURE_PROC_SUBSET,
	FEATURE_EROFS,
	FEATURE_OVERLAY,
	FEATURE_EXT4,
	FEATURE_XFS,
	FEATURE_LOOP,
	FEATURE_PIDFD,
	FEATURE_SOCK_DESTROY,
	FEATURE_IPV6,
	FEATURE_CAP_RESOURCE,
	FEATURES,
};

struct feature {
	const char *name;   /* lower case, frozen: of --json */
	const char *text;   /* what it is */
	const char *means;  /* what follows where it is missing */
	const char *hint;   /* what to do then */
	int (*probe)(void); /* 1: it is there; 0: it is not; -errno: that could not be found out */
};

extern const struct feature features[FEATURES];

/* feature_has: what its probe says. */
int feature_has(enum feature_id id);
/* feature_filesystem: the same of any kind of file system. */
int feature_filesystem(const char *type);
/* feature_landlock_abi: 0: none. */
int feature_landlock_abi(void);
