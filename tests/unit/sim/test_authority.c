/* SPDX-License-Identifier: Apache-2.0 */
#include "vectors.h"

#include <sys/stat.h>

#include <openssl/x509v3.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/secret.h"
#include "remove_tree.h"
#include "sim/authority.h"

#define REGION "us-east-1"
#define INSTANCE "i-0123456789abcdef0"
#define MODULE_ID INSTANCE "-enc0123456789abcdef"
#define OTHER_MODULE_ID INSTANCE "-encfedcba9876543210"
#define HOUR_MS (UINT64_C(3600) * 1000)

static char folder[64];
static uint64_t now_ms;

static int setup(void **state)
{
	(void)state;
	(void)snprintf(folder, sizeof folder, "/tmp/ensign-authority-XXXXXX");
	now_ms = clock_realtime_ms();
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return remove_tree(folder);
}

static struct authority *open_authority(void)
{
	struct error error = {0};
	struct authority *authority = authority_open(folder, REGION, INSTANCE, &error);

	assert_ok(authority != NULL, &error);
	return authority;
}

static struct attestation_document claims_at(uint64_t at_ms)
{
	struct attestation_document claims = {.module_id = MODULE_ID, .timestamp_ms = at_ms, .pcr_mask = 0x1ffff};

	for (size_t i = 0; i < NSM_PCR_COUNT; i++)
		memset(claims.pcrs[i], (int)i + 1, NSM_PCR_SIZE);
	return claims;
}

/* Issue and verify at the time of issue. The views of ret_document borrow from ret_bytes. */
static void issue(struct authority *authority, const struct attestation_document *claims, struct buffer *ret_bytes,
		  struct attestation_document *ret_document)
{
	struct error error = {0};

	assert_ok(authority_issue(authority, claims, ret_bytes, &error), &error);
	assert_ok(attestation_verify(buffer_view(ret_bytes), authority_root(authority), claims->timestamp_ms, ret_document, &error),
		  &error);
}

static void test_documents_carry_the_claims(void **state)
{
	AUTO_AUTHORITY struct authority *authority = open_authority();
	struct attestation_document claims = claims_at(now_ms);
	struct attestation_document document;
	AUTO_BUFFER struct buffer bytes = {0};

	(void)state;
	claims.has_nonce = true;
	claims.nonce = view_of_text("nonce");
	claims.has_user_data = true;
	issue(authority, &claims, &bytes, &document);
	assert_string_equal(document.module_id, MODULE_ID);
	assert_int_equal(document.timestamp_ms, now_ms);
	assert_int_equal(document.pcr_mask, 0x1ffff);
	for (size_t i = 0; i <= 16; i++)
		assert_memory_equal(document.pcrs[i], claims.pcrs[i], NSM_PCR_SIZE);
	assert_int_equal(document.pcrs[17][0], 0);
	assert_true(document.has_nonce);
	assert_true(view_equal_text(document.nonce, "nonce"));
	assert_true(document.has_user_data);
	assert_int_equal(document.user_data.size, 0);
	assert_false(document.has_public_key);
	assert_int_equal(document.cabundle_count, 4);
	assert_false(attestation_is_debug(&document));
}

static X509 *parse(struct view der)
{
	const uint8_t *next = der.data;
	X509 *certificate = d2i_X509(NULL, &next, (long)der.size);

	assert_non_null(certificate);
	return certificate;
}

static void assert_profile(struct view der, const char *common_name_end, long path_length, bool is_ca, uint32_t usage, int days,
			   int seconds)
{
	X509 *certificate = parse(der);
	char name[128] = "";
	int day_count = 0;
	int second_count = 0;

	assert_true(X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof name) > 0);
	assert_true(strlen(name) >= strlen(common_name_end));
	assert_string_equal(name + strlen(name) - strlen(common_name_end), common_name_end);
	assert_int_equal(X509_check_ca(certificate), is_ca);
	assert_int_equal(X509_get_pathlen(certificate), path_length);
	assert_int_equal(X509_get_key_usage(certificate), usage);
	assert_int_equal(
		ASN1_TIME_diff(&day_count, &second_count, X509_get0_notBefore(certificate), X509_get0_notAfter(certificate)), 1);
	assert_int_equal(day_count, days);
	assert_int_equal(second_count, seconds);
	assert_int_equal(X509_get0_subject_key_id(certificate) != NULL, is_ca);
	X509_free(certificate);
}

static void test_the_chain_has_the_profile_of_aws(void **state)
{
	const uint32_t full = KU_DIGITAL_SIGNATURE | KU_KEY_CERT_SIGN | KU_CRL_SIGN;
	AUTO_AUTHORITY struct authority *authority = open_authority();
	struct attestation_document claims = claims_at(now_ms);
	struct attestation_document document;
	AUTO_BUFFER struct buffer bytes = {0};
	static const uint8_t slot[] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0, 0, 0, 0};
	uint8_t serial[16] = {0};
	BIGNUM *number;
	X509 *leaf;

	(void)state;
	issue(authority, &claims, &bytes, &document);
	assert_profile(document.cabundle[0], "ensign-sim.nitro-enclaves", -1, true, full, 30 * 365, 0);
	assert_profile(document.cabundle[1], "." REGION ".sim.nitro-enclaves", 2, true, full, 20, 3600);
	assert_profile(document.cabundle[2], ".zonal." REGION ".sim.nitro-enclaves", 1, true, full, 6, 0);
	assert_profile(document.cabundle[3], INSTANCE "." REGION ".sim.nitro-enclaves", 0, true, KU_KEY_CERT_SIGN, 1, 0);
	assert_profile(document.certificate, MODULE_ID "." REGION ".sim", -1, false, KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION, 0,
		       3 * 3600 + 3);
	leaf = parse(document.certificate);
	number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(leaf), NULL);
	assert_int_equal(BN_bn2binpad(number, serial, sizeof serial), 16);
	BN_free(number);
	assert_memory_equal(serial, slot, sizeof slot);
	assert_int_equal(load_be32(serial + 12), now_ms / 1000 - 3);
	X509_free(leaf);
}

static void test_a_leaf_serves_for_three_hours(void **state)
{
	AUTO_AUTHORITY struct authority *authority = open_authority();
	struct attestation_document claims = claims_at(now_ms);
	struct attestation_document first;
	struct attestation_document later;
	struct attestation_document renewed;
	struct attestation_document other;
	AUTO_BUFFER struct buffer first_bytes = {0};
	AUTO_BUFFER struct buffer later_bytes = {0};
	AUTO_BUFFER struct buffer renewed_bytes = {0};
	AUTO_BUFFER struct buffer other_bytes = {0};

	(void)state;
	issue(authority, &claims, &first_bytes, &first);
	claims.timestamp_ms = now_ms + 2 * HOUR_MS;
	issue(authority, &claims, &later_bytes, &later);
	assert_true(view_equal(first.certificate, later.certificate));
	claims.timestamp_ms = now_ms + 3 * HOUR_MS;
	issue(authority, &claims, &renewed_bytes, &renewed);
	assert_false(view_equal(first.certificate, renewed.certificate));
	assert_true(view_equal(first.cabundle[3], renewed.cabundle[3]));
	(void)snprintf(claims.module_id, sizeof claims.module_id, "%s", OTHER_MODULE_ID);
	issue(authority, &claims, &other_bytes, &other);
	assert_false(view_equal(other.certificate, renewed.certificate));
}

static void test_intermediates_are_renewed_and_old_documents_still_verify(void **state)
{
	AUTO_AUTHORITY struct authority *authority = open_authority();
	struct attestation_document claims = claims_at(now_ms);
	struct attestation_document document;
	struct error error = {0};
	AUTO_BUFFER struct buffer first = {0};

	(void)state;
	issue(authority, &claims, &first, &document);
	/* Every four hours for a week, then back in time. */
	for (uint64_t hours = 4; hours < 168; hours += 4) {
		AUTO_BUFFER struct buffer bytes = {0};

		claims.timestamp_ms = now_ms + hours * HOUR_MS;
		issue(authority, &claims, &bytes, &document);
	}
	{
		AUTO_BUFFER struct buffer bytes = {0};

		claims.timestamp_ms = now_ms + HOUR_MS;
		issue(authority, &claims, &bytes, &document);
	}
	assert_ok(attestation_verify(buffer_view(&first), authority_root(authority), now_ms, &document, &error), &error);
	assert_false(attestation_verify(buffer_view(&first), authority_root(authority), now_ms + 4 * HOUR_MS, &document, &error));
}

static void test_more_enclaves_than_leaves_are_kept(void **state)
{
	AUTO_AUTHORITY struct authority *authority = open_authority();
	struct attestation_document claims = claims_at(now_ms);

	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		AUTO_BUFFER struct buffer bytes = {0};
		struct attestation_document document;

		(void)snprintf(claims.module_id, sizeof claims.module_id, INSTANCE "-enc%016x", i % 20);
		issue(authority, &claims, &bytes, &document);
		assert_string_equal(document.module_id, claims.module_id);
	}
}

static void test_the_root_persists(void **state)
{
	AUTO_FREE char *key_path = memory_format("%s/" AUTHORITY_ROOT_KEY_FILE, folder);
	AUTO_AUTHORITY struct authority *first = open_authority();
	AUTO_AUTHORITY struct authority *second = open_authority();
	struct attestation_document claims = claims_at(now_ms);
	struct attestation_document document;
	AUTO_BUFFER struct buffer bytes = {0};
	struct error error = {0};
	struct stat status;

	(void)state;
	assert_int_equal(X509_cmp(authority_root(first), authority_root(second)), 0);
	issue(second, &claims, &bytes, &document);
	assert_ok(attestation_verify(buffer_view(&bytes), authority_root(first), now_ms, &document, &error), &error);
	assert_int_equal(stat(key_path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
}

static void test_other_roots_do_not_vouch(void **state)
{
	AUTO_AUTHORITY struct authority *authority = open_authority();
	struct attestation_document claims = claims_at(now_ms);
	struct attestation_document document;
	AUTO_BUFFER struct buffer bytes = {0};
	struct error error = {0};
	X509 *aws = attestation_aws_root(&error);

	(void)state;
	assert_non_null(aws);
	issue(authority, &claims, &bytes, &document);
	assert_false(attestation_verify(buffer_view(&bytes), aws, now_ms, &document, &error));
	assert_message_contains(&error, "not the pinned one");
	X509_free(aws);
}

static void test_claims_are_checked(void **state)
{
	static const char *const module_ids[] = {
		"", "i-1", "-enc0123456789abcdef", "i-1-enc0123456789abcde", "i-1-enc0123456789abcdeg", "i-1-fnc0123456789abcdef",
	};
	AUTO_AUTHORITY struct authority *authority = open_authority();
	struct attestation_document claims = claims_at(now_ms);
	AUTO_BUFFER struct buffer bytes = {0};
	struct error error = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(module_ids); i++) {
		(void)snprintf(claims.module_id, sizeof claims.module_id, "%s", module_ids[i]);
		assert_false(authority_issue(authority, &claims, &bytes, &error));
		assert_int_equal(error.code, ERROR_INPUT);
	}
	memset(claims.module_id, 'a', sizeof claims.module_id);
	assert_false(authority_issue(authority, &claims, &bytes, &error));
	claims = claims_at(now_ms);
	claims.pcr_mask = 0;
	assert_false(authority_issue(authority, &claims, &bytes, &error));
	claims = claims_at(0);
	assert_false(authority_issue(authority, &claims, &bytes, &error));
	assert_int_equal(bytes.size, 0);
}

static void assert_not_opened(const char *message)
{
	struct error error = {0};

	assert_null(authority_open(folder, REGION, INSTANCE, &error));
	assert_message_contains(&error, message);
}

static void test_broken_folders_are_refused(void **state)
{
	AUTO_FREE char *certificate_path = memory_format("%s/" AUTHORITY_ROOT_FILE, folder);
	AUTO_FREE char *key_path = memory_format("%s/" AUTHORITY_ROOT_KEY_FILE, folder);
	AUTO_BUFFER struct buffer certificate = {0};
	AUTO_BUFFER struct buffer other_key = {0};
	struct error error = {0};

	(void)state;
	authority_free(open_authority());
	assert_ok(file_read(certificate_path, 4096, &certificate, &error), &error);
	assert_int_equal(unlink(certificate_path), 0);
	authority_free(open_authority()); /* another root */
	assert_ok(file_read(key_path, 4096, &other_key, &error), &error);

	assert_ok(file_write_atomic(certificate_path, buffer_view(&certificate), 0644, &error), &error);
	assert_not_opened("is not the key of");
	assert_ok(file_write_atomic(key_path, view_of_text("nonsense"), 0600, &error), &error);
	assert_not_opened("not a private key");
	assert_int_equal(unlink(key_path), 0);
	assert_not_opened("has no key");
	assert_ok(file_write_atomic(key_path, buffer_view(&other_key), 0600, &error), &error);
	assert_ok(file_write_atomic(certificate_path, view_of_text("nonsense"), 0644, &error), &error);
	assert_not_opened("not a certificate");
	assert_null(authority_open("/nonexistent", REGION, INSTANCE, &error));
	assert_int_equal(error.code, ERROR_IO);
	authority_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_documents_carry_the_claims, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_chain_has_the_profile_of_aws, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_leaf_serves_for_three_hours, setup, teardown),
		cmocka_unit_test_setup_teardown(test_intermediates_are_renewed_and_old_documents_still_verify, setup, teardown),
		cmocka_unit_test_setup_teardown(test_more_enclaves_than_leaves_are_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_root_persists, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_roots_do_not_vouch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_claims_are_checked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_broken_folders_are_refused, setup, teardown),
	};
	struct error error = {0};

	if (!secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_DEFAULT, &error))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
