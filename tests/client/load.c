/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Three kinds of work, each with one thing that a user waits for:
 *
 *	create   a new file, written, synced and closed; one of some time ago read and removed
 *	create-exclusive   the same, and nobody may have made it before, neither the client's own call that is said twice
 *	read     64 KiB of an open file past the client's cache, and what is in it
 *	rename   a file from one of two names to the other, and back
 *
 * The server may be away meanwhile: a mount that is "hard" waits for it, and nothing may fail or be lost. Linux's SMB client
 * fails calls then (EAGAIN, ECONNABORTED) whatever its options; with the word "again" such a round is counted and done again.
 */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BLOCK_BYTES (64 * 1024)
#define KEPT 16 /* files that "create" leaves for a while, so that what was written before a restart is read after it */

static const char *doing; /* what failed, for the message */
static char *block;	  /* aligned for O_DIRECT */

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Every 8 bytes say of which file they are, and where. */
static void fill(long number)
{
	for (int i = 0; i < BLOCK_BYTES / 8; i++)
		((long *)(void *)block)[i] = number * 1000003 + i;
}

static int verify(long number)
{
	for (int i = 0; i < BLOCK_BYTES / 8; i++)
		if (((long *)(void *)block)[i] != number * 1000003 + i) {
			errno = EBADMSG;
			return -1;
		}
	return 0;
}

static int write_file(const char *name, long number, int flags)
{
	int fd, r = -1;

	doing = "create";
	fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0666);
	if (fd < 0)
		return -1;
	fill(number);
	doing = "write";
	if (write(fd, block, BLOCK_BYTES) == BLOCK_BYTES)
		r = fsync(fd);
	doing = r < 0 ? doing : "close";
	if (close(fd) < 0)
		r = -1;
	return r;
}

static int read_open(int fd, long number)
{
	ssize_t n;

	doing = "read";
	memset(block, 0, BLOCK_BYTES);
	n = pread(fd, block, BLOCK_BYTES, 0);
	if (n < 0)
		return -1;
	return n == BLOCK_BYTES ? verify(number) : verify(-1);
}

static int read_file(const char *name, long number, int flags)
{
	int fd, r;

	doing = "open";
	fd = open(name, O_RDONLY | O_CLOEXEC | flags);
	/* tmpfs has no O_DIRECT before Linux 6.6, nor, as was seen, has a file that Linux's SMB client (6.1) meets first while
	 * it has lost its server. */
	if (fd < 0 && errno == EINVAL)
		fd = open(name, O_RDONLY | O_CLOEXEC | (flags & ~O_DIRECT));
	if (fd < 0)
		return -1;
	r = read_open(fd, number);
	close(fd);
	return r;
}

static int make_round(long round, int flags)
{
	static long removed = -1; /* the file whose removal was said last, answered or not */
	char name[32];

	snprintf(name, sizeof(name), "new-%ld", round);
	if (write_file(name, round, flags) < 0)
		return -1;
	if (round < KEPT)
		return 0;
	snprintf(name, sizeof(name), "new-%ld", round - KEPT);
	/* A removal that is said twice, since the server went before it answered, finds nothing: so it is in all protocols. And a
	 * round that is done again because its removal was not answered finds no file to read either. */
	if (read_file(name, round - KEPT, O_DIRECT) < 0)
		return removed == round - KEPT && errno == ENOENT ? 0 : -1;
	doing = "unlink";
	removed = round - KEPT;
	return unlink(name) < 0 && errno != ENOENT ? -1 : 0;
}

static int create_round(long round)
{
	return make_round(round, 0);
}

static int create_exclusive_round(long round)
{
	return make_round(round, O_EXCL);
}

static int read_round(long round)
{
	static int fd;

	if (round == 0) {
		if (write_file("read", 7, O_TRUNC) < 0)
			return -1;
		fd = open("read", O_RDONLY | O_CLOEXEC | O_DIRECT);
		if (fd < 0)
			return -1;
	}
	return read_open(fd, 7);
}

static int rename_round(long round)
{
	const char *from = round % 2 ? "this" : "that", *to = round % 2 ? "that" : "this";

	if (round == 0 && write_file(from, 9, O_TRUNC) < 0)
		return -1;
	doing = "rename";
	if (rename(from, to) < 0)
		return -1;
	return round % 8 ? 0 : read_file(to, 9, 0);
}

/* What a client says when its server went away in the middle of a call. */
static int went_away(void)
{
	return errno == EAGAIN || errno == ECONNABORTED || errno == EHOSTDOWN || errno == EIO || errno == EBADF;
}

static int work(const char *kind, int (*one)(long round), const char *stop, int again)
{
	long begin = now_ms(), before = begin, longest = 0, round = 0, failed = 0, now;

	do {
		errno = 0;
		if (one(round) < 0) {
			if (again && went_away()) {
				failed++;
				continue;
			}
			printf("%s: round %ld: %s: %s\n", kind, round, doing, strerror(errno));
			return 1;
		}
		round++;
		now = now_ms();
		if (now - before > longest)
			longest = now - before;
		before = now;
	} while (access(stop, F_OK) < 0);
	printf("%s: rounds=%ld seconds=%.1f longest_ms=%ld failed=%ld\n", kind, round, (double)(now_ms() - begin) / 1000, longest,
	       failed);
	return 0;
}

int load(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*one)(long round);
	} kinds[] = {
		{"create", create_round},
		{"create-exclusive", create_exclusive_round},
		{"read", read_round},
		{"rename", rename_round},
	};

	if (argc < 4 || argc > 5 || chdir(argv[1]) < 0) {
		fprintf(stderr, "%s: wants a folder, a kind of work, and the file that ends it\n", argv[0]);
		return 2;
	}
	block = aligned_alloc(4096, BLOCK_BYTES);
	for (size_t i = 0; block && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].name, argv[2]) == 0)
			return work(argv[2], kinds[i].one, argv[3], argc > 4);
	fprintf(stderr, "%s: no such kind of work\n", argv[0]);
	return 2;
}
