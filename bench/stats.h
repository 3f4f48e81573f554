/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all benchmarks say of a list of measurements: its median, and an interval that holds the true median with 95 %.  The
 * interval's ends are measurements themselves, by the ranks of the binomial distribution, so nothing is assumed of how
 * they are spread. */
#pragma once

#include <stddef.h>

/* The fewest measurements that an interval of 95 % can be said of. */
enum { STATS_MIN = 6 };

struct spread {
	double low, median, high;
};

/* spread_of: sorts the list.  Fewer than STATS_MIN: from the least to the most, which is less than 95 %.  n: at least 1. */
struct spread spread_of(double *list, size_t n);

/* quantile: the measurement at q (0 to 1) of a sorted list. */
double quantile(const double *sorted, size_t n, double q);
