/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asking an NFS server whether it serves, from the Psv. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct conf;
struct ipaddr;

enum { NFS_PORT = 2049 };

/* nfs_probe: 0: each version that is configured answers: of NFS 4 to a look-up of the root; of NFS 3 nfsd and mountd to a NULL
 * call, and rpcbind knows where they are.  -EAGAIN: not yet. */
int nfs_probe(const struct conf *conf, const struct ipaddr *address, int timeout_ms);

/* The answers, for the tests: one record without its marks, as it came.  0, or -EAGAIN.
 * nfs_null_check: to a NULL call.  nfs_port_check: rpcbind's, with that port.  nfs_root_check: to a look-up of the root. */
int nfs_null_check(const void *record, size_t len, uint32_t xid);
int nfs_port_check(const void *record, size_t len, uint32_t xid, uint32_t port);
int nfs_root_check(const void *record, size_t len, uint32_t xid);
