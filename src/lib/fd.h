/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Descriptors and files.  All descriptors are close-on-exec; -1 is "none". */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

/* fd_write_all: writes all of it, over short writes and EINTR.  0 or -errno. */
int fd_write_all(int fd, const void *data, size_t len);

/* file_read_at: the whole file below dirfd (AT_FDCWD: the usual meaning), NUL-terminated, at most max_bytes.
 * The caller frees *ret.  0 or -errno; -EFBIG: larger than max_bytes; -EISDIR and kin: not a regular file. */
int file_read_at(int dirfd, const char *path, size_t max_bytes, char **ret, size_t *ret_len);

/* file_read_small: a line of /proc or /sys into buf, without its new line.  0 or -errno. */
int file_read_small(int dirfd, const char *path, char *buf, size_t size);

/* file_write_atomic_at: a temporary file beside it, fsync, rename, fsync of the folder: afterwards the old content or
 * the new one is there, never a part.  The temporary is `.PATH.new`; one left by a kill is overwritten.  0 or -errno. */
int file_write_atomic_at(int dirfd, const char *name, const void *data, size_t len, mode_t mode);

/* file_write_at: writes one value to an existing file of /proc, /sys or a cgroup.  0 or -errno. */
int file_write_at(int dirfd, const char *path, const char *value);

/* dir_make_path: makes every missing folder of an absolute path of the Psv's own.  0 or -errno. */
int dir_make_path(const char *path, mode_t mode);

/* dir_open: opens a folder, O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW.  Descriptor or -errno. */
int dir_open(int dirfd, const char *path);

/* dir_remove_tree_at: removes NAME and all below it, never crossing into another filesystem, never following a link.
 * 0 (also if it was not there) or -errno. */
int dir_remove_tree_at(int dirfd, const char *name);

/* fd_send, fd_recv: one message with up to max descriptors over a unix seqpacket socket.  fd_recv returns the length
 * (0: the other end is gone) or -errno; -EMSGSIZE: the message or its descriptors were cut, all were closed. */
int fd_send(int sock, const void *data, size_t len, const int *fds, size_t n_fds);
ssize_t fd_recv(int sock, void *data, size_t size, int *ret_fds, size_t max_fds, size_t *ret_n_fds, int flags);
