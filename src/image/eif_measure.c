/* SPDX-License-Identifier: Apache-2.0 */
#include "image/eif_measure.h"

struct parts {
	struct view views[EIF_SECTIONS_MAX];
	size_t count;
};

static void add(struct parts *parts, struct view data)
{
	parts->views[parts->count++] = data;
}

bool eif_measure(const struct eif *eif, struct measurement *ret_measurement, struct error *error)
{
	struct parts all = {.count = 0}, boot = {.count = 0}, application = {.count = 0};
	struct measurement measurement;
	size_t ramdisks = 0;

	for (size_t i = 0; i < eif->section_count; i++) {
		const struct eif_section *section = &eif->sections[i];

		if (section->type == EIF_SECTION_SIGNATURE || section->type == EIF_SECTION_METADATA)
			continue;
		add(&all, section->data);
		if (section->type == EIF_SECTION_RAMDISK && ramdisks++ > 0)
			add(&application, section->data);
		else
			add(&boot, section->data);
	}
	if (!measurement_of_parts(all.views, all.count, measurement.pcr0, error) ||
	    !measurement_of_parts(boot.views, boot.count, measurement.pcr1, error) ||
	    !measurement_of_parts(application.views, application.count, measurement.pcr2, error))
		return false;
	*ret_measurement = measurement;
	return true;
}

bool eif_measure_certificate(struct view certificate, uint8_t ret_pcr8[NSM_PCR_SIZE], struct error *error)
{
	return measurement_of_parts(&certificate, 1, ret_pcr8, error);
}
