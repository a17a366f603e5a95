/* SPDX-License-Identifier: Apache-2.0 */
#include "host/instance_settings.h"

#include <stdlib.h>

#include "aws/access.h"
#include "host/settings.h"
#include "image/machine.h"

#define CPU_COUNT_DEFAULT 2
/* A thousand keys and the image take a tenth of it; it is what one page of the allocator has. */
#define MEMORY_DEFAULT_MIB 1024
#define IMAGE "/opt/ensign/ensign.eif"
#define METADATA_SERVICE "imds:http://169.254.169.254"
#define LISTEN "tcp:0.0.0.0:8443"
/* What an agent on the instance scrapes. */
#define METRICS_LISTEN "tcp:127.0.0.1:9001"

/* Values of variables; those that may be left out are NULL then. */
struct variables {
	const char *region;
	const char *key_table;
	const char *tls_table;
	const char *stack;
	const char *uuid;
	const char *start_flag;
	const char *run_folder;
	const char *store_folder;
	uint64_t cpu_count;
	uint64_t memory_mib;
	bool is_debug;
};

/* An empty one is one that is not there: /etc/environment cannot take one away. */
static const char *read_variable(const char *name)
{
	const char *value = getenv(name);

	return value && value[0] ? value : NULL;
}

static bool read_required(const char *name, const char **ret_value, struct error *error)
{
	*ret_value = read_variable(name);
	return *ret_value || error_set(error, ERROR_INPUT, "%s: not set", name);
}

static bool read_count(const char *name, uint64_t default_value, uint64_t *ret_value, struct error *error)
{
	const char *value = read_variable(name);

	*ret_value = default_value;
	return !value || u64_parse(view_of_text(value), ret_value) || error_set(error, ERROR_INPUT, "%s: not a number", name);
}

static bool read_debug(bool *ret_is_debug, struct error *error)
{
	const char *value;

	if (!read_required("NITRO_ENCLAVE_DEBUG", &value, error))
		return false;
	*ret_is_debug = strcmp(value, "TRUE") == 0;
	return *ret_is_debug || strcmp(value, "FALSE") == 0 ||
	       error_set(error, ERROR_INPUT, "NITRO_ENCLAVE_DEBUG: neither TRUE nor FALSE");
}

static const char *first_of(const char *one, const char *other)
{
	return one ? one : other;
}

static bool read_variables(struct variables *variables, struct error *error)
{
	if (!read_required("REGION", &variables->region, error) ||
	    !read_required("VALIDATOR_KEYS_TABLE_NAME", &variables->key_table, error) ||
	    !read_required("TLS_KEYS_TABLE_NAME", &variables->tls_table, error) ||
	    !read_required("CF_STACK_NAME", &variables->stack, error) || !read_debug(&variables->is_debug, error) ||
	    !read_count("ENCLAVE_CPU_COUNT", CPU_COUNT_DEFAULT, &variables->cpu_count, error) ||
	    !read_count("ENCLAVE_MEMORY_MIB", MEMORY_DEFAULT_MIB, &variables->memory_mib, error))
		return false;
	variables->uuid = first_of(read_variable("WEB3SIGNER_UUID"), variables->stack);
	variables->start_flag = read_variable("WEB3SIGNER_INIT_FLAG_PARAM");
	variables->run_folder = first_of(read_variable("RUNTIME_DIRECTORY"), "/run/ensign");
	variables->store_folder = first_of(read_variable("STATE_DIRECTORY"), "/var/lib/ensign");
	return true;
}

/* From the enclave's side of vsock to AWS's own host of the service. */
static json_t *relay_new(const char *name, unsigned port, const char *region)
{
	AUTO_FREE char *listen = memory_format("vsock:any:%u", port);
	AUTO_FREE char *host = aws_host_of(name, region);
	AUTO_FREE char *connect = memory_format("tcp:%s:443", host);

	return json_pack("{s:s, s:s, s:s}", "name", name, "listen", listen, "connect", connect);
}

static bool add_tables(json_t *object, const struct variables *variables)
{
	AUTO_FREE char *key_table = memory_format("dynamodb:%s", variables->key_table);
	AUTO_FREE char *tls_table = memory_format("dynamodb:%s", variables->tls_table);

	return json_object_set_new(object, "key_table", json_string(key_table)) == 0 &&
	       json_object_set_new(object, "tls_table", json_string(tls_table)) == 0 &&
	       json_object_set_new(object, "dynamodb", json_pack("{s:s}", "region", variables->region)) == 0;
}

static bool add_start_flag(json_t *object, const struct variables *variables)
{
	return !variables->start_flag || (json_object_set_new(object, "start_flag", json_string(variables->start_flag)) == 0 &&
					  json_object_set_new(object, "ssm", json_pack("{s:s}", "region", variables->region)) == 0);
}

json_t *instance_settings_new(struct error *error)
{
	struct variables variables = {0};
	json_t *object;

	if (!read_variables(&variables, error))
		return NULL;
	object = json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:[o, o], s:{s:s, s:I, s:I, s:b}}", "launcher", "nitro",
		"run_folder", variables.run_folder, "store_folder", variables.store_folder, "web3signer_uuid", variables.uuid,
		"listen", LISTEN, "credentials", METADATA_SERVICE, "metrics_listen", METRICS_LISTEN, "log_format", "json",
		"drain_s", INSTANCE_DRAIN_S, "relays", relay_new(SETTINGS_KMS_RELAY, MACHINE_KMS_PORT, variables.region),
		relay_new(SETTINGS_TABLE_RELAY, MACHINE_TABLE_PORT, variables.region), "nitro", "eif", IMAGE, "cpu_count",
		(json_int_t)variables.cpu_count, "memory_mib", (json_int_t)variables.memory_mib, "debug", (int)variables.is_debug);
	if (object && add_tables(object, &variables) && add_start_flag(object, &variables))
		return object;
	json_decref(object);
	(void)error_set(error, ERROR_INPUT, "a variable is not UTF-8");
	return NULL;
}
