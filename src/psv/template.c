/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Templates: LIB/templates/NAME.erofs with NAME.json beside it.  A template exists when both do; the image comes
 * first.  template-build.c makes them. */
#include "psv/template.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/process.h"
#include "lib/str.h"
#include "psv/psv.h"
#include "psv/template-parts.h"
#include "service/service.h"

#define SOURCE_CACHE ".source"
#define PROGRAMS_CACHE ".programs"

enum { NAME_DIGITS = TEMPLATE_NAME_DIGITS, RESOLVE_MIN_DIGITS = 6, SOURCE_LINES = 16, PROGRAMS_LINES = 64 };

/* ---- What goes in ---- */

static int choose_extra(struct dpkg *d, const struct strlist *extra, struct err *err)
{
	for (size_t i = 0; extra && i < extra->n; i++) {
		int r = recipe_leaves_out(extra->v[i]) ?
				err_set(err, -EINVAL, "package %s is none that a template can have: it serves the installation of "
					"others, or is an interpreter", extra->v[i]) :
				dpkg_choose(d, extra->v[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

bool template_extra_str(const struct strlist *extra, char buf[TEMPLATE_EXTRA_MAX])
{
	_cleanup_strbuf_ struct strbuf text = { 0 };

	for (size_t i = 0; extra && i < extra->n; i++)
		strbuf_addf(&text, "%s%s", i ? " " : "", extra->v[i]);
	return str_copy(buf, TEMPLATE_EXTRA_MAX, strbuf_str(&text));
}

int template_choose(struct dpkg *d, const struct strlist *extra, struct err *err)
{
	for (const struct recipe_package *p = recipe_base; p->name; p++) {
		int r = p->optional && !dpkg_find(d, p->name) ? 0 : dpkg_choose(d, p->name, err);

		if (r < 0)
			return r;
	}
	for (size_t i = 0; services[i]; i++) {
		for (const char *const *name = services[i]->packages; name && *name; name++) {
			int r = services[i]->optional && !dpkg_find(d, *name) ? 0 : dpkg_choose(d, *name, err);

			if (r < 0)
				return err_wrap(err, r, "service %s", services[i]->name);
		}
	}
	return choose_extra(d, extra, err);
}

const char *const template_programs[] = { "vnas-init", "vnas-discover", NULL };

int template_program_path(const char *name, char *buf, size_t size, struct err *err)
{
	const char *dir = VNAS_LIBEXECDIR, *given = getenv("VNAS_PREFIX") ? getenv("VNAS_LIBEXEC") : NULL;

	if (given && *given)
		dir = given;
	if (!str_format(buf, size, "%s/%s", dir, name))
		return err_set(err, -ENAMETOOLONG, "the path of %s is too long", name);
	if (access(buf, R_OK) < 0) {
		(void)err_set(err, -errno, "cannot find %s: %m", buf);
		return err_hint(err, -ENOENT, "install vnas wholly");
	}
	return 0;
}

static int take_digits(const struct strbuf *out, char ret[NAME_DIGITS + 1], struct err *err)
{
	const char *s = strbuf_str(out);

	if (strspn(s, "0123456789abcdef") != NAME_DIGITS)
		return err_set(err, -EBADMSG, "sha256sum said '%.80s'", s);
	memcpy(ret, s, NAME_DIGITS);
	ret[NAME_DIGITS] = '\0';
	return 0;
}

static int sha256_text(const char *text, char ret[NAME_DIGITS + 1], struct err *err)
{
	const char *const argv[] = { "sha256sum", NULL };
	_cleanup_strbuf_ struct strbuf out = { 0 };
	int r = run(argv, &(struct run_opts){ .input = text, .out = &out }, err);

	return r < 0 ? r : take_digits(&out, ret, err);
}

int template_sha256(const char *path, char ret[NAME_DIGITS + 1], struct err *err)
{
	const char *const argv[] = { "sha256sum", "--", path, NULL };
	_cleanup_strbuf_ struct strbuf out = { 0 };
	int r = run(argv, &(struct run_opts){ .out = &out }, err);

	return r < 0 ? r : take_digits(&out, ret, err);
}

int template_fingerprint(const struct dpkg *d, char ret[NAME_DIGITS + 1], struct err *err)
{
	_cleanup_strbuf_ struct strbuf text = { 0 };

	strbuf_addf(&text, "recipe=%d\n", RECIPE_VERSION);
	for (size_t i = 0; template_programs[i]; i++) {
		char path[PATH_MAX], digits[NAME_DIGITS + 1];
		int r = template_program_path(template_programs[i], path, sizeof(path), err);

		if (r == 0)
			r = template_sha256(path, digits, err);
		if (r < 0)
			return r;
		strbuf_addf(&text, "%s=%s\n", template_programs[i], digits);
	}
	for (size_t i = 0; i < d->n; i++)
		if (d->packages[i].chosen)
			strbuf_addf(&text, "%s=%s\n", d->packages[i].name, d->packages[i].version);
	return sha256_text(strbuf_str(&text), ret, err);
}

/* ---- What was found out, kept until a file that it was found in changes ---- */

static void add_stat(struct strbuf *key, const char *path)
{
	struct stat st = { 0 };

	(void)stat(path, &st);
	strbuf_addf(key, " %llx:%llx:%lld:%lld.%09ld:%lld.%09ld", (unsigned long long)st.st_dev,
		    (unsigned long long)st.st_ino, (long long)st.st_size, (long long)st.st_mtim.tv_sec,
		    st.st_mtim.tv_nsec, (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
}

static int source_key(const struct strlist *extra, struct strbuf *ret, struct err *err)
{
	strbuf_addf(ret, "%d", RECIPE_VERSION);
	add_stat(ret, DPKG_ADMIN "/status");
	for (size_t i = 0; template_programs[i]; i++) {
		char path[PATH_MAX];
		int r = template_program_path(template_programs[i], path, sizeof(path), err);

		if (r < 0)
			return r;
		add_stat(ret, path);
	}
	for (const struct recipe_package *p = recipe_base; p->name; p++)
		strbuf_addf(ret, " %s", p->name);
	for (size_t i = 0; services[i]; i++)
		for (const char *const *name = services[i]->packages; name && *name; name++)
			strbuf_addf(ret, " %s", *name);
	for (size_t i = 0; extra && i < extra->n; i++)
		strbuf_addf(ret, " +%s", extra->v[i]);
	strbuf_addstr(ret, "\n");
	return 0;
}

/* The cache has a line "DIGITS KEY" for each of the last sets of packages that were asked for. */
static bool source_cached(const char *text, const struct strbuf *key, char ret[NAME_DIGITS + 1])
{
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		if (strcspn(line, "\n") < NAME_DIGITS + 1 || line[NAME_DIGITS] != ' ' ||
		    !str_starts(line + NAME_DIGITS + 1, key->buf))
			continue;
		memcpy(ret, line, NAME_DIGITS);
		ret[NAME_DIGITS] = '\0';
		return true;
	}
	return false;
}

/* cache_keep: line, which ends with its newline, before the newest of the old ones. */
static void cache_keep(int dir, const char *file, const char *old, unsigned max_lines, const char *line)
{
	_cleanup_strbuf_ struct strbuf text = { 0 };

	strbuf_addstr(&text, line);
	for (unsigned lines = 1; *old && lines < max_lines; lines++) {
		size_t n = strcspn(old, "\n");

		strbuf_addf(&text, "%.*s\n", (int)n, old);
		old += n + (old[n] == '\n');
	}
	(void)file_write_atomic_at(dir, file, text.buf, text.len, 0600); /* only a cache */
}

static void source_remember(int dir, const char *old, const struct strbuf *key, const char *digits)
{
	_cleanup_strbuf_ struct strbuf line = { 0 };

	strbuf_addf(&line, "%s %s", digits, key->buf);
	cache_keep(dir, SOURCE_CACHE, old, SOURCE_LINES, line.buf);
}

int template_folder(const struct psv *psv, struct err *err)
{
	char path[PATH_MAX];
	int fd;

	if (!str_format(path, sizeof(path), "%s/templates", psv->lib))
		return err_set(err, -ENAMETOOLONG, "the path of the templates is too long");
	fd = dir_open(AT_FDCWD, path);
	if (fd == -ENOENT) {
		int r = dir_make_path(path, 0700);

		if (r < 0)
			return err_set(err, r, "cannot make %s: %s", path, strerror(-r));
		fd = dir_open(AT_FDCWD, path);
	}
	if (fd < 0)
		return err_set(err, fd, "cannot open %s: %s", path, strerror(-fd));
	return fd;
}

int template_source(const struct psv *psv, const struct strlist *extra, char ret_source[65], struct err *err)
{
	_cleanup_strbuf_ struct strbuf key = { 0 };
	_cleanup_free_ char *cache = NULL;
	_cleanup_close_ int dir = -1;
	struct dpkg d;
	char digits[NAME_DIGITS + 1];
	int r = source_key(extra, &key, err);

	if (r < 0)
		return r;
	dir = template_folder(psv, err);
	if (dir < 0)
		return dir;
	if (file_read_at(dir, SOURCE_CACHE, TEMPLATE_META_MAX_BYTES, &cache, NULL) < 0)
		cache = xstrdup("");
	if (source_cached(cache, &key, ret_source))
		return 0;
	r = dpkg_read(&d, err);
	if (r < 0)
		return r;
	r = template_choose(&d, extra, err);
	if (r == 0)
		r = template_fingerprint(&d, digits, err);
	dpkg_free(&d);
	if (r < 0)
		return r;
	source_remember(dir, cache, &key, digits);
	memcpy(ret_source, digits, sizeof(digits));
	return 0;
}

/* has_program: what dpkg's files say, in some hundred of which is looked. */
static bool has_program(const struct strlist *extra, const char *path, bool *ret_known, char **ret_package)
{
	_cleanup_strlist_ struct strlist files = { 0 };
	const char *owner;
	bool has = true;
	struct dpkg d;

	*ret_known = false;
	/* What cannot be read is told by who makes the template. */
	if (dpkg_read(&d, NULL) < 0)
		return true;
	if (template_choose(&d, extra, NULL) == 0 && dpkg_files(&d, &files, NULL) == 0) {
		*ret_known = true;
		has = strlist_has(&files, path);
	}
	owner = has ? NULL : dpkg_owner(&d, path);
	if (owner)
		*ret_package = xstrdup(owner);
	dpkg_free(&d);
	return has;
}

bool template_misses(const struct psv *psv, const struct strlist *extra, const char *program, char **ret_package)
{
	char buf[PATH_MAX];
	const char *path = path_below_usr(program, buf, sizeof(buf));
	_cleanup_strbuf_ struct strbuf line = { 0 };
	_cleanup_free_ char *cache = NULL;
	_cleanup_close_ int dir = -1;
	bool has, known;

	*ret_package = NULL;
	if (!path)
		return false;
	/* A line of the cache is a path that is there, and the key.  What is missing is looked for each time. */
	strbuf_addf(&line, "%s ", path);
	if (!strchr(path, '\n') && source_key(extra, &line, NULL) == 0)
		dir = template_folder(psv, NULL);
	if (dir < 0 || file_read_at(dir, PROGRAMS_CACHE, TEMPLATE_META_MAX_BYTES, &cache, NULL) < 0)
		cache = xstrdup("");
	for (const char *at = cache; (at = strstr(at, line.buf)); at++)
		if (at == cache || at[-1] == '\n')
			return false;
	has = has_program(extra, path, &known, ret_package);
	if (has && known && dir >= 0)
		cache_keep(dir, PROGRAMS_CACHE, cache, PROGRAMS_LINES, line.buf);
	return !has;
}

/* ---- What there is ---- */

bool template_is_name(const char *s, size_t n)
{
	return strspn(s, "0123456789abcdef") >= n;
}

int template_read_meta(int dir, const char *name, struct template *ret)
{
	_cleanup_free_ char *text = NULL;
	char file[NAME_DIGITS + 8];
	const char *source;
	json_int_t created, created_ns;
	struct template t;
	struct stat st;
	json_t *o;
	size_t len;
	int r = 1;

	if (!str_format(file, sizeof(file), "%s.erofs", name) || fstatat(dir, file, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(st.st_mode) || !str_format(file, sizeof(file), "%s.json", name) ||
	    file_read_at(dir, file, TEMPLATE_META_MAX_BYTES, &text, &len) < 0)
		return 1;
	o = json_loadb(text, len, 0, NULL);
	if (o && json_unpack(o, "{s:s, s:I, s:I}", "source", &source, "created", &created, "created_ns", &created_ns) == 0 &&
	    str_copy(t.source, sizeof(t.source), source) && str_copy(t.name, sizeof(t.name), name)) {
		const char *extra = json_string_value(json_object_get(o, "extra"));

		(void)str_copy(t.extra, sizeof(t.extra), extra ? extra : ""); /* older ones have none */
		t.bytes = (uint64_t)st.st_size;
		t.created = created;
		t.created_ns = (uint32_t)created_ns;
		*ret = t;
		r = 0;
	}
	json_decref(o);
	return r;
}

static int newest_first(const void *a, const void *b)
{
	const struct template *x = a, *y = b;

	if (x->created != y->created)
		return x->created < y->created ? 1 : -1;
	if (x->created_ns != y->created_ns)
		return x->created_ns < y->created_ns ? 1 : -1;
	return strcmp(x->name, y->name);
}

int template_list_at(int dir, struct template **ret, size_t *ret_n, struct err *err)
{
	_cleanup_closedir_ DIR *d = NULL;
	struct template *list = NULL;
	struct dirent *e;
	size_t n = 0;
	int r = folder_list(dir, ".", &d);

	if (r < 0)
		return err_set(err, r, "cannot read the templates: %s", strerror(-r));
	while ((e = readdir(d))) {
		struct template t;

		if (!template_is_name(e->d_name, NAME_DIGITS) || strcmp(e->d_name + NAME_DIGITS, ".json") != 0)
			continue;
		e->d_name[NAME_DIGITS] = '\0';
		if (template_read_meta(dir, e->d_name, &t) != 0)
			continue;
		list = xrealloc(list, n + 1, sizeof(*list));
		list[n++] = t;
	}
	if (n)
		qsort(list, n, sizeof(*list), newest_first);
	*ret = list;
	*ret_n = n;
	return 0;
}

int template_list(const struct psv *psv, struct template **ret, size_t *ret_n, struct err *err)
{
	_cleanup_close_ int dir = template_folder(psv, err);

	return dir < 0 ? dir : template_list_at(dir, ret, ret_n, err);
}

int template_newest(const struct psv *psv, const struct strlist *extra, struct template *ret, struct err *err)
{
	_cleanup_free_ struct template *list = NULL;
	char wanted[TEMPLATE_EXTRA_MAX];
	size_t n;
	int r = template_list(psv, &list, &n, err);

	if (r < 0)
		return r;
	(void)template_extra_str(extra, wanted);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i].extra, wanted) != 0)
			continue;
		*ret = list[i];
		return 0;
	}
	return 1;
}

int template_resolve(const struct psv *psv, const char *given, char ret_name[65], struct err *err)
{
	_cleanup_free_ struct template *list = NULL;
	const struct template *found = NULL;
	size_t n, len = strlen(given);
	int r;

	if (len < RESOLVE_MIN_DIGITS || len > NAME_DIGITS || !template_is_name(given, len))
		return err_exit(err, VNAS_EXIT_USAGE, -EINVAL,
				"'%s' is no template: expected 6 to 64 digits of its name, 0-9 and a-f", given);
	r = template_list(psv, &list, &n, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (strncmp(list[i].name, given, len) != 0)
			continue;
		if (found)
			return err_exit(err, VNAS_EXIT_USAGE, -EINVAL, "several templates begin with '%s'", given);
		found = &list[i];
	}
	if (!found) {
		(void)err_set(err, -ENOENT, "there is no template '%s'", given);
		return err_hint(err, -ENOENT, "see vnas template list");
	}
	memcpy(ret_name, found->name, sizeof(found->name));
	return 0;
}

int template_remove_at(const struct psv *psv, int dir, const char *name, struct err *err)
{
	char file[NAME_DIGITS + 8];

	if (strlen(name) != NAME_DIGITS || !template_is_name(name, NAME_DIGITS))
		return err_set(err, -EINVAL, "'%s' is no template's name", name);
	(void)str_format(file, sizeof(file), "%s.json", name);
	if (faccessat(dir, file, F_OK, 0) < 0) {
		(void)err_set(err, -ENOENT, "there is no template '%s'", name);
		return err_hint(err, -ENOENT, "see vnas template list");
	}
	if (!template_let_go(psv, name))
		return err_exit(err, VNAS_EXIT_IN_USE, -EBUSY, "template %.12s is in use", name);
	/* The description first: an image alone is swept by the next build. */
	if (unlinkat(dir, file, 0) < 0)
		return err_set(err, -errno, "cannot remove %s: %m", file);
	(void)str_format(file, sizeof(file), "%s.erofs", name);
	if (unlinkat(dir, file, 0) < 0 && errno != ENOENT)
		return err_set(err, -errno, "cannot remove %s: %m", file);
	return 0;
}

int template_remove(const struct psv *psv, const char *name, struct err *err)
{
	_cleanup_close_ int dir = template_folder(psv, err);
	int r = dir < 0 ? dir : template_lock(dir, NULL, err);

	return r < 0 ? r : template_remove_at(psv, dir, name, err);
}
