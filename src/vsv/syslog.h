/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What programs send to /dev/log: "<PRIORITY>Mmm dd hh:mm:ss TAG[PID]: text" as syslog(3) of glibc and musl writes it.
 * Whoever is inside can send anything, so nothing of it is believed and whatever does not fit is text. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "vsv/proto.h"

struct syslog_line {
	uint8_t priority;         /* facility << 3 | severity; user.notice if there is none */
	char tag[PROTO_NAME_MAX]; /* proto_name_ok(); "unknown" if there is none */
	const char *text;         /* into the message, without what ends it; any bytes */
	size_t len;
};

void syslog_parse(const char *msg, size_t len, struct syslog_line *ret);
