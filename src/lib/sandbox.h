/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Confining a program that reads what may be hostile: a checker of a foreign filesystem. */
#pragma once

/* sandbox_enter: for this process and what it executes, for good: no capability, no new privileges, no network, and with
 * Landlock (Linux 5.13 and later, where it is switched on) it can read programs and libraries only and write one file or
 * device only.  keep_capability: the one that it keeps, for a program that does not work without, or -1.  Async-signal-safe,
 * for use after fork.  0 or -errno: then it must not go on. */
int sandbox_enter(const char *writable, int keep_capability);
