#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vnas-test: long
# The kill matrix of making a Vsv and taking it away.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../kill-matrix.sh"

kill_matrix destroy create stop
done_testing
