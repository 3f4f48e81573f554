/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The staged tree: a copy of the chosen files of /usr, with nothing in it but folders, plain files of mode 0755 and less,
 * and symbolic links.  Set-id bits, capabilities, owners and extended attributes are not copied.  Sources are opened
 * below /usr and never outside it: what the Psv's administrator moved elsewhere behind a link stays there. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/sys.h"
#include "psv/template-parts.h"

#define ALTERNATIVES "/etc/alternatives/"

static const char *const merged[] = { "bin", "sbin", "lib", "lib32", "lib64", "libx32" };

const char *path_below_usr(const char *path, char *buf, size_t size)
{
	if (str_starts(path, "/usr/"))
		return path + strlen("/usr/");
	for (size_t i = 0; i < sizeof(merged) / sizeof(*merged); i++) {
		size_t n = strlen(merged[i]);

		if (path[0] == '/' && strncmp(path + 1, merged[i], n) == 0 && path[n + 1] == '/')
			return str_copy(buf, size, path + 1) ? buf : NULL;
	}
	return NULL;
}

int folder_list(int dirfd, const char *path, DIR **ret)
{
	_cleanup_close_ int fd = dir_open(dirfd, path);

	if (fd < 0)
		return steal_fd(&fd);
	*ret = fdopendir(fd);
	if (!*ret)
		return -errno;
	(void)steal_fd(&fd); /* the DIR has it */
	return 0;
}

static int check_merged(struct err *err)
{
	char target[PATH_MAX];
	ssize_t n = readlink("/bin", target, sizeof(target) - 1);

	if (n == (ssize_t)strlen("usr/bin") && memcmp(target, "usr/bin", (size_t)n) == 0)
		return 0;
	(void)err_set(err, -EOPNOTSUPP, "/bin is not a link to usr/bin");
	return err_hint(err, -EOPNOTSUPP, "install the package usrmerge");
}

/* The folder of a path, made with all above it; the last component is left in *ret_base. */
static int make_parent(int dst_fd, const char *path, const char **ret_base)
{
	int fd = fcntl(dst_fd, F_DUPFD_CLOEXEC, 0);
	char name[NAME_MAX + 1];

	for (;;) {
		const char *slash = strchr(path, '/');
		int next;

		if (fd < 0)
			return -errno;
		if (!slash)
			break;
		if (slash == path || (size_t)(slash - path) > NAME_MAX) {
			(void)close(fd);
			return -EINVAL;
		}
		memcpy(name, path, (size_t)(slash - path));
		name[slash - path] = '\0';
		next = mkdirat(fd, name, 0755) < 0 && errno != EEXIST ? -1 :
			openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0) {
			int r = -errno;

			(void)close(fd);
			return r;
		}
		(void)close(fd);
		fd = next;
		path = slash + 1;
	}
	*ret_base = path;
	return fd;
}

static int copy_bytes(int in, int out)
{
	char buf[65536];
	ssize_t n;

	do
		n = copy_file_range(in, NULL, out, NULL, 1 << 30, 0);
	while (n > 0);
	if (n == 0)
		return 0;
	if (errno != EXDEV && errno != EINVAL && errno != EOPNOTSUPP && errno != ENOSYS)
		return -errno;
	while ((n = read(in, buf, sizeof(buf))) > 0) {
		int r = fd_write_all(out, buf, (size_t)n);

		if (r < 0)
			return r;
	}
	return n < 0 ? -errno : 0;
}

/* Copies an opened plain file to a path of the stage. */
static int copy_file(int in, int dst_fd, const char *path, struct err *err)
{
	_cleanup_close_ int dir = -1, out = -1;
	const char *base;
	struct stat st;
	int r;

	if (fstat(in, &st) < 0)
		return err_set(err, -errno, "cannot look at /usr/%s: %m", path);
	dir = make_parent(dst_fd, path, &base);
	if (dir == -ELOOP || dir == -ENOTDIR) /* its folder is a link: the file stands under its true path as well */
		return 0;
	if (dir < 0)
		return err_set(err, dir, "cannot make the folder of %s: %s", path, strerror(-dir));
	out = openat(dir, base, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0)
		return err_set(err, -errno, "cannot make %s: %m", path);
	r = copy_bytes(in, out);
	if (r < 0)
		return err_set(err, r, "cannot copy /usr/%s: %s", path, strerror(-r));
	if (fchmod(out, st.st_mode & 0755) < 0)
		return err_set(err, -errno, "cannot set the mode of %s: %m", path);
	return 0;
}

/* The target of a link as it shall stand in the template: alternatives are followed, because /etc/alternatives belongs to
 * the Psv.  false: the link is left out. */
static bool link_target(const char *from, char *target, size_t size)
{
	char buf[PATH_MAX];
	ssize_t n;

	if (!str_copy(target, size, from))
		return false;
	for (int depth = 0; str_starts(target, ALTERNATIVES); depth++) {
		n = depth < 8 ? readlink(target, buf, sizeof(buf) - 1) : -1;
		if (n < 0)
			return false;
		buf[n] = '\0';
		if (!str_copy(target, size, buf))
			return false;
	}
	return true;
}

static int copy_link(int link_fd, int dst_fd, const char *path, struct err *err)
{
	_cleanup_close_ int dir = -1;
	char raw[PATH_MAX], target[PATH_MAX];
	const char *base;
	ssize_t n = readlinkat(link_fd, "", raw, sizeof(raw) - 1);

	if (n < 0)
		return err_set(err, -errno, "cannot read the link /usr/%s: %m", path);
	raw[n] = '\0';
	if (!link_target(raw, target, sizeof(target)))
		return 0;
	dir = make_parent(dst_fd, path, &base);
	if (dir == -ELOOP || dir == -ENOTDIR)
		return 0;
	if (dir < 0)
		return err_set(err, dir, "cannot make the folder of %s: %s", path, strerror(-dir));
	if (symlinkat(target, dir, base) < 0)
		return err_set(err, -errno, "cannot make the link %s: %m", path);
	return 0;
}

static int stage_one(int src_fd, int dst_fd, const char *path, struct err *err)
{
	_cleanup_close_ int fd = -1, in = -1;
	struct stat st;

	fd = sys_openat2(src_fd, path, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == EXDEV))
		return 0; /* dpkg's path-exclude, or moved out of /usr by hand */
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, -errno, "cannot open /usr/%s: %m", path);
	if (S_ISLNK(st.st_mode))
		return copy_link(fd, dst_fd, path, err);
	if (!S_ISREG(st.st_mode)) /* folders come with what is in them; nothing else belongs there */
		return 0;
	in = sys_openat2(src_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
	if (in < 0)
		return err_set(err, -errno, "cannot open /usr/%s: %m", path);
	return copy_file(in, dst_fd, path, err);
}

/* is_staged: 1, 0 or -errno. */
static int is_staged(int dst_fd, const char *path, struct err *err)
{
	struct stat st;

	if (fstatat(dst_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	return errno == ENOENT || errno == ENOTDIR ? 0 : err_set(err, -errno, "cannot look at the staged %s: %m", path);
}

/* What update-alternatives made and no package lists: /usr/bin/awk.  Taken where its target was taken. */
static int stage_alternatives(int src_fd, int dst_fd, const char *folder, struct err *err)
{
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *e;
	int r = folder_list(src_fd, folder, &d);

	if (r < 0)
		return err_set(err, r, "cannot read /usr/%s: %s", folder, strerror(-r));
	for (errno = 0; (e = readdir(d)); errno = 0) {
		char raw[PATH_MAX], target[PATH_MAX], buf[PATH_MAX], path[PATH_MAX];
		const char *below;
		ssize_t n;

		if (e->d_type != DT_LNK && e->d_type != DT_UNKNOWN)
			continue;
		n = readlinkat(dirfd(d), e->d_name, raw, sizeof(raw) - 1);
		if (n < 0 && errno != EINVAL && errno != ENOENT)
			return err_set(err, -errno, "cannot read the link /usr/%s/%s: %m", folder, e->d_name);
		if (n < 0)
			continue;
		raw[n] = '\0';
		if (!str_starts(raw, ALTERNATIVES) || !link_target(raw, target, sizeof(target)))
			continue;
		below = path_below_usr(target, buf, sizeof(buf));
		r = below ? is_staged(dst_fd, below, err) : 0;
		if (r < 0)
			return r;
		if (r == 0)
			continue;
		if (!str_format(path, sizeof(path), "%s/%s", folder, e->d_name))
			continue;
		if (symlinkat(target, dst_fd, path) < 0 && errno != EEXIST)
			return err_set(err, -errno, "cannot make the link %s: %m", path);
	}
	return errno ? err_set(err, -errno, "cannot read /usr/%s: %m", folder) : 0;
}

/* The interpreter that a script's first line names, below /usr; NULL: it is no script, or names none that we understand. */
static const char *script_interpreter(int dir, const char *name, char *buf, size_t size)
{
	_cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char line[256], path[256], *word, *save;
	ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);

	if (n < 3 || line[0] != '#' || line[1] != '!')
		return NULL;
	line[n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	word = strtok_r(line + 2, " \t", &save);
	if (!word)
		return NULL;
	if (strcmp(word, "/usr/bin/env") == 0) {
		word = strtok_r(NULL, " \t", &save);
		return word && str_format(buf, size, "bin/%s", word) ? buf : NULL;
	}
	word = (char *)(uintptr_t)path_below_usr(word, path, sizeof(path));
	return word && str_copy(buf, size, word) ? buf : NULL;
}

/* Scripts whose interpreter is not in the template (samba-tool and its python) would only puzzle. */
static int drop_scripts(int dst_fd, const char *folder, struct err *err)
{
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *e;
	int r = folder_list(dst_fd, folder, &d);

	if (r < 0)
		return err_set(err, r, "cannot read the staged %s: %s", folder, strerror(-r));
	for (errno = 0; (e = readdir(d)); errno = 0) {
		char interpreter[256];

		if (!script_interpreter(dirfd(d), e->d_name, interpreter, sizeof(interpreter)))
			continue;
		r = is_staged(dst_fd, interpreter, err);
		if (r < 0)
			return r;
		if (r > 0)
			continue;
		if (unlinkat(dirfd(d), e->d_name, 0) < 0)
			return err_set(err, -errno, "cannot remove the staged %s: %m", e->d_name);
	}
	return errno ? err_set(err, -errno, "cannot read the staged %s: %m", folder) : 0;
}

int stage_files(int dst_fd, const struct strlist *files, struct err *err)
{
	static const char *const programs[] = { "bin", "sbin" };
	_cleanup_close_ int src = open("/usr", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = check_merged(err);

	if (r < 0)
		return r;
	if (src < 0)
		return err_set(err, -errno, "cannot open /usr: %m");
	for (size_t i = 0; i < files->n; i++) {
		r = stage_one(src, dst_fd, files->v[i], err);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++) {
		r = stage_alternatives(src, dst_fd, programs[i], err);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++) {
		r = drop_scripts(dst_fd, programs[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A dynamic program reads /etc/ld.so.preload, which is the tenant's, before it has confined itself. */
static int check_static(int fd, const char *path, struct err *err)
{
	Elf64_Ehdr head;
	Elf64_Phdr part;

	if (pread(fd, &head, sizeof(head), 0) != (ssize_t)sizeof(head) || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
	    head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_phentsize != sizeof(part))
		return err_set(err, -ENOEXEC, "%s is not a 64-bit ELF program", path);
	for (unsigned i = 0; i < head.e_phnum; i++) {
		if (pread(fd, &part, sizeof(part), (off_t)(head.e_phoff + i * sizeof(part))) != (ssize_t)sizeof(part))
			return err_set(err, -ENOEXEC, "%s is cut short", path);
		if (part.p_type == PT_INTERP)
			return err_set(err, -ENOEXEC, "%s is not linked statically", path);
	}
	return 0;
}

int stage_program(int dst_fd, const char *name, const char *path, struct err *err)
{
	_cleanup_close_ int in = open(path, O_RDONLY | O_CLOEXEC);
	char inside[NAME_MAX + 16];
	struct stat st;
	int r;

	if (in < 0)
		return err_set(err, -errno, "cannot open %s: %m", path);
	if (fstat(in, &st) < 0 || !S_ISREG(st.st_mode) || !(st.st_mode & 0111))
		return err_set(err, -ENOEXEC, "%s is not a program", path);
	r = check_static(in, path, err);
	if (r == 0 && !str_format(inside, sizeof(inside), "lib/vnas/%s", name))
		r = -ENAMETOOLONG;
	return r < 0 ? r : copy_file(in, dst_fd, inside, err);
}
