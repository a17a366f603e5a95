/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the enclave logs, fetched over the control channel and written into this program's log: a production enclave has no other way
 * to say anything. Nothing of it is trusted (base/log_relay.h).
 */
#pragma once

#include <event2/event.h>

#include "base/json.h"
#include "net/address.h"

struct enclave_log;

/* Asks every second from now on; an enclave that is not up is asked in vain. `control` is borrowed. NULL on failure. */
MUST_USE struct enclave_log *enclave_log_new(struct event_base *base, const struct address *control, struct error *error);
/* Accepts NULL. */
void enclave_log_free(struct enclave_log *log);
/* Write the lines of one answer. *ret_more: there may be more at once. ERROR_PEER when it is none. */
MUST_USE bool enclave_log_write(json_t *body, bool *ret_more, struct error *error);
