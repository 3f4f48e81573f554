/* SPDX-License-Identifier: GPL-2.0-or-later */
/* adopt: shows what the volumes ask for, and registers the server once that is agreed to. */
#include "psv/adopt.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/output.h"
#include "psv/psv.h"

enum { LOCK_WAIT_MS = 120 * 1000 };

static const struct column columns[] = {
	{ "name", "VOLUME", COL_TEXT }, { "fs", "FS", COL_TEXT },     { "size", "SIZE", COL_SIZE },
	{ "path", "NOW", COL_TEXT },    { "target", "THEN", COL_TEXT }, { "generation", "GENERATION", COL_NUMBER },
};

static json_t *volumes_json(const struct adopt *a)
{
	json_t *list = json_array();

	for (size_t i = 0; i < a->n_volumes; i++) {
		const struct adopt_volume *v = &a->volumes[i];

		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:I, s:s, s:s, s:I, s:s}", "server", a->server, "name",
						      v->label.role, "fs", conf_fs_name(v->fs), "size",
						      (json_int_t)v->size_bytes, "path", v->path, "target",
						      v->device ? v->path : v->target, "generation",
						      (json_int_t)v->label.generation, "uuid", v->label.uuid));
	}
	return list;
}

static bool agreed(void)
{
	char line[16];

	(void)fprintf(stderr, "Take this server? Type yes: ");
	return fgets(line, sizeof(line), stdin) && strcmp(line, "yes\n") == 0;
}

static int show(const struct call *c, const struct adopt *a, struct err *err)
{
	if (c->json)
		return output_list(true, "volumes", volumes_json(a), columns, 6);
	(void)printf("Server %s, generation %llu, asks for:\n\n", a->server, (unsigned long long)a->generation);
	/* From a disk that may come from anywhere: what is read here is what it says. */
	output_safe_lines(stdout, a->conf_text);
	(void)putchar('\n');
	if (output_list(false, "volumes", volumes_json(a), columns, 6) < 0)
		return err_set(err, -EIO, "cannot write the list");
	return 0;
}

int cmd_adopt(struct call *c, struct err *err)
{
	_cleanup_close_ int lock = -1, registry = -1;
	struct adopt a = { 0 };
	int r = adopt_read(c->psv, (const char *const *)c->words.v, c->words.n, call_flag(c, "force"), &a, err);

	if (r < 0)
		return r;
	r = show(c, &a, err);
	if (a.generation < a.known_generation)
		call_notice("this is an older copy than this machine has started: what was written since is not in it");
	if (r == 0 && !call_flag(c, "yes") && (!isatty(STDIN_FILENO) || !agreed())) {
		(void)err_exit(err, VNAS_EXIT_NOT_PERMITTED, -ECANCELED, "nobody agreed: nothing is changed");
		r = err_hint(err, -ECANCELED, "look at what it asks for, then say --yes");
	}
	if (r == 0)
		r = lock = psv_lock(c->psv, a.server, "adopt", LOCK_WAIT_MS, call_notice, err);
	if (r >= 0)
		r = registry = psv_lock(c->psv, NULL, "adopt", LOCK_WAIT_MS, call_notice, err);
	if (r >= 0)
		r = adopt_register(c->psv, &a, err);
	if (r == 0)
		event_log(c->psv, a.server, "adopted", "generation %llu", (unsigned long long)a.generation);
	adopt_free(&a);
	return r;
}
