/* SPDX-License-Identifier: GPL-2.0-or-later */
/* show and edit. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/output.h"
#include "psv/change.h"
#include "psv/psv.h"

/* The canonical text as rows, so that JSON and text can never differ. */
static json_t *settings_json(char *text)
{
	json_t *list = json_array();
	char section[128] = "", *rest = NULL;

	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char *equal = strstr(line, " = ");

		if (*line == '[') {
			(void)str_format(section, sizeof(section), "%.*s", (int)strcspn(line + 1, "]"), line + 1);
			continue;
		}
		if (!equal)
			continue;
		json_array_append_new(list, json_pack("{s:s, s:s%, s:s}", "section", section, "key", line,
						      (size_t)(equal - line), "value", equal + 3));
	}
	return list;
}

int cmd_show(struct call *c, struct err *err)
{
	_cleanup_strbuf_ struct strbuf text = { 0 };
	struct conf conf = { 0 };
	json_t *list;
	char path[PATH_MAX];
	int r = conf_read(psv_conf_path(c->psv, c->name, path), c->name, &conf, err);

	if (r < 0)
		return r;
	conf_print(&conf, &text);
	conf_free(&conf);
	if (!c->json)
		return fputs(strbuf_str(&text), stdout) == EOF || fflush(stdout) == EOF ? -EIO : 0;
	list = json_array();
	json_array_append_new(list, json_pack("{s:s, s:o}", "name", c->name, "settings", settings_json(text.buf)));
	return output_json("servers", list);
}

/* $VISUAL or $EDITOR may hold options; split at spaces, never given to a shell. */
static int run_editor(const char *path, struct err *err)
{
	_cleanup_strlist_ struct strlist argv = { 0 };
	const char *editor = getenv("VISUAL");
	int status;
	pid_t pid;

	if (!editor || !*editor)
		editor = getenv("EDITOR");
	strlist_split(&argv, editor && *editor ? editor : "vi", " \t");
	if (!argv.n)
		return err_set(err, -EINVAL, "$EDITOR names no program");
	strlist_add(&argv, path);
	pid = fork();
	if (pid < 0)
		return err_set(err, -errno, "cannot fork: %m");
	if (pid == 0) {
		(void)execvp(argv.v[0], argv.v);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_set(err, -errno, "cannot wait for %s: %m", argv.v[0]);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
		(void)err_set(err, -ENOENT, "cannot run the editor %s", argv.v[0]);
		return err_hint(err, -ENOENT, "set $EDITOR to one that is installed");
	}
	if (status)
		return err_set(err, -EIO, "the editor %s failed: nothing is changed", argv.v[0]);
	return 0;
}

static char *replace_edit(const char *text, void *arg, struct err *err)
{
	(void)text;
	(void)err;
	return xstrdup(arg);
}

int cmd_edit(struct call *c, struct err *err)
{
	_cleanup_strlist_ struct strlist restart = { 0 };
	struct change_opts opts = { .verb = "edit", .whole_text = true, .notice = call_notice, .ret_restart = &restart };
	_cleanup_free_ char *before = NULL, *after = NULL;
	char path[PATH_MAX], copy[PATH_MAX];
	int r, fd;

	r = file_read_at(AT_FDCWD, psv_conf_path(c->psv, c->name, path), CONF_MAX_BYTES, &before, NULL);
	if (r < 0)
		return err_set(err, r, "cannot read %s: %m", path);
	(void)str_format(copy, sizeof(copy), "%s/%s.conf.XXXXXX", c->psv->run, c->name);
	fd = mkostemp(copy, O_CLOEXEC);
	if (fd < 0)
		return err_set(err, -errno, "cannot make %s: %m", copy);
	r = fd_write_all(fd, before, strlen(before));
	(void)close(fd);
	if (r < 0)
		r = err_set(err, r, "cannot write %s: %m", copy);
	if (r == 0)
		r = run_editor(copy, err);
	if (r == 0) {
		r = file_read_at(AT_FDCWD, copy, CONF_MAX_BYTES, &after, NULL);
		if (r < 0)
			r = err_set(err, r, "cannot read %s: %m", copy);
	}
	if (r < 0) {
		(void)unlink(copy);
		return r;
	}
	r = server_change(c->psv, c->name, replace_edit, after, &opts, err);
	if (r < 0) {
		char hint[sizeof(err->hint)];

		(void)str_format(hint, sizeof(hint), "nothing is changed; what you wrote is kept in %s", copy);
		return err_hint(err, r, "%s", hint);
	}
	(void)unlink(copy);
	for (size_t i = 0; i < restart.n; i++) {
		_cleanup_free_ char *line = xasprintf("%s takes effect at the next restart", restart.v[i]);

		call_notice(line);
	}
	return 0;
}
