/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Labels: see psv/label.h for their form.
 *
 * An image begins with its label, a device ends with it.  In both the tenant cannot reach it: an image's loop device
 * begins behind it, a device's filesystem ends before it.  A device that was enlarged underneath us (lvextend) has its
 * label no longer at its end; it is then looked for right behind the end of the filesystem that the superblock tells,
 * which is as much out of a tenant's reach.  Nothing is ever looked for inside a filesystem. */
#include "psv/label.h"

#include <endian.h>
#include <errno.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/str.h"
#include "psv/crc32c.h"
#include "psv/superblock.h"

static const char magic[8] = { 'V', 'N', 'A', 'S', 'L', 'B', 'L', '1' };

enum {
	LABEL_VERSION = 1,
	AT_VERSION = 8,
	AT_CRC = 12,
	AT_CONF_BYTES = 16,
	AT_SEQUENCE = 24,
	AT_GENERATION = 32,
	AT_FS_OFFSET = 40,
	AT_FS_BYTES = 48,
	AT_LABEL_OFFSET = 56,
	AT_SERVER = 64,
	AT_ROLE = 104,
	AT_UUID = 144,
	AT_ZERO = 184,
	STRING_BYTES = 40,
	/* mkfs drops a last group or allocation group that is too small to be useful: never as much as this. */
	FS_END_SLACK = 8 * LABEL_BYTES,
};

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static uint64_t get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

static void put32(uint8_t *p, uint32_t v)
{
	v = htole32(v);
	memcpy(p, &v, sizeof(v));
}

static void put64(uint8_t *p, uint64_t v)
{
	v = htole64(v);
	memcpy(p, &v, sizeof(v));
}

static bool all_zero(const uint8_t *p, size_t len)
{
	while (len--)
		if (*p++)
			return false;
	return true;
}

static bool name_is_valid(const char *s, size_t max)
{
	size_t n = strlen(s);

	if (n == 0 || n > max)
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = s[i];
		bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (!alnum && (i == 0 || (c != '_' && c != '-')))
			return false;
	}
	return true;
}

static bool uuid_is_valid(const char *s)
{
	if (strlen(s) != 36)
		return false;
	for (size_t i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? s[i] != '-' : !strchr("0123456789abcdef", s[i]))
			return false;
	}
	return true;
}

static bool get_string(const uint8_t *p, char *buf, size_t size)
{
	const uint8_t *end = memchr(p, '\0', STRING_BYTES);
	size_t len;

	if (!end)
		return false;
	len = (size_t)(end - p);
	if (len >= size || !all_zero(end, STRING_BYTES - len))
		return false;
	memcpy(buf, p, len + 1);
	return true;
}

uint64_t label_offset(uint64_t fs_offset, uint64_t fs_bytes)
{
	return fs_offset ? 0 : fs_bytes;
}

static bool place_is_valid(uint64_t fs_offset, uint64_t fs_bytes)
{
	return (fs_offset == 0 || fs_offset == LABEL_BYTES) && fs_bytes && fs_bytes % LABEL_BYTES == 0 &&
	       fs_bytes <= INT64_MAX - 2 * LABEL_BYTES;
}

static uint32_t slot_crc(const uint8_t *slot, size_t conf_bytes)
{
	static const uint8_t zero[4];
	uint32_t crc = crc32c(~0u, slot, AT_CRC);

	crc = crc32c(crc, zero, sizeof(zero));
	return ~crc32c(crc, slot + AT_CRC + 4, LABEL_HEADER_BYTES + conf_bytes - AT_CRC - 4);
}

int label_parse(const uint8_t *slot, size_t len, uint64_t at, struct label *ret, uint64_t *ret_sequence)
{
	struct label l = { 0 };
	uint32_t conf_bytes;

	if (len < LABEL_HEADER_BYTES)
		return -EBADMSG;
	if (memcmp(slot, magic, sizeof(magic)) != 0)
		return 1;
	conf_bytes = get32(slot + AT_CONF_BYTES);
	if (get32(slot + AT_VERSION) != LABEL_VERSION || conf_bytes > LABEL_CONF_MAX ||
	    conf_bytes > len - LABEL_HEADER_BYTES || get32(slot + AT_CRC) != slot_crc(slot, conf_bytes))
		return -EBADMSG;
	l.generation = get64(slot + AT_GENERATION);
	l.fs_offset = get64(slot + AT_FS_OFFSET);
	l.fs_bytes = get64(slot + AT_FS_BYTES);
	if (!place_is_valid(l.fs_offset, l.fs_bytes) || label_offset(l.fs_offset, l.fs_bytes) != at ||
	    get64(slot + AT_LABEL_OFFSET) != at || get64(slot + AT_SEQUENCE) == UINT64_MAX ||
	    !get_string(slot + AT_SERVER, l.server, sizeof(l.server)) || !name_is_valid(l.server, VSV_NAME_MAX) ||
	    !get_string(slot + AT_ROLE, l.role, sizeof(l.role)) || !name_is_valid(l.role, VOLUME_NAME_MAX) ||
	    !get_string(slot + AT_UUID, l.uuid, sizeof(l.uuid)) || !uuid_is_valid(l.uuid) ||
	    get32(slot + AT_CONF_BYTES + 4) != 0 || !all_zero(slot + AT_ZERO, LABEL_HEADER_BYTES - AT_ZERO) ||
	    memchr(slot + LABEL_HEADER_BYTES, '\0', conf_bytes))
		return -EBADMSG;
	l.conf = xmalloc((size_t)conf_bytes + 1);
	memcpy(l.conf, slot + LABEL_HEADER_BYTES, conf_bytes);
	l.conf[conf_bytes] = '\0';
	*ret = l;
	*ret_sequence = get64(slot + AT_SEQUENCE);
	return 0;
}

int label_build(const struct label *l, uint64_t sequence, uint8_t **ret, size_t *ret_len)
{
	size_t conf_bytes = l->conf ? strlen(l->conf) : 0, len;
	uint8_t *slot;

	if (!place_is_valid(l->fs_offset, l->fs_bytes) || !name_is_valid(l->server, VSV_NAME_MAX) ||
	    !name_is_valid(l->role, VOLUME_NAME_MAX) || !uuid_is_valid(l->uuid))
		return -EINVAL;
	if (conf_bytes > LABEL_CONF_MAX)
		return -EFBIG;
	len = (LABEL_HEADER_BYTES + conf_bytes + LABEL_HEADER_BYTES - 1) / LABEL_HEADER_BYTES * LABEL_HEADER_BYTES;
	slot = xcalloc(1, len);
	memcpy(slot, magic, sizeof(magic));
	put32(slot + AT_VERSION, LABEL_VERSION);
	put32(slot + AT_CONF_BYTES, (uint32_t)conf_bytes);
	put64(slot + AT_SEQUENCE, sequence);
	put64(slot + AT_GENERATION, l->generation);
	put64(slot + AT_FS_OFFSET, l->fs_offset);
	put64(slot + AT_FS_BYTES, l->fs_bytes);
	put64(slot + AT_LABEL_OFFSET, label_offset(l->fs_offset, l->fs_bytes));
	memcpy(slot + AT_SERVER, l->server, strlen(l->server));
	memcpy(slot + AT_ROLE, l->role, strlen(l->role));
	memcpy(slot + AT_UUID, l->uuid, strlen(l->uuid));
	if (conf_bytes)
		memcpy(slot + LABEL_HEADER_BYTES, l->conf, conf_bytes);
	put32(slot + AT_CRC, slot_crc(slot, conf_bytes));
	*ret = slot;
	*ret_len = len;
	return 0;
}

int fd_size(int fd, uint64_t *ret_bytes)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISBLK(st.st_mode))
		return ioctl(fd, BLKGETSIZE64, ret_bytes) < 0 ? -errno : 0;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	*ret_bytes = (uint64_t)st.st_size;
	return 0;
}

static int read_all_at(int fd, uint8_t *buf, size_t len, uint64_t offset)
{
	while (len) {
		ssize_t n = pread(fd, buf, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENODATA;
		buf += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

static int write_all_at(int fd, const uint8_t *buf, size_t len, uint64_t offset)
{
	while (len) {
		ssize_t n = pwrite(fd, buf, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		buf += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

/* The header first: a configuration is rarely longer than another block. */
static int read_slot(int fd, uint64_t label_at, unsigned i, struct label *ret, uint64_t *ret_sequence)
{
	_cleanup_free_ uint8_t *slot = xmalloc(LABEL_SLOT_BYTES);
	uint64_t offset = label_at + (uint64_t)i * LABEL_SLOT_BYTES;
	size_t len = LABEL_HEADER_BYTES;
	uint32_t conf_bytes;
	int r;

	r = read_all_at(fd, slot, len, offset);
	if (r < 0)
		return r;
	conf_bytes = get32(slot + AT_CONF_BYTES);
	if (memcmp(slot, magic, sizeof(magic)) == 0 && conf_bytes <= LABEL_CONF_MAX) {
		r = read_all_at(fd, slot + len, conf_bytes, offset + len);
		if (r < 0)
			return r;
		len += conf_bytes;
	}
	return label_parse(slot, len, label_at, ret, ret_sequence);
}

/* 0, with the newest copy; 1: both slots are blank; -EBADMSG: there is a label, and no copy is whole. */
static int read_at(int fd, uint64_t label_at, struct label *ret, uint64_t *ret_sequence)
{
	struct label best = { 0 };
	uint64_t best_sequence = 0;
	bool found = false, damaged = false;

	for (unsigned i = 0; i < LABEL_SLOTS; i++) {
		struct label l = { 0 };
		uint64_t sequence;
		int r = read_slot(fd, label_at, i, &l, &sequence);

		if (r < 0 && r != -EBADMSG) {
			label_free(&best);
			return r;
		}
		damaged |= r == -EBADMSG;
		if (r != 0)
			continue;
		if (found && sequence <= best_sequence) {
			label_free(&l);
			continue;
		}
		label_free(&best);
		best = l;
		best_sequence = sequence;
		found = true;
	}
	if (!found)
		return damaged ? -EBADMSG : 1;
	*ret = best;
	*ret_sequence = best_sequence;
	return 0;
}

/* A device that was enlarged: right behind the filesystem. */
static int read_behind_fs(int fd, uint64_t size_bytes, struct label *ret, uint64_t *ret_sequence)
{
	struct superblock sb;
	uint64_t from;

	if (superblock_read(fd, 0, &sb) != 0 || sb.bytes > size_bytes)
		return 1;
	from = (sb.bytes + LABEL_BYTES - 1) / LABEL_BYTES * LABEL_BYTES;
	for (uint64_t at = from; at <= from + FS_END_SLACK && at + LABEL_BYTES <= size_bytes; at += LABEL_BYTES) {
		int r = read_at(fd, at, ret, ret_sequence);

		if (r != 1)
			return r;
	}
	return 1;
}

static int label_find(int fd, struct label *ret, uint64_t *ret_sequence)
{
	uint64_t size_bytes;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	r = fd_size(fd, &size_bytes);
	if (r < 0)
		return r;
	if (size_bytes < 2 * LABEL_BYTES)
		return 1;
	if (S_ISREG(st.st_mode))
		return read_at(fd, 0, ret, ret_sequence);
	r = read_at(fd, size_bytes / LABEL_BYTES * LABEL_BYTES - LABEL_BYTES, ret, ret_sequence);
	if (r == 1)
		return read_behind_fs(fd, size_bytes, ret, ret_sequence);
	return r;
}

int label_read(int fd, struct label *ret, struct err *err)
{
	uint64_t sequence;
	int r = label_find(fd, ret, &sequence);

	if (r == -EBADMSG)
		return err_set(err, r, "the label is damaged: neither of its copies has the right checksum");
	if (r < 0)
		return err_set(err, r, "cannot read the label: %m");
	return r;
}

int label_write(int fd, const struct label *l, struct err *err)
{
	uint64_t at = label_offset(l->fs_offset, l->fs_bytes), sequence = 0, size_bytes;
	_cleanup_free_ uint8_t *slot = NULL;
	struct label old = { 0 };
	size_t len;
	int r;

	r = fd_size(fd, &size_bytes);
	if (r == 0 && (!place_is_valid(l->fs_offset, l->fs_bytes) || l->fs_bytes + LABEL_BYTES > size_bytes))
		r = -ERANGE;
	if (r == 0)
		r = read_at(fd, at, &old, &sequence);
	label_free(&old);
	if (r < 0 && r != -EBADMSG)
		return err_set(err, r, "cannot write the label: %m");
	sequence++;
	r = label_build(l, sequence, &slot, &len);
	if (r == -EFBIG)
		return err_set(err, r, "the configuration is longer than the %u bytes that a label holds",
			       (unsigned)LABEL_CONF_MAX);
	if (r < 0)
		return err_set(err, r, "cannot write the label: a name or the UUID is not valid");
	r = write_all_at(fd, slot, len, at + sequence % LABEL_SLOTS * LABEL_SLOT_BYTES);
	if (r == 0 && fdatasync(fd) < 0)
		r = -errno;
	return r < 0 ? err_set(err, r, "cannot write the label: %m") : 0;
}

int label_erase(int fd, uint64_t offset, struct err *err)
{
	_cleanup_free_ uint8_t *zero = xcalloc(1, LABEL_BYTES);
	int r = write_all_at(fd, zero, LABEL_BYTES, offset);

	if (r == 0 && fdatasync(fd) < 0)
		r = -errno;
	return r < 0 ? err_set(err, r, "cannot erase the label: %m") : 0;
}

void label_free(struct label *l)
{
	free(l->conf);
	*l = (struct label){ 0 };
}
