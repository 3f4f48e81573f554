/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The folder behind a share, made by programs inside. */
#pragma once

#include "lib/str.h"

struct conf_share;
struct err;
struct inside_ref;

/* Outcomes that are no errors. */
enum { FOLDER_MADE = 0, FOLDER_KEPT = 1, FOLDER_GRANTED = 2 };

/* share_folder_check: that every user and group of the share's lists is known inside.  0 or -ENOENT with words. */
int share_folder_check(const struct inside_ref *ref, const struct conf_share *s, struct err *err);
/* share_folder_make: makes the folder, or takes an empty one, and gives the rights (FOLDER_MADE).  One with something in it
 * keeps its own (FOLDER_KEPT), unless `old` says what the share was: then whom it names newly gets rights on the folder
 * itself, and whom it names no more loses them (FOLDER_GRANTED). */
int share_folder_make(const struct inside_ref *ref, const struct conf_share *s, const struct conf_share *old,
		      struct err *err);
#define SHARE_ASTRAY "a symbolic link leads from %s elsewhere, maybe off its volume"
/* share_folder_stays: the path of a share is its real one, as far as it is there: no link on it leads elsewhere.  -ENOTDIR
 * with words. */
int share_folder_stays(const struct inside_ref *ref, const char *path, struct err *err);
/* share_folder_acl: the entries for setfacl(1), each for the folder and as its default. */
void share_folder_acl(const struct conf_share *s, struct strbuf *ret);

/* share_folder_make_bin: the folder of the recycle bin, where each user's part of it is made; whatever ACL the share's folder
 * would hand on, everybody can make a folder there and nobody can take another's away. */
int share_folder_make_bin(const struct inside_ref *ref, const char *path, struct err *err);
