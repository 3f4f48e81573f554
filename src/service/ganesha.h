/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NFS's part of service.h: NFS-Ganesha, unmodified, and statd, which NFS 3 needs besides. */
#pragma once

#include <stdbool.h>
#include <time.h>

#include "lib/str.h"

struct conf;
struct err;
struct service;

extern const struct service ganesha_service, statd_service;

/* Where what is generated for it stands inside. */
#define GANESHA_DIR_INSIDE "/run/vnas/ganesha"
#define GANESHA_CONF_INSIDE GANESHA_DIR_INSIDE "/ganesha.conf"
#define GANESHA_GRACELESS_INSIDE GANESHA_DIR_INSIDE "/graceless.conf"
#define GANESHA_DEVICES "blkid.tab"
#define GANESHA_DEVICES_INSIDE GANESHA_DIR_INSIDE "/" GANESHA_DEVICES
#define GANESHA_IDMAP_INSIDE GANESHA_DIR_INSIDE "/idmapd.conf"
#define GANESHA_START_INSIDE GANESHA_DIR_INSIDE "/start"
#define GANESHA_TOLD_INSIDE "/var/lib/nfs/ganesha/told"
#define GANESHA_NETCONFIG_INSIDE GANESHA_DIR_INSIDE "/netconfig"
#define GANESHA_KEYTAB_INSIDE "/etc/krb5.keytab"

/* ganesha_serves_v3: it has NFS shares, and serves them by NFS 3. */
bool ganesha_serves_v3(const struct conf *conf);

/* ganesha_uses_krb5: a share wants Kerberos, which Ganesha must know when it starts. */
bool ganesha_uses_krb5(const struct conf *conf);

/* ganesha_share_name_check: what can be a folder in the namespace of NFS 4 and stand in ganesha.conf.  0 or -EINVAL. */
int ganesha_share_name_check(const char *name, struct err *err);
extern const char ganesha_netconfig[]; /* netconfig(5) */
/* ganesha_conf_text, ganesha_idmap_text: append the whole files of a Vsv.  graceless: for a start where no client was.  0 or -EINVAL with words. */
int ganesha_conf_text(const struct conf *conf, bool graceless, struct strbuf *ret, struct err *err);
/* ganesha_devices_text: appends what libblkid would find on the data volumes, as its cache has it, found at that time. */
void ganesha_devices_text(const struct conf *conf, const struct timespec *when, struct strbuf *ret);
/* ganesha_start_text: appends how it is started, for sh(1). */
void ganesha_start_text(const struct conf *conf, struct strbuf *ret);
void ganesha_idmap_text(const struct conf *conf, struct strbuf *ret);
/* rpcbind_lists: appends the two files that rpcbind reads at its start. */
void rpcbind_lists(const struct conf *conf, struct strbuf *ret_rpcb, struct strbuf *ret_pmap);
