/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where in its program a stopped process is: a number of its call stack, the same one whenever it comes that way again. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct site;

/* site_new: of one process, until it runs another program.  Its addresses must not be randomised, so that a place has
 * the same number in each run.  site_free: NULL is accepted. */
struct site *site_new(pid_t pid);
void site_free(struct site *s);

/* site_now: the process must be stopped, and traced by the caller.  Never 0. */
uint32_t site_now(struct site *s);
