/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A Vsv's mounts, as mountinfo has them: which superblocks they lead to, and what they honour. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "verify/internal.h"

enum { MOUNTINFO_MAX_BYTES = 4 * 1024 * 1024 };

struct mount_line {
	dev_t dev;
	uint64_t id;
	char point[256], options[256], type[32];
	const char *super; /* to the end of the line */
};

static bool parse_mount(const char *line, struct mount_line *ret)
{
	const char *dash = strstr(line, " - "), *p;
	unsigned long long id;
	unsigned maj, min;

	if (!dash || sscanf(line, "%llu %*d %u:%u %*s %255s %255s", &id, &maj, &min, ret->point, ret->options) != 5 ||
	    sscanf(dash, " - %31s", ret->type) != 1)
		return false;
	ret->dev = makedev(maj, min);
	ret->id = id;
	p = strchr(dash + 3, ' ');
	p = p ? strchr(p + 1, ' ') : NULL;
	ret->super = p ? p + 1 : "";
	return true;
}

static char *read_mounts(const char *who)
{
	char path[48], *text = NULL;

	(void)str_format(path, sizeof(path), "/proc/%s/mountinfo", who);
	return file_read_at(AT_FDCWD, path, MOUNTINFO_MAX_BYTES, &text, NULL) < 0 ? NULL : text;
}

static char *server_mounts(const struct server *s)
{
	char who[16];

	(void)str_format(who, sizeof(who), "%d", (int)s->st.init_pid);
	return read_mounts(who);
}

static bool has_superblock(const dev_t *list, size_t n, dev_t dev)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == dev)
			return true;
	return false;
}

/* list_superblocks: of every mount; ids NULL: each once. */
static size_t list_superblocks(char *text, dev_t *list, uint64_t *ids, size_t max)
{
	char *save = NULL;
	size_t n = 0;

	for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line && n < max; line = strtok_r(NULL, "\n", &save)) {
		struct mount_line m;

		if (!parse_mount(line, &m) || (!ids && has_superblock(list, n, m.dev)))
			continue;
		if (ids)
			ids[n] = m.id;
		list[n++] = m.dev;
	}
	return n;
}

void look_server_mounts(struct server *s)
{
	_cleanup_free_ char *text = server_mounts(s);

	s->n_superblocks = list_superblocks(text, s->superblocks, s->mounts, SUPERBLOCKS_MAX);
}

void look_own_mounts(struct verify *v)
{
	_cleanup_free_ char *text = read_mounts("self");

	v->n_superblocks = list_superblocks(text, v->superblocks, NULL, sizeof(v->superblocks) / sizeof(*v->superblocks));
}

enum verdict look_superblocks(struct verify *v, struct server *s, const struct server *other, char *answer, size_t size)
{
	const dev_t *theirs = other ? other->superblocks : v->superblocks;
	size_t n = other ? other->n_superblocks : v->n_superblocks;
	size_t max = other ? SUPERBLOCKS_MAX : sizeof(v->superblocks) / sizeof(*v->superblocks);

	if (!s->n_superblocks || !n) {
		(void)str_copy(answer, size, "the mounts cannot be read");
		return VERDICT_OPEN;
	}
	for (size_t i = 0; i < s->n_superblocks; i++)
		if (has_superblock(theirs, n, s->superblocks[i])) {
			(void)str_format(answer, size, "%u:%u is in both", major(s->superblocks[i]), minor(s->superblocks[i]));
			return VERDICT_THROUGH;
		}
	if (n == max || s->n_superblocks == SUPERBLOCKS_MAX) {
		(void)str_copy(answer, size, "there are more mounts than were compared");
		return VERDICT_OPEN;
	}
	(void)str_format(answer, size, "%zu mounts", s->n_superblocks);
	return VERDICT_REFUSED;
}

static bool has_option(const char *options, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = options; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
		if (strncmp(p, word, len) == 0 && (p[len] == ',' || p[len] == '\0' || p[len] == ' '))
			return true;
	return false;
}

static bool is_own_device(const struct server *s, dev_t dev)
{
	for (size_t i = 0; i < s->st.n_volumes; i++)
		if (s->st.volumes[i].rdev == dev)
			return true;
	return false;
}

/* judge_mount: NULL, or what is wrong with it. */
static const char *judge_mount(const struct server *s, const struct mount_line *m)
{
	static const char *const kinds[] = { "tmpfs", "overlay", "proc", "devpts", "ext4", "xfs" };
	/* Those that hold nodes of the Psv's making, and are read-only. */
	static const char *const with_nodes[] = { "/dev", "/dev/pts", "/dev/volumes" };
	bool known = false, on_dev = false;

	for (size_t i = 0; i < sizeof(with_nodes) / sizeof(*with_nodes); i++)
		on_dev = on_dev || strcmp(m->point, with_nodes[i]) == 0;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		known = known || strcmp(m->type, kinds[i]) == 0;
	if (!known)
		return "is of a kind that no Vsv has";
	if (major(m->dev) != 0 && !is_own_device(s, m->dev))
		return "lies on a device that is not its own";
	if (!has_option(m->options, "nosuid"))
		return "honours set-uid programs";
	if (!on_dev && !has_option(m->options, "nodev"))
		return "honours device nodes";
	if (on_dev && strcmp(m->type, "devpts") != 0 && !has_option(m->options, "ro"))
		return "honours device nodes, and can be written to";
	return NULL;
}

/* judge_proc: only of a proc. */
static const char *judge_proc(const struct server *s, const struct mount_line *m)
{
	(void)s;
	return has_option(m->super, "subset=pid") ? NULL : "shows the whole kernel";
}

/* each_mount: judges every mount of a type, or all of them (NULL).  *ret_n: how many; if it is 0 they could not be read. */
static enum verdict each_mount(const struct server *s, const char *type, const char *(*wrong)(const struct server *s, const struct mount_line *m),
			       size_t *ret_n, char *answer, size_t size)
{
	_cleanup_free_ char *text = server_mounts(s);
	char *save = NULL;

	*ret_n = 0;
	for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
		struct mount_line m;
		const char *what;

		if (!parse_mount(line, &m)) {
			(void)str_copy(answer, size, "a line of mountinfo cannot be read");
			return VERDICT_OPEN;
		}
		if (type && strcmp(m.type, type) != 0)
			continue;
		++*ret_n;
		what = wrong(s, &m);
		if (what) {
			(void)str_format(answer, size, "%s (%s) %s", m.point, m.type, what);
			return VERDICT_THROUGH;
		}
	}
	if (*ret_n)
		return VERDICT_REFUSED;
	(void)str_copy(answer, size, "the mounts cannot be read");
	return VERDICT_OPEN;
}

enum verdict look_mounts(struct verify *v, struct server *s, char *answer, size_t size)
{
	enum verdict verdict;
	size_t n;

	(void)v;
	verdict = each_mount(s, NULL, judge_mount, &n, answer, size);
	if (verdict == VERDICT_REFUSED)
		(void)str_format(answer, size, "%zu mounts", n);
	return verdict;
}

enum verdict look_proc(struct verify *v, struct server *s, char *answer, size_t size)
{
	enum verdict verdict;
	size_t n;

	(void)v;
	verdict = each_mount(s, "proc", judge_proc, &n, answer, size);
	if (verdict == VERDICT_REFUSED)
		(void)str_copy(answer, size, "subset=pid");
	return verdict;
}
