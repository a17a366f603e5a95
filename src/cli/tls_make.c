/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/tls_make.h"

#include "attestation/tls_statement.h"
#include "cli/attested.h"
#include "cli/local_tls.h"
#include "cli/tls_births.h"
#include "crypto/x509_cleanup.h"
#include "net/control_call.h"

#define COMMON_NAME "ensign"

/* ---- what is asked ---- */

static bool has_own(const struct tls_wish *wish)
{
	return wish->own.keystore || wish->own.password_file || wish->own.certificate || wish->own.key;
}

bool tls_wish_is_any(const struct tls_wish *wish)
{
	return has_own(wish) || wish->names || wish->days || wish->outside || wish->pcr0 || wish->root;
}

bool tls_wish_check(const struct tls_wish *wish, const struct inventory_place *place, struct error *error)
{
	bool is_inside = !wish->outside && !has_own(wish);

	if (has_own(wish) && (wish->outside || wish->names || wish->days))
		return error_set(error, ERROR_INPUT, "--outside, --names and --days: not with an identity of your own");
	if (!is_inside && (wish->pcr0 || wish->root))
		return error_set(error, ERROR_INPUT, "--pcr0 and --root: only of a key that is made in the enclave");
	if (is_inside && inventory_place_is_fleet(place) && !wish->pcr0)
		return error_set(error, ERROR_INPUT, "--pcr0: missing; which image is the key to be made by? (or --outside)");
	if (wish->days > TLS_IDENTITY_DAYS_MAX)
		return error_set(error, ERROR_INPUT, "--days: 1 to %d", TLS_IDENTITY_DAYS_MAX);
	return attested_option_check("--pcr0", wish->pcr0, error);
}

struct names {
	char *text;                   /* owned; cut into the names */
	char host[LOCAL_LISTEN_SIZE]; /* of a local signer, one of them */
	const char *names[TLS_IDENTITY_NAMES_MAX];
	size_t count;
};

static void names_done(struct names *names)
{
	free(names->text);
}

static bool split_names(const char *text, struct names *ret_names, struct error *error)
{
	char *rest;

	ret_names->text = memory_copy_text(text);
	for (char *name = strtok_r(ret_names->text, ", ", &rest); name; name = strtok_r(NULL, ", ", &rest)) {
		if (ret_names->count == TLS_IDENTITY_NAMES_MAX)
			return error_set(error, ERROR_INPUT, "--names: at most %d", TLS_IDENTITY_NAMES_MAX);
		ret_names->names[ret_names->count++] = name;
	}
	return ret_names->count > 0 || error_set(error, ERROR_INPUT, "--names: empty");
}

static bool choose_names(const struct tls_wish *wish, const struct inventory *inventory, const char *names_before,
			 struct names *ret_names, struct error *error)
{
	const char *wanted = wish->names ? wish->names : names_before;

	if (wanted)
		return split_names(wanted, ret_names, error);
	if (inventory->fleet)
		return error_set(error, ERROR_INPUT, "--names: missing; by which names do clients reach the signer?");
	ret_names->count = local_tls_names(&inventory->settings, ret_names->host, ret_names->names);
	return true;
}

/* ---- in the enclave ---- */

static json_t *ask(struct inventory *inventory, const struct names *names, unsigned days, struct error *error)
{
	AUTO_JSON json_t *request = json_pack("{s:s, s:I}", "operation", "create_tls", "days", (json_int_t)days);
	json_t *list = json_array();

	for (size_t i = 0; i < names->count; i++)
		(void)json_array_append_new(list, json_text_of_any(names->names[i]));
	(void)json_object_set_new(request, "names", list);
	return inventory_ask_enclave(inventory, request, error);
}

/* By the very image that this signer's keys are pinned to, or that the command line names: a parent could answer with a key of its own. */
static bool check_attested(const struct tls_wish *wish, struct inventory *inventory, struct view chain, struct view document,
			   struct error *error)
{
	AUTO_X509 X509 *root = inventory_attestation_root(inventory, wish->root, error);
	struct attestation_document attested;

	if (!root)
		return false;
	return (tls_statement_verify(chain, document, root, &attested, error) &&
		attestation_check_pcr(&attested, 0, wish->pcr0 ? wish->pcr0 : inventory->settings.pcr0, error)) ||
	       attested_refuse(error);
}

static bool make_inside(const struct tls_wish *wish, struct inventory *inventory, const struct names *names, unsigned days,
			struct tls_sealed *ret_sealed, struct error *error)
{
	AUTO_JSON json_t *body = ask(inventory, names, days, error);
	AUTO_BUFFER struct buffer document = {0};
	AUTO_BUFFER struct buffer chain = {0};
	const char *encrypted, *chain_b64;

	if (!body)
		return false;
	if (!json_read_text(body, "encrypted_tls_key_b64", &encrypted, error) ||
	    !json_read_text(body, "tls_chain_pem_b64", &chain_b64, error) ||
	    !json_read_base64(body, "tls_chain_pem_b64", TLS_IDENTITY_CHAIN_MAX_SIZE, &chain, error) ||
	    !json_read_base64(body, "attestation_document_b64", ATTESTATION_DOCUMENT_MAX_SIZE, &document, error))
		return control_answer_malformed(error);
	if (!check_attested(wish, inventory, buffer_view(&chain), buffer_view(&document), error))
		return error_prefix(error, "attestation of the new certificate");
	if (!tls_birth_keep(inventory, buffer_view(&chain), buffer_view(&document), error))
		return false;
	ret_sealed->encrypted_tls_key_b64 = memory_copy_text(encrypted);
	ret_sealed->cert_pem = memory_copy_text(chain_b64);
	return true;
}

/* ---- here ---- */

static bool make_own(const struct tls_wish *wish, struct inventory *inventory, struct tls_sealed *ret_sealed, struct error *error)
{
	AUTO_TLS_IDENTITY struct tls_identity identity = {0};

	if (!tls_source_read(&wish->own, &identity, error))
		return false;
	if (!identity.key.data)
		return error_set(error, ERROR_INPUT, "--tls-keystore: %s is no file", wish->own.keystore);
	return inventory_seal_tls(inventory, &identity, wish->own.certificate != NULL, ret_sealed, error);
}

static bool make_outside(struct inventory *inventory, const struct names *names, unsigned days, struct tls_sealed *ret_sealed,
			 struct error *error)
{
	AUTO_TLS_IDENTITY struct tls_identity identity = {0};
	AUTO_BUFFER struct buffer ca_pem = {0};

	return tls_identity_create(COMMON_NAME, names->names, names->count, days, &identity, &ca_pem, error) &&
	       inventory_seal_tls(inventory, &identity, false, ret_sealed, error);
}

bool tls_wish_make(const struct tls_wish *wish, struct inventory *inventory, const char *names_before,
		   struct tls_sealed *ret_sealed, struct error *error)
{
	unsigned days = wish->days ? (unsigned)wish->days : TLS_IDENTITY_DAYS_MAX;
	CLEANUP(names_done) struct names names = {0};

	if (has_own(wish))
		return make_own(wish, inventory, ret_sealed, error);
	if (!choose_names(wish, inventory, names_before, &names, error))
		return false;
	return wish->outside ? make_outside(inventory, &names, days, ret_sealed, error)
			     : make_inside(wish, inventory, &names, days, ret_sealed, error);
}
