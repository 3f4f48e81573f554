/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Joining an Active Directory domain: the programs of the inside do it, with the Vsv's own address and name, and what they
 * get, the machine's account and its keytab, lies on the root volume and moves with it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "directory/directory.h"
#include "lib/addr.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "psv/change.h"
#include "psv/conf.h"
#include "psv/directory.h"
#include "psv/directory_ask.h"
#include "psv/inside.h"
#include "psv/inside_run.h"
#include "psv/psv.h"
#include "service/samba.h"

#define CONFIG "--configfile=" SAMBA_CONF_INSIDE

enum { LOCK_MS = 30 * 1000, NETBIOS_DOMAIN_MAX = 15, FQDN_MAX = 320 };

static int read_conf(const struct psv *psv, const char *server, struct conf *ret, struct err *err)
{
	char path[PATH_MAX];
	int r = conf_read(psv_conf_path(psv, server, path), server, ret, err);

	if (r < 0 || ret->directory.type == CONF_DIRECTORY_AD)
		return r;
	conf_free(ret);
	*ret = (struct conf){ 0 };
	(void)err_exit(err, VNAS_EXIT_USAGE, -EINVAL, "its users do not come from a domain");
	return err_hint(err, -EINVAL, "vnas directory set %s --type ad --realm DOMAIN", server);
}

/* find_domain: the domain's short name, as a controller says it. */
static int find_domain(const struct conf *conf, const struct inside_ref *ref, char *buf, size_t size, struct err *err)
{
	static const char *const argv[] = { "timeout", "14", "net", "ads", "workgroup", CONFIG, NULL };
	static const char key[] = "Workgroup: ";
	_cleanup_strbuf_ struct strbuf said = { 0 };
	int r = ask(ref, argv, NULL, &said, err);
	const char *p = r == 0 ? strstr(strbuf_str(&said), key) : NULL;
	size_t n = p ? strcspn(p + strlen(key), "\r\n") : 0;

	if (r < 0)
		return r;
	if (n == 0 || n > NETBIOS_DOMAIN_MAX || n >= size) {
		(void)err_set(err, -EIO, "no controller of %s answers", conf->directory.realm);
		return err_hint(err, -EIO, "`vnas directory test %s` says how far it comes", conf->name);
	}
	(void)str_format(buf, size, "%.*s", (int)n, p + strlen(key));
	return 0;
}

static char *set_workgroup(const char *text, void *arg, struct err *err)
{
	(void)err;
	return confedit_set(text, "server", "workgroup", arg);
}

/* take_domain: the configuration has the domain's short name, with which smb.conf is made. */
static int take_domain(const struct psv *psv, struct conf *conf, const struct inside_ref *ref,
		       void (*notice)(const char *line), struct err *err)
{
	const struct change_opts change = { .verb = "directory join", .no_probe = true, .notice = notice };
	char domain[NETBIOS_DOMAIN_MAX + 1], name[VSV_NAME_MAX + 1], line[96];
	int r = find_domain(conf, ref, domain, sizeof(domain), err);

	if (r < 0 || strcasecmp(domain, conf->workgroup) == 0)
		return r;
	r = server_change(psv, conf->name, set_workgroup, domain, &change, err);
	if (r < 0)
		return r;
	(void)str_format(line, sizeof(line), "its workgroup is %s now, as the domain is called", domain);
	notice(line);
	(void)str_copy(name, sizeof(name), conf->name);
	conf_free(conf);
	*conf = (struct conf){ 0 };
	return read_conf(psv, name, conf, err);
}

/* check_clock: with Kerberos' time off the account would be made, and its names and keys would not. */
static int check_clock(const struct conf *conf, const struct inside_ref *ref, struct err *err)
{
	_cleanup_strbuf_ struct strbuf said = { 0 };
	int r = ad_ask_info(ref, &said, err);
	long offset;

	if (r < 0)
		return r;
	if (r > 0 || !ad_clock(strbuf_str(&said), &offset) ||
	    (offset > -AD_CLOCK_FAILS_SECONDS && offset < AD_CLOCK_FAILS_SECONDS))
		return 0; /* who does not answer is told of next */
	(void)err_set(err, -EIO, "cannot join %s: the controller's clock is %ld seconds off", conf->directory.realm, offset);
	return err_hint(err, -EIO, "set both by NTP: Kerberos takes less than five minutes");
}

static int join(const struct conf *conf, const struct inside_ref *ref, const struct directory_join *j, const char *fqdn,
		struct err *err)
{
	_cleanup_free_ char *name = xasprintf("dnshostname=%s", fqdn);
	_cleanup_free_ char *unit = j->unit ? xasprintf("createcomputer=%s", j->unit) : NULL;
	const char *const argv[] = { "timeout", "50", "net", "ads", "join", CONFIG, "--authentication-file=/dev/stdin",
				     "--no-dns-updates", name, unit, NULL };
	char *input = xasprintf("username = %s\npassword = %s\n", j->user, j->password);
	_cleanup_strbuf_ struct strbuf said = { 0 };
	int r = inside_run(ref, argv, input, &said, err);

	explicit_bzero(input, strlen(input));
	free(input);
	if (r <= 0)
		return r;
	(void)err_set(err, -EIO, "cannot join %s: %.300s", conf->directory.realm, ask_last_line(&said, "no answer"));
	return err_hint(err, -EIO, "`vnas directory test %s` says how far it comes", conf->name);
}

/* add_name: a service's name in the domain.  One that the account has from an earlier join is refused as a doubled one. */
static bool add_name(const struct inside_ref *ref, const char *machine, const char *spn)
{
	const char *const add[] = { "timeout", "30", "net", "ads", "setspn", "add", machine, spn, "-P", CONFIG, NULL };
	const char *const list[] = { "timeout", "30", "net", "ads", "setspn", "list", machine, "-P", CONFIG, NULL };
	_cleanup_strbuf_ struct strbuf said = { 0 };

	if (inside_must(ref, add, NULL, NULL) == 0)
		return true;
	return inside_run(ref, list, NULL, &said, NULL) == 0 && strcasestr(strbuf_str(&said), spn);
}

/* register_names: the services' names in the domain, their keys, and the addresses in its DNS.  A domain may not let a member
 * do that; what was joined stays so. */
static void register_names(const struct conf *conf, const struct inside_ref *ref, const char *fqdn,
			   void (*notice)(const char *line))
{
	static const char *const services[] = { "cifs", "nfs" };
	static const char *const keytab[] = { "timeout", "30", "net", "ads", "keytab", "create", "-P", CONFIG, NULL };
	const char *dns[9 + CONF_MAX_LIST] = { "timeout", "30", "net", "ads", "dns", "register", "-P", CONFIG, fqdn };
	char (*addresses)[IPADDR_STR_MAX] = xcalloc(conf->n_addresses + 1, sizeof(*addresses));
	const char *machine = conf->netbios_name;

	for (size_t i = 0; i < sizeof(services) / sizeof(*services); i++) {
		_cleanup_free_ char *spn = xasprintf("%s/%s", services[i], fqdn);

		if (!add_name(ref, machine, spn))
			notice(services[i][0] == 'n' ? "the domain does not take its name as an NFS server"
						     : "the domain does not take its name as an SMB server");
	}
	if (inside_must(ref, keytab, NULL, NULL) < 0)
		notice("cannot write its keytab");
	for (size_t i = 0; i < conf->n_addresses && i < CONF_MAX_LIST - 1; i++)
		dns[9 + i] = ipaddr_str(&conf->addresses[i].addr, addresses[i]);
	if (inside_must(ref, dns, NULL, NULL) < 0)
		notice("the domain's name server does not take its addresses: enter them there");
	free(addresses);
}

static int restart(const struct inside_ref *ref, const char *service, struct err *err)
{
	_cleanup_close_ int conn = inside_connect(ref->pid, ref->start, err);

	return conn < 0 ? conn : inside_service_act(conn, service, INSIDE_RESTART, err);
}

static int join_locked(const struct psv *psv, const struct conf *conf, const struct inside_ref *ref,
		       const struct directory_join *j, struct err *err)
{
	_cleanup_close_ int lock = psv_lock(psv, conf->name, "directory join", LOCK_MS, j->notice, err);
	char fqdn[FQDN_MAX];
	int r;

	if (lock < 0)
		return lock;
	(void)ad_fqdn(conf, fqdn, sizeof(fqdn));
	r = join(conf, ref, j, fqdn, err);
	if (r < 0)
		return r;
	event_log(psv, conf->name, "joined", "%s as %s", conf->directory.realm, conf->netbios_name);
	register_names(conf, ref, fqdn, j->notice);
	r = restart(ref, "winbindd", err);
	if (r == 0 && conf->smb_enabled)
		r = restart(ref, "smbd", err);
	return r < 0 ? err_wrap(err, r, "it has joined, but its services do not start again") : 0;
}

int directory_join(const struct psv *psv, const char *server, const struct directory_join *j, struct err *err)
{
	struct conf conf = { 0 };
	struct inside_ref ref;
	int r = inside_require(psv, server, &ref, err);

	/* One line of a file each. */
	if (r == 0 && (strpbrk(j->user, "\r\n") || !*j->user || strpbrk(j->password, "\r\n")))
		r = err_exit(err, VNAS_EXIT_USAGE, -EINVAL, "a user's name and a password are one line each");
	if (r == 0 && j->unit && (strpbrk(j->unit, "\r\n") || !*j->unit))
		r = err_exit(err, VNAS_EXIT_USAGE, -EINVAL, "--ou: expected a path as in Servers/Files");
	if (r == 0)
		r = read_conf(psv, server, &conf, err);
	if (r == 0)
		r = check_clock(&conf, &ref, err);
	if (r == 0)
		r = take_domain(psv, &conf, &ref, j->notice, err);
	if (r == 0)
		r = join_locked(psv, &conf, &ref, j, err);
	conf_free(&conf);
	return r;
}
