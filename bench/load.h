/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where bench-load puts its load: a server by SMB or NFS, or a folder. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct backend {
	const char *prefix; /* of the targets that are its */
	/* connect: NULL and a message on standard error when it fails. */
	void *(*connect)(const char *target);
	/* The others: less than 0 when they fail.  open: the flags of open(2); NULL when it fails. */
	void *(*open)(void *c, const char *name, int flags);
	ssize_t (*read)(void *c, void *file, void *buf, size_t n, uint64_t at);
	ssize_t (*write)(void *c, void *file, const void *buf, size_t n, uint64_t at);
	int (*sync)(void *c, void *file);
	int (*close)(void *c, void *file);
};

extern const struct backend load_smb, load_nfs, load_file;
