/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As much of HTTP as the metadata of WS-Discovery needs: one POST a connection. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { HTTP_REQUEST_MAX = 8192 + 1024 };

struct http_request {
	bool post;
	const char *path;   /* they point into what was given */
	size_t path_len;
	const char *body;
	size_t body_len;
};

/* http_parse: what has come so far.  0: it is a whole request; 1: there must come more; -EBADMSG; -EOPNOTSUPP: one that sends
 * its body in pieces. */
int http_parse(const char *p, size_t len, struct http_request *ret);
