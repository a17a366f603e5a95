/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/simulator.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/pem.h>
#include <sys/file.h>

#include "base/clock.h"
#include "base/file.h"
#include "crypto/tls_identity.h"
#include "sim/identities.h"
#include "image/machine.h"
#include "sim/nsm_server.h"

#define STORE_FILE "sim.sqlite"
#define LOCK_FILE "lock"

/* Settings in the store. */
#define SETTING_TLS_KEY "tls-key-pkcs8"
#define SETTING_TLS_CHAIN "tls-chain-pem"
#define SETTING_CA "ca-pem"
#define SETTING_KMS_PORT "kms-port"
#define SETTING_IMDS_PORT "imds-port"

/* Ten years: the folder of a laptop or a test shall not stop working on a date that nobody remembers. */
#define TLS_DAYS 3650
#define TLS_KEY_PEM_MAX_SIZE 8192

struct simulator {
	struct simulator_options options;
	char *folder;
	int lock_fd;
	struct sim_store *store;
	struct authority *authority;
	struct nsm_server *nsm_server;
	struct nsm_server *machine_nsm_server;
	struct secret tls_key_pem;
	struct buffer tls_chain;
	struct kms_service kms;
	struct imds_service imds;
	struct http_server *kms_server;
	struct http_server *imds_server;
	json_t *endpoints;
};

static char *path_of(const struct simulator *simulator, const char *name)
{
	return memory_format("%s/%s", simulator->folder, name);
}

static bool open_folder(struct simulator *simulator, const char *folder, struct error *error)
{
	AUTO_FREE char *lock = NULL;
	char resolved[PATH_MAX];

	if (!folder_make(folder, 0700, error))
		return false;
	/* Absolute, because endpoints.json is read by programs that stand elsewhere. */
	if (!realpath(folder, resolved))
		return error_set_errno(error, ERROR_IO, "%s", folder);
	simulator->folder = memory_copy_text(resolved);
	lock = path_of(simulator, LOCK_FILE);
	simulator->lock_fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (simulator->lock_fd < 0)
		return error_set_errno(error, ERROR_IO, "%s", lock);
	if (flock(simulator->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return true;
	if (errno == EWOULDBLOCK)
		return error_set(error, ERROR_INPUT, "%s: another ensign-sim is running in this folder", resolved);
	return error_set_errno(error, ERROR_IO, "%s", lock);
}

static bool open_store(struct simulator *simulator, struct error *error)
{
	AUTO_FREE char *path = path_of(simulator, STORE_FILE);

	simulator->store = sim_store_open(path, error);
	return simulator->store != NULL;
}

static bool write_file(struct simulator *simulator, const char *name, struct view bytes, mode_t mode, struct error *error)
{
	AUTO_FREE char *path = path_of(simulator, name);

	return file_write_atomic(path, bytes, mode, error);
}

/* For programs that are to be somebody. */
static bool write_credentials(struct simulator *simulator, const struct credentials *credentials, const char *name,
			      struct error *error)
{
	AUTO_SECRET struct secret text = {0};
	AUTO_JSON json_t *json = credentials_to_json(credentials, error);

	return json && json_write_secret(json, &text, error) && write_file(simulator, name, secret_view(&text), 0600, error);
}

static bool write_operator(struct simulator *simulator, struct error *error)
{
	AUTO_SIM_IDENTITY struct sim_identity operator= {0};

	return identities_operator(simulator->store, SIM_OPERATOR_ARN, &operator, error) &&
	       write_credentials(simulator, &operator.credentials, SIM_OPERATOR_FILE, error);
}

static bool write_function(struct simulator *simulator, struct error *error)
{
	AUTO_SIM_IDENTITY struct sim_identity function = {0};

	return !simulator->options.function_role_arn ||
	       (identities_role(simulator->store, simulator->options.function_role_arn, "function", clock_realtime_ms(), &function,
				error) &&
		write_credentials(simulator, &function.credentials, SIM_FUNCTION_FILE, error));
}

static bool make_tls_identity(struct simulator *simulator, struct error *error)
{
	static const char *const names[] = {"localhost", SIM_KMS_HOST, "127.0.0.1"};
	AUTO_TLS_IDENTITY struct tls_identity identity = {0};
	AUTO_BUFFER struct buffer ca = {0};

	return tls_identity_create("localhost", names, ARRAY_SIZE(names), TLS_DAYS, &identity, &ca, error) &&
	       sim_store_set(simulator->store, SETTING_CA, buffer_view(&ca), error) &&
	       sim_store_set(simulator->store, SETTING_TLS_CHAIN, buffer_view(&identity.chain), error) &&
	       sim_store_set(simulator->store, SETTING_TLS_KEY, secret_view(&identity.key), error);
}

/* GnuTLS wants PEM. Written into protected memory, with a NUL at the end. */
static bool key_to_pem(const struct secret *der, struct secret *ret_pem, struct error *error)
{
	const unsigned char *bytes = der->data;
	EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &bytes, (long)der->size);
	BIO *bio = BIO_new(BIO_s_secmem());
	char *text = NULL;
	bool done = false;

	if (key && bio && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1 && BIO_write(bio, "", 1) == 1) {
		long size = BIO_get_mem_data(bio, &text);

		done = size > 0 && secret_init_copy(ret_pem, view_of(text, (size_t)size), error);
	} else {
		(void)error_set(error, ERROR_CRYPTO, "the stored TLS key is damaged");
	}
	BIO_free(bio);
	EVP_PKEY_free(key);
	return done;
}

static bool open_tls_identity(struct simulator *simulator, struct error *error)
{
	AUTO_SECRET struct secret key = {0};
	AUTO_SECRET struct secret chain = {0};
	AUTO_SECRET struct secret ca = {0};

	/* The key is stored last, so it is the sign that the rest is there. */
	if (!sim_store_get(simulator->store, SETTING_TLS_KEY, &key, error)) {
		if (error->code != ERROR_NOT_FOUND || !make_tls_identity(simulator, error) ||
		    !sim_store_get(simulator->store, SETTING_TLS_KEY, &key, error))
			return false;
	}
	if (!sim_store_get(simulator->store, SETTING_TLS_CHAIN, &chain, error) ||
	    !sim_store_get(simulator->store, SETTING_CA, &ca, error) || !key_to_pem(&key, &simulator->tls_key_pem, error))
		return false;
	buffer_append(&simulator->tls_chain, secret_view(&chain));
	return write_file(simulator, SIM_CA_FILE, secret_view(&ca), 0644, error);
}

static uint16_t remembered_port(struct simulator *simulator, const char *setting)
{
	AUTO_SECRET struct secret text = {0};
	uint64_t port;

	/* Not found, or nonsense: any port will do. */
	if (!sim_store_get(simulator->store, setting, &text, NULL) || !u64_parse(secret_view(&text), &port) || port > UINT16_MAX)
		return 0;
	return (uint16_t)port;
}

/* Start one server on the port it had last time, and remember the port it has now. */
static bool start_server(struct simulator *simulator, const char *setting, struct http_server_options options,
			 struct http_server **ret_server, struct error *error)
{
	char text[8];

	options.port = remembered_port(simulator, setting);
	*ret_server = http_server_start(&options, error);
	if (!*ret_server)
		return false;
	(void)snprintf(text, sizeof text, "%u", http_server_port(*ret_server));
	return sim_store_set(simulator->store, setting, view_of_text(text), error);
}

static bool start_kms(struct simulator *simulator, struct error *error)
{
	simulator->kms = (struct kms_service){
		.store = simulator->store,
		.attestation_root = authority_root(simulator->authority),
		.region = SIM_REGION,
		.account = SIM_ACCOUNT,
		.operator_arn = SIM_OPERATOR_ARN,
		.observe = simulator->options.observe,
	};
	return start_server(simulator, SETTING_KMS_PORT,
			    (struct http_server_options){.tls_key_pem = &simulator->tls_key_pem,
							 .tls_chain_pem = buffer_text(&simulator->tls_chain),
							 .handler = kms_service_handle,
							 .context = &simulator->kms},
			    &simulator->kms_server, error);
}

static bool start_imds(struct simulator *simulator, struct error *error)
{
	simulator->imds = (struct imds_service){.store = simulator->store,
						.role_arn = simulator->options.role_arn,
						.instance_id = SIM_INSTANCE_ID,
						.observe = simulator->options.observe};
	return imds_service_init(&simulator->imds, error) &&
	       start_server(simulator, SETTING_IMDS_PORT,
			    (struct http_server_options){.handler = imds_service_handle, .context = &simulator->imds},
			    &simulator->imds_server, error);
}

static bool start_nsm(struct simulator *simulator, struct error *error)
{
	AUTO_FREE char *text = memory_format("unix:%s/" SIM_NSM_FILE, simulator->folder);
	struct nsm_server_options options = {.authority = simulator->authority,
					     .role_arn = simulator->options.role_arn,
					     .instance_id = SIM_INSTANCE_ID,
					     .images_folder = simulator->options.images_folder};

	return address_parse(text, &options.address, error) && nsm_server_start(&options, &simulator->nsm_server, error);
}

static bool start_machine_nsm(struct simulator *simulator, struct error *error)
{
	const char *folder = simulator->options.machine_folder;
	struct nsm_server_options options = {.authority = simulator->authority,
					     .role_arn = simulator->options.role_arn,
					     .instance_id = SIM_INSTANCE_ID,
					     .machine_folder = folder};
	AUTO_FREE char *text = NULL;

	if (!folder)
		return true;
	text = memory_format("hybrid:%s/" MACHINE_VSOCK ":%d", folder, MACHINE_NSM_PORT);
	return folder_make(folder, 0700, error) && address_parse(text, &options.address, error) &&
	       nsm_server_start(&options, &simulator->machine_nsm_server, error);
}

static void add_path(struct simulator *simulator, const char *member, const char *prefix, const char *name)
{
	(void)json_object_set_new(simulator->endpoints, member, json_sprintf("%s%s/%s", prefix, simulator->folder, name));
}

static bool write_endpoints(struct simulator *simulator, struct error *error)
{
	unsigned kms_port = http_server_port(simulator->kms_server);
	AUTO_BUFFER struct buffer text = {0};

	simulator->endpoints =
		json_pack("{s:i, s:s, s:s, s:o, s:o, s:s, s:o, s:s, s:s, s:s}", "pid", (int)getpid(), "region", SIM_REGION,
			  "account", SIM_ACCOUNT, "kms_url", json_sprintf("https://localhost:%u", kms_port), "kms_address",
			  json_sprintf("tcp:127.0.0.1:%u", kms_port), "kms_host", SIM_KMS_HOST, "imds_url",
			  json_sprintf("http://127.0.0.1:%u", http_server_port(simulator->imds_server)), "operator_arn",
			  SIM_OPERATOR_ARN, "role_arn", simulator->options.role_arn, "instance_id", SIM_INSTANCE_ID);
	if (!simulator->endpoints)
		return error_set(error, ERROR_INPUT, "%s: the path is not UTF-8", simulator->folder);
	add_path(simulator, "kms_ca_file", "", SIM_CA_FILE);
	add_path(simulator, "nsm_address", "unix:", SIM_NSM_FILE);
	add_path(simulator, "operator_credentials_file", "", SIM_OPERATOR_FILE);
	add_path(simulator, "attestation_root_file", "", AUTHORITY_ROOT_FILE);
	json_write(simulator->endpoints, &text);
	buffer_append_byte(&text, '\n');
	return write_file(simulator, SIM_ENDPOINTS_FILE, buffer_view(&text), 0644, error);
}

struct simulator *simulator_start(const struct simulator_options *options, struct error *error)
{
	AUTO_SIMULATOR struct simulator *simulator = memory_allocate_zeroed(1, sizeof *simulator);
	struct simulator *started;

	simulator->options = *options;
	if (!options->role_arn)
		simulator->options.role_arn = SIM_ROLE_ARN;
	simulator->lock_fd = -1;
	if (!open_folder(simulator, options->folder, error) || !open_store(simulator, error))
		return NULL;
	simulator->authority = authority_open(simulator->folder, SIM_REGION, SIM_INSTANCE_ID, error);
	if (!simulator->authority || !write_operator(simulator, error) || !write_function(simulator, error) ||
	    !open_tls_identity(simulator, error) || !start_kms(simulator, error) || !start_imds(simulator, error) ||
	    !start_nsm(simulator, error) || !start_machine_nsm(simulator, error) || !write_endpoints(simulator, error))
		return NULL;
	started = simulator;
	simulator = NULL;
	return started;
}

json_t *simulator_endpoints(const struct simulator *simulator)
{
	return simulator->endpoints;
}

struct sim_store *simulator_store(struct simulator *simulator)
{
	return simulator->store;
}

struct authority *simulator_authority(struct simulator *simulator)
{
	return simulator->authority;
}

void simulator_stop(struct simulator *simulator)
{
	if (!simulator)
		return;
	if (simulator->endpoints) {
		AUTO_FREE char *path = path_of(simulator, SIM_ENDPOINTS_FILE);

		(void)unlink(path);
	}
	nsm_server_stop(simulator->machine_nsm_server);
	nsm_server_stop(simulator->nsm_server);
	http_server_stop(simulator->imds_server);
	http_server_stop(simulator->kms_server);
	imds_service_done(&simulator->imds);
	authority_free(simulator->authority);
	sim_store_free(simulator->store);
	secret_done(&simulator->tls_key_pem);
	buffer_done(&simulator->tls_chain);
	json_decref(simulator->endpoints);
	if (simulator->lock_fd >= 0)
		(void)close(simulator->lock_fd);
	free(simulator->folder);
	free(simulator);
}
