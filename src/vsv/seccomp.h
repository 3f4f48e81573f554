/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* seccomp_load_all: the filter of everything inside.  no_new_privs is set before.  0 or -errno. */
int seccomp_load_all(void);
/* seccomp_load_no_file_handles: refuses open_by_handle_at(2) too. */
int seccomp_load_no_file_handles(void);
