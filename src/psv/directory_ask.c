/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psv/directory_ask.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "directory/directory.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/printable.h"
#include "lib/str.h"
#include "psv/conf.h"
#include "service/samba.h"

enum { PORT_LDAP = 389, PORT_LDAPS = 636, DAY_SECONDS = 86400 };

#define SECONDS_OF_ONE "5" /* question, as an option */

int ask(const struct inside_ref *ref, const char *const argv[], const char *input, struct strbuf *said, struct err *err)
{
	int r = inside_run(ref, argv, input, said, err);

	return r > 0 ? 1 : r;
}

const char *ask_last_line(struct strbuf *said, const char *otherwise)
{
	char *line;

	while (said->len > 0 && isspace((unsigned char)said->buf[said->len - 1]))
		said->buf[--said->len] = '\0';
	if (said->len == 0)
		return otherwise;
	line = strrchr(said->buf, '\n');
	line = line ? line + 1 : said->buf;
	printable_clean(line);
	return line;
}

void ldap_split(const char *uri, char *ret_host, size_t size, unsigned *ret_port)
{
	const char *host = strstr(uri, "://") + 3, *end, *rest;
	uint32_t port;

	*ret_port = str_starts(uri, "ldaps:") ? PORT_LDAPS : PORT_LDAP;
	if (*host == '[') {
		end = strchr(++host, ']');
		rest = end + 1;
	} else {
		rest = end = host + strcspn(host, ":");
	}
	(void)str_format(ret_host, size, "%.*s", (int)(end - host), host);
	if (*rest == ':' && parse_u32(rest + 1, 65535, &port) == 0)
		*ret_port = port;
}

bool ldap_uses_tls(const struct conf *conf, const char *uri)
{
	return conf->directory.starttls || str_starts(uri, "ldaps:");
}

/* Words of the LDAP library, with what an administrator can do with them. */
static const struct {
	const char *said, *meaning;
} ldap_words[] = {
	{ "Invalid credentials", "it does not accept 'bind dn' with the password of 'secret file'" },
	{ "Can't contact LDAP server", "it cannot be reached, or its certificate is not accepted" },
	{ "Confidentiality required", "it wants TLS: set starttls = yes, or ldaps://" },
	{ "Inappropriate authentication", "it accepts no such logon: set 'bind dn' and 'secret file'" },
	{ "Connect error", "TLS fails: its certificate is not accepted" },
	{ "No such object", "it has no entry 'base'" },
};

static int ldap_failed(struct strbuf *said, const char *uri, struct err *ret_why)
{
	const char *text = strbuf_str(said), *words = NULL;

	for (size_t i = 0; !words && i < sizeof(ldap_words) / sizeof(*ldap_words); i++)
		if (strstr(text, ldap_words[i].said))
			words = ldap_words[i].meaning;
	if (!words)
		words = ask_last_line(said, "it does not answer");
	(void)err_set(ret_why, -EIO, "%s: %.300s", uri, words);
	return 1;
}

/* add_client: the words that all of the LDAP client's programs take. */
static size_t add_client(const struct conf *conf, const char *program, const char *uri, const char **argv)
{
	const struct conf_directory *d = &conf->directory;
	size_t n = 0;

	argv[n++] = "env";
	argv[n++] = "LDAPCONF=" DIRECTORY_LDAP_CONF;
	argv[n++] = program;
	argv[n++] = "-x";
	if (d->bind_dn) {
		argv[n++] = "-D";
		argv[n++] = d->bind_dn;
		argv[n++] = "-y";
		argv[n++] = DIRECTORY_SECRET;
	}
	argv[n++] = "-o";
	argv[n++] = "nettimeout=3";
	argv[n++] = "-H";
	argv[n++] = uri;
	if (d->starttls && str_starts(uri, "ldap:"))
		argv[n++] = "-ZZ";
	return n;
}

int ldap_ask_bind(const struct conf *conf, const char *uri, const struct inside_ref *ref, struct err *ret_why)
{
	const char *argv[32] = { "timeout", SECONDS_OF_ONE };
	_cleanup_strbuf_ struct strbuf said = { 0 };
	int r;

	(void)add_client(conf, "ldapwhoami", uri, argv + 2);
	r = ask(ref, argv, NULL, &said, ret_why);
	return r <= 0 ? r : ldap_failed(&said, uri, ret_why);
}

int ad_ask_info(const struct inside_ref *ref, struct strbuf *said, struct err *err)
{
	static const char *const argv[] = { "timeout", "14", "net", "ads", "info", "--configfile=" SAMBA_CONF_INSIDE, NULL };

	return ask(ref, argv, NULL, said, err);
}

bool ad_clock(const char *info, long *ret_seconds)
{
	static const char key[] = "Server time offset: ";
	const char *p = strstr(info, key);
	char *end;
	long seconds;

	if (!p)
		return false;
	p += strlen(key);
	seconds = strtol(p, &end, 10);
	if (end == p)
		return false;
	*ret_seconds = seconds;
	return true;
}

int ldap_ask(const struct conf *conf, const char *filter, const char *const attributes[], const struct inside_ref *ref,
	     struct strbuf *ret_ldif, struct err *ret_why)
{
	const struct conf_directory *d = &conf->directory;
	int r = 1;

	for (size_t i = 0; r > 0 && i < d->uris.n; i++) {
		const char *argv[48];
		_cleanup_strbuf_ struct strbuf said = { 0 };
		size_t n = add_client(conf, "ldapsearch", d->uris.v[i], argv);

		argv[n++] = "-LLL";
		/* A server gives no more than some hundred at once otherwise. */
		argv[n++] = "-E";
		argv[n++] = "pr=1000/noprompt";
		argv[n++] = "-o";
		argv[n++] = "ldif_wrap=no";
		argv[n++] = "-b";
		argv[n++] = d->base;
		argv[n++] = filter;
		for (size_t a = 0; attributes[a] && n + 1 < sizeof(argv) / sizeof(*argv); a++)
			argv[n++] = attributes[a];
		argv[n] = NULL;
		r = ask(ref, argv, NULL, &said, ret_why);
		if (r > 0)
			r = ldap_failed(&said, d->uris.v[i], ret_why);
		else if (r == 0)
			strbuf_add(ret_ldif, strbuf_str(&said), said.len);
	}
	return r;
}

void ldap_filter_value(struct strbuf *sb, const char *value)
{
	for (; *value; value++) {
		if (strchr("*()\\", *value))
			strbuf_addf(sb, "\\%02x", (unsigned char)*value);
		else
			strbuf_add(sb, value, 1);
	}
}

/* ---- TLS ---- */

/* The word after `key` on its line. */
static bool find_words(const char *text, const char *key, char *buf, size_t size)
{
	const char *p = strstr(text, key);
	size_t n;

	if (!p)
		return false;
	p += strlen(key);
	n = strcspn(p, "\r\n");
	if (n >= size)
		n = size - 1;
	memcpy(buf, p, n);
	buf[n] = '\0';
	printable_clean(buf);
	return true;
}

/* read_end: when the server's certificate ends: openssl's own reading of the one that s_client showed. */
static int read_end(const struct inside_ref *ref, const char *shown, struct ldap_tls *tls, struct err *err)
{
	static const char *const argv[] = { "openssl", "x509", "-noout", "-enddate", "-dateopt", "iso_8601", NULL };
	_cleanup_strbuf_ struct strbuf said = { 0 };
	struct tm tm = { 0 };
	int64_t left;
	int r;

	if (!strstr(shown, "-----BEGIN CERTIFICATE-----"))
		return 0;
	r = ask(ref, argv, shown, &said, err);
	if (r != 0 || !find_words(strbuf_str(&said), "notAfter=", tls->ends, sizeof(tls->ends)))
		return r < 0 ? r : 0;
	if (!strptime(tls->ends, "%Y-%m-%d %H:%M:%S", &tm))
		return 0;
	left = (int64_t)timegm(&tm) - (int64_t)time(NULL);
	tls->days_left = left < 0 ? -1 : (int)(left / DAY_SECONDS);
	return 0;
}

int ldap_ask_tls(const struct conf *conf, const char *uri, const struct inside_ref *ref, struct ldap_tls *ret,
		 struct err *err)
{
	const char *argv[24] = { "timeout", SECONDS_OF_ONE, "openssl", "s_client", "-CAfile", DIRECTORY_CA, "-no-CApath",
				 "-no-CAstore", "-connect" };
	_cleanup_strbuf_ struct strbuf said = { 0 };
	struct ldap_tls tls = { .days_left = -1 };
	char host[256], to[280];
	struct ipaddr addr;
	unsigned port;
	size_t n = 9;
	int r;

	(void)conf;
	ldap_split(uri, host, sizeof(host), &port);
	(void)str_format(to, sizeof(to), strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
	argv[n++] = to;
	argv[n++] = ipaddr_parse(host, &addr) == 0 ? "-verify_ip" : "-verify_hostname";
	argv[n++] = host;
	if (str_starts(uri, "ldap:")) {
		argv[n++] = "-starttls";
		argv[n++] = "ldap";
	}
	r = ask(ref, argv, "", &said, err);
	if (r < 0)
		return r;
	tls.connected = strstr(strbuf_str(&said), "CONNECTED(") != NULL;
	tls.shaken = strstr(strbuf_str(&said), "-----BEGIN CERTIFICATE-----") != NULL;
	if (!find_words(strbuf_str(&said), "Verify return code: ", tls.why, sizeof(tls.why)))
		(void)str_copy(tls.why, sizeof(tls.why), tls.connected ? "it speaks no TLS" : "nobody answers there");
	tls.verified = tls.shaken && str_starts(tls.why, "0 (ok)");
	r = tls.shaken ? read_end(ref, strbuf_str(&said), &tls, err) : 0;
	if (r == 0)
		*ret = tls;
	return r;
}
