/* SPDX-License-Identifier: Apache-2.0 */
#include "image/signing_policy.h"

#include "vectors.h"

#define RULE(name, effect, clients, types, keys)                                                                                   \
	"{\"name\":\"" name "\",\"effect\":\"" effect "\",\"clients\":" clients ",\"types\":" types ",\"keys\":" keys "}"
#define POLICY(rules) "{\"rules\":[" rules "]}"
#define ANY "\"*\""
#define SIXTEEN_A1 "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
#define SIXTEEN_B2 "b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2"
#define KEY_A "0x" SIXTEEN_A1 SIXTEEN_A1 SIXTEEN_A1
#define KEY_B "0x" SIXTEEN_B2 SIXTEEN_B2 SIXTEEN_B2
#define PRINT_A SIXTEEN_A1 SIXTEEN_A1

static const uint8_t print_a[SIGNING_POLICY_FINGERPRINT_SIZE] = {
	0xa1, 0xa1, 0xa1, 0xa1, 0xa1, 0xa1, 0xa1, 0xa1, 0xa1, 0xa1, 0xa1, 0xa1, 0xa1, 0xa1, 0xa1, 0xa1,
	0xa1, 0xa1, 0xa1, 0xa1, 0xa1, 0xa1, 0xa1, 0xa1, 0xa1, 0xa1, 0xa1, 0xa1, 0xa1, 0xa1, 0xa1, 0xa1,
};
static const uint8_t print_zero[SIGNING_POLICY_FINGERPRINT_SIZE];

static const struct signing_policy_client nobody = {false, "", print_zero};
static const struct signing_policy_client ops = {true, "ops", print_zero};
static const struct signing_policy_client vc = {true, "vc-1", print_zero};
static const struct signing_policy_client nameless = {true, "", print_a};
/* What no server should hand over. */
static const struct signing_policy_client ghost = {false, "ops", print_a};

static void key_of(const char *text, uint8_t ret_key[BLS_PUBLIC_KEY_SIZE])
{
	assert_true(hex_decode(view_of_text(text), ret_key, BLS_PUBLIC_KEY_SIZE));
}

static void parse(const char *text, struct signing_policy *ret_policy)
{
	struct error error = {0};

	assert_ok(signing_policy_parse(view_of_text(text), ret_policy, &error), &error);
}

static void write_text(const struct signing_policy *policy, struct buffer *ret_text)
{
	AUTO_JSON json_t *json = signing_policy_json_new(policy);

	json_write(json, ret_text);
}

/* ---- deciding ---- */

#define MANY_RULES                                                                                                                 \
	POLICY(RULE("vc-1-own", "allow", "[\"vc-1\"]", "[\"block\",\"ATTESTATION\"]", "[\"" KEY_A "\"]") "," RULE(                 \
		"vc-1-rest", "deny", "[\"vc-1\"]", ANY,                                                                            \
		ANY) "," RULE("ops-exits", "allow", "[\"ops\",\"sha256:" PRINT_A "\"]", "[\"VOLUNTARY_EXIT\"]",                    \
			      ANY) "," RULE("retired", "deny", ANY, ANY, "[\"" KEY_B "\"]"))

static void the_first_rule_that_fits_decides(void **state)
{
	static const struct {
		const char *policy;
		const struct signing_policy_client *client;
		enum artifact_type type;
		const char *key;
		bool is_allowed;
		const char *rule;
	} cases[] = {
		/* the built-in rules alone */
		{POLICY(""), &nobody, ARTIFACT_ATTESTATION, KEY_A, true, "default-allow"},
		{POLICY(""), &ops, ARTIFACT_BLOCK, KEY_A, true, "default-allow"},
		{POLICY(""), &nobody, ARTIFACT_VOLUNTARY_EXIT, KEY_A, false, "default-exits"},
		{POLICY(""), &ops, ARTIFACT_VOLUNTARY_EXIT, KEY_A, false, "default-exits"},
		{POLICY(""), &nobody, ARTIFACT_DEPOSIT, KEY_A, false, "default-deposits"},
		{POLICY(""), &nobody, 0, KEY_A, false, "default-allow"},
		{POLICY(""), &nobody, ARTIFACT_TYPE_COUNT, KEY_A, false, "default-allow"},
		{POLICY(RULE("all", "allow", ANY, ANY, ANY)), &nobody, ARTIFACT_TYPE_COUNT, KEY_A, false, "default-allow"},
		/* clients */
		{MANY_RULES, &ops, ARTIFACT_VOLUNTARY_EXIT, KEY_A, true, "ops-exits"},
		{MANY_RULES, &nameless, ARTIFACT_VOLUNTARY_EXIT, KEY_A, true, "ops-exits"},
		{MANY_RULES, &nobody, ARTIFACT_VOLUNTARY_EXIT, KEY_A, false, "default-exits"},
		{MANY_RULES, &ghost, ARTIFACT_VOLUNTARY_EXIT, KEY_A, false, "default-exits"},
		{MANY_RULES, &ops, ARTIFACT_DEPOSIT, KEY_A, false, "default-deposits"},
		/* keys and order */
		{MANY_RULES, &vc, ARTIFACT_BLOCK, KEY_A, true, "vc-1-own"},
		{MANY_RULES, &vc, ARTIFACT_BLOCK, KEY_B, false, "vc-1-rest"},
		{MANY_RULES, &vc, ARTIFACT_RANDAO_REVEAL, KEY_A, false, "vc-1-rest"},
		{MANY_RULES, &nobody, ARTIFACT_BLOCK, KEY_B, false, "retired"},
		{MANY_RULES, &ops, ARTIFACT_VOLUNTARY_EXIT, KEY_B, true, "ops-exits"},
		{MANY_RULES, &ops, ARTIFACT_BLOCK, KEY_A, true, "default-allow"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_SIGNING_POLICY struct signing_policy policy = {0};
		struct signing_policy_decision decision;
		uint8_t key[BLS_PUBLIC_KEY_SIZE];
		bool is_type = cases[i].type > 0 && cases[i].type < ARTIFACT_TYPE_COUNT;

		parse(cases[i].policy, &policy);
		key_of(cases[i].key, key);
		decision = signing_policy_decide(&policy, cases[i].client, cases[i].type, key);
		assert_string_equal(decision.rule, cases[i].rule);
		assert_int_equal(decision.is_allowed, cases[i].is_allowed);
		if (is_type)
			assert_int_equal(cases[i].is_allowed, (signing_policy_types_for(&policy, cases[i].client, key) &
							       ARTIFACT_BIT(cases[i].type)) != 0);
	}
}

/* A name that looks like a fingerprint is a name; a name is compared whole. */
static void names_and_fingerprints_are_not_mixed_up(void **state)
{
	static const struct signing_policy_client posing = {true, "sha256:" PRINT_A, print_zero};
	static const struct signing_policy_client longer = {true, "ops2", print_zero};
	static const struct signing_policy_client shorter = {true, "op", print_zero};
	static const struct signing_policy_client unnamed = {true, "", print_zero};
	static const struct signing_policy_client *const clients[] = {&posing, &longer, &shorter, &unnamed};
	AUTO_SIGNING_POLICY struct signing_policy policy = {0};
	const uint8_t key[BLS_PUBLIC_KEY_SIZE] = {0};

	(void)state;
	parse(POLICY(RULE("exits", "allow", "[\"sha256:" PRINT_A "\",\"ops\"]", "[\"VOLUNTARY_EXIT\"]", ANY)), &policy);
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		assert_false(signing_policy_decide(&policy, clients[i], ARTIFACT_VOLUNTARY_EXIT, key).is_allowed);
	assert_true(signing_policy_decide(&policy, &ops, ARTIFACT_VOLUNTARY_EXIT, key).is_allowed);
	assert_true(signing_policy_decide(&policy, &nameless, ARTIFACT_VOLUNTARY_EXIT, key).is_allowed);
}

/* What the keeper is told: never less than what some client may have, and without what nobody may. */
static void the_types_of_a_policy_are_what_anybody_may_have(void **state)
{
	const uint32_t usual = ARTIFACT_ALL & ~ARTIFACT_BIT(ARTIFACT_VOLUNTARY_EXIT) & ~ARTIFACT_BIT(ARTIFACT_DEPOSIT);
	const struct {
		const char *policy;
		uint32_t types;
		bool names_clients;
	} cases[] = {
		{POLICY(""), usual, false},
		{MANY_RULES, usual | ARTIFACT_BIT(ARTIFACT_VOLUNTARY_EXIT), true},
		{POLICY(RULE("a", "deny", ANY, ANY, ANY)), 0, false},
		{POLICY(RULE("a", "deny", ANY, "[\"BLOCK\"]", ANY)), usual & ~ARTIFACT_BIT(ARTIFACT_BLOCK), false},
		/* for one client or one key alone: others may still have it */
		{POLICY(RULE("a", "deny", "[\"vc-1\"]", ANY, ANY)), usual, true},
		{POLICY(RULE("a", "deny", ANY, ANY, "[\"" KEY_A "\"]")), usual, false},
		{POLICY(RULE("a", "allow", ANY, "[\"DEPOSIT\"]", "[\"" KEY_A "\"]")), usual | ARTIFACT_BIT(ARTIFACT_DEPOSIT),
		 false},
		/* an allowance that comes too late is none */
		{POLICY(RULE("a", "deny", ANY, "[\"DEPOSIT\"]", ANY) "," RULE("b", "allow", "[\"ops\"]", ANY, ANY)),
		 usual | ARTIFACT_BIT(ARTIFACT_VOLUNTARY_EXIT), true},
		{POLICY(RULE("a", "allow", "[\"ops\"]", "[\"DEPOSIT\"]", ANY) "," RULE("b", "deny", ANY, ANY, ANY)),
		 ARTIFACT_BIT(ARTIFACT_DEPOSIT), true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_SIGNING_POLICY struct signing_policy policy = {0};
		uint8_t key[BLS_PUBLIC_KEY_SIZE];

		parse(cases[i].policy, &policy);
		assert_int_equal(signing_policy_types(&policy), cases[i].types);
		assert_int_equal(signing_policy_names_clients(&policy), cases[i].names_clients);
		key_of(KEY_A, key);
		assert_int_equal(signing_policy_types_for(&policy, &ops, key) & ~cases[i].types, 0);
		assert_int_equal(signing_policy_types_for(&policy, &vc, key) & ~cases[i].types, 0);
	}
}

/* ---- reading and writing ---- */

static void equal_policies_give_equal_text(void **state)
{
	static const char canonical[] = POLICY(RULE("a", "allow", "[\"a\",\"ops team\",\"sha256:" PRINT_A "\"]",
						    "[\"ATTESTATION\",\"BLOCK_V2\",\"DEPOSIT\"]",
						    "[\"" KEY_A "\",\"" KEY_B "\"]") "," RULE("b", "deny", ANY, ANY, ANY));
	static const char *const others[] = {
		canonical,
		"{ \"rules\" : [\n" RULE(
			"a", "allow", "[\"ops team\",\"SHA256:" PRINT_A "\",\"a\",\"ops team\"]",
			"[\"deposit\",\"BLOCK\",\"block_v2\",\"ATTESTATION\"]",
			"[\"" KEY_B "\",\"" KEY_A "\",\"" SIXTEEN_A1 SIXTEEN_A1 SIXTEEN_A1
			"\"]") ","
			       "{\"keys\":\"*\",\"types\":\"*\",\"clients\":\"*\",\"effect\":\"deny\",\"name\":\"b\"}]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		AUTO_SIGNING_POLICY struct signing_policy policy = {0};
		AUTO_BUFFER struct buffer text = {0};

		parse(others[i], &policy);
		write_text(&policy, &text);
		assert_string_equal(buffer_text(&text), canonical);
	}
}

static void every_type_is_all_types(void **state)
{
	AUTO_SIGNING_POLICY struct signing_policy policy = {0};
	AUTO_SIGNING_POLICY struct signing_policy again = {0};
	AUTO_BUFFER struct buffer names = {0};
	AUTO_BUFFER struct buffer text = {0};
	AUTO_FREE char *json = NULL;

	(void)state;
	for (uint32_t type = ARTIFACT_ATTESTATION; type < ARTIFACT_TYPE_COUNT; type++)
		buffer_append_format(&names, "%s\"%s\"", names.size ? "," : "", artifact_type_name(type));
	json = memory_format("{\"rules\":[{\"name\":\"a\",\"effect\":\"deny\",\"clients\":\"*\",\"types\":[%s],\"keys\":\"*\"}]}",
			     buffer_text(&names));
	parse(json, &policy);
	write_text(&policy, &text);
	assert_string_equal(buffer_text(&text), POLICY(RULE("a", "deny", ANY, ANY, ANY)));
	parse(buffer_text(&text), &again);
	assert_int_equal(again.rules[0].types, ARTIFACT_ALL);
}

static void fingerprints_may_have_colons(void **state)
{
	AUTO_BUFFER struct buffer colons = {0};
	uint8_t fingerprint[SIGNING_POLICY_FINGERPRINT_SIZE];
	struct error error = {0};

	(void)state;
	for (size_t i = 0; i < sizeof print_a; i++)
		buffer_append_format(&colons, "%sA1", i ? ":" : "");
	assert_ok(signing_policy_parse_fingerprint(buffer_text(&colons), fingerprint, &error), &error);
	assert_memory_equal(fingerprint, print_a, sizeof print_a);
	buffer_append_text(&colons, "A1");
	assert_false(signing_policy_parse_fingerprint(buffer_text(&colons), fingerprint, &error));
}

#define NAME_32 "abcdefghijklmnopqrstuvwxyz012345"
#define NAME_64 NAME_32 NAME_32

static void refusals_name_the_member(void **state)
{
	static const struct {
		const char *text;
		const char *message;
	} cases[] = {
		{"", "policy: empty"},
		{"[]", "policy: not a JSON object"},
		{"{}", "rules: missing"},
		{"{\"rules\":{}}", "rules: not an array"},
		{"{\"rules\":[],\"default\":\"deny\"}", "default: no such setting"},
		{POLICY("7"), "rules[0]: not an object"},
		{POLICY("{\"nmae\":\"a\"}"), "rules[0]: nmae: no such setting"},
		{POLICY("{}"), "rules[0]: name: missing"},
		{POLICY(RULE("", "allow", ANY, ANY, ANY)), "rules[0]: name: not of 1 to 32"},
		{POLICY(RULE(NAME_32 "x", "allow", ANY, ANY, ANY)), "rules[0]: name: not of 1 to 32"},
		{POLICY(RULE("a b", "allow", ANY, ANY, ANY)), "rules[0]: name: not of 1 to 32"},
		{POLICY(RULE("default-exits", "allow", ANY, ANY, ANY)), "rules[0]: name: those that begin with default-"},
		{POLICY(RULE("a", "allow", ANY, ANY, ANY) "," RULE("a", "deny", ANY, ANY, ANY)),
		 "rules[1]: name: rules[0] is called a too"},
		{POLICY("{\"name\":\"a\"}"), "rules[0]: effect: missing"},
		{POLICY(RULE("a", "Allow", ANY, ANY, ANY)), "rules[0]: effect: neither"},
		{POLICY("{\"name\":\"a\",\"effect\":\"deny\"}"), "rules[0]: clients: missing"},
		{POLICY(RULE("a", "allow", "\"ops\"", ANY, ANY)), "rules[0]: clients: neither \"*\" nor an array"},
		{POLICY(RULE("a", "allow", "[]", ANY, ANY)), "rules[0]: clients: 0 of them; 1 to 256"},
		{POLICY(RULE("a", "allow", "[\"ops\",7]", ANY, ANY)), "rules[0]: clients[1]: not a string"},
		{POLICY(RULE("a", "allow", "[\"\"]", ANY, ANY)), "rules[0]: clients[0]: a common name has 1 to 64"},
		{POLICY(RULE("a", "allow", "[\"" NAME_64 "x\"]", ANY, ANY)), "rules[0]: clients[0]: a common name has 1 to 64"},
		{POLICY(RULE("a", "allow", "[\"\u00e9\"]", ANY, ANY)), "rules[0]: clients[0]: a common name has 1 to 64"},
		{POLICY(RULE("a", "allow", "[\"ops\",\"*\"]", ANY, ANY)), "rules[0]: clients[1]: \"*\" stands alone"},
		{POLICY(RULE("a", "allow", "[\"sha256:a1\"]", ANY, ANY)), "rules[0]: clients[0]: not the 64 hex digits"},
		{POLICY(RULE("a", "allow", "[\"sha256:" PRINT_A "a1\"]", ANY, ANY)), "rules[0]: clients[0]: not the 64 hex digits"},
		{POLICY(RULE("a", "allow", ANY, "[\"EXIT\"]", ANY)), "rules[0]: types[0]: \"EXIT\" is no type"},
		{POLICY(RULE("a", "allow", ANY, "[\"BLOCK\",\"*\"]", ANY)), "rules[0]: types[1]: \"*\" is no type"},
		{POLICY(RULE("a", "allow", ANY, "[]", ANY)), "rules[0]: types: 0 of them"},
		{POLICY(RULE("a", "allow", ANY, ANY, "[\"" KEY_A "\",\"0xa1\"]")), "rules[0]: keys[1]: not a BLS public key"},
		{POLICY(RULE("a", "allow", ANY, ANY, "null")), "rules[0]: keys: neither"},
		{POLICY(RULE("a", "allow", ANY, ANY, ANY) "," RULE("b", "allow", ANY, ANY, "[]")), "rules[1]: keys: 0 of them"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_SIGNING_POLICY struct signing_policy policy = {0};
		struct error error = {0};

		assert_false(signing_policy_parse(view_of_text(cases[i].text), &policy, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, cases[i].message);
		assert_null(policy.rules);
	}
}

/* [item,item,…] */
static char *list_of(const char *item, size_t count)
{
	AUTO_BUFFER struct buffer list = {0};

	for (size_t i = 0; i < count; i++)
		buffer_append_format(&list, "%c\"%s\"", i ? ',' : '[', item);
	buffer_append_byte(&list, ']');
	return memory_copy_text(buffer_text(&list));
}

static bool parses(const char *text, const char *message)
{
	AUTO_SIGNING_POLICY struct signing_policy policy = {0};
	struct error error = {0};

	if (signing_policy_parse(view_of_text(text), &policy, &error))
		return true;
	assert_message_contains(&error, message);
	return false;
}

static void there_are_so_many_and_no_more(void **state)
{
	static const struct {
		const char *format;
		const char *item;
		size_t max;
		const char *message;
	} cases[] = {
		{"{\"rules\":[{\"name\":\"a\",\"effect\":\"deny\",\"clients\":%s,\"types\":\"*\",\"keys\":\"*\"}]}", "ops",
		 SIGNING_POLICY_CLIENTS_MAX, "clients: 257 of them"},
		{"{\"rules\":[{\"name\":\"a\",\"effect\":\"deny\",\"clients\":\"*\",\"types\":\"*\",\"keys\":%s}]}", KEY_A,
		 SIGNING_POLICY_KEYS_MAX, "keys: 8193 of them"},
	};
	AUTO_BUFFER struct buffer rules = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (size_t extra = 0; extra < 2; extra++) {
			AUTO_FREE char *list = list_of(cases[i].item, cases[i].max + extra);
			AUTO_BUFFER struct buffer text = {0};
			const char *hole = strstr(cases[i].format, "%s");

			buffer_append(&text, view_of(cases[i].format, (size_t)(hole - cases[i].format)));
			buffer_append_text(&text, list);
			buffer_append_text(&text, hole + 2);
			assert_int_equal(parses(buffer_text(&text), cases[i].message), extra == 0);
		}
	}
	buffer_append_text(&rules, "{\"rules\":[");
	for (size_t i = 0; i <= SIGNING_POLICY_RULES_MAX; i++) {
		AUTO_FREE char *whole = NULL;

		buffer_append_format(&rules,
				     "%s{\"name\":\"r%zu\",\"effect\":\"deny\",\"clients\":\"*\",\"types\":\"*\",\"keys\":\"*\"}",
				     i ? "," : "", i);
		whole = memory_format("%s]}", buffer_text(&rules));
		assert_int_equal(parses(whole, "rules: 65 of them"), i < SIGNING_POLICY_RULES_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_rule_that_fits_decides),
		cmocka_unit_test(names_and_fingerprints_are_not_mixed_up),
		cmocka_unit_test(the_types_of_a_policy_are_what_anybody_may_have),
		cmocka_unit_test(equal_policies_give_equal_text),
		cmocka_unit_test(every_type_is_all_types),
		cmocka_unit_test(fingerprints_may_have_colons),
		cmocka_unit_test(refusals_name_the_member),
		cmocka_unit_test(there_are_so_many_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
