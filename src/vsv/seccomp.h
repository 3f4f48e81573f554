/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* What lets PID 1's own calls through where those of everybody else are asked of it: random, and known to nobody else,
 * because PID 1 cannot be looked into.  Who knew it could be counted as user 0 again, and no more. */
struct seccomp_pass {
	uint64_t args[2];
};

/* seccomp_load_all: the filter of everything inside.  no_new_privs is set before.  The descriptor (close-on-exec) where
 * calls are asked of PID 1, or -errno. */
int seccomp_load_all(const struct seccomp_pass *pass);
/* seccomp_load_child: refuses open_by_handle_at(2) too, and the writing and removing of extended attributes.  0 or
 * -errno. */
int seccomp_load_child(bool no_file_handles, bool no_xattrs);
