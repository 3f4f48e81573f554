/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench-start: times commands as whole processes, side by side, and prints a sample (stat.c) of the first against each of
 * the others a round.
 *
 *   bench-start ROUNDS SECONDS CASE NAME "COMMAND" "UNDO" [NAME "COMMAND" "UNDO"]…
 *
 * CASE is the time of the whole process in milliseconds; CASE-cpu is the processor time that it and what it waited for
 * took, which others on the machine change less.  A command may have one that undoes it, which is not timed.  Each round begins with
 * another command, so that none always follows the same.  It ends after ROUNDS, or after SECONDS if there were enough
 * of them.  One command alone has no peer.
 *
 * Commands are split at spaces; no shell is between.  Exit status 1: a command failed. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "stats.h"

enum { MAX_COMMANDS = 16, MAX_WORDS = 64, WORDS_BEFORE = 4 };

extern char **environ;

struct cost {
	double ms, cpu_ms;
};

struct command {
	const char *name;
	char *run[MAX_WORDS + 1], *undo[MAX_WORDS + 1];
	struct cost cost;
};

static int said; /* what the command said on standard error; a file in memory */

static void split(char *text, char **words)
{
	size_t n = 0;

	for (char *w = strtok(text, " "); w && n < MAX_WORDS; w = strtok(NULL, " "))
		words[n++] = w;
	words[n] = NULL;
}

static double of_timeval(struct timeval t)
{
	return (double)t.tv_sec * 1e3 + (double)t.tv_usec / 1e3;
}

static double now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int run(char **words, struct cost *ret)
{
	posix_spawn_file_actions_t actions;
	struct rusage used = { 0 };
	int status = 0, r;
	double start;
	pid_t pid;

	*ret = (struct cost){ 0 };
	if (!words[0])
		return 0;
	if (ftruncate(said, 0) < 0 || lseek(said, 0, SEEK_SET) < 0)
		return -1;
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	(void)posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	(void)posix_spawn_file_actions_adddup2(&actions, said, 2);
	start = now_ms();
	r = posix_spawnp(&pid, words[0], &actions, NULL, words, environ);
	if (r == 0)
		while (wait4(pid, &status, 0, &used) < 0 && errno == EINTR)
			;
	ret->ms = now_ms() - start;
	(void)posix_spawn_file_actions_destroy(&actions);
	ret->cpu_ms = of_timeval(used.ru_utime) + of_timeval(used.ru_stime);
	if (r != 0 || status != 0) {
		char text[2000];
		ssize_t n = pread(said, text, sizeof(text), 0);

		(void)fprintf(stderr, "bench-start: %s %s failed: %.*s\n", words[0], words[1] ? words[1] : "",
			      n > 0 ? (int)n : 0, text);
		return -1;
	}
	return 0;
}

static void print_samples(const char *name, const struct command *list, size_t n)
{
	if (n == 1) {
		(void)printf("sample\t%s\t%s\t-\tms\t%.4f\t-\n", name, list[0].name, list[0].cost.ms);
		(void)printf("sample\t%s-cpu\t%s\t-\tms\t%.4f\t-\n", name, list[0].name, list[0].cost.cpu_ms);
	}
	for (size_t i = 1; i < n; i++) {
		(void)printf("sample\t%s\t%s\t%s\tms\t%.4f\t%.4f\n", name, list[0].name, list[i].name, list[0].cost.ms,
			     list[i].cost.ms);
		(void)printf("sample\t%s-cpu\t%s\t%s\tms\t%.4f\t%.4f\n", name, list[0].name, list[i].name,
			     list[0].cost.cpu_ms, list[i].cost.cpu_ms);
	}
	(void)fflush(stdout);
}

int main(int argc, char **argv)
{
	static struct command list[MAX_COMMANDS];
	size_t n = 0, rounds, seconds;
	double end;

	if (argc < WORDS_BEFORE + 3 || (argc - WORDS_BEFORE) % 3 != 0 || (argc - WORDS_BEFORE) / 3 > MAX_COMMANDS) {
		(void)fprintf(stderr, "usage: bench-start ROUNDS SECONDS CASE NAME COMMAND UNDO [NAME COMMAND UNDO]…\n");
		return 2;
	}
	said = memfd_create("said", MFD_CLOEXEC);
	if (said < 0) {
		perror("bench-start");
		return 1;
	}
	rounds = strtoul(argv[1], NULL, 10);
	seconds = strtoul(argv[2], NULL, 10);
	for (int i = WORDS_BEFORE; i + 2 < argc; i += 3, n++) {
		list[n].name = argv[i];
		split(argv[i + 1], list[n].run);
		split(argv[i + 2], list[n].undo);
	}
	end = now_ms() + (double)seconds * 1e3;
	/* The round before the first warms caches and is not counted. */
	for (size_t k = 0; k <= rounds && (k <= STATS_MIN || now_ms() < end); k++) {
		for (size_t i = 0; i < n; i++) {
			struct command *c = &list[(i + k) % n];
			struct cost ignored;

			if (run(c->run, &c->cost) < 0 || run(c->undo, &ignored) < 0)
				return 1;
		}
		if (k > 0)
			print_samples(argv[3], list, n);
	}
	return 0;
}
