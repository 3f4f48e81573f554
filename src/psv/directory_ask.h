/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Single questions to a Vsv's directory, put from inside, so that they leave with the Vsv's own address and are judged by
 * its own rules.  What comes back is a stranger's word. */
#pragma once

#include <stdbool.h>

#include "psv/inside_run.h"

struct conf;
struct err;
struct strbuf;

/* ask: runs a command inside, which bounds its own time.  0; 1: it failed (said has its words); -errno. */
int ask(const struct inside_ref *ref, const char *const argv[], const char *input, struct strbuf *said, struct err *err);
/* ask_last_line: the last line, without what would act on a terminal; `otherwise` if there is none. */
const char *ask_last_line(struct strbuf *said, const char *otherwise);

/* The host, without brackets, and the port of an LDAP address. */
void ldap_split(const char *uri, char *ret_host, size_t size, unsigned *ret_port);
/* ldap_uses_tls: also by StartTLS. */
bool ldap_uses_tls(const struct conf *conf, const char *uri);

/* ldap_ask_bind: connects and binds as the configuration says.  0; 1: it cannot, and the words say why; -errno. */
int ldap_ask_bind(const struct conf *conf, const char *uri, const struct inside_ref *ref, struct err *ret_why);

struct ldap_tls {
	bool connected;     /* TCP */
	bool shaken;        /* TLS */
	bool verified;
	char why[128];      /* not verified, or not connected */
	char ends[32];      /* of the server's certificate: date; "": unknown */
	int days_left;      /* -1: over, or unknown */
};
/* ldap_ask_tls: how TLS goes with that server. */
int ldap_ask_tls(const struct conf *conf, const char *uri, const struct inside_ref *ref, struct ldap_tls *ret,
		 struct err *err);

/* AD_CLOCK_FAILS_SECONDS: Kerberos takes no ticket of a time that is so far off. */
enum { AD_CLOCK_FAILS_SECONDS = 300 };
/* ad_ask_info: what `net ads info` says of the controller that answers.  0; 1: none does (said has its words); -errno. */
int ad_ask_info(const struct inside_ref *ref, struct strbuf *said, struct err *err);
/* ad_clock: how far that controller's clock is ahead of this machine's.  false: it says nothing of it. */
bool ad_clock(const char *info, long *ret_seconds);

/* ldap_ask: searches below the base; one LDIF text.  server NULL: whichever answers.  0; 1: failed, with words; -errno. */
int ldap_ask(const struct conf *conf, const char *filter, const char *const attributes[], const struct inside_ref *ref,
	     struct strbuf *ret_ldif, struct err *ret_why);
/* ldap_filter_value: a value as it stands in a filter (RFC 4515). */
void ldap_filter_value(struct strbuf *sb, const char *value);
