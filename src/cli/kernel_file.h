/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel that images have when nobody names another: the project's own (docs/microvm.md). */
#pragma once

#include "base/error.h"

/*
 * Its path: image/bzImage beside the program (an installation), or the one that `scripts/get-kernel --cached` of the source folder names, which is
 * that of its present inputs. Caller frees. NULL, ERROR_NOT_FOUND: how to get one.
 */
MUST_USE char *kernel_file_find(struct error *error);
