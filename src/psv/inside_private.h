/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What inside*.c share. */
#pragma once

#include "psv/inside.h"
#include "vsv/proto.h"

enum { INSIDE_LOOK_WORDS = 1000 }; /* in one message */

union inside_message {
	struct proto_header header;
	struct proto_result result;
	struct proto_status_row row;
	struct proto_exec_exit exec_exit;
	struct {
		struct proto_looked head;
		unsigned char found[INSIDE_LOOK_WORDS];
	} looked;
};

/* inside_recv: one checked message.  Its type or -errno; descriptors that came are the caller's. */
int inside_recv(int conn, union inside_message *m, int *ret_fds, size_t max_fds, size_t *ret_n_fds, int timeout_ms,
		struct err *err);
int inside_send(int conn, const void *m, size_t len, struct err *err);
