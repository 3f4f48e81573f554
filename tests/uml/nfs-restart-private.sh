#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vnas-test: long
# What clients of NFS keep over a restart, in the private stack.
export STACK=private
. "$(dirname "$0")/nfs-restart.sh"
