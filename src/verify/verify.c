/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The whole: who runs, what there is to try it on, trying, looking, and the verdicts. */
#include "verify/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "gate/gate.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/printable.h"
#include "psv/cgroup_layout.h"
#include "psv/cgroup_tree.h"
#include "psv/running.h"
#include "psv/walk.h"
#include "verify/internal.h"

enum { ANSWER_MAX = 320, LOCK_TRIES = 600, LOCK_WAIT_MS = 100 };

/* ---- who runs ---- */

static bool is_running(const struct psv *psv, const char *name, struct state *ret)
{
	if (state_read(psv, name, ret, NULL) < 0)
		return false;
	if (state_phase(psv, name, ret) == VSV_RUNNING && ret->init_pid > 0)
		return true;
	state_free(ret);
	return false;
}

static void add_server(struct verify *v, const struct cgroup_layout *layout, const char *name, struct state *st)
{
	_cleanup_free_ char *text = NULL;
	unsigned long long token = 0;
	struct server *s;

	v->servers = xrealloc(v->servers, v->n_servers + 1, sizeof(*v->servers));
	s = &v->servers[v->n_servers++];
	memset(s, 0, sizeof(*s));
	(void)str_copy(s->name, sizeof(s->name), name);
	s->st = *st;
	s->has_conf = running_conf_read(v->psv, name, &text, &s->conf, NULL) == 0;
	s->cgroup_fd = cgroup_tree_open(layout->v2, v->psv->tag, name);
	(void)!getrandom(&token, sizeof(token), 0);
	(void)str_format(s->token, sizeof(s->token), "%016llx", token);
}

static int find_servers(struct verify *v, const struct strlist *names, struct err *err)
{
	_cleanup_strlist_ struct strlist all = { 0 };
	struct cgroup_layout layout;
	int r = cgroup_layout(&layout, err);

	if (r == 0)
		r = psv_list(v->psv, &all, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < names->n; i++)
		if (!strlist_has(&all, names->v[i])) {
			(void)err_exit(err, VNAS_EXIT_NO_SUCH, -ENOENT, "%s: there is no virtual file server of that name", names->v[i]);
			return err_hint(err, -ENOENT, "`vnas list` shows those there are");
		}
	for (size_t i = 0; i < all.n; i++) {
		bool chosen = names->n == 0 || strlist_has(names, all.v[i]);
		struct state st = { 0 };

		if (is_running(v->psv, all.v[i], &st)) {
			add_server(v, &layout, all.v[i], &st);
			v->servers[v->n_servers - 1].chosen = chosen;
		} else if (chosen && names->n) {
			(void)err_exit(err, VNAS_EXIT_NOT_RUNNING, -ESRCH, "%s: it does not run", all.v[i]);
			return err_hint(err, -ESRCH, "start it: vnas start %s", all.v[i]);
		}
	}
	if (v->n_servers == 0) {
		(void)err_exit(err, VNAS_EXIT_NOT_RUNNING, -ESRCH, "no virtual file server runs");
		return err_hint(err, -ESRCH, "start them: vnas start --all");
	}
	return 0;
}

/* take_lock: one at a time, because the process in the control group has rights that another one would wonder at.  The lock
 * ends with this process. */
static int take_lock(const struct psv *psv, struct err *err)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	int r;

	(void)str_format(path, sizeof(path), "%s/locks", psv->run);
	r = dir_make_path(path, 0700);
	if (r < 0)
		return err_set(err, r, "cannot make %s: %m", path);
	(void)str_format(path, sizeof(path), "%s/locks/.verify", psv->run);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_set(err, -errno, "cannot open %s: %m", path);
	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
		if (errno != EWOULDBLOCK || i == LOCK_TRIES)
			return err_exit(err, VNAS_EXIT_IN_USE, -EWOULDBLOCK, "another verify runs");
		(void)nanosleep(&(struct timespec){ 0, LOCK_WAIT_MS * 1000000L }, NULL);
	}
	return steal_fd(&fd);
}

static void verify_end(struct verify *v)
{
	for (size_t i = 0; i < v->n_servers; i++) {
		struct server *s = &v->servers[i];

		victim_free(&s->as_victim);
		cleanup_close(&s->cgroup_fd);
		state_free(&s->st);
		conf_free(&s->conf);
		answers_free(&s->inside);
		answers_free(&s->gate);
	}
	victim_free(&v->host);
	answers_free(&v->control);
	free(v->sockets);
	free(v->servers);
	cleanup_close(&v->program);
}

/* ---- verdicts ---- */

static void add(struct verify *v, const char *probe, enum verify_row_id row, const char *server, const char *against,
		const char *expected, const char *answer, enum verdict verdict)
{
	const char interference[2] = { verify_rows[row].interference, '\0' };

	v->sum.n[verdict]++;
	(void)json_array_append_new(v->probes, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "probe", probe, "row",
							 verify_rows[row].name, "interference", interference, "server", server,
							 "against", against, "expected", expected, "answer", answer, "verdict",
							 verdict_names[verdict]));
}

static enum control passed(bool ok)
{
	return ok ? CONTROL_PASSED : CONTROL_FAILED;
}

static enum control control_of(const struct verify *v, const struct server *s, const struct probe *p, unsigned number,
			       const struct victim *t)
{
	static const struct {
		const char *name;
		size_t offset;
	} by_psv[] = {
		{ "@reach", offsetof(struct victim, reach_ok) },       { "@loopback", offsetof(struct victim, loopback_ok) },
		{ "@ingress", offsetof(struct victim, ingress_ok) },   { "@abstract", offsetof(struct victim, abstract_ok) },
		{ "@device", offsetof(struct victim, device_ok) },     { "@handle", offsetof(struct victim, handle_ok) },
	};
	const struct answers *own;
	int control;

	if (!*p->control)
		return CONTROL_NONE;
	if (strcmp(p->control, "@psv") == 0)
		return passed(answers_get(&v->control, number, 0) == 0);
	for (size_t i = 0; i < sizeof(by_psv) / sizeof(*by_psv); i++)
		if (strcmp(p->control, by_psv[i].name) == 0)
			return passed(*(const bool *)((const char *)t + by_psv[i].offset));
	control = probe_find(p->control);
	if (control < 0)
		return CONTROL_FAILED;
	own = probes[control].when >= WHEN_GATE_OWN ? &s->gate : &s->inside;
	return passed(answers_get(own, (unsigned)control, 0) == 0);
}

/* reaches: it asks whether the other can be reached at all. */
static bool reaches(const struct probe *p)
{
	static const char *const also[] = { "gate-connect", "gate-connect-psv", "gate-send", "wildcard-peer" };

	for (size_t i = 0; i < sizeof(also) / sizeof(*also); i++)
		if (strcmp(p->name, also[i]) == 0)
			return true;
	return p->row == ROW_REACH;
}

/* is_peer: what the configuration opens on purpose is no attempt. */
static bool is_peer(const struct server *s, const struct probe *p, const struct victim *t)
{
	return reaches(p) && s->has_conf && strlist_has(&s->conf.peers, t->name);
}

static const char *expected_of(const struct probe *p)
{
	switch (p->kind) {
	case KIND_CONTROL:
		return "succeeds";
	case KIND_HIDE:
		return "hidden";
	case KIND_REFUSE:
	case KIND_OPEN:
	case KIND_DELIVER:
		break;
	}
	return p->answers;
}

/* has_scopes: this kernel can close abstract sockets (Landlock's sixth interface, Linux 6.12), so they must be closed. */
static bool has_scopes(void)
{
	enum { ASK_VERSION = 1, SCOPES_SINCE = 6 };

	return syscall(SYS_landlock_create_ruleset, NULL, 0, ASK_VERSION) >= SCOPES_SINCE;
}

/* is_known_gap: what this kernel does not let the gate see. */
static bool is_known_gap(const struct probe *p)
{
	return (strcmp(p->name, "source-interface") == 0 || strcmp(p->name, "send-broadcast-others") == 0) && gate_reads_kernel() == 0;
}

static void judge_one(struct verify *v, const struct server *s, unsigned number, unsigned index, const struct victim *t)
{
	const struct probe *p = &probes[number];
	bool by_gate = p->when >= WHEN_GATE_OWN;
	const char *problem = by_gate ? s->gate_problem : s->inside_problem, *note;
	int32_t answer = answers_get(by_gate ? &s->gate : &s->inside, number, index);
	char text[ANSWER_MAX], words[64];
	enum verdict verdict;

	if (p->kind == KIND_DELIVER && answer == ANSWER_SENT && s->arrived)
		answer = 0;
	else if (p->kind == KIND_DELIVER && answer == ANSWER_SENT && v->flooded)
		answer = -ENOBUFS;
	if (p->kind == KIND_OPEN && answer == 0 && p->row == ROW_ABSTRACT && strcmp(p->name, "abstract") == 0 && has_scopes()) {
		add(v, p->name, p->row, s->name, t->name, expected_of(p), "succeeded: this kernel has Landlock scopes", VERDICT_THROUGH);
		return;
	}
	if (is_peer(s, p, t) && answer != ANSWER_NOTHING && answer != NO_ANSWER) {
		answer_text(answer, text, sizeof(text));
		add(v, p->name, p->row, s->name, t->name, "allowed by peer", text, VERDICT_CONTROL);
		return;
	}
	if (!judge(p, answer, control_of(v, s, p, number, t), &verdict, &note))
		return;
	if (verdict == VERDICT_THROUGH && is_known_gap(p))
		verdict = VERDICT_OPEN;
	answer_text(answer, words, sizeof(words));
	if (answer == NO_ANSWER && *problem)
		(void)str_format(text, sizeof(text), "no answer: %s", problem);
	else
		(void)str_format(text, sizeof(text), "%s%s%s", words, note ? ": " : "", note ? note : "");
	add(v, p->name, p->row, s->name, index ? t->name : p->kind == KIND_CONTROL ? s->name : "psv", expected_of(p), text, verdict);
}

static bool is_for(const struct probe *p, bool self, bool is_psv)
{
	switch (p->when) {
	case WHEN_OWN:
	case WHEN_SELF:
	case WHEN_GATE_OWN:
	case WHEN_GATE_SELF:
		return self;
	case WHEN_PEER:
	case WHEN_GATE_PEER:
		return !self;
	case WHEN_PEER_PSV:
	case WHEN_GATE_PEER_PSV:
		return !self && is_psv;
	case WHEN_PEER_VSV:
	case WHEN_GATE_PEER_VSV:
		return !self && !is_psv;
	}
	return false;
}

static void judge_victim(struct verify *v, const struct server *s, unsigned index, const struct victim *t)
{
	for (unsigned i = 0; i < n_probes; i++)
		if (is_for(&probes[i], index == 0, t->is_psv))
			judge_one(v, s, i, index, t);
}

static void judge_server(struct verify *v, const struct server *s)
{
	unsigned index = 0;

	judge_victim(v, s, 0, &v->host);
	judge_victim(v, s, ++index, &v->host);
	for (size_t i = 0; i < v->n_servers; i++)
		if (&v->servers[i] != s)
			judge_victim(v, s, ++index, &v->servers[i].as_victim);
}

static void look_pairs(struct verify *v, struct server *s, const struct look *l)
{
	char answer[ANSWER_MAX] = "";
	enum verdict verdict = l->pair(v, s, NULL, answer, sizeof(answer));

	add(v, l->name, l->row, s->name, "psv", l->expected, answer, verdict);
	for (size_t i = 0; i < v->n_servers; i++) {
		if (&v->servers[i] == s)
			continue;
		verdict = l->pair(v, s, &v->servers[i], answer, sizeof(answer));
		add(v, l->name, l->row, s->name, v->servers[i].name, l->expected, answer, verdict);
	}
}

static void look_server(struct verify *v, struct server *s)
{
	for (size_t i = 0; i < n_looks; i++) {
		char answer[ANSWER_MAX] = "";
		enum verdict verdict;

		if (looks[i].pair) {
			look_pairs(v, s, &looks[i]);
			continue;
		}
		verdict = looks[i].server(v, s, answer, sizeof(answer));
		printable_clean(answer);
		add(v, looks[i].name, looks[i].row, s->name, "psv", looks[i].expected, answer, verdict);
	}
}

static void run_all(struct verify *v)
{
	prober_control(v);
	for (size_t i = 0; i < v->n_servers; i++) {
		victim_server(v, &v->servers[i]);
		look_server_begin(&v->servers[i]);
	}
	look_begin(v);
	victim_host(v);
	for (size_t i = 0; i < v->n_servers; i++) {
		struct server *s = &v->servers[i];

		if (!s->chosen)
			continue;
		answers_init(&s->inside, (unsigned)v->n_servers);
		answers_init(&s->gate, (unsigned)v->n_servers);
		prober_inside(v, s);
		prober_gate(v, s);
	}
	victim_arrived(v);
	for (size_t i = 0; i < v->n_servers; i++) {
		if (!v->servers[i].chosen)
			continue;
		look_server(v, &v->servers[i]);
		judge_server(v, &v->servers[i]);
	}
}

int verify_run(const struct psv *psv, const struct strlist *names, json_t **ret, struct verify_sum *ret_sum, struct err *err)
{
	_cleanup_(verify_end) struct verify v = { .psv = psv, .program = -1 };
	_cleanup_close_ int lock = -1;
	int r;

	v.host.abstract_fd = v.host.wild_tcp.fd = v.host.wild_udp.fd = -1;
	(void)walk_bpf_dir(psv, v.bpf_dir, sizeof(v.bpf_dir));
	r = lock = take_lock(psv, err);
	if (r >= 0)
		r = find_servers(&v, names, err);
	if (r == 0)
		r = prober_open(&v.program, err);
	if (r < 0)
		return r;
	answers_init(&v.control, 0);
	v.probes = json_array();
	run_all(&v);
	event_log(psv, NULL, "verify", "%zu servers: %zu refused, %zu visible, %zu open, %zu through", v.n_servers,
		  v.sum.n[VERDICT_REFUSED], v.sum.n[VERDICT_VISIBLE], v.sum.n[VERDICT_OPEN], v.sum.n[VERDICT_THROUGH]);
	*ret = v.probes;
	*ret_sum = v.sum;
	return 0;
}

int verify_exit(const struct verify_sum *sum)
{
	if (sum->n[VERDICT_THROUGH])
		return VNAS_EXIT_FAILED;
	return sum->n[VERDICT_OPEN] ? VNAS_EXIT_NOT_ENFORCEABLE : VNAS_EXIT_OK;
}

/* ---- what is shown ---- */

static const char *when_text(enum probe_when when)
{
	switch (when) {
	case WHEN_OWN:
	case WHEN_SELF:
	case WHEN_PEER:
	case WHEN_PEER_PSV:
	case WHEN_PEER_VSV:
		return "inside";
	case WHEN_GATE_OWN:
	case WHEN_GATE_SELF:
	case WHEN_GATE_PEER:
	case WHEN_GATE_PEER_PSV:
	case WHEN_GATE_PEER_VSV:
		break;
	}
	return "control group";
}

json_t *verify_list(void)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < n_probes; i++)
		(void)json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s}", "probe", probes[i].name, "row",
							    verify_rows[probes[i].row].name, "from", when_text(probes[i].when), "expected",
							    expected_of(&probes[i]), "control", probes[i].control));
	for (size_t i = 0; i < n_looks; i++)
		(void)json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s}", "probe", looks[i].name, "row",
							    verify_rows[looks[i].row].name, "from", "outside", "expected", looks[i].expected,
							    "control", ""));
	return list;
}

static int verdict_of(const char *name)
{
	for (int i = 0; i < VERDICTS; i++)
		if (name && strcmp(name, verdict_names[i]) == 0)
			return i;
	return VERDICT_OPEN;
}

json_t *verify_matrix(const json_t *list)
{
	json_t *matrix = json_array(), *p;
	size_t i;

	for (size_t row = 0; row < VERIFY_ROWS; row++) {
		json_t *o = json_object();

		(void)json_object_set_new(o, "row", json_string(verify_rows[row].name));
		(void)json_object_set_new(o, "text", json_string(verify_rows[row].text));
		json_array_foreach((json_t *)(uintptr_t)list, i, p) {
			const char *server = json_string_value(json_object_get(p, "server"));
			const char *verdict = json_string_value(json_object_get(p, "verdict"));
			const char *is_row = json_string_value(json_object_get(p, "row"));
			json_t *before;

			/* A control says nothing of the row. */
			if (!server || !verdict || !is_row || strcmp(is_row, verify_rows[row].name) != 0 || strcmp(verdict, "control") == 0)
				continue;
			before = json_object_get(o, server);
			if (!before || verdict_of(json_string_value(before)) < verdict_of(verdict))
				(void)json_object_set_new(o, server, json_string(verdict));
		}
		(void)json_array_append_new(matrix, o);
	}
	return matrix;
}
