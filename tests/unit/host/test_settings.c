/* SPDX-License-Identifier: Apache-2.0 */
#include "host/settings.h"

#include <unistd.h>

#include "base/file.h"
#include "vectors.h"

/* The example of docs/protocols.md. */
static const char good[] =
	"{\"launcher\": \"process\","
	" \"program\": \"D/image/ensign-enclave\", \"configuration\": \"D/image/enclave.json\","
	" \"run_folder\": \"D/run\", \"store_folder\": \"D/store\","
	" \"web3signer_uuid\": \"local\", \"key_table\": \"sqlite:D/tables.sqlite\","
	" \"tls_table\": \"sqlite:D/tls.sqlite\","
	" \"listen\": \"tcp:127.0.0.1:8443\","
	" \"credentials\": \"imds:http://127.0.0.1:1234\","
	" \"nsm\": \"unix:SIM/nsm.sock\","
	" \"relays\": [{\"name\": \"kms\", \"listen\": \"unix:D/run/kms.sock\", \"connect\": \"tcp:127.0.0.1:99\"}]}";

static json_t *good_object(void)
{
	struct error error = {0};
	json_t *object = json_parse_object(view_of_text(good), "example", &error);

	assert_ok(object != NULL, &error);
	return object;
}

static bool parse(const json_t *object, struct settings *ret_settings, struct error *error)
{
	AUTO_BUFFER struct buffer text = {0};

	json_write(object, &text);
	return settings_parse(buffer_view(&text), ret_settings, error);
}

/* Give `name` the value (NULL: take it away) and expect an error that names it. */
static void assert_refused(const char *name, json_t *value, const char *message)
{
	AUTO_JSON json_t *object = good_object();
	struct settings settings = {0};
	struct error error = {0};

	if (value)
		assert_int_equal(json_object_set_new(object, name, value), 0);
	if (!value)
		assert_int_equal(json_object_del(object, name), 0);
	assert_false(parse(object, &settings, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_message_contains(&error, name);
	assert_message_contains(&error, message);
	assert_int_equal(settings.relay_count, 0);
}

static void reads_the_example(void **state)
{
	struct settings settings = {0};
	struct error error = {0};

	(void)state;
	assert_ok(settings_parse(view_of_text(good), &settings, &error), &error);
	assert_string_equal(settings.launcher, "process");
	assert_string_equal(settings.program, "D/image/ensign-enclave");
	assert_string_equal(settings.configuration, "D/image/enclave.json");
	assert_string_equal(settings.run_folder, "D/run");
	assert_string_equal(settings.store_folder, "D/store");
	assert_string_equal(settings.web3signer_uuid, "local");
	assert_string_equal(settings.key_table.name, "D/tables.sqlite");
	assert_string_equal(settings.tls_table.name, "D/tls.sqlite");
	assert_int_equal(settings.listen.kind, ADDRESS_TCP);
	assert_int_equal(settings.listen.port, 8443);
	assert_string_equal(settings.nsm.path, "SIM/nsm.sock");
	assert_int_equal(settings.credential_source, CREDENTIAL_SOURCE_IMDS);
	assert_string_equal(settings.imds_url, "http://127.0.0.1:1234");
	assert_int_equal(settings.relay_count, 1);
	assert_string_equal(settings_find_relay(&settings, "kms")->listen.path, "D/run/kms.sock");
	assert_int_equal(settings_find_relay(&settings, "kms")->connect.port, 99);
	assert_null(settings_find_relay(&settings, "other"));
}

static void reads_environment_credentials(void **state)
{
	AUTO_JSON json_t *object = good_object();
	struct settings settings = {0};
	struct error error = {0};

	(void)state;
	assert_int_equal(json_object_set_new(object, "credentials", json_string("environment")), 0);
	assert_ok(parse(object, &settings, &error), &error);
	assert_int_equal(settings.credential_source, CREDENTIAL_SOURCE_ENVIRONMENT);
}

static void the_tables_are_looked_at_every_so_often(void **state)
{
	AUTO_JSON json_t *object = good_object();
	struct settings settings = {0};
	struct error error = {0};

	(void)state;
	assert_ok(parse(object, &settings, &error), &error);
	assert_int_equal(settings.tables_poll_s, SETTINGS_TABLES_POLL_DEFAULT_S);
	for (json_int_t seconds = 0; seconds < 2; seconds++) {
		assert_int_equal(json_object_set_new(object, "tables_poll_s", json_integer(seconds)), 0);
		assert_ok(parse(object, &settings, &error), &error);
		assert_int_equal(settings.tables_poll_s, seconds);
	}
	assert_refused("tables_poll_s", json_integer(SETTINGS_TABLES_POLL_MAX_S + 1), "more than");
	assert_refused("tables_poll_s", json_integer(-1), "tables_poll_s");
}

static void tables_may_be_in_dynamodb(void **state)
{
	AUTO_JSON json_t *object = good_object();
	struct settings settings = {0};
	struct error error = {0};

	(void)state;
	assert_int_equal(json_object_set_new(object, "key_table", json_string("dynamodb:ValidatorKeys")), 0);
	assert_false(parse(object, &settings, &error));
	assert_message_contains(&error, "dynamodb: missing");
	assert_int_equal(json_object_set_new(object, "dynamodb", json_pack("{s:s}", "region", "eu-west-1")), 0);
	assert_ok(parse(object, &settings, &error), &error);
	assert_true(settings.key_table.is_dynamodb);
	assert_false(settings.tls_table.is_dynamodb);
	assert_string_equal(settings.key_table.name, "ValidatorKeys");
	assert_string_equal(settings.dynamodb.region, "eu-west-1");
	assert_string_equal(settings.dynamodb.host, "");
	assert_refused("key_table", json_string("dynamodb:"), "empty");
	assert_refused("dynamodb", json_pack("{s:s}", "host", "localhost:1"), "region: missing");
	assert_refused("dynamodb", json_pack("{s:s, s:s}", "region", "r", "key", "k"), "dynamodb: key: no such setting");
	assert_refused("dynamodb", json_string("eu-west-1"), "not an object");
}

static json_t *machine_object(void)
{
	return json_pack("{s:s, s:s, s:s, s:i}", "folder", "D/machine", "qemu", "/q", "vsock_backend", "/v", "memory_mib", 256);
}

static void assert_machine_refused(const char *name, json_t *value, const char *message)
{
	json_t *machine = machine_object();

	if (value)
		assert_int_equal(json_object_set_new(machine, name, value), 0);
	if (!value)
		assert_int_equal(json_object_del(machine, name), 0);
	assert_refused("machine", machine, message);
}

static void a_machine_may_be_described(void **state)
{
	AUTO_JSON json_t *object = good_object();
	struct settings settings = {0};
	struct error error = {0};

	(void)state;
	assert_ok(parse(object, &settings, &error), &error);
	assert_false(settings.has_machine);
	assert_int_equal(json_object_set_new(object, "machine", machine_object()), 0);
	assert_ok(parse(object, &settings, &error), &error);
	assert_true(settings.has_machine);
	assert_string_equal(settings.machine.folder, "D/machine");
	assert_string_equal(settings.machine.qemu, "/q");
	assert_string_equal(settings.machine.vsock_backend, "/v");
	assert_string_equal(settings.machine.accelerator, "tcg");
	assert_int_equal(settings.machine.memory_mib, 256);
	assert_int_equal(json_object_set_new(json_object_get(object, "machine"), "accelerator", json_string("kvm")), 0);
	assert_ok(parse(object, &settings, &error), &error);
	assert_string_equal(settings.machine.accelerator, "kvm");
	assert_refused("machine", json_string("qemu"), "machine");
	assert_machine_refused("folder", NULL, "folder: missing");
	assert_machine_refused("qemu", json_string(""), "qemu: empty");
	assert_machine_refused("accelerator", json_string("hvf"), "accelerator: neither tcg nor kvm");
	assert_machine_refused("memory_mib", json_integer(127), "memory_mib: not 128 to");
	assert_machine_refused("memory_mib", json_integer(65537), "memory_mib: not 128 to");
	assert_machine_refused("cpus", json_integer(1), "cpus");
}

static void every_member_is_wanted(void **state)
{
	AUTO_JSON json_t *object = good_object();
	const char *name;
	json_t *value;

	(void)state;
	json_object_foreach(object, name, value)
	{
		(void)value;
		assert_refused(name, NULL, "missing");
		assert_refused(name, json_integer(1), "not a");
	}
}

static void unknown_members_are_refused(void **state)
{
	(void)state;
	assert_refused("lisen", json_string("tcp:127.0.0.1:1"), "not a setting");
	assert_refused("debug", json_true(), "not a setting");
}

static void bad_values_are_refused(void **state)
{
	AUTO_FREE char *long_text = memory_format("%02000d", 0);

	(void)state;
	assert_refused("program", json_string(""), "empty");
	assert_refused("run_folder", json_string(long_text), "at most");
	assert_refused("web3signer_uuid", json_string(long_text), "at most 63");
	assert_refused("key_table", json_string("D/tables.sqlite"), "neither sqlite:PATH nor dynamodb:NAME");
	assert_refused("tls_table", json_string("sqlite:"), "empty");
	assert_refused("listen", json_string("127.0.0.1:8443"), "address");
	assert_refused("nsm", json_string("vsock:3"), "address");
	assert_refused("credentials", json_string("imds:https://example.org"), "imds:http://");
	assert_refused("credentials", json_string("file:/etc/passwd"), "imds:http://");
	assert_refused("credentials", json_string(long_text), "imds:http://");
}

static json_t *relay_json(const char *name, const char *listen, const char *connect)
{
	return json_pack("{s:s, s:s, s:s}", "name", name, "listen", listen, "connect", connect);
}

static void bad_relays_are_refused(void **state)
{
	json_t *many = json_array();

	(void)state;
	assert_refused("relays", json_array(), "none has the name kms");
	assert_refused("relays", json_pack("[o]", relay_json("dynamodb", "unix:a", "unix:b")), "none has the name kms");
	assert_refused("relays", json_pack("[s]", "kms"), "relays[0]: not an object");
	assert_refused("relays", json_pack("[{s:s, s:s}]", "name", "kms", "listen", "unix:a"), "relays[0]: connect: missing");
	assert_refused("relays",
		       json_pack("[{s:s, s:s, s:s, s:b}]", "name", "kms", "listen", "unix:a", "connect", "unix:b", "tls", 1),
		       "relays[0]: tls: no such setting");
	assert_refused("relays", json_pack("[o]", relay_json("KMS", "unix:a", "unix:b")), "relays[0]: name: not made of");
	assert_refused("relays", json_pack("[o]", relay_json("a-name-that-is-longer-than-thirty-two", "unix:a", "unix:b")),
		       "relays[0]: name: ");
	assert_refused("relays", json_pack("[o]", relay_json("kms", "a", "unix:b")), "relays[0]: listen: address");
	assert_refused("relays", json_pack("[o]", relay_json("kms", "unix:a", "*:443")), "relays[0]: connect: address");
	assert_refused("relays", json_pack("[o,o]", relay_json("kms", "unix:a", "unix:b"), relay_json("kms", "unix:c", "unix:d")),
		       "relays[1]: name: kms is there twice");
	for (int i = 0; i <= SETTINGS_MAX_RELAYS; i++)
		assert_int_equal(json_array_append_new(many, relay_json("kms", "unix:a", "unix:b")), 0);
	assert_refused("relays", many, "at most 16");
}

static void malformed_text_is_refused(void **state)
{
	static const char *const texts[] = {"", "[]", "{", "{\"listen\":1,\"listen\":1}", "null"};
	struct settings settings = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct error error = {0};

		assert_false(settings_parse(view_of_text(texts[i]), &settings, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, "host settings");
	}
}

static void reads_a_file(void **state)
{
	char path[] = "/tmp/settings-XXXXXX";
	AUTO_FD int fd = mkstemp(path);
	struct settings settings = {0};
	struct error error = {0};

	(void)state;
	assert_true(fd >= 0);
	assert_true(fd_write_all(fd, good, strlen(good)));
	assert_ok(settings_read(path, false, &settings, &error), &error);
	assert_true(fd_write_all(fd, "x", 1));
	assert_false(settings_read(path, false, &settings, &error));
	assert_message_contains(&error, path);
	(void)unlink(path);
	assert_false(settings_read(path, false, &settings, &error));
	assert_int_equal(error.code, ERROR_NOT_FOUND);
}

static void a_start_flag_and_a_drain_may_be_set(void **state)
{
	AUTO_JSON json_t *object = good_object();
	struct settings settings = {0};
	struct error error = {0};

	(void)state;
	assert_ok(parse(object, &settings, &error), &error);
	assert_string_equal(settings.start_flag, "");
	assert_int_equal(settings.drain_s, 0);
	assert_int_equal(json_object_set_new(object, "start_flag", json_string("/f/flag")), 0);
	assert_false(parse(object, &settings, &error));
	assert_message_contains(&error, "ssm: missing");
	assert_int_equal(json_object_set_new(object, "ssm", json_pack("{s:s, s:s}", "region", "eu-west-1", "host", "h:1")), 0);
	assert_int_equal(json_object_set_new(object, "drain_s", json_integer(30)), 0);
	assert_ok(parse(object, &settings, &error), &error);
	assert_string_equal(settings.start_flag, "/f/flag");
	assert_string_equal(settings.ssm.region, "eu-west-1");
	assert_string_equal(settings.ssm.host, "h:1");
	assert_int_equal(settings.drain_s, 30);
	assert_refused("drain_s", json_integer(SETTINGS_DRAIN_MAX_S + 1), "not 0 to 3600");
}

/* What the template of a stack gives an instance. */
static const char *const variables[][2] = {
	{"REGION", "eu-west-1"},
	{"VALIDATOR_KEYS_TABLE_NAME", "Keys"},
	{"TLS_KEYS_TABLE_NAME", "TLS"},
	{"CF_STACK_NAME", "fleet"},
	{"NITRO_ENCLAVE_DEBUG", "FALSE"},
	{"WEB3SIGNER_UUID", "1-2"},
	{"WEB3SIGNER_INIT_FLAG_PARAM", "/f"},
	{"ENCLAVE_CPU_COUNT", "4"},
	{"ENCLAVE_MEMORY_MIB", "2048"},
};

static void set_variables(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
		assert_int_equal(setenv(variables[i][0], variables[i][1], 1), 0);
}

static void an_instance_needs_no_file(void **state)
{
	char path[] = "/tmp/settings-XXXXXX";
	AUTO_FD int fd = mkstemp(path);
	struct settings settings = {0};
	struct error error = {0};

	(void)state;
	set_variables();
	assert_ok(settings_read(NULL, true, &settings, &error), &error);
	assert_string_equal(settings.launcher, "nitro");
	assert_string_equal(settings.web3signer_uuid, "1-2");
	assert_true(settings.key_table.is_dynamodb && settings.tls_table.is_dynamodb);
	assert_string_equal(settings.key_table.name, "Keys");
	assert_string_equal(settings.tls_table.name, "TLS");
	assert_string_equal(settings.dynamodb.region, "eu-west-1");
	assert_string_equal(settings.start_flag, "/f");
	assert_string_equal(settings.ssm.region, "eu-west-1");
	assert_string_equal(settings.imds_url, "http://169.254.169.254");
	assert_int_equal(settings.listen.port, 8443);
	assert_int_equal(settings.nitro.cpu_count, 4);
	assert_int_equal(settings.nitro.memory_mib, 2048);
	assert_false(settings.nitro.is_debug);
	assert_int_equal(settings.drain_s, 30);
	assert_string_equal(settings_find_relay(&settings, "kms")->connect.host, "kms.eu-west-1.amazonaws.com");
	assert_string_equal(settings_find_relay(&settings, "dynamodb")->connect.host, "dynamodb.eu-west-1.amazonaws.com");
	/* where both say something the file counts */
	assert_true(fd >= 0 && fd_write_all(fd, "{\"drain_s\":7}", strlen("{\"drain_s\":7}")));
	assert_ok(settings_read(path, true, &settings, &error), &error);
	assert_int_equal(settings.drain_s, 7);
	assert_string_equal(settings.web3signer_uuid, "1-2");
	(void)unlink(path);
	for (size_t i = 5; i < ARRAY_SIZE(variables); i++)
		assert_int_equal(unsetenv(variables[i][0]), 0);
	assert_ok(settings_read(NULL, true, &settings, &error), &error);
	assert_string_equal(settings.web3signer_uuid, "fleet");
	assert_string_equal(settings.start_flag, "");
	assert_int_equal(settings.nitro.cpu_count, 2);
	assert_int_equal(settings.nitro.memory_mib, 1024);
}

static void a_variable_that_is_missing_or_wrong_is_named(void **state)
{
	static const char *const wrong[][2] = {
		{"NITRO_ENCLAVE_DEBUG", "yes"}, {"ENCLAVE_CPU_COUNT", "x"}, {"ENCLAVE_MEMORY_MIB", "-1"}};
	struct settings settings = {0};
	struct error error = {0};

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		set_variables();
		assert_int_equal(unsetenv(variables[i][0]), 0);
		assert_false(settings_read(NULL, true, &settings, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, variables[i][0]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		set_variables();
		assert_int_equal(setenv(wrong[i][0], wrong[i][1], 1), 0);
		assert_false(settings_read(NULL, true, &settings, &error));
		assert_message_contains(&error, wrong[i][0]);
	}
}

static json_t *nitro_object(void)
{
	return json_pack("{s:s, s:i, s:i}", "eif", "/e.eif", "cpu_count", 2, "memory_mib", 512);
}

static void assert_nitro_refused(const char *name, json_t *value, const char *message)
{
	json_t *nitro = nitro_object();

	if (value)
		assert_int_equal(json_object_set_new(nitro, name, value), 0);
	else
		assert_int_equal(json_object_del(nitro, name), 0);
	assert_refused("nitro", nitro, message);
}

static void a_nitro_enclave_may_be_described(void **state)
{
	AUTO_JSON json_t *object = good_object();
	struct settings settings;
	struct error error = {0};
	json_t *nitro = nitro_object();

	(void)state;
	assert_int_equal(json_object_set_new(object, "nitro", nitro), 0);
	assert_ok(parse(object, &settings, &error), &error);
	assert_true(settings.has_nitro);
	assert_string_equal(settings.nitro.eif, "/e.eif");
	assert_string_equal(settings.nitro.nitro_cli, SETTINGS_NITRO_CLI);
	assert_string_equal(settings.nitro.name, SETTINGS_NITRO_NAME);
	assert_int_equal(settings.nitro.cid, SETTINGS_NITRO_CID);
	assert_false(settings.nitro.is_debug);
	assert_int_equal(settings.nitro.control.kind, ADDRESS_VSOCK);
	assert_int_equal(settings.nitro.control.cid, SETTINGS_NITRO_CID);
	assert_int_equal(settings.nitro.control.port, 5000);
	assert_int_equal(settings.nitro.signing.port, 8443);
	assert_int_equal(json_object_set_new(nitro, "cid", json_integer(20)), 0);
	assert_int_equal(json_object_set_new(nitro, "debug", json_true()), 0);
	assert_int_equal(json_object_set_new(nitro, "signing", json_string("unix:/s")), 0);
	assert_ok(parse(object, &settings, &error), &error);
	assert_true(settings.nitro.is_debug);
	assert_int_equal(settings.nitro.control.cid, 20);
	assert_int_equal(settings.nitro.signing.kind, ADDRESS_UNIX);
	assert_refused("nitro", json_string("yes"), "nitro");
	assert_nitro_refused("eif", NULL, "nitro: eif: missing");
	assert_nitro_refused("cpu_count", NULL, "nitro: cpu_count: missing");
	assert_nitro_refused("memory_mib", NULL, "nitro: memory_mib: missing");
	assert_nitro_refused("memory_mib", json_integer(127), "memory_mib: not 128 to");
	assert_nitro_refused("cpu_count", json_integer(0), "cpu_count: not 1 to");
	assert_nitro_refused("cid", json_integer(3), "cid: not 4 to");
	assert_nitro_refused("name", json_string("a=b"), "name: not made of");
	assert_nitro_refused("name", json_string("A B"), "name: not made of");
	assert_nitro_refused("debug", json_string("yes"), "debug");
	assert_nitro_refused("control", json_string("nowhere"), "nitro: control");
	assert_nitro_refused("console", json_true(), "nitro: console: no such setting");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_example),
		cmocka_unit_test(reads_environment_credentials),
		cmocka_unit_test(the_tables_are_looked_at_every_so_often),
		cmocka_unit_test(tables_may_be_in_dynamodb),
		cmocka_unit_test(a_machine_may_be_described),
		cmocka_unit_test(a_nitro_enclave_may_be_described),
		cmocka_unit_test(every_member_is_wanted),
		cmocka_unit_test(unknown_members_are_refused),
		cmocka_unit_test(bad_values_are_refused),
		cmocka_unit_test(bad_relays_are_refused),
		cmocka_unit_test(malformed_text_is_refused),
		cmocka_unit_test(reads_a_file),
		cmocka_unit_test(a_start_flag_and_a_drain_may_be_set),
		cmocka_unit_test(an_instance_needs_no_file),
		cmocka_unit_test(a_variable_that_is_missing_or_wrong_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
