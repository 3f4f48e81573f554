#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vnas-test: long
# The kill matrix of starting a Vsv: also as the first one since the machine's boot.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../kill-matrix.sh"

kill_matrix start first
done_testing
