/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What open_by_handle_at(2) opens.  As a program: `handles get FILE` prints the handle of a file, `handles try HANDLE FOLDER…`
 * tries it on the mounts of folders.  Loaded into a program (ld.so.preload), where that has the right: tries each handle
 * that /root/handles names on every mount there is, on its own standard streams and on the kernel's own file systems, and
 * writes what came of it to /root/handles.out, and whether it may write the attribute that is Samba's. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { FD_PIDFS_ROOT = -10002, FD_NSFS_ROOT = -10003, TYPE_NSFS = 0xf1 };

union handle {
	struct file_handle h;
	unsigned char space[sizeof(struct file_handle) + MAX_HANDLE_SZ];
};

static bool parse(const char *text, union handle *ret)
{
	unsigned type, byte;
	int n = 0;

	memset(ret, 0, sizeof(*ret));
	if (sscanf(text, "%u:%n", &type, &n) != 1 || n == 0)
		return false;
	ret->h.handle_type = (int)type;
	for (text += n; sscanf(text, "%2x", &byte) == 1 && ret->h.handle_bytes < MAX_HANDLE_SZ; text += 2)
		ret->h.f_handle[ret->h.handle_bytes++] = (unsigned char)byte;
	return ret->h.handle_bytes > 0;
}

/* try_one: what it is, and what is in it, on one line. */
static void try_one(FILE *out, int at, const char *what, union handle *handle)
{
	char text[128] = "";
	struct stat st;
	int fd = open_by_handle_at(at, &handle->h, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0) {
		(void)fprintf(out, "%s %s\n", what, strerrorname_np(errno));
		return;
	}
	if (fstat(fd, &st) < 0 || read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	(void)fprintf(out, "%s OPENED %s\n", what, text);
	(void)close(fd);
}

static void try_mounts(FILE *out, union handle *handle)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[1024], path[512];

	while (f && fgets(line, sizeof(line), f)) {
		int at;

		if (sscanf(line, "%*d %*d %*s %*s %511s", path) != 1)
			continue;
		at = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (at < 0)
			continue;
		try_one(out, at, path, handle);
		(void)close(at);
	}
	if (f)
		(void)fclose(f);
	for (int fd = 0; fd < 3; fd++)
		try_one(out, fd, "stream", handle);
}

/* The kernel's own: processes and namespaces can be named by handles too. */
static void try_kernel(FILE *out)
{
	union handle handle;

	for (uint64_t id = 1; id < 64; id++) {
		memset(&handle, 0, sizeof(handle));
		handle.h.handle_bytes = 16;
		handle.h.handle_type = TYPE_NSFS;
		memcpy(handle.h.f_handle, &id, sizeof(id));
		try_one(out, FD_NSFS_ROOT, "namespace", &handle);
	}
	for (uint64_t inode = 1; inode < 512; inode++) {
		memset(&handle, 0, sizeof(handle));
		handle.h.handle_bytes = sizeof(inode);
		handle.h.handle_type = 0xfe;
		memcpy(handle.h.f_handle, &inode, sizeof(inode));
		try_one(out, FD_PIDFS_ROOT, "process", &handle);
	}
}

static bool may(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];

	return syscall(SYS_capget, &h, d) == 0 && (d[0].effective & 1u << CAP_DAC_READ_SEARCH);
}

__attribute__((constructor)) static void loaded(void)
{
	char line[512];
	union handle handle;
	FILE *in, *out;

	if (!may())
		return;
	in = fopen("/root/handles", "re");
	if (!in)
		return;
	out = fopen("/root/handles.out", "ae");
	while (out && fgets(line, sizeof(line), in))
		if (parse(line, &handle))
			try_mounts(out, &handle);
	if (out) {
		(void)fprintf(out, "xattr %s\n",
			      setxattr("/srv/data/docs/own", "user.NTACL", "forged", 6, 0) < 0 ? strerrorname_np(errno) : "WRITTEN");
		try_kernel(out);
		(void)fclose(out);
	}
	(void)fclose(in);
}

int main(int argc, char **argv)
{
	union handle handle = { .h = { .handle_bytes = MAX_HANDLE_SZ } };
	int id;

	if (argc == 3 && strcmp(argv[1], "get") == 0) {
		if (name_to_handle_at(AT_FDCWD, argv[2], &handle.h, &id, 0) < 0)
			return 1;
		printf("%d:", handle.h.handle_type);
		for (unsigned i = 0; i < handle.h.handle_bytes; i++)
			printf("%02x", handle.h.f_handle[i]);
		printf("\n");
		return 0;
	}
	if (argc < 4 || strcmp(argv[1], "try") != 0 || !parse(argv[2], &handle))
		return 2;
	for (int i = 3; i < argc; i++) {
		int at = open(argv[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (at >= 0)
			try_one(stdout, at, argv[i], &handle);
	}
	return 0;
}
