/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making a template: in a folder .build-PID below LIB/templates, under the lock of LIB/templates.  What a kill leaves there
 * is swept by the next command that looks for a template. */
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
#include "lib/when.h"
#include "psv/psv.h"
#include "psv/template-parts.h"
#include "psv/template.h"

/* The same bytes whoever builds it: the name is the content's. */
#define IMAGE_UUID "766e6173-0000-4000-8000-74656d706c74"
#define BUILD_PREFIX ".build-"

enum { NAME_DIGITS = TEMPLATE_NAME_DIGITS, DPKG_WAIT_MS = 30 * 1000, BUILD_TRIES = 3 };

/* Held until the descriptor is closed.  1, so that a chain of steps goes on. */
int template_lock(int dir, void (*progress)(const char *line), struct err *err)
{
	if (flock(dir, LOCK_EX | LOCK_NB) == 0)
		return 1;
	if (progress)
		progress("waiting for another command to make a template");
	while (flock(dir, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_set(err, -errno, "cannot lock the templates: %m");
	return 1;
}

/* A killed build's mkfs may live a moment longer than the lock and still add to the folder. */
static int remove_build(int dir, const char *name)
{
	int r = dir_remove_tree_at(dir, name);

	for (int i = 0; i < 100 && (r == -ENOTEMPTY || r == -EEXIST); i++) {
		sleep_ms(10);
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
		} else if (template_is_name(e->d_name, NAME_DIGITS) && strcmp(e->d_name + NAME_DIGITS, ".erofs") == 0) {
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
	return template_sha256(image, ret_name, err);
}

static void set_created(json_t *meta)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)json_object_set_new(meta, "created", json_integer(now.tv_sec));
	(void)json_object_set_new(meta, "created_ns", json_integer(now.tv_nsec));
}

static json_t *describe(const struct dpkg *d, const char *source, const char *extra)
{
	json_t *meta = json_object(), *packages = json_object();

	for (size_t i = 0; i < d->n; i++)
		if (d->packages[i].chosen)
			(void)json_object_set_new(packages, d->packages[i].name, json_string(d->packages[i].version));
	(void)json_object_set_new(meta, "source", json_string(source));
	(void)json_object_set_new(meta, "extra", json_string(extra));
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
	r = file_read_at(dir, file, TEMPLATE_META_MAX_BYTES, &text, &len);
	meta = r < 0 ? NULL : json_loadb(text, len, 0, NULL);
	if (!meta)
		return err_set(err, -EBADMSG, "cannot read %s", file);
	set_created(meta);
	r = write_meta(dir, t->name, meta, err);
	json_decref(meta);
	if (r < 0)
		return r;
	return template_read_meta(dir, t->name, t) == 0 ? 0 : err_set(err, -EIO, "cannot read %s back", file);
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

static int make_tree(const struct dpkg *d, int build, struct err *err)
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
	for (size_t i = 0; r == 0 && template_programs[i]; i++) {
		char path[PATH_MAX];

		r = template_program_path(template_programs[i], path, sizeof(path), err);
		if (r == 0)
			r = stage_program(usr, template_programs[i], path, err);
	}
	return r;
}

/* In a folder of its own, which the caller removes. */
static int build_in(const struct psv *psv, int dir, const struct strlist *extra, const char *folder, struct template *ret,
		    void (*progress)(const char *line), struct err *err)
{
	_cleanup_close_ int build = dir_open(dir, folder);
	struct template t = { 0 };
	char path[PATH_MAX], after[NAME_DIGITS + 1];
	struct dpkg d = { 0 };
	json_t *meta = NULL;
	mode_t mask;
	int r;

	if (build < 0 || !str_format(path, sizeof(path), "%s/templates/%s", psv->lib, folder))
		return err_set(err, build < 0 ? build : -ENAMETOOLONG, "cannot open the folder to build in");
	mask = umask(022);
	r = dpkg_read(&d, err);
	if (r == 0)
		r = template_choose(&d, extra, err);
	if (r == 0 && !template_extra_str(extra, t.extra))
		r = err_set(err, -ENAMETOOLONG, "the names of all packages together are too long");
	if (r == 0)
		r = template_fingerprint(&d, t.source, err);
	if (r == 0 && progress)
		progress("copying programs and libraries");
	if (r == 0)
		r = make_tree(&d, build, err);
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
		r = template_source(psv, extra, after, err);
	if (r == 0 && strcmp(after, t.source) != 0)
		r = err_set(err, -EAGAIN, "the installed packages changed meanwhile: try again");
	if (r == 0) {
		meta = describe(&d, t.source, t.extra);
		r = publish(dir, build, t.name, meta, err);
	}
	json_decref(meta);
	dpkg_free(&d);
	(void)umask(mask);
	if (r < 0)
		return r;
	return template_read_meta(dir, t.name, ret) == 0 ? 0 : err_set(err, -EIO, "the new template cannot be read back");
}

/* 0; 1: there is none of that source yet.  It becomes the newest of those with the same extra packages. */
static int find_source(int dir, const char *source, const struct strlist *extra, struct template *ret, struct err *err)
{
	_cleanup_free_ struct template *list = NULL;
	char wanted[TEMPLATE_EXTRA_MAX];
	bool newer = false;
	size_t n;
	int r = template_list_at(dir, &list, &n, err);

	if (r < 0)
		return r;
	(void)template_extra_str(extra, wanted);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i].source, source) != 0) {
			newer |= strcmp(list[i].extra, wanted) == 0;
			continue;
		}
		*ret = list[i];
		return newer ? make_newest(dir, ret, err) : 0;
	}
	return 1;
}

static int build_once(const struct psv *psv, int dir, const struct strlist *extra, struct template *ret,
		      void (*progress)(const char *line), struct err *err)
{
	char source[NAME_DIGITS + 1], folder[sizeof(BUILD_PREFIX) + 12];
	int r = sweep(dir, err);

	if (r == 0)
		r = template_source(psv, extra, source, err);
	if (r == 0)
		r = find_source(dir, source, extra, ret, err);
	if (r <= 0)
		return r;
	(void)str_format(folder, sizeof(folder), BUILD_PREFIX "%d", (int)getpid());
	if (mkdirat(dir, folder, 0700) < 0)
		return err_set(err, -errno, "cannot make a folder to build in: %m");
	r = build_in(psv, dir, extra, folder, ret, progress, err);
	(void)dir_remove_tree_at(dir, folder);
	return r;
}

/* With the lock held.  Again when dpkg came in between. */
static int find_or_build(const struct psv *psv, int dir, const struct strlist *extra, struct template *ret,
			 void (*progress)(const char *line), struct err *err)
{
	int r = -EAGAIN;

	for (int i = 0; i < BUILD_TRIES && r == -EAGAIN; i++) {
		r = dpkg_wait(DPKG_WAIT_MS, progress, err);
		if (r == 0)
			r = build_once(psv, dir, extra, ret, progress, err);
	}
	return r;
}

/* Every start comes this way: 0 when the newest template of that kind is of the installed packages, without waiting for a
 * lock or for dpkg; 1: there is something to do. */
static int newest_fits(const struct psv *psv, int dir, const struct strlist *extra, struct template *ret, struct err *err)
{
	_cleanup_closedir_ DIR *d = NULL;
	char source[NAME_DIGITS + 1];
	struct template t;
	struct dirent *e;
	int r = template_source(psv, extra, source, err);

	if (r < 0)
		return r;
	r = template_newest(psv, extra, &t, err);
	if (r != 0 || strcmp(t.source, source) != 0)
		return r < 0 ? r : 1;
	*ret = t;
	if (folder_list(dir, ".", &d) < 0)
		return 0;
	while ((e = readdir(d))) {
		if (!str_starts(e->d_name, BUILD_PREFIX))
			continue;
		/* A build that is under way holds the lock, and sweeps by itself. */
		return flock(dir, LOCK_EX | LOCK_NB) < 0 ? 0 : sweep(dir, err);
	}
	return 0;
}

int template_build(const struct psv *psv, const struct strlist *extra, struct template *ret,
		   void (*progress)(const char *line), struct err *err)
{
	_cleanup_close_ int dir = template_folder(psv, err);
	int r = dir < 0 ? dir : newest_fits(psv, dir, extra, ret, err);

	if (r == 1)
		r = template_lock(dir, progress, err);
	if (r == 1) {
		r = find_or_build(psv, dir, extra, ret, progress, err);
		if (r == 0)
			template_prune(psv, dir, progress);
	}
	return r < 0 ? err_wrap(err, r, "template") : r;
}
