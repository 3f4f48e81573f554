/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A growing string, a list of strings, and strict parsers.  Allocation failure ends the process with a message:
 * a command line tool has nothing better to do, and every change it makes is safe against being killed. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

void *xmalloc(size_t n);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n, size_t size);
char *xstrdup(const char *s);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A growing string; `{0}` is an empty one, buf may be NULL then.  strbuf_str() never returns NULL. */
struct strbuf {
	char *buf;
	size_t len, alloc;
};
void strbuf_add(struct strbuf *sb, const void *data, size_t len);
void strbuf_addstr(struct strbuf *sb, const char *s);
void strbuf_addf(struct strbuf *sb, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *strbuf_str(const struct strbuf *sb);
char *strbuf_steal(struct strbuf *sb); /* the caller frees; never NULL */
void strbuf_free(struct strbuf *sb);
#define _cleanup_strbuf_ __attribute__((cleanup(strbuf_free)))

/* A list of strings, kept NULL-terminated so that `v` can be an argument array; `{0}` is an empty one. */
struct strlist {
	char **v;
	size_t n;
};
void strlist_add(struct strlist *l, const char *s);                    /* copies s */
void strlist_addf(struct strlist *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool strlist_has(const struct strlist *l, const char *s);
bool strlist_remove(struct strlist *l, const char *s);                 /* true: it was there */
void strlist_split(struct strlist *l, const char *s, const char *sep); /* adds each non-empty word of s */
void strlist_free(struct strlist *l);
#define _cleanup_strlist_ __attribute__((cleanup(strlist_free)))

/* xsnprintf: like snprintf, and true if the whole text fitted. */
bool str_format(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
bool str_copy(char *buf, size_t size, const char *s); /* false: did not fit, buf is "" then */
bool str_starts(const char *s, const char *prefix);
/* str_distance: Levenshtein's distance, for guessing a mistyped word. */
unsigned str_distance(const char *a, const char *b);

/* Strict parsers: the whole string must be the number; no sign, no space, no overflow.  0 or -EINVAL / -ERANGE;
 * *ret is untouched on failure. */
int parse_u64(const char *s, uint64_t max, uint64_t *ret);
int parse_u32(const char *s, uint32_t max, uint32_t *ret);
/* parse_size: bytes, with an optional K, M, G, T (powers of 1024, upper or lower case). */
int parse_size(const char *s, uint64_t *ret_bytes);
/* parse_bool: yes/no, true/false, on/off, 1/0. */
int parse_bool(const char *s, bool *ret);
/* size_human: "1.5G" from bytes, into a static-size buffer of at least 16 bytes; returns buf. */
char *size_human(uint64_t bytes, char *buf, size_t size);
/* time_rfc3339: "2026-01-02T03:04:05Z" from seconds since the epoch, into a buffer of at least 32 bytes. */
char *time_rfc3339(int64_t seconds, char *buf, size_t size);
