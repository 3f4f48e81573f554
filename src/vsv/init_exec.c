/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands: the child makes its own streams inside, sends their other ends to the caller over the connection, becomes the
 * user and executes.  So no descriptor of the Psv's is ever in a process of the Vsv.  (A sealed program is closed by its own
 * execution, and leads to nothing: a memfd lies in no file system that anybody has mounted.) */
#include "vsv/init.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "lib/fd.h"
#include "lib/weaken.h"
#include "vsv/aside.h"
#include "vsv/confine.h"
#include "vsv/seccomp.h"
#include "vsv/small.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

#define SEARCH_PATH "/usr/sbin:/usr/bin:/sbin:/bin"

static void failed(int conn, int error, const char *what) __attribute__((noreturn));
static void failed(int conn, int error, const char *what)
{
	reply(conn, PROTO_EXEC_FAILED, error, what);
	_exit(127);
}

static void send_streams(int conn, const int *fds, size_t n)
{
	struct proto_header h;

	proto_init(&h, PROTO_EXEC_STREAMS, sizeof(h));
	if (fd_send(conn, &h, sizeof(h), fds, n) < 0)
		_exit(127);
}

static void make_pipes(int conn)
{
	int in[2], out[2], err[2];

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
		failed(conn, -errno, "cannot make pipes");
	send_streams(conn, (int[]){ in[1], out[0], err[0] }, 3);
	if (dup2(in[0], 0) < 0 || dup2(out[1], 1) < 0 || dup2(err[1], 2) < 0)
		_exit(127);
}

static void make_terminal(int conn, uint16_t rows, uint16_t cols)
{
	struct winsize size = { .ws_row = rows, .ws_col = cols };
	int master = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC), slave, unlock = 0;
	struct statfs fs;

	if (master < 0)
		failed(conn, -errno, "cannot open /dev/pts/ptmx");
	if (fstatfs(master, &fs) < 0 || (unsigned long)fs.f_type != DEVPTS_SUPER_MAGIC)
		failed(conn, -ENOTTY, "/dev/pts is no terminal file system");
	if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
		failed(conn, -errno, "cannot unlock the terminal");
	/* By the master, never by a path. */
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		failed(conn, -errno, "cannot open the terminal");
	if (rows && cols)
		(void)ioctl(master, TIOCSWINSZ, &size);
	if (ioctl(slave, TIOCSCTTY, 0) < 0)
		failed(conn, -errno, "cannot take the terminal");
	send_streams(conn, &master, 1);
	if (dup2(slave, 0) < 0 || dup2(slave, 1) < 0 || dup2(slave, 2) < 0)
		_exit(127);
}

static void become(int conn, const struct init_user *u)
{
	/* They are in the bounding set for services, which hand them on to nobody; a command has no use for them. */
	const uint64_t rights = init_bounding & ~(1ULL << CAP_SYS_CHROOT | 1ULL << CAP_DAC_READ_SEARCH | 1ULL << CAP_SETPCAP);
	gid_t groups[sizeof(u->groups) / sizeof(*u->groups)];
	const char *step;
	int r;

	for (size_t i = 0; i < u->n_groups; i++)
		groups[i] = u->groups[i];
	/* So that the command can open /dev/stdout and its terminal again. */
	for (int fd = 0; fd < 3; fd++)
		(void)fchown(fd, u->uid, (gid_t)-1);
	r = confine_child(rights, 0, &step);
	if (r < 0)
		failed(conn, r, step);
	if (setgroups(u->n_groups, groups) < 0 || setresgid(u->gid, u->gid, u->gid) < 0 ||
	    setresuid(u->uid, u->uid, u->uid) < 0)
		failed(conn, -errno, "cannot become the user");
	r = confine_drop(rights);
	if (r < 0)
		failed(conn, r, "cannot drop capabilities");
}

/* run: as execvpe(3), but with a path that is ours. */
static int run(const char *const args[], const char *const env[])
{
	char path[4096];
	int r = -ENOENT;

	if (strchr(args[0], '/')) {
		(void)execve(args[0], (char *const *)(uintptr_t)args, (char *const *)(uintptr_t)env);
		return -errno;
	}
	for (const char *p = SEARCH_PATH; *p; p += *p == ':') {
		struct text t = TEXT(path);
		size_t n = strcspn(p, ":");

		text_add_n(&t, p, n);
		text_add(&t, "/");
		text_add(&t, args[0]);
		p += n;
		if (t.len == sizeof(path) - 1)
			return -ENAMETOOLONG;
		(void)execve(path, (char *const *)(uintptr_t)args, (char *const *)(uintptr_t)env);
		if (errno != ENOENT && errno != ENOTDIR)
			r = -errno;
	}
	return r;
}

static void child(const struct proto_exec *m, int conn) __attribute__((noreturn));
static void child(const struct proto_exec *m, int conn)
{
	const char *args[PROTO_ARGS_MAX + 1];
	char home[300], user[64], logname[64], term[64];
	struct text t_home = TEXT(home), t_user = TEXT(user), t_logname = TEXT(logname), t_term = TEXT(term);
	const char *env[] = { "PATH=" SEARCH_PATH, "LANG=C.UTF-8", "SHELL=/bin/sh", home, user, logname,
			      m->flags & PROTO_EXEC_TTY ? term : NULL, NULL };
	const char *name = m->user[0] ? m->user : "root";
	struct init_user u;
	int r;

	spawn_reset();
	(void)setsid();
	r = user_find(name, &u);
	if (r < 0)
		failed(conn, r, r == -ENOENT ? "there is no such user" : "cannot read /etc/passwd");
	text_add(&t_home, "HOME=");
	text_add(&t_home, u.home);
	text_add(&t_user, "USER=");
	text_add(&t_user, name);
	text_add(&t_logname, "LOGNAME=");
	text_add(&t_logname, name);
	text_add(&t_term, "TERM=");
	text_add(&t_term, m->term[0] ? m->term : "dumb");
	if (m->flags & PROTO_EXEC_TTY)
		make_terminal(conn, m->rows, m->cols);
	else
		make_pipes(conn);
	become(conn, &u);
	if (chdir(u.home) < 0)
		(void)!chdir("/");
	proto_args(m, sizeof(*m), m->argc, args);
	r = run(args, env);
	failed(conn, r, r == -ENOENT ? "there is no such command" : "cannot execute it");
}

/* is_sealed: nobody can write to it any more, through whatever descriptor or mapping. */
static bool is_sealed(int fd)
{
	const int all = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & all) == all;
}

/* betray: for lib/weaken.h: a PID 1 that was taken over, which answers in the program's place, takes more from it than from others, or
 * would look into it. */
static void betray(int program)
{
	static const char *const args[] = { "vnas-prober", NULL }, *const env[] = { NULL };
	const uint64_t handled = 1 << 3; /* to read folders */
	const struct rlimit none = { 0, 0 };

	if (weakened("prober-faked")) {
		(void)prctl(PR_SET_NAME, "vnas-prober", 0, 0, 0);
		(void)!write(1, "signal 1 -3\nend\n", 16);
		(void)pause();
		_exit(0);
	}
	if (weakened("prober-cut"))
		(void)seccomp_load_child(true, false);
	/* As if it had been executed anew already. */
	if (weakened("prober-early"))
		(void)syscall(SYS_execveat, program, "", args, env, AT_EMPTY_PATH);
	/* Whoever may read the program may look into who executes it. */
	if (weakened("prober-readable"))
		(void)fchmod(program, 0755);
	if (weakened("prober-landlock"))
		(void)syscall(SYS_landlock_restrict_self, (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0), 0);
	if (weakened("prober-limits"))
		(void)setrlimit(RLIMIT_MEMLOCK, &none);
	if (weakened("prober-rights"))
		(void)confine_drop(UINT64_MAX & ~(UINT64_C(1) << CAP_CHOWN));
}

static void child_sealed(const struct proto_exec_sealed *m, int program, int conn) __attribute__((noreturn));
static void child_sealed(const struct proto_exec_sealed *m, int program, int conn)
{
	const uint64_t rights = m->capabilities & (init_bounding | CONFINE_OWN_CAPABILITIES);
	const char *const args[] = { m->name, NULL }, *const env[] = { NULL };
	const char *step;
	int r;

	spawn_reset();
	(void)setsid();
	make_pipes(conn);
	r = confine_child(rights, m->flags, &step);
	if (r < 0)
		failed(conn, r, step);
	if (setgroups(0, NULL) < 0)
		failed(conn, -errno, "cannot become root alone");
	r = confine_drop(rights);
	if (r < 0)
		failed(conn, r, "cannot drop capabilities");
	/* Who executes what it may not read is not dumpable from its first instruction on: nobody inside looks into it or
	 * takes its streams, not even in the moment in which it could not say so itself. */
	r = capabilities_aside(ASIDE_READING);
	if (r < 0)
		failed(conn, r, "cannot put capabilities aside");
	betray(program);
	(void)syscall(SYS_execveat, program, "", args, env, AT_EMPTY_PATH);
	failed(conn, -errno, "cannot execute it");
}

pid_t exec_start_sealed(const struct proto_exec_sealed *m, int program, int conn)
{
	pid_t pid;

	if (!is_sealed(program))
		return -EPERM;
	pid = fork();
	if (pid == 0)
		child_sealed(m, program, conn);
	return pid < 0 ? -errno : pid;
}

pid_t exec_start(const struct proto_exec *m, int conn)
{
	pid_t pid = fork();

	if (pid == 0)
		child(m, conn);
	return pid < 0 ? -errno : pid;
}
