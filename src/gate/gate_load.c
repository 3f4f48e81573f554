/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loading and pinning the gate, once per Psv and boot.  What lies in the bpffs:
 *
 *   addresses             whose an address is; the same for all builds there will ever be
 *   maps-LAYOUT/NAME      the other tables, shared by all builds with that layout
 *   progs-BUILD/NAME      the programs of one build, complete or not there (renamed into place)
 *   lookup-LAYOUT-NETNS   the link that holds gate_lookup on a network namespace
 *   inside-ID             the link that holds gate_inside on that of a private stack
 *
 * A new build with the same layout takes over the tables and the link; cgroups keep the programs that they were
 * given, which work on the same tables.  With another layout the old tables and their link stay until no Vsv uses
 * them, and the two links serve side by side. */
#include "gate/gate.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "gate.skel.h"
#include "gate/gate_sys.h"
#include "gate/gate_weak.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/str.h"
#include "lib/weaken.h"

#define LOOKUP_PROGRAM "gate_lookup"

/* FNV-1a by words: names a build, guards against nothing. */
uint64_t gate_build(void)
{
	static uint64_t build;
	const char *elf;
	size_t size, i;

	if (build)
		return build;
	elf = gate_skel__elf_bytes(&size);
	build = 0xcbf29ce484222325u ^ size;
	for (i = 0; i + sizeof(uint64_t) <= size; i += sizeof(uint64_t)) {
		uint64_t word;

		memcpy(&word, elf + i, sizeof(word));
		build = (build ^ word) * 0x100000001b3u;
		build ^= build >> 29;
	}
	for (; i < size; i++)
		build = (build ^ (uint8_t)elf[i]) * 0x100000001b3u;
	return build;
}

/* --- where --- */

/* is_bpffs: 1, 0 or -errno. */
static int is_bpffs(const char *dir, struct err *err)
{
	struct statfs s;

	if (statfs(dir, &s) == 0)
		return s.f_type == BPF_FS_MAGIC;
	return errno == ENOENT ? 0 : err_set(err, -errno, "cannot look at %s: %m", dir);
}

static int mount_bpffs(const char *dir, struct err *err)
{
	int r = dir_make_path(dir, 0700);

	if (r < 0) {
		errno = -r;
		return err_set(err, r, "cannot make %s: %m", dir);
	}
	/* Another one above it would hide the pins of all that runs. */
	r = is_bpffs(dir, err);
	if (r != 0)
		return r < 0 ? r : 0;
	if (mount("bpf", dir, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") == 0)
		return 0;
	r = -errno;
	if (r == -ENODEV)
		return err_set(err, r, "cannot mount a bpffs on %s: this kernel has none (CONFIG_BPF_SYSCALL)", dir);
	err_set(err, r, "cannot mount a bpffs on %s: %m", dir);
	if (r == -EPERM)
		err_hint(err, r, "the gate is put up by root with CAP_SYS_ADMIN, in the Psv's own mount namespace");
	return r;
}

int gate_lock(const char *bpf_dir, struct err *err)
{
	_cleanup_close_ int fd = -1;
	char path[GATE_PATH_MAX];

	if (!str_format(path, sizeof(path), "%s.lock", bpf_dir))
		return err_set(err, -ENAMETOOLONG, "%s is too long a path", bpf_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		return err_set(err, -errno, "cannot lock %s: %m", path);
	return steal_fd(&fd);
}

static int netns_number(uint32_t *ret, struct err *err)
{
	struct stat st;

	if (stat("/proc/self/ns/net", &st) < 0)
		return err_set(err, -errno, "cannot tell the network namespace: %m");
	*ret = (uint32_t)st.st_ino;
	return 0;
}

void gate_link_path(const char *bpf_dir, uint32_t netns, char buf[GATE_PATH_MAX])
{
	(void)str_format(buf, GATE_PATH_MAX, "%s/lookup-%u-%u", bpf_dir, GATE_LAYOUT, netns);
}

/* The pinned link, if it is attached to that network namespace: its number can have been another's before. */
static int open_link(const char *bpf_dir, uint32_t netns)
{
	_cleanup_close_ int fd = -1;
	struct bpf_link_info info = { 0 };
	char path[GATE_PATH_MAX];
	int r;

	gate_link_path(bpf_dir, netns, path);
	fd = gate_obj_get(path);
	if (fd < 0)
		return fd;
	r = gate_info(fd, &info, sizeof(info));
	/* The pin is what keeps it attached: it goes only if it is known to be another's. */
	if (r < 0)
		return r;
	if (info.type == BPF_LINK_TYPE_NETNS && info.netns.netns_ino == netns)
		return steal_fd(&fd);
	(void)unlink(path);
	return -ENOENT;
}

/* is_up: 1, 0 or -errno: that cannot be seen. */
static int is_up(const char *bpf_dir, uint32_t netns, struct err *err)
{
	_cleanup_close_ int link = -1;
	char path[GATE_PATH_MAX];
	int r = gate_program_path(bpf_dir, LOOKUP_PROGRAM, path);

	if (r == 0 && access(path, F_OK) < 0)
		r = -errno;
	if (r == 0)
		r = link = open_link(bpf_dir, netns);
	if (r >= 0)
		return 1;
	errno = -r;
	return r == -ENOENT ? 0 : err_set(err, r, "cannot look for the gate in %s: %m", bpf_dir);
}

/* --- what this kernel cannot do --- */

static const struct {
	enum bpf_prog_type type;
	const char *name, *since;
} needed_programs[] = {
	{ BPF_PROG_TYPE_CGROUP_SOCK, "cgroup/sock", "4.10" },
	{ BPF_PROG_TYPE_CGROUP_SKB, "cgroup_skb", "4.10" },
	{ BPF_PROG_TYPE_CGROUP_SOCK_ADDR, "cgroup/bind4 and its kin", "4.17" },
	{ BPF_PROG_TYPE_CGROUP_SOCKOPT, "cgroup/setsockopt", "5.3" },
	{ BPF_PROG_TYPE_CGROUP_DEVICE, "cgroup/dev", "4.15" },
	{ BPF_PROG_TYPE_SOCK_OPS, "sockops", "4.13" },
	{ BPF_PROG_TYPE_SK_LOOKUP, "sk_lookup", "5.9" },
};

static const struct {
	enum bpf_map_type type;
	const char *name, *since;
} needed_maps[] = {
	{ BPF_MAP_TYPE_CGROUP_STORAGE, "cgroup_storage", "4.19" },
	{ BPF_MAP_TYPE_SOCKHASH, "sockhash", "4.18" },
	{ BPF_MAP_TYPE_SK_STORAGE, "sk_storage", "5.2" },
};

static int print_nothing(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	(void)level;
	(void)fmt;
	(void)ap;
	return 0;
}

/* libbpf reports by a global function without an argument: the last warning that names a program or map. */
static char load_warning[256];

static __attribute__((format(printf, 2, 0))) int keep_warning(enum libbpf_print_level level, const char *fmt,
							      va_list ap)
{
	char line[256];

	if (level != LIBBPF_WARN)
		return 0;
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	line[strcspn(line, "\n")] = '\0';
	if (strstr(line, "load failed") || (strstr(line, "map '") && !*load_warning))
		(void)str_copy(load_warning, sizeof(load_warning), str_starts(line, "libbpf: ") ? line + 8 : line);
	return 0;
}

static int explain_failure(int code, struct err *err)
{
	if (code == -EPERM)
		return err_hint(err, err_set(err, code, "cannot load the gate: not permitted to use bpf(2)"),
				"it needs root with CAP_BPF, CAP_NET_ADMIN and CAP_SYS_ADMIN, and no kernel lockdown");
	(void)libbpf_set_print(print_nothing);
	for (size_t i = 0; i < sizeof(needed_programs) / sizeof(needed_programs[0]); i++)
		if (libbpf_probe_bpf_prog_type(needed_programs[i].type, NULL) == 0)
			return err_set(err, -EOPNOTSUPP,
				       "cannot load the gate: this kernel has no BPF programs of type %s (Linux %s)",
				       needed_programs[i].name, needed_programs[i].since);
	for (size_t i = 0; i < sizeof(needed_maps) / sizeof(needed_maps[0]); i++)
		if (libbpf_probe_bpf_map_type(needed_maps[i].type, NULL) == 0)
			return err_set(err, -EOPNOTSUPP,
				       "cannot load the gate: this kernel has no BPF maps of type %s (Linux %s)",
				       needed_maps[i].name, needed_maps[i].since);
	if (access("/sys/kernel/btf/vmlinux", R_OK) < 0)
		return err_set(err, -EOPNOTSUPP,
			       "cannot load the gate: no /sys/kernel/btf/vmlinux (CONFIG_DEBUG_INFO_BTF)");
	errno = -code;
	return err_set(err, code, "cannot load the gate: %m%s%s", *load_warning ? ": " : "", load_warning);
}

/* --- loading --- */

/* Maps are pinned by libbpf while it loads, or taken from their pins. */
static int set_pins(struct gate_skel *skel, const char *bpf_dir, struct err *err)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, skel->obj) {
		char path[GATE_PATH_MAX];
		int r;

		if (bpf_map__is_internal(map)) /* the programs' own constants */
			continue;
		r = gate_map_path(bpf_dir, bpf_map__name(map), path);
		if (r == 0)
			r = bpf_map__set_pin_path(map, path);
		if (r < 0) {
			errno = -r;
			return err_set(err, r, "cannot name the gate's table %s: %m", bpf_map__name(map));
		}
	}
	return 0;
}

/* Empties and removes one folder of pins. */
static void remove_folder(const char *bpf_dir, const char *name)
{
	_cleanup_close_ int fd = open(bpf_dir, O_DIRECTORY | O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		(void)dir_remove_tree_at(fd, name);
}

static int pin_programs(struct gate_skel *skel, const char *dir, struct err *err)
{
	struct bpf_program *prog;

	if (mkdir(dir, 0700) < 0)
		return err_set(err, -errno, "cannot make %s: %m", dir);
	bpf_object__for_each_program(prog, skel->obj) {
		char path[GATE_PATH_MAX];
		int r;

		if (!str_format(path, sizeof(path), "%s/%s", dir, bpf_program__name(prog)))
			return err_set(err, -ENAMETOOLONG, "%s is too long a path", dir);
		r = bpf_obj_pin(bpf_program__fd(prog), path);
		if (r < 0)
			return err_set(err, -errno, "cannot pin %s: %m", path);
	}
	return 0;
}

static int put_lookup(const char *bpf_dir, int prog, uint32_t netns, struct err *err)
{
	_cleanup_close_ int link = open_link(bpf_dir, netns), ns = -1;
	char path[GATE_PATH_MAX];

	if (link >= 0) {
		if (bpf_link_update(link, prog, NULL) < 0)
			return err_set(err, -errno, "cannot replace the gate's look-up program: %m");
		return 0;
	}
	ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (ns < 0)
		return err_set(err, -errno, "cannot open the network namespace: %m");
	link = bpf_link_create(prog, ns, BPF_SK_LOOKUP, NULL);
	if (link < 0)
		return err_set(err, -errno, "cannot attach sk_lookup to the network namespace: %m");
	gate_link_path(bpf_dir, netns, path);
	if (!weakened("gate-pin") && bpf_obj_pin(link, path) < 0)
		return err_set(err, -errno, "cannot pin %s: %m", path);
	return 0;
}

/* True if a folder of tables holds no Vsv. */
static bool no_vsv_in(const char *bpf_dir, const char *folder)
{
	_cleanup_close_ int map = -1;
	char path[GATE_PATH_MAX];
	uint32_t id;

	if (!str_format(path, sizeof(path), "%s/%s/vsv", bpf_dir, folder))
		return false;
	map = gate_obj_get(path);
	return map == -ENOENT || (map >= 0 && gate_map_next(map, NULL, &id) == -ENOENT);
}

/* Pins of other builds: their programs go on where they are attached.  Tables of another layout and their links,
 * once no Vsv stands in them. */
static void sweep(const char *bpf_dir, const char *own_programs)
{
	_cleanup_closedir_ DIR *d = opendir(bpf_dir);
	char own_maps[32], prefix[48], other[64], path[GATE_PATH_MAX];
	struct dirent *e;

	(void)str_format(own_maps, sizeof(own_maps), "maps-%u", GATE_LAYOUT);
	if (!d)
		return;
	while ((e = readdir(d))) {
		unsigned layout;

		if (str_starts(e->d_name, "progs-") && strcmp(e->d_name, own_programs) != 0)
			remove_folder(bpf_dir, e->d_name);
		if (sscanf(e->d_name, "lookup-%u-", &layout) != 1 || layout == GATE_LAYOUT)
			continue;
		(void)str_format(other, sizeof(other), "maps-%u", layout);
		if (no_vsv_in(bpf_dir, other) && str_format(path, sizeof(path), "%s/%s", bpf_dir, e->d_name))
			(void)unlink(path);
	}
	rewinddir(d);
	while ((e = readdir(d))) {
		(void)str_format(prefix, sizeof(prefix), "%.40s", e->d_name);
		if (str_starts(prefix, "maps-") && strcmp(prefix, own_maps) != 0 && no_vsv_in(bpf_dir, prefix))
			remove_folder(bpf_dir, prefix);
	}
}

/* set_weak: see gate_weak.h. */
static void set_weak(struct gate_skel *skel)
{
#ifdef VNAS_WEAKEN
	static const char *const places[] = {
#define PLACE(name, text) [GATE_WEAK_##name] = text,
		GATE_WEAK_PLACES(PLACE)
#undef PLACE
	};

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
		if (places[i] && weakened(places[i]))
			skel->rodata->gate_weak_at = (uint32_t)i;
#else
	(void)skel;
#endif
}

int gate_reading = GATE_READING_ASK;

int gate_reads_kernel(void)
{
	if (gate_reading != GATE_READING_ASK)
		return gate_reading;
	if (weakened("gate-reading"))
		return 0;
	return libbpf_probe_bpf_helper(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_FUNC_probe_read_kernel, NULL);
}

/* set_reading: programs that do not look where they could, because the question failed, would leave open what nobody reports. */
static int set_reading(struct gate_skel *skel, struct err *err)
{
	int r = gate_reads_kernel();

	if (r < 0) {
		errno = -r;
		return err_set(err, r, "cannot load the gate: whether this kernel lets it read its memory cannot be told: %m");
	}
	skel->rodata->gate_reads_kernel = r > 0;
	return 0;
}

/* load: bpf_dir NULL: nothing is pinned. */
static int load(const char *bpf_dir, struct gate_skel **ret, struct err *err)
{
	libbpf_print_fn_t before;
	struct gate_skel *skel;
	int r;

	*load_warning = '\0';
	before = libbpf_set_print(keep_warning);
	skel = gate_skel__open();
	if (!skel) {
		r = err_set(err, -errno, "cannot open the gate's programs: %m");
		goto out;
	}
	r = set_reading(skel, err);
	if (r == 0 && bpf_dir)
		r = set_pins(skel, bpf_dir, err);
	if (r < 0)
		goto out;
	set_weak(skel);
	r = gate_skel__load(skel);
	if (r < 0) {
		r = explain_failure(r, err);
		goto out;
	}
	*ret = skel;
	skel = NULL;
out:
	gate_skel__destroy(skel);
	(void)libbpf_set_print(before);
	return r;
}

int gate_try(struct err *err)
{
	struct gate_skel *skel = NULL;
	int r = load(NULL, &skel, err);

	gate_skel__destroy(skel);
	return r;
}

static void skel_free(struct gate_skel **skel)
{
	gate_skel__destroy(*skel);
}

static int load_and_pin(const char *bpf_dir, uint32_t netns, struct err *err)
{
	_cleanup_(skel_free) struct gate_skel *skel = NULL;
	char final[GATE_PATH_MAX], making[GATE_PATH_MAX];
	const char *name;
	int r;

	r = gate_program_path(bpf_dir, "", final);
	if (r < 0 || !str_format(making, sizeof(making), "%s/progs-new", bpf_dir))
		return err_set(err, -ENAMETOOLONG, "%s is too long a path", bpf_dir);
	final[strlen(final) - 1] = '\0';
	name = strrchr(final, '/') + 1;
	r = load(bpf_dir, &skel, err);
	if (r < 0)
		return r;
	remove_folder(bpf_dir, "progs-new");
	r = pin_programs(skel, making, err);
	if (r == 0)
		r = put_lookup(bpf_dir, bpf_program__fd(skel->progs.gate_lookup), netns, err);
	if (r < 0)
		return r;
	remove_folder(bpf_dir, name);
	if (rename(making, final) < 0)
		return err_set(err, -errno, "cannot rename %s to %s: %m", making, final);
	sweep(bpf_dir, name);
	return 0;
}

int gate_ensure(const char *bpf_dir, struct err *err)
{
	_cleanup_close_ int lock = -1, prog = -1;
	char path[GATE_PATH_MAX];
	uint32_t netns = 0;
	int r = netns_number(&netns, err);

	if (r < 0)
		return r;
	r = is_up(bpf_dir, netns, err);
	if (r != 0)
		return r < 0 ? r : 0;
	r = mount_bpffs(bpf_dir, err);
	if (r == 0)
		r = lock = gate_lock(bpf_dir, err);
	if (r >= 0)
		r = is_up(bpf_dir, netns, err);
	if (r != 0)
		return r < 0 ? r : 0;
	/* The programs are there, but this network namespace has no link yet. */
	if (gate_program_path(bpf_dir, LOOKUP_PROGRAM, path) == 0)
		prog = gate_obj_get(path);
	if (prog >= 0)
		return put_lookup(bpf_dir, prog, netns, err);
	return load_and_pin(bpf_dir, netns, err);
}

int gate_unload(const char *bpf_dir, struct err *err)
{
	_cleanup_close_ int lock = -1;
	struct dirent *e;
	int r = is_bpffs(bpf_dir, err);
	DIR *d;

	if (r <= 0)
		return r;
	lock = gate_lock(bpf_dir, err);
	if (lock < 0)
		return lock;
	d = opendir(bpf_dir);
	while (d && (e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			(void)dir_remove_tree_at(dirfd(d), e->d_name);
	if (d)
		(void)closedir(d);
	if (umount2(bpf_dir, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL)
		return err_set(err, -errno, "cannot unmount %s: %m", bpf_dir);
	return 0;
}
