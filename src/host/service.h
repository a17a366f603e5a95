/* SPDX-License-Identifier: Apache-2.0 */
/* ensign-host as a whole: the relays, the enclave's supervisor and the signals, on one event loop. */
#pragma once

#include "host/settings.h"

/*
 * SIGHUP has the enclave read the tables again. Runs until SIGTERM or SIGINT, then drains and ends the enclave and removes the sockets; the second of them does
 * not wait for the drain. False when it could not start: another host uses the run folder, an address is taken, the enclave's program is missing. A failing
 * enclave does not end it. systemd is told how it goes (host/notify.h).
 */
MUST_USE bool service_run(const struct settings *settings, struct error *error);
