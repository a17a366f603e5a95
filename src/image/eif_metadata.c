/* SPDX-License-Identifier: Apache-2.0 */
#include "image/eif_metadata.h"

#include "base/clock.h"

#define BUILD_TOOL "ensign"
/* "2026-11-23T00:39:22", without the fraction. */
#define SECONDS_TEXT_SIZE 19

static const char *const build_members[] = {"BuildTime", "BuildTool", "BuildToolVersion", "OperatingSystem", "KernelVersion"};

static bool check_text(const char *name, const char *text, struct error *error)
{
	if (text[0] == 0 || strlen(text) > EIF_METADATA_NAME_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "%s: 1 to %d characters are allowed", name, EIF_METADATA_NAME_MAX_SIZE);
	return true;
}

static bool check_custom(json_t *custom, struct error *error)
{
	AUTO_BUFFER struct buffer text = {0};

	if (!custom)
		return true;
	if (!json_is_object(custom))
		return error_set(error, ERROR_INPUT, "CustomMetadata: not an object");
	json_write(custom, &text);
	if (text.size > EIF_METADATA_CUSTOM_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "CustomMetadata: %zu bytes, %d are allowed", text.size,
				 EIF_METADATA_CUSTOM_MAX_SIZE);
	return true;
}

bool eif_metadata_write(const struct eif_metadata *metadata, struct buffer *ret_section, struct error *error)
{
	AUTO_JSON json_t *object = NULL;
	char time[CLOCK_TEXT_SIZE];

	if (!check_text("ImageName", metadata->image_name, error) || !check_text("ImageVersion", metadata->image_version, error) ||
	    !check_text("BuildToolVersion", metadata->build_tool_version, error) ||
	    !check_text("OperatingSystem", metadata->operating_system, error) ||
	    !check_text("KernelVersion", metadata->kernel_version, error) || !check_custom(metadata->custom, error))
		return false;
	clock_format(metadata->build_time_ms, time);
	object = json_pack("{s:s, s:s, s:{s:o, s:s, s:s, s:s, s:s}, s:n, s:O?}", "ImageName", metadata->image_name, "ImageVersion",
			   metadata->image_version, "BuildMetadata", "BuildTime", json_sprintf("%.*sZ", SECONDS_TEXT_SIZE, time),
			   "BuildTool", BUILD_TOOL, "BuildToolVersion", metadata->build_tool_version, "OperatingSystem",
			   metadata->operating_system, "KernelVersion", metadata->kernel_version, "DockerInfo", "CustomMetadata",
			   metadata->custom);
	if (!object)
		return error_set(error, ERROR_INPUT, "metadata: a text is not UTF-8");
	json_write(object, ret_section);
	return true;
}

static bool is_object_or_null(json_t *value)
{
	return !value || json_is_null(value) || json_is_object(value);
}

static bool check_members(json_t *object, struct error *error)
{
	static const char *const names[] = {"ImageName", "ImageVersion", "BuildMetadata", "DockerInfo", "CustomMetadata"};
	const char *text;
	json_t *build;

	if (!json_check_members(object, names, ARRAY_SIZE(names), error) || !json_read_text(object, "ImageName", &text, error) ||
	    !json_read_text(object, "ImageVersion", &text, error) || !json_read_object(object, "BuildMetadata", &build, error))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(build_members); i++) {
		if (!json_read_text(build, build_members[i], &text, error))
			return error_prefix(error, "BuildMetadata");
	}
	if (!is_object_or_null(json_object_get(object, "CustomMetadata")))
		return error_set(error, ERROR_INPUT, "CustomMetadata: neither an object nor null");
	return true;
}

json_t *eif_metadata_read(struct view section, struct error *error)
{
	AUTO_JSON json_t *object = NULL;
	json_t *result;

	if (section.size > EIF_METADATA_MAX_SIZE) {
		(void)error_set(error, ERROR_INPUT, "metadata: larger than %u bytes", EIF_METADATA_MAX_SIZE);
		return NULL;
	}
	object = json_parse_object(section, "metadata", error);
	if (!object || !check_members(object, error))
		return NULL;
	result = object;
	object = NULL;
	return result;
}
