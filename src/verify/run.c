/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Running the prober: inside, in the control group alone, and with the Psv's rights. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/sys.h"
#include "psv/inside.h"
#include "psv/walk.h"
#include "verify/internal.h"
#include "vsv/confine.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x10
#endif

#define PROBER VNAS_LIBEXECDIR "/vnas-prober"

enum { INSIDE_MS = 15 * 1000, ASIDE_MS = 15 * 1000, OUTPUT_MAX = 4 * 1024 * 1024 };

int prober_open(int *ret, struct err *err)
{
	_cleanup_close_ int in = open(PROBER, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), fd = -1;
	ssize_t n;

	if (in < 0)
		return err_set(err, -errno, "cannot open %s: %m", PROBER);
	/* Without the flag a machine with vm.memfd_noexec = 1 would not execute it; before Linux 6.3 there is none. */
	fd = memfd_create("vnas-prober", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("vnas-prober", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return err_set(err, -errno, "cannot make a memfd: %m");
	while ((n = sendfile(fd, in, NULL, 1 << 20)) > 0)
		;
	/* Whoever executes it may not read it, so nobody inside reads what it holds (vsv/init_exec.c). */
	if (n < 0 || fchmod(fd, 0111) < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return err_set(err, -errno, "cannot seal the prober: %m");
	*ret = steal_fd(&fd);
	return 0;
}

/* ---- what it is told ---- */

static void self_text(const struct verify *v, const struct server *s, struct strbuf *out)
{
	char text[IPADDR_STR_MAX];

	strbuf_addstr(out, "self\n");
	for (size_t i = 0; i < s->as_victim.n_addresses; i++)
		strbuf_addf(out, "address %s\n", ipaddr_str(&s->as_victim.addresses[i], text));
	for (size_t i = 0; i < s->st.n_addresses; i++) {
		const struct conf_address *a = &s->st.addresses[i].a;
		struct ipaddr b;

		if (a->addr.family != AF_INET || a->prefix >= 31)
			continue;
		b = ipaddr_broadcast(&a->addr, a->prefix);
		strbuf_addf(out, "broadcast %s\n", ipaddr_str(&b, text));
	}
	for (size_t i = 0; s->has_conf && i < s->conf.denies.n; i++) {
		const char *net = s->conf.denies.v[i];

		/* Its first address, whatever is there. */
		strbuf_addf(out, "deny %.*s 9\n", (int)strcspn(net, "/"), net);
	}
	/* Addresses for documentation, which nobody has (RFC 5737, RFC 3849). */
	strbuf_addstr(out, "absent 203.0.113.199\nabsent 2001:db8:ffff::199\n");
	for (size_t i = 0; i < s->as_victim.n_devices; i++)
		strbuf_addf(out, "device %u %u\n", major(s->as_victim.devices[i]), minor(s->as_victim.devices[i]));
	strbuf_addf(out, "capabilities %llx\n",
		    (unsigned long long)(s->has_conf ? walk_bounding(&s->conf) | CONFINE_OWN_CAPABILITIES : 0));
	strbuf_addf(out, "hostname %s\ntoken %s\n", s->has_conf ? s->conf.hostname : "", s->token);
	if (s->has_conf && s->conf.discovery)
		strbuf_addf(out, "discovery %u\n", s->conf.discovery);
	if (is_private(s))
		strbuf_addstr(out, "private\n");
	strbuf_addstr(out, "go\n");
	victim_text(&v->host, out);
	for (size_t i = 0; i < v->n_servers; i++)
		if (&v->servers[i] != s)
			victim_text(&v->servers[i].as_victim, out);
}

static const char *parse_problem(int r)
{
	return r == -ENODATA ? "it was ended before it had answered all" : "it answered what no prober says";
}

void prober_inside(struct verify *v, struct server *s)
{
	static const char *const argv[] = { "vnas-prober", NULL };
	_cleanup_strbuf_ struct strbuf in = { 0 }, out = { 0 };
	struct inside_sealed sealed = { .fd = v->program, .capabilities = UINT64_MAX };
	struct inside_exec e = { .argv = argv, .sealed = &sealed, .output = &out, .timeout_ms = INSIDE_MS };
	_cleanup_close_ int conn = -1;
	struct err err = { 0 };
	int r;

	/* Where a service has that right, it tries what the service could. */
	sealed.file_handles = s->has_conf && (walk_bounding(&s->conf) & (1ULL << CAP_DAC_READ_SEARCH));
	strbuf_addstr(&in, "mode inside\n");
	self_text(v, s, &in);
	e.input = strbuf_str(&in);
	conn = inside_connect(s->st.init_pid, s->st.init_start, &err);
	r = conn < 0 ? conn : inside_exec(conn, &e, &err);
	if (r < 0)
		(void)str_format(s->inside_problem, sizeof(s->inside_problem), "%.200s", err.text);
	else if (r != 0)
		(void)str_format(s->inside_problem, sizeof(s->inside_problem), "it was ended inside (status %d)", r);
	r = answers_parse(&s->inside, strbuf_str(&out), out.len);
	if (r < 0 && !s->inside_problem[0])
		(void)str_copy(s->inside_problem, sizeof(s->inside_problem), parse_problem(r));
}

/* ---- beside it: a process of the Psv's ---- */

static int64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

struct aside {
	int cgroup_fd;       /* to be born in, or -1 */
	int net_fd;          /* the network namespace to enter, or -1 */
	bool namespaces;     /* of its own, so that what succeeds is seen by nobody */
	const char *input;
};

static void aside_child(const struct aside *a, int program, int in, int out) __attribute__((noreturn));
static void aside_child(const struct aside *a, int program, int in, int out)
{
	static const char *const args[] = { "vnas-prober", NULL }, *const env[] = { NULL };

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (a->net_fd >= 0 && setns(a->net_fd, CLONE_NEWNET) < 0)
		_exit(1);
	if (a->namespaces && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		_exit(1);
	/* As PR_SET_PDEATHSIG does not cross a pid namespace's end, the prober's own alarm is the last word. */
	in = fcntl(in, F_DUPFD_CLOEXEC, 3);
	out = fcntl(out, F_DUPFD_CLOEXEC, 3);
	program = fcntl(program, F_DUPFD_CLOEXEC, 3);
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
		_exit(1);
	(void)execveat(program, "", (char *const *)(uintptr_t)args, (char *const *)(uintptr_t)env, AT_EMPTY_PATH);
	_exit(1);
}

/* talk: writes the input and reads what comes, in one loop; `to` is closed.  0 or -ETIME. */
static int talk(int to, int out, const char *input, struct strbuf *said)
{
	_cleanup_close_ int in = to;
	int64_t until_ms = now_ms() + ASIDE_MS;
	size_t left = strlen(input);

	(void)fcntl(in, F_SETFL, O_NONBLOCK);
	for (;;) {
		struct pollfd p[2] = { { .fd = out, .events = POLLIN }, { .fd = in, .events = POLLOUT } };
		int64_t wait_ms = until_ms - now_ms();
		char buf[4096];
		ssize_t n;

		if (wait_ms <= 0 || said->len > OUTPUT_MAX)
			return -ETIME;
		if (poll(p, 2, (int)wait_ms) < 0)
			continue;
		if (p[1].revents) {
			n = left ? write(in, input, left) : -1;
			if (n > 0) {
				input += n;
				left -= (size_t)n;
			}
			if (left == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
				(void)close(in);
				in = -1;
			}
		}
		if (p[0].revents) {
			n = read(out, buf, sizeof(buf));
			if (n <= 0 && (n == 0 || errno != EINTR))
				return 0;
			strbuf_add(said, buf, n > 0 ? (size_t)n : 0);
		}
	}
}

static int run_aside(const struct verify *v, const struct aside *a, struct strbuf *said, char *problem, size_t size)
{
	int in[2], out[2], r;
	struct clone_args args = { .flags = a->namespaces ? CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET : 0,
				   .exit_signal = SIGCHLD };
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old;
	pid_t pid;

	if (a->cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)a->cgroup_fd;
	}
	if (pipe2(in, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(out, O_CLOEXEC) < 0) {
		(void)close(in[0]);
		(void)close(in[1]);
		return -errno;
	}
	pid = sys_clone3(&args);
	if (pid == 0) {
		(void)close(in[1]);
		(void)close(out[0]);
		aside_child(a, v->program, in[0], out[1]);
	}
	r = pid < 0 ? -errno : 0;
	(void)close(in[0]);
	(void)close(out[1]);
	(void)sigaction(SIGPIPE, &ignore, &old);
	if (r == 0)
		r = talk(in[1], out[0], a->input, said);
	else
		(void)close(in[1]);
	(void)sigaction(SIGPIPE, &old, NULL);
	(void)close(out[0]);
	if (pid > 0) {
		(void)kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	if (r < 0)
		(void)str_format(problem, size, "the prober could not be run: %s", strerror(-r));
	return r;
}

void prober_gate(struct verify *v, struct server *s)
{
	_cleanup_strbuf_ struct strbuf in = { 0 }, out = { 0 };
	_cleanup_close_ int net = -1;
	struct aside a = { .cgroup_fd = s->cgroup_fd };
	char path[40];
	int r;

	if (s->cgroup_fd < 0) {
		(void)str_copy(s->gate_problem, sizeof(s->gate_problem), "its control group cannot be opened");
		return;
	}
	(void)str_format(path, sizeof(path), "/proc/%d/ns/net", (int)s->st.init_pid);
	net = open(path, O_RDONLY | O_CLOEXEC);
	if (net < 0) {
		(void)str_copy(s->gate_problem, sizeof(s->gate_problem), "its network cannot be entered");
		return;
	}
	a.net_fd = net;
	strbuf_addstr(&in, "mode gate\n");
	self_text(v, s, &in);
	a.input = strbuf_str(&in);
	r = run_aside(v, &a, &out, s->gate_problem, sizeof(s->gate_problem));
	if (r < 0)
		return;
	r = answers_parse(&s->gate, strbuf_str(&out), out.len);
	if (r < 0)
		(void)str_copy(s->gate_problem, sizeof(s->gate_problem), parse_problem(r));
}

void prober_control(struct verify *v)
{
	struct aside a = { .cgroup_fd = -1, .net_fd = -1, .namespaces = true, .input = "mode control\nself\ngo\n" };
	_cleanup_strbuf_ struct strbuf out = { 0 };
	char problem[256];

	/* Without it those that need it are open, which says enough. */
	if (run_aside(v, &a, &out, problem, sizeof(problem)) == 0)
		(void)answers_parse(&v->control, strbuf_str(&out), out.len);
}
