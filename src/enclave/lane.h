/* SPDX-License-Identifier: Apache-2.0 */
/* How urgent a request is: wherever requests wait for each other, those of an earlier lane go first. */
#pragma once

#include "eth/artifact_type.h"

/* In order of urgency. Each overtakes those behind it, but not for ever. */
enum lane {
	LANE_PROPOSALS, /* blocks and RANDAO reveals: one of them is worth days of votes */
	LANE_VOTES,     /* what is due within seconds of its slot */
	LANE_REST,      /* selection proofs, registrations and whatever else can wait a second */
	LANE_COUNT,
};

/* LANE_REST for what is no type. */
enum lane lane_of_artifact(uint32_t artifact_type);
