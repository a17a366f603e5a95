/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "image/eif_measure.h"
#include "image/eif_metadata.h"
#include "image/eif_sign.h"

/* Whatever is taken is measured, and written again as it was but for its CRC. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_BUFFER struct buffer again = {0};
	AUTO_JSON json_t *metadata = NULL;
	AUTO_EIF_SIGNATURE struct eif_signature signature = {0};
	const struct eif_section *section;
	struct measurement measurement;
	struct error error;
	struct eif eif;

	if (!eif_read(view_of(data, size), &eif, &error))
		return 0;
	if (!eif_measure(&eif, &measurement, &error) || !eif_write(&eif, &again, &error) || again.size != size)
		abort();
	if (eif.crc == eif.computed_crc && memcmp(again.data, data, size) != 0)
		abort();
	section = eif_find(&eif, EIF_SECTION_METADATA);
	if (section)
		metadata = eif_metadata_read(section->data, &error);
	section = eif_find(&eif, EIF_SECTION_SIGNATURE);
	if (section)
		(void)!eif_signature_read(section->data, &signature, &error);
	return 0;
}
