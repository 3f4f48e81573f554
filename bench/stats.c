/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "stats.h"

#include <math.h>
#include <stdlib.h>

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double quantile(const double *sorted, size_t n, double q)
{
	return sorted[(size_t)(q * (double)(n - 1) + 0.5)];
}

/* The highest rank (from 0) of which, by the binomial distribution, the true median lies below with at most 2.5 %. */
static size_t low_rank(size_t n)
{
	double log_term = -(double)n * log(2), sum = exp(log_term);
	size_t k = 0;

	while (k + 1 < n / 2) {
		log_term += log((double)(n - k)) - log((double)(k + 1));
		sum += exp(log_term);
		if (sum > 0.025)
			break;
		k++;
	}
	return k;
}

struct spread spread_of(double *list, size_t n)
{
	size_t low = low_rank(n);

	qsort(list, n, sizeof(*list), by_value);
	return (struct spread){
		.low = list[low],
		.median = n % 2 ? list[n / 2] : (list[n / 2 - 1] + list[n / 2]) / 2,
		.high = list[n - 1 - low],
	};
}
