/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psv/change.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "gate/gate.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/netns.h"
#include "psv/attach.h"
#include "psv/cgroup.h"
#include "psv/cgroup_disk.h"
#include "psv/cgroup_layout.h"
#include "psv/inside.h"
#include "psv/inside_run.h"
#include "psv/lifecycle.h"
#include "psv/link.h"
#include "psv/net.h"
#include "psv/nfs_inside.h"
#include "psv/preflight.h"
#include "psv/running.h"
#include "psv/samba_policy.h"
#include "psv/share.h"
#include "psv/resources.h"
#include "psv/service_run.h"
#include "psv/walk.h"
#include "service/ganesha.h"
#include "service/service.h"

enum { LOCK_WAIT_MS = 120 * 1000 };

/* From what runs (old) to what NAME.conf asks for (w.conf). */
struct reload {
	struct walk w;
	struct conf old;
	char *old_text;
	const struct change_opts *opts;
	struct conf tried; /* what a change that failed was to lead to: how far it came, the state says */
	bool back;         /* from there */
	bool told;         /* services may have been told (back: of tried) */
};

/* from: what services may have been told. */
static const struct conf *from(const struct reload *l)
{
	return l->back && l->told ? &l->tried : &l->old;
}

static bool same_address(const struct conf_address *a, const struct conf_address *b)
{
	return ipaddr_equal(&a->addr, &b->addr) && a->prefix == b->prefix && strcmp(a->interface, b->interface) == 0;
}

static bool has_address(const struct conf *c, const struct conf_address *a)
{
	for (size_t i = 0; i < c->n_addresses; i++)
		if (same_address(&c->addresses[i], a))
			return true;
	return false;
}

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_list(const struct strlist *a, const struct strlist *b)
{
	for (size_t i = 0; i < a->n && a->n == b->n; i++)
		if (strcmp(a->v[i], b->v[i]) != 0)
			return false;
	return a->n == b->n;
}

static void need_restart(const struct reload *l, bool changed, const char *what)
{
	if (changed && l->opts->ret_restart)
		strlist_add(l->opts->ret_restart, what);
}

static bool lists_differ(const struct strlist *a, const struct strlist *b)
{
	for (size_t i = 0; i < a->n && i < b->n; i++)
		if (strcmp(a->v[i], b->v[i]) != 0)
			return true;
	return a->n != b->n;
}

static bool directory_differs(const struct conf_directory *a, const struct conf_directory *b)
{
	return a->type != b->type || lists_differ(&a->uris, &b->uris) || !same(a->base, b->base) ||
	       a->starttls != b->starttls || !same(a->ca, b->ca) || !same(a->bind_dn, b->bind_dn) ||
	       !same(a->secret_file, b->secret_file) || a->samba_accounts != b->samba_accounts ||
	       !same(a->domain, b->domain) || lists_differ(&a->servers, &b->servers) || !same(a->realm, b->realm) ||
	       a->idmap_rid != b->idmap_rid || a->idmap.low != b->idmap.low || a->idmap.high != b->idmap.high;
}

static bool nfs_differs(const struct conf *a, const struct conf *b)
{
	const struct conf_nfs *x = &a->nfs, *y = &b->nfs;

	return x->versions != y->versions || x->lease_s != y->lease_s || x->grace_s != y->grace_s ||
	       x->numeric_owners != y->numeric_owners || x->mountd_port != y->mountd_port || x->lockd_port != y->lockd_port ||
	       x->statd_port != y->statd_port || !same(conf_nfs_domain(a), conf_nfs_domain(b)) || ganesha_uses_krb5(a) != ganesha_uses_krb5(b);
}

/* is_apart_otherwise: a private stack with a peer is joined to its network in another way than one without (link.c). */
static bool is_apart_otherwise(const struct reload *l)
{
	enum conf_link kind = l->w.st.link.kind;

	return (kind == CONF_LINK_MACVLAN || kind == CONF_LINK_IPVLAN || kind == CONF_LINK_VETH) &&
	       !l->old.peers.n != !l->w.conf.peers.n;
}

static void find_restarts(const struct reload *l)
{
	const struct conf *a = &l->old, *b = &l->w.conf;

	need_restart(l, !same(a->hostname, b->hostname), "[server] hostname");
	need_restart(l, !same(a->netbios_name, b->netbios_name), "[server] netbios name");
	need_restart(l, !same(a->workgroup, b->workgroup), "[server] workgroup");
	need_restart(l, !same_list(&a->aliases, &b->aliases), "[server] alias");
	need_restart(l, !same(a->timezone, b->timezone), "[server] timezone");
	need_restart(l, a->discovery != b->discovery, "[server] discovery");
	need_restart(l, a->stack != b->stack, "[server] stack");
	need_restart(l, !same(a->interface, b->interface), "[server] interface");
	need_restart(l, a->link != b->link, "[server] link");
	need_restart(l, a->vlan != b->vlan, "[server] vlan");
	need_restart(l, !same(a->mac, b->mac), "[server] mac");
	need_restart(l, a->mtu != b->mtu, "[server] mtu");
	need_restart(l, is_apart_otherwise(l), "[server] peer");
	need_restart(l, !same(a->template_name, b->template_name), "[server] template");
	need_restart(l, a->limits.files != b->limits.files, "[limits] files");
	need_restart(l, !a->limits.cpus[0] && b->limits.cpus[0] && cgroup_is_v1(CGROUP_CPUSET), "[limits] cpus");
	need_restart(l, !a->limits.disk_weight != !b->limits.disk_weight && cgroup_disk_is_v1(), "[limits] disk weight");
	need_restart(l, a->smb_enabled != b->smb_enabled, "[smb] enabled");
	need_restart(l, conf_serves_nfs(a) && conf_serves_nfs(b) && nfs_differs(a, b), "[nfs]");
	need_restart(l, directory_differs(&a->directory, &b->directory), "[directory]");
	for (size_t i = 0; i < b->n_volumes; i++) {
		const struct conf_volume *was = conf_volume_find(a, b->volumes[i].name);
		_cleanup_free_ char *what = xasprintf("[volume %s]", b->volumes[i].name);

		need_restart(l, was && (!same(was->mount, b->volumes[i].mount) || !same(was->device, b->volumes[i].device)),
			     what);
	}
}

/* Of a private stack it is the only one in its network. */
static int find_interface(const struct walk *w, struct state_address *a, struct err *err)
{
	struct netns_visit visit _cleanup_netns_ = NETNS_HOME;
	struct link_info l;
	int r;

	if (w->st.link.kind == CONF_LINK_AUTO)
		return net_find_interface(&a->a, &a->ifindex, err);
	r = netns_enter(w->net_fd, &visit, err);
	if (r == 0)
		r = link_get(LINK_INSIDE, &l, err);
	if (r == 0)
		a->ifindex = l.ifindex;
	return r;
}

static bool in_state(const struct state *st, const struct conf_address *a)
{
	for (size_t i = 0; i < st->n_addresses; i++)
		if (same_address(&st->addresses[i].a, a))
			return true;
	return false;
}

/* The new addresses, asked for on the network and written into the state before they go on. */
static int add_addresses(struct reload *l, struct err *err)
{
	struct walk *w = &l->w;

	for (size_t i = 0; i < w->conf.n_addresses; i++) {
		const struct conf_address *a = &w->conf.addresses[i];
		struct state_address new = { .a = *a };
		int r;

		if (in_state(&w->st, a))
			continue;
		r = find_interface(w, &new, err);
		if (r == 0 && !l->opts->no_probe)
			r = walk_probe(w, &new, 1, err);
		if (r < 0)
			return r;
		w->st.addresses = xrealloc(w->st.addresses, w->st.n_addresses + 1, sizeof(*w->st.addresses));
		w->st.addresses[w->st.n_addresses++] = new;
	}
	return state_write(w->psv, w->name, &w->st, err);
}

static int assert_addresses(struct reload *l, struct err *err)
{
	struct walk *w = &l->w;

	for (size_t i = 0; i < w->st.n_addresses; i++) {
		struct state_address *a = &w->st.addresses[i];
		int r;

		if (!has_address(&w->conf, &a->a))
			continue;
		r = walk_address_up(w, a, err);
		if (r > 0)
			r = walk_announce(w, a, 1, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int remove_addresses(struct reload *l, struct err *err)
{
	struct walk *w = &l->w;
	size_t kept = 0;

	for (size_t i = 0; i < w->st.n_addresses; i++) {
		struct state_address *a = &w->st.addresses[i];
		int r;

		if (has_address(&w->conf, &a->a)) {
			w->st.addresses[kept++] = *a;
			continue;
		}
		/* The gate has let nothing new in since it was set. */
		walk_end_sockets(w, a, 1, false);
		r = walk_address_down(w, a, err);
		if (r < 0)
			return r;
	}
	w->st.n_addresses = kept;
	return state_write(w->psv, w->name, &w->st, err);
}

static int reload_services(struct reload *l, struct err *err)
{
	struct walk *w = &l->w;
	const struct inside_ref ref = inside_ref(w->st.init_pid, w->st.init_start);
	struct service_host host = { .server = w->name, .ref = &ref, .net_fd = w->net_fd };
	_cleanup_close_ int conf_fd = inside_conf_fd(w->st.init_pid, w->st.init_start, err);
	_cleanup_close_ int conn = -1;
	int r = conf_fd < 0 ? conf_fd : root_generate(&w->conf, conf_fd, err);

	if (r < 0)
		return r;
	conn = inside_connect(w->st.init_pid, w->st.init_start, err);
	if (conn < 0)
		return conn;
	for (size_t i = 0; services[i]; i++) {
		if (!services[i]->wanted(&w->conf) || !services[i]->wanted(&l->old) || !services[i]->reload_signal)
			continue;
		r = inside_service_act(conn, services[i]->name, INSIDE_RELOAD, err);
		if (r < 0)
			return err_wrap(err, r, "service %s", services[i]->name);
	}
	host.conn = conn;
	r = nfs_prepare_change(&l->old, &w->conf, &ref, err);
	return r < 0 ? r : service_change(&host, from(l), &w->conf, l->opts->ret_restart, err);
}

static const struct ipaddr *first_of(const struct conf *c, int family)
{
	for (size_t i = 0; i < c->n_addresses; i++)
		if (c->addresses[i].addr.family == family)
			return &c->addresses[i].addr;
	return NULL;
}

/* first_went: a wildcard listener stands on the first address of its family (gate.h), so it has ended with it. */
static bool first_went(const struct reload *l)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (size_t f = 0; f < 2; f++) {
		const struct ipaddr *was = first_of(from(l), families[f]);
		bool there = !was;

		for (size_t i = 0; !there && i < l->w.conf.n_addresses; i++)
			there = ipaddr_equal(&l->w.conf.addresses[i].addr, was);
		if (!there)
			return true;
	}
	return false;
}

/* restart_some: last, when the addresses are what the configuration says.  everything: services do not notice that their listeners
 * are gone; else those that are told in vain.  Who does not come back does not undo the change: the root inside can see to that. */
static void restart_some(const struct reload *l, bool everything)
{
	const struct walk *w = &l->w;
	const struct inside_ref ref = inside_ref(w->st.init_pid, w->st.init_start);
	struct service_host host = { .server = w->name, .ref = &ref, .net_fd = w->net_fd };
	struct err why = { 0 };
	_cleanup_close_ int conn = inside_connect(w->st.init_pid, w->st.init_start, &why);
	int r = conn;

	host.conn = conn;
	if (r >= 0 && everything)
		r = service_restart_all(&host, &w->conf, &why);
	for (size_t i = 0; r >= 0 && !everything && services[i]; i++) {
		const struct service *s = services[i];

		if (s->outdated && s->wanted(&w->conf) && s->wanted(&l->old) && s->outdated(from(l), &w->conf))
			r = service_restart(&host, &w->conf, s, &why);
	}
	if (r < 0)
		walk_notice(w, "%s; until it answers, it may serve as before", why.text);
}

static int reload_accounts(const struct walk *w, struct err *err)
{
	const struct inside_ref ref = inside_ref(w->st.init_pid, w->st.init_start);

	return samba_policy_apply(w->psv, &w->conf, &ref, err);
}

/* What an edited file has more than the verbs made: nothing of it makes a reload fail. */
static void reload_folders(const struct reload *l)
{
	const struct inside_ref ref = inside_ref(l->w.st.init_pid, l->w.st.init_start);

	share_folders(&l->w.conf, &ref, NULL, l->opts->notice);
	share_astray(&l->w.conf, &ref, l->opts->notice);
}

static int reload_all(struct reload *l, struct err *err)
{
	struct walk *w = &l->w;
	struct gate_config gate;
	char dir[PATH_MAX];
	int r;

	r = gate_serves(walk_bpf_dir(w->psv, dir, sizeof(dir)), w->st.id, err);
	if (r < 0)
		return r;
	find_restarts(l);
	w->st.log_bytes = cgroup_limits(&w->conf.limits).log_bytes;
	w->st.syslog = w->psv->conf.syslog;
	r = add_addresses(l, err);
	if (r == 0)
		r = attach_changed_volumes(w, &l->old, &l->tried, err);
	/* What does not let go of a volume keeps nothing else from being taken back. */
	if (l->back && r < 0)
		r = 0;
	if (r == 0)
		r = walk_gate_config(w, &gate, err);
	if (r == 0)
		r = w->cgroup_fd = cgroup_up(w->psv, w->name, &w->conf.limits, err);
	if (r >= 0)
		r = resources_up(w, false, err);
	if (r >= 0)
		r = gate_attach_more(walk_bpf_dir(w->psv, dir, sizeof(dir)), w->cgroup_fd, &gate, err);
	if (r == 0)
		r = gate_set(dir, &gate, err);
	if (r == 0)
		r = assert_addresses(l, err);
	/* Ganesha does not export a folder that is not there yet. */
	if (r == 0)
		reload_folders(l);
	if (r == 0) {
		l->told |= !l->back;
		r = reload_services(l, err);
	}
	if (r == 0 && w->conf.smb_enabled && l->old.smb_enabled)
		r = reload_accounts(w, err);
	if (r == 0)
		r = remove_addresses(l, err);
	if (r == 0)
		restart_some(l, w->st.link.kind == CONF_LINK_AUTO && first_went(l));
	return r < 0 ? r : running_conf_write(w->psv, w->name, w->conf_text, err);
}

/* A change that failed, for the one that takes it back. */
struct attempt {
	const char *text;
	bool told;
};

/* text: the configuration to reach, checked already; failed: NULL, or what is taken back; ret: NULL, or how far it came. */
static int reload_to(const struct psv *psv, const char *name, const char *text, const struct attempt *failed, struct attempt *ret,
		     const struct change_opts *opts, struct err *err)
{
	struct start_opts start = { .no_probe = opts->no_probe, .notice = opts->notice };
	struct reload l = { .opts = opts, .back = failed != NULL, .told = failed && failed->told };
	char path[PATH_MAX];
	int r;

	walk_init(&l.w, psv, name, &start);
	r = running_state(psv, name, &l.w.st, err);
	if (r == 0)
		r = walk_net(&l.w, err);
	if (r == 0)
		r = running_conf_read(psv, name, &l.old_text, &l.old, err);
	if (r > 0)
		r = err_set(err, -ENOENT, "the configuration it was started with is gone: stop and start it");
	if (r == 0)
		r = conf_parse(text, strlen(text), psv_conf_path(psv, name, path), name, &l.w.conf, err);
	if (r == 0 && failed)
		r = conf_parse(failed->text, strlen(failed->text), NULL, name, &l.tried, err);
	if (r == 0) {
		l.w.conf_text = xstrdup(text);
		r = reload_all(&l, err);
	}
	if (ret)
		*ret = (struct attempt){ .text = text, .told = l.told };
	conf_free(&l.tried);
	conf_free(&l.old);
	free(l.old_text);
	walk_end(&l.w);
	return r;
}

/* When the old text is at fault already, that is what is said, with its line. */
static int check_old(const struct psv *psv, const char *name, const char *old, struct err *err)
{
	struct conf conf = { 0 };
	char path[PATH_MAX];
	int r = conf_parse(old, strlen(old), psv_conf_path(psv, name, path), name, &conf, err);

	conf_free(&conf);
	return r;
}

/* old NULL: the new text is what somebody wrote as a file. */
static int check_text(const struct psv *psv, const char *name, const char *old, const char *text, struct conf *ret,
		      struct err *err)
{
	char path[PATH_MAX];
	int r = old ? check_old(psv, name, old, err) : 0;

	if (r == 0)
		r = conf_parse(text, strlen(text), old ? NULL : psv_conf_path(psv, name, path), name, ret, err);
	return r < 0 ? r : preflight(psv, name, ret, &(struct preflight_opts){ .services = services }, NULL, err);
}

/* The copy of the configuration that travels with the volumes.  It is the last thing that a change does: an old copy is
 * no reason to take the change back, and the next start writes it again. */
static void relabel(const struct psv *psv, const char *name, const struct conf *conf, const char *text,
		    const struct change_opts *opts)
{
	_cleanup_free_ char *line = NULL;
	struct err why = { 0 };

	if (volume_store_conf(psv, name, &conf->volumes[0], text, &why) == 0 || !opts->notice)
		return;
	line = xasprintf("the copy of the configuration on its volumes is an old one until the next start: %s", why.text);
	opts->notice(line);
}

/* runs: 1, 0 or -errno. */
static int runs(const struct psv *psv, const char *name, struct err *err)
{
	struct state st = { 0 };
	int r = running_state(psv, name, &st, err);

	state_free(&st);
	if (r == -ESRCH)
		err_clear(err);
	return r == 0 ? 1 : r == -ESRCH ? 0 : r;
}

int server_change_locked(const struct psv *psv, const char *name, conf_edit_fn edit, void *arg,
			 const struct change_opts *opts, struct err *err)
{
	_cleanup_free_ char *old = NULL, *text = NULL;
	struct attempt attempt;
	struct conf conf = { 0 };
	struct err ignored;
	int running, r = psv_conf_text(psv, name, &old, NULL, err);

	if (r < 0)
		return r;
	text = edit(old, arg, err);
	if (!text)
		return -EINVAL;
	if (strcmp(text, old) == 0)
		return 0;
	r = check_text(psv, name, opts->whole_text ? NULL : old, text, &conf, err);
	/* Asked before anything is written: one that runs must not keep what its file no longer says. */
	running = r == 0 ? runs(psv, name, err) : r;
	r = running < 0 ? running : psv_conf_write(psv, name, text, err);
	if (r == 0 && running) {
		r = reload_to(psv, name, text, NULL, &attempt, opts, err);
		if (r < 0) {
			(void)psv_conf_write(psv, name, old, &ignored);
			(void)reload_to(psv, name, old, &attempt, NULL, &(struct change_opts){ .no_probe = true }, &ignored);
		}
	}
	if (r == 0)
		relabel(psv, name, &conf, text, opts);
	conf_free(&conf);
	return r;
}

int server_change(const struct psv *psv, const char *name, conf_edit_fn edit, void *arg, const struct change_opts *opts,
		  struct err *err)
{
	_cleanup_close_ int lock = psv_lock(psv, name, opts->verb, LOCK_WAIT_MS, opts->notice, err);
	_cleanup_close_ int registry = -1;

	if (lock < 0)
		return lock;
	registry = psv_lock(psv, NULL, opts->verb, LOCK_WAIT_MS, opts->notice, err);
	return registry < 0 ? registry : server_change_locked(psv, name, edit, arg, opts, err);
}

int server_reload(const struct psv *psv, const char *name, void (*notice)(const char *line),
		  struct strlist *ret_restart, struct err *err)
{
	struct change_opts opts = { .verb = "reload", .notice = notice, .ret_restart = ret_restart };
	_cleanup_close_ int lock = psv_lock(psv, name, "reload", LOCK_WAIT_MS, notice, err);
	_cleanup_free_ char *text = NULL;
	struct conf conf = { 0 };
	int r = lock < 0 ? lock : psv_conf_load(psv, name, &text, NULL, err);

	if (r == 0)
		r = check_text(psv, name, NULL, text, &conf, err);
	if (r == 0)
		r = reload_to(psv, name, text, NULL, NULL, &opts, err);
	if (r == 0)
		relabel(psv, name, &conf, text, &opts);
	conf_free(&conf);
	return r;
}
