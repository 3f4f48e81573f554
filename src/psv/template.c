/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Templates: LIB/templates/NAME.erofs with NAME.json beside it.  A template exists when both do; the image comes first.
 * All is built in a folder .build-XXXXXX below, under the lock of LIB/templates; what a kill leaves there is swept by the
 * next build. */
#include "psv/template.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/process.h"
#include "lib/str.h"
#include "psv/psv.h"
#include "psv/template-parts.h"
#include "service/service.h"

/* The same bytes whoever builds it: the name is the content's. */
#define IMAGE_UUID "766e6173-0000-4000-8000-74656d706c74"
#define SOURCE_CACHE ".source"
#define BUILD_PREFIX ".build-"

enum { NAME_DIGITS = 64, RESOLVE_MIN_DIGITS = 6, META_MAX_BYTES = 1024 * 1024, DPKG_WAIT_MS = 120 * 1000 };

/* ---- What goes in ---- */

static int choose_packages(struct dpkg *d, struct err *err)
{
	for (const struct recipe_package *p = recipe_base; p->name; p++) {
		int r = p->optional && !dpkg_find(d, p->name) ? 0 : dpkg_choose(d, p->name, err);

		if (r < 0)
			return r;
	}
	for (size_t i = 0; services[i]; i++) {
		for (const char *const *name = services[i]->packages; name && *name; name++) {
			int r = dpkg_choose(d, *name, err);

			if (r < 0)
				return err_wrap(err, r, "service %s", services[i]->name);
		}
	}
	return 0;
}

int template_init_path(char *buf, size_t size, struct err *err)
{
	const char *dir = VNAS_LIBEXECDIR, *given = getenv("VNAS_PREFIX") ? getenv("VNAS_LIBEXEC") : NULL;

	if (given && *given)
		dir = given;
	if (!str_format(buf, size, "%s/vnas-init", dir))
		return err_set(err, -ENAMETOOLONG, "the path of vnas-init is too long");
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

static int sha256_file(const char *path, char ret[NAME_DIGITS + 1], struct err *err)
{
	const char *const argv[] = { "sha256sum", "--", path, NULL };
	_cleanup_strbuf_ struct strbuf out = { 0 };
	int r = run(argv, &(struct run_opts){ .out = &out }, err);

	return r < 0 ? r : take_digits(&out, ret, err);
}

static int fingerprint(const struct dpkg *d, const char *init_path, char ret[NAME_DIGITS + 1], struct err *err)
{
	_cleanup_strbuf_ struct strbuf text = { 0 };
	char init[NAME_DIGITS + 1];
	int r = sha256_file(init_path, init, err);

	if (r < 0)
		return r;
	strbuf_addf(&text, "recipe=%d\nvnas-init=%s\n", RECIPE_VERSION, init);
	for (size_t i = 0; i < d->n; i++)
		if (d->packages[i].chosen)
			strbuf_addf(&text, "%s=%s\n", d->packages[i].name, d->packages[i].version);
	return sha256_text(strbuf_str(&text), ret, err);
}

/* ---- The fingerprint, kept until a file that it was made from changes ---- */

static void add_stat(struct strbuf *key, const char *path)
{
	struct stat st = { 0 };

	(void)stat(path, &st);
	strbuf_addf(key, " %llx:%llx:%lld:%lld.%09ld:%lld.%09ld", (unsigned long long)st.st_dev,
		    (unsigned long long)st.st_ino, (long long)st.st_size, (long long)st.st_mtim.tv_sec,
		    st.st_mtim.tv_nsec, (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
}

static void source_key(const char *init_path, struct strbuf *ret)
{
	strbuf_addf(ret, "%d", RECIPE_VERSION);
	add_stat(ret, DPKG_ADMIN "/status");
	add_stat(ret, init_path);
	for (const struct recipe_package *p = recipe_base; p->name; p++)
		strbuf_addf(ret, " %s", p->name);
	for (size_t i = 0; services[i]; i++)
		for (const char *const *name = services[i]->packages; name && *name; name++)
			strbuf_addf(ret, " %s", *name);
	strbuf_addstr(ret, "\n");
}

static bool source_cached(int dir, const struct strbuf *key, char ret[NAME_DIGITS + 1])
{
	_cleanup_free_ char *text = NULL;
	size_t len;

	if (file_read_at(dir, SOURCE_CACHE, META_MAX_BYTES, &text, &len) < 0 || len != key->len + NAME_DIGITS ||
	    memcmp(text, key->buf, key->len) != 0)
		return false;
	memcpy(ret, text + key->len, NAME_DIGITS + 1);
	return true;
}

static int open_folder(const struct psv *psv, struct err *err)
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

int template_source(const struct psv *psv, char ret_source[65], struct err *err)
{
	_cleanup_strbuf_ struct strbuf key = { 0 };
	_cleanup_close_ int dir = -1;
	struct dpkg d;
	char init[PATH_MAX], digits[NAME_DIGITS + 1];
	int r = template_init_path(init, sizeof(init), err);

	if (r < 0)
		return r;
	dir = open_folder(psv, err);
	if (dir < 0)
		return dir;
	source_key(init, &key);
	if (source_cached(dir, &key, ret_source))
		return 0;
	r = dpkg_read(&d, err);
	if (r < 0)
		return r;
	r = choose_packages(&d, err);
	if (r == 0)
		r = fingerprint(&d, init, digits, err);
	dpkg_free(&d);
	if (r < 0)
		return r;
	strbuf_addstr(&key, digits);
	(void)file_write_atomic_at(dir, SOURCE_CACHE, key.buf, key.len, 0600); /* only a cache */
	memcpy(ret_source, digits, sizeof(digits));
	return 0;
}

/* ---- What there is ---- */

static bool is_name(const char *s, size_t n)
{
	return strspn(s, "0123456789abcdef") >= n;
}

/* 0; 1: there is none of that name, or it is damaged. */
static int read_meta(int dir, const char *name, struct template *ret)
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
	    file_read_at(dir, file, META_MAX_BYTES, &text, &len) < 0)
		return 1;
	o = json_loadb(text, len, 0, NULL);
	if (o && json_unpack(o, "{s:s, s:I, s:I}", "source", &source, "created", &created, "created_ns", &created_ns) == 0 &&
	    str_copy(t.source, sizeof(t.source), source) && str_copy(t.name, sizeof(t.name), name)) {
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

static int list_folder(int dir, struct template **ret, size_t *ret_n, struct err *err)
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

		if (!is_name(e->d_name, NAME_DIGITS) || strcmp(e->d_name + NAME_DIGITS, ".json") != 0)
			continue;
		e->d_name[NAME_DIGITS] = '\0';
		if (read_meta(dir, e->d_name, &t) != 0)
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
	_cleanup_close_ int dir = open_folder(psv, err);

	return dir < 0 ? dir : list_folder(dir, ret, ret_n, err);
}

int template_newest(const struct psv *psv, struct template *ret, struct err *err)
{
	_cleanup_free_ struct template *list = NULL;
	size_t n;
	int r = template_list(psv, &list, &n, err);

	if (r < 0)
		return r;
	if (n == 0)
		return 1;
	*ret = list[0];
	return 0;
}

int template_resolve(const struct psv *psv, const char *given, char ret_name[65], struct err *err)
{
	_cleanup_free_ struct template *list = NULL;
	const struct template *found = NULL;
	size_t n, len = strlen(given);
	int r;

	if (len < RESOLVE_MIN_DIGITS || len > NAME_DIGITS || !is_name(given, len))
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

/* ---- Building ---- */

int template_lock(const struct psv *psv, struct err *err)
{
	_cleanup_close_ int dir = open_folder(psv, err);

	if (dir < 0)
		return dir;
	while (flock(dir, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_set(err, -errno, "cannot lock the templates: %m");
	return steal_fd(&dir);
}

/* A killed build's mkfs may live a moment longer than the lock and still add to the folder. */
static int remove_build(int dir, const char *name)
{
	const struct timespec moment = { .tv_nsec = 10 * 1000000L };
	int r = dir_remove_tree_at(dir, name);

	for (int i = 0; i < 100 && (r == -ENOTEMPTY || r == -EEXIST); i++) {
		(void)nanosleep(&moment, NULL);
		r = dir_remove_tree_at(dir, name);
	}
	return r;
}

/* What killed builds left: their folders, and images without a description.  Called with the lock held. */
static int sweep(int dir, struct err *err)
{
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *e;
	int r = folder_list(dir, ".", &d);

	if (r < 0)
		return err_set(err, r, "cannot read the templates: %s", strerror(-r));
	while ((e = readdir(d))) {
		char json[NAME_DIGITS + 8];
		struct stat st;

		r = 0;
		if (str_starts(e->d_name, BUILD_PREFIX)) {
			r = remove_build(dir, e->d_name);
		} else if (is_name(e->d_name, NAME_DIGITS) && strcmp(e->d_name + NAME_DIGITS, ".erofs") == 0) {
			(void)snprintf(json, sizeof(json), "%.*s.json", NAME_DIGITS, e->d_name);
			if (fstatat(dir, json, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT &&
			    unlinkat(dir, e->d_name, 0) < 0)
				r = -errno;
		}
		if (r < 0)
			return err_set(err, r, "cannot remove %s, left by an interrupted build: %s", e->d_name,
				       strerror(-r));
	}
	return 0;
}

/* The linker's cache of the template: /etc/ld.so.cache of a Vsv is a link to it, so that it always fits. */
static int make_linker_cache(int build, const char *build_path, struct err *err)
{
	static const char *const links[] = { "bin", "sbin", "lib", "lib32", "lib64", "libx32" };
	char tree[PATH_MAX];
	const char *const argv[] = { "ldconfig", "-X", "-r", tree, "-C", "/usr/lib/vnas/ld.so.cache", NULL };

	if (!str_format(tree, sizeof(tree), "%s/tree", build_path))
		return err_set(err, -ENAMETOOLONG, "the path of the templates is too long");
	for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++) {
		char target[32], path[32];

		(void)str_format(target, sizeof(target), "usr/%s", links[i]);
		(void)str_format(path, sizeof(path), "tree/%s", links[i]);
		if (symlinkat(target, build, path) < 0)
			return err_set(err, -errno, "cannot make %s: %m", path);
	}
	return run(argv, NULL, err);
}

static int make_image(const char *build_path, char ret_name[NAME_DIGITS + 1], struct err *err)
{
	char image[PATH_MAX], usr[PATH_MAX];
	const char *const argv[] = { "mkfs.erofs", "-T0", "-U" IMAGE_UUID, "-x-1", "--all-root", image, usr, NULL };
	_cleanup_close_ int fd = -1;
	int r;

	if (!str_format(image, sizeof(image), "%s/image", build_path) ||
	    !str_format(usr, sizeof(usr), "%s/tree/usr", build_path))
		return err_set(err, -ENAMETOOLONG, "the path of the templates is too long");
	r = run(argv, NULL, err);
	if (r == -ENOENT)
		return err_hint(err, r, "run apt-get install erofs-utils");
	if (r < 0)
		return r;
	fd = open(image, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fchmod(fd, 0444) < 0 || fsync(fd) < 0)
		return err_set(err, -errno, "cannot write %s: %m", image);
	return sha256_file(image, ret_name, err);
}

static void set_created(json_t *meta)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)json_object_set_new(meta, "created", json_integer(now.tv_sec));
	(void)json_object_set_new(meta, "created_ns", json_integer(now.tv_nsec));
}

static json_t *describe(const struct dpkg *d, const char *source)
{
	json_t *meta = json_object(), *packages = json_object();

	for (size_t i = 0; i < d->n; i++)
		if (d->packages[i].chosen)
			(void)json_object_set_new(packages, d->packages[i].name, json_string(d->packages[i].version));
	(void)json_object_set_new(meta, "source", json_string(source));
	(void)json_object_set_new(meta, "packages", packages);
	set_created(meta);
	return meta;
}

static int write_meta(int dir, const char *name, json_t *meta, struct err *err)
{
	_cleanup_free_ char *text = json_dumps(meta, JSON_INDENT(2) | JSON_SORT_KEYS);
	char file[NAME_DIGITS + 8];
	int r;

	if (!text || !str_format(file, sizeof(file), "%s.json", name))
		return err_set(err, -ENOMEM, "cannot describe the template");
	r = file_write_atomic_at(dir, file, text, strlen(text), 0444);
	return r < 0 ? err_set(err, r, "cannot write %s: %s", file, strerror(-r)) : 0;
}

/* An older template that fits the installed packages again becomes the newest. */
static int make_newest(int dir, struct template *t, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	char file[NAME_DIGITS + 8];
	json_t *meta;
	size_t len;
	int r;

	(void)str_format(file, sizeof(file), "%s.json", t->name);
	r = file_read_at(dir, file, META_MAX_BYTES, &text, &len);
	meta = r < 0 ? NULL : json_loadb(text, len, 0, NULL);
	if (!meta)
		return err_set(err, -EBADMSG, "cannot read %s", file);
	set_created(meta);
	r = write_meta(dir, t->name, meta, err);
	json_decref(meta);
	if (r < 0)
		return r;
	return read_meta(dir, t->name, t) == 0 ? 0 : err_set(err, -EIO, "cannot read %s back", file);
}

/* Image, then description: from the second rename on it is there. */
static int publish(int dir, int build, const char *name, json_t *meta, struct err *err)
{
	char file[NAME_DIGITS + 8];

	(void)str_format(file, sizeof(file), "%s.erofs", name);
	if (renameat(build, "image", dir, file) < 0)
		return err_set(err, -errno, "cannot put the image into place: %m");
	return write_meta(dir, name, meta, err);
}

static int make_tree(const struct dpkg *d, int build, const char *init_path, struct err *err)
{
	_cleanup_strlist_ struct strlist files = { 0 };
	_cleanup_close_ int usr = -1;
	int r = dpkg_files(d, &files, err);

	if (r < 0)
		return r;
	if (mkdirat(build, "tree", 0755) < 0 || mkdirat(build, "tree/usr", 0755) < 0)
		return err_set(err, -errno, "cannot make a folder to build in: %m");
	usr = dir_open(build, "tree/usr");
	if (usr < 0)
		return err_set(err, usr, "cannot open the folder to build in: %s", strerror(-usr));
	r = stage_files(usr, &files, err);
	return r < 0 ? r : stage_init(usr, init_path, err);
}

/* In a folder of its own, which the caller removes. */
static int build_in(const struct psv *psv, int dir, const char *folder, struct template *ret,
		    void (*progress)(const char *line), struct err *err)
{
	_cleanup_close_ int build = dir_open(dir, folder);
	struct template t = { 0 };
	char path[PATH_MAX], init[PATH_MAX], after[NAME_DIGITS + 1];
	struct dpkg d = { 0 };
	json_t *meta = NULL;
	mode_t mask;
	int r;

	if (build < 0 || !str_format(path, sizeof(path), "%s/templates/%s", psv->lib, folder))
		return err_set(err, build < 0 ? build : -ENAMETOOLONG, "cannot open the folder to build in");
	mask = umask(022);
	r = template_init_path(init, sizeof(init), err);
	if (r == 0)
		r = dpkg_read(&d, err);
	if (r == 0)
		r = choose_packages(&d, err);
	if (r == 0)
		r = fingerprint(&d, init, t.source, err);
	if (r == 0 && progress)
		progress("copying programs and libraries");
	if (r == 0)
		r = make_tree(&d, build, init, err);
	if (r == 0)
		r = make_linker_cache(build, path, err);
	if (r == 0 && progress)
		progress("writing the image");
	if (r == 0)
		r = make_image(path, t.name, err);
	/* A package that changed meanwhile may be there in halves. */
	if (r == 0)
		r = dpkg_wait(DPKG_WAIT_MS, progress, err);
	if (r == 0)
		r = template_source(psv, after, err);
	if (r == 0 && strcmp(after, t.source) != 0)
		r = err_set(err, -EAGAIN, "the installed packages changed meanwhile: try again");
	if (r == 0) {
		meta = describe(&d, t.source);
		r = publish(dir, build, t.name, meta, err);
	}
	json_decref(meta);
	dpkg_free(&d);
	(void)umask(mask);
	if (r < 0)
		return r;
	return read_meta(dir, t.name, ret) == 0 ? 0 : err_set(err, -EIO, "the new template cannot be read back");
}

/* 0; 1: there is none of that source yet. */
static int find_source(int dir, const char *source, struct template *ret, struct err *err)
{
	_cleanup_free_ struct template *list = NULL;
	size_t n;
	int r = list_folder(dir, &list, &n, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i].source, source) != 0)
			continue;
		*ret = list[i];
		return i == 0 ? 0 : make_newest(dir, ret, err);
	}
	return 1;
}

int template_build(const struct psv *psv, struct template *ret, void (*progress)(const char *line), struct err *err)
{
	_cleanup_close_ int dir = -1;
	char source[NAME_DIGITS + 1], folder[sizeof(BUILD_PREFIX) + 12];
	int r = dpkg_wait(DPKG_WAIT_MS, progress, err);

	if (r < 0)
		return err_wrap(err, r, "template");
	dir = template_lock(psv, err);
	if (dir < 0)
		return err_wrap(err, dir, "template");
	r = sweep(dir, err);
	if (r == 0)
		r = template_source(psv, source, err);
	if (r == 0)
		r = find_source(dir, source, ret, err);
	if (r <= 0)
		return r < 0 ? err_wrap(err, r, "template") : 0;
	(void)str_format(folder, sizeof(folder), BUILD_PREFIX "%d", (int)getpid());
	if (mkdirat(dir, folder, 0700) < 0) {
		r = -errno;
		(void)err_set(err, r, "cannot make a folder to build in: %m");
		return err_wrap(err, r, "template");
	}
	r = build_in(psv, dir, folder, ret, progress, err);
	(void)dir_remove_tree_at(dir, folder);
	return r < 0 ? err_wrap(err, r, "template") : 0;
}

int template_remove(const struct psv *psv, const char *name, struct err *err)
{
	_cleanup_close_ int dir = template_lock(psv, err);
	char file[NAME_DIGITS + 8];

	if (dir < 0)
		return dir;
	if (strlen(name) != NAME_DIGITS || !is_name(name, NAME_DIGITS))
		return err_set(err, -EINVAL, "'%s' is no template's name", name);
	(void)str_format(file, sizeof(file), "%s.json", name);
	if (faccessat(dir, file, F_OK, 0) < 0) {
		(void)err_set(err, -ENOENT, "there is no template '%s'", name);
		return err_hint(err, -ENOENT, "see vnas template list");
	}
	if (template_in_use(psv, name))
		return err_exit(err, VNAS_EXIT_IN_USE, -EBUSY, "template %.12s is in use", name);
	/* The description first: an image alone is swept by the next build. */
	if (unlinkat(dir, file, 0) < 0)
		return err_set(err, -errno, "cannot remove %s: %m", file);
	(void)str_format(file, sizeof(file), "%s.erofs", name);
	if (unlinkat(dir, file, 0) < 0 && errno != ENOENT)
		return err_set(err, -errno, "cannot remove %s: %m", file);
	return 0;
}
