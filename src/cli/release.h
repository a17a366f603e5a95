/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An unpacked release (docs/dist.md): its programs bring their dynamic loader and their shared libraries, in the folder root/ beside bin/, and find
 * them from where they are.
 */
#pragma once

#include "base/error.h"

/* root/, absolute; caller frees. NULL: `ensign` is not of a release, and uses this machine's libraries. */
char *release_root(void);

/* Let a copy of one of its programs find them: a link `root` in the copy's folder. Does nothing where `ensign` is not of a release. */
MUST_USE bool release_link_root(const char *folder, struct error *error);
