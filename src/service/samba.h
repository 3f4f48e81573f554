/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Samba's part of service.h: its rows, what can be handed through to smb.conf, and smb.conf itself. */
#pragma once

#include <stdbool.h>

#include "lib/str.h"

struct conf;
struct err;
struct service;

/* Where the generated smb.conf stands inside. */
#define SAMBA_CONF_INSIDE "/run/vnas/samba/smb.conf"

extern const struct service samba_service;
extern const struct service netbios_service;

/* samba_owned_why: the reason why a key of [smb] is owned, as words; NULL: it can be handed through. */
const char *samba_owned_why(const char *key);
/* samba_share_owned_why: for smb.KEY of a share, where also what the share's own keys say is owned. */
const char *samba_share_owned_why(const char *key);

/* samba_key_check, samba_value_check, samba_share_name_check: what can stand in smb.conf without becoming another line,
 * another section or a substitution.  0 or -EINVAL with words. */
int samba_key_check(const char *key, struct err *err);
int samba_value_check(const char *value, struct err *err);
int samba_share_name_check(const char *name, struct err *err);
/* samba_share_is_homes: the share that stands for each user's own folder. */
bool samba_share_is_homes(const char *name);

/* samba_param: the value of a key of [smb], by any of its names (NULL-terminated, as Samba compares them); NULL: not set. */
const char *samba_param(const struct conf *conf, const char *const names[]);
/* samba_charset_convert: from UTF-8 to what `unix charset` names, as smbd reads its configuration.  0 or -EINVAL. */
int samba_charset_convert(const struct conf *conf, const char *text, char **ret, struct err *err);
/* samba_netbios_wanted: it answers to NetBIOS: it may use its broadcast addresses, and has an IPv4 address. */
bool samba_netbios_wanted(const struct conf *conf);

/* The recycle bin of a share: a folder in it, with one a user. */
#define SAMBA_BIN ".recycle"

/* What clients and server agree on, in words of our own. */
struct samba_security {
	const char *min_protocol; /* "SMB2_02" */
	const char *ntlm;         /* "NTLMv2", "NTLMv1", "off" */
	const char *signing;      /* "offered", "required", "off" */
	const char *encryption;   /* "offered", "desired", "required", "off" */
};
void samba_security(const struct conf *conf, struct samba_security *ret);
/* samba_security_warnings: what is weaker than it could be, a sentence each. */
void samba_security_warnings(const struct conf *conf, struct strlist *ret);

/* samba_conf_text: appends the whole smb.conf of a Vsv.  0 or -EINVAL with words. */
int samba_conf_text(const struct conf *conf, struct strbuf *ret, struct err *err);
/* samba_nmbd_conf_text: the one that nmbd reads. */
int samba_nmbd_conf_text(const struct conf *conf, struct strbuf *ret, struct err *err);
