/* SPDX-License-Identifier: GPL-2.0-or-later */
/* list, status, show. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/output.h"
#include "psv/psv.h"
#include "psv/running.h"

int cmd_list(struct call *c, struct err *err)
{
	static const struct column columns[] = {
		{ "name", "NAME", COL_TEXT },
		{ "state", "STATE", COL_TEXT },
		{ "hostname", "HOSTNAME", COL_TEXT },
		{ "addresses", "ADDRESSES", COL_LIST },
		{ "since", "SINCE", COL_TIME },
	};
	json_t *list = NULL;
	int r = status_list(c->psv, &list, err);

	return r < 0 ? r : output_list(c->json, "servers", list, columns, 5);
}

/* What stands on one line of the text form. */
static const struct column status_lines[] = {
	{ "state", "state", COL_TEXT },
	{ "since", "since", COL_TIME },
	{ "hostname", "host name", COL_TEXT },
	{ "stack", "stack", COL_TEXT },
	{ "interface", "interface", COL_TEXT },
	{ "link", "joined by", COL_TEXT },
	{ "host_interface", "port", COL_TEXT },
	{ "addresses", "addresses", COL_LIST },
	{ "generation", "generation", COL_NUMBER },
	{ "template", "template", COL_TEXT },
	{ "init_pid", "PID 1", COL_NUMBER },
	{ "supervisor_pid", "supervisor", COL_NUMBER },
	{ "cpu_seconds", "processor seconds", COL_NUMBER },
};

static const struct column volume_columns[] = {
	{ "name", "VOLUME", COL_TEXT }, { "mount", "MOUNT", COL_TEXT }, { "fs", "FS", COL_TEXT },
	{ "size", "SIZE", COL_SIZE },   { "used", "USED", COL_SIZE },   { "free", "FREE", COL_SIZE },
};

static const struct column service_columns[] = {
	{ "name", "SERVICE", COL_TEXT },          { "state", "STATE", COL_TEXT },
	{ "pid", "PID", COL_NUMBER },             { "uptime_seconds", "UPTIME", COL_NUMBER },
	{ "restarts", "RESTARTS", COL_NUMBER },   { "last_exit", "LAST EXIT", COL_TEXT },
};

/* limit_value: a number of bytes for the keys that count them, null is no limit, or the weight
 * idle. */
static char *limit_value(const char *key, const json_t *v, char buf[32])
{
	static const char *const bytes[] = { "memory", "memory_reserve", "disk_read", "disk_write" };

	if (json_is_real(v))
		(void)snprintf(buf, 32, "%.2f processors", json_real_value(v));
	else if (json_is_null(v))
		(void)snprintf(buf, 32, "%s", strstr(key, "weight") ? "idle" : "none");
	else
		(void)snprintf(buf, 32, "%lld", (long long)json_integer_value(v));
	for (size_t i = 0; i < sizeof(bytes) / sizeof(*bytes); i++)
		if (strcmp(key, bytes[i]) == 0 && json_is_integer(v))
			(void)size_human((uint64_t)json_integer_value(v), buf, 32);
	return buf;
}

static void print_limits(const json_t *limits)
{
	static const char *const names[] = { "max", "weight", "reserved", "list" };
	const char *key;
	json_t *l;

	json_object_foreach((json_t *)(uintptr_t)limits, key, l) {
		bool disk = strncmp(key, "disk_", strlen("disk_")) == 0 && json_object_get(l, "max");
		char label[32], buf[32];
		const json_t *v = NULL;

		(void)snprintf(label, sizeof(label), "%s", key);
		for (char *c = label; *c; c++)
			*c = *c == '_' ? ' ' : *c;
		(void)printf("%-18s ", label);
		if (json_object_get(l, "used"))
			(void)printf("%s of ", limit_value(key, json_object_get(l, "used"), buf));
		for (size_t i = 0; i < sizeof(names) / sizeof(*names) && !v; i++)
			v = json_object_get(l, names[i]);
		(void)printf("%s%s%s\n", json_is_string(v) ? json_string_value(v) : limit_value(key, v, buf), disk ? " a second, each volume" : "",
			     json_is_true(json_object_get(l, "enforced")) ? "" : " (not enforced here)");
	}
}

static void print_refused(const json_t *refused)
{
	const char *kind;
	json_t *n;

	(void)printf("%-18s", "refused");
	json_object_foreach((json_t *)(uintptr_t)refused, kind, n)
		(void)printf(" %s %" JSON_INTEGER_FORMAT, kind, json_integer_value(n));
	(void)putchar('\n');
}

static void print_smb(const json_t *smb)
{
	(void)printf("%-18s from %s, %s, signing %s, encryption %s\n", "SMB",
		     json_string_value(json_object_get(smb, "min_protocol")), json_string_value(json_object_get(smb, "ntlm")),
		     json_string_value(json_object_get(smb, "signing")), json_string_value(json_object_get(smb, "encryption")));
}

static void print_nfs(const json_t *nfs)
{
	json_t *version;
	size_t i;

	(void)printf("%-18s", "NFS");
	json_array_foreach(json_object_get(nfs, "versions"), i, version)
		(void)printf(" %s", json_string_value(version));
	(void)printf(", lease %" JSON_INTEGER_FORMAT " s, grace %" JSON_INTEGER_FORMAT " s\n",
		     json_integer_value(json_object_get(nfs, "lease_s")), json_integer_value(json_object_get(nfs, "grace_s")));
}

/* print_lines: "degraded: …" or "warning: …" for each of a list. */
static void print_lines(const json_t *o, const char *key)
{
	const char *word = strcmp(key, "warnings") == 0 ? "warning" : key;
	json_t *line;
	size_t i;

	json_array_foreach(json_object_get(o, key), i, line)
		(void)printf("%s%s: %s\n", i ? "" : "\n", word, json_string_value(line));
}

static void print_one(json_t *o)
{
	json_t *part;

	(void)printf("%s\n", json_string_value(json_object_get(o, "name")));
	for (size_t i = 0; i < sizeof(status_lines) / sizeof(*status_lines); i++)
		output_line(o, &status_lines[i]);
	part = json_object_get(o, "limits");
	if (part)
		print_limits(part);
	part = json_object_get(o, "refused");
	if (part)
		print_refused(part);
	part = json_object_get(o, "smb");
	if (part)
		print_smb(part);
	part = json_object_get(o, "nfs");
	if (part)
		print_nfs(part);
	part = json_object_get(o, "volumes");
	if (json_array_size(part)) {
		(void)putchar('\n');
		(void)output_list(false, "volumes", json_incref(part), volume_columns, 6);
	}
	part = json_object_get(o, "services");
	if (json_array_size(part)) {
		(void)putchar('\n');
		(void)output_list(false, "services", json_incref(part), service_columns, 6);
	}
	print_lines(o, "degraded");
	print_lines(o, "warnings");
}

static int collect(struct call *c, json_t *list, struct err *err)
{
	_cleanup_strlist_ struct strlist names = { 0 };
	int r = 0;

	if (c->words.n) {
		r = conf_name_check(c->words.v[0], err);
		if (r == 0)
			r = psv_require(c->psv, c->words.v[0], err);
		if (r < 0)
			return err_wrap(err, r, "%s", c->words.v[0]);
		strlist_add(&names, c->words.v[0]);
	} else {
		r = psv_list(c->psv, &names, err);
	}
	for (size_t i = 0; r == 0 && i < names.n; i++) {
		json_t *o = NULL;

		r = status_full(c->psv, names.v[i], &o, err);
		if (r == 0)
			json_array_append_new(list, o);
	}
	return r;
}

int cmd_status(struct call *c, struct err *err)
{
	json_t *list = json_array(), *o;
	size_t i;
	int r = collect(c, list, err);

	if (r < 0) {
		json_decref(list);
		return r;
	}
	/* As init scripts have it: the status of one tells whether it runs, however well. */
	if (c->words.n && !json_object_get(json_array_get(list, 0), "degraded"))
		r = VNAS_EXIT_NOT_RUNNING;
	if (c->json)
		return output_json("servers", list) < 0 ? -EIO : r;
	json_array_foreach(list, i, o) {
		if (i)
			(void)putchar('\n');
		print_one(o);
	}
	json_decref(list);
	return fflush(stdout) == EOF ? -EIO : r;
}
