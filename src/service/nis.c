/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ypbind, for a Vsv whose users come from NIS.  It finds a server and keeps to it, libnss_nis asks ypbind where, and rpcbind
 * (rpcbind.c) tells libnss_nis where ypbind is: all three over the Vsv's own loopback address. */
#include <linux/capability.h>
#include <signal.h>

#include "psv/conf.h"
#include "service/directories.h"
#include "service/service.h"

#define BIT(cap) (UINT64_C(1) << (cap))

static const char *const ypbind_packages[] = { "libnss-nis", "ypbind-mt", "yp-tools", NULL };

static bool wanted(const struct conf *conf)
{
	return conf->directory.type == CONF_DIRECTORY_NIS;
}

static void ypbind_argv(const struct conf *conf, struct strlist *ret)
{
	(void)conf;
	strlist_add(ret, "/usr/sbin/ypbind");
	strlist_add(ret, "-foreground");
}

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
