/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/str.h"
#include "lib/sys.h"
#include "psv/conf.h"
#include "psv/psv.h"
#include "psv/root-mount.h"
#include "psv/root-parts.h"
#include "psv/root.h"
#include "psv/template.h"
#include "psv/volume.h"
#include "template_fixture.h"
#include "test.h"

enum { VOLUMES = 3 };

/* A Vsv whose volumes are tmpfs, and whose template is one with nothing in it. */
struct fixture {
	struct psv psv;
	struct conf conf;
	struct conf_volume volume_conf[VOLUMES];
	struct volume volumes[VOLUMES];
	int overlay;
};

static void make_volumes(struct fixture *f)
{
	static const char *const names[VOLUMES] = { "root", "data", "deep" };
	static const char *const mounts[VOLUMES] = { NULL, "/srv/data", "/srv/data/a/b" };
	struct err e = { 0 };

	for (size_t i = 0; i < VOLUMES; i++) {
		struct conf_volume *c = &f->volume_conf[i];
		struct volume *v = &f->volumes[i];

		CHECK(str_copy(c->name, sizeof(c->name), names[i]));
		c->mount = (char *)(uintptr_t)mounts[i];
		*v = (struct volume){ .conf = c, .backing_fd = -1, .device_fd = -1 };
		v->mount_fd = mount_new("tmpfs", NULL, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID, &e);
		CHECK(v->mount_fd >= 0);
		if (i > 0)
			CHECK_INT(mkdirat(v->mount_fd, "data", 0755), 0);
	}
	f->conf.volumes = f->volume_conf;
	f->conf.n_volumes = VOLUMES;
}

static void setup(struct fixture *f)
{
	static char hostname[] = "files.example.com";
	struct err e = { 0 };

	if (geteuid() != 0)
		SKIP("not root");
	*f = (struct fixture){ .overlay = -1 };
	f->conf.hostname = hostname;
	make_volumes(f);
	if (root_populate(&f->conf, &f->volumes[0], &e) < 0)
		test_fail(__FILE__, __LINE__, e.text);
	f->overlay = mount_new("tmpfs", NULL, 0, &e);
	CHECK(f->overlay >= 0);
	CHECK_INT(mkdirat(f->overlay, "bin", 0755), 0);
}

static void build(struct fixture *f, struct root *r)
{
	struct err e = { 0 };

	if (root_begin(&f->conf, f->volumes, VOLUMES, steal_fd(&f->overlay), r, &e) < 0 ||
	    root_add_volumes(r, f->volumes, VOLUMES, &e) < 0)
		test_fail(__FILE__, __LINE__, e.text);
}

/* As the first process of a Vsv does it: in a mount namespace of its own, no links, then the root is changed. */
static void enter(const struct root *r)
{
	int root = r->mounts[0].fd;

	CHECK_INT(unshare(CLONE_NEWNS), 0);
	CHECK_INT(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	CHECK_INT(move_mount(root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH), 0);
	for (size_t i = 1; i < r->n; i++) {
		int at = sys_openat2(root, r->mounts[i].target, O_PATH | O_CLOEXEC, 0,
				     RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);

		CHECK(at >= 0);
		CHECK_INT(move_mount(r->mounts[i].fd, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH), 0);
		(void)close(at);
	}
	CHECK_INT(fchdir(root), 0);
	CHECK_INT(syscall(SYS_pivot_root, ".", "."), 0);
	CHECK_INT(umount2(".", MNT_DETACH), 0);
	CHECK_INT(chdir("/"), 0);
}

/* The end of a test that entered: a leak checker would look for a /proc that is not there. */
static void leave(void) __attribute__((noreturn));
static void leave(void)
{
	(void)fflush(NULL);
	_exit(0);
}

static void check_file(const char *path, const char *want)
{
	char *text;

	CHECK_INT(file_read_at(AT_FDCWD, path, 1 << 20, &text, NULL), 0);
	CHECK_STR(text, want);
	free(text);
}

static void check_refused(const char *path, int error)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	CHECK(fd < 0);
	CHECK_INT(errno, error);
}

static void check_device(const char *path, unsigned int major, unsigned int minor)
{
	struct stat st;

	CHECK_INT(lstat(path, &st), 0);
	CHECK(S_ISCHR(st.st_mode) && st.st_rdev == makedev(major, minor));
	CHECK_INT(st.st_mode & 07777, 0666);
}

TEST(root_has_everything_at_its_place)
{
	struct fixture f;
	struct err e = { 0 };
	struct root r;
	struct stat st;
	int pty;

	setup(&f);
	strlist_add(&f.conf.search, "example.com");
	build(&f, &r);
	CHECK(str_starts(r.mounts[0].target, "") && r.mounts[0].target[0] == '\0');
	if (root_generate(&f.conf, r.conf_fd, &e) < 0)
		test_fail(__FILE__, __LINE__, e.text);
	enter(&r);
	check_refused("/x", EROFS);
	check_refused("/dev/x", EROFS);
	check_refused("/run/vnas/x", EROFS);
	check_refused("/run/vnas/hosts", EROFS);
	check_file("/etc/hostname", "files.example.com\n");
	check_file("/etc/resolv.conf", "search example.com\noptions timeout:1 attempts:1\n");
	/* What is generated later is seen inside. */
	CHECK_INT(file_write_atomic_at(r.conf_fd, "hostname", "other\n", 6, 0644), 0);
	check_file("/etc/hostname", "other\n");
	check_device("/dev/null", 1, 3);
	check_device("/dev/zero", 1, 5);
	check_device("/dev/full", 1, 7);
	check_device("/dev/random", 1, 8);
	check_device("/dev/urandom", 1, 9);
	check_device("/dev/tty", 5, 0);
	CHECK_INT(file_write_at(AT_FDCWD, "/dev/null", "x"), 0);
	pty = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	CHECK(pty >= 0);
	CHECK_STR(ptsname(pty), "/dev/pts/0");
	CHECK_INT(stat("/dev/pts/0", &st), 0);
	CHECK_INT(st.st_mode & 0777, 0620);
	CHECK_INT(stat("/etc/shadow", &st), 0);
	CHECK_INT(st.st_mode & 07777, 0640);
	CHECK_INT(st.st_gid, 42);
	CHECK_INT(stat("/root", &st), 0);
	CHECK_INT(st.st_mode & 07777, 0700);
	CHECK_INT(stat("/tmp", &st), 0);
	CHECK_INT(st.st_mode & 07777, 01777);
	CHECK_INT(stat("/dev/shm", &st), 0);
	CHECK_INT(st.st_mode & 07777, 01777);
	CHECK_INT(lstat("/bin", &st), 0);
	CHECK(S_ISLNK(st.st_mode));
	CHECK_INT(lstat("/lib64", &st), -1); /* this template has none */
	/* The volumes, each at its place. */
	for (size_t i = 1; i < VOLUMES; i++) {
		struct stat inside, outside;
		char path[300];

		CHECK(str_format(path, sizeof(path), "%s/x", f.volume_conf[i].mount));
		CHECK_INT(mkdir(path, 0755), 0);
		CHECK_INT(stat(path, &inside), 0);
		CHECK_INT(fstatat(f.volumes[i].mount_fd, "data/x", &outside, 0), 0);
		CHECK(inside.st_dev == outside.st_dev && inside.st_ino == outside.st_ino);
	}
	leave();
}

TEST(root_nothing_is_a_device_but_in_dev)
{
	static const char *const places[] = { "/etc", "/var", "/home", "/root", "/srv", "/srv/data", "/run", "/tmp",
					      "/dev/shm" };
	struct fixture f;
	struct root r;

	setup(&f);
	build(&f, &r);
	enter(&r);
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		char path[64];

		CHECK(str_format(path, sizeof(path), "%s/null", places[i]));
		CHECK_INT(mknod(path, S_IFCHR | 0666, makedev(1, 3)), 0);
		CHECK(open(path, O_RDWR | O_CLOEXEC) < 0);
		CHECK_INT(errno, EACCES);
	}
	leave();
}

/* What the tenant left where a data volume belongs: nothing, a link out of its folder, a file. */
TEST(root_data_places_survive_the_tenant)
{
	static const char *const targets[] = { "/", "/etc", "../etc", "data.other", "/proc/1/root" };
	struct fixture f;
	struct root r;
	int srv;

	for (size_t i = 0; i < sizeof(targets) / sizeof(*targets) + 1; i++) {
		struct stat st, etc;

		setup(&f);
		srv = openat(f.volumes[0].mount_fd, "srv", O_PATH | O_DIRECTORY | O_CLOEXEC);
		CHECK(srv >= 0);
		CHECK_INT(fstatat(f.volumes[0].mount_fd, "etc", &etc, 0), 0);
		if (i == 0)
			CHECK_INT(mknodat(srv, "data", S_IFREG | 0644, 0), 0);
		else
			CHECK_INT(symlinkat(targets[i - 1], srv, "data"), 0);
		build(&f, &r);
		CHECK_INT(fstatat(srv, "data", &st, AT_SYMLINK_NOFOLLOW), 0);
		CHECK(S_ISDIR(st.st_mode));
		CHECK_INT(fstatat(srv, "data.vnas-1", &st, AT_SYMLINK_NOFOLLOW), 0);
		CHECK(i == 0 ? S_ISREG(st.st_mode) : S_ISLNK(st.st_mode));
		root_close(&r);
	}
	/* The deep one lies in another data volume, which is as hostile. */
	setup(&f);
	CHECK_INT(symlinkat("/etc", f.volumes[1].mount_fd, "data/a"), 0);
	build(&f, &r);
	enter(&r);
	CHECK_INT(mkdir("/srv/data/a/b/here", 0755), 0);
	CHECK_INT(faccessat(f.volumes[2].mount_fd, "data/here", F_OK, 0), 0);
	leave();
}

TEST(root_refuses_a_damaged_root_volume)
{
	static const char *const names[] = { "etc", "var", "home", "root", "srv" };
	struct err e = { 0 };
	struct fixture f;
	struct root r;

	for (size_t i = 0; i < 3 * sizeof(names) / sizeof(*names); i++) {
		const char *name = names[i / 3];

		setup(&f);
		CHECK_INT(renameat(f.volumes[0].mount_fd, name, f.volumes[0].mount_fd, "old"), 0);
		if (i % 3 == 0)
			CHECK_INT(symlinkat("old", f.volumes[0].mount_fd, name), 0);
		if (i % 3 == 1)
			CHECK_INT(mknodat(f.volumes[0].mount_fd, name, S_IFREG | 0644, 0), 0);
		err_clear(&e);
		CHECK_INT(root_begin(&f.conf, f.volumes, VOLUMES, steal_fd(&f.overlay), &r, &e), 0);
		CHECK(root_add_volumes(&r, f.volumes, VOLUMES, &e) < 0);
		root_close(&r);
		CHECK(str_starts(e.text, "volume root: cannot take the folder '"));
		CHECK(strstr(e.text, name));
		for (size_t v = 0; v < VOLUMES; v++)
			(void)close(f.volumes[v].mount_fd);
	}
}

static unsigned open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	CHECK(d);
	while (readdir(d))
		n++;
	(void)closedir(d);
	return n;
}

TEST(root_close_gives_all_back)
{
	unsigned before;
	struct fixture f;
	struct root r;

	setup(&f);
	before = open_descriptors();
	build(&f, &r);
	CHECK(open_descriptors() > before);
	root_close(&r);
	CHECK_INT(open_descriptors(), before - 1); /* the overlay was taken */
}

TEST(root_volume_can_be_populated_again)
{
	struct err e = { 0 };
	struct fixture f;

	setup(&f);
	CHECK_INT(unlinkat(f.volumes[0].mount_fd, "etc/hosts", 0), 0);
	CHECK_INT(symlinkat("/etc/passwd", f.volumes[0].mount_fd, "etc/shadow.new"), 0);
	CHECK_INT(root_populate(&f.conf, &f.volumes[0], &e), 0);
	CHECK_INT(unlinkat(f.volumes[0].mount_fd, "etc/pam.d/su", 0), 0);
	CHECK_INT(unlinkat(f.volumes[0].mount_fd, "var/run", 0), 0);
	CHECK_INT(symlinkat("/etc", f.volumes[0].mount_fd, "var/run"), 0);
	CHECK_INT(root_populate(&f.conf, &f.volumes[0], &e), 0);
	/* A folder that became a link is not written through. */
	CHECK_INT(renameat(f.volumes[0].mount_fd, "etc/pam.d", f.volumes[0].mount_fd, "etc/old"), 0);
	CHECK_INT(symlinkat("old", f.volumes[0].mount_fd, "etc/pam.d"), 0);
	CHECK(root_populate(&f.conf, &f.volumes[0], &e) < 0);
	CHECK_STR(e.text, "root: cannot write /etc/pam.d: Not a directory");
}

/* ---- Ways out by file handle ---- */

struct handle {
	struct file_handle h;
	unsigned char bytes[MAX_HANDLE_SZ];
};

static const char *const outside[] = { "/", "/usr", "/usr/bin/bash", "/etc", "/etc/passwd", "/dev", "/run", "/tmp" };
enum { OUTSIDE = sizeof(outside) / sizeof(*outside) };

static void take_handles(struct handle h[OUTSIDE], struct stat st[OUTSIDE])
{
	for (size_t i = 0; i < OUTSIDE; i++) {
		int mount_id;

		h[i].h.handle_bytes = MAX_HANDLE_SZ;
		CHECK_INT(stat(outside[i], &st[i]), 0);
		if (name_to_handle_at(AT_FDCWD, outside[i], &h[i].h, &mount_id, 0) < 0)
			h[i].h.handle_bytes = 0;
	}
}

/* From every mount of the root, with every handle: nothing that is one of the Psv's files. */
static void check_handles(struct handle h[OUTSIDE], const struct stat st[OUTSIDE], const struct root *r)
{
	for (size_t m = 0; m < r->n; m++) {
		char path[300];
		int dir;

		CHECK(str_format(path, sizeof(path), "/%s", r->mounts[m].target));
		dir = open(path, O_RDONLY | O_CLOEXEC);
		CHECK(dir >= 0);
		for (size_t i = 0; i < OUTSIDE; i++) {
			struct stat found;
			int fd = h[i].h.handle_bytes ? open_by_handle_at(dir, &h[i].h, O_RDONLY | O_CLOEXEC) : -1;

			if (fd < 0)
				continue;
			/* A tmpfs may know a handle of another by chance of numbers; then it is a file of its own. */
			CHECK_INT(fstat(fd, &found), 0);
			CHECK(found.st_dev != st[i].st_dev);
			(void)close(fd);
		}
		(void)close(dir);
	}
}

TEST(root_leads_nowhere_by_file_handle)
{
	struct handle h[OUTSIDE];
	struct stat st[OUTSIDE];
	struct template t;
	struct err e = { 0 };
	struct fixture f;
	struct root r;

	fixture_require();
	setup(&f);
	fixture_psv(&f.psv, "psv");
	fixture_init("1");
	fixture_build(&f.psv, &t);
	(void)close(f.overlay);
	f.overlay = template_overlay(&f.psv, t.name, &e);
	CHECK(f.overlay >= 0);
	build(&f, &r);
	take_handles(h, st);
	/* The control: from outside a handle of the Psv's opens. */
	if (h[1].h.handle_bytes) {
		int usr = open("/usr", O_RDONLY | O_CLOEXEC), fd = open_by_handle_at(usr, &h[1].h, O_RDONLY | O_CLOEXEC);

		CHECK(fd >= 0);
		(void)close(fd);
		(void)close(usr);
	}
	enter(&r);
	check_handles(h, st, &r);
	leave();
}

/* ---- What an administrator does inside ---- */

static int run_shell(const char *command)
{
	static const char *const env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", NULL };
	const char *const argv[] = { "/bin/bash", "-e", "-c", command, NULL };
	int status;
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);

		if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
			_exit(126);
		(void)execve(argv[0], (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)env);
		_exit(127);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST(root_is_a_server_to_administer)
{
	static const char *const commands[] = {
		"[ \"$(id -un)\" = root ]; cd ~; [ \"$PWD\" = /root ]; ls -la / >/dev/null",
		"groupadd -g 2000 sales; useradd -m -u 2001 -g sales taro; [ \"$(id taro)\" = "
		"'uid=2001(taro) gid=2000(sales) groups=2000(sales)' ]",
		"echo taro:secret | chpasswd; getent shadow taro | grep -q '^taro:\\$'",
		"usermod -c 'Yamada Taro' taro; getent passwd taro | grep -q 'Yamada Taro:/home/taro:/usr/sbin/nologin$'",
		"[ \"$(su -s /bin/sh taro -c 'id -u')\" = 2001 ]",
		"printf 'secret\\nsecret\\n' | smbpasswd -s -a taro; pdbedit -L | grep -q '^taro:2001:'",
		"[ \"$(testparm -s --parameter-name=workgroup)\" = WORKGROUP ]",
		"net getlocalsid | grep -q 'is: S-1-5-21-'",
		"mkdir /srv/docs; setfacl -m u:taro:rwx /srv/docs; getfacl /srv/docs | grep -q '^user:taro:rwx'",
		"echo x > /srv/docs/x; tar -C /srv -cf /tmp/x.tar docs; tar -tf /tmp/x.tar | grep -q docs/x",
		"userdel -r taro; ! getent passwd taro; [ ! -e /home/taro ]; groupdel sales",
		"getent services microsoft-ds | grep -q 445; getent hosts files.example.com | grep -q 192.0.2.11",
		"[ \"$(TZ=Asia/Tokyo date -d @0 +%H)\" = 09 ]; [ \"$(date -d @0 +%H)\" = 00 ]",
		"/sbin/ldconfig -p | grep -q libc.so.6",
	};
	static const char conf_text[] = "[server]\nhostname = files.example.com\naddress = 192.0.2.11/24\n";
	struct template t;
	struct err e = { 0 };
	struct fixture f;
	struct root r;

	fixture_require();
	setup(&f);
	fixture_psv(&f.psv, "psv");
	fixture_init("1");
	fixture_build(&f.psv, &t);
	if (conf_parse(conf_text, strlen(conf_text), "a.conf", "a", &f.conf, &e) < 0)
		test_fail(__FILE__, __LINE__, e.text);
	if (root_populate(&f.conf, &f.volumes[0], &e) < 0)
		test_fail(__FILE__, __LINE__, e.text);
	(void)close(f.overlay);
	f.overlay = template_overlay(&f.psv, t.name, &e);
	build(&f, &r);
	if (root_generate(&f.conf, r.conf_fd, &e) < 0)
		test_fail(__FILE__, __LINE__, e.text);
	enter(&r);
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (run_shell(commands[i]) != 0)
			test_fail(__FILE__, __LINE__, commands[i]);
	leave();
}

static ino_t inode(int fd)
{
	struct stat st;

	CHECK_INT(fstat(fd, &st), 0);
	CHECK_INT(close(fd), 0); /* or the pin is in use */
	return st.st_ino;
}

/* base_fixture: a run folder on a mount of its own. */
static void base_fixture(struct psv *psv, char base[PATH_MAX], char pin[PATH_MAX])
{
	char locks[PATH_MAX];

	if (geteuid() != 0)
		SKIP("not root");
	CHECK_INT(unshare(CLONE_NEWNS), 0);
	CHECK_INT(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	CHECK_INT(mount("tmpfs", test_dir(), "tmpfs", 0, NULL), 0);
	/* As /run is with systemd: what is mounted there is passed on. */
	CHECK_INT(mount(NULL, test_dir(), NULL, MS_SHARED, NULL), 0);
	fixture_psv(psv, "psv");
	CHECK(str_format(locks, sizeof(locks), "%s/locks", psv->run));
	CHECK_INT(dir_make_path(locks, 0700), 0);
	CHECK(str_format(base, PATH_MAX, "%s/.base", psv->run));
	CHECK(str_format(pin, PATH_MAX, "%s/.base/mnt", psv->run));
}

TEST(root_base_is_made_once_and_again_when_it_is_gone)
{
	char base[PATH_MAX], pin[PATH_MAX];
	struct psv psv;
	ino_t first;

	base_fixture(&psv, base, pin);
	/* Detached, as whoever looks through /proc/PID/fd meanwhile keeps it in use. */
	first = inode(root_base(&psv));
	CHECK_INT(inode(root_base(&psv)), first);
	/* A kill between the folder's mount and the pin. */
	CHECK_INT(umount2(pin, MNT_DETACH | UMOUNT_NOFOLLOW), 0);
	(void)inode(root_base(&psv));
	CHECK_INT(umount2(pin, MNT_DETACH | UMOUNT_NOFOLLOW), 0);
	CHECK_INT(umount2(base, MNT_DETACH | UMOUNT_NOFOLLOW), 0);
	(void)inode(root_base(&psv));
	/* No more than the folder and the pin were left by all that. */
	CHECK_INT(umount2(pin, MNT_DETACH | UMOUNT_NOFOLLOW), 0);
	CHECK_INT(umount2(base, MNT_DETACH | UMOUNT_NOFOLLOW), 0);
	CHECK_INT(umount2(base, MNT_DETACH | UMOUNT_NOFOLLOW), -1);
}

TEST(root_base_can_be_missing)
{
	char base[PATH_MAX], pin[PATH_MAX];
	struct psv psv;

	base_fixture(&psv, base, pin);
	CHECK_INT(symlink("/", base), 0);
	CHECK_INT(root_base(&psv), -1);
	CHECK_INT(unlink(base), 0);
	/* A file that is no namespace. */
	CHECK_INT(mkdir(base, 0700), 0);
	CHECK(creat(pin, 0600) >= 0);
	CHECK(root_base(&psv) >= 0);
}

/* Who may chroot(2), as some services may, comes by ".." to the root and no further, with every capability. */
TEST(root_base_cannot_be_climbed_to)
{
	char base[PATH_MAX], pin[PATH_MAX];
	struct stat over, at;
	struct err e = { 0 };
	struct psv psv;
	int ns, root;

	base_fixture(&psv, base, pin);
	ns = root_base(&psv);
	root = mount_new("tmpfs", NULL, 0, &e);
	CHECK(ns >= 0 && root >= 0);
	CHECK_INT(mkdirat(root, "jail", 0755), 0);
	CHECK_INT(setns(ns, CLONE_NEWNS), 0);
	CHECK_INT(unshare(CLONE_NEWNS), 0);
	CHECK_INT(stat("/proc", &at), -1);
	CHECK_INT(mkdir("/x", 0755), -1);
	CHECK_INT(errno, EROFS);
	CHECK_INT(move_mount(root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH), 0);
	CHECK_INT(fchdir(root), 0);
	CHECK_INT(chroot("."), 0);
	CHECK_INT(stat("/", &over), 0);
	CHECK_INT(chroot("jail"), 0);
	for (int i = 0; i < 8; i++) {
		CHECK_INT(chdir(".."), 0);
		CHECK_INT(stat(".", &at), 0);
		CHECK(at.st_dev == over.st_dev && at.st_ino == over.st_ino);
	}
	CHECK_INT(chroot("."), 0);
	CHECK_INT(stat("/jail", &at), 0);
}
