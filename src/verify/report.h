/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The report for auditors: a JSON object with date, host, kernel, version, fingerprints of the configurations and all
 * results, and after it one line with an Ed25519 signature of every byte before that line:
 *
 *   {"signature":"ed25519","key":"<64 hex digits>","value":"<128 hex digits>"}
 *
 * So the whole is a sequence of two JSON values, as jq(1) reads it.  The key is the SHA-256 of the public key's PEM file, and must
 * be that of the key that a checker brings along.  Each report has the number and the SHA-256 of the
 * one before, so that one that was left out shows; both are under the signature.
 *
 * The key is made at its first use: LIB/verify/key.pem, mode 0600, and key.pub beside it.  Signing is openssl(1)'s. */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "verify/verify.h"

struct err;
struct psv;

enum { REPORT_SIGNATURE_BYTES = 64, REPORT_DIGEST_HEX = 64, REPORT_MAX_BYTES = 256 * 1024 * 1024 };

/* report_write: makes and signs it; path is the Psv's own and is replaced as a whole.  0 or -errno. */
int report_write(const struct psv *psv, const char *path, const char *version, json_t *probes, const struct verify_sum *sum,
		 struct err *err);
/* report_key: the path of the public key, which is made with the private one if there is none. */
int report_key(const struct psv *psv, char *path, size_t size, struct err *err);

/* report_check: *ret is the report's object without its probes, {…}, of one whose signature fits that public key (a PEM
 * file).  -EBADMSG: it is no report, or was changed, or is another's. */
int report_check(const char *path, const char *key_path, json_t **ret, struct err *err);

/* report_split: where the signature's line begins.  0 or -EBADMSG. */
int report_split(const char *text, size_t len, size_t *ret_body, uint8_t ret_signature[REPORT_SIGNATURE_BYTES],
		 char ret_key[REPORT_DIGEST_HEX + 1]);
/* report_parse: the body. -EBADMSG. */
int report_parse(const char *text, size_t len, json_t **ret);
