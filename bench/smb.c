/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench-smb: runs a command, waits until SMB answers at an address, and ends the command.  Its whole run, taken by
 * bench-start beside `vnas start`, is what the same smbd takes by hand.
 *
 *   bench-smb ADDRESS COMMAND… */
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>

#include "lib/addr.h"
#include "service/smb_probe.h"

enum { PORT = 445, ANSWER_MS = 1000, TRIES = 60 * 1000 };

extern char **environ;

int main(int argc, char **argv)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	struct ipaddr address;
	posix_spawnattr_t attr;
	int left = TRIES;
	pid_t pid;

	if (argc < 3 || ipaddr_parse(argv[1], &address) < 0) {
		(void)fprintf(stderr, "usage: bench-smb ADDRESS COMMAND…\n");
		return 2;
	}
	/* smbd ends its whole process group with itself. */
	(void)posix_spawnattr_init(&attr);
	(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID);
	if (posix_spawnp(&pid, argv[2], NULL, &attr, argv + 2, environ) != 0) {
		(void)fprintf(stderr, "bench-smb: cannot run %s\n", argv[2]);
		return 1;
	}
	while (smb_probe(&address, PORT, ANSWER_MS) != 0 && --left > 0 && waitpid(pid, NULL, WNOHANG) == 0)
		(void)nanosleep(&pause, NULL);
	/* Not waited for: its end is not measured. */
	(void)kill(pid, SIGTERM);
	return left > 0 ? 0 : 1;
}
