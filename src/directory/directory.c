/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "directory/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "psv/conf.h"

const char *directory_nss(const struct conf *conf)
{
	static const char *const words[] = { [CONF_DIRECTORY_LDAP] = "sss", [CONF_DIRECTORY_NIS] = "nis",
					     [CONF_DIRECTORY_AD] = "winbind" };
	size_t type = (size_t)conf->directory.type;

	return type < sizeof(words) / sizeof(*words) ? words[type] : NULL;
}

bool directory_has_hosts(const struct conf *conf)
{
	return conf->directory.type == CONF_DIRECTORY_NIS;
}

static int write_one(int dir, const char *name, const char *text, size_t len, mode_t mode, struct err *err)
{
	int r = file_write_atomic_at(dir, name, text, len, mode);

	return r < 0 ? err_set(err, r, "cannot write %s: %s", name, strerror(-r)) : 0;
}

/* What a former configuration left would still be read by whoever knows its path. */
static int clear(int dir, struct err *err)
{
	static const char *const files[] = { "sssd.conf", "ldap.conf", "ca.pem", "secret", "yp.conf", "netconfig",
					     "krb5.conf" };

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		if (unlinkat(dir, files[i], 0) < 0 && errno != ENOENT)
			return err_set(err, -errno, "cannot remove %s: %m", files[i]);
	return 0;
}

static int write_ldap(const struct conf *conf, const struct ldap_files *f, int dir, struct err *err)
{
	_cleanup_strbuf_ struct strbuf sssd = { 0 }, client = { 0 };
	int r = 0;

	ldap_sssd_conf(conf, f, &sssd);
	ldap_client_conf(conf, &client);
	if (f->ca)
		r = write_one(dir, "ca.pem", f->ca, f->ca_len, 0644, err);
	if (r == 0 && f->secret)
		r = write_one(dir, "secret", f->secret, strlen(f->secret), 0600, err);
	if (r == 0)
		r = write_one(dir, "ldap.conf", client.buf, client.len, 0644, err);
	if (r == 0)
		r = write_one(dir, "sssd.conf", sssd.buf, sssd.len, 0600, err);
	explicit_bzero(sssd.buf, sssd.len);
	return r;
}

static int generate_ldap(const struct conf *conf, int dir, struct err *err)
{
	struct ldap_files f = { 0 };
	int r = ldap_files_read(conf, &f, err);

	if (r == 0)
		r = clear(dir, err);
	if (r == 0)
		r = write_ldap(conf, &f, dir, err);
	ldap_files_free(&f);
	return r;
}

static int generate_nis(const struct conf *conf, int dir, struct err *err)
{
	_cleanup_strbuf_ struct strbuf text = { 0 };
	int r = clear(dir, err);

	nis_yp_conf(conf, &text);
	if (r == 0)
		r = write_one(dir, "netconfig", nis_netconfig, strlen(nis_netconfig), 0644, err);
	return r < 0 ? r : write_one(dir, "yp.conf", text.buf, text.len, 0644, err);
}

static int generate_ad(const struct conf *conf, int dir, struct err *err)
{
	_cleanup_strbuf_ struct strbuf text = { 0 };
	int r = clear(dir, err);

	ad_krb5_conf(conf, &text);
	return r < 0 ? r : write_one(dir, "krb5.conf", text.buf, text.len, 0644, err);
}

int directory_generate(const struct conf *conf, int conf_fd, struct err *err)
{
	_cleanup_close_ int dir = -1;

	if (mkdirat(conf_fd, "directory", 0755) < 0 && errno != EEXIST)
		return err_set(err, -errno, "cannot make its folder: %m");
	dir = dir_open(conf_fd, "directory");
	if (dir < 0)
		return err_set(err, dir, "cannot open its folder: %s", strerror(-dir));
	switch (conf->directory.type) {
	case CONF_DIRECTORY_LDAP:
		return generate_ldap(conf, dir, err);
	case CONF_DIRECTORY_NIS:
		return generate_nis(conf, dir, err);
	case CONF_DIRECTORY_AD:
		return generate_ad(conf, dir, err);
	case CONF_DIRECTORY_PASSWD:
		break;
	}
	return clear(dir, err);
}

int directory_check(const struct conf *conf, struct err *err)
{
	struct ldap_files f = { 0 };
	int r = 0;

	if (conf->directory.type == CONF_DIRECTORY_LDAP)
		r = ldap_files_read(conf, &f, err);
	ldap_files_free(&f);
	return r;
}

void directory_smb(const struct conf *conf, struct strbuf *sb)
{
	const struct conf_directory *d = &conf->directory;

	if (d->type == CONF_DIRECTORY_AD) {
		ad_smb_conf(conf, sb);
		return;
	}
	strbuf_addstr(sb, "\tserver role = standalone server\n\tsecurity = user\n");
	if (d->type != CONF_DIRECTORY_LDAP || !d->samba_accounts) {
		strbuf_addstr(sb, "\tpassdb backend = tdbsam\n");
		return;
	}
	strbuf_addstr(sb, "\tpassdb backend = ldapsam:\"");
	for (size_t i = 0; i < d->uris.n; i++)
		strbuf_addf(sb, "%s%s", i ? " " : "", d->uris.v[i]);
	strbuf_addf(sb, "\"\n\tldap suffix = %s\n\tldap admin dn = %s\n", d->base, d->bind_dn);
	/* It asks for TLS on ldap:// alone. */
	strbuf_addf(sb, "\tldap ssl = %s\n", d->starttls && str_starts(d->uris.v[0], "ldap:") ? "start tls" : "off");
	strbuf_addstr(sb, "\tldap connection timeout = 3\n\tldap timeout = 10\n\tldap passwd sync = no\n");
}
