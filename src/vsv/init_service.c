/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The services: started, watched and started again by PID 1 itself, so that they live on when there is no supervisor.
 * Each has a session of its own; when its main process ends, what is left of the session goes with it, or it would hold
 * the ports and locks that the next one needs: at once after a failure, and with a moment to end by itself when it was
 * asked to stop (smbd's processes close their clients' files). */
#include "vsv/init.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vsv/confine.h"
#include "vsv/small.h"

enum { DELAY_FIRST_MS = 100, DELAY_LAST_MS = 30 * 1000, STEADY_MS = 60 * 1000, STOP_MS = 10 * 1000, LINGER_MS = 1000, READS_MAX = 16 };

struct service_slot service_slots[SERVICES_MAX];

static struct service_slot *find(const char *name)
{
	for (size_t i = 0; i < SERVICES_MAX; i++)
		if (service_slots[i].used && strcmp(service_slots[i].name, name) == 0)
			return &service_slots[i];
	return NULL;
}

static void child_failed(const char *step, int error) __attribute__((noreturn));
static void child_failed(const char *step, int error)
{
	char buf[256];
	struct text t = TEXT(buf);

	text_add(&t, "vnas-init: cannot ");
	text_add(&t, step);
	text_add(&t, ": ");
	text_add(&t, strerror(-error));
	text_add(&t, "\n");
	(void)!write(2, buf, t.len);
	_exit(127);
}

/* become_user: with the capabilities that the service has, which another user than root would lose at every step. */
static void become_user(const struct service_slot *s, struct init_user *u)
{
	gid_t groups[sizeof(u->groups) / sizeof(*u->groups)];
	int r = user_find(s->user, u);

	if (r < 0)
		child_failed("find the service's user", r);
	for (size_t i = 0; i < u->n_groups; i++)
		groups[i] = u->groups[i];
	/* So that it can open /dev/stdout and /dev/stderr again. */
	(void)fchown(1, u->uid, (gid_t)-1);
	if (setgroups(u->n_groups, groups) < 0 || setresgid(u->gid, u->gid, u->gid) < 0 ||
	    prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setresuid(u->uid, u->uid, u->uid) < 0)
		child_failed("become the service's user", -errno);
}

/* command: what it runs this time, and what it has in its environment besides.  In the child, because a folder is on a disk,
 * which can take its time. */
static void command(const struct service_slot *s, const char **all, const char ***ret_args, const char **ret_env)
{
	const uint32_t fresh_at = s->argc + s->n_folders, env_at = fresh_at + s->fresh_argc;
	bool fresh = s->n_folders > 0;

	proto_args(s->args, 0, env_at + s->n_env, all);
	for (uint32_t i = s->argc; fresh && i < fresh_at; i++)
		fresh = folder_is_empty(all[i]);
	for (uint32_t i = 0; i < s->n_env; i++)
		*ret_env++ = all[env_at + i];
	*ret_env = NULL;
	*ret_args = all + (fresh ? fresh_at : 0);
	all[fresh ? env_at : s->argc] = NULL;
}

/* run: the environment names the user. */
static void run(const struct service_slot *s, const struct init_user *u) __attribute__((noreturn));
static void run(const struct service_slot *s, const struct init_user *u)
{
	const char *all[PROTO_SERVICE_ARGS_BYTES + 1] /* a string can be empty */, **args, *name = s->user[0] ? s->user : "root";
	char home[300], user[64], logname[64];
	struct text t_home = TEXT(home), t_user = TEXT(user), t_logname = TEXT(logname);
	const char *env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", home, user, logname, [5 + PROTO_ENV_MAX] = NULL };

	text_add(&t_home, "HOME=");
	text_add(&t_home, u->home);
	text_add(&t_user, "USER=");
	text_add(&t_user, name);
	text_add(&t_logname, "LOGNAME=");
	text_add(&t_logname, name);
	command(s, all, &args, env + 5);
	(void)execve(args[0], (char *const *)(uintptr_t)args, (char *const *)(uintptr_t)env);
	child_failed(args[0], -errno);
}

static void child(const struct service_slot *s, int log) __attribute__((noreturn));
static void child(const struct service_slot *s, int log)
{
	struct init_user u = { .home = "/root" };
	const char *step;
	int null, r;

	spawn_reset();
	(void)setsid();
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0)
		_exit(127);
	r = confine_child(s->capabilities, s->flags, &step);
	if (r < 0)
		child_failed(step, r);
	if (s->user[0])
		become_user(s, &u);
	r = s->user[0] ? confine_drop_ambient(s->capabilities) : confine_drop(s->capabilities);
	if (r < 0)
		child_failed("drop capabilities", r);
	run(s, &u);
}

/* wait_again: after an end, or when there was no memory to start it. */
static void wait_again(struct service_slot *s, int64_t now)
{
	s->state = PROTO_WAITING;
	s->next_ms = now + s->delay_ms;
	s->delay_ms = s->delay_ms * 2 > DELAY_LAST_MS ? DELAY_LAST_MS : s->delay_ms * 2;
}

static void start(struct service_slot *s, int64_t now)
{
	int log = s->log_fds[1];

	s->stopping = s->again = false;
	s->pid = fork();
	if (s->pid == 0)
		child(s, log);
	if (s->pid < 0) {
		s->pid = 0;
		wait_again(s, now);
		return;
	}
	s->state = PROTO_RUNNING;
	s->started_ms = now;
	s->next_ms = -1;
	log_event(s->name, "service_started", "");
}

static struct service_slot *free_slot(void)
{
	for (size_t i = 0; i < SERVICES_MAX; i++)
		if (!service_slots[i].used)
			return &service_slots[i];
	return NULL;
}

/* prepare: a slot of that name that nothing runs in; NULL: *ret_error says why. */
static struct service_slot *prepare(const char *name, const char *program, int *ret_error)
{
	struct service_slot *s = find(name);

	*ret_error = init_is_stopping() ? -ESHUTDOWN : s && s->state != PROTO_STOPPED ? -EEXIST : 0;
	if (*ret_error == 0 && access(program, X_OK) < 0)
		*ret_error = -errno;
	if (*ret_error)
		return NULL;
	if (s)
		return s;
	s = free_slot();
	if (!s || pipe2(s->log_fds, O_CLOEXEC) < 0) {
		*ret_error = s ? -errno : -ENOSPC;
		return NULL;
	}
	/* Only the reading end: the service's writes wait for PID 1, which always reads. */
	(void)fcntl(s->log_fds[0], F_SETFL, O_NONBLOCK);
	s->used = true;
	s->line_len = 0;
	copy_str(s->name, sizeof(s->name), name);
	return s;
}

static int begin(const struct proto_service_fresh *f, const char *args, size_t args_len)
{
	const struct proto_service_add *m = &f->add;
	int error;
	struct service_slot *s = prepare(m->name, args, &error);

	if (!s)
		return error;
	copy_str(s->user, sizeof(s->user), m->user);
	s->capabilities = m->capabilities & init_bounding;
	s->stop_signal = m->stop_signal;
	s->reload_signal = m->reload_signal;
	s->flags = m->flags;
	s->argc = m->argc;
	s->n_folders = f->n_folders;
	s->fresh_argc = f->fresh_argc;
	s->n_env = f->n_env;
	memcpy(s->args, args, args_len);
	s->restarts = 0;
	s->last_exit = -1;
	s->delay_ms = DELAY_FIRST_MS;
	s->forget = false;
	start(s, clock_ms());
	return 0;
}

int service_fresh(const struct proto_service_fresh *m)
{
	return begin(m, (const char *)(m + 1), m->add.h.size - sizeof(*m));
}

int service_add(const struct proto_service_add *m)
{
	const struct proto_service_fresh f = { .add = *m };

	return begin(&f, (const char *)(m + 1), m->h.size - sizeof(*m));
}

int service_start(const struct proto_service_start *m)
{
	struct proto_service_fresh f = { .add = { .capabilities = m->capabilities, .stop_signal = m->stop_signal,
						  .reload_signal = m->reload_signal, .flags = m->flags, .argc = m->argc } };

	copy_str(f.add.name, sizeof(f.add.name), m->name);
	return begin(&f, (const char *)(m + 1), m->h.size - sizeof(*m));
}

static int stop(struct service_slot *s, int64_t now)
{
	if (s->state == PROTO_WAITING) {
		s->state = PROTO_STOPPED;
		return 0;
	}
	if (s->state != PROTO_RUNNING || s->stopping)
		return 0;
	s->stopping = true;
	s->next_ms = now + STOP_MS;
	return kill(s->pid, s->stop_signal) < 0 ? -errno : 0;
}

static int act_on(struct service_slot *s, enum proto_act act, int64_t now)
{
	int r;

	switch (act) {
	case PROTO_ACT_STOP:
		s->again = false;
		return stop(s, now);
	case PROTO_ACT_RESTART:
		if (init_is_stopping())
			return -ESHUTDOWN;
		r = stop(s, now);
		if (s->state == PROTO_STOPPED)
			start(s, now);
		else
			s->again = true;
		return r;
	case PROTO_ACT_RELOAD:
		if (s->reload_signal == 0)
			return -EOPNOTSUPP;
		return s->state == PROTO_RUNNING && kill(s->pid, s->reload_signal) < 0 ? -errno : 0;
	}
	return -EINVAL;
}

int service_act(const struct proto_service_act *m, uint32_t *ret_wait)
{
	int64_t now = clock_ms();
	uint32_t wait = 0;

	if (m->name[0]) {
		struct service_slot *s = find(m->name);
		int r = s ? act_on(s, m->act, now) : -ENOENT;

		if (r < 0)
			return r;
		*ret_wait = 1u << (s - service_slots);
		return 0;
	}
	for (size_t i = SERVICES_MAX; i-- > 0;) {
		if (!service_slots[i].used)
			continue;
		(void)act_on(&service_slots[i], m->act, now);
		wait |= 1u << i;
	}
	*ret_wait = wait;
	return 0;
}

static void flush_line(struct service_slot *s)
{
	if (s->line_len)
		log_add(PROTO_LOG, s->name, s->line, s->line_len);
	s->line_len = 0;
}

static void forget(struct service_slot *s)
{
	service_read_log(s);
	flush_line(s);
	(void)close(s->log_fds[0]);
	(void)close(s->log_fds[1]);
	memset(s, 0, sizeof(*s));
}

int service_remove(const char *name, uint32_t *ret_wait)
{
	struct service_slot *s = find(name);
	int r;

	if (!s)
		return -ENOENT;
	s->again = false;
	r = stop(s, clock_ms());
	if (s->state == PROTO_STOPPED) {
		forget(s);
		*ret_wait = 0;
		return 0;
	}
	s->forget = r == 0;
	*ret_wait = 1u << (s - service_slots);
	return r;
}

uint32_t service_unsettled(uint32_t mask)
{
	for (size_t i = 0; i < SERVICES_MAX; i++)
		if (!service_slots[i].stopping)
			mask &= ~(1u << i);
	return mask;
}

static void say_ended(const struct service_slot *s, int status)
{
	char buf[128];
	struct text t = TEXT(buf);

	text_status(&t, status);
	if (s->state == PROTO_WAITING) {
		text_add(&t, ", again in ");
		text_u64(&t, (uint64_t)(s->next_ms - clock_ms() > 0 ? s->next_ms - clock_ms() : 0));
		text_add(&t, " ms");
	}
	log_event(s->name, s->state == PROTO_WAITING ? "service_failed" : "service_stopped", buf);
}

/* stopped: nothing of it is left. */
static void stopped(struct service_slot *s, int64_t now)
{
	s->session = 0;
	s->stopping = false;
	s->state = PROTO_STOPPED;
	say_ended(s, s->last_exit);
	if (s->forget) {
		forget(s);
		return;
	}
	if (s->again && !init_is_stopping())
		start(s, now);
}

/* linger: waits for the rest of a session to end, but not for ever. */
static void linger(struct service_slot *s, int64_t now)
{
	bool late = now >= s->next_ms;

	if (!late && init_signal_session(s->session, 0))
		return;
	if (late)
		(void)init_signal_session(s->session, SIGKILL);
	service_read_log(s);
	stopped(s, now);
}

bool service_ended(pid_t pid, int status)
{
	struct service_slot *s = NULL;
	int64_t now = clock_ms();

	for (size_t i = 0; i < SERVICES_MAX; i++)
		if (service_slots[i].used && service_slots[i].pid == pid)
			s = &service_slots[i];
	if (!s)
		return false;
	s->pid = 0;
	s->last_exit = status;
	if ((s->stopping || init_is_stopping()) && init_signal_session(pid, s->stop_signal)) {
		s->session = pid;
		s->stopping = true;
		s->next_ms = now + LINGER_MS;
		return true;
	}
	init_kill_session(pid);
	service_read_log(s);
	if (s->stopping || init_is_stopping()) {
		stopped(s, now);
		return true;
	}
	if (now - s->started_ms >= STEADY_MS)
		s->delay_ms = DELAY_FIRST_MS;
	wait_again(s, now);
	say_ended(s, status);
	return true;
}

/* add_lines: whole lines go to the ring, the rest waits for its end. */
static void add_lines(struct service_slot *s, const char *p, size_t n)
{
	for (; n; p++, n--) {
		if (*p != '\n')
			s->line[s->line_len++] = *p;
		if (*p != '\n' && s->line_len < sizeof(s->line))
			continue;
		flush_line(s);
	}
}

void service_read_log(struct service_slot *s)
{
	char buf[4096];

	/* Bounded, so that one service's noise leaves time for the others. */
	for (unsigned i = 0; i < READS_MAX; i++) {
		ssize_t n = read(s->log_fds[0], buf, sizeof(buf));

		if (n <= 0)
			return;
		add_lines(s, buf, (size_t)n);
	}
}

int64_t service_tick(int64_t now)
{
	int64_t next = -1;

	for (size_t i = 0; i < SERVICES_MAX; i++) {
		struct service_slot *s = &service_slots[i];

		if (!s->used || s->state == PROTO_STOPPED)
			continue;
		if (s->session) {
			linger(s, now);
			if (s->session && (next < 0 || s->next_ms < next))
				next = s->next_ms;
			continue;
		}
		if (init_is_stopping() && s->state == PROTO_WAITING) {
			s->state = PROTO_STOPPED;
			continue;
		}
		if (s->next_ms >= 0 && s->next_ms <= now) {
			if (s->state == PROTO_WAITING) {
				s->restarts++;
				start(s, now);
			} else {
				(void)kill(s->pid, SIGKILL);
				s->next_ms = -1;
			}
		}
		if (s->next_ms >= 0 && (next < 0 || s->next_ms < next))
			next = s->next_ms;
	}
	return next;
}

bool service_all_ended(void)
{
	for (size_t i = 0; i < SERVICES_MAX; i++)
		if (service_slots[i].used && service_slots[i].state != PROTO_STOPPED)
			return false;
	return true;
}

void service_stop_in_order(void)
{
	for (size_t i = SERVICES_MAX; i-- > 0;) {
		struct service_slot *s = &service_slots[i];

		if (!s->used || s->state != PROTO_RUNNING)
			continue;
		if (!s->stopping)
			(void)stop(s, clock_ms());
		if (!s->session)
			s->next_ms = -1; /* init_stop() has its own deadline for all */
		s->again = false;
		return;
	}
}
