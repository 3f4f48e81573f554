/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NFS, as far as something must be done inside for it. */
#pragma once

struct conf;
struct conf_share;
struct err;
struct inside_ref;
struct strlist;

/* nfs_wants: appends what must be there inside before its services begin (inside_look()); nothing for a server without NFS
 * shares.  nfs_prepare: makes what of it is missing; -ENOENT: the template has no NFS server. */
void nfs_wants(const struct conf *conf, struct strlist *ret);
int nfs_prepare(const struct conf *conf, const struct inside_ref *ref, const struct strlist *missing, struct err *err);
/* nfs_write_devices: tells Ganesha which file systems there are, just before it begins; it looks itself otherwise. */
void nfs_write_devices(const struct conf *conf, const struct inside_ref *ref);
/* nfs_prepare_change: both for a server that runs, as far as `conf` needs what `old` did not.  That a tenant has since taken away what
 * both need is no reason to refuse an unrelated change. */
int nfs_prepare_change(const struct conf *old, const struct conf *conf, const struct inside_ref *ref, struct err *err);
/* nfs_check_keys: a share that wants Kerberos has a keytab inside.  0 or -ENOKEY with words. */
int nfs_check_keys(const struct conf_share *s, const struct inside_ref *ref, struct err *err);
/* nfs_rpc_user: the user of rpcbind. */
int nfs_rpc_user(const struct inside_ref *ref, struct err *err);
