/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unicode's normalisation form NFKD (UAX #15) for passwords, passphrases and mnemonics: however a keyboard composes an
 * accent, the same bytes go into the key derivation. All in protected memory.
 */
#pragma once

#include "base/secret.h"

/*
 * The UTF-8 of `text` after NFKD. Characters for which `drop` answers true are left out afterwards, and what is left is not
 * normalised again; NULL keeps all. ERROR_INPUT "field: not UTF-8". What `text` may grow to is bounded by the caller: by UTF-8's
 * worst character, NFKD makes it eleven times as long.
 */
MUST_USE bool nfkd_normalize_text(struct view text, const char *field, bool (*drop)(int32_t character), struct secret *ret_text,
				  struct error *error);
