/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines that other programs logged as JSON (base/log_json.h), written into this program's log in its own format. Nothing of them is
 * trusted: whatever an object holds becomes one line, which does not claim to be of this program.
 */
#pragma once

#include "base/json.h"
#include "base/log.h"

/* The object of one line; what is none (a library's or a sanitizer's output) becomes {"event":"output","text":…}. Never NULL. */
MUST_USE json_t *log_relay_parse(struct view line);
/*
 * Write it. A member time, level, program or event that is missing or is no such thing is replaced: now, warning, enclave,
 * unknown. Members whose names could not be of a line of ours are left out; what does not fit is cut.
 */
void log_relay(json_t *line);
