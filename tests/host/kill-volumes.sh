#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vnas-test: long
# A sample of the kill matrix of a Vsv with several volumes, whose filesystems are mounted beside each other: one of them fails, or
# the starter is killed while others are on their way.
. "$(dirname "$0")/../lib.sh"
# shellcheck disable=SC2034 # the matrix's own
[[ ${VNAS_TEST_MATRIX:-} == all || ${VNAS_TEST_ALL:-} ]] || VNAS_TEST_MATRIX=sample
VNAS_TEST_MATRIX_SECONDS=${VNAS_TEST_MATRIX_SECONDS:-40}
. "$(dirname "$0")/../kill-matrix.sh"

plain_k() {
	# shellcheck disable=SC2046 # words
	vnas $(command_create)
	conf_add k $'[smb]\nenabled = no'
	vnas volume add k data --size 32M
	vnas volume add k more --size 301M --fs xfs
}

kill_matrix start stop
done_testing
