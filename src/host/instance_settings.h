/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings of a host on an EC2 instance, made of environment variables, most of them the sample solution's:
 *
 *   REGION                       of everything
 *   VALIDATOR_KEYS_TABLE_NAME    the table of sealed keys
 *   TLS_KEYS_TABLE_NAME          the table of the sealed TLS key
 *   CF_STACK_NAME                the stack's name
 *   NITRO_ENCLAVE_DEBUG          TRUE or FALSE
 *   WEB3SIGNER_UUID              whose rows of the table of keys; left out: the stack's name
 *   WEB3SIGNER_INIT_FLAG_PARAM   the start flag's name in SSM; left out: the enclave is started at once
 *   ENCLAVE_CPU_COUNT            left out: 2
 *   ENCLAVE_MEMORY_MIB           left out: 1024
 *   RUNTIME_DIRECTORY, STATE_DIRECTORY   as systemd sets them; left out: /run/ensign, /var/lib/ensign
 *
 * docs/protocols.md shows what becomes of them.
 */
#pragma once

#include "base/json.h"

/* How a load balancer of deploy/template.yaml sees that a target goes: two checks that fail, ten seconds apart; and the time for clients to take it in. */
#define INSTANCE_DRAIN_S 30

/* Members as in HOST.json. Caller releases. ERROR_INPUT names the variable. */
MUST_USE json_t *instance_settings_new(struct error *error);
