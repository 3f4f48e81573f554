/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psv/directory_inside.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "directory/directory.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/str.h"
#include "lib/when.h"
#include "psv/conf.h"
#include "psv/directory_ask.h"
#include "psv/nfs_inside.h"
#include "service/samba.h"

enum { WAIT_MS = 5000, WAIT_STEP_MS = 50, WARN_DAYS = 30 };

#define NIS_ANSWERED "No such key" /* a server's word */

/* A root volume from another directory or an older version lacks some of it, and a tenant may have taken it away. */
static const char *const *const ldap_commands[] = {
	(const char *const[]){ "mkdir", "-p", "--", "/etc/ldap", "/var/lib/sss/db", "/var/lib/sss/mc",
			       "/var/lib/sss/pipes/private", "/var/lib/sss/pubconf/krb5.include.d", "/var/log/sssd", NULL },
	/* By this socket it is seen to be ready. */
	(const char *const[]){ "rm", "-f", "--", "/var/lib/sss/pipes/nss", NULL },
	(const char *const[]){ "ln", "-sfn", "-t", "/etc", "--", "/run/vnas/nsswitch.conf", NULL },
	(const char *const[]){ "ln", "-sfn", "-t", "/etc/ldap", "--", DIRECTORY_LDAP_CONF, NULL },
	NULL,
};

static const char *const *const nis_commands[] = {
	(const char *const[]){ "mkdir", "-p", "--", "/var/yp/binding", "/run/rpcbind", NULL },
	(const char *const[]){ "ln", "-sfn", "-t", "/etc", "--", "/run/vnas/nsswitch.conf", DIRECTORY_YP_CONF,
			       DIRECTORY_NETCONFIG, NULL },
	NULL,
};

static const char *const *const ad_commands[] = {
	(const char *const[]){ "mkdir", "-p", "--", "/var/lib/samba/private", "/var/cache/samba", NULL },
	/* By its socket it is seen to be ready. */
	(const char *const[]){ "rm", "-rf", "--", "/run/samba/winbindd", NULL },
	(const char *const[]){ "ln", "-sfn", "-t", "/etc", "--", "/run/vnas/nsswitch.conf", DIRECTORY_KRB5_CONF, NULL },
	NULL,
};

static int run_all(const char *const *const commands[], const struct inside_ref *ref, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && commands[i]; i++)
		r = inside_must(ref, commands[i], NULL, err);
	return r;
}

/* give_samba_secret: Samba keeps its copy where it keeps its other secrets. */
static int give_samba_secret(const struct conf *conf, const struct inside_ref *ref, struct err *err)
{
	static const char *const argv[] = { "smbpasswd", "-c", SAMBA_CONF_INSIDE, "-W", NULL };
	struct ldap_files f = { 0 };
	int r = ldap_files_read(conf, &f, err);
	char *input;

	if (r < 0)
		return r;
	input = xasprintf("%s\n%s\n", f.secret, f.secret);
	r = inside_must(ref, argv, input, err);
	explicit_bzero(input, strlen(input));
	free(input);
	ldap_files_free(&f);
	return r;
}

int directory_prepare(const struct conf *conf, const struct inside_ref *ref, struct err *err)
{
	int r = 0;

	switch (conf->directory.type) {
	case CONF_DIRECTORY_LDAP:
		r = run_all(ldap_commands, ref, err);
		if (r == 0 && conf->directory.samba_accounts && conf->smb_enabled)
			r = give_samba_secret(conf, ref, err);
		return r;
	case CONF_DIRECTORY_NIS:
		r = run_all(nis_commands, ref, err);
		return r < 0 ? r : nfs_rpc_user(ref, err);
	case CONF_DIRECTORY_AD:
		return run_all(ad_commands, ref, err);
	case CONF_DIRECTORY_PASSWD:
		break;
	}
	return 0;
}

static const char *const *ready_command(const struct conf *conf)
{
	static const char *const sssd[] = { "test", "-S", "/var/lib/sss/pipes/nss", NULL };
	/* A key that nobody has: it asks as the C library does. */
	static const char *const ypbind[] = { "timeout", "2", "ypmatch", "-t", "-", "passwd.byname", NULL };
	static const char *const winbindd[] = { "wbinfo", "--ping", NULL };

	switch (conf->directory.type) {
	case CONF_DIRECTORY_LDAP:
		return sssd;
	case CONF_DIRECTORY_NIS:
		return ypbind;
	case CONF_DIRECTORY_AD:
		return winbindd;
	case CONF_DIRECTORY_PASSWD:
		break;
	}
	return NULL;
}

int directory_joined(const struct inside_ref *ref, struct err *err)
{
	/* Of its own data base alone: it needs no controller. */
	static const char *const argv[] = { "timeout", "5", "net", "primarytrust", "dumpinfo",
					    "--configfile=" SAMBA_CONF_INSIDE, NULL };
	int r = ask(ref, argv, NULL, NULL, err);

	return r < 0 ? r : r == 0;
}

int directory_wait(const struct conf *conf, const struct inside_ref *ref, struct err *err)
{
	const char *const *argv = ready_command(conf);
	int64_t end = now_ms() + WAIT_MS;

	/* winbindd does not run before it has joined; directory_health() says so. */
	if (conf->directory.type == CONF_DIRECTORY_AD) {
		int r = directory_joined(ref, err);

		if (r <= 0)
			return r;
	}
	while (argv && now_ms() < end) {
		_cleanup_strbuf_ struct strbuf said = { 0 };
		int r = inside_run(ref, argv, NULL, &said, err);

		if (r <= 0 || strstr(strbuf_str(&said), NIS_ANSWERED))
			return r < 0 ? r : 0;
		sleep_ms(WAIT_STEP_MS);
	}
	return argv ? 1 : 0;
}

static int ldap_health(const struct conf *conf, const struct inside_ref *ref, struct err *ret_why)
{
	const struct conf_directory *d = &conf->directory;
	int r = 0;

	for (size_t i = 0; i < d->uris.n; i++) {
		r = ldap_ask_bind(conf, d->uris.v[i], ref, ret_why);
		if (r <= 0)
			return r;
	}
	return r;
}

static int nis_health(const struct inside_ref *ref, struct err *ret_why)
{
	static const char *const argv[] = { "timeout", "4", "ypmatch", "-t", "-", "passwd.byname", NULL };
	_cleanup_strbuf_ struct strbuf said = { 0 };
	int r = ask(ref, argv, NULL, &said, ret_why);

	if (r <= 0 || strstr(strbuf_str(&said), NIS_ANSWERED))
		return r < 0 ? r : 0;
	(void)err_set(ret_why, -EIO, "no server of the NIS domain answers");
	return 1;
}

/* ad_controller: a controller answers, and its time is ours.  Asked before winbindd, which with a wrong time goes on with the
 * connections that it has, and else looks for another controller for ten seconds. */
static int ad_controller(const struct conf *conf, const struct inside_ref *ref, struct err *ret_why)
{
	_cleanup_strbuf_ struct strbuf said = { 0 };
	int r = ad_ask_info(ref, &said, ret_why);
	long offset;

	if (r > 0)
		(void)err_set(ret_why, -EIO, "%s: %.200s", conf->directory.realm, ask_last_line(&said, "no controller answers"));
	if (r != 0 || !ad_clock(strbuf_str(&said), &offset) ||
	    (offset > -AD_CLOCK_FAILS_SECONDS && offset < AD_CLOCK_FAILS_SECONDS))
		return r;
	(void)err_set(ret_why, -EIO, "the clock of the controller of %s is %ld seconds off, so Kerberos fails: set both by NTP",
		      conf->directory.realm, offset);
	return 1;
}

static int ad_health(const struct conf *conf, const struct inside_ref *ref, struct err *ret_why)
{
	static const char *const argv[] = { "timeout", "10", "wbinfo", "--ping-dc", NULL };
	_cleanup_strbuf_ struct strbuf said = { 0 };
	int r = directory_joined(ref, ret_why);

	if (r < 0)
		return r;
	if (r == 0) {
		(void)err_set(ret_why, -EIO, "it has not joined %s: `vnas directory join %s --user ADMINISTRATOR`",
			      conf->directory.realm, conf->name);
		return 1;
	}
	r = ad_controller(conf, ref, ret_why);
	if (r != 0)
		return r;
	r = ask(ref, argv, NULL, &said, ret_why);
	if (r > 0)
		(void)err_set(ret_why, -EIO, "%s: %.200s", conf->directory.realm, ask_last_line(&said, "no controller answers"));
	return r;
}

int directory_health(const struct conf *conf, const struct inside_ref *ref, struct err *ret_why)
{
	switch (conf->directory.type) {
	case CONF_DIRECTORY_LDAP:
		return ldap_health(conf, ref, ret_why);
	case CONF_DIRECTORY_NIS:
		return nis_health(ref, ret_why);
	case CONF_DIRECTORY_AD:
		return ad_health(conf, ref, ret_why);
	case CONF_DIRECTORY_PASSWD:
		break;
	}
	return 0;
}

bool directory_warning(const struct conf *conf, const struct inside_ref *ref, char *buf, size_t size)
{
	const struct conf_directory *d = &conf->directory;

	for (size_t i = 0; d->type == CONF_DIRECTORY_LDAP && i < d->uris.n; i++) {
		struct ldap_tls tls;

		if (!ldap_uses_tls(conf, d->uris.v[i]) || ldap_ask_tls(conf, d->uris.v[i], ref, &tls, NULL) < 0)
			continue;
		if (!tls.verified || tls.days_left < 0 || tls.days_left >= WARN_DAYS)
			continue;
		(void)str_format(buf, size, "the certificate of %s ends in %d days (%s)", d->uris.v[i], tls.days_left, tls.ends);
		return true;
	}
	return false;
}
