#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SMB and NFS on the same share, in the private stack.
export STACK=private
. "$(dirname "$0")/both.sh"
