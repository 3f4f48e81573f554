/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dpkg's database as deb-control(5) and dpkg(1) describe it: the status file, the file lists below info/, and the
 * diversions.  Only packages that are whole count: one that dpkg has half unpacked is an error, not a smaller template. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/process.h"
#include "lib/when.h"
#include "psv/template-parts.h"

enum { STATUS_MAX_BYTES = 64 * 1024 * 1024, LIST_MAX_BYTES = 16 * 1024 * 1024, WAIT_STEP_MS = 200 };

/* One stanza while it is read. */
struct stanza {
	struct dpkg_package p;
	const char *status;
};

static void stanza_set(struct stanza *s, const char *key, const char *value)
{
	const struct {
		const char *key;
		const char **to;
	} fields[] = {
		{ "Package", &s->p.name },       { "Status", &s->status },
		{ "Architecture", &s->p.arch },  { "Version", &s->p.version },
		{ "Depends", &s->p.depends },    { "Pre-Depends", &s->p.pre_depends },
		{ "Provides", &s->p.provides },
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		if (strcmp(key, fields[i].key) == 0)
			*fields[i].to = value;
}

/* The next line, ended in place; lines that begin with a space continue the one before and are joined to it. */
static char *next_line(char **pos)
{
	char *line = *pos, *end;

	if (!*line)
		return NULL;
	for (end = line; *end; end++) {
		if (*end != '\n')
			continue;
		if (end > line && (end[1] == ' ' || end[1] == '\t')) {
			*end = ' ';
			continue;
		}
		break;
	}
	*pos = *end ? end + 1 : end;
	*end = '\0';
	return line;
}

static bool is_whole(const char *status)
{
	static const char *const whole[] = { " installed", " triggers-pending", " triggers-awaited" };
	const char *last = strrchr(status, ' ');

	for (size_t i = 0; last && i < sizeof(whole) / sizeof(*whole); i++)
		if (strcmp(last, whole[i]) == 0)
			return true;
	return false;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct dpkg_package *)a)->name, ((const struct dpkg_package *)b)->name);
}

/* Foreign packages (i386 beside amd64) would hide the native one of the same name. */
static void keep_native(struct dpkg *d)
{
	const char *native = NULL;
	size_t kept = 0;

	for (size_t i = 0; i < d->n && !native; i++)
		if (strcmp(d->packages[i].name, "dpkg") == 0)
			native = d->packages[i].arch;
	for (size_t i = 0; i < d->n; i++) {
		const char *arch = d->packages[i].arch;

		if (!native || strcmp(arch, native) == 0 || strcmp(arch, "all") == 0)
			d->packages[kept++] = d->packages[i];
	}
	d->n = kept;
	if (kept)
		qsort(d->packages, kept, sizeof(*d->packages), by_name);
}

int dpkg_parse_status(char *text, struct dpkg *ret, struct err *err)
{
	struct dpkg d = { .text = text };
	char *pos = text, *line;
	size_t alloc = 0;

	do {
		static const struct stanza empty = {
			.p = { .name = "", .arch = "", .version = "", .depends = "", .pre_depends = "", .provides = "" },
			.status = "",
		};
		struct stanza s = empty;

		while ((line = next_line(&pos)) && *line) {
			char *value = strchr(line, ':');

			if (!value) {
				int r = err_set(err, -EBADMSG, "%s/status: '%.40s' is no field", DPKG_ADMIN, line);

				dpkg_free(&d);
				return r;
			}
			*value++ = '\0';
			stanza_set(&s, line, value + strspn(value, " \t"));
		}
		if (!*s.p.name || !is_whole(s.status))
			continue;
		if (d.n == alloc) {
			alloc = alloc ? alloc * 2 : 256;
			d.packages = xrealloc(d.packages, alloc, sizeof(*d.packages));
		}
		d.packages[d.n++] = s.p;
	} while (line);
	keep_native(&d);
	*ret = d;
	return 0;
}

static int read_diversions(struct dpkg *d, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_strlist_ struct strlist lines = { 0 };
	int r = file_read_at(AT_FDCWD, DPKG_ADMIN "/diversions", LIST_MAX_BYTES, &text, NULL);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return err_set(err, r, "cannot read %s/diversions: %m", DPKG_ADMIN);
	strlist_split(&lines, text, "\n");
	if (lines.n % 3)
		return err_set(err, -EBADMSG, "%s/diversions: not three lines each", DPKG_ADMIN);
	d->diversions = xcalloc(lines.n / 3, sizeof(*d->diversions));
	for (size_t i = 0; i + 2 < lines.n; i += 3)
		d->diversions[d->n_diversions++] = (struct dpkg_diversion){
			.from = steal_ptr(&lines.v[i]), .to = steal_ptr(&lines.v[i + 1]), .package = steal_ptr(&lines.v[i + 2]),
		};
	return 0;
}

int dpkg_read(struct dpkg *ret, struct err *err)
{
	struct dpkg d;
	char *text;
	int r;

	r = file_read_at(AT_FDCWD, DPKG_ADMIN "/status", STATUS_MAX_BYTES, &text, NULL);
	if (r < 0) {
		(void)err_set(err, r, "cannot read %s/status: %s", DPKG_ADMIN, strerror(-r));
		return err_hint(err, r, "templates are made from Debian's installed packages");
	}
	r = dpkg_parse_status(text, &d, err);
	if (r < 0)
		return r;
	r = read_diversions(&d, err);
	if (r < 0) {
		dpkg_free(&d);
		return r;
	}
	*ret = d;
	return 0;
}

void dpkg_free(struct dpkg *d)
{
	for (size_t i = 0; i < d->n_diversions; i++) {
		free(d->diversions[i].from);
		free(d->diversions[i].to);
		free(d->diversions[i].package);
	}
	free(d->diversions);
	free(d->packages);
	free(d->text);
	*d = (struct dpkg){ 0 };
}

struct dpkg_package *dpkg_find(const struct dpkg *d, const char *name)
{
	struct dpkg_package key = { .name = name };

	return d->n ? bsearch(&key, d->packages, d->n, sizeof(*d->packages), by_name) : NULL;
}

/* "libc6 (>= 2.34)", "python3:any": the name alone.  Versions were checked by dpkg. */
static bool relation_name(const char *relation, size_t len, char *buf, size_t size)
{
	size_t n = 0;

	while (len && isspace((unsigned char)*relation)) {
		relation++;
		len--;
	}
	while (n < len && !isspace((unsigned char)relation[n]) && !strchr("(:[<", relation[n]))
		n++;
	if (n == 0 || n >= size)
		return false;
	memcpy(buf, relation, n);
	buf[n] = '\0';
	return true;
}

static bool provides(const struct dpkg_package *p, const char *name)
{
	const char *s = p->provides;
	char buf[256];

	while (*s) {
		size_t n = strcspn(s, ",");

		if (relation_name(s, n, buf, sizeof(buf)) && strcmp(buf, name) == 0)
			return true;
		s += n;
		s += *s == ',';
	}
	return false;
}

static struct dpkg_package *find_provider(const struct dpkg *d, const char *name)
{
	struct dpkg_package *p = dpkg_find(d, name);

	for (size_t i = 0; i < d->n && !p; i++)
		if (provides(&d->packages[i], name))
			p = &d->packages[i];
	return p;
}

static int choose(struct dpkg *d, struct dpkg_package *p, struct err *err);

/* One dependency, "a | b": the first alternative that is there. */
static int choose_group(struct dpkg *d, const struct dpkg_package *from, const char *group, size_t len, struct err *err)
{
	const char *s = group, *end = group + len;
	bool blank = true;
	char name[256];

	while (s < end) {
		const char *bar = memchr(s, '|', (size_t)(end - s));
		size_t n = (size_t)((bar ? bar : end) - s);
		struct dpkg_package *p;

		if (relation_name(s, n, name, sizeof(name))) {
			blank = false;
			if (recipe_leaves_out(name))
				return 0;
			p = find_provider(d, name);
			if (p)
				return recipe_leaves_out(p->name) ? 0 : choose(d, p, err);
		}
		s += n + 1;
	}
	if (blank)
		return 0;
	(void)err_set(err, -ENOENT, "package %s needs %.*s, which is not installed", from->name, (int)len, group);
	return err_hint(err, -ENOENT, "run apt-get --fix-broken install");
}

static int choose_all(struct dpkg *d, const struct dpkg_package *from, const char *relations, struct err *err)
{
	while (*relations) {
		size_t n;
		int r;

		relations += strspn(relations, ", \t");
		n = strcspn(relations, ",");
		r = choose_group(d, from, relations, n, err);
		if (r < 0)
			return r;
		relations += n;
	}
	return 0;
}

static int choose(struct dpkg *d, struct dpkg_package *p, struct err *err)
{
	int r;

	if (p->chosen)
		return 0;
	p->chosen = true;
	r = choose_all(d, p, p->pre_depends, err);
	return r < 0 ? r : choose_all(d, p, p->depends, err);
}

int dpkg_choose(struct dpkg *d, const char *name, struct err *err)
{
	struct dpkg_package *p = dpkg_find(d, name);

	if (!p) {
		(void)err_set(err, -ENOENT, "package %s is not installed, or not wholly", name);
		return err_hint(err, -ENOENT, "run apt-get install %s", name);
	}
	return choose(d, p, err);
}

/* Where the file of that package really lies. */
static const char *diverted(const struct dpkg *d, const char *package, const char *path)
{
	for (size_t i = 0; i < d->n_diversions; i++)
		if (strcmp(d->diversions[i].from, path) == 0 && strcmp(d->diversions[i].package, package) != 0)
			return d->diversions[i].to;
	return path;
}

static int package_files(const struct dpkg *d, const struct dpkg_package *p, struct strlist *ret, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX], buf[PATH_MAX];
	int r = -ENOENT;

	if (str_format(path, sizeof(path), "%s/info/%s.list", DPKG_ADMIN, p->name))
		r = file_read_at(AT_FDCWD, path, LIST_MAX_BYTES, &text, NULL);
	if (r == -ENOENT && str_format(path, sizeof(path), "%s/info/%s:%s.list", DPKG_ADMIN, p->name, p->arch))
		r = file_read_at(AT_FDCWD, path, LIST_MAX_BYTES, &text, NULL);
	if (r < 0)
		return err_set(err, r, "cannot read the file list of package %s: %s", p->name, strerror(-r));
	for (char *save, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		const char *below = path_below_usr(diverted(d, p->name, line), buf, sizeof(buf));

		if (below && *below && recipe_wants_file(below))
			strlist_add(ret, below);
	}
	return 0;
}

static int by_string(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_unique(struct strlist *l)
{
	size_t kept = 0;

	if (!l->n)
		return;
	qsort(l->v, l->n, sizeof(*l->v), by_string);
	for (size_t i = 0; i < l->n; i++) {
		if (kept && strcmp(l->v[kept - 1], l->v[i]) == 0)
			free(l->v[i]);
		else
			l->v[kept++] = l->v[i];
	}
	l->n = kept;
	l->v[kept] = NULL;
}

int dpkg_files(const struct dpkg *d, struct strlist *ret, struct err *err)
{
	_cleanup_strlist_ struct strlist files = { 0 };

	for (size_t i = 0; i < d->n; i++) {
		int r = d->packages[i].chosen ? package_files(d, &d->packages[i], &files, err) : 0;

		if (r < 0)
			return r;
	}
	sort_unique(&files);
	*ret = files;
	files = (struct strlist){ 0 };
	return 0;
}

const char *dpkg_owner(const struct dpkg *d, const char *path)
{
	for (size_t i = 0; i < d->n; i++) {
		_cleanup_strlist_ struct strlist files = { 0 };

		if (package_files(d, &d->packages[i], &files, NULL) == 0 && strlist_has(&files, path))
			return d->packages[i].name;
	}
	return NULL;
}

int dpkg_wait(int timeout_ms, void (*progress)(const char *line), struct err *err)
{
	_cleanup_close_ int fd = open(DPKG_ADMIN "/lock", O_RDWR | O_CLOEXEC | O_NOCTTY);
	bool told = false;

	if (fd < 0) /* no lock, nobody who holds it */
		return 0;
	for (int waited_ms = 0;; waited_ms += WAIT_STEP_MS) {
		struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

		if (fcntl(fd, F_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
			return 0;
		if (waited_ms >= timeout_ms) {
			(void)err_set(err, -EBUSY, "dpkg (process %d) is changing the packages", (int)lock.l_pid);
			return err_hint(err, -EBUSY, "try again when it has ended");
		}
		if (progress && !told)
			progress("waiting for dpkg to end");
		told = true;
		sleep_ms(WAIT_STEP_MS);
	}
}
