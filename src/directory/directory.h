/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a Vsv's users come from: what each type of directory means for the files that the Psv generates.  Nothing here runs
 * anything; what asks a directory is psv/directory_test.c and psv/directory_users.c, and it asks from inside. */
#pragma once

#include <stdbool.h>

#include "lib/str.h"

struct conf;
struct err;

/* Below run/vnas. */
#define DIRECTORY_FOLDER "/run/vnas/directory"
#define DIRECTORY_SSSD_CONF DIRECTORY_FOLDER "/sssd.conf"
#define DIRECTORY_LDAP_CONF DIRECTORY_FOLDER "/ldap.conf"
#define DIRECTORY_CA DIRECTORY_FOLDER "/ca.pem"
#define DIRECTORY_SECRET DIRECTORY_FOLDER "/secret" /* of root alone, without a new line */
#define DIRECTORY_NETCONFIG DIRECTORY_FOLDER "/netconfig"
#define DIRECTORY_KRB5_CONF DIRECTORY_FOLDER "/krb5.conf"
#define DIRECTORY_YP_CONF DIRECTORY_FOLDER "/yp.conf"

/* directory_nss: the word for it in nsswitch.conf(5); NULL: none, its users are files. */
const char *directory_nss(const struct conf *conf);
/* directory_has_hosts: host names come from it as well. */
bool directory_has_hosts(const struct conf *conf);
/* directory_generate: its files below conf_fd, run/vnas of the Vsv.  The Psv's files that the configuration names are read
 * now: a wrong one is said here.  0 or -errno. */
int directory_generate(const struct conf *conf, int conf_fd, struct err *err);
/* directory_check: reads the same files and writes nothing. */
int directory_check(const struct conf *conf, struct err *err);
/* directory_smb: appends to smb.conf what the server is: on its own or a domain's member, and where the SMB accounts are. */
void directory_smb(const struct conf *conf, struct strbuf *sb);

/* ldap.c */
struct ldap_files {
	char *ca;
	size_t ca_len;
	char *secret; /* NULL: none is used */
};
/* ldap_files_read: the two files of the Psv's; the secret's belongs to root alone. */
int ldap_files_read(const struct conf *conf, struct ldap_files *ret, struct err *err);
void ldap_files_free(struct ldap_files *f);
void ldap_sssd_conf(const struct conf *conf, const struct ldap_files *f, struct strbuf *sb);
void ldap_client_conf(const struct conf *conf, struct strbuf *sb);

/* ad.c */
void ad_smb_conf(const struct conf *conf, struct strbuf *sb);
void ad_krb5_conf(const struct conf *conf, struct strbuf *sb);
/* ad_fqdn: its name in the domain: the first label of its host name, with the domain. */
char *ad_fqdn(const struct conf *conf, char *buf, size_t size);

/* nis.c */
void nis_yp_conf(const struct conf *conf, struct strbuf *sb);
extern const char nis_netconfig[]; /* netconfig(5) */
