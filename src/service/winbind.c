/* SPDX-License-Identifier: GPL-2.0-or-later */
/* winbindd, which makes a Vsv the member of an Active Directory domain.  It runs as root inside, whose files it needs alone. */
#include <linux/capability.h>
#include <signal.h>
#include <stdint.h>

#include "psv/conf.h"
#include "service/directories.h"
#include "service/samba.h"
#include "service/service.h"

#define BIT(cap) (UINT64_C(1) << (cap))

static const char *const packages[] = { "winbind", "libnss-winbind", NULL };

static bool wanted(const struct conf *conf)
{
	return conf->directory.type == CONF_DIRECTORY_AD;
}

static void argv(const struct conf *conf, struct strlist *ret)
{
	(void)conf;
	strlist_add(ret, "/usr/sbin/winbindd");
	strlist_add(ret, "--foreground");
	strlist_add(ret, "--no-process-group");
	strlist_add(ret, "--debug-stdout");
	strlist_add(ret, "--configfile=" SAMBA_CONF_INSIDE);
}

const struct service winbindd_service = {
	.name = "winbindd",
	.packages = packages,
	.optional = true,
	/* Samba's helpers that know the server's own groups end at their start if they cannot change users.  Who asks first starts
	 * them: smbd, or winbindd, which without them finds no group of a user who has not logged on by SMB. */
	.capabilities = BIT(CAP_SETUID) | BIT(CAP_SETGID),
	.wanted = wanted,
	.argv = argv,
	.stop_signal = SIGTERM,
	.reload_signal = SIGHUP,
};
