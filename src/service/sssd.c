/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sssd, which answers for the users of an LDAP directory.  It needs no capability at all: its files are root's, and root
 * inside is who it runs as. */
#include <signal.h>

#include "directory/directory.h"
#include "psv/conf.h"
#include "service/directories.h"
#include "service/service.h"

static const char *const packages[] = {
	"sssd-common", "sssd-ldap", "libnss-sss",
	"ldap-utils", /* ldapsearch: lists and tests */
	"openssl",    /* s_client: what is wrong with a certificate */
	NULL,
};

static bool wanted(const struct conf *conf)
{
	return conf->directory.type == CONF_DIRECTORY_LDAP;
}

static void argv(const struct conf *conf, struct strlist *ret)
{
	(void)conf;
	strlist_add(ret, "/usr/sbin/sssd");
	strlist_add(ret, "--interactive");
	strlist_add(ret, "--logger=stderr");
	strlist_add(ret, "--config=" DIRECTORY_SSSD_CONF);
}

const struct service sssd_service = {
	.name = "sssd",
	.packages = packages,
	.optional = true,
	.wanted = wanted,
	.argv = argv,
	.stop_signal = SIGTERM,
};
