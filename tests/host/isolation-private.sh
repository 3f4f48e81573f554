#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The rows of isolation.sh in a private stack.
export STACK=private
. "$(dirname "$0")/isolation.sh"
