/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making PID 1.  The child of clone3 is born in the Vsv's cgroup and namespaces but that of mounts, puts the root together while the
 * parent does its part (before_go), waits for the word, and executes the template's vnas-init, which confines itself.
 *
 * Until vnas-init answers, the child dies with its parent: by PR_SET_PDEATHSIG, and by the end of the socket for a parent
 * that was dead before that took hold.  Below the root every target is resolved by openat2 without links: a tenant's disk
 * may hold any tree, and a link in it must neither lead the mount elsewhere nor be followed.  The root itself is attached
 * to "/", the one folder that is surely there. */
#include "psv/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/sys.h"
#include "lib/weaken.h"
#include "psv/cgroup.h"
#include "psv/conf.h"
#include "psv/root.h"
#include "vsv/proto.h"

enum { BOOT_TIMEOUT_MS = 30 * 1000, END_TIMEOUT_MS = 1000, FD_HIGH = 64 };

#define INIT_PATH "/usr/lib/vnas/vnas-init"

/* fail: the child's last words, which become the parent's error. */
static void fail(int boot, int error, const char *fmt, ...) __attribute__((noreturn, format(printf, 3, 4)));
static void fail(int boot, int error, const char *fmt, ...)
{
	struct proto_result m = { .error = error };
	va_list ap;

	proto_init(&m.h, PROTO_BOOT_DONE, sizeof(m));
	va_start(ap, fmt);
	(void)vsnprintf(m.words, sizeof(m.words), fmt, ap);
	va_end(ap);
	(void)fd_send(boot, &m, sizeof(m), NULL, 0);
	_exit(1);
}

static int open_target(int root_fd, const char *target)
{
	return sys_openat2(root_fd, target, O_PATH | O_CLOEXEC, 0,
			   RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

static void attach(int boot, int mount_fd, int root_fd, const char *target)
{
	_cleanup_close_ int at = open_target(root_fd, target);

	if (at < 0)
		fail(boot, -errno, "cannot open %s in the root of the virtual server", target);
	if (move_mount(mount_fd, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		fail(boot, -errno, "cannot attach %s", target);
}

/* attach_proc: its own instance, without anything but processes: /proc/sys and kin are guarded by ownership alone, and
 * root is root there.  Who owns which process is no secret inside one Vsv, so hidepid stays off. */
static void attach_proc(int boot, int root_fd)
{
	_cleanup_close_ int fs = fsopen("proc", FSOPEN_CLOEXEC), mnt = -1;

	if (fs < 0 || (!weakened("proc-subset") && fsconfig(fs, FSCONFIG_SET_STRING, "subset", "pid", 0) < 0) ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		fail(boot, -errno, "cannot make a proc file system");
	mnt = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (mnt < 0)
		fail(boot, -errno, "cannot make a mount of proc");
	attach(boot, mnt, root_fd, "proc");
}

/* enter_namespace: of mounts.  true: one that holds an empty folder and nothing else; false: a copy of the Psv's, all of which has
 * to go. */
static bool enter_namespace(int boot, const int *base_fd)
{
	bool empty = base_fd && *base_fd >= 0 && setns(*base_fd, CLONE_NEWNS) == 0;
	struct statfs fs;

	if (unshare(CLONE_NEWNS) < 0)
		fail(boot, -errno, "cannot make a mount namespace");
	if (!empty && mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		fail(boot, -errno, "cannot make the mounts private");
	/* What is covered stays. */
	if (empty && (statfs("/", &fs) < 0 || fs.f_type != TMPFS_MAGIC || !(fs.f_flags & ST_RDONLY) || fs.f_files != 1))
		fail(boot, -EXDEV, "the empty mount namespace is not the one that was made");
	return empty;
}

/* cover: the root lies over the one folder that is there.  As that is the root of its mount and has none above it, ".." does not lead to
 * it: the kernel passes over what is wholly covered, as over the rootfs below every machine's root. */
static void cover(int boot, int root_fd)
{
	if (fchdir(root_fd) < 0 || chroot(".") < 0)
		fail(boot, -errno, "cannot change the root");
}

static void pivot(int boot, int root_fd)
{
	if (fchdir(root_fd) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
		fail(boot, -errno, "cannot change the root");
	/* The old root lies on top of the new one now. */
	if (umount2(".", MNT_DETACH) < 0)
		fail(boot, -errno, "cannot detach the old root");
}

static void enter_root(int boot, const struct root *root, const int *base_fd)
{
	bool empty = enter_namespace(boot, base_fd);
	int root_fd = root->mounts[0].fd;
	struct stat at_root, want, cwd;

	if (move_mount(root_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		fail(boot, -errno, "cannot attach the root");
	for (size_t i = 1; i < root->n; i++)
		attach(boot, root->mounts[i].fd, root_fd, root->mounts[i].target);
	attach_proc(boot, root_fd);
	(empty ? cover : pivot)(boot, root_fd);
	if (chdir("/") < 0 || stat("/", &at_root) < 0 || stat(".", &cwd) < 0 || fstat(root_fd, &want) < 0 ||
	    at_root.st_dev != want.st_dev || at_root.st_ino != want.st_ino || cwd.st_dev != want.st_dev ||
	    cwd.st_ino != want.st_ino)
		fail(boot, -EXDEV, "the root is not the one that was made");
}

/* open_null: the Vsv's own, and really that device. */
static int open_null(int boot)
{
	int fd = sys_openat2(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0,
			     RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
	struct stat st;

	if (fd < 0)
		fail(boot, -errno, "cannot open /dev/null in the virtual server");
	if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
		fail(boot, -ENODEV, "/dev/null in the virtual server is something else");
	return fd;
}

/* oom_reset: what the starter is to the kernel when memory runs out must be nothing to a Vsv; with a negative score from a
 * unit or a daemon nothing inside could be ended.  Where it may not be set, it stays. */
static void oom_reset(void)
{
	_cleanup_close_ int fd = sys_openat2(AT_FDCWD, "/proc/1/oom_score_adj", O_WRONLY | O_CLOEXEC, 0,
					     RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);

	if (fd >= 0)
		(void)!write(fd, "0", 1);
}

/* cover_own: what /proc has of PID 1 can be written by root inside, who owns it: its score when memory runs out, by which it
 * would be ended before its children, what of it goes into a core dump, and more.  The rest of /proc stays as programs expect
 * it: sshd's PAM must write /proc/self/loginuid. */
static void cover_own(int boot)
{
	_cleanup_close_ int fd = open_tree(AT_FDCWD, "/proc/1", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
	struct mount_attr only_read = { .attr_set = MOUNT_ATTR_RDONLY };

	if (fd < 0 || mount_setattr(fd, "", AT_EMPTY_PATH, &only_read, sizeof(only_read)) < 0 ||
	    move_mount(fd, "", AT_FDCWD, "/proc/1", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		fail(boot, -errno, "cannot keep /proc/1 from being written");
}

/* place_fds: those of vsv/proto.h and nothing else.  Each is moved up first, so that none overwrites another. */
static int place_fds(int boot, int conf_fd, int outside)
{
	int from[PROTO_FD_BOOT + 1], pair[2], null = open_null(boot);

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		fail(boot, -errno, "cannot make a socket pair");
	from[0] = from[1] = from[2] = null;
	if (weakened("stdout-file"))
		from[1] = outside;
	from[PROTO_FD_CLIENT] = pair[0];
	from[PROTO_FD_SERVER] = pair[1];
	from[PROTO_FD_CONF] = conf_fd >= 0 ? conf_fd : null;
	from[PROTO_FD_BOOT] = boot;
	for (int i = 0; i <= PROTO_FD_BOOT; i++) {
		from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, FD_HIGH);
		if (from[i] < 0)
			fail(boot, -errno, "cannot move a descriptor");
	}
	boot = from[PROTO_FD_BOOT];
	for (int i = 0; i <= PROTO_FD_BOOT; i++)
		if (dup2(from[i], i) < 0)
			fail(boot, -errno, "cannot place a descriptor");
	if (!weakened("descriptor") && sys_close_range(PROTO_FD_BOOT + 1, UINT_MAX, 0) < 0)
		fail(PROTO_FD_BOOT, -errno, "cannot close the other descriptors");
	return PROTO_FD_BOOT;
}

static void wait_for_go(int boot)
{
	struct proto_header m;
	ssize_t n = fd_recv(boot, &m, sizeof(m), NULL, 0, NULL, 0);

	if (n <= 0 || proto_check(&m, (size_t)n) != PROTO_GO)
		_exit(1); /* the parent is gone or will not have us */
}

/* schedule_as_others: what the starter is to the scheduler is nothing to a Vsv.  (A real-time process could not go into a
 * control group of v1's cpu controller either.) */
static void schedule_as_others(int boot)
{
	static const struct sched_param none = { 0 };

	if (sched_getscheduler(0) != SCHED_OTHER && sched_setscheduler(0, SCHED_OTHER, &none) < 0)
		fail(boot, -errno, "cannot leave the starter's scheduling policy");
}

static void enter(const struct inside_spawn *s, int boot)
{
	unsigned char all[CONF_CPUS_MAX / 8];
	struct err err = { 0 };
	int r = s->enter ? s->enter(s->arg, &err) : 0;

	if (r < 0)
		fail(boot, r, "%s", err.text);
	/* Now, in its groups: the kernel remembers what the starter was bound to, and Linux 6.1 looks at the groups of a process
	 * that was cloned into them only when it is told.  What keeps it from that is no reason to stay down. */
	memset(all, 0xff, sizeof(all));
	(void)sched_setaffinity(0, sizeof(all), (const cpu_set_t *)(const void *)all);
}

/* init_environment: empty, but for lib/weaken.h. */
static char **init_environment(void)
{
	static char weaken[80];
	static char *env[2];

#ifdef VNAS_WEAKEN
	const char *what = getenv("VNAS_WEAKEN");

	(void)snprintf(weaken, sizeof(weaken), "VNAS_WEAKEN=%s", what ? what : "");
	env[0] = weaken;
#else
	(void)weaken;
#endif
	return env;
}

static void child(const struct inside_spawn *s, int boot) __attribute__((noreturn));
static void child(const struct inside_spawn *s, int boot)
{
	static const char *const args[] = { "vnas-init", NULL };
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	int outside = -1; /* for lib/weaken.h: a file of the Psv's that stays open */
	sigset_t none;

	if (weakened("stdout-file") || weakened("descriptor"))
		outside = open("/etc/passwd", O_RDONLY); /* NOLINT: not close-on-exec, which is the mistake */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		fail(boot, -errno, "cannot bind to the starter's life");
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	for (int sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &dfl, NULL);
	(void)umask(022);
	if (setsid() < 0)
		fail(boot, -errno, "cannot make a session");
	schedule_as_others(boot);
	enter(s, boot);
	if (s->net_fd && setns(*s->net_fd, CLONE_NEWNET) < 0)
		fail(boot, -errno, "cannot enter the network namespace");
	enter_root(boot, s->root, s->base_fd);
	oom_reset();
	if (!weakened("proc-init"))
		cover_own(boot);
	if (sethostname(s->hostname, strlen(s->hostname)) < 0)
		fail(boot, -errno, "cannot set the host name");
	if (setdomainname(s->domainname ? s->domainname : "", s->domainname ? strlen(s->domainname) : 0) < 0)
		fail(boot, -errno, "cannot set the domain name");
	boot = place_fds(boot, s->root->conf_fd, outside);
	wait_for_go(boot);
	(void)execve(INIT_PATH, (char *const *)(uintptr_t)args, init_environment());
	fail(boot, -errno, "cannot execute " INIT_PATH);
}

/* wait_answer: PID 1's own words, or why there are none. */
static int wait_answer(int boot, struct err *err)
{
	struct pollfd p = { .fd = boot, .events = POLLIN };
	struct proto_result m;
	ssize_t n;
	int r;

	do
		r = poll(&p, 1, BOOT_TIMEOUT_MS);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		return err_set(err, -ETIME, "the first process of the virtual server does not answer");
	n = fd_recv(boot, &m, sizeof(m), NULL, 0, NULL, 0);
	if (n < 0)
		return err_set(err, (int)n, "cannot hear the first process of the virtual server: %m");
	if (n == 0)
		return err_set(err, -EIO, "the first process of the virtual server ended before it answered");
	if (proto_check(&m, (size_t)n) != PROTO_BOOT_DONE)
		return err_set(err, -EBADMSG, "the first process of the virtual server answered with something else");
	if (m.error)
		return err_set(err, m.error, "%s: %s", m.words, strerror(-m.error));
	return 0;
}

static int send_boot(const struct inside_spawn *s, int boot, struct err *err)
{
	struct proto_boot m = { .bounding = s->bounding, .nofile = s->nofile };
	struct proto_header go;
	int r;

	proto_init(&go, PROTO_GO, sizeof(go));
	proto_init(&m.h, PROTO_BOOT, sizeof(m));
	r = fd_send(boot, &go, sizeof(go), NULL, 0);
	if (r == 0)
		r = fd_send(boot, &m, sizeof(m), NULL, 0);
	/* One that ended already has left the reason behind. */
	if (r < 0 && r != -EPIPE && r != -ECONNRESET)
		return err_set(err, r, "cannot start the first process of the virtual server: %m");
	r = s->meanwhile ? s->meanwhile(s->arg, err) : 0;
	return r < 0 ? r : wait_answer(boot, err);
}

static pid_t clone_init(const struct inside_spawn *s, int *ret_pidfd, struct err *err)
{
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP | CLONE_PIDFD | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP,
		.pidfd = (uint64_t)(uintptr_t)ret_pidfd,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)s->cgroup_fd,
	};
	pid_t pid;

	if (weakened("namespace-ipc"))
		args.flags &= ~(uint64_t)CLONE_NEWIPC;
	if (weakened("namespace-uts"))
		args.flags &= ~(uint64_t)CLONE_NEWUTS;
	if (weakened("namespace-cgroup"))
		args.flags &= ~(uint64_t)CLONE_NEWCGROUP;
	pid = sys_clone3(&args);
	if (pid < 0)
		return err_set(err, -errno, "cannot make the first process in its cgroup and namespaces: %m");
	return pid;
}

/* last_words: why a first process ended of which nothing else is known than that it did; code if it lives. */
static int last_words(int boot, int pidfd, int code, struct err *err)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int r;

	if (poll(&p, 1, END_TIMEOUT_MS) <= 0)
		return code;
	err_clear(err);
	r = wait_answer(boot, err);
	return r < 0 ? r : err_set(err, -EIO, "the first process of the virtual server ended");
}

static int spawn(const struct inside_spawn *s, pid_t *ret_pid, struct err *err)
{
	_cleanup_close_ int ours = -1, theirs = -1, pidfd = -1;
	int pair[2], r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(err, -errno, "cannot make a socket pair: %m");
	ours = pair[0];
	theirs = pair[1];
	pid = clone_init(s, &pidfd, err);
	if (pid < 0)
		return pid;
	if (pid == 0) {
		(void)close(ours); /* or the parent's death would not end the socket */
		child(s, theirs);
	}
	(void)close(steal_fd(&theirs));
	r = s->before_go ? s->before_go(pid, s->arg, err) : 0;
	if (r == -ESRCH)
		r = last_words(ours, pidfd, r, err);
	if (r >= 0)
		r = send_boot(s, ours, err);
	if (r < 0) {
		(void)pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		return r;
	}
	*ret_pid = pid;
	return 0;
}

int inside_spawn(const struct inside_spawn *s, pid_t *ret_pid, struct err *err)
{
	int r = spawn(s, ret_pid, err), level;

	if (r >= 0)
		return r;
	level = cgroup_level(s->cgroup_fd, err);
	if (level <= 0)
		return level < 0 ? level : r;
	err_clear(err);
	return spawn(s, ret_pid, err);
}
