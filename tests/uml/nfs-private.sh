#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vnas-test: long
# NFS 3, 4.0, 4.1 and 4.2, in the private stack.
export STACK=private
. "$(dirname "$0")/nfs.sh"
