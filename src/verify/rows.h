/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is promised, as rows: the table "the four interferences" of docs/architecture.md.  `vnas verify` tries each on the
 * running machine, `vnas doctor` says what each needs of it; both use these names. */
#pragma once

#include <stddef.h>

enum verify_row_id {
	/* (a) network */
	ROW_ADDRESS,
	ROW_SOCKET_KIND,
	ROW_WILDCARD,
	ROW_LOOPBACK,
	ROW_SOURCE,
	ROW_DISCOVERY,
	ROW_INGRESS,
	ROW_REACH,
	ROW_DENY,
	ROW_SEE_NETWORK,
	ROW_PORT_SHARE,
	ROW_INTERFACES,
	ROW_GATE,
	/* (b) files */
	ROW_DEVICE,
	ROW_OUTSIDE_FILES,
	ROW_MOUNT,
	ROW_SEE_DISKS,
	/* (c) settings */
	ROW_SETTINGS,
	/* (d) processes */
	ROW_PROCESS,
	ROW_EXHAUST,
	ROW_ABSTRACT,
	ROW_IPC,
	ROW_KEYRING,
	ROW_PROC,
	ROW_MACHINE,
	ROW_RIGHTS,
	ROW_NAMESPACE,
	VERIFY_ROWS,
};

struct verify_row {
	const char *name;   /* of --json and of the matrix; lower case, frozen */
	char interference;  /* 'a' network, 'b' files, 'c' settings, 'd' processes */
	const char *text;   /* the attempt from inside */
	const char *answer; /* what the kernel is to say */
	const char *needs;  /* the feature of the kernel that says it, with the version that has it */
};

extern const struct verify_row verify_rows[VERIFY_ROWS];
