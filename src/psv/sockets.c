/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel has one bound for the memory of all TCP sockets of the machine and one for UDP (tcp_mem, udp_mem: 9 % and 18 %
 * of the memory), and a Vsv that takes all of it leaves no room to its neighbours' connections: a transfer stands still.
 *
 * With cgroup v2 each Vsv's sockets are charged to its own memory limit, and those of all Vsv to the limit of all.  So the
 * bound of the machine may be as high as the latter: it then is never met first.  It is only ever raised, and stays so: it
 * takes nothing by itself. */
#include "psv/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/str.h"

/* raise_one: a line of three numbers of pages: where plenty ends, where want begins, where it ends. */
static int raise_one(int dir, const char *name, uint64_t pages)
{
	char text[128], *p = text, *end;
	uint64_t v[3];
	bool raised = false;
	int r = file_read_small(dir, name, text, sizeof(text));

	if (r < 0)
		return r;
	for (unsigned i = 0; i < 3; i++, p = end) {
		errno = 0;
		v[i] = strtoull(p, &end, 10);
		if (end == p || errno)
			return -EBADMSG;
		if (v[i] < pages) {
			v[i] = pages;
			raised = true;
		}
	}
	if (!raised)
		return 0;
	(void)str_format(text, sizeof(text), "%llu %llu %llu", (unsigned long long)v[0], (unsigned long long)v[1],
			 (unsigned long long)v[2]);
	return file_write_at(dir, name, text);
}

int sockets_raise(const char *dir, uint64_t bytes)
{
	static const char *const names[] = { "tcp_mem", "udp_mem" };
	_cleanup_close_ int fd = dir_open(AT_FDCWD, dir);
	uint64_t pages = bytes / (uint64_t)sysconf(_SC_PAGESIZE);
	int r = fd < 0 ? fd : 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names) && r == 0; i++)
		r = raise_one(fd, names[i], pages);
	return r;
}
