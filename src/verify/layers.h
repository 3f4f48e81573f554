/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Landlock's domains are stacked, up to a number that is the kernel's, and nothing in /proc tells of them.  So they are
 * counted by what is left of the stack. */
#pragma once

/* layers_left: how many domains this process could still enter; it enters them all, and can do nothing useful afterwards.  0: none, or
 * the kernel has no Landlock. */
int layers_left(void);
/* layers_of_scopes: how many of them PID 1 takes for all (vsv/confine.c): 1 where the kernel has scopes (Linux 6.12). */
int layers_of_scopes(void);
