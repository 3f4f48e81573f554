/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One process that does what it is told with up to 26 files, named by a letter:
 *
 *	open F PATH [WORD…]     w, rw (else for reading), create, excl, truncate, direct
 *	read F OFFSET LENGTH    answers with the bytes, which are text, up to the end of the line
 *	write F OFFSET TEXT     and an fsync
 *	lock F r|w START LENGTH           a byte range: at once or "error EAGAIN"; wait-lock waits; length 0: to the end
 *	unlock F START LENGTH
 *	test F r|w START LENGTH           who holds it: "ok free", or "ok r|w START LENGTH"
 *	links F                 how many names the file has
 *	close F
 */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WORDS_MAX 12

static int files[26];

struct command {
	int fd;
	int *slot;
	int count;
	char *words[WORDS_MAX]; /* from the one after the file's letter */
};

static int answer(int r)
{
	if (r < 0)
		printf("error %s\n", error_name(errno));
	else
		printf("ok\n");
	return 0;
}

static int do_open(struct command *c)
{
	static const struct {
		const char *name;
		int flag;
	} known[] = {
		{"w", O_WRONLY},	{"rw", O_RDWR},		 {"create", O_CREAT},
		{"excl", O_EXCL},	{"truncate", O_TRUNC},	 {"direct", O_DIRECT},
	};
	int flags = O_CLOEXEC;

	if (c->count < 1)
		return -1;
	for (int i = 1; i < c->count; i++)
		for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++)
			if (strcmp(c->words[i], known[k].name) == 0)
				flags |= known[k].flag;
	if (*c->slot >= 0)
		close(*c->slot);
	*c->slot = open(c->words[0], flags, 0666);
	return answer(*c->slot);
}

static int do_close(struct command *c)
{
	*c->slot = -1;
	return answer(close(c->fd));
}

static int do_read(struct command *c)
{
	char text[4096] = { 0 };
	ssize_t n;

	if (c->count != 2)
		return -1;
	n = pread(c->fd, text, (size_t)strtol(c->words[1], NULL, 10) % (sizeof(text) - 1), strtol(c->words[0], NULL, 10));
	if (n < 0)
		return answer(-1);
	printf("ok %.*s\n", (int)strcspn(text, "\n"), text);
	return 0;
}

static int do_write(struct command *c)
{
	if (c->count != 2)
		return -1;
	if (pwrite(c->fd, c->words[1], strlen(c->words[1]), strtol(c->words[0], NULL, 10)) < 0)
		return answer(-1);
	return answer(fsync(c->fd));
}

static int lock(struct command *c, int operation, short type, int first)
{
	struct flock range = {.l_type = type, .l_whence = SEEK_SET};
	int r;

	if (c->count != first + 2)
		return -1;
	if (first == 1)
		range.l_type = c->words[0][0] == 'r' ? F_RDLCK : F_WRLCK;
	range.l_start = strtol(c->words[first], NULL, 10);
	range.l_len = strtol(c->words[first + 1], NULL, 10);
	r = fcntl(c->fd, operation, &range);
	if (r < 0 || operation != F_GETLK) {
		/* POSIX allows both, and servers differ. */
		if (r < 0 && errno == EACCES)
			errno = EAGAIN;
		return answer(r);
	}
	if (range.l_type == F_UNLCK)
		printf("ok free\n");
	else
		printf("ok %c %ld %ld\n", range.l_type == F_RDLCK ? 'r' : 'w', (long)range.l_start, (long)range.l_len);
	return 0;
}

static int do_lock(struct command *c)
{
	return lock(c, F_SETLK, F_WRLCK, 1);
}

static int do_wait_lock(struct command *c)
{
	return lock(c, F_SETLKW, F_WRLCK, 1);
}

static int do_unlock(struct command *c)
{
	return lock(c, F_SETLK, F_UNLCK, 0);
}

static int do_test(struct command *c)
{
	return lock(c, F_GETLK, F_WRLCK, 1);
}

static int do_links(struct command *c)
{
	struct stat st;

	if (fstat(c->fd, &st) < 0)
		return answer(-1);
	printf("ok %lu\n", (unsigned long)st.st_nlink);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(struct command *c);
} commands[] = {
	{"close", do_close}, {"links", do_links}, {"lock", do_lock},	       {"open", do_open},   {"read", do_read},
	{"test", do_test},   {"unlock", do_unlock}, {"wait-lock", do_wait_lock}, {"write", do_write},
};

static int obey(char *line)
{
	struct command c = {0};
	char *name = strtok(line, " \n"), *file = strtok(NULL, " \n"), *word;

	if (!name || !file || file[0] < 'a' || file[0] > 'z')
		return -1;
	c.slot = &files[file[0] - 'a'];
	c.fd = *c.slot;
	while (c.count < WORDS_MAX && (word = strtok(NULL, " \n")))
		c.words[c.count++] = word;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].name, name) == 0)
			return commands[i].run(&c);
	return -1;
}

int session(int argc, char **argv)
{
	char line[8192];

	if (argc != 1) {
		fprintf(stderr, "%s takes no arguments\n", argv[0]);
		return 2;
	}
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		files[i] = -1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), stdin))
		if (obey(line) < 0)
			printf("error: not understood\n");
	return 0;
}
