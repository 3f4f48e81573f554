/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which capabilities a configured service can have.  Its program is a tenant's: what opens anything beyond the Vsv's own
 * files and processes is refused, by name and with the reason. */
#pragma once

#include <stdint.h>

struct strbuf;

/* capability_find: the number of "setuid", "CAP_SETUID" and the like, or -EINVAL.  *ret_why: why it is refused; NULL: a
 * service can have it. */
int capability_find(const char *name, const char **ret_why);
/* capability_allowed: all that a service can have. */
uint64_t capability_allowed(void);
/* capability_print: appends the names of a set, parted by spaces. */
void capability_print(uint64_t set, struct strbuf *out);
