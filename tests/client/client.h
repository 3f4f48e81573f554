/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a client of a file server does, for the tests of the tier "uml": runs in a guest, on what that has mounted. */
#pragma once

/*
 * Reads commands from standard input and answers each with one line, "ok …" or "error ENAME", so that a test sees what a process
 * sees that holds files open and locked over a server's restart. Returns the exit status.
 */
int session(int argc, char **argv);

/*
 * Works in a folder until the file that ends it is there, checks what it reads, and prints in one line how often it did what
 * and how long the longest of each took, in milliseconds. 1 when a call failed or something else was read than was written.
 */
int load(int argc, char **argv);

/* The error's short name, "EAGAIN". */
const char *error_name(int error);
