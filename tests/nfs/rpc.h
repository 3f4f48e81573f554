/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ONC RPC by hand, for a client that shows what libraries hide: handles, locks, sessions.  It ends the program when the server
 * cannot be reached or says nothing that makes sense. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RPC_MAX_BYTES = 8192 };

struct xdr {
	unsigned char data[RPC_MAX_BYTES];
	size_t len, at; /* what there is; where the next is read */
};

void put32(struct xdr *x, uint32_t v);
void put64(struct xdr *x, uint64_t v);
void put_bytes(struct xdr *x, const void *p, size_t n);  /* filled up to words, without its length */
void put_opaque(struct xdr *x, const void *p, size_t n); /* with it */
void put_string(struct xdr *x, const char *s);
uint32_t get32(struct xdr *x);
uint64_t get64(struct xdr *x);
void get_bytes(struct xdr *x, void *p, size_t n);
size_t get_opaque(struct xdr *x, void *p, size_t max);

/* rpc_connect: to address and port, from a port below 1024.  rpc_call: *args are the arguments, *ret the results.  The credentials
 * are those of AUTH_SYS with that user. */
int rpc_connect(const char *address, int port);
void rpc_call(int fd, uint32_t program, uint32_t version, uint32_t procedure, uint32_t uid, const struct xdr *args,
	      struct xdr *ret);
void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
