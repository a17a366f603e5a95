/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every message that crosses a wall inside the enclave. Roles talk over SOCK_SEQPACKET pairs; a message is one packet of a
 * fixed size that its type determines, so the receiver compares type and size and has nothing left to parse. There are no
 * pointers, no strings of the peer's choosing and no lengths to trust (where a blob is shorter than its field, the count is
 * checked against the field by message_receive()).
 *
 *   frontend ── SIGN, LIST_KEYS, HEALTH ──────► keeper      the only way to a signature
 *   frontend ◄─ SIGN_RESULT, KEYS, HEALTH_RESULT keeper
 *   keeper   ── COMMIT ───────────────────────► ledger      a watermark to make durable
 *   keeper   ◄─ COMMIT_RESULT ───────────────── ledger
 *   keeper   ◄─ KEYS ────────────────────────── ledger      at its start: which were deleted through the key manager
 *   keeper   ◄─ HIGH_WATERMARK ──────────────── ledger      at its start, and when it is another
 *   frontend ── HISTORY ──────► keeper ───────► ledger      what a key has signed: read, raise, retire, enable
 *   frontend ◄─ HISTORY_RESULT  keeper ◄─────── ledger
 *   opener   ── LOAD_BEGIN, LOAD_KEY, LOAD_KEEP, LOAD_END ► keeper   all keys that are to sign from now on
 *   opener   ◄─ LOAD_RESULT ─────────────────── keeper
 *   opener   ── LIST_KEYS, HISTORY ───────────► keeper      which of them need not be opened again; what the operator asks about histories
 *   opener   ◄─ KEYS, HISTORY_RESULT ────────── keeper
 *   opener   ── STORE_CREDENTIALS ────────────► ledger      for the slashing table of a fleet
 *   opener   ◄─ STORE_RESULT ────────────────── ledger
 *   opener   ── TLS_IDENTITY ─────────────────► frontend    the TLS key; the first makes it serve, a later one takes its place
 *   opener   ◄─ TLS_RESULT ──────────────────── frontend
 *   opener   ── KNOWN_CLIENTS ────────────────► frontend    certificates that may connect
 *   frontend ── RELOAD, IMPORT_KEYSTORE, FORGET_KEY ► control what needs the parent: its tables, its credentials
 *   frontend ◄─ RELOAD_RESULT, IMPORT_RESULT, DRAIN ── control
 *   frontend ── ATTEST ───────────────────────► attester    a document for a client
 *   frontend ◄─ ATTEST_RESULT ───────────────── attester
 *   control  ── OPENER_WANTED ────────────────► init        start an opener
 *   control  ◄─ OPENER_READY, OPENER_GONE ───── init
 *   control  ── JOB, IMPORT_KEYSTORE ─────────► opener      what it is to do; the parent's frame follows on a stream of its own
 *   control  ◄─ SEALED_KEY, IMPORT_RESULT, JOB_RESULT opener
 *   init     ── START ────────────────────────► every role  its settings
 *   init     ◄─ READY ───────────────────────── roles
 */
#pragma once

#include "attestation/client_statement.h"
#include "crypto/bls.h"
#include "crypto/tls_identity.h"
#include "eth/artifact_type.h"
#include "eth/containers.h"
#include "eth/signing_root.h"
#include "slashing/rules.h"
#include "tables/known_clients.h"

/* An EIP-2335 keystore is 1 KiB of JSON, with a long description two. */
#define IMPORT_KEYSTORE_MAX_SIZE 8192
#define IMPORT_PASSWORD_MAX_SIZE 1024
/* Under way at one time, in one request of the key manager or several; each holds up to 16 KiB of protected memory, of which there is 1 MiB. */
#define IMPORTS_MAX 32
/*
 * Deleted through the key manager and not imported again: ten times as many as sign at one time. 48 bytes each, in the keeper and for a moment
 * in the ledger.
 */
#define RETIRED_KEYS_MAX 1000000
#define DIGEST_SIZE 32             /* SHA-256 */
#define MESSAGE_SEALED_KEY_SIZE 60 /* SEALED_KEY_SIZE of tables/sealed_key.h */

enum message_type {
	MESSAGE_START = 1,
	MESSAGE_READY,
	MESSAGE_SIGN,
	MESSAGE_SIGN_RESULT,
	MESSAGE_LIST_KEYS,
	MESSAGE_KEYS,
	MESSAGE_HEALTH,
	MESSAGE_HEALTH_RESULT,
	MESSAGE_COMMIT,
	MESSAGE_COMMIT_RESULT,
	MESSAGE_LOAD_BEGIN,
	MESSAGE_LOAD_KEY,
	MESSAGE_LOAD_END,
	MESSAGE_LOAD_RESULT,
	MESSAGE_TLS_IDENTITY,
	MESSAGE_TLS_RESULT,
	MESSAGE_HISTORY,
	MESSAGE_HISTORY_RESULT,
	MESSAGE_LOAD_KEEP,
	MESSAGE_KNOWN_CLIENTS,
	MESSAGE_RELOAD,
	MESSAGE_RELOAD_RESULT,
	MESSAGE_IMPORT_KEYSTORE,
	MESSAGE_IMPORT_RESULT,
	MESSAGE_FORGET_KEY,
	MESSAGE_OPENER_WANTED,
	MESSAGE_OPENER_READY,
	MESSAGE_OPENER_GONE,
	MESSAGE_JOB,
	MESSAGE_SEALED_KEY,
	MESSAGE_JOB_RESULT,
	MESSAGE_STORE_CREDENTIALS,
	MESSAGE_STORE_RESULT,
	MESSAGE_HIGH_WATERMARK,
	MESSAGE_ATTEST,
	MESSAGE_ATTEST_RESULT,
	MESSAGE_DRAIN,
	MESSAGE_TYPE_COUNT,
};

struct message_header {
	uint32_t type; /* enum message_type */
	uint32_t size; /* of the whole packet */
	uint64_t id;   /* chosen by who asks, repeated in the answer */
};

/* ---- init → role ---- */

struct message_start {
	struct message_header header;
	struct network network;
	uint8_t slashing_protection;  /* 0 or 1 */
	uint8_t uses_table;           /* ledger only; 0 or 1: the store is a table, which the measured configuration names */
	uint8_t refreshes_credential; /* control only; 0 or 1: the ledger uses the parent's credentials, which expire */
	uint32_t quiet_period_s;      /* keeper only: image/slashing_settings.h; 0: none */
	uint64_t enclave_started_ms;  /* monotonic clock when init started */
	uint32_t signable_types;      /* keeper only: the bits (ARTIFACT_BIT) of what the signing policy can ever allow */
};

struct message_ready {
	struct message_header header;
};

/* ---- frontend ↔ keeper ---- */

/*
 * An object too large for a message, as the frontend merkleized it. Whatever root a lying frontend puts here is signed under the domain
 * of the artifact type, so no type that is slashable may use it.
 */
struct merkleized_object {
	uint8_t root[ROOT_SIZE];
	uint64_t slot; /* whose epoch picks the fork version */
};

struct deposit_request {
	struct deposit_message message;
	uint8_t genesis_fork_version[FORK_VERSION_SIZE];
};

struct message_sign {
	struct message_header header;
	uint32_t
		artifact_type; /* enum artifact_type; domain, epoch, fork version and slashing rule follow from it (keeper/artifacts.c) */
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
	uint8_t has_signing_root; /* 0 or 1: the client said which root it expects */
	uint8_t signing_root[ROOT_SIZE];
	struct fork_info fork_info; /* zero for the types that are signed under a genesis fork version */
	union {
		struct attestation_data attestation;
		struct beacon_block_header block;
		uint64_t epoch; /* RANDAO_REVEAL */
		uint64_t slot;  /* AGGREGATION_SLOT */
		struct deposit_request deposit;
		struct voluntary_exit voluntary_exit;
		struct sync_committee_vote sync_committee; /* SYNC_COMMITTEE_MESSAGE */
		struct sync_aggregator_selection_data sync_selection;
		struct validator_registration registration;
		struct payload_attestation_data payload_attestation;
		struct proposer_preferences preferences;
		/* AGGREGATE_AND_PROOF, CONTRIBUTION_AND_PROOF, EXECUTION_PAYLOAD_BID and _ENVELOPE, BUILDER_REQUEST_AUTH */
		struct merkleized_object merkleized;
	} object;
};

enum sign_status {
	SIGN_OK = 0,
	SIGN_UNKNOWN_KEY,
	SIGN_ROOT_MISMATCH, /* signing_root holds what the keeper computed */
	SIGN_SLASHABLE,     /* verdict and the watermark's numbers say why */
	SIGN_WRONG_NETWORK, /* genesis_validators_root is not the measured network's, or not the learned one: that is in the result */
	SIGN_LEDGER_FAILED, /* the watermark could not be made durable: fail closed */
	SIGN_BAD_REQUEST,   /* a message the frontend should never have sent */
	SIGN_OVERLOADED,    /* too many wait to sign it in time; try again */
	SIGN_POLICY,        /* no rule of the signing policy allows this type to anybody; the frontend should have said so */
	SIGN_RETIRED,       /* the key was deleted through the key manager and not imported again since */
	SIGN_NO_HISTORY,    /* nothing is known of what the key signed before, and nobody said that it signed nothing */
	SIGN_STATUS_COUNT,
};

struct message_sign_result {
	struct message_header header;
	uint32_t status;  /* enum sign_status */
	uint32_t verdict; /* enum slashing_verdict, for SIGN_SLASHABLE */
	uint8_t signing_root[ROOT_SIZE];
	uint8_t signature[BLS_SIGNATURE_SIZE]; /* SIGN_OK only, else zero */
	/* SIGN_SLASHABLE: what was asked and what had been signed before, or the high watermark, for the message to the operator. */
	uint64_t asked_slot, asked_source, asked_target;
	uint64_t last_slot, last_source, last_target;
	uint8_t genesis_validators_root[ROOT_SIZE]; /* SIGN_WRONG_NETWORK: the one that is signed for */
	uint64_t quiet_left_ms;                     /* SIGN_NO_HISTORY: until it may sign all the same; 0: it never may */
};

#define MESSAGE_KEYS_CAPACITY 64 /* keeps the packet at 3 KiB */

struct message_list_keys {
	struct message_header header;
	uint64_t first; /* index */
};

struct message_keys {
	struct message_header header;
	uint64_t total;
	uint64_t first;
	uint64_t count;      /* 0 to MESSAGE_KEYS_CAPACITY */
	uint64_t generation; /* of the set of keys; pages of different ones do not belong together: begin again. The ledger's: 0 */
	uint8_t keys[MESSAGE_KEYS_CAPACITY][BLS_PUBLIC_KEY_SIZE];
};

struct message_health {
	struct message_header header;
};

/* What the keeper has seen; whether that is well is for the reader to say. */
struct message_health_result {
	struct message_header header;
	uint64_t key_count;
	uint64_t failed_count;       /* rows of the last load whose keys could not be loaded */
	uint8_t slashing_protection; /* 0 or 1; the rest is zero without it */
	uint8_t has_commit;          /* 0 or 1: something became durable since the start, */
	uint8_t has_failure;         /* the store failed */
	uint64_t commit_age_ms;      /* since the last of each */
	uint64_t failure_age_ms;
	uint64_t ledger_waiting_ms;           /* how long the ledger has owed an answer without giving any; 0 when it owes none */
	struct high_watermark high_watermark; /* as the ledger said last */
};

/* ---- keeper ↔ ledger ---- */

enum duty { DUTY_BLOCK = 1, DUTY_ATTESTATION };

struct message_commit {
	struct message_header header;
	uint32_t duty; /* enum duty */
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
	uint8_t genesis_validators_root[ROOT_SIZE];
	uint64_t slot;         /* DUTY_BLOCK */
	uint64_t source_epoch; /* DUTY_ATTESTATION */
	uint64_t target_epoch;
	uint8_t signing_root[ROOT_SIZE];
	uint8_t may_begin; /* 0 or 1: the quiet period is over, so a key without history begins one */
};

enum commit_status {
	COMMIT_DURABLE = 0,   /* release the signature */
	COMMIT_CONFLICT,      /* the store holds a higher watermark: `watermark` is what it holds */
	COMMIT_FAILED,        /* the store is in doubt: refuse */
	COMMIT_WRONG_NETWORK, /* the store learned another genesis_validators_root, the one in the answer */
	COMMIT_RETIRED,       /* the key was retired: nothing is signed with it until it is enabled again */
	COMMIT_NO_HISTORY,    /* the store knows nothing of the key */
	COMMIT_ABOVE_HIGH,    /* at or above the high watermark, which the keeper was told before this */
	COMMIT_STATUS_COUNT,
};

struct message_commit_result {
	struct message_header header;
	uint32_t status; /* enum commit_status */
	struct watermark watermark;
	uint8_t genesis_validators_root[ROOT_SIZE]; /* COMMIT_WRONG_NETWORK only, else zero */
};

struct message_high_watermark {
	struct message_header header;
	struct high_watermark high_watermark;
};

/* ---- frontend, opener ↔ keeper ↔ ledger: the history of one key, for the key manager and the operator ---- */

enum history_action {
	HISTORY_READ = 1,  /* what it has signed */
	HISTORY_RAISE,     /* take over what it signed elsewhere; never lowers anything */
	HISTORY_RETIRE,    /* stop signing with it, at once, and durably before the answer */
	HISTORY_ENABLE,    /* undo RETIRE, and BEGIN unless known_only */
	HISTORY_BEGIN,     /* it never signed anything: let it begin. What is known of it stays */
	HISTORY_NEXT,      /* READ of the first key above this one that has any history */
	HISTORY_READ_HIGH, /* the high watermark, which is not of one key */
	HISTORY_SET_HIGH,  /* put it where high_watermark says, or take it away */
	HISTORY_ACTION_COUNT,
};

struct message_history {
	struct message_header header;
	uint32_t action; /* enum history_action */
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
	uint8_t genesis_validators_root[ROOT_SIZE]; /* RAISE: of the imported data. Else zero: that of this signer's network */
	struct watermark watermark;                 /* RAISE */
	uint8_t known_only; /* 0 or 1: leave a key without history so. RETIRE: the keeper says it of one that it does not hold; ENABLE: who asks */
	struct high_watermark high_watermark; /* SET_HIGH */
};

enum history_status {
	HISTORY_OK = 0,
	HISTORY_UNKNOWN, /* READ, NEXT: there is none. RETIRE: neither loaded nor any history. ENABLE: none, and none was begun */
	HISTORY_FAILED,  /* the store is in doubt; RETIRE: it signs no more in this enclave's life, but that is not durable */
	HISTORY_WRONG_NETWORK, /* RAISE: genesis_validators_root says which is ours */
	HISTORY_OVERLOADED,    /* too many at one time; try again */
	HISTORY_STATUS_COUNT,
};

struct message_history_result {
	struct message_header header;
	uint32_t status;                            /* enum history_status */
	uint8_t is_loaded;                          /* 0 or 1; RETIRE: it was until now */
	uint8_t is_retired;                         /* 0 or 1; after the action */
	uint8_t is_new;                             /* 0 or 1; BEGIN, RAISE: there was no history before */
	uint32_t origin;                            /* enum history_origin, after the action */
	uint64_t begun_s;                           /* seconds since 1970; 0: unknown */
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];    /* NEXT: whose */
	uint8_t has_root;                           /* 0 or 1: whether this signer knows the root of its network */
	uint8_t genesis_validators_root[ROOT_SIZE]; /* of this signer's network */
	struct watermark watermark;                 /* after the action */
	struct high_watermark high_watermark;       /* READ_HIGH, SET_HIGH: after the action, and nothing else is set */
};

/* ---- opener → keeper, opener → frontend ---- */

/*
 * Between BEGIN and END the keeper gathers the keys that are to sign from then on; END puts them in the place of those that did, all
 * or none. Keys that are left out stop signing at once, and what they signed is remembered.
 */
struct message_load_begin {
	struct message_header header; /* forgets an unfinished load */
};

/* A key that the keeper holds already goes on signing. One that was deleted since the keeper listed it is left out. */
struct message_load_keep {
	struct message_header header;
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
};

struct message_load_key {
	struct message_header header;
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE]; /* expected; the keeper derives it again and compares */
	uint8_t secret_key[BLS_SECRET_KEY_SIZE];
};

struct message_load_end {
	struct message_header header;
	uint64_t count;        /* of LOAD_KEY and LOAD_KEEP since LOAD_BEGIN */
	uint64_t failed_count; /* of rows that were passed over; told in HEALTH_RESULT once the load is in service */
};

enum load_status {
	LOAD_OK = 0,
	LOAD_BAD_KEY, /* public_key names the first one whose secret is not its own */
	LOAD_FULL,
	LOAD_COUNT_WRONG,
	LOAD_UNKNOWN, /* public_key names the first one to keep that the keeper never held */
};

struct message_load_result {
	struct message_header header;
	uint32_t status; /* enum load_status */
	uint64_t count;  /* of keys that sign now */
	uint64_t added;  /* by this load */
	uint64_t removed;
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
};

struct message_tls_identity {
	struct message_header header;
	uint32_t key_size;                          /* at most sizeof key */
	uint32_t chain_size;                        /* at most sizeof chain */
	uint8_t key[TLS_IDENTITY_KEY_MAX_SIZE];     /* PKCS#8 DER */
	uint8_t chain[TLS_IDENTITY_CHAIN_MAX_SIZE]; /* PEM */
};

struct message_tls_result {
	struct message_header header;
	uint32_t ok; /* 1: the frontend serves with it */
};

struct message_known_clients {
	struct message_header header;
	uint64_t serial; /* of the list; one that is lower than the last is refused, for the parent may show an old one */
	uint64_t count;  /* 0 to KNOWN_CLIENTS_MAX */
	struct known_client clients[KNOWN_CLIENTS_MAX];
};

/* ---- frontend ↔ control: what needs the parent ---- */

/* Read the tables again. There is one RELOAD_RESULT for every reload, whoever asked for it. */
struct message_reload {
	struct message_header header;
};

/* The parent is about to end: tell whoever asks to go elsewhere, and sign meanwhile. */
struct message_drain {
	struct message_header header;
};

struct message_reload_result {
	struct message_header header; /* id: 0 */
	uint8_t ok;                   /* 0 or 1 */
	uint64_t key_count;           /* that sign now */
	uint64_t added;
	uint64_t removed;
	uint64_t failed_count;            /* rows that were passed over */
	char message[ERROR_MESSAGE_SIZE]; /* why not, or what is wrong with the first row that was passed over; NUL-terminated */
};

/* Open a keystore (EIP-2335), seal its key, have the parent store the row, and load it. */
struct message_import_keystore {
	struct message_header header;
	uint32_t keystore_size; /* at most sizeof keystore */
	uint32_t password_size; /* at most sizeof password */
	uint8_t keystore[IMPORT_KEYSTORE_MAX_SIZE];
	uint8_t password[IMPORT_PASSWORD_MAX_SIZE]; /* UTF-8 */
};

enum import_status {
	IMPORT_OK = 0,    /* stored, and it signs */
	IMPORT_DUPLICATE, /* it signed before */
	IMPORT_FAILED,    /* message says why */
	IMPORT_STORED,    /* the same, but the parent has its row, and may have it loaded later */
	IMPORT_STATUS_COUNT,
};

struct message_import_result {
	struct message_header header; /* id: the import's */
	uint32_t status;              /* enum import_status */
	char message[ERROR_MESSAGE_SIZE];
};

/* The key was retired: have the parent set its row inactive. No answer; the retirement does not depend on it. */
struct message_forget_key {
	struct message_header header;
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
};

/* ---- control ↔ init, control ↔ opener: one job, one process ---- */

struct message_opener_wanted {
	struct message_header header;
};

struct message_opener_ready {
	struct message_header header;
};

/* It ended, or it never started; nothing of it is left on the sockets. */
struct message_opener_gone {
	struct message_header header;
	char how[ERROR_MESSAGE_SIZE]; /* NUL-terminated, for people */
};

/*
 * Of the rows that a load passed over, so many are told from the opener to control, as {"pubkey","message"}: it has to know of a key that
 * was just imported whether it was among them. Each takes up to 4 KiB of CONTROL_BODY_MAX_SIZE.
 */
#define LOAD_FAILURES_TOLD_MAX 1000

/* ---- frontend ↔ attester ---- */

/* The frontend names digests only: nothing that it could have attested opens a key. */
struct message_attest {
	struct message_header header;
	uint32_t nonce_size;
	uint8_t nonce[CLIENT_NONCE_MAX_SIZE];
	struct client_statement statement;
};

struct message_attest_result {
	struct message_header header;
	uint32_t document_size; /* 0: it failed; the log says why */
	uint8_t document[ATTESTATION_DOCUMENT_MAX_SIZE];
};

enum job_kind {
	JOB_INIT = 1,   /* open the TLS identity and every key, load them, serve */
	JOB_RELOAD,     /* the same again, but what is loaded already need not be opened */
	JOB_IMPORT,     /* open keystores and seal their keys */
	JOB_SLASHING,   /* read, import or begin histories */
	JOB_CREDENTIAL, /* new credentials for the slashing table */
	JOB_REWRAP,     /* seal rows of the key table anew */
	JOB_GENERATE,   /* make new keys */
	JOB_CREATE_TLS, /* make a TLS identity */
	JOB_KIND_COUNT,
};

/* The parent's request itself comes as one frame (net/frame.h) on ROLE_FD_REQUEST. */
struct message_job {
	struct message_header header;
	uint32_t kind;                   /* enum job_kind */
	uint64_t import_count;           /* IMPORT_KEYSTORE messages that follow */
	uint8_t tls_digest[DIGEST_SIZE]; /* RELOAD: of the TLS ciphertext that is in service, which need not be opened again */
};

/* JOB_IMPORT: a key that was in a keystore, for the key table. */
struct message_sealed_key {
	struct message_header header; /* id: the import's */
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
	uint8_t sealed[MESSAGE_SEALED_KEY_SIZE]; /* as column sealed_key_b64 has it */
};

struct message_job_result {
	struct message_header header;
	uint32_t code;      /* enum error_code; ERROR_NONE: done */
	uint64_t key_count; /* INIT, RELOAD: that sign now */
	uint64_t added;
	uint64_t removed;
	uint64_t failed_count;            /* INIT, RELOAD: rows that were passed over; the body has `failures` */
	uint8_t tls_digest[DIGEST_SIZE];  /* INIT, RELOAD: of the TLS ciphertext that is in service now */
	uint8_t has_body;                 /* 0 or 1: JSON follows as one frame on ROLE_FD_REQUEST */
	char message[ERROR_MESSAGE_SIZE]; /* NUL-terminated */
};

/* ---- opener → ledger ---- */

/* AWS: access key ids have at most 128 characters, secrets 40; a session token of a role is some hundred bytes, at most 4 KiB by STS. */
#define STORE_ACCESS_KEY_ID_MAX_SIZE 128
#define STORE_SECRET_MAX_SIZE 128
#define STORE_TOKEN_MAX_SIZE 4096

/* Take the place of those before; the ledger tries them at once. */
struct message_store_credentials {
	struct message_header header;
	uint32_t access_key_id_size; /* each at most the field's */
	uint32_t secret_access_key_size;
	uint32_t session_token_size; /* 0: none */
	uint8_t access_key_id[STORE_ACCESS_KEY_ID_MAX_SIZE];
	uint8_t secret_access_key[STORE_SECRET_MAX_SIZE];
	uint8_t session_token[STORE_TOKEN_MAX_SIZE];
};

struct message_store_result {
	struct message_header header;
	uint32_t code;                    /* enum error_code; ERROR_NONE: the table can be read with them */
	char message[ERROR_MESSAGE_SIZE]; /* why not; NUL-terminated */
};

/* Any message; big enough to receive each. */
union message {
	struct message_header header;
	struct message_start start;
	struct message_ready ready;
	struct message_sign sign;
	struct message_sign_result sign_result;
	struct message_list_keys list_keys;
	struct message_keys keys;
	struct message_health health;
	struct message_health_result health_result;
	struct message_commit commit;
	struct message_commit_result commit_result;
	struct message_load_begin load_begin;
	struct message_load_key load_key;
	struct message_load_end load_end;
	struct message_load_result load_result;
	struct message_tls_identity tls_identity;
	struct message_tls_result tls_result;
	struct message_history history;
	struct message_history_result history_result;
	struct message_load_keep load_keep;
	struct message_known_clients known_clients;
	struct message_reload reload;
	struct message_reload_result reload_result;
	struct message_drain drain;
	struct message_import_keystore import_keystore;
	struct message_import_result import_result;
	struct message_forget_key forget_key;
	struct message_opener_wanted opener_wanted;
	struct message_opener_ready opener_ready;
	struct message_opener_gone opener_gone;
	struct message_job job;
	struct message_sealed_key sealed_key;
	struct message_job_result job_result;
	struct message_store_credentials store_credentials;
	struct message_store_result store_result;
	struct message_high_watermark high_watermark;
	struct message_attest attest;
	struct message_attest_result attest_result;
};

/* The one size that a message of this type has; 0 for an unknown type. */
size_t message_size(uint32_t type);
/* Start a message: zeroes it and fills the header. */
void message_init(void *message, enum message_type type, uint64_t id);
/*
 * Send one message (blocking, or EAGAIN as ERROR_PEER on a non-blocking socket). The whole packet or nothing.
 */
MUST_USE bool message_send(int fd, const void *message, struct error *error);
/*
 * Receive one message into a buffer of at least `capacity` bytes. ERROR_PEER: the peer is gone (then *ret_closed, which may
 * be NULL, is true), or the packet has an unknown type, a wrong size or a count beyond its field. On a
 * non-blocking socket with nothing to read: returns false with error code ERROR_NONE.
 */
MUST_USE bool message_receive(int fd, void *ret_message, size_t capacity, bool *ret_closed, struct error *error);
/* The same of any socket as if it were non-blocking. */
MUST_USE bool message_receive_ready(int fd, void *ret_message, size_t capacity, bool *ret_closed, struct error *error);
