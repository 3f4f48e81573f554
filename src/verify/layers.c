/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "verify/layers.h"

#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LAYERS_MAX = 1024, SCOPES_SINCE_ABI = 6 };

int layers_left(void)
{
	/* LANDLOCK_ACCESS_FS_EXECUTE: every version has it. */
	const uint64_t handled = 1;
	int fd = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0), n = 0;

	if (fd < 0)
		return 0;
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	while (n < LAYERS_MAX && syscall(SYS_landlock_restrict_self, fd, 0) == 0)
		n++;
	(void)close(fd);
	return n;
}

int layers_of_scopes(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, 1) >= SCOPES_SINCE_ABI;
}
