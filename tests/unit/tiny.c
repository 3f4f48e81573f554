/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test_inside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/netns.h"
#include "lib/process.h"
#include "psv/root.h"
#include "test.h"

#define BUSYBOX "/bin/busybox"

static int new_mount(const char *type, const char *const options[][2])
{
	_cleanup_close_ int fs = fsopen(type, FSOPEN_CLOEXEC);
	int mnt;

	CHECK(fs >= 0);
	for (; (*options)[0]; options++)
		CHECK_INT(fsconfig(fs, FSCONFIG_SET_STRING, (*options)[0], (*options)[1], 0), 0);
	CHECK_INT(fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0), 0);
	mnt = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	CHECK(mnt >= 0);
	return mnt;
}

static void copy_file(const char *from, int root_fd, const char *to)
{
	_cleanup_close_ int in = open(from, O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int out = openat(root_fd, to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	ssize_t n;

	CHECK(in >= 0 && out >= 0);
	while ((n = sendfile(out, in, NULL, 1 << 20)) > 0)
		;
	CHECK_INT(n, 0);
}

static void write_file(int root_fd, const char *path, const char *text)
{
	_cleanup_close_ int fd = openat(root_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	CHECK(fd >= 0);
	CHECK_INT(fd_write_all(fd, text, strlen(text)), 0);
}

void tiny_root(struct root *root)
{
	static const char *const dirs[] = { "dev", "dev/pts", "proc", "etc", "root", "tmp", "srv", "bin", "home",
					    "home/alice", "run", "usr", "usr/bin", "usr/lib", "usr/lib/vnas" };
	static const char *const tools[] = { "sh", "cat", "head", "yes", "id", "sleep", "kill", "ls", "seq", "dd",
					     "stty", "tty", "ps", "setsid", "env", "readlink", "hostname", "mount",
					     "true", "false", "touch", "wc", "pwd", "grep", "stat", "killall", "logger" };
	int fd;

	if (geteuid() != 0)
		SKIP("needs root");
	if (access(BUSYBOX, X_OK) < 0)
		SKIP("needs busybox-static");
	fd = new_mount("tmpfs", (const char *const[][2]){ { "size", "64m" }, { "mode", "755" }, { NULL, NULL } });

	*root = (struct root){ .n = 2, .conf_fd = -1 };
	for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++)
		CHECK_INT(mkdirat(fd, dirs[i], 0755), 0);
	CHECK_INT(mknodat(fd, "dev/null", S_IFCHR | 0666, makedev(1, 3)), 0);
	CHECK_INT(mknodat(fd, "dev/zero", S_IFCHR | 0666, makedev(1, 5)), 0);
	CHECK_INT(fchmodat(fd, "dev/null", 0666, 0), 0);
	CHECK_INT(symlinkat("/run/log", fd, "dev/log"), 0);
	copy_file(BUSYBOX, fd, "usr/bin/busybox");
	copy_file(TEST_VNAS_INIT, fd, "usr/lib/vnas/vnas-init");
	copy_file(TEST_ALLCALLS, fd, "usr/bin/allcalls");
	copy_file(TEST_CALLS, fd, "usr/bin/calls");
	copy_file(TEST_COUNTED, fd, "usr/bin/counted");
	for (size_t i = 0; i < sizeof(tools) / sizeof(*tools); i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "usr/bin/%s", tools[i]);
		CHECK_INT(symlinkat("busybox", fd, path), 0);
	}
	CHECK_INT(symlinkat("../usr/bin/busybox", fd, "bin/sh"), 0);
	write_file(fd, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1001::/home/alice:/bin/sh\n"
				     "bad:x:-1:0::/:\nworse:x:4294967295:0::/:\n");
	write_file(fd, "etc/group", "root:x:0:\nalice:x:1001:\nstaff:x:1002:bob,alice\n");
	root->mounts[0] = (struct root_mount){ .fd = fd, .target = "" };
	root->mounts[1] = (struct root_mount){
		.fd = new_mount("devpts", (const char *const[][2]){ { "ptmxmode", "666" }, { "mode", "620" },
								    { NULL, NULL } }),
		.target = "dev/pts",
	};
	root->conf_fd = open(test_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* watch: kills and takes away what a test leaves in its cgroup, however it ends. */
static void watch(const struct tiny *t)
{
	int p[2];

	CHECK_INT(pipe2(p, O_CLOEXEC), 0);
	if (fork() != 0) {
		(void)close(p[0]);
		return; /* the writing end stays open as long as the test lives */
	}
	(void)setsid();
	for (int fd = 0; fd < 1024; fd++)
		if (fd != p[0])
			(void)close(fd);
	(void)!read(p[0], &p[1], 1);
	for (int i = 0; i < 500 && access(t->cgroup, F_OK) == 0 && rmdir(t->cgroup) < 0; i++) {
		_cleanup_close_ int dir = open(t->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		(void)file_write_at(dir, "cgroup.kill", "1");
		(void)usleep(10000);
	}
	_exit(0);
}

int tiny_cgroup(struct tiny *t)
{
	static unsigned n;
	const char *base = access("/sys/fs/cgroup/cgroup.procs", F_OK) == 0 ? "/sys/fs/cgroup" :
									       "/sys/fs/cgroup/unified";

	(void)snprintf(t->cgroup, sizeof(t->cgroup), "%s/vnas-test-%d-%u", base, (int)getpid(), n++);
	CHECK_INT(mkdir(t->cgroup, 0755), 0);
	watch(t);
	return open(t->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void tiny_start(struct tiny *t, uint64_t bounding)
{
	_cleanup_close_ int cgroup_fd = -1, net_fd = netns_new(NULL);
	struct err err = { 0 };
	struct root root;
	struct inside_spawn s = { .hostname = "tiny", .domainname = "", .root = &root, .bounding = bounding,
				  .nofile = 1024, .net_fd = &net_fd };
	int r;

	CHECK(net_fd >= 0);
	tiny_root(&root);
	s.cgroup_fd = cgroup_fd = tiny_cgroup(t);
	r = inside_spawn(&s, &t->pid, &err);
	if (r < 0)
		(void)fprintf(stderr, "    %s\n", err.text);
	CHECK_INT(r, 0);
	CHECK_INT(pid_start_time(t->pid, &t->start), 0);
	t->root_fd = root.mounts[0].fd;
	(void)close(root.mounts[1].fd);
	(void)close(root.conf_fd);
	t->conn = inside_connect(t->pid, t->start, &err);
	CHECK(t->conn >= 0);
}

unsigned tiny_processes(const struct tiny *t)
{
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];
	unsigned n = 0;

	(void)snprintf(path, sizeof(path), "%s/cgroup.procs", t->cgroup);
	CHECK_INT(file_read_at(AT_FDCWD, path, 1 << 20, &text, NULL), 0);
	for (char *p = text; (p = strchr(p, '\n')); p++)
		n++;
	return n;
}

void tiny_stop(struct tiny *t)
{
	struct err err = { 0 };
	int r = inside_stop(t->conn, t->pid, t->start, 2000, &err);

	CHECK_INT(r, 0);
	CHECK_INT(tiny_processes(t), 0);
	(void)close(t->root_fd);
	for (int i = 0; rmdir(t->cgroup) < 0 && i < 100; i++)
		(void)nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	CHECK(access(t->cgroup, F_OK) < 0);
}

int tiny_sh(struct tiny *t, const char *command, struct strbuf *out)
{
	const char *const argv[] = { "sh", "-c", command, NULL };
	struct inside_exec e = { .argv = argv, .output = out, .timeout_ms = 20000 };
	struct err err = { 0 };
	int conn = inside_connect(t->pid, t->start, &err), r;

	CHECK(conn >= 0);
	r = inside_exec(conn, &e, &err);
	if (r < 0)
		(void)fprintf(stderr, "    %s\n", err.text);
	(void)close(conn);
	return r;
}
