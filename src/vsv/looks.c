/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vsv/looks.h"

bool looks_round(struct looks *l, uint64_t now)
{
	if (!now || now == l->wrong)
		return false;
	if (!l->sound)
		l->sound = now;
	l->wrong = now == l->sound ? 0 : now;
	return l->wrong != 0;
}

bool looks_after(struct looks *l, uint64_t now, bool done)
{
	/* What went between the reassertion's end and the look is not to be seen in it: so a second one has to leave the same. */
	bool again = done && now && now != l->sound && now != l->after;

	if (!done && now)
		l->wrong = now;
	if (done && now && !again) {
		*l = (struct looks){ .sound = now };
	} else if (again) {
		l->after = now;
		l->wrong = 0;
	}
	return again;
}
