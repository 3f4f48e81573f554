/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What verify reads: a prober's answers, which come from inside a Vsv, and a report, which may be anybody's. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "verify/internal.h"
#include "verify/report.h"

enum { TARGETS = 3 };

static void read_answers(const char *text, size_t len)
{
	struct answers a;

	answers_init(&a, TARGETS);
	(void)answers_parse(&a, text, len);
	for (unsigned p = 0; p < n_probes; p++)
		for (unsigned i = 0; i <= TARGETS; i++) {
			int32_t answer = answers_get(&a, p, i);
			enum verdict verdict;
			const char *note;
			char words[64];

			/* Whatever is said, without a control nothing is refused. */
			if (judge(&probes[p], answer, CONTROL_FAILED, &verdict, &note) && verdict == VERDICT_REFUSED)
				abort();
			if (judge(&probes[p], answer, CONTROL_PASSED, &verdict, &note) && verdict == VERDICT_REFUSED && answer >= 0 &&
			    answer != ANSWER_SENT)
				abort();
			answer_text(answer, words, sizeof(words));
			if (!*words)
				abort();
		}
	answers_free(&a);
}

static void read_report(const char *text, size_t len)
{
	uint8_t signature[REPORT_SIGNATURE_BYTES];
	char key[REPORT_DIGEST_HEX + 1];
	json_t *report;
	size_t body;

	if (report_split(text, len, &body, signature, key) < 0)
		body = len;
	else if (body == 0 || body >= len || text[body - 1] != '\n' || strlen(key) != REPORT_DIGEST_HEX)
		abort();
	if (report_parse(text, body, &report) == 0)
		json_decref(report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	read_answers((const char *)data, len);
	read_report((const char *)data, len);
	return 0;
}
