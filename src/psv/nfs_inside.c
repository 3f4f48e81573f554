/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psv/nfs_inside.h"

#include <errno.h>
#include <stddef.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "psv/conf.h"
#include "psv/inside.h"
#include "psv/inside_look.h"
#include "psv/inside_run.h"
#include "service/ganesha.h"

/* rpcbind gives up root's rights for those of this user. */
int nfs_rpc_user(const struct inside_ref *ref, struct err *err)
{
	static const char *const find[] = { "getent", "-s", "files", "passwd", "_rpc", NULL };
	static const char *const make[] = { "useradd", "--system", "--no-create-home", "--home-dir", "/run/rpcbind", "--shell",
					    "/usr/sbin/nologin", "--no-user-group", "--gid", "nogroup", "--", "_rpc", NULL };
	int r = inside_run(ref, find, NULL, NULL, err);

	return r <= 0 ? r : inside_must(ref, make, NULL, err);
}

int nfs_check_keys(const struct conf_share *s, const struct inside_ref *ref, struct err *err)
{
	int r = 0;

	if (!s->nfs || !(s->sec & CONF_SEC_KRB5_ANY))
		return 0;
	r = inside_run(ref, (const char *const[]){ "test", "-s", GANESHA_KEYTAB_INSIDE, NULL }, NULL, NULL, err);
	if (r <= 0)
		return r;
	(void)err_set(err, -ENOKEY, "sec: the server has no keytab for Kerberos");
	return err_hint(err, -ENOKEY, "make it a member of its domain first (vnas directory join), or take 'sec = sys'");
}

#define SERVER "/usr/bin/ganesha.nfsd"
#define STATD "/usr/sbin/rpc.statd"
#define NETCONFIG "/etc/netconfig"
#define RPC_USER "_rpc"

/* A root volume from an older version lacks them, and a tenant may have taken them away. */
static const char *const folders[] = { "/var/lib/nfs/ganesha", "/run/ganesha" };
static const char *const folders_v3[] = { "/var/lib/nfs/sm", "/var/lib/nfs/sm.bak", "/run/rpcbind" };

static void add_folders(const struct conf *conf, struct strlist *ret)
{
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
		strlist_add(ret, folders[i]);
	for (size_t i = 0; ganesha_serves_v3(conf) && i < sizeof(folders_v3) / sizeof(*folders_v3); i++)
		strlist_add(ret, folders_v3[i]);
}

void nfs_wants(const struct conf *conf, struct strlist *ret)
{
	if (!conf_serves_nfs(conf))
		return;
	strlist_add(ret, SERVER);
	strlist_add(ret, NETCONFIG);
	add_folders(conf, ret);
	if (!ganesha_serves_v3(conf))
		return;
	strlist_add(ret, STATD);
	strlist_add(ret, RPC_USER);
}

int nfs_prepare(const struct conf *conf, const struct inside_ref *ref, const struct strlist *missing, struct err *err)
{
	static const char *const links[] = { "ln", "-sfn", "-T", "--", GANESHA_NETCONFIG_INSIDE, NETCONFIG, NULL };
	_cleanup_strlist_ struct strlist wanted = { 0 }, make = { 0 };
	int r = 0;

	if (strlist_has(missing, SERVER) || strlist_has(missing, STATD)) {
		(void)err_set(err, -ENOENT, "the template that it runs has no NFS server");
		return err_hint(err, -ENOENT, "tools/deps nfs, or apt-get install nfs-ganesha-vfs nfs-common; then start the server again");
	}
	strlist_add(&make, "mkdir");
	strlist_add(&make, "-p");
	strlist_add(&make, "--");
	add_folders(conf, &wanted);
	for (size_t i = 0; i < wanted.n; i++)
		if (strlist_has(missing, wanted.v[i]))
			strlist_add(&make, wanted.v[i]);
	if (make.n > 3)
		r = inside_must(ref, (const char *const *)make.v, NULL, err);
	if (r == 0 && strlist_has(missing, NETCONFIG))
		r = inside_must(ref, links, NULL, err);
	return r == 0 && strlist_has(missing, RPC_USER) ? nfs_rpc_user(ref, err) : r;
}

void nfs_write_devices(const struct conf *conf, const struct inside_ref *ref)
{
	_cleanup_close_ int conf_fd = inside_conf_fd(ref->pid, ref->start, NULL);
	_cleanup_close_ int dir = conf_fd < 0 ? -1 : dir_open(conf_fd, "ganesha");
	_cleanup_strbuf_ struct strbuf text = { 0 };
	struct timespec now;

	if (dir < 0)
		return;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	ganesha_devices_text(conf, &now, &text);
	(void)file_write_atomic_at(dir, GANESHA_DEVICES, strbuf_str(&text), text.len, 0644);
}

int nfs_prepare_change(const struct conf *old, const struct conf *conf, const struct inside_ref *ref, struct err *err)
{
	_cleanup_strlist_ struct strlist before = { 0 }, after = { 0 }, more = { 0 };
	_cleanup_found_ struct inside_found found = { 0 };
	int r;

	nfs_wants(old, &before);
	nfs_wants(conf, &after);
	for (size_t i = 0; i < after.n; i++)
		if (!strlist_has(&before, after.v[i]))
			strlist_add(&more, after.v[i]);
	r = inside_look(ref, &more, &found, err);
	if (r == 0 && conf_serves_nfs(conf) && !conf_serves_nfs(old))
		nfs_write_devices(conf, ref);
	return r < 0 ? r : nfs_prepare(conf, ref, &found.missing, err);
}
