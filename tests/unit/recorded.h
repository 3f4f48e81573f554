/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A system call that PID 1 made (test_init_calls.c), as allcalls.c reads it from a file. */
#pragma once

struct recorded_call {
	long nr;
	unsigned long args[6];
};

enum { RECORDED_MAX = 4096 };
