/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench-stat: turns what the benchmarks measured into results: medians, their ratio with its interval, and the verdict.
 *
 *   bench-stat GOALS <SAMPLES
 *
 * Samples are lines of fields with tabs between:
 *   sample CASE STACK PEER UNIT VALUE PEER_VALUE   one round: both were measured next to each other
 *   sample CASE STACK - UNIT VALUE -               one that has no peer
 *   absent CASE STACK PEER REASON                  could not be measured
 *   remark CASE STACK PEER TEXT                    belongs to it and is no number
 * The ratio of a round is VALUE by PEER_VALUE, so what changed on the machine between two rounds is left out of it.
 *
 * GOALS has lines "CASE STACK PEER MEASURE OP LIMIT", the first three as patterns; the first line that fits counts.  MEASURE
 * is ratio, value, or added (VALUE less PEER_VALUE).  A goal is missed when even the better end of the interval misses it; a
 * verdict is sure ("sure") when the worse end says the same.
 *
 * Standard output: a JSON array, a result each, in the order in which they came. */
#include <errno.h>
#include <fnmatch.h>
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/printable.h"
#include "stats.h"

enum { NAME_MAX_BYTES = 128, REASON_MAX_BYTES = 1024, GOALS_MAX = 128, FIELDS = 7 };

enum measure { RATIO, VALUE, ADDED, N_MEASURES };
static const char *const measures[N_MEASURES] = { [RATIO] = "ratio", [VALUE] = "value", [ADDED] = "added" };

struct goal {
	char *text; /* from MEASURE on */
	char *name[3];
	enum measure measure;
	bool at_least; /* else at most */
	double limit;
};

struct series {
	char name[3][NAME_MAX_BYTES], unit[NAME_MAX_BYTES], reason[REASON_MAX_BYTES];
	double *list[N_MEASURES], *peer;
	size_t n;
	json_t *remarks; /* NULL: none */
};

static const double none = (double)NAN;
static struct goal goals[GOALS_MAX];
static size_t n_goals;
static struct series *all;
static size_t n_all;

static bool number(const char *text, double *ret)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end || !isfinite(v))
		return false;
	*ret = v;
	return true;
}

/* --- the goals --- */

static bool goal_parse(char *line, struct goal *ret)
{
	char *word[6], *save, *text;
	size_t n = 0;

	for (char *w = strtok_r(line, " \t", &save); w; w = strtok_r(NULL, " \t", &save)) {
		if (n == 6)
			return false;
		word[n++] = w;
	}
	if (n != 6 || !number(word[5], &ret->limit))
		return false;
	for (size_t i = 0; i < 3; i++)
		ret->name[i] = strdup(word[i]);
	ret->measure = N_MEASURES;
	for (enum measure m = 0; m < N_MEASURES; m++)
		if (strcmp(word[3], measures[m]) == 0)
			ret->measure = m;
	ret->at_least = strcmp(word[4], ">=") == 0;
	if (asprintf(&text, "%s %s %s", word[3], word[4], word[5]) < 0)
		abort();
	ret->text = text;
	return ret->measure != N_MEASURES && (ret->at_least || strcmp(word[4], "<=") == 0);
}

static int goals_read(const char *path)
{
	_cleanup_free_ char *line = NULL;
	FILE *f = fopen(path, "re");
	size_t size = 0, at = 0;

	if (!f) {
		(void)fprintf(stderr, "bench-stat: cannot read %s: %m\n", path);
		return -1;
	}
	while (getline(&line, &size, f) > 0) {
		at++;
		line[strcspn(line, "#\n")] = '\0';
		if (line[strspn(line, " \t")] == '\0')
			continue;
		if (n_goals == GOALS_MAX || !goal_parse(line, &goals[n_goals++])) {
			(void)fprintf(stderr, "bench-stat: %s:%zu: expected CASE STACK PEER ratio|value|added <=|>= NUMBER\n",
				      path, at);
			(void)fclose(f);
			return -1;
		}
	}
	(void)fclose(f);
	return 0;
}

static const struct goal *goal_find(const struct series *s)
{
	for (size_t i = 0; i < n_goals; i++) {
		size_t k = 0;

		while (k < 3 && fnmatch(goals[i].name[k], s->name[k], 0) == 0)
			k++;
		if (k == 3)
			return &goals[i];
	}
	return NULL;
}

/* --- the samples --- */

static struct series *series_of(char *const *name)
{
	struct series *s;

	for (size_t i = 0; i < n_all; i++)
		if (strcmp(all[i].name[0], name[0]) == 0 && strcmp(all[i].name[1], name[1]) == 0 &&
		    strcmp(all[i].name[2], name[2]) == 0)
			return &all[i];
	all = reallocarray(all, n_all + 1, sizeof(*all));
	if (!all)
		abort();
	s = &all[n_all++];
	*s = (struct series){ 0 };
	for (size_t i = 0; i < 3; i++)
		(void)snprintf(s->name[i], sizeof(s->name[i]), "%s", name[i]);
	return s;
}

static double *append(double *list, size_t n, double value)
{
	list = reallocarray(list, n + 1, sizeof(*list));
	if (!list)
		abort();
	list[n] = value;
	return list;
}

static bool sample_take(char **field, size_t n)
{
	double value, peer = none;
	struct series *s;

	if (n == 5 && strcmp(field[0], "absent") == 0) {
		s = series_of(field + 1);
		(void)snprintf(s->reason, sizeof(s->reason), "%s", field[4]);
		/* Once more: it may have been cut within a character. */
		printable_clean(s->reason);
		return true;
	}
	if (n == 5 && strcmp(field[0], "remark") == 0) {
		s = series_of(field + 1);
		if (!s->remarks)
			s->remarks = json_array();
		return json_array_append_new(s->remarks, json_string(field[4])) == 0;
	}
	if (n != FIELDS || strcmp(field[0], "sample") != 0 || !number(field[5], &value))
		return false;
	if (strcmp(field[6], "-") != 0 && (!number(field[6], &peer) || !(peer > 0)))
		return false;
	s = series_of(field + 1);
	(void)snprintf(s->unit, sizeof(s->unit), "%s", field[4]);
	s->list[VALUE] = append(s->list[VALUE], s->n, value);
	s->peer = append(s->peer, s->n, peer);
	s->list[RATIO] = append(s->list[RATIO], s->n, value / peer);
	s->list[ADDED] = append(s->list[ADDED], s->n, value - peer);
	s->n++;
	return true;
}

static int samples_read(void)
{
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, stdin) > 0) {
		_cleanup_free_ char *copy = NULL;
		char *field[FIELDS + 1], *rest;
		size_t n = 0;

		line[strcspn(line, "\n")] = '\0';
		copy = rest = strdup(line);
		for (char *f; n <= FIELDS && (f = strsep(&rest, "\t"));)
			field[n++] = f;
		/* Reasons are other programs' last words, and JSON takes UTF-8 alone. */
		for (size_t i = 0; copy && i < n; i++)
			printable_clean(field[i]);
		if (!copy || !sample_take(field, n)) {
			(void)fprintf(stderr, "bench-stat: this is no sample: %s\n", line);
			return -1;
		}
	}
	return 0;
}

/* --- the results --- */

static json_t *rounded(double v)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%.6g", v);
	return isfinite(v) ? json_real(strtod(text, NULL)) : json_null();
}

static json_t *result(struct series *s)
{
	const struct goal *goal = goal_find(s);
	struct spread sp[N_MEASURES], ratio;
	const char *verdict = "none";
	bool paired, sure = false;
	json_t *o;

	o = json_pack("{s:s,s:s,s:s}", "case", s->name[0], "stack", s->name[1], "peer", s->name[2]);
	(void)json_object_set_new(o, "goal", goal ? json_string(goal->text) : json_null());
	if (s->remarks)
		(void)json_object_set_new(o, "remarks", s->remarks);
	if (s->n == 0) {
		(void)json_object_update_new(o, json_pack("{s:s,s:i,s:n,s:n,s:n,s:s,s:s}", "unit", "", "rounds", 0, "ratio",
							  "low", "high", "verdict", "not run", "reason", s->reason));
		return o;
	}
	paired = isfinite(s->peer[0]);
	for (enum measure m = 0; m < N_MEASURES; m++)
		sp[m] = paired || m == VALUE ? spread_of(s->list[m], s->n) : (struct spread){ none, none, none };
	if (goal && (paired || goal->measure == VALUE)) {
		double best = goal->at_least ? sp[goal->measure].high : sp[goal->measure].low;
		double worst = goal->at_least ? sp[goal->measure].low : sp[goal->measure].high;
		bool missed = goal->at_least ? best < goal->limit : best > goal->limit;

		verdict = missed ? "missed" : "met";
		sure = missed || (goal->at_least ? worst >= goal->limit : worst <= goal->limit);
	}
	/* What has no peer is compared with its limit. */
	ratio = sp[RATIO];
	if (!paired && goal && goal->measure == VALUE && goal->limit > 0)
		ratio = (struct spread){ sp[VALUE].low / goal->limit, sp[VALUE].median / goal->limit,
					 sp[VALUE].high / goal->limit };
	(void)json_object_update_new(
		o, json_pack("{s:s,s:i,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:s,s:o}", "unit", s->unit, "rounds", (int)s->n, "value",
			     rounded(sp[VALUE].median), "peer_value",
			     paired ? rounded(spread_of(s->peer, s->n).median) : json_null(), "ratio", rounded(ratio.median),
			     "low", rounded(ratio.low), "high", rounded(ratio.high), "added", rounded(sp[ADDED].median),
			     "added_low", rounded(sp[ADDED].low), "added_high", rounded(sp[ADDED].high), "verdict", verdict,
			     "sure", strcmp(verdict, "none") == 0 ? json_null() : json_boolean(sure)));
	return o;
}

int main(int argc, char **argv)
{
	json_t *results = json_array();

	if (argc != 2) {
		(void)fprintf(stderr, "usage: bench-stat GOALS <SAMPLES\n");
		return 2;
	}
	if (goals_read(argv[1]) < 0 || samples_read() < 0)
		return 1;
	for (size_t i = 0; i < n_all; i++)
		(void)json_array_append_new(results, result(&all[i]));
	if (json_dumpf(results, stdout, JSON_INDENT(1)) < 0 || putchar('\n') == EOF || fflush(stdout) != 0) {
		(void)fprintf(stderr, "bench-stat: cannot write: %m\n");
		return 1;
	}
	json_decref(results);
	return 0;
}
