/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The runner: unit [-v] [PATTERN…] runs the tests whose name holds one of the patterns, a line for each that does not
 * pass, and ends with "N passed, N failed, N skipped".  VNAS_TEST_NO_SKIP=1 turns skips into failures. */
#include "test.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/fd.h"

enum { STATUS_SKIP = 77, TIMEOUT_S = 120 };

static struct test *tests;
static char dir[64];

void test_register(struct test *t)
{
	t->next = tests;
	tests = t;
}

void test_fail_call(int call, unsigned argument, uint32_t value, int error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(offsetof(struct seccomp_data, args) + argument * sizeof(uint64_t))),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, error ? SECCOMP_RET_ERRNO | (uint32_t)error : SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0);
}

void test_skip(const char *reason)
{
	(void)fprintf(stderr, "    reason: %s\n", reason);
	(void)fflush(NULL);
	_exit(getenv("VNAS_TEST_NO_SKIP") ? 1 : STATUS_SKIP);
}

void test_fail(const char *file, int line, const char *what)
{
	(void)fprintf(stderr, "    %s:%d: %s\n", file, line, what);
	(void)fflush(NULL);
	_exit(1);
}

const char *test_dir(void)
{
	return dir;
}

static int run_one(const struct test *t)
{
	int status;
	pid_t pid;

	(void)snprintf(dir, sizeof(dir), "/tmp/vnas-unit.XXXXXX");
	if (!mkdtemp(dir))
		return 1;
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		(void)alarm(TIMEOUT_S);
		t->run();
		(void)fflush(NULL);
		exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return 1;
	(void)dir_remove_tree_at(AT_FDCWD, dir);
	if (WIFSIGNALED(status)) {
		(void)fprintf(stderr, "    killed by signal %d\n", WTERMSIG(status));
		return 1;
	}
	return WEXITSTATUS(status);
}

static bool chosen(const struct test *t, char **patterns)
{
	if (!*patterns)
		return true;
	for (; *patterns; patterns++)
		if (strstr(t->name, *patterns))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	bool verbose = argc > 1 && strcmp(argv[1], "-v") == 0;
	unsigned passed = 0, failed = 0, skipped = 0;

	for (struct test *t = tests; t; t = t->next) {
		int status;

		if (!chosen(t, argv + 1 + verbose))
			continue;
		status = run_one(t);
		if (status == 0) {
			passed++;
			if (verbose)
				(void)printf("ok    %s\n", t->name);
			continue;
		}
		if (status == STATUS_SKIP)
			skipped++;
		else
			failed++;
		(void)printf("%s  %s\n", status == STATUS_SKIP ? "skip" : "FAIL", t->name);
	}
	(void)printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
	return failed != 0;
}
