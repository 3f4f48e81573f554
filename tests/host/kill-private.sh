#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vnas-test: long
# A sample of the kill matrix of a server with a private stack: behind a port of a bridge, and with an interface that was handed
# over, which is the Psv's again after each repair.
. "$(dirname "$0")/../lib.sh"
# shellcheck disable=SC2034 # the matrix's own
[[ ${VNAS_TEST_MATRIX:-}${VNAS_TEST_ALL:-} == *all* || ${VNAS_TEST_ALL:-} ]] || VNAS_TEST_MATRIX=sample
VNAS_TEST_MATRIX_SECONDS=${VNAS_TEST_MATRIX_SECONDS:-40}
. "$(dirname "$0")/../kill-matrix.sh"

# The kernel gives an interface that comes back no address.
echo 1 >/proc/sys/net/ipv6/conf/default/addr_gen_mode
ip link add wire0 type veth peer name wire1
ip link set wire0 up
ip link set wire1 up
sleep 1 # neither has changes under way

link='--interface lan'
command_create() { echo "create k --address $NET4.11/24 --root-size 32M --stack private $link"; }
kill_matrix start
link='--interface wire0 --link interface'
kill_matrix start stop
ip link del wire0
done_testing
