/* SPDX-License-Identifier: Apache-2.0 */
/* A libFuzzer target: one parser of outside bytes. Whatever it is given, it must return. */
#pragma once

#include "base/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
