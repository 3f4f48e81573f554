/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The old files are read with the Psv's rights, the server's own are read and written by programs inside.  Each of those is
 * replaced whole, under the lock that shadow's programs take, with what it lacks added; so a kill leaves some of them
 * complete, and the same command adds the rest.  A user without its line in shadow cannot log on, so that file is last. */
#include "psv/users_import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/sys.h"
#include "psv/users_internal.h"
#include "service/samba.h"

enum { FILE_MAX_BYTES = 16 * 1024 * 1024, FIELDS_MAX = 9 };

#define SMB_FILE "/var/lib/samba/private/vnas-import"

/* One line, cut; `text` is what the fields point into. */
struct line {
	char *text, *f[FIELDS_MAX];
	size_t n;
};

struct lines {
	struct line *v;
	size_t n;
};

static void lines_free(struct lines *l)
{
	for (size_t i = 0; i < l->n; i++) {
		explicit_bzero(l->v[i].text, strlen(l->v[i].text));
		free(l->v[i].text);
	}
	free(l->v);
}
#define _cleanup_lines_ _cleanup_(lines_free)

/* cut: the lines of a text that have a name and `least` fields. */
static void cut(const char *text, size_t least, struct lines *ret)
{
	_cleanup_strlist_ struct strlist all = { 0 };

	strlist_split(&all, text, "\n");
	ret->v = xcalloc(all.n + 1, sizeof(*ret->v));
	for (size_t i = 0; i < all.n; i++) {
		struct line l = { .text = xstrdup(all.v[i]) };
		char *rest = l.text;

		while (rest && l.n < FIELDS_MAX)
			l.f[l.n++] = strsep(&rest, ":");
		if (l.n >= least && passwd_foreign_name_ok(l.f[0]))
			ret->v[ret->n++] = l;
		else
			free(l.text);
	}
}

static const struct line *find(const struct lines *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->v[i].f[0], name) == 0)
			return &l->v[i];
	return NULL;
}

/* read_old: a file of an old server's, often on its disk, where a link may lead to one of the Psv's: its own shadow. */
static int read_old(const char *path, char **ret, size_t *ret_len, struct err *err)
{
	_cleanup_close_ int fd = sys_openat2(AT_FDCWD, path, O_PATH | O_CLOEXEC, 0, RESOLVE_NO_SYMLINKS);
	char opened[32];
	int r = fd < 0 ? -errno : 0;

	(void)str_format(opened, sizeof(opened), "/proc/self/fd/%d", fd);
	if (r == 0)
		r = file_read_at(AT_FDCWD, opened, FILE_MAX_BYTES, ret, ret_len);
	if (r == -ELOOP) {
		(void)err_set(err, r, "cannot read %s: there is a symbolic link in its path", path);
		return err_hint(err, r, "if it is the file that is meant: \"$(realpath %s)\"", path);
	}
	return r < 0 ? err_set(err, r, "cannot read %s: %s", path, strerror(-r)) : 0;
}

static int read_lines(const char *path, size_t least, struct lines *ret, struct err *err)
{
	char *text;
	size_t len;
	int r;

	if (!path)
		return 0;
	r = read_old(path, &text, &len, err);
	if (r < 0)
		return r;
	cut(text, least, ret);
	explicit_bzero(text, len);
	free(text);
	return ret->n ? 0 : err_set(err, -EBADMSG, "%s holds no line as such a file has them", path);
}

/* What the old server had, and what of it is taken. */
struct import {
	const struct users_import *from;
	const struct session *s;
	struct lines passwd, shadow, group;
	struct passwd_db users;   /* taken, in the order of the file */
	const struct line **taken; /* … and their lines */
	size_t left_out;
};

/* ---- What is taken ---- */

static int check_user(const struct import *im, const char *name, uint32_t uid, struct err *err)
{
	const struct passwd_user *there = passwd_user(&im->s->db, name), *twice = passwd_user(&im->users, name);

	if (there && there->uid != uid)
		return err_set(err, -EEXIST, "user %s is there already, with number %u instead of %u", name, there->uid, uid);
	if (twice)
		return err_set(err, -EEXIST, "user %s stands in %s twice", name, im->from->passwd);
	for (size_t i = 0; !there && i < im->s->db.n_users; i++)
		if (im->s->db.users[i].uid == uid)
			return err_set(err, -EEXIST, "number %u of user %s belongs to user %s already", uid, name,
				       im->s->db.users[i].name);
	return 0;
}

static int choose_users(struct import *im, struct err *err)
{
	enum { UID = 2, GID = 3 };
	int r = 0;

	im->users.foreign = true;
	im->taken = xcalloc(im->passwd.n + 1, sizeof(*im->taken));
	for (size_t i = 0; r == 0 && i < im->passwd.n; i++) {
		char *const *f = im->passwd.v[i].f;
		uint32_t uid, gid;

		if (parse_u32(f[UID], UINT32_MAX, &uid) < 0 || parse_u32(f[GID], UINT32_MAX, &gid) < 0 || passwd_is_system(uid)) {
			im->left_out++;
			continue;
		}
		r = check_user(im, f[0], uid, err);
		if (r == 0 && passwd_add_user(&im->users, f[0], uid, gid))
			im->taken[im->users.n_users - 1] = &im->passwd.v[i];
	}
	return r;
}

static bool group_is_taken(const struct line *l)
{
	uint32_t gid;

	return parse_u32(l->f[2], UINT32_MAX, &gid) == 0 && !passwd_is_system(gid);
}

static int check_groups(const struct import *im, struct err *err)
{
	for (size_t i = 0; i < im->group.n; i++) {
		const struct line *l = &im->group.v[i];
		const struct passwd_group *there = passwd_group(&im->s->db, l->f[0]), *other;
		uint32_t gid;

		if (!group_is_taken(l))
			continue;
		(void)parse_u32(l->f[2], UINT32_MAX, &gid);
		other = passwd_group_by_id(&im->s->db, gid);
		if (there && there->gid != gid)
			return err_set(err, -EEXIST, "group %s is there already, with number %u instead of %u", l->f[0], there->gid, gid);
		if (!there && other)
			return err_set(err, -EEXIST, "number %u of group %s belongs to group %s already", gid, l->f[0], other->name);
	}
	return 0;
}

/* ---- Lines of the new files ---- */

static void passwd_line(const struct line *l, struct strbuf *sb)
{
	strbuf_addf(sb, "%s:x:%s:%s:%s:%s:%s\n", l->f[0], l->f[2], l->f[3], l->f[4], l->f[5], l->f[6]);
}

/* From shadow, or from a passwd that still holds the hash. */
static void shadow_line(const struct import *im, const struct line *p, struct strbuf *sb)
{
	const struct line *l = find(&im->shadow, p->f[0]);
	const char *hash = l ? l->f[1] : strlen(p->f[1]) > 1 ? p->f[1] : "*";

	strbuf_addf(sb, "%s:%s", p->f[0], hash);
	for (size_t n = 2; n < FIELDS_MAX; n++)
		strbuf_addf(sb, ":%s", l && n < l->n ? l->f[n] : "");
	strbuf_addstr(sb, "\n");
}

static void group_line(const struct line *l, bool hidden, struct strbuf *sb)
{
	if (hidden)
		strbuf_addf(sb, "%s:!::%s\n", l->f[0], l->f[3]);
	else
		strbuf_addf(sb, "%s:x:%s:%s\n", l->f[0], l->f[2], l->f[3]);
}

/* ---- Writing ---- */

static const char replace_file[] =
	"set -eu; umask 077; f=$1\n"
	"set -C; echo $$ >\"$f.lock\"; set +C\n"
	"trap 'rm -f \"$f.lock\" \"$f.vnas-new\"' EXIT\n"
	"cat >\"$f.vnas-new\"\n"
	"chown --reference=\"$f\" -- \"$f.vnas-new\"; chmod --reference=\"$f\" -- \"$f.vnas-new\"\n"
	"sync -- \"$f.vnas-new\"; mv -f -- \"$f.vnas-new\" \"$f\"\n";

/* add_missing: `more` are lines, of which those whose name the file has already are left out. */
static int add_missing(const struct session *s, const char *path, const struct strbuf *more, struct err *err)
{
	_cleanup_strbuf_ struct strbuf text = { 0 };
	_cleanup_lines_ struct lines there = { 0 };
	_cleanup_strlist_ struct strlist lines = { 0 };
	size_t added = 0;
	int r = inside_run(&s->ref, (const char *const[]){ "cat", "--", path, NULL }, NULL, &text, err);

	if (r != 0)
		return r < 0 ? r : err_set(err, -EIO, "cannot read %s of the server", path);
	cut(strbuf_str(&text), 1, &there);
	if (text.len && text.buf[text.len - 1] != '\n')
		strbuf_addstr(&text, "\n");
	strlist_split(&lines, strbuf_str(more), "\n");
	for (size_t i = 0; i < lines.n; i++) {
		_cleanup_free_ char *name = xstrdup(lines.v[i]);

		name[strcspn(name, ":")] = '\0';
		if (find(&there, name))
			continue;
		strbuf_addf(&text, "%s\n", lines.v[i]);
		added++;
	}
	if (!added)
		return 0;
	r = inside_must(&s->ref, (const char *const[]){ "sh", "-c", replace_file, "sh", path, NULL }, text.buf, err);
	explicit_bzero(text.buf, text.len);
	return r;
}

static int write_unix(const struct import *im, struct err *err)
{
	_cleanup_strbuf_ struct strbuf passwd = { 0 }, shadow = { 0 }, group = { 0 }, gshadow = { 0 };
	int r;

	for (size_t i = 0; i < im->users.n_users; i++) {
		passwd_line(im->taken[i], &passwd);
		shadow_line(im, im->taken[i], &shadow);
	}
	for (size_t i = 0; i < im->group.n; i++) {
		if (!group_is_taken(&im->group.v[i]))
			continue;
		group_line(&im->group.v[i], false, &group);
		group_line(&im->group.v[i], true, &gshadow);
	}
	r = add_missing(im->s, "/etc/group", &group, err);
	if (r == 0)
		r = add_missing(im->s, "/etc/gshadow", &gshadow, err);
	if (r == 0)
		r = add_missing(im->s, "/etc/passwd", &passwd, err);
	if (r == 0)
		r = add_missing(im->s, "/etc/shadow", &shadow, err);
	explicit_bzero(shadow.buf, shadow.len);
	return r;
}

/* ---- SMB accounts ---- */

static void base64(const unsigned char *p, size_t n, struct strbuf *sb)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < n; i += 3) {
		unsigned v = (unsigned)p[i] << 16 | (i + 1 < n ? (unsigned)p[i + 1] << 8 : 0) | (i + 2 < n ? p[i + 2] : 0);
		char out[4] = { digits[v >> 18], digits[v >> 12 & 63], i + 1 < n ? digits[v >> 6 & 63] : '=',
				i + 2 < n ? digits[v & 63] : '=' };

		strbuf_add(sb, out, sizeof(out));
	}
}

/* put: a file of the inside's, of root alone, for pdbedit. */
static int put(const struct import *im, const char *script, const struct strbuf *text, struct err *err)
{
	return inside_must(&im->s->ref, (const char *const[]){ "sh", "-c", script, "sh", SMB_FILE, NULL }, strbuf_str(text), err);
}

/* read_tdbsam: as the text of an smbpasswd file.  pdbedit cannot go from one tdbsam to another: its process has one alone. */
static int read_tdbsam(const struct import *im, struct lines *ret, struct err *err)
{
	static const char *const list[] = { "pdbedit", "-s", SAMBA_CONF_INSIDE, "-d", "0", "-b", "tdbsam:" SMB_FILE, "-L", "-w", NULL };
	_cleanup_strbuf_ struct strbuf coded = { 0 }, text = { 0 };
	char *data;
	size_t len;
	int r = read_old(im->from->tdbsam, &data, &len, err);

	if (r < 0)
		return r;
	base64((const unsigned char *)data, len, &coded);
	explicit_bzero(data, len);
	free(data);
	r = put(im, "umask 077; base64 -d >\"$1\"", &coded, err);
	explicit_bzero(coded.buf, coded.len);
	if (r == 0)
		r = inside_run(&im->s->ref, list, NULL, &text, err);
	if (r == 0)
		cut(strbuf_str(&text), 5, ret);
	explicit_bzero(text.buf, text.len);
	if (r < 0 || (r == 0 && ret->n > 0))
		return r;
	return err_set(err, -EBADMSG, "%s holds no SMB account of these users", im->from->tdbsam);
}

/* add_accounts: of users that the server has, and who have none there yet. */
static int add_accounts(const struct import *im, const struct lines *all, struct err *err)
{
	static const char *const import[] = { "pdbedit", "-s", SAMBA_CONF_INSIDE, "-d", "0", "-e", "tdbsam", "-i",
					      "smbpasswd:" SMB_FILE, NULL };
	_cleanup_strbuf_ struct strbuf text = { 0 };
	int r;

	for (size_t i = 0; i < all->n; i++) {
		const struct line *l = &all->v[i];

		if (!passwd_user(&im->users, l->f[0]) || strlist_has(&im->s->smb_users, l->f[0]))
			continue;
		for (size_t n = 0; n < l->n; n++)
			strbuf_addf(&text, "%s%s", n ? ":" : "", l->f[n]);
		strbuf_addstr(&text, "\n");
	}
	if (text.len == 0)
		return 0;
	r = put(im, "umask 077; cat >\"$1\"", &text, err);
	explicit_bzero(text.buf, text.len);
	return r < 0 ? r : inside_must(&im->s->ref, import, NULL, err);
}

static int write_smb(const struct import *im, struct err *err)
{
	_cleanup_lines_ struct lines all = { 0 };
	int r = im->from->tdbsam ? read_tdbsam(im, &all, err) : read_lines(im->from->smbpasswd, 5, &all, err);

	if (r == 0)
		r = add_accounts(im, &all, err);
	(void)inside_run(&im->s->ref, (const char *const[]){ "rm", "-f", "--", SMB_FILE, NULL }, NULL, NULL, NULL);
	return r;
}

static int import_all(struct import *im, void (*notice)(const char *line), struct err *err)
{
	_cleanup_free_ char *line = NULL;
	int r = read_lines(im->from->passwd, 7, &im->passwd, err);

	if (r == 0)
		r = read_lines(im->from->shadow, 2, &im->shadow, err);
	if (r == 0)
		r = read_lines(im->from->group, 4, &im->group, err);
	if (r == 0)
		r = choose_users(im, err);
	if (r == 0)
		r = check_groups(im, err);
	if (r == 0)
		r = write_unix(im, err);
	if (r == 0 && im->s->smb && (im->from->smbpasswd || im->from->tdbsam))
		r = write_smb(im, err);
	if (r < 0 || !notice)
		return r;
	line = xasprintf("%zu users; %zu of the system's numbers are left out", im->users.n_users, im->left_out);
	notice(line);
	return 0;
}

int users_import(const struct psv *psv, const char *server, const struct users_import *from,
		 void (*notice)(const char *line), struct err *err)
{
	_cleanup_session_ struct session s = { .lock_fd = -1 };
	struct import im = { .from = from, .s = &s };
	int r = session_open(psv, server, "user import", &s, err);

	if (r == 0)
		r = import_all(&im, notice, err);
	lines_free(&im.passwd);
	lines_free(&im.shadow);
	lines_free(&im.group);
	passwd_free(&im.users);
	free(im.taken);
	return r;
}
