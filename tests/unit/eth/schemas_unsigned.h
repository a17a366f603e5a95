/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rest of the specs' types on the mainnet preset: what is never signed as it stands, or is signed through another type (a block
 * from BELLATRIX on through its header). No program links this; it is here so that the walk and the shared parts are held to every
 * vector there is.
 */
#pragma once

#include "eth/ssz_schema.h"

/* The type called `name` that is in force in `fork`, or NULL. */
const struct ssz_type *schema_find_unsigned(const char *name, enum fork fork);
