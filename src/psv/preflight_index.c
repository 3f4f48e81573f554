/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psv/preflight_index.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/str.h"
#include "psv/psv.h"

enum { MAX_BYTES = 64 * 1024 * 1024, SETTLED_S = 2 };

/* The file: this, and the records.  The number counts up with the records' form and with what a key is made of. */
struct header {
	char magic[16];
	struct index_stamp folder;
};
static const char magic[16] = "vnas-index-3";

static void index_path(const struct psv *psv, char buf[PATH_MAX])
{
	/* A dot begins no Vsv's name. */
	(void)str_format(buf, PATH_MAX, "%s/.index", psv->run);
}

static void cleanup_conf(struct conf *c)
{
	conf_free(c);
}

/* {0}: it changed just now. */
static struct index_stamp stamp_of(const struct stat *st)
{
	if (st->st_ctim.tv_sec + SETTLED_S > time(NULL))
		return (struct index_stamp){ 0 };
	return (struct index_stamp){
		.inode = st->st_ino, .size_bytes = (uint64_t)st->st_size, .ctime_s = st->st_ctim.tv_sec,
		.ctime_ns = st->st_ctim.tv_nsec,
	};
}

static bool stamp_same(const struct index_stamp *a, const struct index_stamp *b)
{
	return a->inode && a->inode == b->inode && a->size_bytes == b->size_bytes && a->ctime_s == b->ctime_s &&
	       a->ctime_ns == b->ctime_ns;
}

/* As they were written: else it is no index. */
static bool records_hold(const struct index_record *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].n_keys > INDEX_KEYS_MAX || !memchr(v[i].name, '\0', sizeof(v[i].name)))
			return false;
	return true;
}

/* Mapped, not copied: of a thousand records a start needs little.  No file under that name is ever changed in place. */
static void read_file(const struct psv *psv, struct index *ret)
{
	_cleanup_close_ int fd = -1;
	struct index_record *v;
	char path[PATH_MAX];
	struct header h;
	struct stat st;
	size_t len;
	char *map;

	*ret = (struct index){ 0 };
	index_path(psv, path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(h) || st.st_size > MAX_BYTES)
		return;
	len = (size_t)st.st_size;
	map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return;
	memcpy(&h, map, sizeof(h));
	_Static_assert(sizeof(h) % _Alignof(struct index_record) == 0, "the records are aligned");
	v = (struct index_record *)(void *)(map + sizeof(h));
	ret->n = (len - sizeof(h)) / sizeof(*v);
	if (memcmp(h.magic, magic, sizeof(magic)) != 0 || (len - sizeof(h)) % sizeof(*v) != 0 || !records_hold(v, ret->n)) {
		(void)munmap(map, len);
		*ret = (struct index){ 0 };
		return;
	}
	ret->folder = h.folder;
	ret->v = v;
	ret->map = map;
	ret->map_bytes = len;
}

static void records_free(struct index *x)
{
	if (x->map)
		(void)munmap(x->map, x->map_bytes);
	else
		free(x->v);
	x->map = NULL;
	x->map_bytes = 0;
}

/* FNV-1a, without regard to case: two that are taken for one cost a reading, one that is taken for two would cost a
 * conflict. */
static uint64_t key_of(char kind, const char *text)
{
	uint64_t h = (14695981039346656037ULL ^ (uint8_t)kind) * 1099511628211ULL;

	for (; *text; text++)
		h = (h ^ (uint64_t)tolower((unsigned char)*text)) * 1099511628211ULL;
	return h;
}

static void add_key(struct index_record *r, uint64_t key)
{
	for (size_t i = 0; i < r->n_keys; i++)
		if (r->keys[i] == key)
			return;
	if (r->n_keys == INDEX_KEYS_MAX)
		r->always_read = true;
	else
		r->keys[r->n_keys++] = key;
}

struct index_record index_record_of(const struct conf *conf)
{
	struct index_record r = { 0 };
	char text[IPADDR_STR_MAX];
	uint8_t mac[6];

	(void)str_copy(r.name, sizeof(r.name), conf->name);
	add_key(&r, key_of('n', conf->netbios_name));
	for (size_t i = 0; i < conf->aliases.n; i++)
		add_key(&r, key_of('n', conf->aliases.v[i]));
	add_key(&r, key_of('h', conf->hostname));
	for (size_t i = 0; i < conf->n_addresses; i++)
		add_key(&r, key_of('a', ipaddr_str(&conf->addresses[i].addr, text)));
	r.is_private = conf->stack == CONF_STACK_PRIVATE;
	r.hands_over = r.is_private && (conf->link == CONF_LINK_INTERFACE || conf->vlan);
	if (r.is_private) {
		conf_mac(conf, mac);
		(void)str_format(text, sizeof(text), "%02x%02x%02x%02x%02x%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
		add_key(&r, key_of('m', text));
	}
	for (size_t i = 0; i < conf->n_volumes; i++) {
		if (*conf->volumes[i].uuid)
			add_key(&r, key_of('u', conf->volumes[i].uuid));
		r.has_device |= conf->volumes[i].device != NULL;
	}
	return r;
}

static int compare_records(const void *a, const void *b)
{
	const struct index_record *x = a, *y = b;

	return strcmp(x->name, y->name);
}

struct index_record *index_find(const struct index *x, const char *name)
{
	struct index_record key = { 0 };

	if (!x->n || !str_copy(key.name, sizeof(key.name), name))
		return NULL;
	return bsearch(&key, x->v, x->n, sizeof(*x->v), compare_records);
}

static struct index_record read_record(const struct psv *psv, const char *name, const struct stat *st)
{
	_cleanup_(cleanup_conf) struct conf conf = { 0 };
	struct index_record r = { .always_read = true };
	char path[PATH_MAX];

	if (conf_read(psv_conf_path(psv, name, path), name, &conf, NULL) == 0)
		r = index_record_of(&conf);
	(void)str_copy(r.name, sizeof(r.name), name);
	/* As it was before it was read: what changed since then is found the next time. */
	r.stamp = stamp_of(st);
	r.always_read |= !r.stamp.inode;
	return r;
}

/* Makes the records of all that stand in the folder now, out of the old ones where these still hold. */
static int refresh(const struct psv *psv, int etc, struct index *x, struct err *err)
{
	_cleanup_strlist_ struct strlist names = { 0 };
	struct index_record *v;
	size_t n = 0;
	int r;

	r = psv_list(psv, &names, err);
	if (r < 0)
		return r;
	v = xcalloc(names.n, sizeof(*v));
	for (size_t i = 0; i < names.n; i++) {
		const struct index_record *old = index_find(x, names.v[i]);
		char file[VSV_NAME_MAX + 8];
		struct index_stamp now;
		struct stat st;

		(void)str_format(file, sizeof(file), "%s.conf", names.v[i]);
		if (fstatat(etc, file, &st, 0) < 0) {
			if (errno == ENOENT)
				continue; /* destroyed just now */
			r = err_set(err, -errno, "cannot look at %s/%s: %m", psv->etc, file);
			free(v);
			return r;
		}
		now = stamp_of(&st);
		v[n++] = old && stamp_same(&old->stamp, &now) ? *old : read_record(psv, names.v[i], &st);
	}
	records_free(x);
	x->v = v;
	x->n = n;
	x->changed = true;
	return 0;
}

int index_load(const struct psv *psv, struct index *ret, struct err *err)
{
	_cleanup_close_ int etc = open(psv->etc, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct index_stamp now;
	struct index x;
	struct stat st;
	int r;

	/* Looked at before it is listed: what changes meanwhile makes another stamp. */
	if (etc < 0 || fstat(etc, &st) < 0)
		return err_set(err, -errno, "cannot open %s: %m", psv->etc);
	now = stamp_of(&st);
	read_file(psv, &x);
	r = stamp_same(&x.folder, &now) ? 0 : refresh(psv, etc, &x, err);
	if (r < 0) {
		index_free(&x);
		return r;
	}
	x.folder = now;
	/* Somebody may still be writing one of these in place. */
	for (size_t i = 0; i < x.n; i++)
		if (!x.v[i].stamp.inode)
			x.folder = (struct index_stamp){ 0 };
	*ret = x;
	return 0;
}

void index_merge(struct index *x, const struct index_record *own)
{
	struct index_record *r = index_find(x, own->name);
	uint32_t n_before;
	bool had_device, was_always, was_private, handed_over;

	if (!r)
		return;
	n_before = r->n_keys;
	had_device = r->has_device;
	was_always = r->always_read;
	was_private = r->is_private;
	handed_over = r->hands_over;
	for (size_t i = 0; i < own->n_keys; i++)
		add_key(r, own->keys[i]);
	r->has_device |= own->has_device;
	r->is_private |= own->is_private;
	r->hands_over |= own->hands_over;
	r->always_read |= own->always_read;
	x->changed |= r->n_keys != n_before || r->has_device != had_device || r->always_read != was_always ||
		      r->is_private != was_private || r->hands_over != handed_over;
}

bool index_may_collide(const struct index_record *a, const struct index_record *b)
{
	if (a->always_read || b->always_read || (a->has_device && b->has_device) ||
	    (a->hands_over && b->is_private) || (a->is_private && b->hands_over))
		return true;
	for (size_t i = 0; i < a->n_keys; i++)
		for (size_t j = 0; j < b->n_keys; j++)
			if (a->keys[i] == b->keys[j])
				return true;
	return false;
}

/* The temporary file, which only one process at a time writes; what a killed one left is taken over.  -1: not now. */
static int open_temporary(const char *path)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct stat mine, named;

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &mine) < 0)
		return -1;
	/* Renamed by the one before us, after we had opened it: that is the index now. */
	if (stat(path, &named) < 0 || mine.st_ino != named.st_ino || ftruncate(fd, 0) < 0)
		return -1;
	return steal_fd(&fd);
}

void index_save(const struct psv *psv, const struct index *x)
{
	struct header h = { .folder = x->folder };
	char path[PATH_MAX], tmp[PATH_MAX];
	_cleanup_close_ int fd = -1;

	if (!x->changed)
		return;
	index_path(psv, path);
	memcpy(h.magic, magic, sizeof(magic));
	if (!str_format(tmp, sizeof(tmp), "%s/.index.new", psv->run))
		return;
	fd = open_temporary(tmp);
	if (fd < 0)
		return;
	/* Not flushed: it need not outlive the boot. */
	if (fd_write_all(fd, &h, sizeof(h)) < 0 || fd_write_all(fd, x->v, x->n * sizeof(*x->v)) < 0 || rename(tmp, path) < 0)
		(void)unlink(tmp);
}

void index_free(struct index *x)
{
	records_free(x);
	*x = (struct index){ 0 };
}
