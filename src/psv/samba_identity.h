/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine SID of a Vsv, which its NT ACLs and its clients know it by. */
#pragma once

struct conf;
struct inside_ref;
struct psv;

/* samba_identity_keep: Samba keeps the SID under the NetBIOS name and makes a new one for a new name; this hands the old
 * one on.  Called before smbd is started.  Nothing of it makes a start fail: what does not work is said by notice, and
 * tried again at the next start. */
void samba_identity_keep(const struct psv *psv, const struct conf *conf, const struct inside_ref *ref,
			 void (*notice)(const char *line));
