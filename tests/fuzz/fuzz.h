/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A fuzz target: libFuzzer calls it (tests/fuzz/run), and replay.c calls it with the files of a corpus. */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
