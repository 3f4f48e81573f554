/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench-start: times commands as whole processes, in turn (A B C A B C …), and prints for each the median, the quartiles
 * and the ratio to the first, round by round, with its spread; and the median of the processor time that it and what it
 * waited for took, which others on the machine change less.  Each command may have one that undoes it, which is not timed.
 *
 *   bench-start ROUNDS NAME "COMMAND" "UNDO" [NAME "COMMAND" "UNDO"]…
 *
 * Commands are split at spaces; no shell is between.  Exit status 1: a command failed. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

enum { MAX_COMMANDS = 16, MAX_ROUNDS = 1000, MAX_WORDS = 64 };

extern char **environ;

struct command {
	const char *name;
	char *run[MAX_WORDS + 1], *undo[MAX_WORDS + 1];
	double ms[MAX_ROUNDS], cpu_ms[MAX_ROUNDS];
};

struct cost {
	double ms, cpu_ms;
};

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

static int run(char **words, struct cost *ret)
{
	posix_spawn_file_actions_t actions;
	struct timespec a, b;
	struct rusage used = { 0 };
	int status = 0, r;
	pid_t pid;

	*ret = (struct cost){ 0 };
	if (!words[0])
		return 0;
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	(void)posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	(void)clock_gettime(CLOCK_MONOTONIC, &a);
	r = posix_spawnp(&pid, words[0], &actions, NULL, words, environ);
	if (r == 0)
		while (wait4(pid, &status, 0, &used) < 0 && errno == EINTR)
			;
	(void)clock_gettime(CLOCK_MONOTONIC, &b);
	(void)posix_spawn_file_actions_destroy(&actions);
	ret->cpu_ms = of_timeval(used.ru_utime) + of_timeval(used.ru_stime);
	ret->ms = (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6;
	if (r != 0 || status != 0) {
		(void)fprintf(stderr, "bench-start: %s failed\n", words[0]);
		return -1;
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double at(const double *sorted, size_t n, double q)
{
	return sorted[(size_t)(q * (double)(n - 1) + 0.5)];
}

static double median(const double *list, size_t n)
{
	static double sorted[MAX_ROUNDS];

	memcpy(sorted, list, n * sizeof(*list));
	qsort(sorted, n, sizeof(*sorted), compare);
	return at(sorted, n, 0.5);
}

static void report(struct command *list, size_t n, size_t rounds)
{
	static double ratio[MAX_ROUNDS], ms[MAX_ROUNDS];

	(void)printf("%-20s %8s %8s %8s %8s   %s\n", "command", "q1 ms", "median", "q3 ms", "cpu ms",
		     "ratio to the first: median (q1 - q3)");
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < rounds; k++)
			ratio[k] = list[i].ms[k] / list[0].ms[k];
		memcpy(ms, list[i].ms, rounds * sizeof(*ms));
		qsort(ms, rounds, sizeof(*ms), compare);
		qsort(ratio, rounds, sizeof(*ratio), compare);
		(void)printf("%-20s %8.2f %8.2f %8.2f %8.2f   %.2f (%.2f - %.2f)\n", list[i].name, at(ms, rounds, 0.25),
			     at(ms, rounds, 0.5), at(ms, rounds, 0.75), median(list[i].cpu_ms, rounds),
			     at(ratio, rounds, 0.5), at(ratio, rounds, 0.25), at(ratio, rounds, 0.75));
	}
}

int main(int argc, char **argv)
{
	static struct command list[MAX_COMMANDS];
	size_t n = 0, rounds;
	char *end;

	if (argc < 5 || (argc - 2) % 3 != 0 || (argc - 2) / 3 > MAX_COMMANDS) {
		(void)fprintf(stderr, "usage: bench-start ROUNDS NAME COMMAND UNDO [NAME COMMAND UNDO]…\n");
		return 2;
	}
	rounds = strtoul(argv[1], &end, 10);
	if (*end || rounds == 0 || rounds > MAX_ROUNDS) {
		(void)fprintf(stderr, "bench-start: '%s' is no number of rounds from 1 to %d\n", argv[1], MAX_ROUNDS);
		return 2;
	}
	for (int i = 2; i + 2 < argc; i += 3, n++) {
		list[n].name = argv[i];
		split(argv[i + 1], list[n].run);
		split(argv[i + 2], list[n].undo);
	}
	/* The round before the first warms caches and is not counted. */
	for (size_t k = 0; k <= rounds; k++) {
		for (size_t i = 0; i < n; i++) {
			struct cost cost, ignored;

			if (run(list[i].run, &cost) < 0 || run(list[i].undo, &ignored) < 0)
				return 1;
			list[i].ms[k ? k - 1 : 0] = cost.ms;
			list[i].cpu_ms[k ? k - 1 : 0] = cost.cpu_ms;
		}
	}
	report(list, n, rounds);
	return 0;
}
