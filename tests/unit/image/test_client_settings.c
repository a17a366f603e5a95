/* SPDX-License-Identifier: Apache-2.0 */
#include "image/client_settings.h"

#include "image/configuration.h"
#include "vectors.h"

#define CA "\"-----BEGIN CERTIFICATE-----\\nAA==\\n-----END CERTIFICATE-----\\n\""
#define WITH(members)                                                                                                              \
	"{\"version\":1,\"network\":\"mainnet\",\"slashing_protection\":true,\"fleet\":\"f\",\"region\":\"r\",\"kms_host\":\"h\"," \
	"\"kms_key_arn\":\"a\"," members "\"ca_pem\":" CA "}"

static void canonical(const char *json, struct configuration *ret_configuration, struct buffer *ret_text)
{
	AUTO_CONFIGURATION struct configuration again = {0};
	AUTO_BUFFER struct buffer text = {0};
	struct error error;

	assert_ok(configuration_parse(view_of_text(json), ret_configuration, &error), &error);
	configuration_write(ret_configuration, ret_text);
	assert_ok(configuration_parse(buffer_view(ret_text), &again, &error), &error);
	configuration_write(&again, &text);
	assert_true(view_equal(buffer_view(ret_text), buffer_view(&text)));
}

static void absent_means_anybody(void **state)
{
	AUTO_CONFIGURATION struct configuration configuration = {0};
	AUTO_BUFFER struct buffer text = {0};

	(void)state;
	canonical(WITH(""), &configuration, &text);
	assert_false(client_settings_require_certificate(&configuration.clients));
	assert_true(client_settings_allow_host(&configuration.clients, view_of_text("anything")));
	assert_null(strstr(buffer_text(&text), "clients"));
	assert_null(strstr(buffer_text(&text), "host_allowlist"));
}

static void clients_are_read(void **state)
{
	static const struct {
		const char *json;
		bool has_ca, known;
	} cases[] = {
		{WITH("\"clients\":{\"ca_pem\":" CA "},"), true, false},
		{WITH("\"clients\":{\"known\":true},"), false, true},
		{WITH("\"clients\":{\"known\":true,\"ca_pem\":" CA "},"), true, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_CONFIGURATION struct configuration configuration = {0};
		AUTO_BUFFER struct buffer text = {0};

		canonical(cases[i].json, &configuration, &text);
		assert_true(client_settings_require_certificate(&configuration.clients));
		assert_int_equal(configuration.clients.known, cases[i].known);
		assert_int_equal(configuration.clients.ca_pem.size > 0, cases[i].has_ca);
	}
}

/* Same hosts, same bytes, hence the same PCR0. */
static void host_lists_are_sets(void **state)
{
	AUTO_CONFIGURATION struct configuration first = {0};
	AUTO_CONFIGURATION struct configuration second = {0};
	AUTO_BUFFER struct buffer first_text = {0};
	AUTO_BUFFER struct buffer second_text = {0};

	(void)state;
	canonical(WITH("\"host_allowlist\":[\"b.example\",\"A.example\",\"[2001:DB8::1]\"],"), &first, &first_text);
	canonical(WITH("\"host_allowlist\":[\"2001:db8::1\",\"a.EXAMPLE\",\"B.example\",\"a.example\"],"), &second, &second_text);
	assert_true(view_equal(buffer_view(&first_text), buffer_view(&second_text)));
	assert_non_null(strstr(buffer_text(&first_text), "[\"2001:db8::1\",\"a.example\",\"b.example\"]"));
}

static void hosts_are_compared(void **state)
{
	static const struct {
		const char *header;
		bool allowed;
	} cases[] = {
		{"signer.example", true},
		{"SIGNER.example:8443", true},
		{"10.0.0.7:1", true},
		{"[2001:db8::1]", true},
		{"[2001:DB8::1]:8443", true},
		{"", false},
		{":8443", false},
		{"signer.example.", false},
		{"xsigner.example", false},
		{"signer.exampl", false},
		{"signer.example evil", false},
		{"2001:db8::1", false}, /* without brackets it is host 2001, port "db8::1" */
		{"[2001:db8::1", false},
		{"[]", false},
		{"[signer.example", false},
	};
	AUTO_CONFIGURATION struct configuration configuration = {0};
	AUTO_FREE char *long_host = memory_format("%0400d", 0);
	AUTO_BUFFER struct buffer text = {0};

	(void)state;
	canonical(WITH("\"host_allowlist\":[\"signer.example\",\"10.0.0.7\",\"2001:db8::1\"],"), &configuration, &text);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (client_settings_allow_host(&configuration.clients, view_of_text(cases[i].header)) != cases[i].allowed)
			fail_msg("Host: %s", cases[i].header);
	}
	assert_false(client_settings_allow_host(&configuration.clients, view_of("signer.example\0", 15)));
	assert_false(client_settings_allow_host(&configuration.clients, view_of_text(long_host)));
}

static void mistakes_are_named(void **state)
{
	static const struct {
		const char *json;
		const char *message;
	} cases[] = {
		{WITH("\"clients\":{},"), "clients: neither"},
		{WITH("\"clients\":true,"), "clients"},
		{WITH("\"clients\":{\"known\":false},"), "clients: known: true, or left out"},
		{WITH("\"clients\":{\"known\":1},"), "clients: known"},
		{WITH("\"clients\":{\"known\":true,\"ca\":" CA "},"), "clients: ca"},
		{WITH("\"clients\":{\"known\":true,\"ca_pem\":null},"), "clients: ca_pem"},
		{WITH("\"clients\":{\"ca_pem\":\"\"},"), "clients: ca_pem: holds no certificate"},
		{WITH("\"host_allowlist\":[],"), "host_allowlist: empty"},
		{WITH("\"host_allowlist\":\"a\","), "host_allowlist"},
		{WITH("\"host_allowlist\":[\"a\",7],"), "host_allowlist: [1]: not a string"},
		{WITH("\"host_allowlist\":[\"a b\"],"), "host_allowlist: [0]: \"a b\" is no name"},
		{WITH("\"host_allowlist\":[\"\"],"), "host_allowlist: [0]"},
		{WITH("\"host_allow_list\":[\"a\"],"), "host_allow_list: no such setting"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_CONFIGURATION struct configuration configuration = {0};
		struct error error = {0};

		if (configuration_parse(view_of_text(cases[i].json), &configuration, &error))
			fail_msg("taken: %s", cases[i].json);
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, cases[i].message);
	}
}

static void there_are_not_too_many_hosts(void **state)
{
	AUTO_CLIENT_SETTINGS struct client_settings settings = {0};
	struct error error;

	(void)state;
	for (int i = 0; i < HOST_ALLOWLIST_MAX; i++) {
		AUTO_FREE char *host = memory_format("host%d", i);

		assert_ok(client_settings_add_host(&settings, host, &error), &error);
	}
	assert_ok(client_settings_add_host(&settings, "HOST5", &error), &error);
	assert_false(client_settings_add_host(&settings, "one-more", &error));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(absent_means_anybody), cmocka_unit_test(clients_are_read),
		cmocka_unit_test(host_lists_are_sets),  cmocka_unit_test(hosts_are_compared),
		cmocka_unit_test(mistakes_are_named),   cmocka_unit_test(there_are_not_too_many_hosts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
