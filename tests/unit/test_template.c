/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/str.h"
#include "psv/psv.h"
#include "psv/root-mount.h"
#include "psv/template-parts.h"
#include "psv/template.h"
#include "template_fixture.h"
#include "test.h"

/* ---- dpkg's database ---- */

static const char status_text[] =
	"Package: dpkg\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n"
	"Package: app\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2:1.0-1\n"
	"Pre-Depends: pre\nDepends: lib (>= 2), nothing | virtual:any,\n python3 (>= 3)\n"
	"Description: an app\n with lines: that continue\n .\n\n"
	"Package: lib\nStatus: install ok installed\nArchitecture: i386\nVersion: 9\n\n"
	"Package: lib\nStatus: hold ok triggers-pending\nArchitecture: amd64\nVersion: 2\nDepends: app\n\n"
	"Package: pre\nStatus: install ok installed\nArchitecture: all\nVersion: 3\n\n"
	"Package: real\nStatus: install ok installed\nArchitecture: all\nVersion: 4\nProvides: other (= 1), virtual\n\n"
	"Package: half\nStatus: install ok half-configured\nArchitecture: amd64\nVersion: 5\n\n"
	"Package: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 6\n\n"
	"Package: broken\nStatus: install ok installed\nArchitecture: amd64\nVersion: 7\nDepends: missing | half\n";

TEST(dpkg_status_is_read_strictly)
{
	struct err e = { 0 };
	struct dpkg d;

	CHECK_INT(dpkg_parse_status(xstrdup(status_text), &d, &e), 0);
	CHECK_INT(d.n, 6);
	CHECK(!dpkg_find(&d, "half") && !dpkg_find(&d, "gone"));
	CHECK_STR(dpkg_find(&d, "lib")->version, "2");
	CHECK_INT(dpkg_choose(&d, "app", &e), 0);
	CHECK(dpkg_find(&d, "lib")->chosen && dpkg_find(&d, "pre")->chosen && dpkg_find(&d, "real")->chosen);
	CHECK(!dpkg_find(&d, "broken")->chosen);
	CHECK_INT(dpkg_choose(&d, "half", &e), -ENOENT);
	CHECK_STR(e.hint, "run apt-get install half");
	CHECK_INT(dpkg_choose(&d, "broken", &e), -ENOENT);
	CHECK_STR(e.text, "package broken needs missing | half, which is not installed");
	dpkg_free(&d);
	CHECK_INT(dpkg_parse_status(xstrdup("Package: x\nrubbish\n"), &d, &e), -EBADMSG);
	CHECK_INT(dpkg_parse_status(xstrdup(""), &d, &e), 0);
	CHECK_INT(d.n, 0);
	dpkg_free(&d);
}

TEST(paths_below_usr)
{
	char buf[64];

	CHECK_STR(path_below_usr("/usr/bin/x", buf, sizeof(buf)), "bin/x");
	CHECK_STR(path_below_usr("/lib64/ld.so", buf, sizeof(buf)), "lib64/ld.so");
	CHECK(!path_below_usr("/etc/passwd", buf, sizeof(buf)));
	CHECK(!path_below_usr("/library/x", buf, sizeof(buf)));
	CHECK(!path_below_usr("/usr", buf, sizeof(buf)));
	CHECK(!path_below_usr("bin/x", buf, sizeof(buf)));
	CHECK(!recipe_wants_file("local/bin/x"));
	CHECK(recipe_wants_file("lib/x86_64-linux-gnu/gconv/EUC-JP.so"));
	CHECK(recipe_leaves_out("python3.11-minimal"));
	CHECK(!recipe_leaves_out("libc6"));
}

/* ---- A real one ---- */

static unsigned count_files(const char *path)
{
	DIR *d = opendir(path);
	unsigned n = 0;

	CHECK(d);
	while (readdir(d))
		n++;
	(void)closedir(d);
	return n - 2;
}

/* In a child whose root is the overlay at /usr of a tmpfs. */
static int run_inside(int usr_fd, const char *const argv[])
{
	int status;
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC), root = mount_new("tmpfs", NULL, 0, NULL);
		static const char *const links[] = { "bin", "sbin", "lib", "lib64" };

		if (null < 0 || dup2(null, 1) < 0 || root < 0 || unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
			_exit(120);
		for (size_t i = 0; i < 4; i++) {
			char target[16];

			(void)str_format(target, sizeof(target), "usr/%s", links[i]);
			if (symlinkat(target, root, links[i]) < 0)
				_exit(121);
		}
		if (mkdirat(root, "usr", 0755) < 0 || mkdirat(root, "etc", 0755) < 0 ||
		    symlinkat("../usr/lib/vnas/ld.so.cache", root, "etc/ld.so.cache") < 0 ||
		    move_mount(root, "", AT_FDCWD, "/mnt", MOVE_MOUNT_F_EMPTY_PATH) < 0 ||
		    move_mount(usr_fd, "", AT_FDCWD, "/mnt/usr", MOVE_MOUNT_F_EMPTY_PATH) < 0 || chroot("/mnt") < 0 ||
		    chdir("/") < 0)
			_exit(122);
		(void)execv(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void check_programs(const struct psv *psv, const char *name)
{
	static const char *const commands[][8] = {
		{ "/usr/sbin/smbd", "--version" },
		{ "/usr/bin/pdbedit", "--version" },
		{ "/bin/sh", "-c", "smbpasswd -h 2>&1 | grep -q options" },
		{ "/usr/bin/net", "--version" },
		{ "/usr/bin/testparm", "--version" },
		{ "/usr/bin/smbstatus", "--version" },
		{ "/bin/bash", "-c", "ls / | grep -q usr && awk 'BEGIN { exit 0 }' && tar --version && getent --version" },
		{ "/bin/sh", "-c", "[ \"$(printf '\\244\\242\\n' | iconv -f EUC-JP -t UTF-8)\" = \"$(printf '\\343\\201\\202')\" ]" },
		{ "/bin/sh", "-c", "[ \"$(printf '\\202\\240\\n' | iconv -f CP932 -t UTF-8)\" = \"$(printf '\\343\\201\\202')\" ]" },
		{ "/bin/bash", "-c", "for p in ls cp tar ps id getfacl useradd groupadd usermod chpasswd getent; do "
				     "type $p || exit 1; done" },
	};

	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		struct err e = { 0 };
		int fd = template_overlay(psv, name, &e);

		CHECK_STR(e.text, "");
		CHECK(fd >= 0);
		if (run_inside(fd, commands[i]) != 0)
			test_fail(__FILE__, __LINE__, commands[i][strcmp(commands[i][1], "-c") == 0 ? 2 : 0]);
		(void)close(fd);
	}
}

static void check_tree(int dir)
{
	DIR *d = fdopendir(dir);
	struct dirent *e;

	CHECK(d);
	while ((e = readdir(d))) {
		struct stat st;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		CHECK_INT(fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW), 0);
		CHECK_INT(st.st_uid, 0);
		CHECK_INT(st.st_gid, 0);
		CHECK(S_ISDIR(st.st_mode) || S_ISREG(st.st_mode) || S_ISLNK(st.st_mode));
		if (!S_ISLNK(st.st_mode))
			CHECK_INT(st.st_mode & 07022, 0);
		if (S_ISLNK(st.st_mode)) {
			char target[4096];
			ssize_t n = readlinkat(dirfd(d), e->d_name, target, sizeof(target) - 1);

			CHECK(n > 0);
			target[n] = '\0';
			CHECK(!str_starts(target, "/etc/alternatives"));
		}
		if (S_ISDIR(st.st_mode)) {
			int sub = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

			CHECK(sub >= 0);
			check_tree(sub);
		}
	}
	(void)closedir(d);
}

static int count_lines(const char *text)
{
	int n = 0;

	for (; (text = strchr(text, '\n')); text++)
		n++;
	return n;
}

/* The Psv's mount table, for "nothing appears there". */
static char *mount_table(void)
{
	char *text;

	CHECK_INT(file_read_at(AT_FDCWD, "/proc/self/mountinfo", 16 << 20, &text, NULL), 0);
	return text;
}

/* What stands in a kept layer's place and is not it becomes part of no Vsv; and where nothing is kept, all goes as well. */
static void check_layers(const struct psv *psv, const char *name)
{
	char empty[512], kept[512], file[600];
	struct err e = { 0 };
	int fd;

	CHECK(str_format(empty, sizeof(empty), "%s/templates/empty", psv->run));
	CHECK(str_format(kept, sizeof(kept), "%s/templates/%s", psv->run, name));
	for (int i = 0; i < 2; i++) {
		const char *at = i ? kept : empty;

		CHECK_INT(mount("test", at, "tmpfs", 0, "mode=755"), 0);
		CHECK(str_format(file, sizeof(file), "%s/foreign", at));
		CHECK_INT(mkdir(file, 0755), 0);
		CHECK_INT(mount("test", at, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
		fd = template_overlay(psv, name, &e);
		CHECK_STR(e.text, "");
		CHECK_INT(faccessat(fd, "foreign", F_OK, 0), -1);
		CHECK_INT(faccessat(fd, "lib/vnas/vnas-init", X_OK, 0), 0);
		(void)close(fd);
		/* What was kept instead stands on top of it. */
		CHECK_INT(umount2(at, UMOUNT_NOFOLLOW), 0);
		CHECK_INT(umount2(at, UMOUNT_NOFOLLOW), 0);
	}
}

TEST(template_is_built_once_and_runs_samba)
{
	struct template t, again, *list;
	char path[512], source[65], name[65], *before = NULL, *after = NULL;
	struct err e = { 0 };
	struct psv psv;
	struct stat st;
	int fd[2], at;
	size_t n;

	fixture_require();
	fixture_psv(&psv, "psv");
	fixture_init("1");
	CHECK_INT(template_newest(&psv, NULL, &t, &e), 1);
	/* What a killed build left. */
	CHECK(str_format(path, sizeof(path), "%s/templates/.build-123/tree", psv.lib));
	CHECK_INT(dir_make_path(path, 0700), 0);
	fixture_build(&psv, &t);
	fixture_build(&psv, &again);
	CHECK_STR(again.name, t.name);
	CHECK_INT(template_newest(&psv, NULL, &again, &e), 0);
	CHECK_STR(again.name, t.name);
	CHECK_INT(template_source(&psv, NULL, source, &e), 0);
	CHECK_STR(source, t.source);
	CHECK_INT(template_resolve(&psv, "123", name, &e), -EINVAL);
	(void)str_format(path, 9, "%s", t.name);
	CHECK_INT(template_resolve(&psv, path, name, &e), 0);
	CHECK_STR(name, t.name);
	CHECK_INT(template_list(&psv, &list, &n, &e), 0);
	CHECK_INT(n, 1);
	free(list);
	CHECK(str_format(path, sizeof(path), "%s/templates", psv.lib));
	CHECK_INT(count_files(path), 3); /* image, description, .source */
	CHECK(str_format(path, sizeof(path), "%s/templates/%s.erofs", psv.lib, t.name));
	CHECK_INT(stat(path, &st), 0);
	CHECK_INT(st.st_mode & 07777, 0444);

	before = mount_table();
	err_clear(&e);
	for (int i = 0; i < 2; i++) {
		fd[i] = template_overlay(&psv, t.name, &e);
		CHECK_STR(e.text, "");
		CHECK(fd[i] >= 0);
	}
	/* The overlays are attached nowhere; the template and the empty layer are, once. */
	after = mount_table();
	CHECK_INT(count_lines(after), count_lines(before) + 2);
	CHECK(str_format(path, sizeof(path), "%s/templates/%s ", psv.run, t.name));
	CHECK(strstr(after, path) != NULL);
	free(after);
	check_layers(&psv, t.name);
	CHECK_INT(template_remove(&psv, t.name, &e), -EBUSY);
	after = mount_table();
	CHECK(strstr(after, path) != NULL);
	free(after);
	CHECK_INT(mkdirat(fd[0], "x", 0755), -1);
	CHECK_INT(errno, EROFS);
	CHECK_INT(mount_attributes(fd[0], 0, MOUNT_ATTR_RDONLY, &e), 0);
	CHECK_INT(mkdirat(fd[0], "x", 0755), -1);
	CHECK_INT(errno, EROFS);
	at = openat(fd[0], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	check_tree(at);
	CHECK_INT(faccessat(fd[0], "local", F_OK, 0), -1);
	CHECK_INT(faccessat(fd[0], "lib/vnas/vnas-init", X_OK, 0), 0);
	CHECK_INT(faccessat(fd[0], "lib/vnas/vnas-discover", X_OK, 0), 0);
	check_programs(&psv, t.name);
	(void)close(fd[0]);
	(void)close(fd[1]);
	CHECK_INT(template_remove(&psv, t.name, &e), 0);
	after = mount_table();
	CHECK_STR(after, before);
	CHECK_INT(template_newest(&psv, NULL, &t, &e), 1);
	free(before);
	free(after);
}

/* Name, and with it content, are the same wherever it is made; another vnas-init makes another one. */
TEST(template_is_reproducible)
{
	struct template a, b, c;
	struct psv psv;

	fixture_require();
	fixture_init("1");
	fixture_psv(&psv, "one");
	fixture_build(&psv, &a);
	fixture_psv(&psv, "two");
	fixture_build(&psv, &b);
	CHECK_STR(a.name, b.name);
	CHECK_STR(a.source, b.source);
	fixture_init("2");
	fixture_build(&psv, &c);
	CHECK(strcmp(b.source, c.source) != 0);
	CHECK(strcmp(b.name, c.name) != 0);
}

/* The second overlay reads no byte from the device: it has the first one's page cache. */
TEST(template_overlays_share_the_page_cache)
{
	char path[512], text[256], device[32];
	struct template t;
	struct err e = { 0 };
	struct psv psv;
	unsigned long long sectors[2];
	int fd[2];

	fixture_require();
	fixture_psv(&psv, "psv");
	fixture_init("1");
	fixture_build(&psv, &t);
	for (int i = 0; i < 2; i++) {
		static char buf[1 << 20];
		int file;

		fd[i] = template_overlay(&psv, t.name, &e);
		CHECK(fd[i] >= 0);
		file = openat(fd[i], "bin/bash", O_RDONLY | O_CLOEXEC);
		CHECK(file >= 0);
		while (read(file, buf, sizeof(buf)) > 0)
			;
		(void)close(file);
		CHECK(str_format(path, sizeof(path), "%s/locks/.template-%s", psv.run, t.name));
		CHECK_INT(file_read_small(AT_FDCWD, path, device, sizeof(device)), 0);
		CHECK(str_format(path, sizeof(path), "/sys/block/%s/stat", device + strlen("/dev/")));
		CHECK_INT(file_read_small(AT_FDCWD, path, text, sizeof(text)), 0);
		CHECK_INT(sscanf(text, "%*u %*u %llu", &sectors[i]), 1);
	}
	CHECK(sectors[0] > 0);
	CHECK_INT(sectors[1] - sectors[0], 0);
}

static void check_clone(int (*clone)(int, const char *, struct err *))
{
	struct err e = { 0 };
	int fd = mount_new("tmpfs", NULL, 0, &e), c, again;

	CHECK(fd >= 0);
	CHECK_INT(mkdirat(fd, "a", 0755), 0);
	CHECK_INT(symlinkat("a", fd, "link"), 0);
	c = clone(fd, "a", &e);
	CHECK_STR(e.text, "");
	CHECK(c >= 0);
	CHECK_INT(mkdirat(c, "b", 0755), 0);
	CHECK_INT(faccessat(fd, "a/b", F_OK, 0), 0);
	again = clone(fd, "", &e);
	CHECK(again >= 0);
	CHECK_INT(mount_attributes(again, MOUNT_ATTR_RDONLY, 0, &e), 0);
	CHECK_INT(mkdirat(again, "c", 0755), -1);
	CHECK_INT(mkdirat(fd, "c", 0755), 0);
	CHECK(clone(fd, "link", &e) < 0);
	CHECK(clone(fd, "..", &e) < 0);
	CHECK(clone(fd, "none", &e) == -ENOENT);
}

TEST(detached_mounts_are_cloned)
{
	if (geteuid() != 0)
		SKIP("not root");
	check_clone(mount_clone);
}

TEST(detached_mounts_are_cloned_on_old_kernels)
{
	char *before, *after;

	if (geteuid() != 0)
		SKIP("not root");
	before = mount_table();
	check_clone(mount_clone_by_namespace);
	after = mount_table();
	CHECK_STR(after, before);
	free(before);
	free(after);
}

TEST(overlays_are_made_on_old_kernels)
{
	struct err e = { 0 };
	int lower[2], fd;

	if (geteuid() != 0)
		SKIP("not root");
	for (int i = 0; i < 2; i++) {
		lower[i] = mount_new("tmpfs", NULL, 0, &e);
		CHECK(lower[i] >= 0);
	}
	CHECK_INT(mkdirat(lower[0], "a", 0755), 0);
	fd = mount_overlay_by_namespace(lower, &e);
	CHECK_STR(e.text, "");
	CHECK(fd >= 0);
	CHECK_INT(faccessat(fd, "a", F_OK, 0), 0);
	CHECK_INT(mkdirat(fd, "b", 0755), -1);
	CHECK_INT(errno, EROFS);
}

TEST(template_refuses_a_dynamic_init)
{
	char path[256], *text;
	struct template t;
	struct err e = { 0 };
	struct psv psv;
	size_t len;
	int dir;

	fixture_require();
	fixture_psv(&psv, "psv");
	fixture_init("1");
	CHECK_INT(file_read_at(AT_FDCWD, "/usr/bin/true", 1 << 24, &text, &len), 0);
	CHECK(str_format(path, sizeof(path), "%s/libexec", test_dir()));
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK_INT(file_write_atomic_at(dir, "vnas-init", text, len, 0755), 0);
	CHECK_INT(template_build(&psv, NULL, &t, NULL, &e), -ENOEXEC);
	CHECK(strstr(e.text, "vnas-init is not linked statically"));
	CHECK_INT(file_write_atomic_at(dir, "vnas-init", "#!/bin/sh", 9, 0755), 0);
	CHECK_INT(template_build(&psv, NULL, &t, NULL, &e), -ENOEXEC);
	CHECK_INT(unlinkat(dir, "vnas-init", 0), 0);
	CHECK_INT(template_build(&psv, NULL, &t, NULL, &e), -ENOENT);
	CHECK(str_format(path, sizeof(path), "%s/templates", psv.lib));
	CHECK_INT(count_files(path), 1); /* .source */
	free(text);
}

static pid_t start_build(const struct psv *psv)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		struct template t;

		_exit(template_build(psv, NULL, &t, NULL, NULL) < 0);
	}
	return pid;
}

TEST(template_built_by_two_at_once_is_one)
{
	struct psv psv;
	char path[256];
	pid_t pid[2];
	int status;

	fixture_require();
	fixture_psv(&psv, "psv");
	fixture_init("1");
	for (int i = 0; i < 2; i++)
		pid[i] = start_build(&psv);
	for (int i = 0; i < 2; i++)
		CHECK(waitpid(pid[i], &status, 0) == pid[i] && status == 0);
	CHECK(str_format(path, sizeof(path), "%s/templates", psv.lib));
	CHECK_INT(count_files(path), 3);
}

/* Killed anywhere, a build leaves nothing that the next one does not put right. */
TEST(template_build_survives_a_kill)
{
	static const long after_ms[] = { 5, 60, 200, 400, 700 };
	struct template t;
	struct err e = { 0 };
	struct psv psv;
	char path[256];

	fixture_require();
	fixture_psv(&psv, "psv");
	fixture_init("1");
	for (size_t i = 0; i < sizeof(after_ms) / sizeof(*after_ms); i++) {
		struct timespec wait = { .tv_nsec = after_ms[i] * 1000000L };
		pid_t pid = start_build(&psv);
		int status, r, fd;

		(void)nanosleep(&wait, NULL);
		CHECK_INT(kill(pid, SIGKILL), 0);
		CHECK(waitpid(pid, &status, 0) == pid);
		r = template_newest(&psv, NULL, &t, &e);
		CHECK(r == 0 || r == 1);
		if (r == 1)
			continue;
		fd = template_overlay(&psv, t.name, &e);
		CHECK(fd >= 0);
		(void)close(fd);
	}
	fixture_build(&psv, &t);
	CHECK(str_format(path, sizeof(path), "%s/templates", psv.lib));
	CHECK_INT(count_files(path), 3);
	/* Also when there was nothing to make. */
	CHECK(str_format(path, sizeof(path), "%s/templates/.build-1/tree", psv.lib));
	CHECK_INT(dir_make_path(path, 0700), 0);
	fixture_build(&psv, &t);
	CHECK(str_format(path, sizeof(path), "%s/templates", psv.lib));
	CHECK_INT(count_files(path), 3);
}

TEST(template_build_on_a_full_disk_leaves_nothing)
{
	static const char *const sizes[] = { "size=20m", "size=200m" }; /* no room for the copies; for the image */
	struct template t;
	struct psv psv;
	char path[256];

	fixture_require();
	fixture_psv(&psv, "psv");
	fixture_init("1");
	CHECK_INT(dir_make_path(psv.lib, 0700), 0);
	CHECK(str_format(path, sizeof(path), "%s/templates", psv.lib));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct err e = { 0 };

		CHECK_INT(mount("tmpfs", psv.lib, "tmpfs", 0, sizes[i]), 0);
		CHECK(template_build(&psv, NULL, &t, NULL, &e) < 0);
		CHECK(str_starts(e.text, "template: "));
		CHECK(strstr(e.text, "No space left on device"));
		CHECK_INT(count_files(path), 1); /* .source */
		CHECK_INT(umount2(psv.lib, MNT_DETACH), 0);
	}
}

/* A build that is under way stops no start that needs none. */
TEST(template_that_fits_waits_for_nobody)
{
	char path[256];
	struct template t;
	struct psv psv;
	pid_t pid;
	int fd, status;

	fixture_require();
	fixture_psv(&psv, "psv");
	fixture_init("1");
	fixture_build(&psv, &t);
	CHECK(str_format(path, sizeof(path), "%s/templates", psv.lib));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK_INT(flock(fd, LOCK_EX), 0);
	CHECK_INT(mkdirat(fd, ".build-1", 0700), 0);
	pid = start_build(&psv);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK_INT(faccessat(fd, ".build-1", F_OK, 0), 0);
	(void)close(fd);
}

/* ---- An update of the Psv's packages ---- */

/* Covers a folder of the Psv's with one of the test's own, which begins with the same content. */
static void cover(const char *folder, const char *name)
{
	char upper[256], work[256], data[1024];

	CHECK(str_format(upper, sizeof(upper), "%s/cover/%s.upper", test_dir(), name));
	CHECK(str_format(work, sizeof(work), "%s/cover/%s.work", test_dir(), name));
	CHECK_INT(mkdir(upper, 0755), 0);
	CHECK_INT(mkdir(work, 0755), 0);
	CHECK(str_format(data, sizeof(data), "lowerdir=%s,upperdir=%s,workdir=%s", folder, upper, work));
	CHECK_INT(mount("overlay", folder, "overlay", 0, data), 0);
}

static void replace(const char *dir, const char *name, const char *text, size_t len)
{
	int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	CHECK_INT(file_write_atomic_at(fd, name, text, len, 0755), 0);
	(void)close(fd);
}

/* As apt-get upgrade does it: other files, another version in dpkg's status. */
static void upgrade_samba(const char *version)
{
	_cleanup_free_ char *status = NULL;
	_cleanup_strbuf_ struct strbuf changed = { 0 };
	const char *stanza, *line;
	size_t len;

	CHECK_INT(file_read_at(AT_FDCWD, "/var/lib/dpkg/status", 64 << 20, &status, &len), 0);
	stanza = strstr(status, "Package: samba\n");
	CHECK(stanza);
	line = strstr(stanza, "Version: ");
	CHECK(line);
	strbuf_add(&changed, status, (size_t)(line - status));
	strbuf_addf(&changed, "Version: %s", version);
	strbuf_addstr(&changed, strchr(line, '\n'));
	replace("/var/lib/dpkg", "status", changed.buf, changed.len);
	replace("/usr/sbin", "smbd", version, strlen(version));
}

static void check_smbd(int overlay, const char *want, struct stat *ret)
{
	char *text;
	size_t len;

	CHECK_INT(fstatat(overlay, "sbin/smbd", ret, 0), 0);
	if (!want)
		return;
	CHECK_INT(file_read_at(overlay, "sbin/smbd", 1 << 24, &text, &len), 0);
	CHECK_STR(text, want);
	free(text);
}

TEST(template_of_a_running_server_stays_when_packages_change)
{
	struct template a, b, again;
	struct stat before, after, other;
	struct err e = { 0 };
	struct psv psv;
	char path[256];
	int old, new;

	fixture_require();
	fixture_psv(&psv, "psv");
	fixture_init("1");
	CHECK(str_format(path, sizeof(path), "%s/cover", test_dir()));
	CHECK_INT(mkdir(path, 0755), 0);
	cover("/usr", "usr");
	cover("/var/lib/dpkg", "dpkg");

	fixture_build(&psv, &a);
	old = template_overlay(&psv, a.name, &e);
	CHECK(old >= 0);
	check_smbd(old, NULL, &before);
	upgrade_samba("9.9-1");
	fixture_build(&psv, &b);
	CHECK(strcmp(a.name, b.name) != 0 && strcmp(a.source, b.source) != 0);
	new = template_overlay(&psv, b.name, &e);
	CHECK(new >= 0);
	check_smbd(new, "9.9-1", &other);
	check_smbd(old, NULL, &after);
	CHECK(before.st_ino == after.st_ino && before.st_size == after.st_size && before.st_size > 9);
	CHECK_INT(template_newest(&psv, NULL, &again, &e), 0);
	CHECK_STR(again.name, b.name);
	/* Put back: what was there is taken again, and is the newest. */
	CHECK_INT(umount2("/var/lib/dpkg", MNT_DETACH), 0);
	fixture_build(&psv, &again);
	CHECK_STR(again.name, a.name);
	CHECK_INT(template_newest(&psv, NULL, &again, &e), 0);
	CHECK_STR(again.name, a.name);
}

TEST(template_programs_are_looked_for_once)
{
	_cleanup_free_ char *package = NULL;
	struct psv psv;
	char path[256];

	fixture_require();
	fixture_psv(&psv, "psv");
	fixture_init("1");
	CHECK(str_format(path, sizeof(path), "%s/cover", test_dir()));
	CHECK_INT(mkdir(path, 0755), 0);
	cover("/usr", "usr");
	cover("/var/lib/dpkg", "dpkg");

	CHECK(!template_misses(&psv, NULL, "/usr/bin/sleep", &package));
	replace("/var/lib/dpkg/info", "coreutils.list", "/.\n", 3);
	CHECK(!template_misses(&psv, NULL, "/usr/bin/sleep", &package));
	/* Only what was found, and only as long as the packages are the same. */
	CHECK(template_misses(&psv, NULL, "/usr/bin/sleepy", &package) && template_misses(&psv, NULL, "/usr/bin/slee", &package));
	CHECK(template_misses(&psv, NULL, "/usr/bin/tail", &package) && template_misses(&psv, NULL, "/usr/bin/tail", &package));
	upgrade_samba("9.9-1");
	CHECK(template_misses(&psv, NULL, "/usr/bin/sleep", &package));
}

/* A Vsv with packages of its own has its own template, those without share one; each finds its own again, old or new. */
TEST(template_with_further_packages)
{
	struct strlist extra = { 0 }, shared = { 0 }, missing = { 0 };
	_cleanup_free_ char *package = NULL;
	struct template common, own, again;
	struct err e = { 0 };
	struct psv psv;

	fixture_require();
	if (access("/usr/bin/rsync", X_OK) < 0)
		SKIP("no rsync");
	fixture_psv(&psv, "psv");
	fixture_init("1");
	strlist_add(&extra, "rsync");
	strlist_add(&shared, "coreutils");
	strlist_add(&missing, "no-such-package");
	CHECK(template_misses(&psv, NULL, "/usr/bin/rsync", &package));
	CHECK_STR(package, "rsync");
	CHECK(!template_misses(&psv, &extra, "/usr/bin/rsync", &package));
	CHECK(!template_misses(&psv, NULL, "/bin/sleep", &package) && !template_misses(&psv, NULL, "/srv/program", &package));
	CHECK(template_misses(&psv, NULL, "/usr/bin/no-such-program", &package));
	CHECK(!package);

	fixture_build(&psv, &common);
	CHECK_INT(template_build(&psv, &extra, &own, NULL, &e), 0);
	CHECK(strcmp(own.name, common.name) != 0 && strcmp(own.source, common.source) != 0);
	CHECK_STR(own.extra, "rsync");
	CHECK_STR(common.extra, "");
	/* Turn by turn, and none is made again. */
	for (int i = 0; i < 3; i++) {
		fixture_build(&psv, &again);
		CHECK_STR(again.name, common.name);
		CHECK(again.created_ns == common.created_ns);
		CHECK_INT(template_build(&psv, &extra, &again, NULL, &e), 0);
		CHECK_STR(again.name, own.name);
		CHECK(again.created_ns == own.created_ns);
	}
	/* What every Vsv has anyway is nothing more. */
	CHECK_INT(template_build(&psv, &shared, &again, NULL, &e), 0);
	CHECK_STR(again.name, common.name);
	CHECK_INT(template_newest(&psv, &extra, &again, &e), 0);
	CHECK_STR(again.name, own.name);
	CHECK_INT(template_newest(&psv, NULL, &again, &e), 0);
	CHECK_STR(again.name, common.name);
	CHECK_INT(template_newest(&psv, &missing, &again, &e), 1);
	CHECK_INT(template_build(&psv, &missing, &again, NULL, &e), -ENOENT);
	strlist_free(&extra);
	strlist_free(&shared);
	strlist_free(&missing);
}
