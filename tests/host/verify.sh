#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vnas verify: three Vsv, all pairs.
. "$(dirname "$0")/../lib.sh"

plain_vsv a 11 --volume data=32M
plain_vsv b 12
plain_vsv c 13
vnas start a b c

status=0
begin=${EPOCHREALTIME/./}
vnas verify --json >"$T/all.json" || status=$?
note "three: $(((${EPOCHREALTIME/./} - begin) / 1000)) ms, status $status"
vnas verify || true
done_testing
