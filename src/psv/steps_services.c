/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The step that starts the services.  What is there inside is asked by a process of PID 1's, and what must be done before is done by as few
 * programs as can be: each takes longer than most of the other steps. */
#include "psv/steps.h"

#include <errno.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "psv/directory_inside.h"
#include "psv/inside.h"
#include "psv/inside_look.h"
#include "psv/inside_run.h"
#include "psv/lifecycle.h"
#include "psv/nfs_inside.h"
#include "psv/samba_identity.h"
#include "psv/samba_policy.h"
#include "psv/service_run.h"
#include "psv/share.h"
#include "psv/resources.h"
#include "psv/walk.h"
#include "service/samba.h"
#include "service/service.h"

void services_describe(const struct walk *w, struct strlist *ret)
{
	_cleanup_service_set_ struct service_set set = { 0 };

	service_set_of(services, &w->conf, &set);
	for (size_t i = 0; i < set.n; i++)
		strlist_addf(ret, "services: start %s and wait until it answers", set.v[i]->name);
}

/* samba_waits: smbd whose accounts lie in a directory ends until that answers; PID 1 starts it again and again. */
static bool samba_waits(const struct walk *w)
{
	return w->degraded && w->conf.directory.samba_accounts;
}

/* directory_up: nobody who waits for a directory server keeps a Vsv from starting. */
static int directory_up(struct walk *w, const struct inside_ref *ref, struct err *err)
{
	struct err why = { 0 };
	int r = directory_wait(&w->conf, ref, err);

	if (r > 0)
		walk_notice(w, "its directory service is not ready yet");
	if (r >= 0 && directory_health(&w->conf, ref, &why) != 0) {
		w->degraded = true;
		walk_notice(w, "degraded: its directory: %s", why.text);
	}
	return r < 0 ? r : 0;
}

/* begin_services: those that need the folders of the shares, or the others. */
static int begin_services(const struct walk *w, const struct service_host *host, const struct service_set *set,
			  bool need_folders, struct err *err)
{
	for (size_t i = 0; i < set->n; i++) {
		int r = set->v[i]->needs_folders == need_folders ? service_begin(host, &w->conf, set->v[i], err) : 0;

		if (r < 0)
			return err_wrap(err, r, "service %s", set->v[i]->name);
	}
	return 0;
}

/* prepare_nfs: one look for all that NFS needs and for the folders of the shares, without which Ganesha is not begun. */
static int prepare_nfs(const struct walk *w, const struct inside_ref *ref, struct inside_found *ret, struct err *err)
{
	_cleanup_strlist_ struct strlist wanted = { 0 };
	int r;

	nfs_wants(&w->conf, &wanted);
	share_wants(&w->conf, &wanted);
	r = inside_look(ref, &wanted, ret, err);
	return r < 0 ? r : nfs_prepare(&w->conf, ref, &ret->missing, err);
}

int services_up(struct walk *w, struct err *err)
{
	_cleanup_service_set_ struct service_set set = { 0 };
	_cleanup_found_ struct inside_found found = { 0 };
	const bool nfs = conf_serves_nfs(&w->conf);
	const struct inside_ref ref = inside_ref(w->st.init_pid, w->st.init_start);
	struct service_host host = { .server = w->name, .ref = &ref, .net_fd = w->net_fd };
	int r = 0;

	w->conn = inside_connect(w->st.init_pid, w->st.init_start, err);
	if (w->conn < 0)
		return w->conn;
	host.conn = w->conn;
	if (w->conf.smb_enabled)
		samba_identity_keep(w->psv, &w->conf, &ref, w->opts->notice);
	r = directory_prepare(&w->conf, &ref, err);
	if (r < 0)
		return err_wrap(err, r, "directory");
	r = nfs ? prepare_nfs(w, &ref, &found, err) : 0;
	if (r < 0)
		return err_wrap(err, r, "NFS");
	if (w->conf.smb_enabled && samba_policy_apply(w->psv, &w->conf, &ref, err) < 0) {
		walk_notice(w, "the rules for passwords are not set: %s", err->text);
		err_clear(err);
	}
	service_set_of(services, &w->conf, &set);
	r = begin_services(w, &host, &set, false, err);
	if (r < 0)
		return r;
	r = directory_up(w, &ref, err);
	if (r < 0)
		return err_wrap(err, r, "directory");
	/* While they come up. */
	share_folders(&w->conf, &ref, nfs ? &found.missing : NULL, w->opts->notice);
	if (nfs)
		nfs_write_devices(&w->conf, &ref);
	r = begin_services(w, &host, &set, true, err);
	share_astray(&w->conf, &ref, w->opts->notice);
	for (size_t i = 0; r == 0 && i < set.n; i++) {
		if (set.v[i] == &samba_service && samba_waits(w))
			continue;
		r = service_await(&host, &w->conf, set.v[i], err);
		if (r < 0)
			(void)err_wrap(err, r, "service %s", set.v[i]->name);
	}
	return r;
}

int services_down(struct walk *w, struct err *err)
{
	_cleanup_close_ int conn = -1;
	int r;

	cleanup_close(&w->conn);
	w->conn = -1;
	/* With the last process the file systems go, and what they have left to write with them: at full speed. */
	(void)resources_down(w, NULL);
	if (w->st.init_pid == 0)
		return 0;
	conn = inside_connect(w->st.init_pid, w->st.init_start, err);
	if (conn == -ESRCH)
		return 0;
	r = conn < 0 ? conn : inside_stop(conn, w->st.init_pid, w->st.init_start, w->stop_timeout_ms, err);
	/* What does not listen any more is killed by the next step. */
	if (r < 0)
		err_clear(err);
	return 0;
}
