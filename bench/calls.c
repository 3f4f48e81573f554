/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench-calls: a file server's elementary calls, each alone, for the kernel's function tracer.
 *
 *   bench-calls serve NAME ADDRESS PORT CLIENT FILE     takes one connection; CLIENT: where datagrams go
 *   bench-calls client ADDRESS PORT                     connects, and lets the server begin when standard input ends
 *
 * The server calls getppid(2) between all others, so a trace can be cut there; one gap is empty.  What it receives is there
 * before, so no call waits.  What it sends the client takes from its socket after the round's datagram, the last call, and never
 * while it is sent: whoever lets go of a buffer last frees it, and else that would be either of them.  The server is known to the
 * tracer by NAME, and wakes up now and then until it begins. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { REPEATS = 60, FILE_BYTES = 1 << 20, BLOCK = 4096, ROUND_PORT = 9, CONNECT_TRIES = 500, ROUND_MS = 20 };

static void fail(const char *what)
{
	(void)fprintf(stderr, "bench-calls: %s: %m\n", what);
	exit(1);
}

static void pause_ms(long ms)
{
	const struct timespec t = { .tv_nsec = ms * 1000000 };

	(void)nanosleep(&t, NULL);
}

static struct sockaddr_in address_of(const char *host, long port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

	if (inet_pton(AF_INET, host, &a.sin_addr) != 1)
		fail(host);
	return a;
}

static int serve(const char *name, struct sockaddr_in at, struct sockaddr_in client, const char *path)
{
	static char block[BLOCK];
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), conn;
	struct sockaddr_in from = at;

	(void)prctl(PR_SET_NAME, name);
	from.sin_port = 0;
	for (size_t n = 0; n < FILE_BYTES; n += BLOCK)
		if (write(file, block, BLOCK) != BLOCK)
			fail(path);
	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(listener, 1) < 0)
		fail("listen");
	if (bind(udp, (struct sockaddr *)&from, sizeof(from)) < 0)
		fail("bind");
	conn = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (conn < 0)
		fail("accept");
	while (recv(conn, block, BLOCK, MSG_DONTWAIT | MSG_PEEK) < 1)
		pause_ms(5);
	/* All of it has to be there. */
	pause_ms(100);
	for (int i = 0; i < REPEATS; i++) {
		bool ok;

		(void)getppid();
		(void)getppid();
		ok = pread(file, block, BLOCK, 0) == BLOCK;
		(void)getppid();
		ok = ok && pwrite(file, block, BLOCK, 0) == BLOCK;
		(void)getppid();
		ok = ok && send(conn, block, BLOCK, 0) == BLOCK;
		(void)getppid();
		ok = ok && recv(conn, block, 1, 0) == 1;
		(void)getppid();
		ok = ok && sendto(udp, block, 1, 0, (struct sockaddr *)&client, sizeof(client)) == 1;
		(void)getppid();
		/* Apart, so that what a call leaves to be done, by the client too, is not done in the next round's. */
		pause_ms(ROUND_MS);
		if (!ok)
			fail("a call");
	}
	return 0;
}

static int client_run(struct sockaddr_in to)
{
	const struct sockaddr_in here = { .sin_family = AF_INET, .sin_port = htons(ROUND_PORT) };
	int fd, left = CONNECT_TRIES, round = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	static char buf[BLOCK];

	if (bind(round, (const struct sockaddr *)&here, sizeof(here)) < 0)
		fail("bind");

	for (;;) {
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0)
			fail("socket");
		if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
			break;
		if (--left == 0)
			fail("connect");
		(void)close(fd);
		pause_ms(10);
	}
	while (read(0, buf, sizeof(buf)) > 0)
		;
	if (send(fd, buf, REPEATS, 0) != REPEATS)
		fail("send");
	for (int i = 0; i < REPEATS; i++)
		if (recv(round, buf, 1, 0) != 1 || recv(fd, buf, BLOCK, MSG_WAITALL) != BLOCK)
			fail("receive");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 7 && strcmp(argv[1], "serve") == 0)
		return serve(argv[2], address_of(argv[3], atol(argv[4])), address_of(argv[5], ROUND_PORT), argv[6]);
	if (argc == 4 && strcmp(argv[1], "client") == 0)
		return client_run(address_of(argv[2], atol(argv[3])));
	(void)fprintf(stderr, "usage: bench-calls serve NAME ADDRESS PORT CLIENT FILE | client ADDRESS PORT\n");
	return 2;
}
