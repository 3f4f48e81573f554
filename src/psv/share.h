/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shares of a Vsv: sections of its configuration, edited in place, and the folders behind them, which are made from inside
 * with rights that let the named users and groups read or write. */
#pragma once

#include <jansson.h>

#include "lib/str.h"

struct conf;
struct conf_share;
struct err;
struct inside_ref;
struct psv;

/* What to change; a share is new (share_add) or there already (share_set). */
struct share_edit {
	const char *name;
	const char *path;              /* NULL: as it is; of a new one: NAME in the first data volume, or in /srv */
	int smb, nfs;                  /* -1: as it is; of a new one: SMB */
	int read_only, guest, audit, recycle; /* -1: as it is; of a new one: no */
	const char *comment;           /* NULL: as it is; "": none */
	const char *squash, *sec, *anonymous_uid, *anonymous_gid; /* as the configuration has them; NULL: as they are */
	const struct strlist *clients; /* NULL: as it is; else the new list, where one "" alone is an empty one */
	const struct strlist *read;
	const struct strlist *write;
};

/* Each takes the Vsv's lock, and brings a running Vsv to the new configuration.  notice, if not NULL, gets what the
 * administrator should know besides ("the folder is there already: its rights stay as they are").
 * The configuration is written when everything that can be refused was refused. */
int share_add(const struct psv *psv, const char *server, const struct share_edit *edit, void (*notice)(const char *line),
	      struct err *err);
int share_set(const struct psv *psv, const char *server, const struct share_edit *edit, void (*notice)(const char *line),
	      struct err *err);
/* share_remove: ends what clients have open in it.  The folder and its data stay. */
int share_remove(const struct psv *psv, const char *server, const char *name, void (*notice)(const char *line),
		 struct err *err);

/* share_list: an array of {"name","path","protocols","read_only","guest","audit","recycle","comment","clients","read","write",
 * "squash","sec","export_id"}, of which the last three are null for a share without NFS; whether it
 * runs or not. */
int share_list(const struct psv *psv, const char *server, json_t **ret, struct err *err);

/* share_edit_text: the new text of a configuration; only the text is looked at.  NULL with words. */
char *share_edit_text(const char *text, const struct conf *conf, const struct share_edit *edit, struct err *err);

/* share_folders: makes the folders of shares that are not there yet, as after a share was added to a stopped Vsv.  Called
 * at the start, once commands run inside.  missing: of share_wants(), what is not there; NULL: it looks itself.
 * share_astray: says which shares NFS does not serve.  Nothing of them makes a start fail: what does not work is said by notice. */
void share_wants(const struct conf *conf, struct strlist *ret);
void share_folders(const struct conf *conf, const struct inside_ref *ref, const struct strlist *missing,
		   void (*notice)(const char *line));
void share_astray(const struct conf *conf, const struct inside_ref *ref, void (*notice)(const char *line));
