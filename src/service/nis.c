/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rpcbind and ypbind, for a Vsv whose users come from NIS; rpcbind also for NFS 3, whose clients ask it for ports.  ypbind finds a server and keeps to it, libnss_nis asks ypbind
 * where, and rpcbind tells libnss_nis where ypbind is: all three over the Vsv's own loopback address. */
#include <linux/capability.h>
#include <signal.h>

#include "psv/conf.h"
#include "service/directories.h"
#include "service/ganesha.h"
#include "service/service.h"

#define BIT(cap) (UINT64_C(1) << (cap))

static const char *const rpcbind_packages[] = { "rpcbind", NULL };
static const char *const ypbind_packages[] = { "libnss-nis", "ypbind-mt", "yp-tools", NULL };

static bool wanted(const struct conf *conf)
{
	return conf->directory.type == CONF_DIRECTORY_NIS;
}

static bool rpcbind_wanted(const struct conf *conf)
{
	return wanted(conf) || ganesha_serves_v3(conf);
}

static void rpcbind_argv(const struct conf *conf, struct strlist *ret)
{
	(void)conf;
	strlist_add(ret, "/usr/sbin/rpcbind");
	strlist_add(ret, "-f");
}

static void ypbind_argv(const struct conf *conf, struct strlist *ret)
{
	(void)conf;
	strlist_add(ret, "/usr/sbin/ypbind");
	strlist_add(ret, "-foreground");
}

const struct service rpcbind_service = {
	.name = "rpcbind",
	.packages = rpcbind_packages,
	.optional = true,
	.capabilities = BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_SETUID) | BIT(CAP_SETGID),
	.wanted = rpcbind_wanted,
	.argv = rpcbind_argv,
	.stop_signal = SIGTERM,
	.comes_and_goes = true,
};

const struct service ypbind_service = {
	.name = "ypbind",
	.packages = ypbind_packages,
	.optional = true,
	.capabilities = BIT(CAP_NET_BIND_SERVICE),
	.wanted = wanted,
	.argv = ypbind_argv,
	.stop_signal = SIGTERM,
	.reload_signal = SIGHUP,
};
