/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text from a tenant, from a foreign disk or from a command line, on its way to an administrator's terminal. */
#pragma once

#include <stddef.h>

/* printable_len: of the UTF-8 character at p; 0: not one, or none that is harmless on a terminal: a control character
 * (the tab is none), or one that turns the direction of writing or ends a line. */
size_t printable_len(const char *p, size_t len);

/* printable_clean: what is not becomes a question mark.  What is left is UTF-8, whatever it was cut out of. */
void printable_clean(char *text);
