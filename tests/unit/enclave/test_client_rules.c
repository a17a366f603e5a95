/* SPDX-License-Identifier: Apache-2.0 */
/* Which certificates let a client in, without any connection. */
#include "vectors.h"

#include "client_certificate.h"
#include "enclave/frontend/client_rules.h"

#define LONG_NAME "0123456789012345678901234567890123456789012345678901234567890123"

struct kit {
	struct client_certificate ca;
	struct client_certificate intermediate;
	struct buffer ca_pem;
};

static struct kit kit;

static int make_kit(void **state)
{
	(void)state;
	client_certificate_make(&kit.ca, &(struct client_certificate_options){.common_name = "clients' CA", .is_ca = true});
	client_certificate_make(&kit.intermediate,
				&(struct client_certificate_options){.common_name = "between", .issuer = &kit.ca, .is_ca = true});
	client_certificate_pem(&kit.ca, &kit.ca_pem);
	return 0;
}

static int drop_kit(void **state)
{
	(void)state;
	client_certificate_done(&kit.ca);
	client_certificate_done(&kit.intermediate);
	buffer_done(&kit.ca_pem);
	return 0;
}

static struct client_rules *rules_new(bool with_ca, bool known)
{
	struct error error;
	struct client_rules *rules = client_rules_new(with_ca ? buffer_view(&kit.ca_pem) : view_of(NULL, 0), known, &error);

	assert_ok(rules != NULL, &error);
	return rules;
}

static void rules_done(struct client_rules **rules)
{
	client_rules_free(*rules);
}
#define AUTO_RULES CLEANUP(rules_done)

static bool set_known(struct client_rules *rules, uint64_t serial, const struct known_client *clients, size_t count,
		      struct error *error)
{
	struct message_known_clients list;

	message_init(&list, MESSAGE_KNOWN_CLIENTS, 0);
	list.serial = serial;
	list.count = count;
	for (size_t i = 0; i < count; i++)
		list.clients[i] = clients[i];
	return client_rules_set_known(rules, &list, error);
}

static bool admit(struct client_rules *rules, const struct client_certificate *leaf, const struct client_certificate *next,
		  struct http_client *ret_client, struct client_admission *ret_admission, struct error *error)
{
	AUTO_BUFFER struct buffer first = {0};
	AUTO_BUFFER struct buffer second = {0};
	gnutls_datum_t chain[2];

	*ret_client = (struct http_client){0};
	client_certificate_der(leaf, &first);
	if (next)
		client_certificate_der(next, &second);
	chain[0] = (gnutls_datum_t){first.data, (unsigned)first.size};
	chain[1] = (gnutls_datum_t){second.data, (unsigned)second.size};
	return client_rules_admit(rules, chain, next ? 2 : 1, ret_client, ret_admission, error);
}

static void authority_decides(void **state)
{
	const struct {
		struct client_certificate_options options;
		bool with_intermediate;
		const char *refusal; /* NULL: let in */
	} cases[] = {
		{{.common_name = "vc", .issuer = &kit.ca}, false, NULL},
		{{.common_name = "vc", .issuer = &kit.ca, .purpose = GNUTLS_KP_TLS_WWW_CLIENT}, false, NULL},
		{{.common_name = "vc", .issuer = &kit.intermediate}, true, NULL},
		{{.issuer = &kit.ca}, false, NULL},
		{{.common_name = "vc", .issuer = &kit.ca, .purpose = GNUTLS_KP_TLS_WWW_SERVER}, false, "purpose"},
		{{.common_name = "vc", .issuer = &kit.ca, .valid_from_s = -20, .valid_until_s = -10}, false, "expired"},
		{{.common_name = "vc", .issuer = &kit.ca, .valid_from_s = 100, .valid_until_s = 200}, false, "not yet"},
		{{.common_name = "vc", .issuer = &kit.intermediate}, false, "issuer"},
		{{.common_name = "vc"}, false, "issuer"},
	};
	AUTO_RULES struct client_rules *rules = rules_new(true, false);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_CLIENT_CERTIFICATE struct client_certificate leaf = {0};
		struct client_admission admission;
		struct http_client client;
		struct error error = {0};
		bool admitted;

		client_certificate_make(&leaf, &cases[i].options);
		admitted = admit(rules, &leaf, cases[i].with_intermediate ? &kit.intermediate : NULL, &client, &admission, &error);
		if (admitted != !cases[i].refusal)
			fail_msg("case %zu: %s", i, error.message);
		assert_int_equal(client.has_certificate, admitted);
		assert_int_equal(admission.is_admitted, admitted);
		assert_string_equal(client.common_name, cases[i].options.common_name ? cases[i].options.common_name : "");
		if (cases[i].refusal) {
			assert_int_equal(error.code, ERROR_POLICY);
			assert_message_contains(&error, cases[i].refusal);
		}
	}
}

/* An intermediate CA of the same name as ours, but its own key. */
static void namesake_of_the_authority_is_refused(void **state)
{
	AUTO_CLIENT_CERTIFICATE struct client_certificate impostor = {0};
	AUTO_CLIENT_CERTIFICATE struct client_certificate leaf = {0};
	AUTO_RULES struct client_rules *rules = rules_new(true, false);
	struct client_admission admission;
	struct http_client client;
	struct error error;

	(void)state;
	client_certificate_make(&impostor, &(struct client_certificate_options){.common_name = "clients' CA", .is_ca = true});
	client_certificate_make(&leaf, &(struct client_certificate_options){.common_name = "vc", .issuer = &impostor});
	assert_false(admit(rules, &leaf, &impostor, &client, &admission, &error));
	/* nor may a client be a CA of others */
	client_certificate_done(&leaf);
	client_certificate_done(&impostor);
	client_certificate_make(&impostor, &(struct client_certificate_options){.common_name = "vc", .issuer = &kit.ca});
	client_certificate_make(&leaf, &(struct client_certificate_options){.common_name = "vc2", .issuer = &impostor});
	assert_false(admit(rules, &leaf, &impostor, &client, &admission, &error));
}

static void list_decides(void **state)
{
	AUTO_CLIENT_CERTIFICATE struct client_certificate listed = {0};
	AUTO_CLIENT_CERTIFICATE struct client_certificate other = {0};
	AUTO_RULES struct client_rules *rules = rules_new(false, true);
	struct client_admission admission;
	struct known_client known;
	struct http_client client;
	struct error error;

	(void)state;
	/* who signed it and when it was valid means nothing */
	client_certificate_make(
		&listed, &(struct client_certificate_options){.common_name = "vc", .valid_from_s = -20, .valid_until_s = -10});
	client_certificate_make(&other, &(struct client_certificate_options){.common_name = "vc"});
	assert_false(admit(rules, &listed, NULL, &client, &admission, &error)); /* no list yet */
	assert_message_contains(&error, "known clients");
	known = client_certificate_known(&listed, "vc");
	assert_ok(set_known(rules, 1, &known, 1, &error), &error);
	assert_ok(admit(rules, &listed, NULL, &client, &admission, &error), &error);
	assert_memory_equal(client.fingerprint, known.fingerprint, 32);
	assert_string_equal(client.common_name, "vc");
	assert_false(admit(rules, &other, NULL, &client, &admission, &error));
	/* the name counts too, exactly */
	known = client_certificate_known(&listed, "VC");
	assert_ok(set_known(rules, 2, &known, 1, &error), &error);
	assert_false(admit(rules, &listed, NULL, &client, &admission, &error));
}

static void either_is_enough(void **state)
{
	AUTO_CLIENT_CERTIFICATE struct client_certificate listed = {0};
	AUTO_CLIENT_CERTIFICATE struct client_certificate signed_one = {0};
	AUTO_CLIENT_CERTIFICATE struct client_certificate neither = {0};
	AUTO_RULES struct client_rules *rules = rules_new(true, true);
	struct client_admission admission;
	struct known_client known;
	struct http_client client;
	struct error error;

	(void)state;
	client_certificate_make(&listed, &(struct client_certificate_options){.common_name = "listed"});
	client_certificate_make(&signed_one, &(struct client_certificate_options){.common_name = "signed", .issuer = &kit.ca});
	client_certificate_make(&neither, &(struct client_certificate_options){.common_name = "neither"});
	known = client_certificate_known(&listed, "listed");
	assert_ok(set_known(rules, 1, &known, 1, &error), &error);
	assert_ok(admit(rules, &listed, NULL, &client, &admission, &error), &error);
	assert_false(admission.by_ca);
	assert_ok(admit(rules, &signed_one, NULL, &client, &admission, &error), &error);
	assert_true(admission.by_ca);
	assert_false(admit(rules, &neither, NULL, &client, &admission, &error));
	assert_message_contains(&error, "not on the list of known clients, and not accepted by the clients' CA");
}

static void struck_off_means_out(void **state)
{
	AUTO_CLIENT_CERTIFICATE struct client_certificate one = {0};
	AUTO_CLIENT_CERTIFICATE struct client_certificate two = {0};
	AUTO_RULES struct client_rules *rules = rules_new(false, true);
	struct client_admission admissions[2];
	struct http_client clients[2];
	struct known_client known[2];
	struct error error;

	(void)state;
	client_certificate_make(&one, &(struct client_certificate_options){.common_name = "one"});
	client_certificate_make(&two, &(struct client_certificate_options){.common_name = "two"});
	known[0] = client_certificate_known(&one, "one");
	known[1] = client_certificate_known(&two, "two");
	assert_ok(set_known(rules, 5, known, 2, &error), &error);
	assert_ok(admit(rules, &one, NULL, &clients[0], &admissions[0], &error), &error);
	assert_ok(admit(rules, &two, NULL, &clients[1], &admissions[1], &error), &error);
	assert_ok(client_rules_still_admit(rules, &clients[0], &admissions[0], &error), &error);
	assert_ok(set_known(rules, 6, &known[1], 1, &error), &error);
	assert_false(client_rules_still_admit(rules, &clients[0], &admissions[0], &error));
	assert_message_contains(&error, "any more");
	assert_ok(client_rules_still_admit(rules, &clients[1], &admissions[1], &error), &error);
	/* an older list cannot bring it back; one of the same age may come again */
	assert_false(set_known(rules, 5, known, 2, &error));
	assert_int_equal(error.code, ERROR_POLICY);
	assert_false(client_rules_still_admit(rules, &clients[0], &admissions[0], &error));
	assert_ok(set_known(rules, 6, &known[1], 1, &error), &error);
	assert_ok(client_rules_still_admit(rules, &clients[1], &admissions[1], &error), &error);
	/* an empty list knows nobody */
	assert_ok(set_known(rules, 7, NULL, 0, &error), &error);
	assert_false(client_rules_still_admit(rules, &clients[1], &admissions[1], &error));
	assert_false(client_rules_still_admit(rules, &clients[1], &(struct client_admission){0}, &error));
}

/* What could pass for another name when it is read in part, or escaped, is read whole or not at all. */
static void odd_names(void **state)
{
	static const struct {
		const char *given;
		const char *read;
	} cases[] = {
		{"a,b+c=\"d\"\\", "a,b+c=\"d\"\\"},
		{" lead and trail ", " lead and trail "},
		{"J\xc3\xbcrgen", "J\xc3\xbcrgen"},
		{LONG_NAME, LONG_NAME},
	};
	AUTO_RULES struct client_rules *rules = rules_new(true, false);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_CLIENT_CERTIFICATE struct client_certificate leaf = {0};
		struct client_admission admission;
		struct http_client client;
		struct error error;

		client_certificate_make(&leaf,
					&(struct client_certificate_options){.common_name = cases[i].given, .issuer = &kit.ca});
		assert_ok(admit(rules, &leaf, NULL, &client, &admission, &error), &error);
		assert_string_equal(client.common_name, cases[i].read);
	}
}

static void nonsense_is_refused(void **state)
{
	AUTO_RULES struct client_rules *rules = rules_new(true, true);
	uint8_t bytes[] = {0x30, 0x82, 1, 2, 3};
	gnutls_datum_t chain[9];
	struct client_admission admission;
	struct http_client client = {0};
	struct error error;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(chain); i++)
		chain[i] = (gnutls_datum_t){bytes, sizeof bytes};
	assert_false(client_rules_admit(rules, NULL, 0, &client, &admission, &error));
	assert_message_contains(&error, "no certificate");
	assert_false(client_rules_admit(rules, chain, 1, &client, &admission, &error));
	assert_message_contains(&error, "cannot be read");
	assert_false(client_rules_admit(rules, chain, ARRAY_SIZE(chain), &client, &admission, &error));
	assert_message_contains(&error, "9 certificates");
	assert_null(client_rules_new(view_of_text("-----BEGIN CERTIFICATE-----"), false, &error));
	assert_message_contains(&error, "CA of the clients");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(authority_decides),    cmocka_unit_test(namesake_of_the_authority_is_refused),
		cmocka_unit_test(list_decides),         cmocka_unit_test(either_is_enough),
		cmocka_unit_test(struck_off_means_out), cmocka_unit_test(odd_names),
		cmocka_unit_test(nonsense_is_refused),
	};

	return cmocka_run_group_tests(tests, make_kit, drop_kit);
}
