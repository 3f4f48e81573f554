/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What anybody on the link can send to WS-Discovery's port, and to that of its metadata.  What is taken from it is repeated in
 * answers, so it must need no escape. */
#include <stdlib.h>
#include <string.h>

#include "discover/http.c"
#include "discover/soap.c"
#include "fuzz.h"

static void require(bool cond)
{
	if (!cond)
		abort();
}

static void try_soap(const char *text, size_t len)
{
	struct soap_request q;

	if (soap_parse(text, len, &q) < 0)
		return;
	require(*q.id && !strpbrk(q.id, "<>&\"' ") && !strpbrk(q.address, "<>&\"' "));
	require(strlen(q.id) <= SOAP_ID_MAX && strlen(q.address) <= SOAP_ID_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len ? len : 1); /* ends where the input ends */
	struct http_request q;

	require(text);
	memcpy(text, data, len);
	try_soap(text, len);
	if (http_parse(text, len, &q) == 0) {
		require(q.path >= text && q.path + q.path_len <= text + len && q.body >= text && q.body + q.body_len <= text + len);
		try_soap(q.body, q.body_len);
	}
	free(text);
	return 0;
}
