/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/identities.h"

#include <openssl/rand.h>

/* AWS: AKIA… are long-lived keys, ASIA… temporary ones; 20 characters of base32. */
#define LONG_LIVED_PREFIX "AKIA"
#define TEMPORARY_PREFIX "ASIA"
#define ACCESS_KEY_ID_RANDOM 16
#define SECRET_RANDOM_SIZE 30 /* 40 characters of base64, as AWS's */
#define TOKEN_RANDOM_SIZE 192 /* 256 characters of base64; AWS's are longer */

static bool random_key_id(const char *prefix, char ret_text[CREDENTIALS_KEY_ID_SIZE], struct error *error)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	uint8_t bytes[ACCESS_KEY_ID_RANDOM];
	size_t used = strlen(prefix);

	if (RAND_bytes(bytes, sizeof bytes) != 1)
		return error_set(error, ERROR_CRYPTO, "no random bytes");
	memcpy(ret_text, prefix, used);
	for (size_t i = 0; i < sizeof bytes; i++)
		ret_text[used + i] = alphabet[bytes[i] % 32];
	ret_text[used + sizeof bytes] = 0;
	return true;
}

/* Base64 of `size` (a multiple of 3) random bytes. */
static bool random_text(size_t size, struct secret *ret_text, struct error *error)
{
	AUTO_WIPED_BUFFER struct buffer text = {0};
	uint8_t bytes[TOKEN_RANDOM_SIZE];
	bool done;

	if (RAND_priv_bytes(bytes, (int)size) != 1)
		return error_set(error, ERROR_CRYPTO, "no random bytes");
	buffer_reserve(&text, size / 3 * 4);
	base64_encode(view_of(bytes, size), &text);
	done = secret_init_copy(ret_text, buffer_view(&text), error);
	secret_wipe(bytes, sizeof bytes);
	return done;
}

static bool make_identity(struct sim_store *store, const char *prefix, const char *principal_arn, struct sim_identity *identity,
			  struct error *error)
{
	(void)snprintf(identity->principal_arn, sizeof identity->principal_arn, "%s", principal_arn);
	return random_key_id(prefix, identity->credentials.access_key_id, error) &&
	       random_text(SECRET_RANDOM_SIZE, &identity->credentials.secret_access_key, error) &&
	       sim_store_add_identity(store, identity, error);
}

bool identities_operator(struct sim_store *store, const char *user_arn, struct sim_identity *ret_identity, struct error *error)
{
	AUTO_SIM_IDENTITY struct sim_identity identity = {0};

	if (sim_store_find_identity_of(store, user_arn, ret_identity, error))
		return true;
	if (error->code != ERROR_NOT_FOUND || !make_identity(store, LONG_LIVED_PREFIX, user_arn, &identity, error))
		return false;
	*ret_identity = identity;
	identity = (struct sim_identity){0};
	return true;
}

/* arn:aws:iam::ACCOUNT:role/NAME → arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION */
static bool session_arn(const char *role_arn, const char *session, char ret_arn[SIM_ARN_SIZE], struct error *error)
{
	static const char prefix[] = "arn:aws:iam::";
	const char *account = role_arn + strlen(prefix);
	const char *role = strstr(role_arn, ":role/");

	if (strncmp(role_arn, prefix, strlen(prefix)) != 0 || !role)
		return error_set(error, ERROR_INPUT, "%s: not the ARN of a role", role_arn);
	(void)snprintf(ret_arn, SIM_ARN_SIZE, "arn:aws:sts::%.*s:assumed-role/%s/%s", (int)(role - account), account,
		       role + strlen(":role/"), session);
	return true;
}

static bool make_role_identity(struct sim_store *store, const char *role_arn, const char *instance_id, uint64_t now_ms,
			       struct sim_identity *ret_identity, struct error *error)
{
	AUTO_SIM_IDENTITY struct sim_identity identity = {0};

	identity.credentials.expiration_ms = now_ms + ROLE_CREDENTIALS_LIFETIME_MS;
	if (!session_arn(role_arn, instance_id, identity.session_arn, error) ||
	    !random_text(TOKEN_RANDOM_SIZE, &identity.credentials.session_token, error) ||
	    !make_identity(store, TEMPORARY_PREFIX, role_arn, &identity, error))
		return false;
	*ret_identity = identity;
	identity = (struct sim_identity){0};
	return true;
}

bool identities_role(struct sim_store *store, const char *role_arn, const char *instance_id, uint64_t now_ms,
		     struct sim_identity *ret_identity, struct error *error)
{
	struct sim_identity identity = {0};

	if (sim_store_find_identity_of(store, role_arn, &identity, error)) {
		if (identity.credentials.expiration_ms > now_ms + ROLE_CREDENTIALS_RENEW_MS) {
			*ret_identity = identity;
			return true;
		}
		sim_identity_done(&identity);
	} else if (error->code != ERROR_NOT_FOUND) {
		return false;
	}
	/* The expired ones stay for as long as they lived, so that their holders are told "expired" and not "unknown". */
	if (!sim_store_remove_expired(store, now_ms - ROLE_CREDENTIALS_LIFETIME_MS, error))
		return false;
	return make_role_identity(store, role_arn, instance_id, now_ms, ret_identity, error);
}
