/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The metadata by HTTP: a few connections at once, each with little room and little time. */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "discover/soap.h"
#include "vsv/small.h"

int http_begin(void); /* listens.  0 or -errno */
size_t http_polls(struct pollfd *ret);
void http_ready(const struct pollfd *p, size_t n, int64_t now_ms);
int64_t http_tick(int64_t now_ms); /* closes what took too long; when the next one does */

/* From wsd_service.c: an answer with a new message's number, and whether that is the path of our metadata. */
bool wsd_write(enum soap_answer what, uint32_t ifindex, uint8_t family, const char *relates_to, struct text *t);
bool wsd_is_our_path(const char *path, size_t len);
