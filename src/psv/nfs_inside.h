/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NFS, as far as something must be done inside for it. */
#pragma once

struct conf;
struct conf_share;
struct err;
struct inside_ref;

/* nfs_prepare: what its services find on the root volume and in /run; nothing for a server without NFS shares. */
int nfs_prepare(const struct conf *conf, const struct inside_ref *ref, struct err *err);
/* nfs_check_keys: a share that wants Kerberos has a keytab inside.  0 or -ENOKEY with words. */
int nfs_check_keys(const struct conf_share *s, const struct inside_ref *ref, struct err *err);
/* nfs_rpc_user: the user of rpcbind. */
int nfs_rpc_user(const struct inside_ref *ref, struct err *err);
