/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "client.h"

#include <stdio.h>
#include <string.h>

static const struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *arguments;
} verbs[] = {
	{.name = "load", .run = load, .arguments = "DIR create|create-exclusive|read|rename STOP-FILE [again]"},
	{.name = "session", .run = session, .arguments = ""},
};

const char *error_name(int error)
{
	return strerrorname_np(error) ?: "unknown";
}

int main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (argc > 1 && strcmp(argv[1], verbs[i].name) == 0)
			return verbs[i].run(argc - 1, argv + 1);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		fprintf(stderr, "%s client %s %s\n", i == 0 ? "usage:" : "      ", verbs[i].name, verbs[i].arguments);
	return 2;
}
