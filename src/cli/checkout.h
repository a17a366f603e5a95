/* SPDX-License-Identifier: Apache-2.0 */
/* The source folder, where `ensign` runs from its build folder: scripts there build and fetch what it may need. */
#pragma once

#include "base/bytes.h"

/* Absolute; caller frees. NULL: the program is installed, and there is none. A build folder is straight in the source folder (docs/image.md). */
char *checkout_folder(void);
