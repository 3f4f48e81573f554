/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which of two answers counts.  A total order, so that it does not hang on which attempt came first: from "there was nothing to try
 * it on" by clear refusals, errors that may be none, and "could not be tried", to success. */
#include <errno.h>
#include <stddef.h>

#include "verify/prober.h"

/* By which the gate, the filter, capabilities and namespaces say no; then those of the network, which may mean less. */
static const int mild[] = {
	ANSWER_NOTHING, -EPERM, -EACCES, -EADDRNOTAVAIL, -ESRCH, -EROFS, -ENOSYS, -ENOENT, -ENOTDIR, -ELOOP, -EXDEV, -ESTALE,
	-EAFNOSUPPORT, -EPROTONOSUPPORT, -ENOPROTOOPT, -EINVAL, -ECONNREFUSED, -EHOSTUNREACH, -ENETUNREACH,
};
/* Those that say nothing of rights. */
static const int severe[] = {
	-EEXIST, -EINTR, -ENOSPC, -ETIMEDOUT, -ENOBUFS, -EAGAIN, -ENFILE, -EMFILE, -ENOMEM, ANSWER_KILLED, ANSWER_SENT, 0,
};

enum { MILD = sizeof(mild) / sizeof(*mild), SEVERE = sizeof(severe) / sizeof(*severe), ERRORS = 4096 };

static int place(const int *list, int n, int answer)
{
	for (int i = 0; i < n; i++)
		if (list[i] == answer)
			return i;
	return -1;
}

/* rank: an error of neither list stands between them, by its number. */
static int rank(int answer)
{
	int at = place(mild, MILD, answer);

	if (at >= 0)
		return at;
	at = place(severe, SEVERE, answer);
	return at >= 0 ? MILD + ERRORS + at : MILD - answer;
}

int worse(int a, int b)
{
	return rank(a) >= rank(b) ? a : b;
}
