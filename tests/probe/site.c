/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "site.h"

#include <libunwind-ptrace.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_FRAMES = 48 };

struct site {
	unw_addr_space_t space;
	void *process;
};

struct site *site_new(pid_t pid)
{
	struct site *s = calloc(1, sizeof(*s));

	if (s) {
		s->space = unw_create_addr_space(&_UPT_accessors, 0);
		s->process = _UPT_create(pid);
	}
	if (!s || !s->space || !s->process) {
		(void)fputs("cannot unwind a process\n", stderr);
		exit(125);
	}
	(void)unw_set_caching_policy(s->space, UNW_CACHE_GLOBAL);
	return s;
}

void site_free(struct site *s)
{
	if (!s)
		return;
	_UPT_destroy(s->process);
	unw_destroy_addr_space(s->space);
	free(s);
}

uint32_t site_now(struct site *s)
{
	uint32_t hash = 2166136261U;
	unw_cursor_t cursor;

	if (unw_init_remote(&cursor, s->space, s->process) < 0)
		return 1;
	for (int i = 0; i < MAX_FRAMES; i++) {
		unw_word_t ip;

		if (unw_get_reg(&cursor, UNW_REG_IP, &ip) < 0)
			break;
		for (int shift = 0; shift < 64; shift += 8)
			hash = (hash ^ (uint32_t)(ip >> shift & 0xff)) * 16777619U;
		if (unw_step(&cursor) <= 0)
			break;
	}
	return hash ? hash : 1;
}
