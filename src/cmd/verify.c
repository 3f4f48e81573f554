/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verify. */
#include "verify/report.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "lib/err.h"
#include "lib/output.h"
#include "psv/conf.h"

enum { SERVERS_A_TABLE = 8 };

static const struct column probe_columns[] = {
	{ "probe", "PROBE", COL_TEXT },       { "server", "SERVER", COL_TEXT }, { "against", "AGAINST", COL_TEXT },
	{ "expected", "EXPECTED", COL_TEXT }, { "answer", "ANSWER", COL_TEXT }, { "verdict", "VERDICT", COL_TEXT },
};

static const struct column list_columns[] = {
	{ "probe", "PROBE", COL_TEXT },       { "row", "ROW", COL_TEXT },         { "from", "FROM", COL_TEXT },
	{ "expected", "EXPECTED", COL_TEXT }, { "control", "CONTROL", COL_TEXT },
};

#define N(a) (sizeof(a) / sizeof(*(a)))

/* server_names: in the order in which they were asked. */
static void server_names(const json_t *probes, struct strlist *ret)
{
	json_t *p;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)probes, i, p) {
		const char *name = json_string_value(json_object_get(p, "server"));

		if (ret->n == 0 || strcmp(ret->v[ret->n - 1], name) != 0)
			strlist_add(ret, name);
	}
}

static int print_matrix(const json_t *probes)
{
	_cleanup_strlist_ struct strlist servers = { 0 };
	int r = 0;

	server_names(probes, &servers);
	for (size_t i = 0; r == 0 && i < servers.n; i += SERVERS_A_TABLE) {
		struct column columns[SERVERS_A_TABLE + 1] = { { "row", "ROW", COL_TEXT } };
		size_t n = 1;

		for (size_t k = i; k < servers.n && k < i + SERVERS_A_TABLE; k++)
			columns[n++] = (struct column){ servers.v[k], servers.v[k], COL_TEXT };
		if (i)
			(void)putchar('\n');
		r = output_list(false, "rows", verify_matrix(probes), columns, n);
	}
	return r;
}

/* print_rest: what a reader must look at: everything that is not simply refused. */
static int print_rest(const json_t *probes)
{
	json_t *rest = json_array(), *p;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)probes, i, p) {
		const char *verdict = json_string_value(json_object_get(p, "verdict"));

		if (strcmp(verdict, "refused") != 0 && strcmp(verdict, "control") != 0)
			(void)json_array_append(rest, p);
	}
	if (json_array_size(rest))
		(void)putchar('\n');
	return output_list(false, "probes", rest, probe_columns, N(probe_columns));
}

static int print_all(const json_t *probes, const struct verify_sum *sum)
{
	int r = print_matrix(probes);

	if (r == 0)
		r = print_rest(probes);
	(void)putchar('\n');
	for (int i = 0; i < VERDICTS; i++)
		(void)printf("%s%zu %s", i ? ", " : "", sum->n[i], verdict_names[i]);
	(void)putchar('\n');
	return r < 0 || fflush(stdout) == EOF ? -EIO : 0;
}

/* What a checked report says of itself; its text is the signer's. */
static const struct column report_lines[] = {
	{ "date", "date", COL_TEXT },       { "host", "host", COL_TEXT },       { "kernel", "kernel", COL_TEXT },
	{ "version", "vnas", COL_TEXT },    { "number", "number", COL_NUMBER }, { "previous_sha256", "the one before", COL_TEXT },
	{ "exit_status", "exit status", COL_NUMBER },
};

static int check(const struct call *c, const char *path, struct err *err)
{
	const char *key = call_option(c, "key"), *name;
	json_t *report = NULL, *n;
	int r;

	if (!key || c->words.n)
		return usage_error(c, err, "--check FILE needs --key PUB and nothing else");
	r = report_check(path, key, &report, err);
	if (r < 0)
		return r;
	if (c->json) {
		r = output_json("report", report);
		return r;
	}
	(void)printf("%s: the signature is good\n", path);
	for (size_t i = 0; i < N(report_lines); i++)
		output_line(report, &report_lines[i]);
	json_object_foreach(json_object_get(report, "sum"), name, n) {
		(void)printf("%-18s ", "");
		output_safe(stdout, name);
		(void)printf(" %" JSON_INTEGER_FORMAT "\n", json_integer_value(n));
	}
	json_decref(report);
	return fflush(stdout) == EOF ? -EIO : 0;
}

static int print_key(const struct call *c, struct err *err)
{
	char path[PATH_MAX];
	int r = report_key(c->psv, path, sizeof(path), err);

	if (r == 0 && puts(path) == EOF)
		r = -EIO;
	return r;
}

int cmd_verify(struct call *c, struct err *err)
{
	const char *report = call_option(c, "report"), *to_check = call_option(c, "check");
	struct verify_sum sum = { 0 };
	json_t *probes = NULL;
	int r;

	/* An auditor has no rights on the machine, and may sit at another one. */
	if (to_check)
		return check(c, to_check, err);
	if (call_option(c, "key"))
		return usage_error(c, err, "--key belongs to --check");
	if (call_flag(c, "dry-run"))
		return output_list(c->json, "probes", verify_list(), list_columns, N(list_columns));
	if (geteuid() != 0)
		return err_exit(err, VNAS_EXIT_NOT_PERMITTED, -EPERM, "this needs root's rights");
	if (call_flag(c, "public-key"))
		return print_key(c, err);
	for (size_t i = 0; i < c->words.n; i++) {
		r = conf_name_check(c->words.v[i], err);
		if (r < 0)
			return r;
	}
	r = verify_run(c->psv, &c->words, &probes, &sum, err);
	if (r == 0 && report)
		r = report_write(c->psv, report, VNAS_VERSION, probes, &sum, err);
	if (r < 0) {
		json_decref(probes);
		return r;
	}
	if (c->json) {
		r = output_json("probes", probes);
	} else {
		r = print_all(probes, &sum);
		json_decref(probes);
	}
	return r < 0 ? r : verify_exit(&sum);
}
