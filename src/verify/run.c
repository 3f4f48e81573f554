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
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/sys.h"
#include "lib/when.h"
#include "psv/inside.h"
#include "psv/walk.h"
#include "verify/anew.h"
#include "verify/channel.h"
#include "verify/internal.h"
#include "verify/layers.h"
#include "verify/prober.h"
#include "vsv/confine.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x10
#endif

#define PROBER VNAS_LIBEXECDIR "/vnas-prober"

enum { LIMIT_MS = 15 * 1000, LIMIT_TARGET_MS = 100, LIMIT_MAX_MS = 10 * 60 * 1000, START_MS = 10 * 1000 };

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

/* limit_ms: a fixed part for what a machine under load does to it, and some for each target, of which there are pairs. */
int prober_limit_ms(size_t n_targets)
{
	size_t ms = LIMIT_MS + LIMIT_TARGET_MS * n_targets;

	return ms > LIMIT_MAX_MS ? LIMIT_MAX_MS : (int)ms;
}

static void begin_text(const struct verify *v, const char *mode, struct strbuf *out)
{
	strbuf_addf(out, "limit %d\nmode %s\n", prober_limit_ms(v->n_servers) / 1000, mode);
}

/* ---- inside: PID 1 starts it, and has no part in what is said ---- */

/* keep: asks PID 1 to run it, in a process of our own, which ends with us: when it does, PID 1 ends the prober.  What went wrong is
 * said to `tell`. */
static void keep(const struct verify *v, const struct server *s, int program, int tell) __attribute__((noreturn));
static void keep(const struct verify *v, const struct server *s, int program, int tell)
{
	static const char *const argv[] = { PROBER_STARTED, NULL };
	/* With every right that PID 1 can give, and no filter of its own, which could be another's in its place. */
	const struct inside_sealed sealed = { .fd = program, .capabilities = UINT64_MAX, .file_handles = true };
	_cleanup_strbuf_ struct strbuf out = { 0 };
	const struct inside_exec e = { .argv = argv, .sealed = &sealed, .input = "", .output = &out,
				       .output_max = 4096, .timeout_ms = prober_limit_ms(v->n_servers) };
	_cleanup_close_ int conn = -1;
	struct err err = { 0 };
	char words[64] = "";
	int r;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	conn = inside_connect(s->st.init_pid, s->st.init_start, &err);
	r = conn < 0 ? conn : inside_exec(conn, &e, &err);
	if (r > 0)
		(void)str_format(words, sizeof(words), "it was ended inside (status %d)", r);
	(void)!write(tell, r < 0 ? err.text : words, strlen(r < 0 ? err.text : words));
	_exit(0);
}

struct search {
	int program;
	int64_t until_ms;
	struct anew found;
	const char *problem; /* of one that was found, and is not believed */
};

static bool try_process(pid_t pid, void *arg)
{
	struct search *f = arg;
	int r = channel_runs(f->program, pid) ? anew_begin(f->program, pid, &f->found) : -EAGAIN;

	if (r == -EACCES)
		f->problem = "others inside could look into it";
	else if (r == -EPERM)
		f->problem = "it cannot be traced: somebody inside does, or kernel.yama.ptrace_scope is 3";
	else if (r == -ENOTSUP)
		f->problem = "whether others inside could look into it was not to be found out";
	return r < 0 && !f->problem && now_ms() < f->until_ms;
}

/* find_prober: among the processes of its control group.  It stands at its beginning. */
static int find_prober(const struct server *s, int told, struct search *f)
{
	for (long pause_ms = 1; now_ms() < f->until_ms; pause_ms += pause_ms < 16) {
		/* Its keeper says why it will never be there. */
		struct pollfd p = { .fd = told, .events = POLLIN };

		each_process(s, try_process, f);
		if (f->found.watcher > 0 || f->problem)
			return 0;
		if (poll(&p, 1, (int)pause_ms) > 0)
			return -ESRCH;
	}
	return -ETIME;
}

/* open_channel: once it runs. */
static int open_channel(const struct search *f, int *ret)
{
	int r;

	while ((r = channel_open(f->program, f->found.pid, f->found.pidfd, ret)) == -EAGAIN && now_ms() < f->until_ms)
		sleep_ms(1);
	return r == -EAGAIN ? -ETIME : r;
}

/* layers_allow: whoever started it laid no Landlock domain on it that the others have not.  *text: what it said, without that. */
static bool layers_allow(const struct verify *v, const char **text)
{
	char line[40];

	for (int n = v->layers - layers_of_scopes(); n <= v->layers; n++) {
		(void)str_format(line, sizeof(line), "layers 0 %d\n", n);
		if (!str_starts(*text, line))
			continue;
		*text += strlen(line);
		return true;
	}
	return false;
}

/* converse: *ret_answers: from the first that is one.  NULL, or why nothing that it says counts. */
static const char *converse(const struct verify *v, const struct server *s, struct search *f, struct strbuf *said, const char **ret_answers)
{
	_cleanup_close_ int channel = -1;
	_cleanup_strbuf_ struct strbuf in = { 0 };
	const char *problem = f->problem ? f->problem : anew_problem(s, &f->found);
	int r;

	if (problem)
		return problem;
	anew_go(&f->found);
	if (open_channel(f, &channel) < 0)
		return "it was not ready in time";
	/* Until it was ready it may have shared its root with others, who may have changed it. */
	if (!channel_stands_with(f->found.pid, s->st.init_pid))
		return "it has another root, or is in another namespace";
	strbuf_addstr(&in, "layers\n");
	begin_text(v, "inside", &in);
	self_text(v, s, &in);
	r = channel_talk(channel, strbuf_str(&in), prober_limit_ms(v->n_servers), said);
	*ret_answers = strbuf_str(said);
	if (!layers_allow(v, ret_answers))
		return said->len ? "it has a Landlock domain that it was not given" : parse_problem(-ENODATA);
	return r < 0 ? "it did not end in time" : NULL;
}

static void ask_inside(const struct verify *v, struct server *s, int program, int told)
{
	struct search f = { .program = program, .until_ms = now_ms() + START_MS, .found = { .pidfd = -1, .conn = -1 } };
	_cleanup_strbuf_ struct strbuf said = { 0 };
	const char *answers = NULL, *problem;
	int r = find_prober(s, told, &f);

	if (r < 0) {
		if (r == -ETIME)
			(void)str_copy(s->inside_problem, sizeof(s->inside_problem), "the prober was not found inside");
		return;
	}
	problem = converse(v, s, &f, &said, &answers);
	anew_end(&f.found);
	r = answers ? answers_parse(&s->inside, answers, said.len - (size_t)(answers - said.buf)) : 0;
	if (r < 0 && !problem)
		problem = parse_problem(r);
	if (problem)
		(void)str_copy(s->inside_problem, sizeof(s->inside_problem), problem);
}

void prober_inside(struct verify *v, struct server *s)
{
	/* Its own: PID 1 cannot alter it, but may change its mode. */
	_cleanup_close_ int told = -1, tell = -1, program = -1;
	int pair[2];
	pid_t keeper;
	ssize_t n;

	if (prober_open(&program, NULL) < 0 || pipe2(pair, O_CLOEXEC) < 0) {
		(void)str_copy(s->inside_problem, sizeof(s->inside_problem), "the prober could not be made");
		return;
	}
	told = pair[0];
	tell = pair[1];
	keeper = fork();
	if (keeper == 0)
		keep(v, s, program, tell);
	(void)close(steal_fd(&tell));
	if (keeper < 0) {
		(void)str_copy(s->inside_problem, sizeof(s->inside_problem), "no process could be made");
		return;
	}
	ask_inside(v, s, program, told);
	(void)kill(keeper, SIGKILL);
	while (waitpid(keeper, NULL, 0) < 0 && errno == EINTR)
		;
	if (!s->inside_problem[0]) {
		n = read(told, s->inside_problem, sizeof(s->inside_problem) - 1);
		s->inside_problem[n > 0 ? n : 0] = '\0';
	}
}

/* ---- beside it: a process of the Psv's ---- */

struct aside {
	int cgroup_fd;       /* to be born in, or -1 */
	int net_fd;          /* the network namespace to enter, or -1 */
	bool namespaces;     /* of its own, so that what succeeds is seen by nobody */
	const char *input;
};

static void aside_child(const struct aside *a, int program) __attribute__((noreturn));
static void aside_child(const struct aside *a, int program)
{
	static const char *const args[] = { PROBER_NAME, NULL }, *const env[] = { NULL };

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (a->net_fd >= 0 && setns(a->net_fd, CLONE_NEWNET) < 0)
		_exit(1);
	if (a->namespaces && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		_exit(1);
	/* As PR_SET_PDEATHSIG does not cross a pid namespace's end, the prober's own alarm is the last word. */
	(void)execveat(program, "", (char *const *)(uintptr_t)args, (char *const *)(uintptr_t)env, AT_EMPTY_PATH);
	_exit(1);
}

static int ask_aside(const struct verify *v, pid_t pid, const char *input, struct strbuf *said)
{
	int64_t until_ms = now_ms() + START_MS;
	_cleanup_close_ int channel = -1, pidfd = pidfd_open(pid, 0);
	int r = pidfd < 0 ? -errno : -EAGAIN;

	while (r == -EAGAIN && now_ms() < until_ms) {
		r = channel_open(v->program, pid, pidfd, &channel);
		if (r == -EAGAIN)
			sleep_ms(1);
	}
	return r < 0 ? r : channel_talk(channel, input, prober_limit_ms(v->n_servers), said);
}

static int run_aside(const struct verify *v, const struct aside *a, struct strbuf *said, char *problem, size_t size)
{
	struct clone_args args = { .flags = a->namespaces ? CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET : 0,
				   .exit_signal = SIGCHLD };
	pid_t pid;
	int r;

	if (a->cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)a->cgroup_fd;
	}
	pid = sys_clone3(&args);
	if (pid == 0)
		aside_child(a, v->program);
	r = pid < 0 ? -errno : ask_aside(v, pid, a->input, said);
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
	begin_text(v, "gate", &in);
	self_text(v, s, &in);
	a.input = strbuf_str(&in);
	r = run_aside(v, &a, &out, s->gate_problem, sizeof(s->gate_problem));
	if (r < 0)
		return;
	r = answers_parse(&s->gate, strbuf_str(&out), out.len);
	if (r < 0)
		(void)str_copy(s->gate_problem, sizeof(s->gate_problem), parse_problem(r));
}

/* count_layers: in a process of its own, since it enters them. */
static int count_layers(void)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		_exit(layers_left());
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WEXITSTATUS(status);
}

void prober_control(struct verify *v)
{
	struct aside a = { .cgroup_fd = -1, .net_fd = -1, .namespaces = true, .input = "mode control\nself\ngo\n" };
	_cleanup_strbuf_ struct strbuf out = { 0 };
	char problem[256];

	v->layers = count_layers();
	/* Without it those that need it are open, which says enough. */
	if (run_aside(v, &a, &out, problem, sizeof(problem)) == 0)
		(void)answers_parse(&v->control, strbuf_str(&out), out.len);
}
