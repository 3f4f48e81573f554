/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether an SMB2 server answers: one negotiate, [MS-SMB2] 2.2.3 and 2.2.4, over direct TCP. */
#pragma once

#include <stdint.h>

struct ipaddr;

/* smb_probe: 0: a valid negotiate response came; -EAGAIN: nobody listens, nothing came in time, or what came is no SMB2
 * negotiate response. */
int smb_probe(const struct ipaddr *address, uint16_t port, int timeout_ms);
