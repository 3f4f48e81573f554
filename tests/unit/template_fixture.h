/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Real templates for tests: of this machine's packages, in folders of the test's own. */
#pragma once

struct psv;
struct template;

/* fixture_require: skips where no template can be made.  From then on the test has a mount namespace of its own, and its
 * folder is memory. */
void fixture_require(void);
/* fixture_psv: a Psv whose folders are test_dir()/SUB/lib and …/run, with VNAS_PREFIX set to it. */
void fixture_psv(struct psv *psv, const char *sub);
/* fixture_init: a vnas-init (VNAS_LIBEXEC) that is one by its ELF header only; mark makes it another. */
void fixture_init(const char *mark);
/* fixture_build: template_build that must succeed. */
void fixture_build(const struct psv *psv, struct template *t);
