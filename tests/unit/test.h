/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests: each TEST runs in a process of its own, so that one that unshares or changes the environment cannot touch
 * the next.  A test returns at its end, SKIPs with a reason, or fails by the first CHECK that is not true. */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test {
	const char *name;
	void (*run)(void);
	struct test *next;
};

void test_register(struct test *t);
void test_skip(const char *reason) __attribute__((noreturn));
void test_fail(const char *file, int line, const char *what) __attribute__((noreturn));
/* An empty folder of the test's own, removed after it. */
const char *test_dir(void);
/* test_fail_call: from now on that call of this process (SYS_…), if its argument of that number has that value, is not made and fails
 * with that error; error 0: it ends the process.  By seccomp(2). */
void test_fail_call(int call, unsigned argument, uint32_t value, int error);

#define TEST(test_name)                                                              \
	static void test_name(void);                                                 \
	__attribute__((constructor)) static void register_##test_name(void)          \
	{                                                                            \
		static struct test t = { .name = #test_name, .run = test_name };     \
		test_register(&t);                                                   \
	}                                                                            \
	static void test_name(void)

#define SKIP(reason) test_skip(reason)

#define CHECK(cond)                                             \
	do {                                                    \
		if (!(cond))                                    \
			test_fail(__FILE__, __LINE__, #cond);   \
	} while (0)

#define CHECK_INT(got, want)                                                                       \
	do {                                                                                       \
		long long got_ = (long long)(got), want_ = (long long)(want);                      \
		if (got_ != want_) {                                                               \
			char what_[256];                                                           \
			(void)snprintf(what_, sizeof(what_), "%s is %lld, not %lld", #got, got_, want_); \
			test_fail(__FILE__, __LINE__, what_);                                      \
		}                                                                                  \
	} while (0)

#define CHECK_STR(got, want)                                                                           \
	do {                                                                                           \
		const char *got_ = (got), *want_ = (want);                                             \
		if (!got_ || strcmp(got_, want_) != 0) {                                               \
			char what_[1024];                                                              \
			(void)snprintf(what_, sizeof(what_), "%s is \"%s\", not \"%s\"", #got,         \
				       got_ ? got_ : "(null)", want_);                                 \
			test_fail(__FILE__, __LINE__, what_);                                          \
		}                                                                                      \
	} while (0)
