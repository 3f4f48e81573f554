/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `vnas events --learn` proposes can stand in the configuration, whatever was refused. */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gate/gate.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "psv/event_learn.h"
#include "psv/psv.h"
#include "test.h"
#include "vsv/event_file.h"

static const char a_conf[] = "[server]\naddress = 192.0.2.11/24\naddress = 2001:db8::11/64\n[volume root]\nsize = 64M\n";
static const char b_conf[] = "[server]\naddress = 192.0.2.12/24\naddress = 2001:db8::12/64\npeer = psv\ndeny = 198.51.100.0/24\n"
			     "discovery = mdns\n[volume root]\nsize = 64M\n";

/* Refusals of b, and the line that each makes: NULL: none. */
static const struct {
	const char *kind, *address, *line;
} refused[] = {
	{ "bind", "192.0.2.200", "address = 192.0.2.200/24" },
	{ "bind", "2001:db8::200", "address = 2001:db8::200/64" },
	{ "bind", "203.0.113.5", "address = 203.0.113.5/32" },
	{ "bind", "2001:db8:9::5", "address = 2001:db8:9::5/128" },
	{ "bind", "192.0.2.11", NULL },          /* a's */
	{ "bind", "192.0.2.12", NULL },          /* its own */
	{ "bind", "192.0.2.0", NULL },           /* its network's */
	{ "bind", "2001:db8::", NULL },
	{ "bind", "0.0.0.0", NULL },
	{ "bind", "::", NULL },
	{ "bind", "::1", NULL },
	{ "bind", "127.0.0.1", NULL },           /* the Psv's */
	{ "bind", "fe80::1", NULL },
	{ "bind", "224.0.0.1", NULL },
	{ "bind", "255.255.255.255", NULL },
	{ "bind", "192.0.2.255", "discovery = netbios mdns" },
	{ "send", "192.0.2.255", "discovery = netbios mdns" },
	{ "bind", "224.0.0.251", NULL },         /* it is on */
	{ "send", "ff02::fb", NULL },
	{ "connect", "192.0.2.11", "peer = a" },
	{ "connect", "2001:db8::11", "peer = a" },
	{ "send", "192.0.2.11", "peer = a" },
	{ "ingress", "192.0.2.11", "peer = a" },
	{ "connect", "198.51.100.7", NULL },     /* denied */
	{ "connect", "127.0.0.1", NULL },        /* it has that peer */
	{ "connect", "203.0.113.9", NULL },
	{ "connect", "::ffff:192.0.2.11", NULL }, /* no such address is written */
	{ "bind", "192.0.2.200/24\\npeer = a", NULL },
	{ "bind", "x", NULL },
	{ "device", "", NULL },
	{ "call", "", NULL },
};

static void put(const char *folder, const char *name, const char *text)
{
	_cleanup_close_ int fd = dir_open(AT_FDCWD, folder);

	CHECK(fd >= 0);
	CHECK_INT(file_write_atomic_at(fd, name, text, strlen(text), 0600), 0);
}

static void open_psv(struct psv *psv)
{
	struct err err = { 0 };
	char path[PATH_MAX];

	if (geteuid() != 0)
		SKIP("needs root: only root makes the folders");
	CHECK_INT(setenv("VNAS_PREFIX", test_dir(), 1), 0);
	CHECK_INT(psv_open(psv, &err), 0);
	put(psv->etc, "a.conf", a_conf);
	put(psv->etc, "b.conf", b_conf);
	(void)snprintf(path, sizeof(path), "%s/servers", psv->lib);
	(void)mkdir(path, 0700);
	(void)snprintf(path, sizeof(path), "%s/servers/b", psv->lib);
	CHECK_INT(mkdir(path, 0700), 0);
}

static void put_event(const struct psv *psv, const char *kind, const char *address)
{
	char line[512], path[PATH_MAX];
	_cleanup_close_ int fd = -1;

	(void)snprintf(path, sizeof(path), "%s/servers/b", psv->lib);
	fd = dir_open(AT_FDCWD, path);
	CHECK(fd >= 0);
	(void)snprintf(line, sizeof(line), "{\"time\":\"2026-01-01T00:00:00Z\",\"server\":\"b\",\"event\":\"refused\",\"detail\":"
					   "\"%s %s by x[1] of user 0: EPERM\",\"kind\":\"%s\",\"count\":1,\"address\":\"%s\",\"port\":1,"
					   "\"protocol\":\"tcp\",\"process\":\"x\"}\n", kind, address, kind, address);
	CHECK_INT(event_file_add(fd, REFUSALS_FILE, REFUSALS_MAX_BYTES, line, strlen(line)), 0);
}

static json_t *learn(const struct psv *psv)
{
	struct err err = { 0 };
	json_t *list = NULL;
	int r = event_learn(psv, "b", NULL, &list, &err);

	if (r < 0)
		test_fail(__FILE__, __LINE__, err.text);
	return list;
}

/* line_of: of a row, "" where there is none. */
static const char *line_of(const json_t *o, char *buf, size_t size)
{
	const char *key = json_string_value(json_object_get(o, "key")), *value = json_string_value(json_object_get(o, "value"));

	CHECK((key != NULL) == (value != NULL) && json_string_value(json_object_get(o, "reason")));
	(void)snprintf(buf, size, "%s%s%s", key ? key : "", key ? " = " : "", value ? value : "");
	return buf;
}

static bool has_line(const json_t *list, const char *line)
{
	char buf[256];
	const json_t *o;
	size_t i;

	json_array_foreach(list, i, o)
		if (strcmp(line_of(o, buf, sizeof(buf)), line) == 0)
			return true;
	return false;
}

/* One by one: the line, and that the configuration takes it in place of what it replaces. */
TEST(event_learn_proposes_what_the_configuration_takes)
{
	char path[PATH_MAX], buf[256];
	struct psv psv;

	open_psv(&psv);
	(void)snprintf(path, sizeof(path), "%s/servers/b/" REFUSALS_FILE, psv.lib);
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		json_t *list;

		(void)unlink(path);
		put_event(&psv, refused[i].kind, refused[i].address);
		list = learn(&psv);
		CHECK_INT(json_array_size(list), 1);
		if (strcmp(line_of(json_array_get(list, 0), buf, sizeof(buf)), refused[i].line ? refused[i].line : "") != 0) {
			(void)fprintf(stderr, "    %s %s: '%s'\n", refused[i].kind, refused[i].address, buf);
			test_fail(__FILE__, __LINE__, "another line was wanted");
		}
		json_decref(list);
	}
	psv_close(&psv);
}

/* All of it together, and more addresses than a server can have. */
TEST(event_learn_proposes_what_can_stand_together)
{
	static const char rest[] = "[volume root]\nsize = 64M\n";
	_cleanup_strbuf_ struct strbuf text = { 0 };
	char address[64], buf[256];
	unsigned addresses = 0;
	struct err err = { 0 };
	struct psv psv;
	struct conf c;
	json_t *list, *o;
	size_t i;

	open_psv(&psv);
	for (i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		put_event(&psv, refused[i].kind, refused[i].address);
	put_event(&psv, "send", "239.255.255.250");
	for (unsigned n = 1; n < 300; n++) {
		(void)snprintf(address, sizeof(address), "203.0.%u.%u", n / 250, n % 250 + 1);
		put_event(&psv, "bind", address);
	}
	list = learn(&psv);
	CHECK(has_line(list, "discovery = yes") && has_line(list, "peer = a") && !has_line(list, "discovery = netbios mdns"));
	/* As a reader would put them in: what is there, but for discovery, and all lines. */
	strbuf_addstr(&text, "[server]\naddress = 192.0.2.12/24\naddress = 2001:db8::12/64\npeer = psv\ndeny = 198.51.100.0/24\n");
	json_array_foreach(list, i, o) {
		const char *line = line_of(o, buf, sizeof(buf));

		addresses += strncmp(line, "address = ", 10) == 0;
		strbuf_addf(&text, "%s\n", line);
	}
	strbuf_addstr(&text, rest);
	CHECK_INT(addresses, GATE_MAX_ADDRESSES - 2); /* it has two */
	if (conf_parse(strbuf_str(&text), text.len, "x", "b", &c, &err) < 0)
		test_fail(__FILE__, __LINE__, err.text);
	CHECK_INT(c.discovery, CONF_DISCOVERY_ALL);
	conf_free(&c);
	json_decref(list);
	psv_close(&psv);
}
