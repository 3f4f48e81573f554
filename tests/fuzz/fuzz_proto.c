/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages between the Psv and a PID 1 that lives among hostile processes. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "lib/cleanup.h"
#include "lib/str.h"
#include "vsv/proto.h"

/* Every byte that a checked message promises is there. */
static void touch_args(const void *msg, size_t fixed, uint32_t argc)
{
	_cleanup_free_ const char **args = xcalloc((size_t)argc + 1, sizeof(*args));
	size_t total = 0;

	proto_args(msg, fixed, argc, args);
	for (uint32_t i = 0; i < argc; i++)
		total += strlen(args[i]);
	if (args[argc] || total > PROTO_MESSAGE_MAX)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_free_ uint8_t *msg = xmalloc(len);
	struct proto_header h;

	memcpy(msg, data, len);
	if (proto_check(msg, len) < 0 && len >= sizeof(h)) {
		/* Magic and size are hard to guess. */
		memcpy(&h, msg, sizeof(h));
		h.magic = PROTO_MAGIC;
		h.size = (uint32_t)len;
		h.zero = 0;
		memcpy(msg, &h, sizeof(h));
	}
	switch (proto_check(msg, len)) {
	case PROTO_SERVICE_START: {
		struct proto_service_start *s = (void *)msg;

		touch_args(msg, sizeof(*s), s->argc);
		break;
	}
	case PROTO_SERVICE_ADD: {
		struct proto_service_add *s = (void *)msg;

		touch_args(msg, sizeof(*s), s->argc);
		if (strlen(s->user) >= PROTO_NAME_MAX)
			abort();
		break;
	}
	case PROTO_SERVICE_FRESH: {
		struct proto_service_fresh *s = (void *)msg;

		touch_args(msg, sizeof(*s), s->add.argc + s->n_folders + s->fresh_argc + s->n_env);
		break;
	}
	case PROTO_LOOK: {
		struct proto_look *l = (void *)msg;

		touch_args(msg, sizeof(*l), l->argc);
		break;
	}
	case PROTO_EXEC: {
		struct proto_exec *e = (void *)msg;

		touch_args(msg, sizeof(*e), e->argc);
		break;
	}
	case PROTO_EXEC_SEALED: {
		struct proto_exec_sealed *e = (void *)msg;

		if (!proto_name_ok(e->name) || e->flags & ~(uint32_t)PROTO_SERVICE_FILE_HANDLES)
			abort();
		break;
	}
	case PROTO_RESULT:
		if (strlen(((struct proto_result *)(void *)msg)->words) >= PROTO_WORDS_MAX)
			abort();
		break;
	default:
		break;
	}
	return 0;
}
