/* SPDX-License-Identifier: Apache-2.0 */
#include "vectors.h"

#include "image/eif_metadata.h"

static struct eif_metadata example(void)
{
	return (struct eif_metadata){
		.image_name = "ensign",
		.image_version = "1.2",
		.build_tool_version = "0.1.0",
		.operating_system = "Linux",
		.kernel_version = "6.12.48",
		.build_time_ms = UINT64_C(1763858362999),
	};
}

static void writes_known_text(void **state)
{
	AUTO_BUFFER struct buffer section = {0};
	AUTO_JSON json_t *custom = json_pack("{s:i, s:s}", "b", 1, "a", "x");
	struct eif_metadata metadata = example();
	struct error error = {0};

	(void)state;
	assert_ok(eif_metadata_write(&metadata, &section, &error), &error);
	assert_string_equal(
		buffer_text(&section),
		"{\"ImageName\":\"ensign\",\"ImageVersion\":\"1.2\",\"BuildMetadata\":{\"BuildTime\":\"2025-11-23T00:39:22Z\","
		"\"BuildTool\":\"ensign\",\"BuildToolVersion\":\"0.1.0\",\"OperatingSystem\":\"Linux\","
		"\"KernelVersion\":\"6.12.48\"},\"DockerInfo\":null,\"CustomMetadata\":null}");
	buffer_clear(&section);
	metadata.custom = custom;
	assert_ok(eif_metadata_write(&metadata, &section, &error), &error);
	assert_non_null(strstr(buffer_text(&section), "\"CustomMetadata\":{\"b\":1,\"a\":\"x\"}}"));
}

static void assert_not_written(const struct eif_metadata *metadata, const char *message)
{
	AUTO_BUFFER struct buffer section = {0};
	struct error error = {0};

	assert_false(eif_metadata_write(metadata, &section, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_message_contains(&error, message);
	assert_int_equal(section.size, 0);
}

static void refuses_to_write(void **state)
{
	AUTO_FREE char *long_text = memory_format("%0*d", EIF_METADATA_NAME_MAX_SIZE + 1, 0);
	AUTO_FREE char *huge_text = memory_format("%0*d", EIF_METADATA_CUSTOM_MAX_SIZE, 0);
	AUTO_JSON json_t *list = json_array();
	AUTO_JSON json_t *huge = json_pack("{s:s}", "a", huge_text);
	struct eif_metadata metadata = example();

	(void)state;
	metadata.image_name = "";
	assert_not_written(&metadata, "ImageName: 1 to 128");
	metadata = example();
	metadata.image_version = long_text;
	assert_not_written(&metadata, "ImageVersion: 1 to 128");
	metadata.image_version = "\xff";
	assert_not_written(&metadata, "UTF-8");
	metadata = example();
	metadata.custom = list;
	assert_not_written(&metadata, "CustomMetadata: not an object");
	metadata.custom = huge;
	assert_not_written(&metadata, "CustomMetadata: 4104 bytes, 4096 are allowed");
}

#define BUILD                                                                                                                      \
	"\"BuildMetadata\":{\"BuildTime\":\"t\",\"BuildTool\":\"t\",\"BuildToolVersion\":\"v\",\"OperatingSystem\":\"o\","         \
	"\"KernelVersion\":\"k\"}"
#define NAMES "\"ImageName\":\"n\",\"ImageVersion\":\"v\","

static void reads_what_others_write(void **state)
{
	AUTO_JSON json_t *docker = NULL;
	AUTO_JSON json_t *bare = NULL;
	struct error error = {0};

	(void)state;
	docker = eif_metadata_read(
		view_of_text("{" NAMES BUILD ",\"DockerInfo\":{\"Id\":\"sha256\"},\"CustomMetadata\":{\"a\":1}}"), &error);
	assert_non_null(docker);
	bare = eif_metadata_read(view_of_text("{" NAMES BUILD "}"), &error);
	assert_non_null(bare);
}

static void refuses_what_is_malformed(void **state)
{
	static const char *const cases[][2] = {
		{"", "metadata"},
		{"[]", "metadata"},
		{"{" NAMES BUILD "} ", ""},
		{"{" NAMES BUILD "}x", "metadata"},
		{"{\"ImageName\":\"n\"," BUILD "}", "ImageVersion"},
		{"{\"ImageVersion\":\"n\"," BUILD "}", "ImageName"},
		{"{" NAMES "\"BuildMetadata\":1}", "BuildMetadata"},
		{"{" NAMES "\"BuildMetadata\":{\"BuildTime\":\"t\"}}", "BuildMetadata: BuildTool"},
		{"{" NAMES BUILD ",\"CustomMetadata\":[]}", "CustomMetadata"},
		{"{" NAMES BUILD ",\"Other\":1}", "Other"},
		{"{" NAMES BUILD ",\"ImageName\":\"m\"}", "metadata"},
	};
	struct error error = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_JSON json_t *object = eif_metadata_read(view_of_text(cases[i][0]), &error);

		if (cases[i][1][0] == 0) { /* white space is none of our business */
			assert_non_null(object);
			continue;
		}
		assert_null(object);
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, cases[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_known_text),
		cmocka_unit_test(refuses_to_write),
		cmocka_unit_test(reads_what_others_write),
		cmocka_unit_test(refuses_what_is_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
