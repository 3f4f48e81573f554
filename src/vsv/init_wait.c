/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two of PID 1's calls can wait for something inside, as long as somebody there likes: recvmsg on /dev/log, which closes
 * descriptors that came along, and the last close of a connection with SO_LINGER waits for its peer; and handing out a
 * descriptor, which its receiver takes when he runs next, who may come last on a busy processor.  A pending signal ends
 * either wait, so there is a timer for their time. */
#include "vsv/init.h"

#include <signal.h>
#include <sys/time.h>

enum { WAIT_US = 10 * 1000 }; /* also how soon the timer ends the next wait, as long as it runs */

static volatile sig_atomic_t late;

static void on_alarm(int sig)
{
	(void)sig;
	late = 1;
}

static void set(bool on)
{
	const struct sigaction alarm = { .sa_handler = on_alarm };
	const struct itimerval timer = { .it_interval.tv_usec = on ? WAIT_US : 0, .it_value.tv_usec = on ? WAIT_US : 0 };
	sigset_t mask;

	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGALRM);
	if (on)
		(void)sigaction(SIGALRM, &alarm, NULL);
	(void)setitimer(ITIMER_REAL, &timer, NULL);
	/* Only for that time: wherever it comes from, it must not interrupt what else PID 1 does. */
	(void)sigprocmask(on ? SIG_UNBLOCK : SIG_BLOCK, &mask, NULL);
}

void wait_begin(void)
{
	late = 0;
	set(true);
}

bool wait_is_over(void)
{
	return late;
}

void wait_end(void)
{
	set(false);
}
