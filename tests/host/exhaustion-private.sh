#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vnas-test: alone
# Of exhaustion.sh what a network of its own could make different.
export STACK=private
. "$(dirname "$0")/exhaustion.sh"
