/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psv/nfs_inside.h"

#include <errno.h>
#include <stddef.h>

#include "lib/err.h"
#include "psv/conf.h"
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

/* A root volume from an older version lacks it, and a tenant may have taken it away. */
int nfs_prepare(const struct conf *conf, const struct inside_ref *ref, struct err *err)
{
	static const char *const folders[] = { "mkdir", "-p", "--", "/var/lib/nfs/ganesha", "/var/lib/nfs/sm", "/var/lib/nfs/sm.bak",
					       "/run/ganesha", "/run/rpcbind", NULL };
	static const char *const links[] = { "ln", "-sfn", "-t", "/etc", "--", GANESHA_NETCONFIG_INSIDE, NULL };
	const char *const there[] = { "test", "-x", "/usr/bin/ganesha.nfsd", "-a", "-x",
				      ganesha_serves_v3(conf) ? "/usr/sbin/rpc.statd" : "/usr/bin/ganesha.nfsd", NULL };
	int r = 0;

	if (!conf_serves_nfs(conf))
		return 0;
	r = inside_run(ref, there, NULL, NULL, err);
	if (r > 0) {
		(void)err_set(err, -ENOENT, "the template that it runs has no NFS server");
		return err_hint(err, -ENOENT, "tools/deps nfs, or apt-get install nfs-ganesha-vfs nfs-common; then start the server again");
	}
	if (r == 0)
		r = inside_must(ref, folders, NULL, err);
	if (r == 0)
		r = inside_must(ref, links, NULL, err);
	return r == 0 && ganesha_serves_v3(conf) ? nfs_rpc_user(ref, err) : r;
}
