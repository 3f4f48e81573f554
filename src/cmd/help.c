/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

#include "cmd/cmd.h"

static void one_line(const struct cmd *cmd)
{
	char name[32];

	(void)str_format(name, sizeof(name), "%s%s%s", cmd->verb, cmd->sub ? " " : "", cmd->sub ? cmd->sub : "");
	(void)printf("  %-16s %s\n", name, cmd->summary);
}

static void one_verb(const struct cmd *cmd)
{
	(void)printf("usage: vnas %s%s%s %s\n  %s\n", cmd->verb, cmd->sub ? " " : "", cmd->sub ? cmd->sub : "", cmd->usage,
		     cmd->summary);
	for (const struct cmd_option *o = cmd->options; o && o->name; o++) {
		char option[64];

		(void)str_format(option, sizeof(option), "%s%s%s%s", o->name[1] ? "--" : "-", o->name, o->arg ? " " : "",
				 o->arg ? o->arg : "");
		(void)printf("  %-36s %s\n", option, o->help);
	}
	if (cmd->flags & CMD_EACH)
		(void)printf("  %-36s %s\n", "--all",
			     cmd->flags & CMD_AUTO ? "every Vsv with autostart = yes" : "every Vsv of this machine");
	if (cmd->flags & CMD_JSON)
		(void)printf("  %-36s %s\n", "--json", "print JSON");
}

void cmd_help(const struct cmd *cmd)
{
	if (cmd) {
		/* All that share the verb: `vnas share --help` shows the family. */
		one_verb(cmd);
		return;
	}
	(void)puts("vnas: virtual file servers on one Linux machine\n\n"
		   "A first server:\n"
		   "  vnas create sales --address 192.0.2.11/24 --volume data=10G\n"
		   "  vnas start sales\n"
		   "  vnas user add sales alice\n"
		   "  vnas share add sales docs\n\n"
		   "Verbs (vnas VERB --help tells more, vnas(8) everything):");
	for (cmd = cmd_table; cmd->verb; cmd++)
		if (!(cmd->flags & CMD_INTERNAL))
			one_line(cmd);
}
