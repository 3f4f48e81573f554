/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clients of NFS that are connected to a running Vsv. */
#pragma once

#include <jansson.h>

struct err;
struct psv;

/* nfs_sessions_list: appends to an array of sessions (psv/smbstatus.h):
 *   {"protocol":"nfs","user":null,"client","address","connections"}
 * one for each address of a client's at each of the server's.  By which version a client speaks, as whom and to which share the kernel
 * does not know, and Ganesha tells nobody without D-Bus.  Nothing where NFS is not served.  0 or -errno; -ESRCH with
 * VNAS_EXIT_NOT_RUNNING. */
int nfs_sessions_list(const struct psv *psv, const char *server, json_t *list, struct err *err);
