/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "discover/soap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define DISCOVERY "http://schemas.xmlsoap.org/ws/2005/04/discovery"
#define ADDRESSING "http://schemas.xmlsoap.org/ws/2004/08/addressing"
#define TRANSFER "http://schemas.xmlsoap.org/ws/2004/09/transfer"
#define EXCHANGE "http://schemas.xmlsoap.org/ws/2004/09/mex"
#define PROFILE "http://schemas.xmlsoap.org/ws/2006/02/devprof"

/* ---- XML: as much of it as these messages have ---- */

enum { DEPTH_MAX = 16, ADDRESSES_TOLD = 8 };

enum element {
	EL_OTHER, EL_ENVELOPE, EL_HEADER, EL_BODY, EL_ACTION, EL_MESSAGE_ID, EL_PROBE, EL_TYPES, EL_SCOPES, EL_RESOLVE,
	EL_REFERENCE, EL_ADDRESS,
};

/* The action is a whole URI, so the rest is known by its local name, whatever its prefix. */
static const char *const element_names[] = {
	[EL_ENVELOPE] = "Envelope", [EL_HEADER] = "Header", [EL_BODY] = "Body", [EL_ACTION] = "Action",
	[EL_MESSAGE_ID] = "MessageID", [EL_PROBE] = "Probe", [EL_TYPES] = "Types", [EL_SCOPES] = "Scopes",
	[EL_RESOLVE] = "Resolve", [EL_REFERENCE] = "EndpointReference", [EL_ADDRESS] = "Address",
};

struct slice {
	const char *s;
	size_t len;
};

static bool is(struct slice s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.s, text, s.len) == 0;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct slice trim(struct slice s)
{
	while (s.len && is_space(*s.s))
		s = (struct slice){ s.s + 1, s.len - 1 };
	while (s.len && is_space(s.s[s.len - 1]))
		s.len--;
	return s;
}

static struct slice local_part(struct slice name)
{
	const char *colon = memchr(name.s, ':', name.len);

	return colon ? (struct slice){ colon + 1, (size_t)(name.s + name.len - colon - 1) } : name;
}

static enum element element_of(struct slice name)
{
	name = local_part(name);
	for (size_t i = EL_ENVELOPE; i < sizeof(element_names) / sizeof(*element_names); i++)
		if (is(name, element_names[i]))
			return (enum element)i;
	return EL_OTHER;
}

struct reader {
	const char *p, *end;
	enum element stack[DEPTH_MAX];
	size_t depth;
	struct slice action, id, types, scopes, address;
};

/* stands_in: the open elements are these and no more. */
static bool stands_in(const struct reader *r, const enum element *path, size_t n)
{
	if (r->depth != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (r->stack[i] != path[i])
			return false;
	return true;
}
#define STANDS_IN(r, ...) stands_in(r, (const enum element[]){ __VA_ARGS__ }, \
				    sizeof((const enum element[]){ __VA_ARGS__ }) / sizeof(enum element))

static void take(struct reader *r, struct slice text)
{
	if (text.len == 0)
		return;
	if (STANDS_IN(r, EL_ENVELOPE, EL_HEADER, EL_ACTION))
		r->action = text;
	else if (STANDS_IN(r, EL_ENVELOPE, EL_HEADER, EL_MESSAGE_ID))
		r->id = text;
	else if (STANDS_IN(r, EL_ENVELOPE, EL_BODY, EL_PROBE, EL_TYPES))
		r->types = text;
	else if (STANDS_IN(r, EL_ENVELOPE, EL_BODY, EL_PROBE, EL_SCOPES))
		r->scopes = text;
	else if (STANDS_IN(r, EL_ENVELOPE, EL_BODY, EL_RESOLVE, EL_REFERENCE, EL_ADDRESS))
		r->address = text;
}

static bool starts(const struct reader *r, const char *with)
{
	size_t len = strlen(with);

	return (size_t)(r->end - r->p) >= len && memcmp(r->p, with, len) == 0;
}

/* skip_past: -EBADMSG: there is no such end. */
static int skip_past(struct reader *r, const char *end)
{
	size_t len = strlen(end);

	for (; (size_t)(r->end - r->p) >= len; r->p++) {
		if (memcmp(r->p, end, len) == 0) {
			r->p += len;
			return 0;
		}
	}
	return -EBADMSG;
}

/* skip_attributes: to behind the tag's end.  Values stand in quotes, in which a tag cannot begin or end. */
static int skip_attributes(struct reader *r, bool *ret_empty)
{
	char quote = '\0', before = '\0';

	for (; r->p < r->end; before = *r->p++) {
		char c = *r->p;

		if (c == '<')
			return -EBADMSG;
		if (quote) {
			quote = c == quote ? '\0' : quote;
			continue;
		}
		if (c == '"' || c == '\'')
			quote = c;
		if (c == '>') {
			*ret_empty = before == '/';
			r->p++;
			return 0;
		}
	}
	return -EBADMSG;
}

static struct slice tag_name(struct reader *r)
{
	struct slice s = { .s = r->p };

	while (r->p < r->end && !is_space(*r->p) && *r->p != '>' && *r->p != '/')
		r->p++;
	s.len = (size_t)(r->p - s.s);
	return s;
}

static int read_tag(struct reader *r)
{
	bool closing, empty;
	struct slice name;

	if (starts(r, "<?"))
		return skip_past(r, "?>");
	if (starts(r, "<!--"))
		return skip_past(r, "-->");
	if (starts(r, "<!")) /* a document type, which SOAP forbids, or CDATA, which nobody sends */
		return -EBADMSG;
	r->p++;
	closing = starts(r, "/");
	r->p += closing;
	name = tag_name(r);
	if (name.len == 0 || skip_attributes(r, &empty) < 0)
		return -EBADMSG;
	if (closing) {
		if (r->depth == 0 || r->stack[r->depth - 1] != element_of(name))
			return -EBADMSG;
		r->depth--;
		return 0;
	}
	if (empty)
		return 0;
	if (r->depth == DEPTH_MAX)
		return -EBADMSG;
	r->stack[r->depth++] = element_of(name);
	return 0;
}

static int read_all(struct reader *r)
{
	while (r->p < r->end) {
		struct slice text = { .s = r->p };

		if (*r->p == '<') {
			if (read_tag(r) < 0)
				return -EBADMSG;
			continue;
		}
		while (r->p < r->end && *r->p != '<')
			r->p++;
		text.len = (size_t)(r->p - text.s);
		take(r, trim(text));
	}
	return r->depth ? -EBADMSG : 0;
}

/* ---- the requests ---- */

/* What is repeated in an answer, or compared: without anything that XML would have to escape. */
static bool is_plain(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.s[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-._:/", c)) || !c)
			return false;
	}
	return s.len > 0 && s.len <= SOAP_ID_MAX;
}

/* all_ours: of types that must all be there, those that a file server is. */
static bool all_ours(struct slice types)
{
	while (types.len) {
		struct slice one = types;

		one.len = 0;
		while (one.len < types.len && !is_space(types.s[one.len]))
			one.len++;
		if (!is(local_part(one), "Device") && !is(local_part(one), "Computer"))
			return false;
		types = trim((struct slice){ types.s + one.len, types.len - one.len });
	}
	return true;
}

static enum soap_kind kind_of(struct slice action)
{
	if (is(action, DISCOVERY "/Probe"))
		return SOAP_PROBE;
	if (is(action, DISCOVERY "/Resolve"))
		return SOAP_RESOLVE;
	return is(action, TRANSFER "/Get") ? SOAP_GET : SOAP_OTHER;
}

int soap_parse(const char *xml, size_t len, struct soap_request *ret)
{
	static const char mark[] = "\xef\xbb\xbf";
	struct reader r = { .p = xml, .end = xml + len };

	if (starts(&r, mark))
		r.p += strlen(mark);
	if (read_all(&r) < 0 || !is_plain(r.id))
		return -EBADMSG;
	memset(ret, 0, sizeof(*ret));
	ret->kind = kind_of(r.action);
	memcpy(ret->id, r.id.s, r.id.len);
	if (is_plain(r.address))
		memcpy(ret->address, r.address.s, r.address.len);
	ret->for_us = r.scopes.len == 0 && all_ours(r.types);
	return 0;
}

/* ---- what we say ---- */

static void add_escaped(struct text *t, const char *s)
{
	for (; *s; s++) {
		if (*s == '&')
			text_add(t, "&amp;");
		else if (*s == '<')
			text_add(t, "&lt;");
		else if (*s == '>')
			text_add(t, "&gt;");
		else if ((unsigned char)*s >= ' ')
			text_add_n(t, s, 1);
	}
}

static void add_number(struct text *t, const char *before, uint64_t v, const char *after)
{
	text_add(t, before);
	text_u64(t, v);
	text_add(t, after);
}

static void add_reference(struct text *t, const char *uuid)
{
	text_add(t, "<wsa:EndpointReference><wsa:Address>urn:uuid:");
	text_add(t, uuid);
	text_add(t, "</wsa:Address></wsa:EndpointReference>");
}

static void add_address(struct text *t, const struct site *s, const struct ipaddr *a)
{
	char buf[INET6_ADDRSTRLEN] = "";

	(void)inet_ntop(a->family, a->bytes, buf, sizeof(buf));
	text_add(t, a->family == AF_INET6 ? " http://[" : " http://");
	text_add(t, buf);
	text_add(t, a->family == AF_INET6 ? "]:" : ":");
	add_number(t, "", SOAP_HTTP_PORT, "/");
	text_add(t, s->uuid);
	text_add(t, "/");
}

static void add_target(struct text *t, const struct soap_answer_of *a)
{
	const struct site *s = a->site;
	unsigned told = 0;

	add_reference(t, s->uuid);
	if (a->what == SOAP_BYE)
		return;
	text_add(t, "<wsd:Types>wsdp:Device pub:Computer</wsd:Types><wsd:XAddrs>");
	for (size_t i = 0; i < s->n_addresses; i++)
		if (s->addresses[i].ifindex == a->ifindex && s->addresses[i].addr.family == a->family &&
		    told++ < ADDRESSES_TOLD)
			add_address(t, s, &s->addresses[i].addr);
	text_add(t, "</wsd:XAddrs><wsd:MetadataVersion>1</wsd:MetadataVersion>");
}

static void add_section(struct text *t, const char *dialect)
{
	text_add(t, "<wsx:MetadataSection Dialect=\"" PROFILE "/");
	text_add(t, dialect);
	text_add(t, "\">");
}

static void add_metadata(struct text *t, const struct site *s)
{
	text_add(t, "<wsx:Metadata>");
	add_section(t, "ThisDevice");
	text_add(t, "<wsdp:ThisDevice><wsdp:FriendlyName>");
	add_escaped(t, s->netbios);
	text_add(t, "</wsdp:FriendlyName><wsdp:FirmwareVersion>1.0</wsdp:FirmwareVersion><wsdp:SerialNumber>1</wsdp:SerialNumber>"
		    "</wsdp:ThisDevice></wsx:MetadataSection>");
	add_section(t, "ThisModel");
	text_add(t, "<wsdp:ThisModel><wsdp:Manufacturer>vnas</wsdp:Manufacturer><wsdp:ModelName>vnas</wsdp:ModelName>"
		    "<pnpx:DeviceCategory>Computers</pnpx:DeviceCategory></wsdp:ThisModel></wsx:MetadataSection>");
	add_section(t, "Relationship");
	text_add(t, "<wsdp:Relationship Type=\"" PROFILE "/host\"><wsdp:Host>");
	add_reference(t, s->uuid);
	text_add(t, "<wsdp:Types>pub:Computer</wsdp:Types><wsdp:ServiceId>urn:uuid:");
	text_add(t, s->uuid);
	text_add(t, "</wsdp:ServiceId><pub:Computer>");
	add_escaped(t, s->netbios);
	text_add(t, s->member ? "/Domain:" : "/Workgroup:");
	add_escaped(t, s->group);
	text_add(t, "</pub:Computer></wsdp:Host></wsdp:Relationship></wsx:MetadataSection></wsx:Metadata>");
}

static const struct {
	const char *action, *to, *open, *close;
} answers[] = {
	[SOAP_HELLO] = { DISCOVERY "/Hello", "urn:schemas-xmlsoap-org:ws:2005:04:discovery", "<wsd:Hello>", "</wsd:Hello>" },
	[SOAP_BYE] = { DISCOVERY "/Bye", "urn:schemas-xmlsoap-org:ws:2005:04:discovery", "<wsd:Bye>", "</wsd:Bye>" },
	[SOAP_PROBE_MATCHES] = { DISCOVERY "/ProbeMatches", ADDRESSING "/role/anonymous", "<wsd:ProbeMatches><wsd:ProbeMatch>",
				 "</wsd:ProbeMatch></wsd:ProbeMatches>" },
	[SOAP_RESOLVE_MATCHES] = { DISCOVERY "/ResolveMatches", ADDRESSING "/role/anonymous",
				   "<wsd:ResolveMatches><wsd:ResolveMatch>", "</wsd:ResolveMatch></wsd:ResolveMatches>" },
	[SOAP_GET_RESPONSE] = { TRANSFER "/GetResponse", ADDRESSING "/role/anonymous", "", "" },
};

static void add_header(struct text *t, const struct soap_answer_of *a)
{
	text_add(t, "<soap:Header><wsa:To>");
	text_add(t, answers[a->what].to);
	text_add(t, "</wsa:To><wsa:Action>");
	text_add(t, answers[a->what].action);
	text_add(t, "</wsa:Action><wsa:MessageID>urn:uuid:");
	text_add(t, a->id);
	text_add(t, "</wsa:MessageID>");
	if (a->relates_to) {
		text_add(t, "<wsa:RelatesTo>");
		text_add(t, a->relates_to);
		text_add(t, "</wsa:RelatesTo>");
	}
	if (a->what != SOAP_GET_RESPONSE) {
		add_number(t, "<wsd:AppSequence InstanceId=\"", a->instance, "\" ");
		add_number(t, "MessageNumber=\"", a->number, "\"/>");
	}
	text_add(t, "</soap:Header>");
}

bool soap_write(const struct soap_answer_of *a, struct text *t)
{
	text_add(t, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
		    "<soap:Envelope xmlns:soap=\"http://www.w3.org/2003/05/soap-envelope\" xmlns:wsa=\"" ADDRESSING "\" xmlns:wsd=\""
		    DISCOVERY "\" xmlns:wsx=\"" EXCHANGE "\" xmlns:wsdp=\"" PROFILE "\" "
		    "xmlns:pnpx=\"http://schemas.microsoft.com/windows/pnpx/2005/10\" "
		    "xmlns:pub=\"http://schemas.microsoft.com/windows/pub/2005/07\">");
	add_header(t, a);
	text_add(t, "<soap:Body>");
	text_add(t, answers[a->what].open);
	if (a->what == SOAP_GET_RESPONSE)
		add_metadata(t, a->site);
	else
		add_target(t, a);
	text_add(t, answers[a->what].close);
	text_add(t, "</soap:Body></soap:Envelope>\n");
	return t->len + 1 < t->size;
}
