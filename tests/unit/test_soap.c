/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The requests of WS-Discovery as clients send them, what else may come, and the answers. */
#include <errno.h>
#include <sys/socket.h>

#include "discover/http.h"
#include "discover/soap.h"
#include "test.h"

#define HEAD(action, id)                                                                                           \
	"<?xml version=\"1.0\" encoding=\"utf-8\"?><soap:Envelope xmlns:soap=\"http://www.w3.org/2003/05/soap-envelope\">" \
	"<soap:Header><wsa:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</wsa:To><wsa:Action>" action               \
	"</wsa:Action><wsa:MessageID>" id "</wsa:MessageID></soap:Header><soap:Body>"
#define TAIL "</soap:Body></soap:Envelope>"
#define PROBE "http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe"
#define RESOLVE "http://schemas.xmlsoap.org/ws/2005/04/discovery/Resolve"
#define GET "http://schemas.xmlsoap.org/ws/2004/09/transfer/Get"

static int parse(const char *xml, struct soap_request *q)
{
	size_t len = strlen(xml);
	char *exact = malloc(len ? len : 1); /* so that a read beyond it shows */
	int r;

	CHECK(exact);
	memcpy(exact, xml, len);
	r = soap_parse(exact, len, q);
	free(exact);
	return r;
}

TEST(soap_requests)
{
	struct soap_request q;

	CHECK_INT(parse(HEAD(PROBE, "urn:uuid:1") "<wsd:Probe><wsd:Types>wsdp:Device</wsd:Types></wsd:Probe>" TAIL, &q), 0);
	CHECK_INT(q.kind, SOAP_PROBE);
	CHECK_STR(q.id, "urn:uuid:1");
	CHECK(q.for_us);
	CHECK_INT(parse(HEAD(PROBE, " urn:uuid:2\r\n") "<Probe>\n <d:Types>\n a:Computer  b:Device </d:Types></Probe>" TAIL, &q), 0);
	CHECK(q.for_us);
	CHECK_STR(q.id, "urn:uuid:2");
	CHECK_INT(parse(HEAD(PROBE, "a") "<wsd:Probe/>" TAIL, &q), 0);
	CHECK(q.for_us); /* it looks for everything */
	CHECK_INT(parse(HEAD(PROBE, "a") "<wsd:Probe><wsd:Types>wprt:PrintDeviceType</wsd:Types></wsd:Probe>" TAIL, &q), 0);
	CHECK(!q.for_us);
	CHECK_INT(parse(HEAD(PROBE, "a") "<wsd:Probe><wsd:Scopes>ldap:///x</wsd:Scopes></wsd:Probe>" TAIL, &q), 0);
	CHECK(!q.for_us);
	CHECK_INT(parse(HEAD(RESOLVE, "a") "<wsd:Resolve><wsa:EndpointReference><wsa:Address>urn:uuid:x</wsa:Address>"
					   "</wsa:EndpointReference></wsd:Resolve>" TAIL, &q), 0);
	CHECK_INT(q.kind, SOAP_RESOLVE);
	CHECK_STR(q.address, "urn:uuid:x");
	CHECK_INT(parse("\xef\xbb\xbf<!-- > -->" HEAD(GET, "a") TAIL, &q), 0);
	CHECK_INT(q.kind, SOAP_GET);
	CHECK_INT(parse(HEAD("http://schemas.xmlsoap.org/ws/2005/04/discovery/Hello", "a") TAIL, &q), 0);
	CHECK_INT(q.kind, SOAP_OTHER);
	/* What stands elsewhere is not meant. */
	CHECK_INT(parse("<Envelope><Header><MessageID>a</MessageID></Header><Body><Action>" PROBE "</Action></Body></Envelope>", &q), 0);
	CHECK_INT(q.kind, SOAP_OTHER);
}

TEST(soap_bad_requests)
{
	static const char *const bad[] = {
		"", "x", "<", "<a", "<a>", "</a>", "<a></b", "<a b=\"></a>", "<a b='<'></a>", "<!DOCTYPE a []><a/>",
		"<a><![CDATA[x]]></a>", "<?xml", "<!-- ", "<>", "</>", "< a/>",
		HEAD(PROBE, "") TAIL, HEAD(PROBE, "a&amp;b") TAIL, HEAD(PROBE, "a b") TAIL,
		HEAD(PROBE, "a") "<wsd:Probe></wsd:Body>",
		HEAD(PROBE, "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
			    "01234567890123456789012345678") TAIL,
		"<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a></a></a></a></a></a></a></a></a></a></a></a></a></a></a></a></a></a>",
	};
	struct soap_request q;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CHECK_INT(parse(bad[i], &q), -EBADMSG);
}

static bool has(const char *text, const char *part)
{
	return strstr(text, part) != NULL;
}

TEST(soap_answers)
{
	struct site s = { .host = "filesrv", .netbios = "FILESRV", .group = "R&D<>", .uuid = "00000000-0000-4000-8000-000000000001",
			  .n_addresses = 3 };
	struct soap_answer_of a = { .what = SOAP_RESOLVE_MATCHES, .site = &s, .ifindex = 7, .family = AF_INET6, .relates_to = "urn:uuid:q",
				    .id = "00000000-0000-4000-8000-000000000002", .instance = 5, .number = 6 };
	static const char *const addresses[] = { "192.0.2.11", "2001:db8::11", "2001:db8:1::5" };
	char buf[SOAP_SEND_MAX], small[100];
	struct text t = TEXT(buf), t_small = TEXT(small);
	struct soap_request q;

	for (size_t i = 0; i < 3; i++) {
		CHECK_INT(ipaddr_parse(addresses[i], &s.addresses[i].addr), 0);
		s.addresses[i].ifindex = i < 2 ? 7 : 8;
	}
	CHECK(soap_write(&a, &t));
	CHECK_INT(parse(buf, &q), 0);
	CHECK_STR(q.id, "urn:uuid:00000000-0000-4000-8000-000000000002");
	CHECK(has(buf, "<wsa:RelatesTo>urn:uuid:q</wsa:RelatesTo><wsd:AppSequence InstanceId=\"5\" MessageNumber=\"6\"/>"));
	CHECK(has(buf, "<wsd:XAddrs> http://[2001:db8::11]:5357/00000000-0000-4000-8000-000000000001/</wsd:XAddrs>"));
	a.family = AF_INET;
	a.what = SOAP_HELLO;
	a.relates_to = NULL;
	t.len = 0;
	CHECK(soap_write(&a, &t));
	CHECK(has(buf, "> http://192.0.2.11:5357/") && !has(buf, "RelatesTo") && has(buf, "discovery/Hello<"));
	a.what = SOAP_GET_RESPONSE;
	t.len = 0;
	CHECK(soap_write(&a, &t));
	CHECK(has(buf, "<pub:Computer>FILESRV/Workgroup:R&amp;D&lt;&gt;</pub:Computer>"));
	CHECK_INT(parse(buf, &q), 0);
	s.member = true;
	t.len = 0;
	CHECK(soap_write(&a, &t));
	CHECK(has(buf, "FILESRV/Domain:"));
	CHECK(!soap_write(&a, &t_small));
}

static int http(const char *text, struct http_request *q)
{
	size_t len = strlen(text);
	char *exact = malloc(len ? len : 1);
	int r;

	CHECK(exact);
	memcpy(exact, text, len);
	r = http_parse(exact, len, q);
	free(exact);
	return r;
}

TEST(soap_http)
{
	static const struct {
		const char *text;
		int result;
	} tries[] = {
		{ "", 1 }, { "POST", 1 }, { "POST /a HTTP/1.1\r\n", 1 }, { "POST /a HTTP/1.1\r\nA: b\r\n", 1 },
		{ "POST /a HTTP/1.1\r\nContent-Length: 2\r\n\r\nx", 1 },
		{ "POST /a HTTP/1.1\r\ncontent-length:2 \r\n\r\nxy", 0 }, { "POST /a HTTP/1.0\n\n", 0 },
		{ "GET / HTTP/1.1\r\n\r\n", 0 },
		{ "PUT / HTTP/1.1\r\n", -EBADMSG }, { "\n", -EBADMSG }, { "POST /\n", -EBADMSG }, { "POST / HTTP/2.0\r\n", -EBADMSG },
		{ "POST / HTTP/1.1x\r\n", -EBADMSG },
		{ "POST / HTTP/1.1\r\nContent-Length: -1\r\n", -EBADMSG }, { "POST / HTTP/1.1\r\nContent-Length: 123456\r\n", -EBADMSG },
		{ "POST / HTTP/1.1\r\nContent-Length:\r\n", -EBADMSG },
		{ "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n", -EBADMSG },
		{ "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n", -EOPNOTSUPP },
	};
	struct http_request q;

	for (size_t i = 0; i < sizeof(tries) / sizeof(*tries); i++)
		CHECK_INT(http(tries[i].text, &q), tries[i].result);
	{
		const char *text = "POST /abc/ HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nxyz";

		CHECK_INT(http_parse(text, strlen(text), &q), 0);
		CHECK(q.post && q.path_len == 5 && memcmp(q.path, "/abc/", 5) == 0 && q.body_len == 3 && memcmp(q.body, "xyz", 3) == 0);
	}
}
