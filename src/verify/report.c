/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "verify/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/process.h"
#include "lib/str.h"
#include "psv/psv.h"

enum { REPORT_VERSION = 1, KEY_MAX_BYTES = 64 * 1024, SIGN_MS = 60 * 1000 };

static const char hex[] = "0123456789abcdef";

static int sha256(const char *text, char ret[REPORT_DIGEST_HEX + 1], struct err *err)
{
	static const char *const argv[] = { "sha256sum", NULL };
	_cleanup_strbuf_ struct strbuf out = { 0 };
	const struct run_opts opts = { .input = text, .out = &out };
	int r = run(argv, &opts, err);

	if (r < 0)
		return r;
	if (out.len < REPORT_DIGEST_HEX || strspn(out.buf, hex) != REPORT_DIGEST_HEX)
		return err_set(err, -EBADMSG, "sha256sum said something else");
	memcpy(ret, out.buf, REPORT_DIGEST_HEX);
	ret[REPORT_DIGEST_HEX] = '\0';
	return 0;
}

/* ---- openssl ---- */

static int run_openssl(const char *const argv[], struct strbuf *out, struct err *err)
{
	const struct run_opts opts = { .out = out, .timeout_ms = SIGN_MS };
	int r = run(argv, &opts, err);

	return r == -ENOENT ? err_hint(err, r, "install openssl, which signs and checks reports") : r;
}

/* as_file: bytes as a file that only we and who we run can open; path names it for them. */
static int as_file(const void *data, size_t len, char *path, size_t size, struct err *err)
{
	_cleanup_close_ int fd = memfd_create("vnas-report", MFD_CLOEXEC);
	int r = fd < 0 ? -errno : fd_write_all(fd, data, len);

	if (r < 0)
		return err_set(err, r, "cannot make a file in memory: %s", strerror(-r));
	(void)str_format(path, size, "/proc/%d/fd/%d", (int)getpid(), fd);
	return steal_fd(&fd);
}

static int folder(const struct psv *psv, char *path, size_t size, struct err *err)
{
	int r, fd;

	(void)str_format(path, size, "%s/verify", psv->lib);
	r = dir_make_path(path, 0700);
	fd = r < 0 ? r : dir_open(AT_FDCWD, path);
	return fd < 0 ? err_set(err, fd, "cannot make %s: %s", path, strerror(-fd)) : fd;
}

/* make_key: the public one first, so that where a private one stands its other half does too. */
static int make_key(int dir, const char *path, struct err *err)
{
	static const char *const new_argv[] = { "openssl", "genpkey", "-algorithm", "ED25519", NULL };
	_cleanup_strbuf_ struct strbuf key = { 0 }, pub = { 0 };
	_cleanup_close_ int fd = -1;
	char key_path[64];
	const char *const pub_argv[] = { "openssl", "pkey", "-in", key_path, "-pubout", NULL };
	int r = run_openssl(new_argv, &key, err);

	if (r == 0)
		r = fd = as_file(strbuf_str(&key), key.len, key_path, sizeof(key_path), err);
	if (r >= 0)
		r = run_openssl(pub_argv, &pub, err);
	if (r < 0)
		return r;
	r = file_write_atomic_at(dir, "key.pub", strbuf_str(&pub), pub.len, 0644);
	if (r == 0)
		r = file_write_atomic_at(dir, "key.pem", strbuf_str(&key), key.len, 0600);
	if (key.buf)
		explicit_bzero(key.buf, key.len);
	return r < 0 ? err_set(err, r, "cannot write the key below %s: %s", path, strerror(-r)) : 0;
}

/* open_keys: the folder, with a key pair in it; locked until it is closed, so that no two make keys or have the same number. */
static int open_keys(const struct psv *psv, char *path, size_t size, struct err *err)
{
	_cleanup_close_ int dir = folder(psv, path, size, err);
	struct stat st;
	int r;

	if (dir < 0)
		return dir;
	while (flock(dir, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_set(err, -errno, "cannot lock %s: %m", path);
	if (fstatat(dir, "key.pem", &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (!S_ISREG(st.st_mode) || (st.st_mode & 077) || st.st_uid != 0)
			return err_hint(err, err_set(err, -EPERM, "%s/key.pem is not root's alone", path),
					"whoever could read it can sign reports: remove it with key.pub, and a new one is made");
		return steal_fd(&dir);
	}
	r = make_key(dir, path, err);
	return r < 0 ? r : steal_fd(&dir);
}

int report_key(const struct psv *psv, char *path, size_t size, struct err *err)
{
	char dir_path[PATH_MAX];
	_cleanup_close_ int dir = open_keys(psv, dir_path, sizeof(dir_path), err);

	if (dir < 0)
		return dir;
	(void)str_format(path, size, "%s/key.pub", dir_path);
	return 0;
}

static int sign(const char *dir_path, const char *text, size_t len, struct strbuf *ret, struct err *err)
{
	char body_path[64], key_path[PATH_MAX];
	const char *const argv[] = { "openssl", "pkeyutl", "-sign", "-rawin", "-inkey", key_path, "-in", body_path, NULL };
	_cleanup_close_ int body = as_file(text, len, body_path, sizeof(body_path), err);
	int r;

	if (body < 0)
		return body;
	(void)str_format(key_path, sizeof(key_path), "%s/key.pem", dir_path);
	r = run_openssl(argv, ret, err);
	if (r == 0 && ret->len != REPORT_SIGNATURE_BYTES)
		r = err_set(err, -EBADMSG, "openssl made a signature of %zu bytes: expected %d", ret->len, REPORT_SIGNATURE_BYTES);
	return r < 0 ? err_wrap(err, r, "the report") : 0;
}

/* ---- what is in it ---- */

/* configurations: what each server runs with now. */
static int configurations(const struct psv *psv, json_t *probes, json_t **ret, struct err *err)
{
	_cleanup_strlist_ struct strlist names = { 0 };
	json_t *list = json_array(), *p;
	size_t i;

	json_array_foreach(probes, i, p) {
		const char *server = json_string_value(json_object_get(p, "server"));
		const char *against = json_string_value(json_object_get(p, "against"));

		if (!strlist_has(&names, server))
			strlist_add(&names, server);
		if (strcmp(against, "psv") != 0 && !strlist_has(&names, against))
			strlist_add(&names, against);
	}
	for (i = 0; i < names.n; i++) {
		_cleanup_free_ char *text = NULL;
		char path[PATH_MAX], digest[REPORT_DIGEST_HEX + 1];
		int r;

		(void)str_format(path, sizeof(path), "%s/%s/conf", psv->run, names.v[i]);
		if (file_read_at(AT_FDCWD, path, CONF_MAX_BYTES, &text, NULL) < 0)
			continue; /* stopped meanwhile */
		r = sha256(text, digest, err);
		if (r < 0) {
			json_decref(list);
			return r;
		}
		(void)json_array_append_new(list, json_pack("{s:s, s:s}", "server", names.v[i], "sha256", digest));
	}
	*ret = list;
	return 0;
}

/* The one before stands beside the key, whole, from before it was written where it was asked for: so a kill between the two neither
 * has a number used twice nor leaves a gap that nobody could fill. */
#define LAST "last.report"

/* last_number: 0: it is none. */
static json_int_t last_number(const char *text, size_t len)
{
	uint8_t signature[REPORT_SIGNATURE_BYTES];
	char key[REPORT_DIGEST_HEX + 1];
	json_t *report = NULL;
	json_int_t number;
	size_t body_len;

	if (report_split(text, len, &body_len, signature, key) < 0 || report_parse(text, body_len, &report) < 0)
		return 0;
	number = json_integer_value(json_object_get(report, "number"));
	json_decref(report);
	return number;
}

/* read_before: of a vnas that kept the number and SHA-256 alone: "NUMBER SHA256". */
static void read_before(int dir, json_int_t *ret_number, char ret_digest[REPORT_DIGEST_HEX + 1])
{
	char line[128], digest[REPORT_DIGEST_HEX + 1] = "";
	long long number = 0;

	*ret_number = 0;
	ret_digest[0] = '\0';
	if (file_read_small(dir, "last", line, sizeof(line)) < 0 || sscanf(line, "%lld %64[0-9a-f]", &number, digest) != 2)
		return;
	*ret_number = number;
	memcpy(ret_digest, digest, sizeof(digest));
}

/* read_last: *ret_text NULL: there is none. */
static int read_last(int dir, json_int_t *ret_number, char ret_digest[REPORT_DIGEST_HEX + 1], char **ret_text, size_t *ret_len, struct err *err)
{
	int r = file_read_at(dir, LAST, REPORT_MAX_BYTES, ret_text, ret_len);

	if (r == -ENOENT) {
		read_before(dir, ret_number, ret_digest);
		return 0;
	}
	if (r < 0)
		return err_set(err, r, "cannot read the report before: %s", strerror(-r));
	*ret_number = last_number(*ret_text, *ret_len);
	return sha256(*ret_text, ret_digest, err);
}

static int write_report(const char *path, const char *text, size_t len, struct err *err)
{
	_cleanup_free_ char *copy = xstrdup(path);
	char *slash = strrchr(copy, '/');
	_cleanup_close_ int dir = -1;
	const char *name = slash ? slash + 1 : copy;
	int r;

	if (slash)
		*slash = '\0';
	dir = open(!slash ? "." : *copy ? copy : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = dir < 0 ? -errno : !*name ? -EISDIR : file_write_atomic_at(dir, name, text, len, 0644);
	return r < 0 ? err_set(err, r, "cannot write %s: %s", path, strerror(-r)) : 0;
}

/* deliver: keeps it and writes it; where that fails, what stood before stands again. */
static int deliver(int dir, const char *path, const struct strbuf *text, const char *before, size_t before_len, struct err *err)
{
	int r = file_write_atomic_at(dir, LAST, text->buf, text->len, 0600);

	if (r < 0)
		return err_set(err, r, "cannot keep a copy of the report: %s", strerror(-r));
	r = write_report(path, text->buf, text->len, err);
	if (r < 0 && before)
		(void)file_write_atomic_at(dir, LAST, before, before_len, 0600);
	else if (r < 0)
		(void)unlinkat(dir, LAST, 0);
	return r;
}

static json_t *make_body(const struct psv *psv, const char *version, json_t *probes, json_t *confs, json_int_t number,
			 const char *previous, const struct verify_sum *sum)
{
	char date[32], boot[64] = "", psv_conf[PATH_MAX], digest[REPORT_DIGEST_HEX + 1] = "";
	_cleanup_free_ char *text = NULL;
	struct utsname u;
	json_t *counts = json_object(), *o;

	(void)uname(&u);
	(void)file_read_small(AT_FDCWD, "/proc/sys/kernel/random/boot_id", boot, sizeof(boot));
	(void)str_format(psv_conf, sizeof(psv_conf), "%s/vnas.conf", psv->etc);
	if (file_read_at(AT_FDCWD, psv_conf, CONF_MAX_BYTES, &text, NULL) == 0)
		(void)sha256(text, digest, NULL);
	for (int i = 0; i < VERDICTS; i++)
		(void)json_object_set_new(counts, verdict_names[i], json_integer((json_int_t)sum->n[i]));
	o = json_pack("{s:i, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:i, s:o, s:O}", "vnas_report", REPORT_VERSION, "number",
		      number, "previous_sha256", previous, "date", time_rfc3339(time(NULL), date, sizeof(date)), "host", u.nodename,
		      "kernel", u.release, "kernel_build", u.version, "machine", u.machine, "boot_id", boot, "version", version,
		      "configurations", confs, "exit_status", verify_exit(sum), "sum", counts, "probes", probes);
	(void)json_object_set_new(o, "psv_configuration_sha256", json_string(digest));
	return o;
}

int report_write(const struct psv *psv, const char *path, const char *version, json_t *probes, const struct verify_sum *sum,
		 struct err *err)
{
	char dir_path[PATH_MAX], previous[REPORT_DIGEST_HEX + 1], key[REPORT_DIGEST_HEX + 1];
	_cleanup_close_ int dir = open_keys(psv, dir_path, sizeof(dir_path), err);
	_cleanup_strbuf_ struct strbuf text = { 0 }, signature = { 0 };
	_cleanup_free_ char *json = NULL, *pub = NULL, *before = NULL;
	json_t *confs = NULL, *body;
	size_t before_len = 0;
	json_int_t number = 0;
	int r;

	if (dir < 0)
		return dir;
	r = file_read_at(dir, "key.pub", KEY_MAX_BYTES, &pub, NULL);
	if (r < 0)
		return err_set(err, r, "cannot read %s/key.pub: %s", dir_path, strerror(-r));
	r = sha256(pub, key, err);
	if (r == 0)
		r = read_last(dir, &number, previous, &before, &before_len, err);
	if (r == 0)
		r = configurations(psv, probes, &confs, err);
	if (r < 0)
		return r;
	body = make_body(psv, version, probes, confs, number + 1, previous, sum);
	json = json_dumps(body, JSON_INDENT(1));
	json_decref(body);
	if (!json)
		return err_set(err, -ENOMEM, "cannot write the report as JSON");
	strbuf_addf(&text, "%s\n", json);
	r = sign(dir_path, strbuf_str(&text), text.len, &signature, err);
	if (r < 0)
		return r;
	strbuf_addf(&text, "{\"signature\":\"ed25519\",\"key\":\"%s\",\"value\":\"", key);
	for (size_t i = 0; i < REPORT_SIGNATURE_BYTES; i++)
		strbuf_addf(&text, "%02x", (unsigned char)signature.buf[i]);
	strbuf_addstr(&text, "\"}\n");
	return deliver(dir, path, &text, before, before_len, err);
}

/* ---- checking ---- */

int report_check(const char *path, const char *key_path, json_t **ret, struct err *err)
{
	_cleanup_free_ char *text = NULL, *pub = NULL;
	_cleanup_strbuf_ struct strbuf out = { 0 };
	_cleanup_close_ int body = -1, sig = -1;
	char body_path[64], sig_path[64], key[REPORT_DIGEST_HEX + 1], ours[REPORT_DIGEST_HEX + 1];
	const char *const argv[] = { "openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", key_path, "-in", body_path,
				     "-sigfile", sig_path, NULL };
	const struct run_opts opts = { .out = &out, .timeout_ms = SIGN_MS, .accept_status = true };
	uint8_t signature[REPORT_SIGNATURE_BYTES];
	size_t len, body_len;
	int r;

	r = file_read_at(AT_FDCWD, key_path, KEY_MAX_BYTES, &pub, NULL);
	if (r < 0)
		return err_set(err, r, "cannot read %s: %s", key_path, strerror(-r));
	r = sha256(pub, ours, err);
	if (r < 0)
		return r;
	r = file_read_at(AT_FDCWD, path, REPORT_MAX_BYTES, &text, &len);
	if (r < 0)
		return err_set(err, r, "cannot read %s: %s", path, strerror(-r));
	if (report_split(text, len, &body_len, signature, key) < 0)
		return err_set(err, -EBADMSG, "%s is no report: its last line is no signature", path);
	if (strcmp(key, ours) != 0)
		return err_set(err, -EBADMSG, "%s was changed, or signed with another key: it names key %.16s…, and %s is %.16s…", path,
			       key, key_path, ours);
	r = body = as_file(text, body_len, body_path, sizeof(body_path), err);
	if (r >= 0)
		r = sig = as_file(signature, sizeof(signature), sig_path, sizeof(sig_path), err);
	if (r >= 0)
		r = run(argv, &opts, err);
	if (r < 0)
		return r;
	if (r > 0)
		return err_set(err, -EBADMSG, "%s was changed, or signed with another key: the signature does not fit %s", path, key_path);
	if (report_parse(text, body_len, ret) < 0)
		return err_set(err, -EBADMSG, "%s is signed, and no report of verify", path);
	return 0;
}
