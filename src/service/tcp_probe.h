/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asking a service of a Vsv whether it is there, from the Psv, with a deadline for all of it. */
#pragma once

#include <stdint.h>

struct ipaddr;

/* tcp_probe: 0: somebody takes connections; -EAGAIN: not yet. */
int tcp_probe(const struct ipaddr *address, uint16_t port, int timeout_ms);

/* For probes that go on to speak.  probe_connect: a descriptor that does not block, or -EAGAIN.  probe_wait: 0, or -EAGAIN
 * when the time is over. */
int64_t probe_now_ms(void);
int probe_connect(const struct ipaddr *a, uint16_t port, int64_t deadline);
int probe_wait(int fd, short events, int64_t deadline);
