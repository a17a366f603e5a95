/* SPDX-License-Identifier: Apache-2.0 */
/* The release that a program is of: the version in meson.build, and nothing of the build, which has to be the same wherever it is done. */
#pragma once

#include <stdbool.h>

/* "0.1.0" */
const char *version_text(void);
/* `PROGRAM --version`, and nothing else: prints "PROGRAM 0.1.0" on stdout. False: that was not asked. */
bool version_print_if_asked(const char *program, int argc, char *const *argv);
