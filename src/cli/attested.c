/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/attested.h"

bool attested_option_check(const char *option, const char *hex, struct error *error)
{
	uint8_t pcr[NSM_PCR_SIZE];

	return !hex || attestation_parse_pcr(option, hex, pcr, error);
}

bool attested_refuse(struct error *error)
{
	error->code = ERROR_POLICY;
	return false;
}

const char *attested_advice(const char *root, const struct error *error)
{
	if (root || !attestation_is_other_root(error))
		return NULL;
	return "Without --root it has to be AWS's. Documents of a local signer lead to its simulator's: --root "
	       "D/sim/attestation-root.pem";
}
