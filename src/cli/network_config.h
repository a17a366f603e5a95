/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network from its config.yaml, in the form of consensus-specs (configs/mainnet.yaml): CONFIG_NAME, PRESET_BASE,
 * GENESIS_FORK_VERSION, and for each later fork <FORK>_FORK_VERSION and <FORK>_FORK_EPOCH. A fork without an epoch, or with
 * FAR_FUTURE_EPOCH, is not scheduled. Other keys are passed over. Here and not in the enclave, so the enclave reads no YAML.
 */
#pragma once

#include "eth/network.h"

#define NETWORK_CONFIG_MAX_SIZE (128u << 10) /* mainnet's has 10 KiB */

/*
 * All of a network but its genesis validators root, which no such file has (so network_check() is the caller's, once it is set).
 * ERROR_INPUT names line and key. Forks that are out of order are refused here too.
 */
MUST_USE bool network_config_parse(struct view yaml, struct network *ret_network, struct error *error);
