/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/frontend/client_rules.h"

#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/cleanup.h"

/* A leaf, a few intermediates and a root. */
#define CHAIN_MAX_LENGTH 8
#define COMMON_NAME_OID "2.5.4.3"

struct client_rules {
	gnutls_x509_trust_list_t authorities; /* NULL: no CA */
	bool known;
	_Atomic uint64_t generation; /* counts the lists */
	pthread_mutex_t lock;        /* everything below */
	uint64_t serial;
	size_t count;
	struct known_client clients[KNOWN_CLIENTS_MAX];
};

static bool add_authorities(struct client_rules *rules, struct view ca_pem, struct error *error)
{
	gnutls_datum_t pem = {(unsigned char *)(uintptr_t)ca_pem.data, (unsigned)ca_pem.size};
	int result = gnutls_x509_trust_list_init(&rules->authorities, 0);

	if (result != 0)
		return error_set(error, ERROR_CRYPTO, "CA of the clients: %s", gnutls_strerror(result));
	result = gnutls_x509_trust_list_add_trust_mem(rules->authorities, &pem, NULL, GNUTLS_X509_FMT_PEM, 0, 0);
	if (result > 0)
		return true;
	return error_set(error, ERROR_INPUT, "CA of the clients: %s", result == 0 ? "no certificate" : gnutls_strerror(result));
}

struct client_rules *client_rules_new(struct view ca_pem, bool known, struct error *error)
{
	struct client_rules *rules = (struct client_rules *)memory_allocate_zeroed(1, sizeof *rules);

	rules->known = known;
	(void)pthread_mutex_init(&rules->lock, NULL);
	if (ca_pem.size == 0 || add_authorities(rules, ca_pem, error))
		return rules;
	client_rules_free(rules);
	return NULL;
}

void client_rules_free(struct client_rules *rules)
{
	if (!rules)
		return;
	if (rules->authorities)
		gnutls_x509_trust_list_deinit(rules->authorities, 1);
	(void)pthread_mutex_destroy(&rules->lock);
	free(rules);
}

/* ---- known clients ---- */

bool client_rules_set_known(struct client_rules *rules, const struct message_known_clients *list, struct error *error)
{
	uint64_t serial;

	(void)pthread_mutex_lock(&rules->lock);
	serial = rules->serial;
	if (list->serial >= serial) {
		rules->serial = list->serial;
		rules->count = list->count;
		memcpy(rules->clients, list->clients, sizeof rules->clients);
		atomic_fetch_add_explicit(&rules->generation, 1, memory_order_release);
	}
	(void)pthread_mutex_unlock(&rules->lock);
	if (list->serial >= serial)
		return true;
	return error_set(error, ERROR_POLICY, "known clients: the list has serial %llu, and one of serial %llu was there before",
			 (unsigned long long)list->serial, (unsigned long long)serial);
}

static bool is_listed(struct client_rules *rules, const struct http_client *client)
{
	bool found = false;

	(void)pthread_mutex_lock(&rules->lock);
	for (size_t i = 0; i < rules->count && !found; i++)
		found = client->common_name[0] && strcmp(rules->clients[i].common_name, client->common_name) == 0 &&
			memcmp(rules->clients[i].fingerprint, client->fingerprint, sizeof client->fingerprint) == 0;
	(void)pthread_mutex_unlock(&rules->lock);
	return found;
}

/* ---- certificates ---- */

static void certificate_done(gnutls_x509_crt_t *certificate)
{
	if (*certificate)
		gnutls_x509_crt_deinit(*certificate);
}

static bool import_certificate(const gnutls_datum_t *der, gnutls_x509_crt_t *ret_certificate)
{
	return gnutls_x509_crt_init(ret_certificate) == 0 &&
	       gnutls_x509_crt_import(*ret_certificate, der, GNUTLS_X509_FMT_DER) == 0;
}

/* UTF8String, PrintableString and IA5String say what they mean; nobody makes the others any more. */
static bool is_readable_tag(unsigned long tag)
{
	return tag == 12 || tag == 19 || tag == 22;
}

/*
 * The first in the order of the encoding, unescaped. One that does not fit, or has a NUL in it, is none: compared in part it could
 * pass for another.
 */
static void read_common_name(gnutls_x509_crt_t certificate, char ret_name[KNOWN_CLIENT_NAME_SIZE])
{
	gnutls_x509_ava_st part = {0};
	gnutls_x509_dn_t subject;

	memset(ret_name, 0, KNOWN_CLIENT_NAME_SIZE);
	if (gnutls_x509_crt_get_subject(certificate, &subject) != 0)
		return;
	for (int i = 0;; i++) {
		for (int j = 0; gnutls_x509_dn_get_rdn_ava(subject, i, j, &part) == 0; j++) {
			/* the OID is counted with its NUL by some versions */
			if (part.oid.size < strlen(COMMON_NAME_OID) ||
			    strncmp((const char *)part.oid.data, COMMON_NAME_OID, part.oid.size) != 0)
				continue;
			if (is_readable_tag(part.value_tag) && part.value.size < KNOWN_CLIENT_NAME_SIZE &&
			    !memchr(part.value.data, 0, part.value.size))
				memcpy(ret_name, part.value.data, part.value.size);
			return;
		}
		if (gnutls_x509_dn_get_rdn_ava(subject, i, 0, &part) != 0)
			return;
	}
}

static bool chains_to_authority(const struct client_rules *rules, const gnutls_datum_t *chain, unsigned length,
				gnutls_datum_t *ret_reason)
{
	gnutls_typed_vdata_st purpose = {GNUTLS_DT_KEY_PURPOSE_OID, (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT, 0};
	gnutls_x509_crt_t certificates[CHAIN_MAX_LENGTH] = {NULL};
	unsigned count = 0;
	unsigned status = 0;
	bool done = false;

	while (count < length && import_certificate(&chain[count], &certificates[count]))
		count++;
	if (count == length)
		done = gnutls_x509_trust_list_verify_crt2(rules->authorities, certificates, count, &purpose, 1, 0, &status, NULL) ==
			       0 &&
		       status == 0;
	if (count == length && !done)
		(void)gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, ret_reason, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(certificates); i++)
		certificate_done(&certificates[i]);
	return done;
}

static bool describe(const gnutls_datum_t *leaf, struct http_client *ret_client)
{
	CLEANUP(certificate_done) gnutls_x509_crt_t certificate = NULL;
	size_t size = sizeof ret_client->fingerprint;

	if (!import_certificate(leaf, &certificate) ||
	    gnutls_fingerprint(GNUTLS_DIG_SHA256, leaf, ret_client->fingerprint, &size) != 0)
		return false;
	read_common_name(certificate, ret_client->common_name);
	return true;
}

static bool refuse(const struct client_rules *rules, const gnutls_datum_t *ca_reason, struct error *error)
{
	const char *list = rules->known ? "not on the list of known clients" : "";

	if (!rules->authorities)
		return error_set(error, ERROR_POLICY, "%s", list);
	return error_set(error, ERROR_POLICY, "%s%snot accepted by the clients' CA: %s", list, rules->known ? ", and " : "",
			 ca_reason->data ? (const char *)ca_reason->data : "the chain cannot be read");
}

bool client_rules_admit(struct client_rules *rules, const gnutls_datum_t *chain, unsigned length, struct http_client *ret_client,
			struct client_admission *ret_admission, struct error *error)
{
	uint64_t generation = atomic_load_explicit(&rules->generation, memory_order_acquire);
	gnutls_datum_t reason = {NULL, 0};
	bool is_known, by_ca;

	*ret_admission = (struct client_admission){0};
	if (length == 0)
		return error_set(error, ERROR_POLICY, "no certificate");
	if (length > CHAIN_MAX_LENGTH)
		return error_set(error, ERROR_POLICY, "%u certificates, at most %d are taken", length, CHAIN_MAX_LENGTH);
	if (!describe(&chain[0], ret_client))
		return error_set(error, ERROR_POLICY, "the certificate cannot be read");
	is_known = rules->known && is_listed(rules, ret_client);
	by_ca = !is_known && rules->authorities && chains_to_authority(rules, chain, length, &reason);
	if (is_known || by_ca) {
		*ret_admission = (struct client_admission){.is_admitted = true, .by_ca = by_ca, .generation = generation};
		ret_client->has_certificate = true;
		return true;
	}
	(void)refuse(rules, &reason, error);
	gnutls_free(reason.data);
	return false;
}

bool client_rules_still_admit(struct client_rules *rules, const struct http_client *client, struct client_admission *admission,
			      struct error *error)
{
	uint64_t generation = atomic_load_explicit(&rules->generation, memory_order_acquire);

	if (!admission->is_admitted)
		return error_set(error, ERROR_POLICY, "no handshake with a certificate");
	if (admission->by_ca || admission->generation == generation)
		return true;
	if (!is_listed(rules, client))
		return error_set(error, ERROR_POLICY, "not on the list of known clients any more");
	admission->generation = generation;
	return true;
}
