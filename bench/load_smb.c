/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A share by SMB: smb://SERVER/SHARE, as a guest.  Samba's own client library; one connection a process. */
#include <libsmbclient.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

static void as_guest(const char *server, const char *share, char *workgroup, int workgroup_size, char *user, int user_size,
		     char *password, int password_size)
{
	(void)server, (void)share, (void)workgroup, (void)workgroup_size, (void)user_size, (void)password_size;
	user[0] = password[0] = '\0';
}

static void *smb_connect(const char *target)
{
	char *url = strdup(target);
	int dir;

	if (!url || smbc_init(as_guest, 0) < 0 || (dir = smbc_opendir(url)) < 0) {
		(void)fprintf(stderr, "bench-load: cannot connect to %s: %m\n", target);
		free(url);
		return NULL;
	}
	(void)smbc_closedir(dir);
	return url;
}

static void *smb_open(void *c, const char *name, int flags)
{
	int *fd = malloc(sizeof(*fd));
	char url[512];

	if (!fd)
		return NULL;
	(void)snprintf(url, sizeof(url), "%s/%s", (const char *)c, name);
	*fd = smbc_open(url, flags, 0600);
	if (*fd >= 0)
		return fd;
	free(fd);
	return NULL;
}

static ssize_t smb_read(void *c, void *file, void *buf, size_t n, uint64_t at)
{
	(void)c;
	if (smbc_lseek(*(int *)file, (off_t)at, SEEK_SET) < 0)
		return -1;
	return smbc_read(*(int *)file, buf, n);
}

static ssize_t smb_write(void *c, void *file, const void *buf, size_t n, uint64_t at)
{
	(void)c;
	if (smbc_lseek(*(int *)file, (off_t)at, SEEK_SET) < 0)
		return -1;
	return smbc_write(*(int *)file, buf, n);
}

/* The library has no flush. */
static int smb_sync(void *c, void *file)
{
	(void)c, (void)file;
	return -1;
}

static int smb_close(void *c, void *file)
{
	int r = smbc_close(*(int *)file);

	(void)c;
	free(file);
	return r;
}

const struct backend load_smb = {
	.prefix = "smb://",
	.connect = smb_connect,
	.open = smb_open,
	.read = smb_read,
	.write = smb_write,
	.sync = smb_sync,
	.close = smb_close,
};
