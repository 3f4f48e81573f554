/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TIMEOUT_S = 5 };

static char **params;
static const char *current;
static bool said;

int result(const char *fmt, ...)
{
	va_list ap;

	(void)printf("%s ", current);
	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	va_end(ap);
	(void)putchar('\n');
	said = true;
	return 0;
}

int outcome(long r)
{
	return r < 0 ? -errno : 0;
}

const char *param(const char *key)
{
	size_t len = strlen(key);

	for (char **p = params; *p; p++)
		if (strncmp(*p, key, len) == 0 && (*p)[len] == '=')
			return *p + len + 1;
	(void)result("no-%s", key);
	(void)fflush(NULL);
	_exit(0);
}

unsigned param_number(const char *key)
{
	return (unsigned)strtoul(param(key), NULL, 0);
}

static const char *errno_name(int r)
{
	const char *name = strerrorname_np(-r);

	return name ? name : "E?";
}

static void run_one(const struct attempt *a)
{
	int status = 0;
	pid_t pid;

	current = a->name;
	(void)fflush(NULL);
	pid = fork();
	if (pid < 0) {
		(void)result("cannot-fork-%s", errno_name(-errno));
		return;
	}
	if (pid == 0) {
		int r;

		(void)alarm(TIMEOUT_S);
		r = a->run();
		if (!said)
			(void)result("%s", r < 0 ? errno_name(r) : "ok");
		(void)fflush(NULL);
		_exit(0);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status))
		(void)result("SIGNAL %d", WTERMSIG(status));
}

static bool chosen(const char *name, char **argv, bool if_none)
{
	bool any = false;

	for (; *argv; argv++) {
		if (strchr(*argv, '='))
			continue;
		any = true;
		if (strcmp(*argv, name) == 0)
			return true;
	}
	return !any && if_none;
}

/* on_the_machine: in the UTS namespace that it booted with, whose number is the same on every kernel (include/linux/proc_ns.h); a test's
 * host has one of its own, and so has a Vsv. */
static bool on_the_machine(void)
{
	enum { FIRST = 0xeffffffe };
	struct stat st;

	return !getenv("VNAS_TEST_DIR") && (stat("/proc/self/ns/uts", &st) < 0 || st.st_ino == FIRST);
}

int main(int argc, char **argv)
{
	/* The first three are run whenever none is named. */
	enum { USUAL = 3 };
	const struct attempt *const tables[] = { network_attempts,   file_attempts,  need_attempts,    interface_attempts,
						 mount_attempts, process_attempts, machine_attempts, exhaust_attempts,
						 flood_attempts };

	/* It does what it tries, where that is not refused. */
	if (argc == 1 || on_the_machine()) {
		(void)fputs("probe: name what is to be tried, or give parameters; only in a virtual server or on a test's host\n", stderr);
		return 2;
	}
	params = argv + 1;
	(void)signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct attempt *a = tables[i]; a->name; a++)
			if (chosen(a->name, argv + 1, i < USUAL))
				run_one(a);
	return 0;
}
