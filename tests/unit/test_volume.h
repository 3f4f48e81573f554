/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A Psv of the test's own: a mount namespace in which the test's folder is a tmpfs that holds one file pool, and which
 * takes everything with it when the test ends. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"
#include "psv/psv.h"
#include "psv/volume.h"
#include "test.h"

/* A call with its own `err` that must work; one that must fail with that code and that word. */
#define OK(call)                                                                     \
	do {                                                                         \
		struct err e_ = { 0 };                                               \
		struct err *err = &e_;                                               \
		if ((call) < 0) {                                                    \
			(void)fprintf(stderr, "    %s (%s)\n", e_.text, e_.hint);    \
			test_fail(__FILE__, __LINE__, #call);                        \
		}                                                                    \
	} while (0)

#define FAILS(call, code, word)                                                      \
	do {                                                                         \
		struct err e_ = { 0 };                                               \
		struct err *err = &e_;                                               \
		CHECK_INT((call), code);                                             \
		if (!strstr(e_.text, word)) {                                        \
			(void)fprintf(stderr, "    said: %s\n", e_.text);            \
			test_fail(__FILE__, __LINE__, "the words of " #call);        \
		}                                                                    \
	} while (0)

struct volume_host {
	struct psv psv;
	struct conf_pool pool;
	char pool_path[128];
};

/* volume_host_make: skips the test where it cannot be made (not root, no loop devices). */
void volume_host_make(struct volume_host *h, const char *tmpfs_size);
/* volume_conf: of one volume from the pool. */
struct conf_volume volume_conf(const char *name, enum conf_fs fs, unsigned mib);
/* host_loop: an ordinary loop device of the test's own on a new file; detached when the descriptor is closed. */
int host_loop(struct volume_host *h, const char *file, unsigned mib, char device[64]);
/* loop_count: attached loop devices whose file has this text in its path. */
unsigned loop_count(const char *text);
/* pool_files: how many have a name in the pool. */
unsigned pool_files(const struct volume_host *h);
