/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/keys_generate.h"

#include "base/file.h"
#include "cli/progress.h"
#include "eth/execution_address.h"
#include "eth/mnemonic.h"

static const struct command_help help = {
	.usage = "ensign keys generate -n N --withdrawal-address A (--mnemonic-out F | --mnemonic-file F | --inside) "
		 "[--compounding] ...",
	.description = "Makes validator keys: a mnemonic (BIP-39), the signing keys m/12381/3600/i/0/0 of its tree (EIP-2333, "
		       "EIP-2334), a signed\n"
		       "deposit for each. The keys are sealed into the key table, where the running signer takes them up, and the "
		       "mnemonic is\n"
		       "written to a file that must not be there yet: it is all that these keys can be made of again, so move it "
		       "off this machine.\n"
		       "With --mnemonic-file keys are made of a mnemonic that is there; those that the table has are passed over, "
		       "so a run\n"
		       "that was stopped goes on with the mnemonic that it wrote. Keys of a new mnemonic never signed anything; of "
		       "another's that\n"
		       "has to be said (--fresh), or what they signed imported (`ensign slashing import`).\n"
		       "\n"
		       "  ensign keys generate -n 2 --withdrawal-address 0x71C7656EC7ab88b098defB751B7401B5f6d8976F --mnemonic-out "
		       "mnemonic.txt\n"
		       "  ensign keys export-deposits --out .",
};

#define MNEMONIC_WORDS 24
#define GWEI_DEFAULT (32 * GWEI_PER_ETH)
#define COUNT_MAX KEY_TABLE_ROWS_MAX
/* Put into the table together: a run that is stopped loses the work on so many keys at most. */
#define CHUNK_MAX 64
/* The owner may read it, and nobody change it: as deposit-cli does with what it writes. */
#define MNEMONIC_MODE 0400

static void outcome_done(struct generate_outcome *outcome)
{
	json_decref(outcome->made);
}

/* ---- what is asked ---- */

static bool check(const struct generate_request *request, struct error *error)
{
	if (request->count == 0 || request->count > COUNT_MAX)
		return error_set(error, ERROR_INPUT, "-n: how many keys, 1 to %d", COUNT_MAX);
	if (request->first_index > UINT32_MAX || request->first_index + request->count - 1 > UINT32_MAX)
		return error_set(error, ERROR_INPUT, "--first-index: the last index would be above 2^32-1");
	if (!request->withdrawal_address)
		return error_set(error, ERROR_INPUT,
				 "--withdrawal-address: missing; it is where the stake comes back to, for ever");
	if (request->fresh && inventory_place_is_fleet(&request->place))
		return error_set(error, ERROR_INPUT,
				 "--fresh: a fleet's histories are in a table too: ensign slashing fresh KEY… --outputs F");
	if (request->inside)
		return generate_inside_check(request, error);
	if (request->recovery_key || request->births_out || request->pcr0 || request->root)
		return error_set(error, ERROR_INPUT, "--recovery-key, --births-out, --pcr0 and --root: only with --inside");
	if ((request->mnemonic_out != NULL) == (request->mnemonic_file != NULL))
		return error_set(error, ERROR_INPUT,
				 "--mnemonic-out F for a new mnemonic, --mnemonic-file F or --inside: give one of them");
	if (request->mnemonic_out && file_exists(request->mnemonic_out))
		return error_set(error, ERROR_INPUT, "--mnemonic-out: %s exists; with --mnemonic-file it is used",
				 request->mnemonic_out);
	return true;
}

static bool make_plan(const struct generate_request *request, const struct inventory *inventory, struct key_birth_plan *ret_plan,
		      struct error *error)
{
	uint8_t address[EXECUTION_ADDRESS_SIZE];

	if (request->chain && strcmp(request->chain, inventory->chain) != 0)
		return error_set(error, ERROR_INPUT, "--chain %s: the signer's network is %s", request->chain, inventory->chain);
	return execution_address_parse(view_of_text(request->withdrawal_address), "--withdrawal-address", address, error) &&
	       key_birth_plan_init(ret_plan, &inventory->network, address, request->is_compounding, request->amount_gwei, error);
}

/* ---- the seed ---- */

static bool read_passphrase(const struct generate_request *request, struct secret *ret_passphrase, struct error *error)
{
	return !request->passphrase_file || password_file_read(request->passphrase_file, ret_passphrase, error);
}

/* A new mnemonic is in its file before any key is anywhere. */
static bool read_mnemonic(const struct generate_request *request, struct secret *ret_mnemonic, struct error *error)
{
	AUTO_SECRET struct secret line = {0};

	if (request->mnemonic_file)
		return file_read_secret(request->mnemonic_file, MNEMONIC_TEXT_MAX_SIZE, ret_mnemonic, error) ||
		       error_prefix(error, "--mnemonic-file");
	if (!mnemonic_generate(MNEMONIC_WORDS, ret_mnemonic, error) || request->dry_run)
		return ret_mnemonic->data != NULL;
	if (!secret_init(&line, ret_mnemonic->size + 1, error))
		return false;
	memcpy(line.data, ret_mnemonic->data, ret_mnemonic->size);
	line.data[ret_mnemonic->size] = '\n';
	return file_write_atomic(request->mnemonic_out, secret_view(&line), MNEMONIC_MODE, error) ||
	       error_prefix(error, "--mnemonic-out");
}

static bool plant_tree(const struct generate_request *request, struct derivation_tree *ret_tree, struct error *error)
{
	AUTO_SECRET struct secret mnemonic = {0};
	AUTO_SECRET struct secret passphrase = {0};
	AUTO_SECRET struct secret seed = {0};

	return read_passphrase(request, &passphrase, error) && read_mnemonic(request, &mnemonic, error) &&
	       mnemonic_derive_seed(secret_view(&mnemonic), secret_view(&passphrase), &seed, error) &&
	       derivation_tree_init(ret_tree, &seed, error);
}

/* ---- the keys ---- */

struct making {
	const struct generate_request *request;
	struct inventory *inventory;
	const struct key_birth_plan *plan;
	const struct derivation_tree *tree;
	const struct key_seal *seal;
	const struct key_rows *present;
	struct generate_outcome *outcome;
};

static bool add_row(const struct making *making, uint32_t index, struct key_rows *rows, struct error *error)
{
	AUTO_KEY_BIRTH struct key_birth birth = {0};
	struct key_row *row = &rows->rows[rows->count];
	char pubkey[KEY_TABLE_PUBKEY_SIZE];

	if (!key_birth_make(making->tree, index, making->plan, &birth, error))
		return false;
	hex_encode(view_of(birth.public_key, sizeof birth.public_key), pubkey);
	if (key_rows_find(making->present, pubkey)) {
		making->outcome->present++;
		return true;
	}
	(void)json_array_append_new(making->outcome->made, json_sprintf("0x%s", pubkey));
	if (making->request->dry_run)
		return true;
	if (!key_seal_row(making->seal, &birth.signing_key, birth.public_key, row, error))
		return false;
	row->deposit_json_b64 = memory_copy_text(buffer_text(&birth.deposit_json_b64));
	rows->count++;
	return true;
}

/* Keys that are born here never signed anything; of an old mnemonic somebody has to say so. */
static bool is_fresh(const struct generate_request *request)
{
	return request->inside || request->mnemonic_out || request->fresh;
}

static bool put_rows(const struct making *making, struct key_rows *rows, struct error *error)
{
	if (rows->count == 0)
		return true;
	return (!is_fresh(making->request) || inventory_note_fresh(making->inventory, rows, error)) &&
	       key_table_put(making->inventory->table, rows->rows, rows->count, false, error);
}

static bool make_all(const struct making *making, struct error *error)
{
	uint64_t first = making->request->first_index, count = making->request->count;

	for (uint64_t done = 0; done < count; done += CHUNK_MAX) {
		AUTO_KEY_ROWS struct key_rows rows = {0};
		uint64_t size = count - done < CHUNK_MAX ? count - done : CHUNK_MAX;

		rows.rows = memory_allocate_zeroed(CHUNK_MAX, sizeof *rows.rows);
		for (uint64_t i = 0; i < size; i++) {
			if (!add_row(making, (uint32_t)(first + done + i), &rows, error))
				return false;
		}
		if (!put_rows(making, &rows, error))
			return false;
		progress_show("making keys", (size_t)(done + size), (size_t)count);
	}
	return true;
}

static bool make_outside(const struct generate_request *request, struct inventory *inventory, const struct key_birth_plan *plan,
			 struct generate_outcome *outcome, struct error *error)
{
	AUTO_DERIVATION_TREE struct derivation_tree tree = {0};
	AUTO_BUFFER struct buffer wrapped_b64 = {0};
	AUTO_SECRET struct secret data_key = {0};
	AUTO_KEY_ROWS struct key_rows present = {0};
	struct key_seal seal;
	const struct making making = {request, inventory, plan, &tree, &seal, &present, outcome};

	if (!inventory_list(inventory, false, &present, error) ||
	    (!request->dry_run && !inventory_new_data_key(inventory, &data_key, &wrapped_b64, error)) ||
	    !plant_tree(request, &tree, error))
		return false;
	seal = (struct key_seal){inventory->web3signer_uuid, inventory->chain, secret_view(&data_key), buffer_text(&wrapped_b64)};
	return make_all(&making, error);
}

static bool run(const struct generate_request *request, struct generate_outcome *outcome, struct error *error)
{
	AUTO_INVENTORY struct inventory inventory = {0};
	struct key_birth_plan plan;
	bool told;

	if (!inventory_open(&request->place, &inventory, error) || !make_plan(request, &inventory, &plan, error))
		return false;
	if (request->inside ? !generate_inside(request, &inventory, &plan, outcome, error)
			    : !make_outside(request, &inventory, &plan, outcome, error))
		return false;
	if (request->dry_run)
		return true;
	return inventory_tell_signer(&inventory, &told, error) &&
	       (!told || !is_fresh(request) || inventory_settle_fresh(&inventory, error));
}

/* What is left to do, for a fleet's. */
static void print_fresh_advice(const struct generate_request *request)
{
	if (!is_fresh(request))
		(void)fprintf(
			stderr,
			"Without a slashing protection history they sign nothing slashable: ensign slashing import FILE, or, if "
			"they\nnever signed anything: ensign slashing fresh KEY…\n");
	else if (inventory_place_is_fleet(&request->place))
		(void)fprintf(stderr,
			      "The fleet's hosts see them at their next look at the table. They never signed anything, which "
			      "its histories\nhave to know: ensign slashing fresh KEY… --outputs F (or --table T --region R)\n");
}

static void print(const struct generate_request *request, const struct generate_outcome *outcome)
{
	AUTO_JSON json_t *object = NULL;
	json_t *key;
	size_t index;

	if (request->as_json) {
		object = json_pack("{s:O, s:I, s:b}", "public_keys", outcome->made, "already_present", (json_int_t)outcome->present,
				   "dry_run", request->dry_run);
		command_print_json(object);
		return;
	}
	json_array_foreach(outcome->made, index, key)(void) puts(json_string_value(key));
	(void)fprintf(stderr, "%zu keys %s, %zu were there already\n", json_array_size(outcome->made),
		      request->dry_run ? "would be made" : "made", outcome->present);
	if (request->dry_run || json_array_size(outcome->made) == 0)
		return;
	(void)fprintf(stderr, "Their deposits: ensign keys export-deposits --out DIR\n");
	print_fresh_advice(request);
	if (request->mnemonic_out)
		(void)fprintf(stderr, "The mnemonic is in %s%s. Move it off this machine.\n", request->mnemonic_out,
			      request->inside ? ", encrypted to the recovery key" : "");
}

int keys_generate_main(int argc, char **argv)
{
	struct generate_request request = {.amount_gwei = GWEI_DEFAULT};
	const struct option options[] = {
		{"n", OPTION_NUMBER, &request.count, "N", "how many keys"},
		{"chain", OPTION_TEXT, &request.chain, "C", "network; checked against the signer's"},
		{"withdrawal-address", OPTION_TEXT, &request.withdrawal_address, "A",
		 "execution address that the stake comes back to"},
		{"compounding", OPTION_FLAG, &request.is_compounding, NULL, "credentials 0x02: balances up to 2048 ETH earn"},
		{"amount-gwei", OPTION_NUMBER, &request.amount_gwei, "N", "of each deposit; default 32000000000"},
		{"mnemonic-out", OPTION_TEXT, &request.mnemonic_out, "F", "make a new mnemonic and write it there"},
		{"mnemonic-file", OPTION_TEXT, &request.mnemonic_file, "F", "use this mnemonic"},
		{"passphrase-file", OPTION_TEXT, &request.passphrase_file, "F", "of the mnemonic; default none"},
		{"first-index", OPTION_NUMBER, &request.first_index, "I", "the first key's place in the tree; default 0"},
		{"inside", OPTION_FLAG, &request.inside, NULL, "make them in the enclave; only it ever has them"},
		{"recovery-key", OPTION_TEXT, &request.recovery_key, "PEM",
		 "inside: RSA public key that --mnemonic-out is encrypted to (CMS); without it the mnemonic is not kept"},
		{"births-out", OPTION_TEXT, &request.births_out, "F",
		 "inside: what the enclave attests of them, for `ensign attest verify`"},
		{"pcr0", OPTION_TEXT, &request.pcr0, "HEX",
		 "inside: measurement that the image has to have; default what a local signer's keys are pinned to"},
		{"root", OPTION_TEXT, &request.root, "PEM", "inside: certificate of the attestation root; default AWS's"},
		{"fresh", OPTION_FLAG, &request.fresh, NULL, "keys of --mnemonic-file never signed anything, anywhere"},
		{"dry-run", OPTION_FLAG, &request.dry_run, NULL,
		 "change nothing, print the keys; of a new mnemonic they are examples"},
		INVENTORY_PLACE_OPTIONS(request.place, INVENTORY_RUNNING),
		INVENTORY_ROWS_OPTIONS(request.place),
		INVENTORY_SEAL_OPTIONS(request.place),
		INVENTORY_FLEET_OPTION(request.place),
		INVENTORY_ENCLAVE_OPTION(request.place),
		{"json", OPTION_FLAG, &request.as_json, NULL,
		 "print {\"public_keys\":[…],\"already_present\":N,\"dry_run\":false}"},
	};
	CLEANUP(outcome_done) struct generate_outcome outcome = {.made = json_array()};
	struct error error = {0};
	bool done;
	int code;

	command_parse(&help, options, ARRAY_SIZE(options), argc, argv, &done, &code);
	if (done)
		return code;
	if (!check(&request, &error))
		return command_fail(&error, "usage: %s", help.usage);
	if (!run(&request, &outcome, &error))
		return command_fail(&error, !request.inside && request.mnemonic_out && file_exists(request.mnemonic_out)
						    ? "The mnemonic is written: the same with --mnemonic-file goes on with it."
						    : NULL);
	print(&request, &outcome);
	return EXIT_CODE_OK;
}
