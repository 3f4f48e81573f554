/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vsv/health.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/sys.h"
#include "vsv/small.h"

enum { LINE_BYTES = 2048, SECTOR_BYTES = 512 };

const char *health_words(enum health what)
{
	static const char *const words[] = {
		[HEALTH_READ_ONLY] = "its file system turned read-only after an error",
		[HEALTH_SHUT_DOWN] = "its file system gave up after an error",
		[HEALTH_DEVICE_GONE] = "its device is gone",
		[HEALTH_IMAGE_GONE] = "its image was deleted: what is on it ends with the next stop",
		[HEALTH_CUT_SHORT] = "its image was cut short",
	};

	return words[what];
}

/* has_option: one of a list that is separated by commas. */
static bool has_option(const char *options, const char *wanted)
{
	size_t n = strlen(wanted);

	for (const char *p = options; p; p = strchr(p, ','), p = p ? p + 1 : NULL)
		if (strncmp(p, wanted, n) == 0 && (p[n] == ',' || p[n] == '\0'))
			return true;
	return false;
}

/* sysfs_read: a file below /sys/dev/block/MAJOR:MINOR, without its newline.  Length or -errno. */
static ssize_t sysfs_read(dev_t rdev, const char *name, char *buf, size_t size)
{
	_cleanup_close_ int fd = -1;
	char path[96];
	struct text t = TEXT(path);
	ssize_t n;

	text_add(&t, "/sys/dev/block/");
	text_u64(&t, major(rdev));
	text_add(&t, ":");
	text_u64(&t, minor(rdev));
	text_add(&t, "/");
	text_add(&t, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, buf, size - 1);
	if (n < 0)
		return -errno;
	if (n > 0 && buf[n - 1] == '\n')
		n--;
	buf[n] = '\0';
	return n;
}

/* device_state: 1: *ret says what is wrong.  A loop device's size stays what it was, whatever becomes of its file. */
static int device_state(dev_t rdev, enum health *ret)
{
	static const char deleted[] = " (deleted)";
	char buf[LINE_BYTES];
	uint64_t sectors = 0, offset = 0;
	struct stat st;
	ssize_t n = sysfs_read(rdev, "size", buf, sizeof(buf));

	if (n < 0 || decimal(buf, UINT64_MAX, &sectors) < 0 || sectors == 0) {
		*ret = HEALTH_DEVICE_GONE;
		return n < 0 && n != -ENOENT && n != -ENODEV && n != -ENXIO ? 0 : 1;
	}
	if (sysfs_read(rdev, "loop/offset", buf, sizeof(buf)) < 0 || decimal(buf, UINT64_MAX, &offset) < 0)
		return 0;
	n = sysfs_read(rdev, "loop/backing_file", buf, sizeof(buf));
	if (n <= 0)
		return 0;
	*ret = HEALTH_IMAGE_GONE;
	if ((size_t)n >= sizeof(deleted) && strcmp(buf + n - (sizeof(deleted) - 1), deleted) == 0)
		return 1;
	/* Seen from elsewhere its path can be another one: then nothing is said. */
	if (stat(buf, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	*ret = HEALTH_CUT_SHORT;
	return (uint64_t)st.st_size < offset + sectors * SECTOR_BYTES;
}

/* root_fails: XFS says of itself that it gave up only by answering everything so.  Nothing of it is opened. */
static bool root_fails(int root_fd, const char *mount)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (root_fd < 0)
		return false;
	while (*mount == '/')
		mount++;
	fd = sys_openat2(root_fd, *mount ? mount : ".", O_PATH | O_DIRECTORY | O_CLOEXEC, 0,
			 RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
	return fd < 0 ? errno == EIO : fstat(fd, &st) < 0 && errno == EIO;
}

/* cut: the next word of a line, which is ended there; NULL: none. */
static char *cut(char **p)
{
	char *word = *p;

	if (!word)
		return NULL;
	*p = strchr(word, ' ');
	if (*p)
		*(*p)++ = '\0';
	return word;
}

static int parse_rdev(char *text, dev_t *ret)
{
	char *colon = strchr(text, ':');
	uint64_t maj, min;

	if (!colon)
		return -EINVAL;
	*colon = '\0';
	if (decimal(text, UINT32_MAX, &maj) < 0 || decimal(colon + 1, UINT32_MAX, &min) < 0)
		return -EINVAL;
	*ret = makedev((unsigned)maj, (unsigned)min);
	return 0;
}

/* The device that was looked at last: a root volume is mounted in five places, one after the other, and a thousand
 * supervisors look every few seconds. */
struct seen {
	dev_t rdev;
	bool known;
	int wrong; /* device_state() */
	enum health what;
};

static int device_state_once(dev_t rdev, struct seen *seen, enum health *ret)
{
	if (!seen->known || seen->rdev != rdev) {
		*seen = (struct seen){ .rdev = rdev, .known = true };
		seen->wrong = device_state(rdev, &seen->what);
	}
	*ret = seen->what;
	return seen->wrong;
}

static int line_state(char *line, int root_fd, struct seen *seen, struct health_row *ret)
{
	struct health_row row;
	char *p = line, *dev, *mount, *type, *options, *word;
	bool xfs;

	(void)cut(&p);
	(void)cut(&p);
	dev = cut(&p);
	(void)cut(&p);
	mount = cut(&p);
	/* Optional fields, and the hyphen that ends them. */
	do
		word = cut(&p);
	while (word && strcmp(word, "-") != 0);
	type = cut(&p);
	(void)cut(&p);
	options = cut(&p);
	if (!dev || !mount || !type || !options || parse_rdev(dev, &row.rdev) < 0)
		return 0;
	xfs = strcmp(type, "xfs") == 0;
	if (!xfs && strcmp(type, "ext4") != 0)
		return 0;
	copy_str(row.mount, sizeof(row.mount), mount);
	/* The cause before what follows from it.  Since Linux 6.15 ext4 has a word of its own for read-only by an error. */
	if (device_state_once(row.rdev, seen, &row.what) == 0) {
		if (has_option(options, "shutdown") || (xfs && root_fails(root_fd, mount)))
			row.what = HEALTH_SHUT_DOWN;
		else if (has_option(options, "ro") || has_option(options, "emergency_ro"))
			row.what = HEALTH_READ_ONLY;
		else
			return 0;
	}
	*ret = row;
	return 1;
}

int health_line(char *line, int root_fd, struct health_row *ret)
{
	struct seen seen = { 0 };

	return line_state(line, root_fd, &seen, ret);
}

static size_t add_row(struct health_row *rows, size_t n, size_t max, const struct health_row *row)
{
	for (size_t i = 0; i < n; i++)
		if (rows[i].rdev == row->rdev)
			return n;
	if (n == max)
		return n;
	rows[n] = *row;
	return n + 1;
}

static int open_proc(pid_t pid, const char *name, int flags)
{
	char path[64];
	struct text t = TEXT(path);

	text_add(&t, "/proc/");
	text_u64(&t, (uint64_t)pid);
	text_add(&t, name);
	return open(path, flags | O_CLOEXEC);
}

int health_read(pid_t init_pid, struct health_row *ret, size_t max)
{
	_cleanup_close_ int fd = open_proc(init_pid, "/mountinfo", O_RDONLY);
	_cleanup_close_ int root = fd < 0 ? -1 : open_proc(init_pid, "/root", O_PATH | O_DIRECTORY);
	char buf[LINE_BYTES], *end;
	struct seen seen = { 0 };
	size_t len = 0, n = 0;
	bool skip = false; /* the rest of a line that is too long: an overlay's, no volume's */
	ssize_t got;

	if (fd < 0)
		return -errno;
	while ((got = read(fd, buf + len, sizeof(buf) - len)) > 0) {
		char *p = buf;

		len += (size_t)got;
		while ((end = memchr(p, '\n', len - (size_t)(p - buf)))) {
			struct health_row row;

			*end = '\0';
			if (!skip && line_state(p, root, &seen, &row) == 1)
				n = add_row(ret, n, max, &row);
			skip = false;
			p = end + 1;
		}
		len -= (size_t)(p - buf);
		memmove(buf, p, len);
		if (len == sizeof(buf)) {
			skip = true;
			len = 0;
		}
	}
	return got < 0 ? -errno : (int)n;
}
