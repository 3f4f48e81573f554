/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What smbstatus --json says, read as the words of a tenant: another program may stand in its place, and names of files and
 * machines are its clients'. */
#pragma once

#include <jansson.h>
#include <stddef.h>

struct err;

/* smbstatus_parse: an array of sessions, as vnas(8) shows them:
 *   {"user","group","client","machine","dialect","signing","signing_cipher","encryption","encryption_cipher","pid",
 *    "shares":[{"name","since"}],"files":[{"share_path","path","access","since","locks":[{"type","start","size"}]}],
 *    "file_count","lock_count"}
 * Bounded: of what is more than a server can have the rest is left out, and of the files of a session beyond a thousand only
 * the number is kept.  0 or -EINVAL: the text holds no such object. */
int smbstatus_parse(const char *text, size_t len, json_t **ret, struct err *err);
