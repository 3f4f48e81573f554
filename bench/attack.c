/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench-attack: what a Vsv that means harm does to its neighbours, switched on and off.
 *
 *   bench-attack KIND TARGET FOLDER     KIND: idle, packets, disk, processes, memory, descriptors
 *
 * Each line of standard input switches it on or off, and is answered by an empty line once it is done.  TARGET is the IPv4
 * address that packets go to, FOLDER what is filled.  Ends, and the attack with it, when standard input does. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PORT = 9, BLOCK = 1 << 20, CHUNK = 16 << 20 };

static struct in_addr target;
static const char *folder;

static void idle(void)
{
	(void)pause();
}

static void packets(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr = target };
	static char data[1400];
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	for (;;)
		(void)sendto(fd, data, sizeof(data), 0, (struct sockaddr *)&to, sizeof(to));
}

static void disk(void)
{
	static char data[BLOCK];
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/bench-attack", folder);
	for (;;) {
		int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

		while (write(fd, data, sizeof(data)) > 0)
			;
		(void)fsync(fd);
		(void)close(fd);
	}
}

/* Each forks as long as it can, and stays.  When nobody can, some go again. */
static void processes(void)
{
	for (;;) {
		pid_t pid = fork();

		if (pid == 0)
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		else if (pid < 0)
			while (waitpid(-1, NULL, WNOHANG) > 0)
				;
		else if (pid % 2)
			_exit(0);
	}
}

/* Who is killed for it begins anew. */
static void memory(void)
{
	for (;;) {
		pid_t pid = fork();

		while (pid == 0) {
			void *p = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

			if (p == MAP_FAILED)
				_exit(0);
			memset(p, 1, CHUNK);
		}
		(void)waitpid(pid, NULL, 0);
	}
}

static void descriptors(void)
{
	for (;;) {
		int last = -1, fd;

		while ((fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) >= 0)
			last = fd;
		for (fd = 3; fd <= last; fd++)
			(void)close(fd);
	}
}

static const struct {
	const char *name;
	void (*run)(void);
} kinds[] = {
	{ "idle", idle },	    { "packets", packets }, { "disk", disk },
	{ "processes", processes }, { "memory", memory },   { "descriptors", descriptors },
};

/* on: a process group of its own, of which all can be ended at once. */
static pid_t on(void (*run)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)setpgid(0, 0);
		for (;;)
			run();
	}
	if (pid > 0)
		(void)setpgid(pid, pid);
	return pid;
}

static void off(pid_t group)
{
	/* Who forks can outrun a signal to its group once. */
	while (kill(-group, SIGKILL) == 0 || errno == EPERM) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		(void)usleep(1000);
	}
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

int main(int argc, char **argv)
{
	void (*run)(void) = NULL;
	pid_t group = -1;
	char line[16];

	for (size_t i = 0; argc == 4 && i < sizeof(kinds) / sizeof(*kinds); i++)
		if (strcmp(kinds[i].name, argv[1]) == 0)
			run = kinds[i].run;
	if (!run || inet_pton(AF_INET, argv[2], &target) != 1) {
		(void)fprintf(stderr, "usage: bench-attack idle|packets|disk|processes|memory|descriptors TARGET FOLDER\n");
		return 2;
	}
	folder = argv[3];
	/* Orphans of the attack come here, where they are reaped. */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	while (fgets(line, sizeof(line), stdin)) {
		if (group < 0) {
			group = on(run);
		} else {
			off(group);
			group = -1;
		}
		(void)printf("\n");
		(void)fflush(stdout);
	}
	if (group > 0)
		off(group);
	return 0;
}
