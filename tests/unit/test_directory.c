/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Directories, as far as nothing needs to run: what a server's words mean, and what is generated from the configuration. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "directory/directory.h"
#include "directory/ldif.h"
#include "directory/passwd.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "psv/conf.h"
#include "psv/directory_ask.h"
#include "test.h"

static struct ldif_entry entry;

TEST(ldif_entries_are_read)
{
	char text[] = "dn: uid=a,dc=x\nuid: a\ncn:: bcO8bGxlcg==\ndescription: one\n  and two\n# a comment\n\n\ndn: b\nuid: b\n";
	char *p = text;

	CHECK_INT(ldif_next(&p, &entry), 1);
	CHECK_INT(entry.n, 4);
	CHECK_STR(ldif_get(&entry, "UID"), "a");
	CHECK_STR(ldif_get(&entry, "cn"), "m\xc3\xbcller");
	CHECK_STR(ldif_get(&entry, "description"), "one and two");
	CHECK(!ldif_get(&entry, "none"));
	CHECK_INT(ldif_next(&p, &entry), 1);
	CHECK_STR(ldif_get(&entry, "uid"), "b");
	CHECK_INT(ldif_next(&p, &entry), 0);
}

TEST(ldif_of_a_stranger_does_no_harm)
{
	static const char *const texts[] = { "", "\n", "\n ", ":", "::", "a::", "a:: =", "a:: !!!!", " a: b", "a", "a: b\n ", "a:: QQ\n" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		char *copy = xstrdup(texts[i]), *p = copy;

		while (ldif_next(&p, &entry) > 0)
			CHECK(entry.n > 0 && *entry.v[0].name);
		free(copy);
	}
}

TEST(ldif_takes_no_more_attributes_than_it_has_room_for)
{
	struct strbuf text = { 0 };
	char *p;

	for (int i = 0; i < LDIF_ATTRIBUTES_MAX + 10; i++)
		strbuf_addf(&text, "memberUid: u%d\n", i);
	p = text.buf;
	CHECK_INT(ldif_next(&p, &entry), 1);
	CHECK_INT(entry.n, LDIF_ATTRIBUTES_MAX);
	CHECK_INT(ldif_next(&p, &entry), 0);
	strbuf_free(&text);
}

TEST(directory_names_of_all_languages)
{
	static const char *const good[] = { "a", "m\xc3\xbcller", "\xe7\x94\xb0\xe4\xb8\xad", "a.b-c_d$", "_x", "1a" };
	static const char *const bad[] = { "", "-a", ".a", "123", "a b", "a:b", "a,b", "a/b", "@a", "a\n", "a\"", "\xff", "a\xc3",
					   "a\xe2\x80\xae" };
	char longer[PASSWD_FOREIGN_NAME_MAX + 2] = { 0 };

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		CHECK(passwd_foreign_name_ok(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CHECK(!passwd_foreign_name_ok(bad[i]));
	memset(longer, 'a', sizeof(longer) - 2);
	CHECK(passwd_foreign_name_ok(longer));
	longer[sizeof(longer) - 2] = 'a';
	CHECK(!passwd_foreign_name_ok(longer));
}

static const char ldap_conf[] =
	"[directory]\ntype = ldap\nuri = ldap://192.0.2.1\nuri = ldaps://[2001:db8::1]:1636\nbase = dc=x\nca = %s/ca\n"
	"bind dn = cn=r\nsecret file = %s/secret\n";

static void parse(const char *text, struct conf *ret)
{
	struct err err = { 0 };

	if (conf_parse(text, strlen(text), "f", "one", ret, &err) < 0)
		test_fail(__FILE__, __LINE__, err.text);
}

static void write_file(const char *dir, const char *name, const char *text, mode_t mode)
{
	char path[512];
	FILE *f;

	(void)str_format(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0);
	CHECK_INT(chmod(path, mode), 0);
}

TEST(directory_files_are_judged)
{
	char dir[] = "/tmp/vnas-directory.XXXXXX";
	struct ldap_files f = { 0 };
	struct err err = { 0 };
	struct conf c;
	char *text;

	if (geteuid() != 0)
		SKIP("the secret's file must be root's");
	CHECK(mkdtemp(dir));
	text = xasprintf(ldap_conf, dir, dir);
	parse(text, &c);
	CHECK_INT(ldap_files_read(&c, &f, &err), -ENOENT);
	write_file(dir, "ca", "no certificate\n", 0644);
	CHECK_INT(ldap_files_read(&c, &f, &err), -EBADMSG);
	write_file(dir, "ca", "-----BEGIN CERTIFICATE-----\n", 0644);
	write_file(dir, "secret", "word\n", 0640);
	CHECK_INT(ldap_files_read(&c, &f, &err), -EPERM);
	CHECK(strstr(err.hint, "chmod 600"));
	for (size_t i = 0; i < 5; i++) {
		static const char *const bad[] = { "", "\n", " a\n", "a \n", "a\nb\n" };

		write_file(dir, "secret", bad[i], 0600);
		CHECK_INT(ldap_files_read(&c, &f, &err), -EBADMSG);
	}
	write_file(dir, "secret", "p\xc3\xa4 ss#;=\n", 0600);
	CHECK_INT(ldap_files_read(&c, &f, &err), 0);
	CHECK_STR(f.secret, "p\xc3\xa4 ss#;=");
	ldap_files_free(&f);
	conf_free(&c);
	free(text);
	CHECK_INT(dir_remove_tree_at(AT_FDCWD, dir), 0);
}

TEST(directory_sssd_conf)
{
	static char secret[] = "geheim";
	struct ldap_files with = { .secret = secret }, without = { 0 };
	struct strbuf a = { 0 }, b = { 0 }, canonical = { 0 };
	char *text = xasprintf(ldap_conf, "/x", "/x");
	struct conf c, again;

	parse(text, &c);
	ldap_sssd_conf(&c, &with, &a);
	CHECK(strstr(a.buf, "\nldap_uri = ldap://192.0.2.1, ldaps://[2001:db8::1]:1636\n"));
	CHECK(strstr(a.buf, "\nldap_default_authtok = geheim\n"));
	CHECK(strstr(a.buf, "\nldap_tls_reqcert = demand\n"));
	ldap_sssd_conf(&c, &without, &b);
	CHECK(!strstr(b.buf, "authtok"));
	/* The canonical text names the file, and is a configuration again. */
	conf_print(&c, &canonical);
	CHECK(strstr(canonical.buf, "secret file = /x/secret\n") && strstr(canonical.buf, "starttls = yes\n"));
	parse(canonical.buf, &again);
	CHECK_INT(again.directory.uris.n, 2);
	conf_free(&again);
	conf_free(&c);
	strbuf_free(&a);
	strbuf_free(&b);
	strbuf_free(&canonical);
	free(text);
}

TEST(directory_samba_accounts)
{
	struct strbuf sb = { 0 };
	static const char servers[] = "[directory]\ntype = ldap\nbase = dc=x\nca = /x/ca\nbind dn = cn=r\nsecret file = /x/secret\n"
				      "uri = ldap://192.0.2.1\nuri = %s://[2001:db8::1]:1636\n";
	char *own = xasprintf(servers, "ldap"), *text = xasprintf("%ssamba accounts = directory\n", own), *mixed = NULL;
	struct err err = { 0 };
	struct conf c;

	/* Samba would send its password in the clear to one of them. */
	mixed = xasprintf("%suri = ldaps://192.0.2.3\nsamba accounts = directory\n", own);
	CHECK_INT(conf_parse(mixed, strlen(mixed), "f", "one", &c, &err), -EINVAL);
	CHECK(strstr(err.text, "TLS in one way"));
	free(mixed);
	parse(own, &c);
	directory_smb(&c, &sb);
	CHECK_STR(sb.buf, "\tserver role = standalone server\n\tsecurity = user\n\tpassdb backend = tdbsam\n");
	conf_free(&c);
	strbuf_free(&sb);
	sb = (struct strbuf){ 0 };
	parse(text, &c);
	directory_smb(&c, &sb);
	CHECK(strstr(sb.buf, "passdb backend = ldapsam:\"ldap://192.0.2.1 ldap://[2001:db8::1]:1636\"\n"));
	CHECK(strstr(sb.buf, "\tldap ssl = start tls\n"));
	conf_free(&c);
	strbuf_free(&sb);
	free(own);
	free(text);
}

TEST(directory_nis_files)
{
	struct strbuf sb = { 0 };
	struct conf c;

	parse("[directory]\ntype = nis\ndomain = dept2\nserver = 192.0.2.1\nserver = nis2.example\n", &c);
	nis_yp_conf(&c, &sb);
	CHECK_STR(sb.buf, "domain dept2 server 192.0.2.1\ndomain dept2 server nis2.example\n");
	CHECK_STR(directory_nss(&c), "nis");
	conf_free(&c);
	strbuf_free(&sb);
}

TEST(directory_ad_files)
{
	static const char start[] = "[server]\nhostname = FILESRV1.old.example\nworkgroup = SALES\ndns = 192.0.2.1\n"
				    "[directory]\ntype = ad\nrealm = sales.example\n";
	_cleanup_free_ char *rid = xasprintf("%sidmap = rid\nidmap range = 200000-499999\n", start);
	struct strbuf smb = { 0 }, krb5 = { 0 }, canonical = { 0 };
	char fqdn[64];
	struct conf c, again;

	parse(start, &c);
	directory_smb(&c, &smb);
	CHECK(strstr(smb.buf, "\tsecurity = ads\n") && strstr(smb.buf, "\trealm = SALES.EXAMPLE\n"));
	CHECK(!strstr(smb.buf, "standalone"));
	CHECK(strstr(smb.buf, "\tidmap config * : backend = autorid\n\tidmap config * : range = 100000-199999999\n"));
	ad_krb5_conf(&c, &krb5);
	CHECK(strstr(krb5.buf, "\tdefault_realm = SALES.EXAMPLE\n"));
	CHECK_STR(ad_fqdn(&c, fqdn, sizeof(fqdn)), "filesrv1.sales.example");
	CHECK_STR(directory_nss(&c), "winbind");
	conf_free(&c);
	strbuf_free(&smb);
	smb = (struct strbuf){ 0 };
	parse(rid, &c);
	directory_smb(&c, &smb);
	CHECK(strstr(smb.buf, "\tidmap config SALES : backend = rid\n\tidmap config SALES : range = 200000-499999\n"));
	conf_print(&c, &canonical);
	parse(canonical.buf, &again);
	CHECK(again.directory.idmap_rid && again.directory.idmap.high == 499999);
	conf_free(&again);
	conf_free(&c);
	strbuf_free(&smb);
	strbuf_free(&krb5);
	strbuf_free(&canonical);
}

TEST(directory_words_of_the_inside_are_harmless)
{
	_cleanup_strbuf_ struct strbuf said = { 0 };

	strbuf_addstr(&said, "first\nlast \xc2\x9b" "2J \xe8\xa1\n");
	CHECK_STR(ask_last_line(&said, ""), "last ?2J ?");
}
