/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The test of the tests: a build with -Dweaken=true leaves out one enforcement, which VNAS_WEAKEN names, and vnas verify must
 * find that (tests/host/mutation.sh).  In every other build weakened() is false at compile time, and nothing of this is in
 * it.  `vnas --version` says of such a build what it is, and it serves no real installation (src/main.c). */
#pragma once

#include <stdbool.h>

#ifdef VNAS_WEAKEN
#include <stdlib.h>
#include <string.h>

static inline bool weakened(const char *what)
{
	const char *asked = getenv("VNAS_WEAKEN");

	return asked && strcmp(asked, what) == 0;
}
#else
static inline bool weakened(const char *what)
{
	(void)what;
	return false;
}
#endif
