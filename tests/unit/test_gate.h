/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A small machine for the gate's tests, made of namespaces: a Psv (the test itself), two Vsv and a client on the wire.
 *
 *     client 192.0.2.100, 2001:db8::100
 *       |
 *     Psv    192.0.2.1,   2001:db8::1, and another interface, other0, to the client's far0
 *       Vsv A (1)  192.0.2.11 192.0.2.12  2001:db8::11 2001:db8::12
 *       Vsv B (2)  192.0.2.21             2001:db8::21
 *
 * A socket belongs to the cgroup and the network namespace in which it is made, whoever uses it afterwards.  So only
 * making one happens inside (machine_socket); the rest of a test is plain code that holds all ends. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "gate/gate.h"

enum place { PSV, CLIENT, VSV_A, VSV_B, STRANGER /* a cgroup with the gate but no number */, PLACES };

struct machine {
	char bpf_dir[128];
	int cgroup[PLACES]; /* -1: none */
	int client_netns;
	struct gate_config config[PLACES];
};

extern unsigned machine_discovery; /* of both Vsv, before the machine is made; enum gate_discovery */

/* machine_test: makes the machine, runs the test in a process of its own and takes everything away again. */
void machine_test(void (*body)(struct machine *m));
/* machine_run: the same with or without the gate; ends the process. */
void machine_run(bool gate, void (*body)(struct machine *m));

/* Each returns a descriptor or 0, or -errno. */
int machine_socket(const struct machine *m, enum place p, int family, int type, int protocol);
/* machine_call: what f(arg) returns (-1: -errno) inside that place. */
int machine_call(const struct machine *m, enum place p, int (*f)(const void *arg), const void *arg);

/* Addresses as text: "192.0.2.11", "::1", "::ffff:192.0.2.11". */
socklen_t socket_address(const char *host, uint16_t port, struct sockaddr_storage *ret);
int do_bind(int fd, const char *host, uint16_t port);
int do_connect(int fd, const char *host, uint16_t port);
int do_listen(int fd);
/* do_sendto: a datagram of four bytes; from NULL: without packet information. */
int do_sendto(int fd, const char *to, uint16_t port, const char *from);
/* do_send_via: the same by an interface that packet information names; to NULL: of a connected socket. */
int do_send_via(int fd, const char *to, uint16_t port, const char *from, const char *interface);
/* do_recv: 0: one arrived within ms; ret_host gets its sender.  -EAGAIN. */
int do_recv(int fd, int ms, char ret_host[64], uint16_t *ret_port);
/* do_accept: as do_recv; ret_host gets the peer as accept(2) says. */
int do_accept(int fd, int ms, char ret_host[64]);
int set_option(int fd, int level, int name, int value);
/* name_of: own or peer's address as text, port into *ret_port if not NULL. */
const char *name_of(int fd, int peer, uint16_t *ret_port);
uint64_t refused(const struct machine *m, enum place p, enum gate_kind kind);
