/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "discover/http.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* next_line: without its end; NULL: it is not whole yet. */
static const char *next_line(const char **p, const char *end, size_t *ret_len)
{
	const char *line = *p, *nl = memchr(line, '\n', (size_t)(end - line));

	if (!nl)
		return NULL;
	*p = nl + 1;
	*ret_len = (size_t)(nl - line);
	if (*ret_len && line[*ret_len - 1] == '\r')
		--*ret_len;
	return line;
}

static int read_first(const char *line, size_t len, struct http_request *ret)
{
	static const char post[] = "POST ", get[] = "GET ", version[] = " HTTP/1.";
	size_t method = len > strlen(post) && memcmp(line, post, strlen(post)) == 0 ? strlen(post) :
			len > strlen(get) && memcmp(line, get, strlen(get)) == 0    ? strlen(get) : 0;
	const char *space;

	if (!method)
		return -EBADMSG;
	ret->post = method == strlen(post);
	ret->path = line + method;
	space = memchr(ret->path, ' ', len - method);
	if (!space || len - (size_t)(space - line) != strlen(version) + 1 || memcmp(space, version, strlen(version)) != 0)
		return -EBADMSG;
	ret->path_len = (size_t)(space - ret->path);
	return 0;
}

static int read_length(const char *p, size_t len, size_t *ret)
{
	size_t v = 0;

	while (len && (*p == ' ' || *p == '\t'))
		p++, len--;
	while (len && (p[len - 1] == ' ' || p[len - 1] == '\t'))
		len--;
	if (len == 0 || len > 5)
		return -EBADMSG;
	for (; len; p++, len--) {
		if (*p < '0' || *p > '9')
			return -EBADMSG;
		v = v * 10 + (size_t)(*p - '0');
	}
	*ret = v;
	return 0;
}

static bool is_field(const char *line, size_t len, const char *name)
{
	return len > strlen(name) && line[strlen(name)] == ':' && strncasecmp(line, name, strlen(name)) == 0;
}

static int read_field(const char *line, size_t len, bool *has_length, struct http_request *ret)
{
	static const char length[] = "Content-Length", coding[] = "Transfer-Encoding";

	if (is_field(line, len, coding))
		return -EOPNOTSUPP;
	if (!is_field(line, len, length))
		return 0;
	if (*has_length)
		return -EBADMSG;
	*has_length = true;
	return read_length(line + sizeof(length), len - sizeof(length), &ret->body_len);
}

int http_parse(const char *p, size_t len, struct http_request *ret)
{
	const char *end = p + len, *line;
	struct http_request q = { .body_len = 0 };
	bool has_length = false;
	size_t n;
	int r;

	line = next_line(&p, end, &n);
	if (!line)
		return 1;
	r = read_first(line, n, &q);
	while (r == 0 && (line = next_line(&p, end, &n)) && n)
		r = read_field(line, n, &has_length, &q);
	if (r < 0)
		return r;
	if (!line || (size_t)(end - p) < q.body_len)
		return 1;
	q.body = p;
	*ret = q;
	return 0;
}
