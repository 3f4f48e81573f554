/* SPDX-License-Identifier: GPL-2.0-or-later */
/* [share homes]: each user's own folder, made from inside. */
#pragma once

struct conf;
struct err;
struct inside_ref;

/* share_homes_make: the folder of one user, or of each who has none (NULL).  A folder that is there keeps its rights.
 * Nothing where there is no such share.  0 or -errno. */
int share_homes_make(const struct conf *conf, const struct inside_ref *ref, const char *user, struct err *err);
