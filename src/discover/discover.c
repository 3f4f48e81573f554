/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vnas-discover mdns | wsd: makes the Vsv known on its networks under its own name, with its own addresses.  It runs inside,
 * with no capability at all.  What it says is in SITE_PATH, which it reads again at SIGHUP.  Linked statically, as PID 1: nothing
 * is allocated. */
#include "discover/discover.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "vsv/small.h"

enum { RETRY_MS = 1000, LOOK_MS = 60 * 1000, READS_MAX = 64, MESSAGE_MAX = 9000 };

static const struct protocol *const protocols[] = { &mdns_protocol, &wsd_protocol };

static const struct protocol *protocol;
static struct group group;
static struct site sites[2]; /* the one that is told, and the next one */
static unsigned current;
static bool has_site;
static int64_t look_ms;      /* when to look at the addresses again */
static volatile sig_atomic_t asked_to_end, asked_to_reload;

void say(const char *a, const char *b, const char *c, const char *d)
{
	char line[512];
	struct text t = TEXT(line);

	text_add(&t, a);
	text_add(&t, b);
	text_add(&t, c);
	text_add(&t, d);
	if (t.len == sizeof(line) - 1)
		t.len--;
	line[t.len++] = '\n';
	(void)!write(1, line, t.len);
}

static void on_signal(int sig)
{
	if (sig == SIGHUP)
		asked_to_reload = 1;
	else
		asked_to_end = 1;
}

/* ---- the site ---- */

/* look: reads the file where it must, asks where the addresses are, and tells the protocol what has changed. */
static int look(bool read_file, int64_t now)
{
	struct site *old = &sites[current], *next = &sites[!current];
	int r = 0;

	if (read_file)
		r = site_read(SITE_PATH, next);
	else
		*next = *old;
	if (r < 0) {
		say("cannot read " SITE_PATH ": ", strerror(-r), "", "");
		return r;
	}
	r = site_locate(next);
	if (r < 0)
		say("cannot ask for the addresses: ", strerror(-r), "", "");
	if (r == 0 && (!has_site || !site_equal(old, next))) {
		protocol->set(has_site ? old : NULL, next, now); /* which may still speak by the old sockets */
		current = !current;
		has_site = true;
	}
	if (r == 0)
		r = group_sync(&group, &sites[current]);
	/* An IPv6 address needs a moment before it can be bound, and an interface can come later. */
	if (r < 0 && !group.complained && look_ms) {
		group.complained = true;
		say("cannot use every address yet: ", strerror(-r), "", "");
	}
	if (r == 0)
		group.complained = false;
	look_ms = now + (r < 0 ? RETRY_MS : LOOK_MS);
	return 0;
}

/* ---- the loop ---- */

static void receive(const struct group_socket *s, int64_t now)
{
	static char msg[MESSAGE_MAX];
	struct group_peer from;

	for (unsigned i = 0; i < READS_MAX; i++) {
		int n = group_receive(s, msg, sizeof(msg), &from);

		if (n == -EMSGSIZE)
			continue;
		if (n < 0)
			return;
		protocol->receive(s, &from, msg, (size_t)n, now);
	}
}

static void wait_until(struct pollfd *p, size_t n, int64_t due, int64_t now, const sigset_t *mask)
{
	int64_t ms = due - now < 0 ? 0 : due - now;
	const struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	if (ppoll(p, n, &ts, mask) < 0)
		for (size_t i = 0; i < n; i++)
			p[i].revents = 0;
}

static void turn(const sigset_t *mask)
{
	struct pollfd p[GROUP_SOCKETS + DISCOVER_POLLS];
	int64_t now = clock_ms(), due = protocol->tick(now);
	size_t n = group.n, more = 0;

	for (size_t i = 0; i < n; i++)
		p[i] = (struct pollfd){ .fd = group.sockets[i].fd, .events = POLLIN };
	if (protocol->polls)
		more = protocol->polls(p + n);
	wait_until(p, n + more, due < look_ms ? due : look_ms, now, mask);
	now = clock_ms();
	for (size_t i = 0; i < n; i++)
		if (p[i].revents)
			receive(&group.sockets[i], now);
	if (protocol->ready)
		protocol->ready(p + n, more, now);
	if (asked_to_reload || now >= look_ms) {
		bool reload = asked_to_reload;

		asked_to_reload = 0;
		(void)look(reload, now);
	}
}

/* The signals come only while it waits. */
static void take_signals(sigset_t *ret_mask)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	struct sigaction a = { .sa_handler = on_signal };
	sigset_t blocked;

	(void)sigemptyset(&blocked);
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		(void)sigaddset(&blocked, signals[i]);
		(void)sigaction(signals[i], &a, NULL);
	}
	(void)sigprocmask(SIG_BLOCK, &blocked, ret_mask);
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		(void)sigdelset(ret_mask, signals[i]);
}

static int run(void)
{
	uint64_t seed = 0;
	sigset_t mask;
	int r;

	take_signals(&mask);
	group = (struct group){ .four = protocol->four, .six = protocol->six, .port = protocol->port, .hops = protocol->hops,
				.own_too = protocol->own_too };
	(void)!getrandom(&seed, sizeof(seed), GRND_NONBLOCK);
	r = protocol->begin(&group, seed ^ (uint64_t)clock_realtime_ns());
	if (r < 0 || look(true, clock_ms()) < 0)
		return 1;
	while (!asked_to_end)
		turn(&mask);
	protocol->end();
	group_close(&group);
	return 0;
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 2 && i < sizeof(protocols) / sizeof(*protocols); i++)
		if (strcmp(argv[1], protocols[i]->name) == 0)
			protocol = protocols[i];
	if (!protocol) {
		say("usage: vnas-discover mdns | wsd", "", "", "");
		return 2;
	}
	return run();
}
