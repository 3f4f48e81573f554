#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Of hostile.sh what a network of its own could make different.
export STACK=private
. "$(dirname "$0")/hostile.sh"
