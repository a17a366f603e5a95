/* SPDX-License-Identifier: Apache-2.0 */
/* The preset of small test networks. */
#define PRESET minimal
#define SYNC_COMMITTEE_SIZE 32
#define MAX_COMMITTEES_PER_SLOT 4
#include "eth/schemas_preset.h"
