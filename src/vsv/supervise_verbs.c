/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the supervisor has vnas do.  One verb at a time, as a process of its own: each takes the server's lock, and a
 * supervisor that waited would read no records meanwhile. */
#include "vsv/supervise.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vsv/small.h"

enum {
	EXIT_NOT_RUNNING = 3, EXIT_NO_SUCH = 4, EXIT_IN_USE = 5,
	SETTLE_MS = 100, REASSERT_MAX_MS = 10 * 1000, QUIET_MS = 30 * 1000,
	ANNOUNCE_FIRST_MS = 1000, ANNOUNCE_NEXT_MS = 2000, ANNOUNCEMENTS = 2, /* after the one that a command made */
	RECOVER_FIRST_MS = 1000, RECOVER_MAX_MS = 60 * 1000,
};

void verbs_init(struct verbs *v, const char *vnas, const char *name, const char *run_dir, struct log_files *files)
{
	*v = (struct verbs){ .vnas = vnas, .name = name, .run_dir = run_dir, .files = files,
			     .reassert_ms = -1, .reassert_gap_ms = SETTLE_MS };
	verbs_want_announce(v);
}

void verbs_want_announce(struct verbs *v)
{
	v->announcements = ANNOUNCEMENTS;
	v->announce_ms = clock_ms() + ANNOUNCE_FIRST_MS;
}

static int doubled(int gap_ms, int max_ms)
{
	return gap_ms * 2 > max_ms ? max_ms : gap_ms * 2;
}

void verbs_want_reassert(struct verbs *v)
{
	int64_t now = clock_ms();

	if (v->reassert_ms >= 0 || v->recovering)
		return;
	if (now - v->reassert_last_ms > QUIET_MS)
		v->reassert_gap_ms = SETTLE_MS;
	v->reassert_ms = now + v->reassert_gap_ms;
	v->reassert_gap_ms = doubled(v->reassert_gap_ms, REASSERT_MAX_MS);
}

void verbs_recover(struct verbs *v)
{
	v->recovering = true;
	v->recover_gap_ms = RECOVER_FIRST_MS;
	v->recover_ms = clock_ms();
}

/* run_verb: false: it cannot be run now. */
static bool run_verb(struct verbs *v, enum verb verb)
{
	static const char *const words[] = { [VERB_REASSERT] = "reassert", [VERB_ANNOUNCE] = "announce", [VERB_RECOVER] = "recover" };
	static const int caught[] = { SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGPIPE };
	const char *argv[] = { v->vnas, words[verb], v->name, NULL };
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	extern char **environ;
	sigset_t none;
	pid_t pid;

	keep_flush(v->files);
	pid = fork();
	if (pid != 0) {
		v->child = pid > 0 ? pid : 0;
		v->verb = verb;
		return pid > 0;
	}
	for (size_t i = 0; i < sizeof(caught) / sizeof(*caught); i++)
		(void)sigaction(caught[i], &dfl, NULL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	/* Not with the supervisor's session: a recovery goes on when it ends. */
	(void)setsid();
	(void)execve(v->vnas, (char *const *)(uintptr_t)argv, environ);
	_exit(127);
}

/* announce: not before the services answer, which a start may wait for longer. */
static void announce(struct verbs *v, int64_t now)
{
	v->announce_ms = now + ANNOUNCE_FIRST_MS;
	if (state_runs(v->run_dir, v->name) && run_verb(v, VERB_ANNOUNCE))
		v->announce_ms = --v->announcements > 0 ? now + ANNOUNCE_NEXT_MS : -1;
}

int64_t verbs_run_due(struct verbs *v, int64_t now)
{
	if (v->child == 0 && v->recovering && v->recover_ms <= now && !run_verb(v, VERB_RECOVER))
		v->recover_ms = now + RECOVER_FIRST_MS;
	if (v->child == 0 && !v->recovering && v->reassert_ms >= 0 && v->reassert_ms <= now)
		v->reassert_ms = run_verb(v, VERB_REASSERT) ? -1 : now + v->reassert_gap_ms;
	if (v->child == 0 && !v->recovering && v->announce_ms >= 0 && v->announce_ms <= now)
		announce(v, now);
	if (v->child != 0)
		return -1; /* its end wakes the supervisor */
	if (v->recovering)
		return v->recover_ms;
	if (v->reassert_ms >= 0 && (v->announce_ms < 0 || v->reassert_ms < v->announce_ms))
		return v->reassert_ms;
	return v->announce_ms;
}

/* ended: true: a recovery is over. */
static bool ended(struct verbs *v, int status)
{
	int64_t now = clock_ms();
	char buf[96];
	struct text t = TEXT(buf);

	v->child = 0;
	if (v->verb == VERB_ANNOUNCE) {
		if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_IN_USE && v->announcements < ANNOUNCEMENTS) {
			v->announcements++; /* a command had the server */
			v->announce_ms = now + ANNOUNCE_FIRST_MS;
		}
		return false;
	}
	if (v->verb == VERB_REASSERT) {
		v->reassert_last_ms = now;
		v->done = WIFEXITED(status) && WEXITSTATUS(status) == 0;
		verbs_want_announce(v);
		return false;
	}
	if (WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == EXIT_NOT_RUNNING ||
				  WEXITSTATUS(status) == EXIT_NO_SUCH)) {
		v->recovering = false;
		return true;
	}
	text_add(&t, "recovery failed with ");
	text_status(&t, status);
	keep_own(v->files, PROTO_LOG, buf);
	v->recover_ms = now + v->recover_gap_ms;
	v->recover_gap_ms = doubled(v->recover_gap_ms, RECOVER_MAX_MS);
	return false;
}

bool verbs_reap(struct verbs *v)
{
	bool recovered = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == v->child)
			recovered = ended(v, status) || recovered;
	return recovered;
}
