#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs inside of the emulated machine, for who wants tests/host/resources.sh on cgroup v2 alone:
#
#   VNAS_TEST_VM_BUILD=DIR VNAS_TEST_VM_SCRIPT=tests/vm/resources.sh VNAS_TEST_VM_TEMPLATES=DIR tests/vm/run
#
# The controllers are switched on below the root by vnas itself; the machine has no systemd here.
set -eu

# shellcheck source=/dev/null
. /vnas-test/environment
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export VNAS=$BUILD/installed/sbin/vnas VNAS_TEST_CACHE=/vnas-test
[[ -x $VNAS ]] || VNAS=$BUILD/installed/bin/vnas
exec bash "$SOURCE/tests/host/resources.sh"
