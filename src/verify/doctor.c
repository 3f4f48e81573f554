/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "verify/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/process.h"
#include "lib/str.h"
#include "psv/feature.h"
#include "psv/packages.h"
#include "psv/preflight.h"
#include "psv/psv.h"
#include "service/service.h"
#include "verify/rows.h"

enum { NEEDS_MAX = 8, END = -1 };
#define NEEDS(...) { __VA_ARGS__, END }

/* What each row hangs on.  `instead`: what keeps it too, in a private stack, plus one; `shared`: what the shared one never hides, and
 * what that means. */
static const struct {
	int needs[NEEDS_MAX];
	int instead;
	const char *shared;
} rows[VERIFY_ROWS] = {
	[ROW_ADDRESS] = { .needs = NEEDS(FEATURE_BPF, FEATURE_GATE, FEATURE_CGROUP2, FEATURE_CGROUP_INTO) },
	[ROW_SOCKET_KIND] = { .needs = NEEDS(FEATURE_BPF, FEATURE_GATE, FEATURE_SECCOMP_NOTIFY) },
	[ROW_WILDCARD] = { .needs = NEEDS(FEATURE_BPF, FEATURE_SK_LOOKUP, FEATURE_GATE) },
	[ROW_LOOPBACK] = { .needs = NEEDS(FEATURE_BPF, FEATURE_SK_LOOKUP, FEATURE_GATE) },
	[ROW_SOURCE] = { .needs = NEEDS(FEATURE_BPF, FEATURE_GATE, FEATURE_BPF_READ) },
	[ROW_DISCOVERY] = { .needs = NEEDS(FEATURE_BPF, FEATURE_GATE) },
	[ROW_INGRESS] = { .needs = NEEDS(FEATURE_SK_LOOKUP, FEATURE_GATE) },
	[ROW_REACH] = { .needs = NEEDS(FEATURE_BPF, FEATURE_SK_LOOKUP, FEATURE_GATE) },
	[ROW_DENY] = { .needs = NEEDS(FEATURE_BPF, FEATURE_GATE) },
	[ROW_SEE_NETWORK] = { .needs = NEEDS(FEATURE_NETNS), .shared = "in the shared stack they can be seen, not touched" },
	[ROW_PORT_SHARE] = { .needs = NEEDS(FEATURE_BPF, FEATURE_SK_LOOKUP, FEATURE_GATE) },
	[ROW_INTERFACES] = { .needs = NEEDS(FEATURE_SECCOMP_NOTIFY) },
	[ROW_GATE] = { .needs = NEEDS(FEATURE_CGROUP2, FEATURE_BPF, FEATURE_BTF, FEATURE_BPFFS, FEATURE_SK_LOOKUP, FEATURE_GATE) },
	[ROW_DEVICE] = { .needs = NEEDS(FEATURE_BPF, FEATURE_GATE) },
	[ROW_OUTSIDE_FILES] = { .needs = NEEDS(FEATURE_NAMESPACES, FEATURE_DETACHED_MOUNTS, FEATURE_OVERLAY, FEATURE_EROFS,
					       FEATURE_SECCOMP_NOTIFY) },
	[ROW_MOUNT] = { .needs = NEEDS(FEATURE_SECCOMP_NOTIFY) },
	[ROW_SEE_DISKS] = { .needs = NEEDS(FEATURE_PROC_SUBSET) },
	[ROW_SETTINGS] = { .needs = NEEDS(FEATURE_NAMESPACES, FEATURE_DETACHED_MOUNTS) },
	[ROW_PROCESS] = { .needs = NEEDS(FEATURE_NAMESPACES, FEATURE_SECCOMP_NOTIFY, FEATURE_PIDFD) },
	[ROW_EXHAUST] = { .needs = NEEDS(FEATURE_MEMORY, FEATURE_PIDS, FEATURE_CPU, FEATURE_SECCOMP_NOTIFY) },
	[ROW_ABSTRACT] = { .needs = NEEDS(FEATURE_LANDLOCK_SCOPES), .instead = FEATURE_NETNS + 1 },
	[ROW_IPC] = { .needs = NEEDS(FEATURE_NAMESPACES) },
	[ROW_KEYRING] = { .needs = NEEDS(FEATURE_SECCOMP_NOTIFY) },
	[ROW_PROC] = { .needs = NEEDS(FEATURE_PROC_SUBSET) },
	[ROW_MACHINE] = { .needs = NEEDS(FEATURE_SECCOMP_NOTIFY) },
	[ROW_RIGHTS] = { .needs = NEEDS(FEATURE_SECCOMP_NOTIFY) },
	[ROW_NAMESPACE] = { .needs = NEEDS(FEATURE_NAMESPACES, FEATURE_SECCOMP_NOTIFY) },
};

/* Features that no row hangs on: what is not possible, or less good, without them. */
static const enum feature_id others[] = {
	FEATURE_LOOP, FEATURE_EXT4, FEATURE_XFS, FEATURE_IPV6, FEATURE_SOCK_DESTROY, FEATURE_MACVLAN, FEATURE_IPVLAN, FEATURE_VLAN,
	FEATURE_VETH, FEATURE_CAP_RESOURCE, FEATURE_CPU_BOUND, FEATURE_CPUSET, FEATURE_DISK_BOUND, FEATURE_DISK_WEIGHT, FEATURE_RESERVE,
};

/* Packages whose programs run on the physical server itself. */
static const struct {
	const char *package, *text, *means;
} packages[] = {
	{ "erofs-utils", "makes templates", "no template can be made: no server can start" },
	{ "e2fsprogs", "makes and checks ext4 volumes", "no volumes of ext4" },
	{ "xfsprogs", "makes and checks XFS volumes", "no volumes of XFS" },
};

struct doctor {
	int known[FEATURES]; /* what feature_has() said, plus one; 0: not asked yet */
	json_t *list;
	bool open;
};

static int has(struct doctor *d, int id)
{
	int r;

	if (d->known[id] == 0) {
		r = feature_has((enum feature_id)id);
		d->known[id] = r < 0 ? -1 : r + 1;
	}
	return d->known[id] < 0 ? -EIO : d->known[id] - 1;
}

static void add_words(struct strbuf *sb, const char *words)
{
	if (!sb->len || !strstr(strbuf_str(sb), words))
		strbuf_addf(sb, "%s%s", sb->len ? "; " : "", words);
}

static json_t *words_or_null(struct strbuf *sb)
{
	return sb->len ? json_string(strbuf_str(sb)) : json_null();
}

static void add(struct doctor *d, const char *name, char interference, const char *text, const char *needs, const char *state,
		struct strbuf *lacks, struct strbuf *means, struct strbuf *todo)
{
	char kind[2] = { interference, '\0' };

	(void)json_array_append_new(
		d->list, json_pack("{s:s, s:s?, s:s, s:s?, s:s, s:o, s:o, s:o}", "probe", name, "interference",
				   interference ? kind : NULL, "text", text, "needs", needs, "state", state, "missing",
				   words_or_null(lacks), "means", words_or_null(means), "todo", words_or_null(todo)));
}

static void look_at_row(struct doctor *d, enum verify_row_id id)
{
	_cleanup_strbuf_ struct strbuf lacks = { 0 }, means = { 0 }, todo = { 0 };
	const struct verify_row *row = &verify_rows[id];
	bool unknown = false, lacking = false;
	const char *state = "enforceable";

	for (const int *n = rows[id].needs; n < rows[id].needs + NEEDS_MAX && *n != END; n++) {
		const struct feature *f = &features[*n];
		int r = has(d, *n);

		if (r > 0)
			continue;
		unknown |= r < 0;
		lacking |= r == 0;
		add_words(&lacks, f->text);
		add_words(&means, r < 0 ? "it could not be found out whether this machine has it" : f->means);
		add_words(&todo, r < 0 ? "run it as root of the physical server itself" : f->hint);
	}
	if (!lacking && !unknown && rows[id].shared) {
		state = "private";
		add_words(&means, rows[id].shared);
		add_words(&todo, "stack = private, where it matters");
	}
	if (lacking)
		state = rows[id].instead && has(d, rows[id].instead - 1) > 0 ? "private" : "open";
	else if (unknown)
		state = "unknown";
	d->open |= lacking || unknown;
	add(d, row->name, row->interference, row->text, row->needs, state, &lacks, &means, &todo);
}

static void look_at_other(struct doctor *d, enum feature_id id)
{
	_cleanup_strbuf_ struct strbuf lacks = { 0 }, means = { 0 }, todo = { 0 };
	const struct feature *f = &features[id];
	int r = has(d, (int)id);

	if (r == 0) {
		add_words(&lacks, f->text);
		add_words(&means, f->means);
		add_words(&todo, f->hint);
	}
	add(d, f->name, '\0', f->text, NULL, r > 0 ? "there" : r == 0 ? "missing" : "unknown", &lacks, &means, &todo);
}

static void look_at_package(struct doctor *d, size_t i)
{
	_cleanup_strbuf_ struct strbuf lacks = { 0 }, means = { 0 }, todo = { 0 };
	bool there = package_installed(packages[i].package);

	if (!there) {
		strbuf_addf(&lacks, "the package %s", packages[i].package);
		add_words(&means, packages[i].means);
		strbuf_addf(&todo, "apt-get install %s", packages[i].package);
	}
	add(d, packages[i].package, '\0', packages[i].text, NULL, there ? "there" : "missing", &lacks, &means, &todo);
}

/* look_at_service: the packages out of which its part of a template is made. */
static void look_at_service(struct doctor *d, const struct service *s)
{
	_cleanup_strbuf_ struct strbuf lacks = { 0 }, means = { 0 }, todo = { 0 };

	for (const char *const *p = s->packages; p && *p; p++) {
		if (package_installed(*p))
			continue;
		strbuf_addf(&lacks, "%s%s", lacks.len ? ", " : "", *p);
		strbuf_addf(&todo, "%s%s", todo.len ? " " : "apt-get install ", *p);
	}
	if (lacks.len)
		add_words(&means, s->optional ? "a server that has it cannot start" : "no template can be made: no server can start");
	add(d, s->name, '\0', "a service inside", NULL, lacks.len ? "missing" : "there", &lacks, &means, &todo);
}

/* look_at_pools: loop devices go past the page cache only where the file system below does. */
static void look_at_pools(struct doctor *d, const struct psv *psv)
{
	for (size_t i = 0; i < psv->conf.n_pools; i++) {
		_cleanup_strbuf_ struct strbuf lacks = { 0 }, means = { 0 }, todo = { 0 };
		const struct conf_pool *p = &psv->conf.pools[i];
		_cleanup_close_ int fd = -1;
		char name[64];

		if (p->type != CONF_POOL_FILE || !p->path || access(p->path, F_OK) < 0)
			continue;
		fd = open(p->path, O_TMPFILE | O_RDWR | O_DIRECT | O_CLOEXEC, 0600);
		if (fd < 0 && errno != EINVAL)
			continue; /* a file system without nameless files: not to be told this way */
		if (fd < 0) {
			add_words(&lacks, "direct input and output");
			add_words(&means, "what its images hold lies in memory twice");
			add_words(&todo, "put the pool on ext4, XFS or btrfs");
		}
		(void)str_format(name, sizeof(name), "pool %s", p->name);
		add(d, name, '\0', p->path, NULL, fd >= 0 ? "there" : "missing", &lacks, &means, &todo);
	}
}

/* look_at_machine: what would keep every server from its start, and what is only less good, as a start says it. */
static void look_at_machine(struct doctor *d, const struct psv *psv)
{
	struct preflight_opts opts = { .optional = true, .build_template = true, .create = true };
	struct preflight found = { 0 };
	struct err err = { 0 };

	(void)preflight(psv, NULL, NULL, &opts, &found, &err);
	for (size_t i = 0; i < found.n; i++) {
		_cleanup_strbuf_ struct strbuf lacks = { 0 }, means = { 0 }, todo = { 0 };

		add_words(&means, found.v[i].warning ? "less is possible, or less well" : "no server can start");
		if (*found.v[i].hint)
			add_words(&todo, found.v[i].hint);
		add(d, "start", '\0', found.v[i].text, NULL, "missing", &lacks, &means, &todo);
	}
	preflight_free(&found);
}

int doctor_look(const struct psv *psv, json_t **ret, struct err *err)
{
	struct doctor d = { .list = json_array() };

	if (!d.list)
		return err_set(err, -ENOMEM, "no memory");
	for (size_t i = 0; i < VERIFY_ROWS; i++)
		look_at_row(&d, (enum verify_row_id)i);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		look_at_other(&d, others[i]);
	look_at_pools(&d, psv);
	for (size_t i = 0; i < sizeof(packages) / sizeof(*packages); i++)
		look_at_package(&d, i);
	for (const struct service *const *s = services; *s; s++)
		look_at_service(&d, *s);
	look_at_machine(&d, psv);
	*ret = d.list;
	return d.open;
}
