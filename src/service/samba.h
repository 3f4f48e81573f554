/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Samba's part of service.h: its row, what can be handed through to smb.conf, and smb.conf itself. */
#pragma once

#include "lib/str.h"

struct conf;
struct err;
struct service;

/* Where the generated smb.conf stands inside. */
#define SAMBA_CONF_INSIDE "/run/vnas/samba/smb.conf"

extern const struct service samba_service;

/* samba_owned_why: the reason why a key of [smb] is owned, as words; NULL: it can be handed through. */
const char *samba_owned_why(const char *key);
/* samba_share_owned_why: for smb.KEY of a share, where also what the share's own keys say is owned. */
const char *samba_share_owned_why(const char *key);

/* samba_key_check, samba_value_check, samba_share_name_check: what can stand in smb.conf without becoming another line,
 * another section or a substitution.  0 or -EINVAL with words. */
int samba_key_check(const char *key, struct err *err);
int samba_value_check(const char *value, struct err *err);
int samba_share_name_check(const char *name, struct err *err);

/* samba_conf_text: appends the whole smb.conf of a Vsv.  0 or -EINVAL with words. */
int samba_conf_text(const struct conf *conf, struct strbuf *ret, struct err *err);
