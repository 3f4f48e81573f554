/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The messages of WS-Discovery (April 2005, the one that Windows speaks) and of the metadata exchange that follows: reading
 * the three requests out of XML that anybody may have sent, and writing what we say.  Nothing here allocates. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "discover/site.h"
#include "vsv/small.h"

enum { SOAP_RECEIVE_MAX = 8192, SOAP_SEND_MAX = 4096, SOAP_ID_MAX = 128, SOAP_HTTP_PORT = 5357 };

enum soap_kind { SOAP_OTHER, SOAP_PROBE, SOAP_RESOLVE, SOAP_GET };

struct soap_request {
	enum soap_kind kind;
	char id[SOAP_ID_MAX + 1];      /* letters, digits and -._:/ */
	char address[SOAP_ID_MAX + 1]; /* SOAP_RESOLVE: whom it looks for; "": nobody that could be us */
	bool for_us;                   /* SOAP_PROBE: it looks for what a file server is */
};

/* soap_parse: 0; -EBADMSG: it is no such message. */
int soap_parse(const char *xml, size_t len, struct soap_request *ret);

enum soap_answer { SOAP_HELLO, SOAP_BYE, SOAP_PROBE_MATCHES, SOAP_RESOLVE_MATCHES, SOAP_GET_RESPONSE };

struct soap_answer_of {
	enum soap_answer what;
	const struct site *site;
	uint32_t ifindex;       /* the addresses of that interface are told … */
	uint8_t family;         /* … those of this family */
	const char *relates_to; /* the request's id; NULL: of none */
	char id[37];            /* a UUID of its own */
	uint64_t instance;      /* grows with each start of the program */
	uint64_t number;        /* of the message in it */
};
/* soap_write: false: it did not fit. */
bool soap_write(const struct soap_answer_of *a, struct text *ret);
