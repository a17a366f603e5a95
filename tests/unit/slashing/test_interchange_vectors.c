/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The public vectors of EIP-3076 and Web3Signer's import files and scenarios, against the interchange reader and the rules. Ensign's
 * verdicts are the minimal strategy's; where it refuses what Web3Signer signs, the scenario stands in a table with the reason.
 */
#include <dirent.h>

#include "slashing/interchange.h"
#include "vectors.h"

#define DATABASE_KEYS_MAX 8

/* A new, empty database of one test: what the ledger keeps, without the ledger. */
struct database {
	uint8_t genesis_validators_root[ROOT_SIZE];
	struct interchange_key keys[DATABASE_KEYS_MAX];
	size_t count;
};

struct tally {
	unsigned files, imports, checks, repeats, stricter;
};

static json_t *at(json_t *json, const char *name)
{
	json_t *member = json_object_get(json, name);

	assert_non_null(member);
	return member;
}

static void read_hex(json_t *json, const char *name, uint8_t *ret_bytes, size_t size)
{
	struct error error = {0};

	assert_ok(json_read_hex(json, name, ret_bytes, size, &error), &error);
}

static uint64_t read_u64(json_t *json, const char *name)
{
	struct error error = {0};
	uint64_t value = 0;

	assert_ok(json_read_u64(json, name, &value, &error), &error);
	return value;
}

static struct watermark *find_watermark(struct database *database, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE])
{
	for (size_t i = 0; i < database->count; i++) {
		if (memcmp(database->keys[i].public_key, public_key, BLS_PUBLIC_KEY_SIZE) == 0)
			return &database->keys[i].watermark;
	}
	assert_true(database->count < DATABASE_KEYS_MAX);
	memcpy(database->keys[database->count].public_key, public_key, BLS_PUBLIC_KEY_SIZE);
	return &database->keys[database->count++].watermark;
}

static bool import(struct database *database, json_t *document, struct error *error)
{
	AUTO_INTERCHANGE struct interchange interchange = {0};

	if (!interchange_read(document, &interchange, error))
		return false;
	if (memcmp(interchange.genesis_validators_root, database->genesis_validators_root, ROOT_SIZE) != 0)
		return error_set(error, ERROR_INPUT, "another network's");
	for (size_t i = 0; i < interchange.count; i++)
		slashing_raise(find_watermark(database, interchange.keys[i].public_key), &interchange.keys[i].watermark);
	return true;
}

static bool try_block(struct watermark *watermark, uint64_t slot, const uint8_t root[ROOT_SIZE])
{
	enum slashing_verdict verdict = slashing_check_block(watermark, slot, root);

	if (verdict == SLASHING_SAFE)
		slashing_record_block(watermark, slot, root);
	return verdict == SLASHING_SAFE || verdict == SLASHING_REPEAT;
}

static bool try_attestation(struct watermark *watermark, uint64_t source, uint64_t target, const uint8_t root[ROOT_SIZE])
{
	enum slashing_verdict verdict = slashing_check_attestation(watermark, source, target, root);

	if (verdict == SLASHING_SAFE)
		slashing_record_attestation(watermark, source, target, root);
	return verdict == SLASHING_SAFE || verdict == SLASHING_REPEAT;
}

/* ---- EIP-3076 ---- */

static bool check_duty(struct database *database, json_t *duty)
{
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE], root[ROOT_SIZE] = {0};
	struct watermark *watermark;

	read_hex(duty, "pubkey", public_key, sizeof public_key);
	if (json_object_get(duty, "signing_root"))
		read_hex(duty, "signing_root", root, sizeof root);
	watermark = find_watermark(database, public_key);
	if (json_object_get(duty, "slot"))
		return try_block(watermark, read_u64(duty, "slot"), root);
	return try_attestation(watermark, read_u64(duty, "source_epoch"), read_u64(duty, "target_epoch"), root);
}

/*
 * Ensign is the minimal database of the EIP, so should_succeed is its verdict, with one more: it keeps the last root, so the very last
 * message may be signed again, as a complete database allows.
 */
static void check_duties(struct database *database, json_t *duties, const char *name, struct tally *tally)
{
	json_t *duty;
	size_t i;

	json_array_foreach(duties, i, duty)
	{
		bool signs = check_duty(database, duty);
		bool wanted = json_is_true(at(duty, "should_succeed"));
		bool repeats = signs && !wanted && json_is_true(at(duty, "should_succeed_complete"));

		if (signs != wanted && !repeats)
			fail_msg("%s: duty %zu of %zu is %s", name, i, json_array_size(duties), signs ? "signed" : "refused");
		tally->checks++;
		tally->repeats += repeats;
	}
}

static void run_eip_test(json_t *test, struct tally *tally)
{
	const char *name = json_string_value(at(test, "name"));
	struct database database = {0};
	json_t *step;
	size_t i;

	read_hex(test, "genesis_validators_root", database.genesis_validators_root, ROOT_SIZE);
	json_array_foreach(at(test, "steps"), i, step)
	{
		struct error error = {0};
		bool imported = import(&database, at(step, "interchange"), &error);

		/* Slashable data may be refused; it is not. */
		if (imported != json_is_true(at(step, "should_succeed")))
			fail_msg("%s: step %zu: import %s: %s", name, i, imported ? "succeeded" : "failed", error.message);
		tally->imports++;
		check_duties(&database, at(step, "blocks"), name, tally);
		check_duties(&database, at(step, "attestations"), name, tally);
	}
	tally->files++;
}

static void eip_3076(void **state)
{
	AUTO_FREE char *folder = public_vector_path("slashing/tests");
	struct tally tally = {0};
	struct dirent *entry;
	DIR *directory;

	(void)state;
	if (!folder)
		skip();
	directory = opendir(folder);
	assert_non_null(directory);
	while ((entry = readdir(directory)) != NULL) {
		AUTO_FREE char *path = memory_format("%s/%s", folder, entry->d_name);
		AUTO_JSON json_t *test = NULL;

		if (!strstr(entry->d_name, ".json"))
			continue;
		test = load_json(path);
		run_eip_test(test, &tally);
	}
	(void)closedir(directory);
	print_message("EIP-3076: %u files, %u imports, %u checks, %u of them a repeat\n", tally.files, tally.imports, tally.checks,
		      tally.repeats);
	assert_int_equal(tally.files, 28);
	assert_int_equal(tally.checks, 113);
	assert_int_equal(tally.repeats, 1);
}

/* ---- Web3Signer ---- */

struct import_file {
	const char *name;
	const char *message; /* NULL: it is taken */
	size_t keys;
	uint64_t slot, source, target; /* of the first key */
	uint8_t knows_block, knows_attestation;
};

/* Web3Signer takes what it can of a document with a bad validator; Ensign nothing, so that nobody thinks that the rest is protected. */
static const struct import_file import_files[] = {
	{"conflictingBlocks", NULL, 1, 12345, 0, 0, 0, 0},
	{"dataFieldNotArray", "data: not an array", 0, 0, 0, 0, 0, 0},
	{"duplicateAttestation", NULL, 1, 0, 5, 6, 0, 1},
	{"duplicateBlocks", NULL, 1, 12345, 0, 0, 1, 0},
	{"emptyDataArray", NULL, 0, 0, 0, 0, 0, 0},
	{"errorInSecondBlock", "data[0].signed_blocks[1].slot: missing", 0, 0, 0, 0, 0, 0},
	{"errorInSecondValidator", "data[1].signed_attestations[0].target_epoch: missing", 0, 0, 0, 0, 0, 0},
	{"invalidAttestationContent", NULL, 1, 0, 2290, 2289, 0, 0},
	{"missingDataField", "data: missing", 0, 0, 0, 0, 0, 0},
	{"missingPublicKey", "data[0].pubkey: missing", 0, 0, 0, 0, 0, 0},
	{"multipleNullSigningRootAttestation", NULL, 1, 0, 7, 8, 0, 0},
	{"multipleNullSigningRootBlock", NULL, 1, 12346, 0, 0, 0, 0},
	{"singleValidAttestation", NULL, 1, 0, 5, 6, 0, 1},
	{"singleValidBlock", NULL, 1, 12345, 0, 0, 1, 0},
	{"slashingImport", NULL, 1, 12345, 5, 6, 1, 1},
	{"slashingImport_two_entries", NULL, 2, 12345, 5, 6, 1, 1},
};

static bool is_known(const uint8_t root[ROOT_SIZE])
{
	static const uint8_t unknown[ROOT_SIZE];

	return memcmp(root, unknown, ROOT_SIZE) != 0;
}

static void check_import_file(const struct import_file *file, json_t *document)
{
	AUTO_INTERCHANGE struct interchange interchange = {0};
	struct error error = {0};
	const struct watermark *watermark;

	if (file->message) {
		assert_false(interchange_read(document, &interchange, &error));
		assert_string_equal(error.message, file->message);
		return;
	}
	assert_ok(interchange_read(document, &interchange, &error), &error);
	assert_int_equal(interchange.count, file->keys);
	if (interchange.count == 0)
		return;
	watermark = &interchange.keys[0].watermark;
	assert_int_equal(watermark->has_block, file->slot > 0);
	assert_int_equal(watermark->has_attestation, file->target > 0);
	assert_int_equal(watermark->block_slot, file->slot);
	assert_int_equal(watermark->source_epoch, file->source);
	assert_int_equal(watermark->target_epoch, file->target);
	assert_int_equal(is_known(watermark->block_root), file->knows_block);
	assert_int_equal(is_known(watermark->attestation_root), file->knows_attestation);
}

static void web3signer_files(void **state)
{
	AUTO_FREE char *folder = public_vector_path("web3signer/interchange");

	(void)state;
	if (!folder)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(import_files); i++) {
		AUTO_FREE char *path = memory_format("%s/%s.json", folder, import_files[i].name);
		AUTO_JSON json_t *document = load_json(path);

		check_import_file(&import_files[i], document);
	}
	print_message("Web3Signer: %zu import files\n", ARRAY_SIZE(import_files));
}

static void add_block(struct watermark *watermark, json_t *slot)
{
	const struct watermark was_signed = {.has_block = true, .block_slot = (uint64_t)json_integer_value(slot)};

	slashing_raise(watermark, &was_signed);
}

static void add_attestation(struct watermark *watermark, json_t *epochs)
{
	const struct watermark was_signed = {.has_attestation = true,
					     .source_epoch = (uint64_t)json_integer_value(json_array_get(epochs, 0)),
					     .target_epoch = (uint64_t)json_integer_value(json_array_get(epochs, 1))};

	slashing_raise(watermark, &was_signed);
}

static void add_all(struct watermark *watermark, json_t *list, void (*add)(struct watermark *watermark, json_t *entry))
{
	json_t *entry;
	size_t i;

	json_array_foreach(list, i, entry) add(watermark, entry);
}

/* At least as high as Web3Signer's mark, which is the lowest of what was imported, beside all of which it keeps. */
static void check_import_case(json_t *test)
{
	json_t *after = at(test, "after");
	struct watermark watermark = {0};

	add_all(&watermark, json_object_get(test, "existing_blocks"), add_block);
	add_all(&watermark, json_object_get(test, "existing_attestations"), add_attestation);
	add_all(&watermark, at(test, "import_blocks"), add_block);
	add_all(&watermark, at(test, "import_attestations"), add_attestation);
	if (json_array_size(at(test, "import_blocks")) > 0)
		assert_true(watermark.block_slot >= (uint64_t)json_integer_value(json_object_get(after, "slot")));
	if (json_array_size(at(test, "import_attestations")) == 0)
		return;
	assert_true(watermark.source_epoch >= (uint64_t)json_integer_value(json_object_get(after, "source")));
	assert_true(watermark.target_epoch >= (uint64_t)json_integer_value(json_object_get(after, "target")));
}

/* The scenarios' block and attestation requests, as the keeper would judge them: epochs or slot, and the root. */
static bool check_request(struct database *database, json_t *request)
{
	uint8_t root[ROOT_SIZE], genesis_validators_root[ROOT_SIZE];
	struct watermark *watermark = &database->keys[0].watermark;
	json_t *attestation = json_object_get(request, "attestation");
	json_t *block = json_object_get(request, "block");

	read_hex(request, "signing_root", root, sizeof root);
	read_hex(at(request, "fork_info"), "genesis_validators_root", genesis_validators_root, ROOT_SIZE);
	if (database->count == 0) /* the first request says whose database it is */
		memcpy(database->genesis_validators_root, genesis_validators_root, ROOT_SIZE);
	database->count = 1;
	if (memcmp(database->genesis_validators_root, genesis_validators_root, ROOT_SIZE) != 0)
		return false;
	if (attestation)
		return try_attestation(watermark, read_u64(at(attestation, "source"), "epoch"),
				       read_u64(at(attestation, "target"), "epoch"), root);
	if (!block)
		block = at(at(request, "beacon_block"), "block_header");
	return try_block(watermark, read_u64(block, "slot"), root);
}

/* What is refused here and not there. */
static const struct stricter {
	const char *name;
	unsigned checks;
	const char *reason;
} stricter_scenarios[] = {
	{"surround without help from the low watermark", 1,
	 "(4,7) after (4,9): at or below the last target, whatever was signed there"},
};

static unsigned stricter_checks(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(stricter_scenarios); i++) {
		if (strcmp(stricter_scenarios[i].name, name) != 0)
			continue;
		print_message("stricter: %s: %s\n", name, stricter_scenarios[i].reason);
		return stricter_scenarios[i].checks;
	}
	return 0;
}

static void check_sign_scenario(json_t *scenario, struct tally *tally)
{
	const char *name = json_string_value(at(scenario, "name"));
	struct database database = {0};
	unsigned stricter = 0;
	json_t *step;
	size_t i;

	json_array_foreach(at(scenario, "steps"), i, step)
	{
		bool wanted = json_integer_value(at(step, "status")) == 200;
		bool signs = check_request(&database, at(step, "request"));

		if (signs && !wanted)
			fail_msg("%s: step %zu is signed", name, i);
		stricter += !signs && wanted;
		tally->checks++;
	}
	if (stricter != stricter_checks(name))
		fail_msg("%s: %u checks are refused that Web3Signer signs", name, stricter);
	tally->stricter += stricter;
}

/* Its low watermark repair, high watermark and pruning have no counterpart: one mark a key is all there is. */
static void web3signer_scenarios(void **state)
{
	AUTO_FREE char *path = public_vector_path("web3signer/slashing-scenarios.json");
	AUTO_JSON json_t *scenarios = NULL;
	struct tally tally = {0};
	json_t *cases, *test;
	size_t i;

	(void)state;
	if (!path)
		skip();
	scenarios = load_json(path);
	cases = at(at(scenarios, "import_watermarks"), "cases");
	json_array_foreach(cases, i, test) check_import_case(test);
	json_array_foreach(at(scenarios, "sign_scenarios"), i, test) check_sign_scenario(test, &tally);
	print_message("Web3Signer: %zu imports, %zu scenarios, %u checks, %u of them refused more strictly\n",
		      json_array_size(cases), json_array_size(at(scenarios, "sign_scenarios")), tally.checks, tally.stricter);
	assert_int_equal(tally.checks, 26);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(eip_3076),
		cmocka_unit_test(web3signer_files),
		cmocka_unit_test(web3signer_scenarios),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
