/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Capabilities that are put aside for a moment: what a process may, without what one of them would let pass. */
#pragma once

#include <linux/capability.h>
#include <stdint.h>

/* Who executes a file that it may not read, without these, is not dumpable: nobody looks into it without CAP_SYS_PTRACE. */
#define ASIDE_READING (UINT64_C(1) << CAP_DAC_OVERRIDE | UINT64_C(1) << CAP_DAC_READ_SEARCH)

/* capabilities_aside: the effective ones become the permitted ones without these.  An execution as root, or 0, gives them back.  0 or
 * -errno. */
int capabilities_aside(uint64_t without);
/* capabilities_none: none is left.  0 or -errno. */
int capabilities_none(void);
