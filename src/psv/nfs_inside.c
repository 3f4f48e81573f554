/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psv/nfs_inside.h"

#include <stddef.h>

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

/* A root volume from an older version lacks it, and a tenant may have taken it away. */
int nfs_prepare(const struct conf *conf, const struct inside_ref *ref, struct err *err)
{
	static const char *const folders[] = { "mkdir", "-p", "--", "/var/lib/nfs/ganesha", "/var/lib/nfs/sm", "/var/lib/nfs/sm.bak",
					       "/run/ganesha", "/run/rpcbind", NULL };
	static const char *const links[] = { "ln", "-sfn", "-t", "/etc", "--", GANESHA_NETCONFIG_INSIDE, NULL };
	int r = 0;

	if (!conf_serves_nfs(conf))
		return 0;
	r = inside_must(ref, folders, NULL, err);
	if (r == 0)
		r = inside_must(ref, links, NULL, err);
	return r == 0 && ganesha_serves_v3(conf) ? nfs_rpc_user(ref, err) : r;
}
