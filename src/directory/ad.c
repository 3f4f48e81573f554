/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Active Directory.  Inside, winbindd is the domain's member: it finds the controllers by DNS, looks users up with the
 * machine's own account, and gives them numbers that are computed, not handed out, so that they are the same after a
 * move, and on another machine. */
#include <ctype.h>
#include <string.h>

#include "directory/directory.h"
#include "lib/str.h"
#include "psv/conf.h"

void ad_smb_conf(const struct conf *conf, struct strbuf *sb)
{
	const struct conf_directory *d = &conf->directory;

	strbuf_addf(sb, "\tserver role = member server\n\tsecurity = ads\n\trealm = %s\n", d->realm);
	/* Accounts of its own stay possible beside the domain's. */
	strbuf_addstr(sb, "\tpassdb backend = tdbsam\n"
			  "\tkerberos method = secrets and keytab\n"
			  "\twinbind use default domain = yes\n"
			  "\twinbind refresh tickets = yes\n"
			  /* Lists of users and groups, for `vnas user list`. */
			  "\twinbind enum users = yes\n\twinbind enum groups = yes\n"
			  /* What a domain says of shells and folders is meant for machines to log on to. */
			  "\ttemplate shell = /usr/sbin/nologin\n\ttemplate homedir = /home/%U\n");
	if (!d->idmap_rid) {
		strbuf_addf(sb, "\tidmap config * : backend = autorid\n\tidmap config * : range = %u-%u\n", d->idmap.low,
			    d->idmap.high);
		return;
	}
	/* The machine's own groups have numbers of their own, below all others. */
	strbuf_addf(sb, "\tidmap config * : backend = tdb\n\tidmap config * : range = 90000-99999\n"
			"\tidmap config %s : backend = rid\n\tidmap config %s : range = %u-%u\n",
		    conf->workgroup, conf->workgroup, d->idmap.low, d->idmap.high);
}

void ad_krb5_conf(const struct conf *conf, struct strbuf *sb)
{
	/* Controllers are found by DNS; a name that belongs to an address says nothing about who is there. */
	strbuf_addf(sb, "[libdefaults]\n\tdefault_realm = %s\n\tdns_lookup_realm = false\n\tdns_lookup_kdc = true\n\trdns = false\n",
		    conf->directory.realm);
}

char *ad_fqdn(const struct conf *conf, char *buf, size_t size)
{
	(void)str_format(buf, size, "%.*s.%s", (int)strcspn(conf->hostname, "."), conf->hostname, conf->directory.realm);
	for (char *p = buf; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return buf;
}
