/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A folder by NFS: nfs://SERVER/EXPORT/?version=3, say, as libnfs takes it. */
#include <fcntl.h>
#include <nfsc/libnfs.h>
#include <stdio.h>

#include "load.h"

static void *nfs_connect(const char *target)
{
	struct nfs_context *nfs = nfs_init_context();
	struct nfs_url *url = nfs ? nfs_parse_url_dir(nfs, target) : NULL;

	if (!url || nfs_mount(nfs, url->server, url->path) < 0) {
		(void)fprintf(stderr, "bench-load: cannot mount %s: %s\n", target, nfs ? nfs_get_error(nfs) : "no memory");
		return NULL;
	}
	nfs_destroy_url(url);
	return nfs;
}

static void *nfs_open_file(void *c, const char *name, int flags)
{
	struct nfsfh *file;
	char path[256];
	int r;

	(void)snprintf(path, sizeof(path), "/%s", name);
	r = flags & O_CREAT ? nfs_create(c, path, flags, 0600, &file) : nfs_open(c, path, flags, &file);
	if (r >= 0)
		return file;
	(void)fprintf(stderr, "bench-load: %s: %s\n", path, nfs_get_error(c));
	return NULL;
}

static ssize_t nfs_read_file(void *c, void *file, void *buf, size_t n, uint64_t at)
{
	return nfs_pread(c, file, at, n, buf);
}

static ssize_t nfs_write_file(void *c, void *file, const void *buf, size_t n, uint64_t at)
{
	return nfs_pwrite(c, file, at, n, buf);
}

static int nfs_sync_file(void *c, void *file)
{
	return nfs_fsync(c, file);
}

static int nfs_close_file(void *c, void *file)
{
	return nfs_close(c, file);
}

const struct backend load_nfs = {
	.prefix = "nfs://",
	.connect = nfs_connect,
	.open = nfs_open_file,
	.read = nfs_read_file,
	.write = nfs_write_file,
	.sync = nfs_sync_file,
	.close = nfs_close_file,
};
