/* SPDX-License-Identifier: GPL-2.0-or-later */
/* LDAP.  Inside, sssd answers for users and groups: it needs no capability, asks the servers in their order, and keeps
 * what it learnt on the root volume, so that a server that is away for a while takes nobody's files away. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "directory/directory.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "psv/conf.h"

enum { CA_MAX_BYTES = 1024 * 1024, SECRET_MAX_BYTES = 1024 };

void ldap_files_free(struct ldap_files *f)
{
	if (f->secret)
		explicit_bzero(f->secret, strlen(f->secret));
	free(f->secret);
	free(f->ca);
	*f = (struct ldap_files){ 0 };
}

static int read_ca(const char *path, struct ldap_files *f, struct err *err)
{
	int r = file_read_at(AT_FDCWD, path, CA_MAX_BYTES, &f->ca, &f->ca_len);

	if (r < 0)
		return err_set(err, r, "cannot read the certificates %s: %s", path, strerror(-r));
	if (strlen(f->ca) != f->ca_len || !strstr(f->ca, "-----BEGIN CERTIFICATE-----"))
		return err_set(err, -EBADMSG, "%s holds no certificate in PEM form", path);
	/* It becomes readable by everybody inside. */
	if (strstr(f->ca, "PRIVATE KEY-----"))
		return err_set(err, -EBADMSG, "%s holds a private key: expected certificates alone", path);
	return 0;
}

/* secret_ok: what fits into a line of sssd.conf, whose reader strips blanks at both ends. */
static bool secret_ok(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || *s == ' ' || s[n - 1] == ' ')
		return false;
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return false;
	return true;
}

static int read_secret(const char *path, struct ldap_files *f, struct err *err)
{
	struct stat st;
	size_t len;
	int r = file_read_at(AT_FDCWD, path, SECRET_MAX_BYTES, &f->secret, &len);

	if (r < 0)
		return err_set(err, r, "cannot read the secret file %s: %s", path, strerror(-r));
	if (stat(path, &st) < 0)
		return err_set(err, -errno, "cannot look at the secret file %s: %m", path);
	if (st.st_uid != 0 || (st.st_mode & 077)) {
		(void)err_set(err, -EPERM, "others than root can read the secret file %s", path);
		return err_hint(err, -EPERM, "chown root: %s && chmod 600 %s", path, path);
	}
	if (len && f->secret[len - 1] == '\n')
		f->secret[--len] = '\0';
	if (strlen(f->secret) != len || !secret_ok(f->secret))
		return err_set(err, -EBADMSG, "the secret file %s does not hold one line with a password that neither begins nor "
			       "ends with a blank", path);
	return 0;
}

int ldap_files_read(const struct conf *conf, struct ldap_files *ret, struct err *err)
{
	const struct conf_directory *d = &conf->directory;
	struct ldap_files f = { 0 };
	int r = 0;

	if (d->ca)
		r = read_ca(d->ca, &f, err);
	if (r == 0 && d->secret_file)
		r = read_secret(d->secret_file, &f, err);
	if (r < 0) {
		ldap_files_free(&f);
		return r;
	}
	*ret = f;
	return 0;
}

static void add_uris(const struct conf_directory *d, const char *separator, struct strbuf *sb)
{
	for (size_t i = 0; i < d->uris.n; i++)
		strbuf_addf(sb, "%s%s", i ? separator : "", d->uris.v[i]);
}

/* domain_number: another directory is another domain to sssd, with a cache of its own: nobody of the one before is left. */
static uint32_t domain_number(const char *base)
{
	uint32_t h = 2166136261u;

	for (; *base; base++)
		h = (h ^ (unsigned char)*base) * 16777619u;
	return h;
}

void ldap_sssd_conf(const struct conf *conf, const struct ldap_files *f, struct strbuf *sb)
{
	const struct conf_directory *d = &conf->directory;

	strbuf_addf(sb, "[sssd]\nservices = nss\ndomains = ldap-%08x\n", domain_number(d->base));
	strbuf_addstr(sb, "try_inotify = false\n" /* resolv.conf changes with a reload alone */
			  "\n[nss]\n"
			  "filter_users = root\n"
			  "filter_groups = root\n"
			  /* MiB on the root volume, which may be small. */
			  "memcache_size_passwd = 2\n"
			  "memcache_size_group = 2\n"
			  "memcache_size_initgroups = 2\n"
			  "memcache_size_sid = 0\n"
			  );
	strbuf_addf(sb, "\n[domain/ldap-%08x]\n", domain_number(d->base));
	strbuf_addstr(sb, "id_provider = ldap\n"
			  "auth_provider = none\n"
			  "access_provider = permit\n"
			  "chpass_provider = none\n"
			  "sudo_provider = none\n"
			  "autofs_provider = none\n"
			  "enumerate = false\n"
			  /* Fresh for five minutes; what is older is still the answer while no server gives one. */
			  "entry_cache_timeout = 300\n"
			  "ldap_network_timeout = 3\n"
			  "ldap_opt_timeout = 4\n"
			  "ldap_search_timeout = 10\n"
			  /* Seconds until a server that was away is asked again. */
			  "offline_timeout = 5\n"
			  "offline_timeout_max = 30\n"
			  "offline_timeout_random_offset = 1\n");
	strbuf_addstr(sb, "ldap_uri = ");
	add_uris(d, ", ", sb);
	strbuf_addf(sb, "\nldap_search_base = %s\nldap_id_use_start_tls = %s\nldap_tls_reqcert = demand\n", d->base,
		    d->starttls ? "true" : "false");
	if (f->ca)
		strbuf_addstr(sb, "ldap_tls_cacert = " DIRECTORY_CA "\n");
	if (f->secret)
		strbuf_addf(sb, "ldap_default_bind_dn = %s\nldap_default_authtok = %s\n", d->bind_dn, f->secret);
}

/* For ldapsearch and its kin, and for Samba. */
void ldap_client_conf(const struct conf *conf, struct strbuf *sb)
{
	const struct conf_directory *d = &conf->directory;

	strbuf_addstr(sb, "URI ");
	add_uris(d, " ", sb);
	strbuf_addf(sb, "\nBASE %s\nNETWORK_TIMEOUT 3\nTIMEOUT 10\nTLS_REQCERT demand\n", d->base);
	if (d->ca)
		strbuf_addstr(sb, "TLS_CACERT " DIRECTORY_CA "\n");
}
