/* SPDX-License-Identifier: GPL-2.0-or-later */
/* repair: a server's volumes, with every question of the check answered yes. */
#include "psv/repair.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "lib/err.h"

static bool agreed(void)
{
	char line[16];

	(void)fprintf(stderr, "A repair can lose data: is there a copy of the volumes? Type yes: ");
	return fgets(line, sizeof(line), stdin) && strcmp(line, "yes\n") == 0;
}

int cmd_repair(struct call *c, struct err *err)
{
	const struct repair_opts opts = { .no_start = call_flag(c, "no-start"), .notice = call_notice };

	if (!call_flag(c, "yes") && (!isatty(STDIN_FILENO) || !agreed())) {
		(void)err_exit(err, VNAS_EXIT_NOT_PERMITTED, -ECANCELED, "nobody agreed: nothing is changed");
		return err_hint(err, -ECANCELED, "a repair can lose data: keep a copy of the volumes, then say --yes");
	}
	return server_repair(c->psv, c->name, &opts, err);
}
