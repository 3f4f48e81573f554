/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test_volume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/str.h"
#include "psv/loop.h"
#include "test.h"

void volume_host_make(struct volume_host *h, const char *tmpfs_size)
{
	char options[64];

	if (geteuid() != 0)
		SKIP("needs root");
	if (access("/dev/loop-control", R_OK | W_OK) < 0)
		SKIP("needs loop devices");
	(void)snprintf(options, sizeof(options), "size=%s", tmpfs_size);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("vnas-test", test_dir(), "tmpfs", 0, options) < 0)
		SKIP("cannot mount a tmpfs");
	*h = (struct volume_host){ 0 };
	(void)str_format(h->psv.etc, sizeof(h->psv.etc), "%s/etc/vnas", test_dir());
	(void)str_format(h->psv.lib, sizeof(h->psv.lib), "%s/lib", test_dir());
	(void)str_format(h->psv.run, sizeof(h->psv.run), "%s/run", test_dir());
	(void)str_format(h->pool_path, sizeof(h->pool_path), "%s/pool", test_dir());
	CHECK_INT(dir_make_path(h->psv.etc, 0700), 0);
	CHECK_INT(dir_make_path(h->psv.lib, 0700), 0);
	h->pool = (struct conf_pool){ .name = "default", .type = CONF_POOL_FILE, .path = h->pool_path };
	h->psv.conf = (struct conf_psv){ .pools = &h->pool, .n_pools = 1 };
}

struct conf_volume volume_conf(const char *name, enum conf_fs fs, unsigned mib)
{
	struct conf_volume v = { .fs = fs, .size_bytes = (uint64_t)mib << 20 };

	CHECK(str_copy(v.name, sizeof(v.name), name));
	return v;
}

int host_loop(struct volume_host *h, const char *file, unsigned mib, char device[64])
{
	_cleanup_close_ int fd = -1;
	struct err e = { 0 };
	struct loop l;
	char path[256];

	(void)str_format(path, sizeof(path), "%s/%s", h->psv.lib, file);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	CHECK_INT(ftruncate(fd, (off_t)mib << 20), 0);
	CHECK_INT(loop_attach(fd, 0, "test", &l, &e), 0);
	memcpy(device, l.device, sizeof(l.device));
	return l.fd;
}

unsigned loop_count(const char *text)
{
	_cleanup_closedir_ DIR *d = opendir("/sys/block");
	struct dirent *e;
	unsigned n = 0;

	CHECK(d);
	while ((e = readdir(d))) {
		char path[512], file[4096];

		(void)str_format(path, sizeof(path), "/sys/block/%s/loop/backing_file", e->d_name);
		if (str_starts(e->d_name, "loop") && file_read_small(AT_FDCWD, path, file, sizeof(file)) == 0 &&
		    strstr(file, text))
			n++;
	}
	return n;
}

unsigned pool_files(const struct volume_host *h)
{
	_cleanup_closedir_ DIR *d = opendir(h->pool_path);
	struct dirent *e;
	unsigned n = 0;

	while (d && (e = readdir(d)))
		n += e->d_name[0] != '.';
	return n;
}
