/* SPDX-License-Identifier: Apache-2.0 */
/* How far long work is, on stderr: one line that changes on a terminal, a line now and then in a log, nothing of what is short. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* "decrypting keystores: 3 of 10". From one thread. */
void progress_show(const char *what, size_t done, size_t count);
/* "booting the machine: 12 s", and so on until it is over. */
void progress_show_wait(const char *what, unsigned waited_s, bool is_over);
