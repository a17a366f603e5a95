/* SPDX-License-Identifier: Apache-2.0 */
/* The preset of mainnet, hoodi, sepolia and holesky; gnosis and chiado share these sizes. */
#define PRESET mainnet
#define SYNC_COMMITTEE_SIZE 512
#define MAX_COMMITTEES_PER_SLOT 64
#include "eth/schemas_preset.h"
