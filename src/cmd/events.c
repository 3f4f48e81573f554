/* SPDX-License-Identifier: GPL-2.0-or-later */
/* events. */
#include "psv/event.h"

#include <errno.h>
#include <stdio.h>

#include "cmd/cmd.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/output.h"
#include "lib/when.h"
#include "psv/event_learn.h"
#include "psv/psv.h"

/* What cannot be written ends it, and main() says so. */
static int print_object(json_t *event, void *arg)
{
	_cleanup_free_ char *text = json_dumps(event, JSON_COMPACT);

	(void)arg;
	return !text || puts(text) == EOF || fflush(stdout) == EOF;
}

static int print_words(json_t *event, void *arg)
{
	static const char *const keys[] = { "time", "server", "event", "detail" };

	(void)arg;
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		const char *s = json_string_value(json_object_get(event, keys[i]));

		if (i)
			(void)putchar(' ');
		output_safe(stdout, s ? s : "-");
	}
	return putchar('\n') == EOF || fflush(stdout) == EOF;
}

static int keep(json_t *event, void *arg)
{
	return json_array_append(arg, event) < 0 ? -ENOMEM : 0;
}

/* show_learned: lines that could stand in the configuration; what is said of them are comments. */
static int show_learned(const json_t *list, const char *name)
{
	bool section = false, none = false;
	const json_t *o;
	size_t i;

	(void)printf("# What %s was refused, as lines of its configuration.  Take those that are meant to be.\n", name);
	json_array_foreach(list, i, o) {
		const char *key = json_string_value(json_object_get(o, "key")), *value;
		long long count = json_integer_value(json_object_get(o, "count"));

		if (key && !section)
			(void)printf("\n[%s]\n", json_string_value(json_object_get(o, "section")));
		if (!key && !none)
			(void)printf("\n# No setting allows these:\n");
		section |= key != NULL;
		none |= !key;
		(void)printf("# %lld time%s: ", count, count == 1 ? "" : "s");
		output_safe(stdout, json_string_value(json_object_get(o, "reason")));
		(void)putchar('\n');
		value = json_string_value(json_object_get(o, "value"));
		if (key && value)
			(void)printf("%s = %s\n", key, value);
	}
	if (!section && !none)
		(void)printf("# Nothing was refused.\n");
	return fflush(stdout) == EOF ? -EIO : 0;
}

static int learn(struct call *c, const char *since, struct err *err)
{
	json_t *list = NULL;
	int r;

	if (c->words.n != 1)
		return usage_error(c, err, "--learn: expected the name of one virtual file server");
	if (call_flag(c, "f") || call_option(c, "lines"))
		return usage_error(c, err, "--learn goes together with --since and --json alone");
	r = event_learn(c->psv, c->words.v[0], since, &list, err);
	if (r < 0)
		return r;
	if (c->json)
		return output_json("steps", list);
	r = show_learned(list, c->words.v[0]);
	json_decref(list);
	return r;
}

static int check_names(const struct call *c, struct err *err)
{
	for (size_t i = 0; i < c->words.n; i++) {
		int r = conf_name_check(c->words.v[i], err);

		if (r < 0)
			return r;
		r = psv_require(c->psv, c->words.v[i], err);
		if (r < 0)
			return err_wrap(err, r, "%s", c->words.v[i]);
	}
	return 0;
}

static void measure(const json_t *event, void *arg)
{
	output_stream_measure(arg, event);
}

static int show(json_t *event, void *arg)
{
	return output_stream_row(arg, event);
}

int cmd_events(struct call *c, struct err *err)
{
	static const struct column columns[] = {
		{ "time", "TIME", COL_TEXT },
		{ "server", "SERVER", COL_TEXT },
		{ "event", "EVENT", COL_TEXT },
		{ "detail", "DETAIL", COL_TEXT },
	};
	struct events_wanted w = { .names = &c->words, .follow = call_flag(c, "f") };
	const char *given = call_option(c, "lines"), *since = call_option(c, "since");
	char when[32] = "";
	uint32_t lines = 0;
	int64_t since_ns;
	struct output_stream stream;
	json_t *list;
	int r;

	if (given && (parse_u32(given, UINT32_MAX, &lines) < 0 || lines == 0))
		return usage_error(c, err, "--lines: '%s' is no number of events", given);
	if (since && when_parse(since, when_now_ns(), &since_ns) < 0)
		return usage_error(c, err, "--since: '%s' is no time: expected %s", since, WHEN_EXPECTED);
	if (since)
		w.since = when_text(since_ns, when, sizeof(when));
	r = check_names(c, err);
	if (r < 0)
		return r;
	if (call_flag(c, "learn"))
		return learn(c, w.since, err);
	w.last = lines;
	if (w.follow) {
		w.each = c->json ? print_object : print_words;
		return events_read(c->psv, &w, err);
	}
	if (!lines) {
		output_stream_begin(&stream, c->json, "events", columns, 4);
		w.measure = measure;
		w.each = show;
		w.arg = &stream;
		r = events_read(c->psv, &w, err);
		return r < 0 ? r : output_stream_end(&stream);
	}
	list = json_array();
	w.each = keep;
	w.arg = list;
	r = events_read(c->psv, &w, err);
	if (r == 0)
		return output_list(c->json, "events", list, columns, 4);
	json_decref(list);
	return r;
}
