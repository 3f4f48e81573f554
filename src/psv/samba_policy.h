/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rules for passwords: [directory] says them, Samba's data base of accounts holds them and keeps them. */
#pragma once

struct conf;
struct err;
struct inside_ref;
struct psv;

/* samba_policy_apply: brings the data base to the configuration; runs nothing where it is so already.  What the configuration
 * never said stays as it is there, so that an adopted volume keeps its rules.  0 or -errno. */
int samba_policy_apply(const struct psv *psv, const struct conf *conf, const struct inside_ref *ref, struct err *err);
/* samba_policy_check: what Samba asks of its users but not of its root: a password that an administrator gives.  0 or
 * -EINVAL. */
int samba_policy_check(const struct conf *conf, const char *password, struct err *err);
