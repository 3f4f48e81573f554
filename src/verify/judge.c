/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From answers to verdicts.  What comes from inside is read as a tenant's word: only the exact lines that a prober writes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "verify/internal.h"

const struct probe probes[] = {
#define PROBE(name, row, when, kind, answers, control, function) \
	{ name, ROW_##row, WHEN_##when, KIND_##kind, answers, control },
#include "verify/probes.def"
#undef PROBE
};
const unsigned n_probes = sizeof(probes) / sizeof(*probes);

const char *const verdict_names[VERDICTS] = {
	[VERDICT_REFUSED] = "refused", [VERDICT_CONTROL] = "control", [VERDICT_VISIBLE] = "visible",
	[VERDICT_OPEN] = "open",       [VERDICT_THROUGH] = "through",
};

int probe_find(const char *name)
{
	for (unsigned i = 0; i < n_probes; i++)
		if (strcmp(probes[i].name, name) == 0)
			return (int)i;
	return -1;
}

void answers_init(struct answers *a, unsigned n_targets)
{
	size_t n = (size_t)n_probes * (n_targets + 1);

	a->n_targets = n_targets;
	a->v = xcalloc(n, sizeof(*a->v));
	for (size_t i = 0; i < n; i++)
		a->v[i] = NO_ANSWER;
}

void answers_free(struct answers *a)
{
	free(a->v);
	*a = (struct answers){ .v = NULL };
}

int32_t answers_get(const struct answers *a, unsigned probe, unsigned index)
{
	return a->v && index <= a->n_targets ? a->v[(size_t)probe * (a->n_targets + 1) + index] : NO_ANSWER;
}

/* parse_answer: 0, a word of probes.h, or -errno. */
static int parse_answer(const char *word, int32_t *ret)
{
	bool negative = *word == '-';
	uint32_t n;

	if (parse_u32(word + negative, 4095, &n) < 0 || (negative && n == 0) || (!negative && n > ANSWER_KILLED))
		return -EBADMSG;
	*ret = negative ? -(int32_t)n : (int32_t)n;
	return 0;
}

static int parse_line(struct answers *a, char *line)
{
	char *index_text = strchr(line, ' '), *answer = index_text ? strchr(index_text + 1, ' ') : NULL;
	uint32_t index;
	int32_t value;
	int probe;

	if (!answer)
		return -EBADMSG;
	*index_text++ = '\0';
	*answer++ = '\0';
	probe = probe_find(line);
	if (probe < 0 || parse_u32(index_text, a->n_targets, &index) < 0 || parse_answer(answer, &value) < 0)
		return -EBADMSG;
	/* Said twice it is somebody else's word. */
	if (answers_get(a, (unsigned)probe, index) != NO_ANSWER)
		return -EBADMSG;
	a->v[(size_t)probe * (a->n_targets + 1) + index] = value;
	return 0;
}

int answers_parse(struct answers *a, const char *text, size_t len)
{
	_cleanup_free_ char *copy = NULL;
	char *line, *end;

	if (memchr(text, '\0', len))
		return -EBADMSG;
	copy = xmalloc(len + 1);
	memcpy(copy, text, len);
	copy[len] = '\0';
	for (line = copy; (end = strchr(line, '\n')); line = end + 1) {
		int r;

		*end = '\0';
		if (strcmp(line, "end") == 0)
			return end[1] ? -EBADMSG : 0;
		r = parse_line(a, line);
		if (r < 0)
			return r;
	}
	return -ENODATA;
}

void answer_text(int32_t answer, char *buf, size_t size)
{
	const char *name = answer < 0 && answer != NO_ANSWER ? strerrorname_np(-answer) : NULL;

	if (answer == NO_ANSWER)
		(void)str_copy(buf, size, "no answer");
	else if (answer == 0)
		(void)str_copy(buf, size, "succeeded");
	else if (answer == ANSWER_SENT)
		(void)str_copy(buf, size, "sent");
	else if (answer > 0)
		(void)str_copy(buf, size, "did not end");
	else if (name)
		(void)str_copy(buf, size, name);
	else
		(void)str_format(buf, size, "error %d", -answer);
}

bool judge_listed(const char *answers, int32_t answer)
{
	const char *name = answer < 0 && answer != NO_ANSWER ? strerrorname_np(-answer) : NULL;
	size_t len = name ? strlen(name) : 0;

	for (const char *p = answers; name && *p; p += strcspn(p, " "), p += strspn(p, " "))
		if (strncmp(p, name, len) == 0 && (p[len] == ' ' || p[len] == '\0'))
			return true;
	return false;
}

static enum verdict of_success(enum probe_kind kind)
{
	switch (kind) {
	case KIND_CONTROL:
		return VERDICT_CONTROL;
	case KIND_HIDE:
		return VERDICT_VISIBLE;
	case KIND_OPEN:
		return VERDICT_OPEN;
	case KIND_REFUSE:
	case KIND_DELIVER:
		break;
	}
	return VERDICT_THROUGH;
}

bool judge(const struct probe *p, int32_t answer, enum control control, enum verdict *ret, const char **ret_note)
{
	*ret_note = NULL;
	*ret = VERDICT_OPEN;
	if (answer == ANSWER_NOTHING)
		return false;
	/* What succeeds needs no control. */
	if (answer == 0) {
		*ret = of_success(p->kind);
		return true;
	}
	if (p->kind == KIND_CONTROL || answer == NO_ANSWER || answer == ANSWER_KILLED) {
		*ret_note = p->kind == KIND_CONTROL ? "the control failed" : "it could not be tried";
		return true;
	}
	/* Sent, and dropped on its way. */
	if (p->kind == KIND_DELIVER && answer == ANSWER_SENT) {
		*ret = control == CONTROL_PASSED ? VERDICT_REFUSED : VERDICT_OPEN;
		*ret_note = control == CONTROL_PASSED ? "and did not arrive" : "its control failed";
		return true;
	}
	if (!judge_listed(p->answers, answer)) {
		*ret_note = "no refusal";
		return true;
	}
	if (control != CONTROL_PASSED) {
		*ret_note = "its control failed";
		return true;
	}
	*ret = VERDICT_REFUSED;
	return true;
}
