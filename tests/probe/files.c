/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is asked beside the probes of `vnas verify`: what must go on working, and a few attempts that demonstrations show.
 * Parameters: other_device (MAJOR:MINOR), psv_pid. */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* A node wherever that is possible: refused by mknod, by nodev or by the gate. */
static int device_other_read(void)
{
	static const char *const folders[] = { "/dev", "/tmp", "/root", "/run", "/srv" };
	unsigned major_number, minor_number;
	int r = -ENOENT;

	if (sscanf(param("other_device"), "%u:%u", &major_number, &minor_number) != 2)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "%s/probe-node-%d", folders[i], (int)getpid());
		if (mknod(path, S_IFBLK | 0600, makedev(major_number, minor_number)) < 0) {
			r = -errno;
			continue;
		}
		r = outcome(open(path, O_RDONLY | O_CLOEXEC));
		(void)unlink(path);
		if (r == 0)
			return 0;
	}
	return r;
}

/* Of a kind that no kernel has: who may mount is told that, and nothing is mounted wherever it is tried. */
static int mount_new(void)
{
	return mount("none", "/tmp", "vnas-none", 0, NULL) < 0 && errno != ENODEV ? -errno : 0;
}

static int signal_psv(void) { return outcome(kill((pid_t)param_number("psv_pid"), 0)); }

static int write_etc(void)
{
	int r = outcome(open("/etc/probe", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));

	(void)unlink("/etc/probe");
	return r;
}

/* smbd needs it. */
static int unshare_fs(void) { return outcome(unshare(CLONE_FS)); }

static int open_handle(void)
{
	union {
		struct file_handle h;
		char space[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} u = { .h = { .handle_bytes = MAX_HANDLE_SZ } };
	int id, fd = open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	/* Where the handle itself cannot be had, any bytes will do for the attempt. */
	if (name_to_handle_at(fd, "", &u.h, &id, AT_EMPTY_PATH) < 0)
		u.h = (struct file_handle){ .handle_bytes = 8, .handle_type = 1 };
	return outcome(open_by_handle_at(fd, &u.h, O_RDONLY));
}

static int xattr_trusted(void)
{
	return outcome(syscall(SYS_setxattr, "/root", "trusted.probe", "x", 1, 0));
}
static int set_uid_program(void)
{
	static const char path[] = "/root/probe-suid";
	struct stat st;
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0755), r;

	if (fd < 0)
		return -errno;
	r = outcome(fchmod(fd, 04755));
	if (r == 0 && fstat(fd, &st) == 0)
		r = result("%s", st.st_mode & S_ISUID ? "set" : "dropped");
	(void)close(fd);
	(void)unlink(path);
	return r;
}

const struct attempt file_attempts[] = {
	{ "device-other-read", device_other_read },
	{ "mount-new", mount_new },
	{ "signal-psv", signal_psv },
	{ "write-etc", write_etc },
	{ "unshare-fs", unshare_fs },
	{ "open-by-handle", open_handle },
	{ "xattr-trusted", xattr_trusted },
	{ "set-uid-program", set_uid_program },
	{ NULL, NULL },
};
