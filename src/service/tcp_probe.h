/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asking a service of a Vsv whether it is there, from the Psv, with a deadline for all of it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct ipaddr;

/* tcp_probe: 0: somebody takes connections; -EAGAIN: not yet. */
int tcp_probe(const struct ipaddr *address, uint16_t port, int timeout_ms);

/* For probes that go on to speak.  deadline_ms: by now_ms().  probe_connect: a descriptor that does not block, or -EAGAIN.
 * probe_wait: 0, or -EAGAIN when the time is over.  probe_send, probe_receive: all of it, or -EAGAIN. */
int probe_connect(const struct ipaddr *a, uint16_t port, int64_t deadline_ms);
int probe_wait(int fd, short events, int64_t deadline_ms);
int probe_send(int fd, const void *data, size_t len, int64_t deadline_ms);
int probe_receive(int fd, void *data, size_t len, int64_t deadline_ms);
