/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "lib/str.h"

int ipaddr_parse(const char *s, struct ipaddr *ret)
{
	struct ipaddr a = { 0 };

	if (inet_pton(AF_INET, s, a.bytes) == 1) {
		a.family = AF_INET;
	} else if (inet_pton(AF_INET6, s, a.bytes) == 1) {
		struct in6_addr in6;

		memcpy(&in6, a.bytes, sizeof(in6));
		if (IN6_IS_ADDR_V4MAPPED(&in6))
			return -EINVAL;
		a.family = AF_INET6;
	} else {
		return -EINVAL;
	}
	*ret = a;
	return 0;
}

int ipaddr_parse_prefix(const char *s, struct ipaddr *ret, uint8_t *ret_prefix)
{
	const char *slash = strchr(s, '/');
	char host[IPADDR_STR_MAX];
	struct ipaddr a;
	uint32_t prefix;

	if (!slash || (size_t)(slash - s) >= sizeof(host))
		return -EINVAL;
	memcpy(host, s, (size_t)(slash - s));
	host[slash - s] = '\0';
	if (ipaddr_parse(host, &a) < 0 || parse_u32(slash + 1, (uint32_t)ipaddr_len(&a) * 8, &prefix) < 0)
		return -EINVAL;
	*ret = a;
	*ret_prefix = (uint8_t)prefix;
	return 0;
}

char *ipaddr_str(const struct ipaddr *a, char buf[IPADDR_STR_MAX])
{
	if (a->family == 0 || !inet_ntop(a->family, a->bytes, buf, IPADDR_STR_MAX))
		(void)str_copy(buf, IPADDR_STR_MAX, "none");
	return buf;
}

bool ipaddr_equal(const struct ipaddr *a, const struct ipaddr *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

size_t ipaddr_len(const struct ipaddr *a)
{
	return a->family == AF_INET ? 4 : 16;
}

static struct ipaddr fill_host_bits(const struct ipaddr *a, uint8_t prefix, bool ones)
{
	struct ipaddr r = *a;

	for (size_t bit = prefix; bit < ipaddr_len(a) * 8; bit++) {
		uint8_t mask = (uint8_t)(0x80 >> (bit % 8));

		if (ones)
			r.bytes[bit / 8] |= mask;
		else
			r.bytes[bit / 8] &= (uint8_t)~mask;
	}
	return r;
}

struct ipaddr ipaddr_network(const struct ipaddr *a, uint8_t prefix)
{
	return fill_host_bits(a, prefix, false);
}

struct ipaddr ipaddr_broadcast(const struct ipaddr *a, uint8_t prefix)
{
	return fill_host_bits(a, prefix, true);
}

bool ipaddr_in(const struct ipaddr *a, const struct ipaddr *net, uint8_t prefix)
{
	struct ipaddr x = ipaddr_network(a, prefix), y = ipaddr_network(net, prefix);

	return ipaddr_equal(&x, &y);
}

bool ipaddr_is_host(const struct ipaddr *a)
{
	static const struct ipaddr any4 = { .family = AF_INET }, any6 = { .family = AF_INET6 };
	const uint8_t *b = a->bytes;

	if (ipaddr_equal(a, &any4) || ipaddr_equal(a, &any6))
		return false;
	if (a->family == AF_INET)
		return b[0] != 0 && b[0] != 127 && b[0] < 224;
	if (b[0] == 0xff || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80))
		return false;
	/* ::1 and the rest of ::/64, which is reserved */
	for (size_t i = 0; i < 8; i++)
		if (b[i])
			return true;
	return false;
}
