/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Passwords come by standard input or from the terminal, never by an argument, which every process could read. */
#pragma once

struct call;
struct err;

/* password_take: with --password-stdin the first line of standard input; else asked for, twice, on the terminal.  The
 * caller wipes it by password_free().  0 or -errno. */
int password_take(const struct call *c, char **ret, struct err *err);
/* password_ask: one that is there already: asked for once. */
int password_ask(const struct call *c, const char *prompt, char **ret, struct err *err);
void password_free(char **password);
#define _cleanup_password_ __attribute__((cleanup(password_free)))
