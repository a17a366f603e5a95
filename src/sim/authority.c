/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/authority.h"

#include <pthread.h>

#include <openssl/pem.h>
#include <openssl/rand.h>

#include "base/clock.h"
#include "base/file.h"
#include "crypto/cose.h"
#include "sim/authority_certificates.h"

#define PEM_MAX_SIZE 4096
/* AWS's documents are at least 3 s younger than their leaf. */
#define LEAF_BACKDATE_S 3
/* The issuers of a leaf are a little older than it, and the root older still, so that a clock set back a little does no harm. */
#define INTERMEDIATE_BACKDATE_S 3600
#define ROOT_BACKDATE_S 86400
/* A leaf signs no more documents this long before it ends, so that whoever gets one has a moment to use it. */
#define LEAF_RENEW_BEFORE_S 60
/* Enclaves with a live leaf each; one more and the oldest leaf is made anew when it is needed again. */
#define LEAF_CACHE_SIZE 16
/* Random part of the regional and zonal names, in bytes. */
#define NAME_RANDOM_SIZE 8
/* A module id ends in "-enc" and 16 hex digits: the enclave's slot, which begins the leaf's serial number. */
#define MODULE_ID_TAIL "-enc"
#define SLOT_SIZE 8
#define LEAF_SERIAL_SIZE 16

struct leaf {
	char module_id[ATTESTATION_MODULE_ID_SIZE]; /* "": free */
	struct certified_key certified;
	struct buffer der;
	uint64_t not_before_s;
};

struct authority {
	pthread_mutex_t lock;
	char *region;
	char *instance_id;
	struct certified_key levels[AUTHORITY_LEAF]; /* root to instance */
	struct buffer bundle[AUTHORITY_LEAF];        /* their DER */
	uint64_t intermediates_not_before_s;         /* 0: there are none yet */
	struct leaf leaves[LEAF_CACHE_SIZE];
	size_t next_leaf; /* slot that is used next */
};

static void bio_done(BIO **bio)
{
	BIO_free(*bio);
}

static void leaf_done(struct leaf *leaf)
{
	certified_key_done(&leaf->certified);
	buffer_done(&leaf->der);
	*leaf = (struct leaf){0};
}

static bool root_save(const struct certified_key *root, const char *certificate_path, const char *key_path, struct error *error)
{
	CLEANUP(bio_done) BIO *certificate = BIO_new(BIO_s_mem());
	CLEANUP(bio_done) BIO *key = BIO_new(BIO_s_secmem());
	char *text;
	long size;

	if (!certificate || !key || PEM_write_bio_X509(certificate, root->certificate) != 1 ||
	    PEM_write_bio_PKCS8PrivateKey(key, root->key, NULL, NULL, 0, NULL, NULL) != 1)
		return error_set(error, ERROR_CRYPTO, "%s: the root does not encode", certificate_path);
	/* The key first: a certificate on disk means that the root is complete. */
	size = BIO_get_mem_data(key, &text);
	if (!file_write_atomic(key_path, view_of(text, (size_t)size), 0600, error))
		return false;
	size = BIO_get_mem_data(certificate, &text);
	return file_write_atomic(certificate_path, view_of(text, (size_t)size), 0644, error);
}

static int no_password(char *buffer, int size, int writing, void *context)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)context;
	return -1;
}

static bool root_load(const char *certificate_path, const char *key_path, struct certified_key *ret_root, struct error *error)
{
	CLEANUP(certified_key_done) struct certified_key root = {0};
	AUTO_BUFFER struct buffer certificate_pem = {0};
	AUTO_SECRET struct secret key_pem = {0};
	CLEANUP(bio_done) BIO *certificate = NULL;
	CLEANUP(bio_done) BIO *key = NULL;

	if (!file_read(certificate_path, PEM_MAX_SIZE, &certificate_pem, error))
		return false;
	if (!file_read_secret(key_path, PEM_MAX_SIZE, &key_pem, error))
		return error_prefix(error, "%s has no key (remove it to start with a new root)", certificate_path);
	certificate = BIO_new_mem_buf(certificate_pem.data, (int)certificate_pem.size);
	key = BIO_new_mem_buf(key_pem.data, (int)key_pem.size);
	if (!certificate || !key)
		return error_set(error, ERROR_CRYPTO, "%s: out of memory", certificate_path);
	root.certificate = PEM_read_bio_X509(certificate, NULL, no_password, NULL);
	if (!root.certificate)
		return error_set(error, ERROR_INPUT, "%s: not a certificate", certificate_path);
	root.key = PEM_read_bio_PrivateKey(key, NULL, no_password, NULL);
	if (!root.key)
		return error_set(error, ERROR_INPUT, "%s: not a private key", key_path);
	if (X509_check_private_key(root.certificate, root.key) != 1)
		return error_set(error, ERROR_INPUT, "%s is not the key of %s", key_path, certificate_path);
	*ret_root = certified_key_take(&root);
	return true;
}

static bool root_open(const char *folder, struct certified_key *ret_root, struct error *error)
{
	AUTO_FREE char *certificate_path = memory_format("%s/%s", folder, AUTHORITY_ROOT_FILE);
	AUTO_FREE char *key_path = memory_format("%s/%s", folder, AUTHORITY_ROOT_KEY_FILE);
	CLEANUP(certified_key_done) struct certified_key root = {0};
	uint64_t now_s = clock_realtime_ms() / 1000;

	if (file_exists(certificate_path))
		return root_load(certificate_path, key_path, ret_root, error);
	if (!certified_key_make(AUTHORITY_ROOT, "ensign-sim.nitro-enclaves", now_s - ROOT_BACKDATE_S, (struct view){0}, NULL, &root,
				error) ||
	    !root_save(&root, certificate_path, key_path, error))
		return false;
	*ret_root = certified_key_take(&root);
	return true;
}

struct authority *authority_open(const char *folder, const char *region, const char *instance_id, struct error *error)
{
	AUTO_AUTHORITY struct authority *authority = (struct authority *)memory_allocate_zeroed(1, sizeof *authority);
	struct authority *opened;

	if (pthread_mutex_init(&authority->lock, NULL) != 0)
		abort();
	authority->region = memory_copy_text(region);
	authority->instance_id = memory_copy_text(instance_id);
	if (!root_open(folder, &authority->levels[AUTHORITY_ROOT], error) ||
	    !certificate_encode(authority->levels[AUTHORITY_ROOT].certificate, &authority->bundle[AUTHORITY_ROOT], error))
		return NULL;
	opened = authority;
	authority = NULL;
	return opened;
}

void authority_free(struct authority *authority)
{
	if (!authority)
		return;
	for (size_t i = 0; i < LEAF_CACHE_SIZE; i++)
		leaf_done(&authority->leaves[i]);
	for (size_t i = 0; i < AUTHORITY_LEAF; i++) {
		certified_key_done(&authority->levels[i]);
		buffer_done(&authority->bundle[i]);
	}
	(void)pthread_mutex_destroy(&authority->lock);
	free(authority->region);
	free(authority->instance_id);
	free(authority);
}

X509 *authority_root(const struct authority *authority)
{
	return authority->levels[AUTHORITY_ROOT].certificate;
}

static bool intermediate_make(struct authority *authority, enum authority_level level, const char *common_name,
			      uint64_t not_before_s, struct error *error)
{
	struct certified_key made;

	if (!certified_key_make(level, common_name, not_before_s, (struct view){0}, &authority->levels[level - 1], &made, error))
		return false;
	certified_key_done(&authority->levels[level]);
	authority->levels[level] = made;
	buffer_clear(&authority->bundle[level]);
	return certificate_encode(made.certificate, &authority->bundle[level], error);
}

/* The intermediates are made together, and anew before the shortest-lived would end before a leaf made now. */
static bool intermediates_ensure(struct authority *authority, uint64_t now_s, struct error *error)
{
	uint64_t from_s = authority->intermediates_not_before_s;
	uint64_t until_s = from_s + authority_lifetime_s(AUTHORITY_INSTANCE);
	AUTO_FREE char *instance = memory_format("%s.%s.sim.nitro-enclaves", authority->instance_id, authority->region);
	AUTO_FREE char *regional = NULL;
	AUTO_FREE char *zonal = NULL;
	uint8_t random[2 * NAME_RANDOM_SIZE];
	char hex[2][2 * NAME_RANDOM_SIZE + 1];

	if (from_s != 0 && now_s >= from_s + LEAF_BACKDATE_S && now_s + AUTHORITY_LEAF_LIFETIME_S <= until_s)
		return true;
	if (RAND_bytes(random, sizeof random) != 1)
		return error_set(error, ERROR_CRYPTO, "simulated authority: no random bytes");
	hex_encode(view_of(random, NAME_RANDOM_SIZE), hex[0]);
	hex_encode(view_of(random + NAME_RANDOM_SIZE, NAME_RANDOM_SIZE), hex[1]);
	regional = memory_format("%s.%s.sim.nitro-enclaves", hex[0], authority->region);
	zonal = memory_format("%s.zonal.%s.sim.nitro-enclaves", hex[1], authority->region);
	/* Leaves of the old intermediates go with them. */
	for (size_t i = 0; i < LEAF_CACHE_SIZE; i++)
		leaf_done(&authority->leaves[i]);
	authority->intermediates_not_before_s = 0;
	from_s = now_s - INTERMEDIATE_BACKDATE_S;
	if (!intermediate_make(authority, AUTHORITY_REGIONAL, regional, from_s, error) ||
	    !intermediate_make(authority, AUTHORITY_ZONAL, zonal, from_s, error) ||
	    !intermediate_make(authority, AUTHORITY_INSTANCE, instance, from_s, error))
		return false;
	authority->intermediates_not_before_s = from_s;
	return true;
}

/* As AWS's: slot of the enclave, 4 zero bytes, time of issue. */
static bool leaf_serial(const char *module_id, uint64_t not_before_s, uint8_t ret_serial[LEAF_SERIAL_SIZE], struct error *error)
{
	size_t tail = strlen(MODULE_ID_TAIL) + 2 * SLOT_SIZE;
	size_t size = strnlen(module_id, ATTESTATION_MODULE_ID_SIZE);

	memset(ret_serial, 0, LEAF_SERIAL_SIZE);
	if (size == ATTESTATION_MODULE_ID_SIZE || size <= tail ||
	    memcmp(module_id + size - tail, MODULE_ID_TAIL, strlen(MODULE_ID_TAIL)) != 0 ||
	    !hex_decode(view_of(module_id + size - 2 * SLOT_SIZE, 2 * SLOT_SIZE), ret_serial, SLOT_SIZE))
		return error_set(error, ERROR_INPUT, "module_id: does not end in -enc and 16 hex digits");
	store_be32(ret_serial + LEAF_SERIAL_SIZE - 4, (uint32_t)not_before_s);
	return true;
}

static bool leaf_is_usable(const struct leaf *leaf, const char *module_id, uint64_t now_s)
{
	return strcmp(leaf->module_id, module_id) == 0 && now_s >= leaf->not_before_s &&
	       now_s + LEAF_RENEW_BEFORE_S < leaf->not_before_s + AUTHORITY_LEAF_LIFETIME_S;
}

static struct leaf *leaf_find(struct authority *authority, const char *module_id, uint64_t now_s)
{
	for (size_t i = 0; i < LEAF_CACHE_SIZE; i++) {
		if (leaf_is_usable(&authority->leaves[i], module_id, now_s))
			return &authority->leaves[i];
	}
	return NULL;
}

static struct leaf *leaf_make(struct authority *authority, const char *module_id, uint64_t now_s, struct error *error)
{
	AUTO_FREE char *common_name = memory_format("%.*s.%s.sim", ATTESTATION_MODULE_ID_SIZE, module_id, authority->region);
	struct leaf *leaf = &authority->leaves[authority->next_leaf];
	uint8_t serial[LEAF_SERIAL_SIZE];
	struct leaf made = {.not_before_s = now_s - LEAF_BACKDATE_S};

	if (!leaf_serial(module_id, made.not_before_s, serial, error) ||
	    !certified_key_make(AUTHORITY_LEAF, common_name, made.not_before_s, view_of(serial, sizeof serial),
				&authority->levels[AUTHORITY_INSTANCE], &made.certified, error))
		return NULL;
	if (!certificate_encode(made.certified.certificate, &made.der, error)) {
		leaf_done(&made);
		return NULL;
	}
	memcpy(made.module_id, module_id, strlen(module_id) + 1);
	leaf_done(leaf);
	*leaf = made;
	authority->next_leaf = (authority->next_leaf + 1) % LEAF_CACHE_SIZE;
	return leaf;
}

static bool issue_locked(struct authority *authority, const struct attestation_document *claims, struct buffer *ret_document,
			 struct error *error)
{
	struct attestation_document document = *claims;
	uint64_t now_s = claims->timestamp_ms / 1000;
	AUTO_BUFFER struct buffer payload = {0};
	struct leaf *leaf;

	if (now_s < ROOT_BACKDATE_S)
		return error_set(error, ERROR_INPUT, "timestamp: before the simulated root");
	if (!intermediates_ensure(authority, now_s, error))
		return false;
	leaf = leaf_find(authority, claims->module_id, now_s);
	if (!leaf)
		leaf = leaf_make(authority, claims->module_id, now_s, error);
	if (!leaf)
		return false;
	document.certificate = buffer_view(&leaf->der);
	document.cabundle_count = AUTHORITY_LEAF;
	for (size_t i = 0; i < AUTHORITY_LEAF; i++)
		document.cabundle[i] = buffer_view(&authority->bundle[i]);
	return attestation_build_payload(&document, &payload, error) &&
	       cose_sign1_sign(buffer_view(&payload), leaf->certified.key, ret_document, error);
}

bool authority_issue(struct authority *authority, const struct attestation_document *claims, struct buffer *ret_document,
		     struct error *error)
{
	bool issued;

	(void)pthread_mutex_lock(&authority->lock);
	issued = issue_locked(authority, claims, ret_document, error);
	(void)pthread_mutex_unlock(&authority->lock);
	return issued;
}
