/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a supervisor makes of the numbers that it gets when it looks after its server's addresses (supervise_look.c). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Of such numbers; 0: none. */
struct looks {
	uint64_t sound; /* all is there */
	uint64_t wrong; /* something is not, and it was tried to put it back */
	uint64_t after; /* what a reassertion has left, which is not sound and not yet believed to be */
};
/* looks_round: of a look that nothing called for.  looks_after: of one after a reassertion, which did what it should, or not.  Either:
 * true: a reassertion is wanted.  The number after two that left the same is sound: so it has been configured.  One that fails is not
 * repeated until something else is to be seen. */
bool looks_round(struct looks *l, uint64_t now);
bool looks_after(struct looks *l, uint64_t now, bool done);
