/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A directory tried step by step, from the names of its servers to a logon by SMB.  Each step says what it saw, and what to
 * do where that is not as it should be; what hangs on a step that failed is left out. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "directory/directory.h"
#include "directory/passwd.h"
#include "lib/addr.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/printable.h"
#include "psv/conf.h"
#include "psv/directory.h"
#include "psv/directory_ask.h"
#include "psv/directory_inside.h"
#include "psv/directory_users.h"
#include "psv/inside_run.h"
#include "psv/psv.h"
#include "service/samba.h"

enum { WARN_DAYS = 30, OWN_USERS_MAX = 200, CLOCK_WARN_SECONDS = 60 };

struct run {
	const struct conf *conf;
	struct inside_ref *ref;
	const struct directory_test *test;
	json_t *steps;
	bool failed;
	struct err why; /* of what could not even be asked */
};

enum result { OK, WARNING, FAILED, SKIPPED };
static const char *const results[] = { [OK] = "ok", [WARNING] = "warning", [FAILED] = "failed", [SKIPPED] = "skipped" };

static void add(struct run *t, const char *step, enum result result, char *what, const char *hint)
{
	json_t *o = json_pack("{s:s, s:s}", "step", step, "result", results[result]);

	printable_clean(what); /* a stranger's words, which may be cut */
	(void)json_object_set_new(o, "what", json_string(what));
	(void)json_object_set_new(o, "hint", hint ? json_string(hint) : json_null());
	(void)json_array_append_new(t->steps, o);
	t->failed |= result == FAILED;
	/* No lock is held, so each step has its own time. */
	*t->ref = inside_ref(t->ref->pid, t->ref->start);
	free(what);
}

/* ---- Servers ---- */

/* step_name: true if there is an address to go on with. */
static bool step_name(struct run *t, const char *host)
{
	const char *const argv[] = { "timeout", "8", "getent", "ahosts", "--", host, NULL };
	_cleanup_strbuf_ struct strbuf said = { 0 };
	struct ipaddr addr;
	int r;

	if (ipaddr_parse(host, &addr) == 0)
		return true;
	r = ask(t->ref, argv, NULL, &said, &t->why);
	if (r != 0) {
		add(t, "name", FAILED, xasprintf("%s has no address", host),
		    t->conf->n_dns ? "ask the name server for it, or give the server's address" :
				     "add 'dns' to [server], or give the server's address");
		return false;
	}
	add(t, "name", OK, xasprintf("%s is %.*s", host, (int)strcspn(strbuf_str(&said), " \t\n"), strbuf_str(&said)), NULL);
	return true;
}

static const char *tls_hint(const char *why)
{
	if (strstr(why, "has expired"))
		return "the directory's administrator has to renew it";
	if (strstr(why, "not yet valid"))
		return "compare the clocks of both machines";
	if (strstr(why, "mismatch"))
		return "use the name or address that stands in the certificate";
	return "put the certificate of who signed it into the file of 'ca'";
}

static bool step_tls(struct run *t, const char *uri)
{
	struct ldap_tls tls;

	if (ldap_ask_tls(t->conf, uri, t->ref, &tls, &t->why) < 0) {
		add(t, "connection", FAILED, xasprintf("%s: %s", uri, t->why.text), NULL);
		return false;
	}
	if (!tls.connected) {
		add(t, "connection", FAILED, xasprintf("%s: %s", uri, tls.why),
		    "see whether the server runs, and whether a firewall stands between");
		return false;
	}
	add(t, "connection", OK, xstrdup(uri), NULL);
	if (!tls.shaken)
		add(t, "TLS", FAILED, xasprintf("%s: %s", uri, tls.why), "let it have a certificate, or set 'starttls = no'");
	else if (!tls.verified)
		add(t, "TLS", FAILED, xasprintf("%s: its certificate is not accepted: %s", uri, tls.why), tls_hint(tls.why));
	else if (tls.days_left >= 0 && tls.days_left < WARN_DAYS)
		add(t, "TLS", WARNING, xasprintf("%s: its certificate ends in %d days, %s", uri, tls.days_left, tls.ends),
		    tls_hint("has expired"));
	else
		add(t, "TLS", OK, xasprintf("%s: certificate until %s", uri, tls.ends), NULL);
	return tls.verified;
}

static bool step_bind(struct run *t, const char *uri)
{
	const char *dn = t->conf->directory.bind_dn;

	if (ldap_ask_bind(t->conf, uri, t->ref, &t->why) == 0) {
		add(t, "bind", OK, xasprintf("%s: as %s", uri, dn ? dn : "nobody in particular"), NULL);
		return true;
	}
	add(t, "bind", FAILED, xstrdup(t->why.text),
	    dn ? "compare 'bind dn' and the content of 'secret file' with the directory" :
		 "see whether the server runs; give 'bind dn' and 'secret file' if it wants a logon");
	return false;
}

static bool ldap_servers(struct run *t)
{
	const struct conf_directory *d = &t->conf->directory;
	bool any = false;

	for (size_t i = 0; i < d->uris.n; i++) {
		const char *uri = d->uris.v[i];
		char host[256];
		unsigned port;

		ldap_split(uri, host, sizeof(host), &port);
		if (step_name(t, host) && (!ldap_uses_tls(t->conf, uri) || step_tls(t, uri)) && step_bind(t, uri))
			any = true;
	}
	return any;
}

static bool nis_servers(struct run *t)
{
	const struct conf_directory *d = &t->conf->directory;

	for (size_t i = 0; i < d->servers.n; i++) {
		const char *const argv[] = { "timeout", "8", "rpcinfo", "-T", "udp", d->servers.v[i], "ypserv", NULL };
		_cleanup_strbuf_ struct strbuf said = { 0 };

		if (!step_name(t, d->servers.v[i]))
			continue;
		if (ask(t->ref, argv, NULL, &said, &t->why) == 0)
			add(t, "connection", OK, xasprintf("%s: ypserv answers", d->servers.v[i]), NULL);
		else
			add(t, "connection", FAILED, xasprintf("%s: %.200s", d->servers.v[i],
							       ask_last_line(&said, "it does not answer")),
			    "see whether rpcbind and ypserv run there, and whether a firewall or its securenets stand between");
	}
	if (directory_health(t->conf, t->ref, &t->why) != 0) {
		add(t, "bind", FAILED, xasprintf("domain %s: %s", d->domain, t->why.text),
		    "compare 'domain' with `domainname` on the NIS server, whose administrator has to let this server's address in");
		return false;
	}
	add(t, "bind", OK, xasprintf("domain %s", d->domain), NULL);
	return true;
}

/* step_clock: Kerberos takes no ticket of another time. */
static bool step_clock(struct run *t, const char *info)
{
	long offset;

	if (!ad_clock(info, &offset))
		return true;
	if (offset <= -AD_CLOCK_FAILS_SECONDS || offset >= AD_CLOCK_FAILS_SECONDS) {
		add(t, "clock", FAILED, xasprintf("the controller's is %ld seconds off", offset),
		    "set both by NTP: Kerberos takes less than five minutes");
		return false;
	}
	if (offset <= -CLOCK_WARN_SECONDS || offset >= CLOCK_WARN_SECONDS)
		add(t, "clock", WARNING, xasprintf("the controller's is %ld seconds off", offset), "set both by NTP");
	else
		add(t, "clock", OK, xasprintf("%ld seconds off", offset), NULL);
	return true;
}

static bool step_joined(struct run *t)
{
	static const char *const test[] = { "timeout", "14", "net", "ads", "testjoin", "--configfile=" SAMBA_CONF_INSIDE, NULL };
	static const char *const trust[] = { "timeout", "10", "wbinfo", "--check-secret", NULL };
	_cleanup_free_ char *join = xasprintf("vnas directory join %s --user ADMINISTRATOR", t->conf->name);
	_cleanup_strbuf_ struct strbuf said = { 0 };

	if (directory_joined(t->ref, &t->why) != 1) {
		add(t, "join", FAILED, xstrdup("it has not joined"), join);
		return false;
	}
	if (ask(t->ref, test, NULL, &said, &t->why) != 0) {
		add(t, "join", FAILED, xasprintf("its machine account is not accepted: %.200s", ask_last_line(&said, "no answer")), join);
		return false;
	}
	add(t, "join", OK, xasprintf("a member of %s", t->conf->directory.realm), NULL);
	strbuf_free(&said);
	said = (struct strbuf){ 0 };
	if (ask(t->ref, trust, NULL, &said, &t->why) != 0) {
		add(t, "winbindd", FAILED, xasprintf("%.200s", ask_last_line(&said, "it does not answer")),
		    "see what it wrote: vnas logs");
		return false;
	}
	add(t, "winbindd", OK, xstrdup("it reaches a controller with the machine's account"), NULL);
	return true;
}

static bool ad_servers(struct run *t)
{
	static const char key[] = "LDAP server name: ";
	_cleanup_strbuf_ struct strbuf said = { 0 };
	const char *p;

	if (!step_name(t, t->conf->directory.realm))
		return false;
	if (ad_ask_info(t->ref, &said, &t->why) != 0) {
		add(t, "connection", FAILED, xasprintf("no controller of %s: %.200s", t->conf->directory.realm,
						       ask_last_line(&said, "none answers")),
		    "see whether 'dns' in [server] is the domain's name server, and whether a firewall stands between");
		return false;
	}
	p = strstr(strbuf_str(&said), key);
	add(t, "connection", OK, xasprintf("controller %.*s", p ? (int)strcspn(p + strlen(key), "\r\n") : 4,
					   p ? p + strlen(key) : "found"), NULL);
	return step_clock(t, strbuf_str(&said)) && step_joined(t);
}

/* ---- Users ---- */

static int compare_names(const void *a, const void *b)
{
	const struct passwd_user *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int compare_numbers(const void *a, const void *b)
{
	const struct passwd_user *x = a, *y = b;

	return x->uid < y->uid ? -1 : x->uid > y->uid;
}

/* find_doubled: names that stand there twice are two people to whoever made them, and so are two names of one number. */
static void find_doubled(struct run *t, struct passwd_db *db)
{
	size_t names = 0, numbers = 0;
	_cleanup_strbuf_ struct strbuf which = { 0 };

	if (db->n_users == 0)
		return;
	qsort(db->users, db->n_users, sizeof(*db->users), compare_numbers);
	for (size_t i = 1; i < db->n_users; i++)
		if (db->users[i].uid == db->users[i - 1].uid && strcmp(db->users[i].name, db->users[i - 1].name) != 0 && !numbers++)
			strbuf_addf(&which, "%s and %s have number %u", db->users[i - 1].name, db->users[i].name, db->users[i].uid);
	qsort(db->users, db->n_users, sizeof(*db->users), compare_names);
	for (size_t i = 1; i < db->n_users; i++)
		if (strcmp(db->users[i].name, db->users[i - 1].name) == 0 && !names++)
			strbuf_addf(&which, "%s%s stands there twice", which.len ? "; " : "", db->users[i].name);
	if (names || numbers)
		add(t, "doubled", WARNING, xasprintf("in the directory: %s%s", strbuf_str(&which), names + numbers > 1 ? ", and more" : ""),
		    "which of them is meant is the server's choice: give each user one name and one number");
}

/* find_in_both: its own user of the same name hides the directory's. */
static void find_in_both(struct run *t)
{
	static const char *const argv[] = { "getent", "-s", "files", "passwd", NULL };
	_cleanup_strbuf_ struct strbuf text = { 0 }, both = { 0 };
	struct passwd_db own = { 0 };
	size_t asked = 0;

	if (ask(t->ref, argv, NULL, &text, &t->why) != 0)
		return;
	own.foreign = true; /* a directory's names need not be ours */
	passwd_parse_users(&own, strbuf_str(&text));
	for (size_t i = 0; i < own.n_users && asked < OWN_USERS_MAX; i++) {
		uint32_t uid, gid;

		if (passwd_is_system(own.users[i].uid))
			continue;
		asked++;
		if (directory_find(t->conf, t->ref, own.users[i].name, &uid, &gid, &t->why) == 0)
			strbuf_addf(&both, "%s%s (%u here, %u there)", both.len ? ", " : "", own.users[i].name, own.users[i].uid, uid);
	}
	passwd_free(&own);
	if (both.len)
		add(t, "doubled", WARNING, xasprintf("in its own files and in the directory: %s", strbuf_str(&both)),
		    "its own hide the directory's: remove one of each with `vnas user remove`");
	else
		add(t, "doubled", OK, xstrdup("no user is in its own files and in the directory"), NULL);
}

/* step_users: the whole list, and the user to go on with. */
static bool step_users(struct run *t, char *ret_user, size_t size)
{
	struct passwd_db db = { 0 };
	int r = directory_users(t->conf, t->ref, &db, &t->why);

	if (r != 0)
		add(t, "users", FAILED, xstrdup(t->why.text), "see what the directory lets 'bind dn' read");
	else if (db.n_users == 0)
		add(t, "users", FAILED, xstrdup("the directory shows no user with name and numbers"),
		    "see whether 'base' is above the users, and what 'bind dn' may read");
	else
		add(t, "users", OK, xasprintf("%zu users", db.n_users), NULL);
	if (r == 0)
		find_doubled(t, &db);
	(void)str_copy(ret_user, size, t->test->user ? t->test->user : db.n_users ? db.users[0].name : "");
	passwd_free(&db);
	return *ret_user != '\0';
}

static bool step_lookup(struct run *t, const char *user)
{
	const char *const argv[] = { "timeout", "10", "id", "--", user, NULL };
	_cleanup_strbuf_ struct strbuf said = { 0 };
	uint32_t uid, gid;

	if (directory_find(t->conf, t->ref, user, &uid, &gid, &t->why) != 0) {
		add(t, "lookup", FAILED, xasprintf("the server's programs do not find %s", user),
		    "see what its directory service wrote: vnas logs");
		return false;
	}
	add(t, "lookup", OK, xasprintf("%s has number %u and group %u", user, uid, gid), NULL);
	if (ask(t->ref, argv, NULL, &said, &t->why) == 0)
		add(t, "groups", OK, xasprintf("%.300s", ask_last_line(&said, "")), NULL);
	else
		add(t, "groups", FAILED, xasprintf("cannot find the groups of %s", user), NULL);
	return true;
}

/* ---- SMB ---- */

static bool has_smb_account(struct run *t, const char *user)
{
	const char *const argv[] = { "pdbedit", "-s", SAMBA_CONF_INSIDE, "-d", "0", "-L", "-u", user, NULL };

	return ask(t->ref, argv, NULL, NULL, &t->why) == 0;
}

/* step_account: the directory's crypt hashes are of no use to SMB. */
static bool step_account(struct run *t, const char *user)
{
	_cleanup_free_ char *hint = xasprintf("vnas user passwd %s %s", t->conf->name, user);

	if (has_smb_account(t, user)) {
		add(t, "SMB account", OK, xasprintf("%s has one", user), NULL);
		return true;
	}
	if (t->conf->directory.samba_accounts)
		add(t, "SMB account", FAILED, xasprintf("the directory shows no Samba account of %s", user),
		    "see whether the entry is a sambaSamAccount, and whether 'bind dn' may read its sambaNTPassword");
	else
		add(t, "SMB account", WARNING, xasprintf("%s has no SMB password: the directory's own is of no use to SMB", user), hint);
	return false;
}

static void step_logon(struct run *t, const char *user)
{
	char address[IPADDR_STR_MAX];
	const char *argv[] = { "timeout", "10", "net", "rpc", "info", "--configfile=" SAMBA_CONF_INSIDE,
			       "--authentication-file=/dev/stdin", "-S", address, NULL };
	_cleanup_strbuf_ struct strbuf said = { 0 };
	char *input;
	int r;

	if (!t->test->password || t->conf->n_addresses == 0) {
		add(t, "SMB logon", SKIPPED, xstrdup("no password is given"), "vnas directory test --user USER --password-stdin");
		return;
	}
	(void)ipaddr_str(&t->conf->addresses[0].addr, address);
	input = xasprintf("username = %s\npassword = %s\n", user, t->test->password);
	r = ask(t->ref, argv, input, &said, &t->why);
	explicit_bzero(input, strlen(input));
	free(input);
	if (r == 0)
		add(t, "SMB logon", OK, xasprintf("%s is let in", user), NULL);
	else
		add(t, "SMB logon", FAILED, xasprintf("%s is not let in: %.200s", user, ask_last_line(&said, "no answer")),
		    "set the password with `vnas user passwd`");
}

static void run_steps(struct run *t)
{
	char user[PASSWD_FOREIGN_NAME_MAX + 1];

	switch (t->conf->directory.type) {
	case CONF_DIRECTORY_PASSWD:
		add(t, "directory", OK, xstrdup("its users are files of its own"), NULL);
		return;
	case CONF_DIRECTORY_LDAP:
		if (!ldap_servers(t))
			return;
		break;
	case CONF_DIRECTORY_NIS:
		if (!nis_servers(t))
			return;
		break;
	case CONF_DIRECTORY_AD:
		if (!ad_servers(t))
			return;
		break;
	}
	if (!step_users(t, user, sizeof(user)) || !step_lookup(t, user))
		return;
	find_in_both(t);
	/* In a domain every user has an SMB account. */
	if (t->conf->smb_enabled && (t->conf->directory.type == CONF_DIRECTORY_AD || step_account(t, user)))
		step_logon(t, user);
}

int directory_test(const struct psv *psv, const char *server, const struct directory_test *test, json_t **ret,
		   struct err *err)
{
	struct conf conf = { 0 };
	char path[PATH_MAX];
	struct inside_ref ref;
	struct run t = { .conf = &conf, .ref = &ref, .test = test };
	int r = 0;

	if (test->user && !passwd_foreign_name_ok(test->user))
		return passwd_name_check("user", test->user, err);
	r = inside_require(psv, server, &ref, err);
	if (r == 0)
		r = conf_read(psv_conf_path(psv, server, path), server, &conf, err);
	if (r < 0)
		return r;
	t.steps = json_array();
	run_steps(&t);
	conf_free(&conf);
	*ret = t.steps;
	return t.failed ? 1 : 0;
}
