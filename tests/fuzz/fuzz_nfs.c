/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the inside says in the place of an NFS server. */
#include <errno.h>
#include <stdlib.h>

#include "fuzz.h"
#include "service/nfs_probe.h"

static void require(int cond)
{
	if (!cond)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const uint32_t xid = 0x01020304;
	int null = nfs_null_check(data, len, xid), port = nfs_port_check(data, len, xid, 2049),
	    root = nfs_root_check(data, len, xid);

	require((null == 0 || null == -EAGAIN) && (port == 0 || port == -EAGAIN) && (root == 0 || root == -EAGAIN));
	/* They are answers to different questions. */
	require((null == 0) + (port == 0) + (root == 0) <= 1);
	return 0;
}
