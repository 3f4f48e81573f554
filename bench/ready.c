/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench-ready: runs a command, waits until a file service answers at an address, and ends the command.  Its whole run, taken by
 * bench-start beside `vnas start`, is what the same daemon takes by hand.
 *
 *   bench-ready smb|nfs ADDRESS COMMAND…     nfs: version 4 */
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "lib/addr.h"
#include "psv/conf.h"
#include "service/nfs_probe.h"
#include "service/smb_probe.h"

enum { SMB_PORT = 445, ANSWER_MS = 1000, TRIES = 60 * 1000 };

extern char **environ;

static bool smb_answers(const struct ipaddr *a)
{
	return smb_probe(a, SMB_PORT, ANSWER_MS) == 0;
}

static bool nfs_answers(const struct ipaddr *a)
{
	const struct conf conf = { .nfs = { .versions = CONF_NFS_4_ANY } };

	return nfs_probe(&conf, a, ANSWER_MS) == 0;
}

static const struct {
	const char *name;
	bool (*answers)(const struct ipaddr *a);
} probes[] = {
	{ "smb", smb_answers },
	{ "nfs", nfs_answers },
};

int main(int argc, char **argv)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	bool (*answers)(const struct ipaddr *a) = NULL;
	struct ipaddr address;
	posix_spawnattr_t attr;
	int left = TRIES;
	bool ready;
	pid_t pid;

	for (size_t i = 0; argc > 1 && i < sizeof(probes) / sizeof(*probes); i++)
		if (strcmp(probes[i].name, argv[1]) == 0)
			answers = probes[i].answers;
	if (argc < 4 || !answers || ipaddr_parse(argv[2], &address) < 0) {
		(void)fprintf(stderr, "usage: bench-ready smb|nfs ADDRESS COMMAND…\n");
		return 2;
	}
	/* smbd ends its whole process group with itself. */
	(void)posix_spawnattr_init(&attr);
	(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID);
	if (posix_spawnp(&pid, argv[3], NULL, &attr, argv + 3, environ) != 0) {
		(void)fprintf(stderr, "bench-ready: cannot run %s\n", argv[3]);
		return 1;
	}
	while (!(ready = answers(&address)) && --left > 0 && waitpid(pid, NULL, WNOHANG) == 0)
		(void)nanosleep(&pause, NULL);
	/* Not waited for: its end is not measured. */
	(void)kill(pid, SIGTERM);
	return ready ? 0 : 1;
}
