/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel must be able to do, and which programs and packages must be installed.  Each question costs
 * microseconds when the answer is yes. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/process.h"
#include "lib/str.h"
#include "lib/sys.h"
#include "psv/cgroup_layout.h"
#include "psv/conf.h"
#include "psv/feature.h"
#include "psv/packages.h"
#include "psv/preflight_private.h"
#include "psv/psv.h"
#include "psv/template.h"
#include "service/samba.h"
#include "service/service.h"

enum { KERNEL_MAJOR = 6, KERNEL_MINOR = 1 };

static void check_version(struct preflight_run *run)
{
	unsigned major = 0, minor = 0;
	struct utsname u;

	if (uname(&u) < 0 || sscanf(u.release, "%u.%u", &major, &minor) != 2)
		return;
	if (major > KERNEL_MAJOR || (major == KERNEL_MAJOR && minor >= KERNEL_MINOR))
		return;
	preflight_hint(preflight_obstacle(run, VNAS_EXIT_FAILED, "the kernel is Linux %s: %d.%d or later is needed", u.release,
					  KERNEL_MAJOR, KERNEL_MINOR),
		       "boot a newer kernel");
}

static void check_filesystem(struct preflight_run *run, const char *type)
{
	/* Anything but "no such file system" (not permitted, say) is told better by who uses it. */
	if (feature_filesystem(type) == 0)
		preflight_hint(preflight_obstacle(run, VNAS_EXIT_FAILED, "the kernel has no %s file system", type), "modprobe %s",
			       type);
}

static void check_loop(struct preflight_run *run)
{
	if (feature_has(FEATURE_LOOP) == 0)
		preflight_hint(preflight_obstacle(run, VNAS_EXIT_FAILED, "the kernel has no loop devices"), "modprobe loop");
}

/* The newest of the program types that the gate needs.  A gate that is loaded has shown it. */
static void check_bpf(struct preflight_run *run)
{
	char pinned[PATH_MAX];

	if (run->psv && str_format(pinned, sizeof(pinned), "%s/bpf/addresses", run->psv->run) && access(pinned, F_OK) == 0)
		return;
	if (feature_has(FEATURE_SK_LOOKUP) != 0)
		return;
	preflight_hint(preflight_obstacle(run, VNAS_EXIT_NOT_ENFORCEABLE, "the kernel cannot load the gate (BPF sk_lookup)"),
		       "a kernel with CONFIG_BPF_SYSCALL and CONFIG_CGROUP_BPF is needed");
}

static void check_landlock(struct preflight_run *run)
{
	if (feature_has(FEATURE_LANDLOCK_SCOPES) == 0)
		preflight_hint(preflight_warning(run, "the kernel cannot keep a server in the shared stack from the Psv's abstract "
						      "unix sockets (Landlock %d)", feature_landlock_abi()),
			       "Linux 6.12 or later does; so does stack = private");
}

static void check_controllers(struct preflight_run *run, const struct cgroup_layout *l)
{
	for (size_t i = 0; i < CGROUP_CONTROLLERS; i++)
		if (i != CGROUP_CPUSET && !l->in_v2[i] && !l->v1[i][0]) /* whose limits want that one is told at its start */
			preflight_hint(preflight_warning(run, "nothing limits or shares out %s here: there is no such controller",
							 cgroup_controller_names[i]),
				       "see cgroup_disable= and cgroup_enable= on the kernel's command line");
}

/* It takes away routes and rules that it did not make, whenever it is restarted. */
static void check_networkd(struct preflight_run *run)
{
	if (access("/run/systemd/netif/state", F_OK) == 0)
		preflight_hint(preflight_warning(run, "systemd-networkd runs: unless told otherwise it removes the servers' routes "
						      "and rules when it restarts (they come back within a second)"),
			       "in /etc/systemd/networkd.conf, [Network]: ManageForeignRoutes=no, ManageForeignRoutingPolicyRules=no");
}

int preflight_kernel(struct preflight_run *run, struct err *err)
{
	struct cgroup_layout l;
	struct err why = { 0 };

	(void)err;
	check_version(run);
	if (cgroup_layout(&l, &why) < 0)
		preflight_hint(preflight_obstacle(run, VNAS_EXIT_FAILED, "%s", why.text), "%s", why.hint);
	else if (run->opts->optional)
		check_controllers(run, &l);
	check_bpf(run);
	check_filesystem(run, "erofs");
	check_filesystem(run, "overlay");
	check_loop(run);
	if (run->opts->optional) {
		check_landlock(run);
		check_networkd(run);
	}
	for (size_t i = 0; run->conf && i < run->conf->n_volumes; i++) {
		enum conf_fs fs = run->conf->volumes[i].fs;
		bool seen = false;

		for (size_t j = 0; j < i; j++)
			seen |= run->conf->volumes[j].fs == fs;
		if (!seen)
			check_filesystem(run, conf_fs_name(fs));
	}
	return 0;
}

/* Programs, and the Debian packages that they come in. */
enum need { NEED_ALWAYS, NEED_CREATE, NEED_TEMPLATE };

static const struct program {
	const char *name, *package;
	enum need when;
	bool for_fs;     /* only for volumes of fs */
	enum conf_fs fs;
} programs[] = {
	{ .name = "fsck.ext4", .package = "e2fsprogs", .for_fs = true, .fs = CONF_FS_EXT4 },
	{ .name = "mkfs.ext4", .package = "e2fsprogs", .when = NEED_CREATE, .for_fs = true, .fs = CONF_FS_EXT4 },
	{ .name = "xfs_repair", .package = "xfsprogs", .for_fs = true, .fs = CONF_FS_XFS },
	{ .name = "mkfs.xfs", .package = "xfsprogs", .when = NEED_CREATE, .for_fs = true, .fs = CONF_FS_XFS },
	{ .name = "mkfs.erofs", .package = "erofs-utils", .when = NEED_TEMPLATE },
};

static bool is_needed(const struct preflight_run *run, const struct program *p)
{
	if ((p->when == NEED_CREATE && !run->opts->create) || (p->when == NEED_TEMPLATE && !run->opts->build_template))
		return false;
	if (!p->for_fs)
		return true;
	for (size_t i = 0; run->conf && i < run->conf->n_volumes; i++)
		if (run->conf->volumes[i].fs == p->fs)
			return true;
	return false;
}

static void name_missing(struct preflight_run *run, const char *what, const struct strlist *missing,
			 const struct strlist *packages)
{
	_cleanup_strbuf_ struct strbuf names = { 0 }, install = { 0 };

	if (!missing->n)
		return;
	for (size_t i = 0; i < missing->n; i++)
		strbuf_addf(&names, "%s%s", i ? ", " : "", missing->v[i]);
	for (size_t i = 0; i < packages->n; i++)
		strbuf_addf(&install, " %s", packages->v[i]);
	preflight_hint(preflight_obstacle(run, VNAS_EXIT_FAILED, "%s not installed: %s", what, strbuf_str(&names)),
		       "apt-get install%s", strbuf_str(&install));
}

int preflight_programs(struct preflight_run *run, struct err *err)
{
	_cleanup_strlist_ struct strlist missing = { 0 }, packages = { 0 };

	(void)err;
	for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++) {
		const struct program *p = &programs[i];

		if (!is_needed(run, p) || program_find(p->name, NULL, 0))
			continue;
		strlist_add(&missing, p->name);
		if (!strlist_has(&packages, p->package))
			strlist_add(&packages, p->package);
	}
	name_missing(run, missing.n == 1 ? "a program is" : "programs are", &missing, &packages);
	return 0;
}

int preflight_timezone(struct preflight_run *run, struct err *err)
{
	const char *zone = run->conf->timezone;
	char path[PATH_MAX];

	(void)err;
	/* A template is made of this folder; a zone that is missing there is UTC to all programs. */
	if (strcmp(zone, "Etc/UTC") == 0 || !str_format(path, sizeof(path), "/usr/share/zoneinfo/%s", zone) ||
	    access(path, F_OK) == 0)
		return 0;
	preflight_hint(preflight_obstacle(run, VNAS_EXIT_FAILED, "there is no time zone %s", zone),
		       "set another 'timezone' in [server]: ls /usr/share/zoneinfo, of the package tzdata, shows them");
	return 0;
}

/* What only smb.conf as a whole shows: names that its character set does not have. */
int preflight_smb_conf(struct preflight_run *run, struct err *err)
{
	_cleanup_strbuf_ struct strbuf text = { 0 };
	struct err why = { 0 };

	(void)err;
	if (run->conf->smb_enabled && samba_conf_text(run->conf, &text, &why) < 0)
		preflight_hint(preflight_obstacle(run, VNAS_EXIT_FAILED, "%s", why.text), "vnas edit %s", run->name);
	return 0;
}

#if defined(__x86_64__)
#define DEBIAN_ARCH "amd64"
#elif defined(__aarch64__)
#define DEBIAN_ARCH "arm64"
#else
#define DEBIAN_ARCH "riscv64"
#endif

bool package_installed(const char *package)
{
	char path[256];
	glob_t g;
	bool found;

	if (!str_format(path, sizeof(path), "/var/lib/dpkg/info/%s.list", package))
		return false;
	if (access(path, F_OK) == 0)
		return true;
	/* Of the architectures that a machine can have together: this program's own first, because the folder has thousands of names. */
	(void)str_format(path, sizeof(path), "/var/lib/dpkg/info/%s:" DEBIAN_ARCH ".list", package);
	if (access(path, F_OK) == 0)
		return true;
	(void)str_format(path, sizeof(path), "/var/lib/dpkg/info/%s:*.list", package);
	found = glob(path, GLOB_NOSORT, NULL, &g) == 0;
	globfree(&g);
	return found;
}

int preflight_packages(struct preflight_run *run, struct err *err)
{
	_cleanup_strlist_ struct strlist missing = { 0 };

	(void)err;
	for (const struct service *const *s = run->services; s && *s; s++) {
		/* A template that was chosen by name has what it has; another one may be without what is optional. */
		if ((*s)->configured || (*s)->optional ? run->conf->template_name != NULL : !run->opts->build_template)
			continue;
		for (const char *const *p = (*s)->packages; p && *p; p++)
			if (!strlist_has(&missing, *p) && !package_installed(*p))
				strlist_add(&missing, *p);
	}
	name_missing(run, missing.n == 1 ? "a package is" : "packages are", &missing, &missing);
	return 0;
}

int preflight_services(struct preflight_run *run, struct err *err)
{
	_cleanup_strlist_ struct strlist extra = { 0 };

	(void)err;
	if (run->conf->template_name)
		return 0;
	service_packages(run->conf, &extra);
	for (const struct service *const *s = run->services; s && *s; s++) {
		_cleanup_strlist_ struct strlist words = { 0 };
		_cleanup_free_ char *package = NULL;
		struct preflight_problem *p;

		if (!(*s)->configured)
			continue;
		service_argv(*s, run->conf, &words);
		if (!template_misses(run->psv, &extra, words.v[0], &package))
			continue;
		p = preflight_obstacle(run, VNAS_EXIT_FAILED, "service %s: %s is in no package that the server's template is made of",
				       (*s)->name, words.v[0]);
		if (package)
			preflight_hint(p, "package = %s, in its section", package);
		else
			preflight_hint(p, "install the package that has it, and name it with 'package = ' in its section");
	}
	return 0;
}
