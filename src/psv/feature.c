/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psv/feature.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/if_link.h>
#include <linux/inet_diag.h>
#include <linux/landlock.h>
#include <linux/rtnetlink.h>
#include <linux/seccomp.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gate/gate.h"
#include "gate/gate_sys.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/netlink.h"
#include "lib/str.h"
#include "lib/sys.h"
#include "psv/cgroup_disk.h"
#include "psv/cgroup_layout.h"

enum { LANDLOCK_SCOPES_ABI = 6, FLAG_WAIT_KILLABLE_RECV = 1 << 5 };

/* in_child: what f() says in a process that may change itself.  It says a status of 0 to 2: no, yes, cannot tell. */
static int in_child(int (*f)(void))
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		int r = f();

		_exit(r < 0 ? 2 : r);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
		return -EIO;
	return WEXITSTATUS(status);
}

/* missing: an errno that says that there is no such thing; others say that we may not, or that something else is wrong. */
static int missing(int error)
{
	return error == ENODEV || error == ENOSYS || error == EINVAL || error == EOPNOTSUPP || error == ENOENT ||
			       error == EAFNOSUPPORT ?
		       0 : -error;
}

/* ---- control groups ---- */

static int has_cgroup2(void)
{
	struct cgroup_layout l;
	struct err err = { 0 };

	return cgroup_layout(&l, &err) == 0;
}

static int has_controller(enum cgroup_controller c)
{
	struct cgroup_layout l;
	struct err err = { 0 };

	return cgroup_layout(&l, &err) == 0 && (l.in_v2[c] || l.v1[c][0]);
}

static int has_memory(void) { return has_controller(CGROUP_MEMORY); }
static int has_pids(void) { return has_controller(CGROUP_PIDS); }
static int has_cpu(void) { return has_controller(CGROUP_CPU); }
static int has_cpuset(void) { return has_controller(CGROUP_CPUSET); }
static int has_cpu_bound(void) { return has_cpu() && access("/proc/sys/kernel/sched_cfs_bandwidth_slice_us", F_OK) == 0; }

static int has_disk_bound(void)
{
	struct cgroup_layout l;
	char path[CGROUP_PATH_MAX + 64];

	/* Of v2 only a group below the root has the file, and a kernel with the controller and no bounds is none that anybody ships. */
	if (cgroup_layout(&l, NULL) < 0)
		return 0;
	(void)str_format(path, sizeof(path), "%s/blkio.throttle.write_bps_device", l.v1[CGROUP_IO]);
	return l.in_v2[CGROUP_IO] || (l.v1[CGROUP_IO][0] && access(path, F_OK) == 0);
}

/* Whether it holds is a question of each disk: here, of any. */
static int has_disk_weight(void) { return cgroup_disk_some_weigh(); }

static int has_reserve(void)
{
	struct cgroup_layout l;

	return cgroup_layout(&l, NULL) == 0 && l.in_v2[CGROUP_MEMORY];
}

static int born_in(int group)
{
	struct clone_args args = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (uint64_t)group };
	pid_t pid = sys_clone3(&args);

	if (pid == 0)
		_exit(0);
	if (pid < 0)
		return missing(errno);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return 1;
}

static int has_cgroup_into(void)
{
	struct cgroup_layout l;
	struct err err = { 0 };
	char path[CGROUP_PATH_MAX + 32];
	int group, r;

	if (cgroup_layout(&l, &err) < 0)
		return 0;
	(void)str_format(path, sizeof(path), "%s/vnas-doctor-%d", l.v2, (int)getpid());
	if (mkdir(path, 0700) < 0 && errno != EEXIST) /* left by a kill */
		return -errno;
	group = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = group < 0 ? -errno : born_in(group);
	cleanup_close(&group);
	(void)rmdir(path);
	return r;
}

/* ---- BPF ---- */

static int load_program(enum bpf_prog_type type, enum bpf_attach_type attach)
{
	static const struct bpf_insn pass[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = {
		.prog_type = type,
		.expected_attach_type = attach,
		.insns = (uintptr_t)pass,
		.insn_cnt = sizeof(pass) / sizeof(*pass),
		.license = (uintptr_t)"GPL",
	};
	int fd = gate_bpf(BPF_PROG_LOAD, &attr);

	if (fd < 0)
		return missing(-fd);
	(void)close(fd);
	return 1;
}

static int has_bpf(void) { return load_program(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_BIND); }
static int has_sk_lookup(void) { return load_program(BPF_PROG_TYPE_SK_LOOKUP, BPF_SK_LOOKUP); }

static int has_btf(void)
{
	return access("/sys/kernel/btf/vmlinux", R_OK) == 0 ? 1 : missing(errno);
}

static int has_gate(void)
{
	struct err err = { 0 };
	int r = gate_try(&err);

	return r == 0 ? 1 : r == -EPERM ? r : 0;
}

static int has_bpf_read(void)
{
	return gate_reads_kernel();
}

/* ---- system calls ---- */

static int notified(void)
{
	struct sock_filter all[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sock_fprog prog = { .len = 1, .filter = all };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER | FLAG_WAIT_KILLABLE_RECV, &prog) < 0 ?
		       missing(errno) : 1;
}

static int has_seccomp_notify(void) { return in_child(notified); }

int feature_landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi < 0 ? 0 : (int)abi;
}

static int has_landlock_scopes(void) { return feature_landlock_abi() >= LANDLOCK_SCOPES_ABI; }

static int got_from_itself(void)
{
	_cleanup_close_ int self = pidfd_open(getpid(), 0);
	int fd = self < 0 ? -1 : pidfd_getfd(self, self, 0);

	return fd < 0 ? missing(errno) : 1;
}

static int has_pidfd(void) { return in_child(got_from_itself); }

/* ---- namespaces and links ---- */

static int has_namespaces(void)
{
	static const char *const names[] = { "mnt", "pid", "ipc", "uts", "cgroup" };
	char path[64];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		(void)str_format(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		if (access(path, F_OK) < 0)
			return missing(errno);
	}
	return 1;
}

static int has_netns(void)
{
	return access("/proc/self/ns/net", F_OK) == 0 ? 1 : missing(errno);
}

/* Asked for without the interface that it would stand on: a kernel that knows the kind misses that first.  In a network
 * namespace of its own all the same, which ends with the process. */
static const char *link_kind;

static int made_link(void)
{
	_cleanup_netlink_ struct netlink nl = { .fd = -1 };
	struct netlink_msg m;
	struct nlattr *info;
	struct err err = { 0 };
	int r;

	if (unshare(CLONE_NEWNET) < 0)
		return missing(errno);
	r = netlink_open(NETLINK_ROUTE, &nl, &err);
	if (r < 0)
		return r;
	(void)netlink_begin(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
	info = nl_attr_nest_start(&m.h, IFLA_LINKINFO);
	nl_attr_put_strz(&m.h, IFLA_INFO_KIND, link_kind);
	nl_attr_nest_end(&m.h, info);
	r = netlink_talk(&nl, &m.h, NULL, NULL, &err);
	return r == -EOPNOTSUPP ? 0 : r == -EPERM ? r : 1;
}

static int has_link(const char *kind)
{
	link_kind = kind;
	return in_child(made_link);
}

static int has_macvlan(void) { return has_link("macvlan"); }
static int has_ipvlan(void) { return has_link("ipvlan"); }
static int has_vlan(void) { return has_link("vlan"); }
static int has_veth(void) { return has_link("veth"); }

static int has_ipv6(void)
{
	_cleanup_close_ int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd >= 0 ? 1 : missing(errno);
}

/* Of a socket that is not there: who can, says so; who cannot, does not look.  In a network namespace without any socket, for somebody's
 * BPF program (sk_lookup) may have one for every address and port. */
static int destroyed(void)
{
	_cleanup_netlink_ struct netlink nl = { .fd = -1 };
	struct netlink_msg m;
	struct inet_diag_req_v2 *req;
	struct err err = { 0 };
	int r;

	if (unshare(CLONE_NEWNET) < 0 && errno != EINVAL) /* a kernel without them */
		return -errno;
	r = netlink_open(NETLINK_SOCK_DIAG, &nl, &err);
	if (r < 0)
		return missing(-r);
	req = netlink_begin(&m, SOCK_DESTROY, 0, sizeof(*req));
	req->sdiag_family = AF_INET;
	req->sdiag_protocol = IPPROTO_TCP;
	req->id.idiag_cookie[0] = req->id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	r = netlink_talk(&nl, &m.h, NULL, NULL, &err);
	return r == -EOPNOTSUPP ? 0 : r == -EPERM ? r : 1;
}

static int has_sock_destroy(void) { return in_child(destroyed); }

/* ---- file systems ---- */

int feature_filesystem(const char *type)
{
	_cleanup_close_ int fd = fsopen(type, FSOPEN_CLOEXEC);

	return fd >= 0 ? 1 : errno == ENODEV ? 0 : -errno;
}

static int has_bpffs(void) { return feature_filesystem("bpf"); }
static int has_erofs(void) { return feature_filesystem("erofs"); }
static int has_overlay(void) { return feature_filesystem("overlay"); }
static int has_ext4(void) { return feature_filesystem("ext4"); }
static int has_xfs(void) { return feature_filesystem("xfs"); }

/* new_mount: a file system that nobody sees, gone with its descriptor. */
static int new_mount(const char *type, const char *key, const char *value)
{
	_cleanup_close_ int fs = fsopen(type, FSOPEN_CLOEXEC), mount = -1;

	if (fs < 0 || (key && fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0) < 0) ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return missing(errno);
	mount = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV);
	if (mount < 0)
		return missing(errno);
	return 1;
}

static int has_detached_mounts(void) { return new_mount("tmpfs", "size", "4096"); }
static int has_proc_subset(void) { return new_mount("proc", "subset", "pid"); }

static int has_loop(void)
{
	_cleanup_close_ int fd = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

	return fd >= 0 ? 1 : errno == ENXIO ? 0 : missing(errno);
}

/* ---- rights ---- */

static int has_cap_resource(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];

	if (syscall(SYS_capget, &h, d) < 0)
		return -errno;
	return (d[0].effective >> CAP_SYS_RESOURCE) & 1;
}

#define IN_THE_KERNEL "boot a kernel that is built with it"

const struct feature features[FEATURES] = {
	[FEATURE_CGROUP2] = { "cgroup2", "a hierarchy of control groups of version 2", "no server can start",
			      "mount -t cgroup2 none /sys/fs/cgroup/unified, or boot with systemd.unified_cgroup_hierarchy=1", has_cgroup2 },
	[FEATURE_CGROUP_INTO] = { "clone-into-cgroup", "processes that are born in a control group (Linux 5.7)",
				  "no server can start", IN_THE_KERNEL, has_cgroup_into },
	[FEATURE_MEMORY] = { "controller-memory", "the memory controller",
			     "a server can take all memory of the machine", "cgroup_enable=memory on the kernel's command line", has_memory },
	[FEATURE_PIDS] = { "controller-pids", "the pids controller", "a server can take all processes of the machine",
			   "boot a kernel with CONFIG_CGROUP_PIDS", has_pids },
	[FEATURE_CPU] = { "controller-cpu", "the cpu controller", "the servers' shares of the processors are not even",
			  "boot a kernel with CONFIG_CGROUP_SCHED", has_cpu },
	[FEATURE_CPU_BOUND] = { "cpu-bound", "bounds of processors", "[limits] cpu binds no server",
				"boot a kernel with CONFIG_CFS_BANDWIDTH", has_cpu_bound },
	[FEATURE_CPUSET] = { "cpuset", "the cpuset controller", "[limits] cpus binds no server to processors",
			     "boot a kernel with CONFIG_CPUSETS, and mount the controller", has_cpuset },
	[FEATURE_DISK_BOUND] = { "disk-bound", "bounds of disks: io of cgroup v2, or blkio of v1",
				 "[limits] disk read, disk write and their iops bind no server",
				 "boot a kernel with CONFIG_BLK_DEV_THROTTLING, and mount the controller", has_disk_bound },
	[FEATURE_DISK_WEIGHT] = { "disk-weight", "a disk that is divided by weight", "[limits] disk weight divides nothing",
				  "echo bfq >/sys/block/DISK/queue/scheduler, or with cgroup v2 enable io.cost.qos", has_disk_weight },
	[FEATURE_RESERVE] = { "memory-reserve", "the memory controller in cgroup v2", "[limits] memory reserve keeps nothing",
			      "boot with systemd.unified_cgroup_hierarchy=1", has_reserve },
	[FEATURE_BPF] = { "bpf-cgroup", "BPF programs on control groups (Linux 4.17)", "nothing keeps to its addresses: no server can start",
			  "boot a kernel with CONFIG_BPF_SYSCALL and CONFIG_CGROUP_BPF", has_bpf },
	[FEATURE_BTF] = { "btf", "/sys/kernel/btf/vmlinux", "the gate cannot be loaded: no server can start",
			  "boot a kernel with CONFIG_DEBUG_INFO_BTF", has_btf },
	[FEATURE_BPFFS] = { "bpffs", "a file system for BPF's pins", "the gate cannot outlive its loader: no server can start",
			    "boot a kernel with CONFIG_BPF_SYSCALL", has_bpffs },
	[FEATURE_GATE] = { "gate", "all of the gate's programs, as the kernel checks them", "nothing keeps to its addresses: no server can start",
			   "vnas start says what the kernel has against them", has_gate },
	[FEATURE_BPF_READ] = { "bpf-read", "BPF programs that read the kernel's memory",
			       "in the shared stack a datagram can leave by any of this machine's interfaces, and with discovery by broadcast too",
			       "boot without lockdown=confidentiality", has_bpf_read },
	[FEATURE_SK_LOOKUP] = { "bpf-sk-lookup", "BPF sk_lookup programs (Linux 5.9)",
				"wildcard listeners are reached at one address alone: no server can start", IN_THE_KERNEL, has_sk_lookup },
	[FEATURE_SECCOMP_NOTIFY] = { "seccomp-notify", "seccomp with user notification and killable waits (Linux 5.19)",
				     "system calls cannot be refused: no server can start", IN_THE_KERNEL, has_seccomp_notify },
	[FEATURE_LANDLOCK_SCOPES] = { "landlock-scopes", "Landlock's scopes (Linux 6.12)",
				      "a server in the shared stack can connect to the physical server's abstract unix sockets",
				      "boot Linux 6.12 or later, or use stack = private", has_landlock_scopes },
	[FEATURE_NAMESPACES] = { "namespaces", "mount, PID, IPC, UTS and cgroup namespaces", "no server can start", IN_THE_KERNEL,
				 has_namespaces },
	[FEATURE_NETNS] = { "net-namespaces", "network namespaces", "there is no stack = private", "boot a kernel with CONFIG_NET_NS",
			    has_netns },
	[FEATURE_MACVLAN] = { "macvlan", "macvlan interfaces", "no link = macvlan", "modprobe macvlan", has_macvlan },
	[FEATURE_IPVLAN] = { "ipvlan", "ipvlan interfaces", "no link = ipvlan", "modprobe ipvlan", has_ipvlan },
	[FEATURE_VLAN] = { "vlan", "802.1Q interfaces", "no link = vlan", "modprobe 8021q", has_vlan },
	[FEATURE_VETH] = { "veth", "veth interfaces", "no link = veth", "modprobe veth", has_veth },
	[FEATURE_DETACHED_MOUNTS] = { "detached-mounts", "fsopen, fsmount and open_tree (Linux 5.2)", "no server can start",
				      IN_THE_KERNEL, has_detached_mounts },
	[FEATURE_PROC_SUBSET] = { "proc-subset", "/proc of processes alone: subset=pid (Linux 5.8)",
				  "the kernel's settings and disks could be seen inside: no server can start", IN_THE_KERNEL,
				  has_proc_subset },
	[FEATURE_EROFS] = { "erofs", "the EROFS file system", "there are no templates: no server can start", "modprobe erofs",
			    has_erofs },
	[FEATURE_OVERLAY] = { "overlay", "the overlay file system", "a server cannot have a /usr of its own superblock: none can start",
			      "modprobe overlay", has_overlay },
	[FEATURE_EXT4] = { "ext4", "the ext4 file system", "no volumes of ext4", "modprobe ext4", has_ext4 },
	[FEATURE_XFS] = { "xfs", "the XFS file system", "no volumes of XFS", "modprobe xfs", has_xfs },
	[FEATURE_LOOP] = { "loop", "loop devices", "no volumes of images, and no templates: no server can start", "modprobe loop",
			   has_loop },
	[FEATURE_PIDFD] = { "pidfd", "descriptors of processes, and out of them (Linux 5.6)", "no server can be managed", IN_THE_KERNEL,
			    has_pidfd },
	[FEATURE_SOCK_DESTROY] = { "sock-destroy", "ending another's sockets (CONFIG_INET_DIAG_DESTROY)",
				   "connections to an address that was taken away last until they time out",
				   "boot a kernel with CONFIG_INET_DIAG_DESTROY", has_sock_destroy },
	[FEATURE_IPV6] = { "ipv6", "IPv6", "no IPv6 addresses", "do not boot with ipv6.disable=1", has_ipv6 },
	[FEATURE_CAP_RESOURCE] = { "sys-resource", "the right to raise limits (CAP_SYS_RESOURCE)",
				   "limits of open files cannot be raised beyond those of the service manager",
				   "give the service manager's unit, or the container around it, CAP_SYS_RESOURCE", has_cap_resource },
};

int feature_has(enum feature_id id)
{
	return features[id].probe();
}
