/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RUN/NAME/state.json.  Supervisors outlive an upgrade of the tools, so members are only ever added, those that are not
 * known are passed over, and those that were added later have a default. */
#include "psv/psv.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/process.h"

enum { STATE_MAX_BYTES = 1024 * 1024, STATE_MAX_ADDRESSES = 1024 };

static const char *const phase_names[] = {
	[VSV_STOPPED] = "stopped", [VSV_STARTING] = "starting", [VSV_RUNNING] = "running",
	[VSV_STOPPING] = "stopping", [VSV_FAILED] = "failed",
};
enum { N_PHASES = sizeof(phase_names) / sizeof(*phase_names) };

static void cleanup_json(json_t **j)
{
	json_decref(*j);
}

static void cleanup_state(struct state *st)
{
	state_free(st);
}

const char *vsv_phase_name(enum vsv_phase p)
{
	return (unsigned)p < N_PHASES ? phase_names[p] : "unknown";
}

void state_free(struct state *st)
{
	free(st->addresses);
	free(st->volumes);
	free(st->failure);
	*st = (struct state){ 0 };
}

/* The kernel's boot does not change while a command runs. */
static int boot_id(const char **ret, struct err *err)
{
	static const char path[] = "/proc/sys/kernel/random/boot_id";
	static char id[40];
	int r = *id ? 0 : file_read_small(AT_FDCWD, path, id, sizeof(id));

	/* No guess: what is wrongly taken for another boot's is forgotten while it runs. */
	if (r < 0)
		return err_set(err, r, "cannot read %s: %m", path);
	*ret = id;
	return 0;
}

static void state_path(const struct psv *psv, const char *name, char buf[PATH_MAX])
{
	(void)str_format(buf, PATH_MAX, "%s/%s/state.json", psv->run, name);
}

/* Strict readers: a member that is not there leaves the target as it is; one that is of the wrong kind or does not fit
 * makes the file a damaged one. */

struct reader {
	const json_t *object;
	const char *wrong; /* the first member that is wrong */
};

static const json_t *member(struct reader *r, const char *key, bool (*is_kind)(const json_t *))
{
	const json_t *j = json_object_get(r->object, key);

	if (j && !is_kind(j)) {
		r->wrong = r->wrong ? r->wrong : key;
		return NULL;
	}
	return j;
}

static bool is_string(const json_t *j) { return json_is_string(j); }
static bool is_integer(const json_t *j) { return json_is_integer(j); }
static bool is_boolean(const json_t *j) { return json_is_boolean(j); }
static bool is_array(const json_t *j) { return json_is_array(j); }

static void read_text(struct reader *r, const char *key, char *buf, size_t size)
{
	const json_t *j = member(r, key, is_string);

	if (j && !str_copy(buf, size, json_string_value(j)))
		r->wrong = r->wrong ? r->wrong : key;
}

static int64_t read_integer(struct reader *r, const char *key, int64_t max)
{
	const json_t *j = member(r, key, is_integer);
	int64_t v = j ? json_integer_value(j) : 0;

	if (v >= 0 && v <= max)
		return v;
	r->wrong = r->wrong ? r->wrong : key;
	return 0;
}

static void read_phase(struct reader *r, enum vsv_phase *ret)
{
	const char *text = json_string_value(json_object_get(r->object, "phase"));

	for (size_t i = 0; text && i < N_PHASES; i++) {
		if (strcmp(text, phase_names[i]) != 0)
			continue;
		*ret = (enum vsv_phase)i;
		return;
	}
	r->wrong = r->wrong ? r->wrong : "phase";
}

static void read_address(struct reader *outer, const json_t *object, struct state_address *ret)
{
	struct reader r = { .object = object };
	char addr[IPADDR_STR_MAX] = "";
	const json_t *added;

	read_text(&r, "address", addr, sizeof(addr));
	read_text(&r, "interface", ret->a.interface, sizeof(ret->a.interface));
	ret->ifindex = (uint32_t)read_integer(&r, "ifindex", INT32_MAX);
	ret->a.prefix = (uint8_t)read_integer(&r, "prefix", 128);
	added = member(&r, "added", is_boolean);
	ret->added = added && json_is_true(added);
	if (r.wrong || ipaddr_parse(addr, &ret->a.addr) < 0 || ret->a.prefix > ipaddr_len(&ret->a.addr) * 8)
		outer->wrong = outer->wrong ? outer->wrong : "addresses";
}

static void read_addresses(struct reader *r, struct state *st)
{
	const json_t *list = member(r, "addresses", is_array), *item;
	size_t n = list ? json_array_size(list) : 0, i;

	if (n > STATE_MAX_ADDRESSES) {
		r->wrong = "addresses";
		return;
	}
	if (n == 0)
		return;
	st->addresses = xcalloc(n, sizeof(*st->addresses));
	st->n_addresses = n;
	json_array_foreach(list, i, item)
		read_address(r, item, &st->addresses[i]);
}

static void read_volumes(struct reader *r, struct state *st)
{
	const json_t *list = member(r, "volumes", is_array), *item;
	size_t n = list ? json_array_size(list) : 0, i;

	if (n > STATE_MAX_ADDRESSES) {
		r->wrong = "volumes";
		return;
	}
	st->volumes = n ? xcalloc(n, sizeof(*st->volumes)) : NULL;
	st->n_volumes = n;
	json_array_foreach(list, i, item) {
		struct reader v = { .object = item };

		read_text(&v, "name", st->volumes[i].name, sizeof(st->volumes[i].name));
		st->volumes[i].rdev = makedev((unsigned)read_integer(&v, "major", UINT32_MAX),
					      (unsigned)read_integer(&v, "minor", UINT32_MAX));
		if (v.wrong || !*st->volumes[i].name)
			r->wrong = r->wrong ? r->wrong : "volumes";
	}
}

static void read_link(struct reader *outer, struct state *st)
{
	const json_t *object = json_object_get(outer->object, "link"), *was_up;
	struct reader r = { .object = object };
	char kind[16] = "";

	if (!object)
		return;
	read_text(&r, "kind", kind, sizeof(kind));
	read_text(&r, "parent", st->link.interface, sizeof(st->link.interface));
	read_text(&r, "host_interface", st->link.host, sizeof(st->link.host));
	was_up = member(&r, "was_up", is_boolean);
	st->link.was_up = was_up && json_is_true(was_up);
	for (enum conf_link k = CONF_LINK_MACVLAN; k <= CONF_LINK_INTERFACE; k++)
		if (strcmp(kind, conf_link_name(k)) == 0)
			st->link.kind = k;
	if (r.wrong || !*st->link.interface || st->link.kind == CONF_LINK_AUTO)
		outer->wrong = outer->wrong ? outer->wrong : "link";
}

static const char *read_object(const json_t *object, struct state *st)
{
	struct reader r = { .object = object };
	const json_t *failure;

	read_phase(&r, &st->phase);
	read_text(&r, "boot_id", st->boot_id, sizeof(st->boot_id));
	if (!*st->boot_id)
		r.wrong = r.wrong ? r.wrong : "boot_id";
	read_text(&r, "step", st->step, sizeof(st->step));
	read_text(&r, "template", st->template_name, sizeof(st->template_name));
	st->since = read_integer(&r, "since", INT64_MAX);
	st->id = (uint32_t)read_integer(&r, "id", 65535);
	st->generation = (uint64_t)read_integer(&r, "generation", INT64_MAX);
	st->log_bytes = (uint64_t)read_integer(&r, "log_bytes", INT64_MAX);
	st->syslog = (unsigned)read_integer(&r, "syslog", 23);
	st->init_pid = (pid_t)read_integer(&r, "init_pid", INT32_MAX);
	st->init_start = (uint64_t)read_integer(&r, "init_start", INT64_MAX);
	st->supervisor_pid = (pid_t)read_integer(&r, "supervisor_pid", INT32_MAX);
	st->supervisor_start = (uint64_t)read_integer(&r, "supervisor_start", INT64_MAX);
	read_link(&r, st);
	read_addresses(&r, st);
	read_volumes(&r, st);
	failure = member(&r, "failure", is_string);
	if (failure)
		st->failure = xstrdup(json_string_value(failure));
	return r.wrong;
}

static int damaged(const char *path, const char *name, const char *what, struct err *err)
{
	(void)err_set(err, -EBADMSG, "the state file %s is damaged: %.200s", path, what);
	return err_hint(err, -EBADMSG, "'vnas stop %s' takes down what is left of it and removes it", name);
}

int state_parse(const char *text, size_t len, const char *path, const char *name, struct state *ret, struct err *err)
{
	_cleanup_(cleanup_state) struct state st = { 0 };
	_cleanup_(cleanup_json) json_t *object = NULL;
	const char *wrong;
	json_error_t e;
	char what[64];

	object = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
	if (!object)
		return damaged(path, name, e.text, err);
	if (!json_is_object(object))
		return damaged(path, name, "it is no JSON object", err);
	wrong = read_object(object, &st);
	if (wrong) {
		(void)str_format(what, sizeof(what), "its \"%s\" is wrong or missing", wrong);
		return damaged(path, name, what, err);
	}
	*ret = st;
	st = (struct state){ 0 };
	return 0;
}

/* without_lists: the text's new length.  state_text has the lists last. */
static size_t without_lists(char *text, size_t len)
{
	static const char first[] = ",\"addresses\":[";
	char *p = memmem(text, len, first, sizeof(first) - 1);

	if (!p)
		return len;
	*p = '}';
	return (size_t)(p - text) + 1;
}

static int read_state(const struct psv *psv, const char *name, bool whole, struct state *ret, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	const char *now;
	char path[PATH_MAX];
	size_t len;
	int r = conf_name_check(name, err);

	if (r < 0)
		return r;
	state_path(psv, name, path);
	r = file_read_at(AT_FDCWD, path, STATE_MAX_BYTES, &text, &len);
	if (r == -ENOENT) {
		*ret = (struct state){ 0 };
		return 0;
	}
	if (r == -EFBIG)
		return damaged(path, name, "it is larger than 1 MiB", err);
	if (r == -EACCES)
		return err_exit(err, VNAS_EXIT_NOT_PERMITTED, r, "cannot read %s: %m", path);
	if (r < 0)
		return err_set(err, r, "cannot read %s: %m", path);
	r = boot_id(&now, err);
	if (r == 0)
		r = state_parse(text, whole ? len : without_lists(text, len), path, name, ret, err);
	/* After a reboot nothing of all that is left. */
	if (r == 0 && strcmp(ret->boot_id, now) != 0)
		state_free(ret);
	return r;
}

int state_read(const struct psv *psv, const char *name, struct state *ret, struct err *err)
{
	return read_state(psv, name, true, ret, err);
}

int state_read_brief(const struct psv *psv, const char *name, struct state *ret, struct err *err)
{
	return read_state(psv, name, false, ret, err);
}

static json_t *pack_addresses(const struct state *st)
{
	json_t *list = json_array();
	char buf[IPADDR_STR_MAX];

	for (size_t i = 0; i < st->n_addresses; i++) {
		const struct state_address *a = &st->addresses[i];

		(void)json_array_append_new(list, json_pack("{s:s, s:i, s:s, s:i, s:b}",
							    "address", ipaddr_str(&a->a.addr, buf),
							    "prefix", (int)a->a.prefix,
							    "interface", a->a.interface,
							    "ifindex", (int)a->ifindex,
							    "added", (int)a->added));
	}
	return list;
}

static json_t *pack_volumes(const struct state *st)
{
	json_t *list = json_array();

	for (size_t i = 0; i < st->n_volumes; i++)
		(void)json_array_append_new(list, json_pack("{s:s, s:I, s:I}", "name", st->volumes[i].name, "major",
							    (json_int_t)major(st->volumes[i].rdev), "minor",
							    (json_int_t)minor(st->volumes[i].rdev)));
	return list;
}

static char *state_text(const struct state *st, const char *now)
{
	_cleanup_(cleanup_json) json_t *object =
		json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}",
			  "phase", vsv_phase_name(st->phase), "boot_id", now, "step", st->step,
			  "template", st->template_name, "since", (json_int_t)st->since, "id", (json_int_t)st->id,
			  "generation", (json_int_t)st->generation, "log_bytes", (json_int_t)st->log_bytes, "syslog", (json_int_t)st->syslog, "init_pid", (json_int_t)st->init_pid,
			  "init_start", (json_int_t)st->init_start, "supervisor_pid", (json_int_t)st->supervisor_pid,
			  "supervisor_start", (json_int_t)st->supervisor_start, "addresses", pack_addresses(st), "volumes",
			  pack_volumes(st));

	if (!object)
		return NULL;
	/* Behind the lists (state_read_brief); and before "addresses" none of its keys stands, which the supervisor reads by their
	 * first place. */
	if (st->link.kind != CONF_LINK_AUTO)
		(void)json_object_set_new(object, "link", json_pack("{s:s, s:s, s:s, s:b}", "kind", conf_link_name(st->link.kind),
								    "parent", st->link.interface, "host_interface", st->link.host,
								    "was_up", (int)st->link.was_up));
	/* Words from outside may be no UTF-8; the phase is worth more than they are. */
	if (st->failure && json_object_set_new(object, "failure", json_string(st->failure)) < 0)
		(void)json_object_set_new(object, "failure", json_string("unknown"));
	return json_dumps(object, JSON_COMPACT);
}

int state_write(const struct psv *psv, const char *name, const struct state *st, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int folder = -1;
	const char *now;
	char path[PATH_MAX];
	int r = conf_name_check(name, err);

	if (r < 0)
		return r;
	r = boot_id(&now, err);
	if (r < 0)
		return r;
	text = state_text(st, now);
	if (!text)
		return err_set(err, -EINVAL, "the state of %s holds what cannot be written", name);
	(void)str_format(path, sizeof(path), "%s/%s", psv->run, name);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_set(err, -errno, "cannot make the folder %s: %m", path);
	folder = dir_open(AT_FDCWD, path);
	if (folder < 0)
		return err_set(err, folder, "cannot open %s: %m", path);
	r = file_write_atomic_at(folder, "state.json", text, strlen(text), 0600);
	return r < 0 ? err_set(err, r, "cannot write %s/state.json: %m", path) : 0;
}

int state_remove(const struct psv *psv, const char *name, struct err *err)
{
	_cleanup_close_ int folder = -1;
	char path[PATH_MAX];
	int r = conf_name_check(name, err);

	if (r < 0)
		return r;
	(void)str_format(path, sizeof(path), "%s/%s", psv->run, name);
	/* The configuration that it runs with is needed for as long as the state says that there is something to take away;
	 * what a kill leaves after that is removed by the next stop or start. */
	folder = dir_open(AT_FDCWD, path);
	if (folder >= 0 && unlinkat(folder, "state.json", 0) < 0 && errno != ENOENT)
		return err_set(err, -errno, "cannot remove %s/state.json: %m", path);
	r = dir_remove_tree_at(AT_FDCWD, path);
	return r < 0 ? err_set(err, r, "cannot remove %s: %m", path) : 0;
}

enum vsv_phase state_phase(const struct psv *psv, const char *name, const struct state *st)
{
	if (st->phase == VSV_RUNNING) {
		uint64_t start = 0;
		/* No pidfd: nothing is done to it, and a list of a thousand asks a thousand times. */
		int r = st->init_pid > 0 ? pid_start_time(st->init_pid, &start) : -ESRCH;

		/* What cannot be seen is as it was written: nobody takes away what may run. */
		return r == -ESRCH || (r == 0 && start != st->init_start) ? VSV_FAILED : VSV_RUNNING;
	}
	if ((st->phase == VSV_STARTING || st->phase == VSV_STOPPING) && !psv_lock_held(psv, name))
		return VSV_FAILED;
	return st->phase;
}
