/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/key_policy.h"

#include "vectors.h"

#define ACCOUNT "111122223333"
#define USER "arn:aws:iam::" ACCOUNT ":user/operator"
#define ROLE "arn:aws:iam::" ACCOUNT ":role/host"
#define SESSION "arn:aws:sts::" ACCOUNT ":assumed-role/host/i-1"
#define KEY "arn:aws:kms:us-east-1:" ACCOUNT ":key/0a1b"
#define PCR_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define PCR_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define IMAGE "kms:RecipientAttestation:ImageSha384"

/* Single quotes stand for double ones, so that policies can be read. The caller frees. */
static char *json_of(const char *text)
{
	char *copy = memory_copy_text(text);

	for (char *c = copy; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	return copy;
}

static enum key_policy_decision decide(const char *text, const struct key_policy_request *request)
{
	AUTO_FREE char *json = json_of(text);
	struct error error = {0};
	AUTO_KEY_POLICY struct key_policy *policy = key_policy_parse(view_of_text(json), &error);

	assert_ok(policy != NULL, &error);
	return key_policy_evaluate(policy, request);
}

static struct key_policy_request by_user(const char *action)
{
	return (struct key_policy_request){.principal_arn = USER, .account = ACCOUNT, .action = action, .resource = KEY};
}

static struct key_policy_request by_role(const char *action)
{
	return (struct key_policy_request){
		.principal_arn = ROLE, .session_arn = SESSION, .account = ACCOUNT, .action = action, .resource = KEY};
}

static void expect(const char *text, struct key_policy_request request, enum key_policy_decision decision)
{
	assert_int_equal(decide(text, &request), decision);
}

/* A statement that lets everybody do everything, but for the part under test. */
#define STATEMENT(effect, principal, action, resource, condition)                                                                  \
	"{'Effect':'" effect "','Principal':" principal ",'Action':" action ",'Resource':" resource ",'Condition':" condition "}"
#define POLICY(statements) "{'Version':'2012-10-17','Statement':" statements "}"
#define ALLOW_ALL STATEMENT("Allow", "'*'", "'kms:*'", "'*'", "{}")

static void test_principals(void **state)
{
	static const struct {
		const char *principal;
		bool user, role;
	} rows[] = {
		{"'*'", true, true},
		{"{'AWS':'*'}", true, true},
		{"{'AWS':'" USER "'}", true, false},
		{"{'AWS':'" ROLE "'}", false, true},
		{"{'AWS':'" SESSION "'}", false, true},
		{"{'AWS':['" ROLE "','" USER "']}", true, true},
		{"{'AWS':'arn:aws:iam::" ACCOUNT ":root'}", true, true},
		{"{'AWS':'" ACCOUNT "'}", true, true},
		{"{'AWS':'arn:aws:iam::999999999999:root'}", false, false},
		{"{'AWS':'999999999999'}", false, false},
		{"{'AWS':'" USER "2'}", false, false},
		{"{'AWS':'arn:aws:iam::" ACCOUNT ":user/oper'}", false, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FREE char *policy = memory_format(
			POLICY("[{'Effect':'Allow','Principal':%s,'Action':'kms:Decrypt','Resource':'*'}]"), rows[i].principal);

		expect(policy, by_user("kms:Decrypt"), rows[i].user ? KEY_POLICY_ALLOWED : KEY_POLICY_NOT_ALLOWED);
		expect(policy, by_role("kms:Decrypt"), rows[i].role ? KEY_POLICY_ALLOWED : KEY_POLICY_NOT_ALLOWED);
	}
}

static void test_actions(void **state)
{
	static const struct {
		const char *action;
		bool decrypt, generate;
	} rows[] = {
		{"'*'", true, true},
		{"'kms:*'", true, true},
		{"'kms:Decrypt'", true, false},
		{"'KMS:dECRYPT'", true, false},
		{"'kms:Generate*'", false, true},
		{"'kms:GenerateDataKe?'", false, true},
		{"'kms:GenerateDataKey?'", false, false},
		{"'kms:*rypt'", true, false},
		{"'kms:D*c*t'", true, false},
		{"'kms:Decryp'", false, false},
		{"'kms:Decrypt2'", false, false},
		{"['kms:Encrypt','kms:Decrypt']", true, false},
		{"['kms:Encrypt','kms:GenerateDataKey*']", false, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FREE char *policy =
			memory_format(POLICY("{'Effect':'Allow','Principal':'*','Action':%s,'Resource':'*'}"), rows[i].action);

		expect(policy, by_user("kms:Decrypt"), rows[i].decrypt ? KEY_POLICY_ALLOWED : KEY_POLICY_NOT_ALLOWED);
		expect(policy, by_user("kms:GenerateDataKey"), rows[i].generate ? KEY_POLICY_ALLOWED : KEY_POLICY_NOT_ALLOWED);
	}
}

static void test_resources(void **state)
{
	static const struct {
		const char *resource;
		bool matches;
	} rows[] = {
		{"'*'", true},
		{"'" KEY "'", true},
		{"'arn:aws:kms:*:" ACCOUNT ":key/*'", true},
		{"'arn:aws:kms:us-east-1:" ACCOUNT ":key/?a?b'", true},
		{"'arn:aws:kms:us-east-1:" ACCOUNT ":key/?a?'", false},
		{"'arn:aws:kms:eu-west-1:" ACCOUNT ":key/*'", false},
		{"'arn:aws:kms:us-east-1:" ACCOUNT ":KEY/0a1b'", false}, /* unlike actions, ARNs have a letter case */
		{"['arn:aws:kms:us-east-1:" ACCOUNT ":key/zz','" KEY "']", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FREE char *policy = memory_format(
			POLICY("[{'Effect':'Allow','Principal':'*','Action':'kms:*','Resource':%s}]"), rows[i].resource);

		expect(policy, by_user("kms:Decrypt"), rows[i].matches ? KEY_POLICY_ALLOWED : KEY_POLICY_NOT_ALLOWED);
	}
}

static void test_deny_wins(void **state)
{
	(void)state;
	expect(POLICY("[" ALLOW_ALL "," STATEMENT("Deny", "'*'", "'kms:Decrypt'", "'*'", "{}") "]"), by_user("kms:Decrypt"),
	       KEY_POLICY_DENIED);
	expect(POLICY("[" STATEMENT("Deny", "'*'", "'kms:Decrypt'", "'*'", "{}") "," ALLOW_ALL "]"), by_user("kms:Decrypt"),
	       KEY_POLICY_DENIED);
	expect(POLICY("[" ALLOW_ALL "," STATEMENT("Deny", "'*'", "'kms:Decrypt'", "'*'", "{}") "]"), by_user("kms:Encrypt"),
	       KEY_POLICY_ALLOWED);
	expect(POLICY("[" ALLOW_ALL "," STATEMENT("Deny", "{'AWS':'" ROLE "'}", "'*'", "'*'", "{}") "]"), by_user("kms:Decrypt"),
	       KEY_POLICY_ALLOWED);
	expect(POLICY("[" STATEMENT("Deny", "'*'", "'kms:Encrypt'", "'*'", "{}") "]"), by_user("kms:Decrypt"),
	       KEY_POLICY_NOT_ALLOWED);
}

/* What each operator says when the key is missing, equal, equal but for the case, and different. */
static void test_operators(void **state)
{
	static const struct {
		const char *name;
		const char *wanted;
		bool missing, equal, other_case, different;
	} rows[] = {
		{"StringEquals", "'" PCR_A "'", false, true, false, false},
		{"StringNotEquals", "'" PCR_A "'", true, false, true, true},
		{"StringEqualsIgnoreCase", "'" PCR_A "'", false, true, true, false},
		{"StringNotEqualsIgnoreCase", "'" PCR_A "'", true, false, false, true},
		{"StringLike", "'aaa*'", false, true, false, false},
		{"StringNotLike", "'aaa*'", true, false, true, true},
		{"StringEqualsIfExists", "'" PCR_A "'", true, true, false, false},
		{"StringNotEqualsIfExists", "'" PCR_A "'", true, false, true, true},
		{"StringEqualsIgnoreCaseIfExists", "'" PCR_A "'", true, true, true, false},
		{"StringNotEqualsIgnoreCaseIfExists", "'" PCR_A "'", true, false, false, true},
		{"StringLikeIfExists", "'aaa*'", true, true, false, false},
		{"StringNotLikeIfExists", "'aaa*'", true, false, true, true},
		{"Null", "'true'", true, false, false, false},
		{"Null", "'false'", false, true, true, true},
		{"Null", "true", true, false, false, false},
		{"Null", "false", false, true, true, true},
		{"Null", "['true','false']", true, true, true, true},
		/* A list is OR; under a negated operator none of them may match. */
		{"StringEquals", "['x','" PCR_A "','" PCR_B "']", false, true, false, true},
		{"StringNotEquals", "['x','" PCR_A "','" PCR_B "']", true, false, true, false},
		/* Equality does not know wildcards. */
		{"StringEquals", "'aaa*'", false, false, false, false},
		{"StringEquals", "''", false, false, false, false},
	};
	struct key_policy_value value = {IMAGE, NULL};
	char upper[sizeof PCR_A];

	(void)state;
	memset(upper, 'A', sizeof upper - 1);
	upper[sizeof upper - 1] = 0;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FREE char *policy =
			memory_format(POLICY("[" STATEMENT("Allow", "'*'", "'kms:*'", "'*'", "{'%s':{'" IMAGE "':%s}}") "]"),
				      rows[i].name, rows[i].wanted);
		const struct {
			const char *actual;
			bool expected;
		} cases[] = {
			{NULL, rows[i].missing}, {PCR_A, rows[i].equal}, {upper, rows[i].other_case}, {PCR_B, rows[i].different}};

		for (size_t j = 0; j < ARRAY_SIZE(cases); j++) {
			struct key_policy_request request = by_role("kms:Decrypt");

			value.value = cases[j].actual;
			request.values = &value;
			request.value_count = cases[j].actual ? 1 : 0;
			if ((decide(policy, &request) == KEY_POLICY_ALLOWED) != cases[j].expected)
				fail_msg("%s %s, case %zu", rows[i].name, rows[i].wanted, j);
		}
	}
}

static void test_several_conditions_are_and(void **state)
{
	static const char policy[] =
		POLICY("[" STATEMENT("Allow", "{'AWS':'" ROLE "'}", "'kms:Decrypt'", "'*'",
				     "{'StringEqualsIgnoreCase':{'kms:recipientattestation:imagesha384':'" PCR_A
				     "','kms:RecipientAttestation:PCR31':'" PCR_B "'},"
				     "'StringEquals':{'kms:EncryptionContext:fleet':['f','g']}}") "]");
	const struct key_policy_value all[] = {
		{IMAGE, PCR_A}, {"kms:RecipientAttestation:PCR31", PCR_B}, {"kms:EncryptionContext:fleet", "g"}};
	struct key_policy_request request = by_role("kms:Decrypt");

	(void)state;
	request.values = all;
	request.value_count = ARRAY_SIZE(all);
	assert_int_equal(decide(policy, &request), KEY_POLICY_ALLOWED);
	/* Each of the three is needed. */
	for (size_t missing = 0; missing < ARRAY_SIZE(all); missing++) {
		struct key_policy_value some[ARRAY_SIZE(all)];
		size_t count = 0;

		for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
			if (i != missing)
				some[count++] = all[i];
		}
		request.values = some;
		request.value_count = count;
		assert_int_equal(decide(policy, &request), KEY_POLICY_NOT_ALLOWED);
	}
}

/* The policy that AWS's users are told to write: the explicit Deny holds although another statement allows. */
static void test_deny_unless_attested(void **state)
{
	static const char policy[] = POLICY("[" ALLOW_ALL "," STATEMENT(
		"Deny", "{'AWS':'*'}", "'kms:Decrypt'", "'*'",
		"{'Null':{'" IMAGE "':'true'}}") "," STATEMENT("Deny", "{'AWS':'*'}", "'kms:Decrypt'", "'*'",
							       "{'StringNotEqualsIgnoreCase':{'" IMAGE "':'" PCR_A "'}}") "]");
	struct key_policy_value value = {IMAGE, PCR_A};
	struct key_policy_request request = by_role("kms:Decrypt");

	(void)state;
	assert_int_equal(decide(policy, &request), KEY_POLICY_DENIED);
	request.values = &value;
	request.value_count = 1;
	assert_int_equal(decide(policy, &request), KEY_POLICY_ALLOWED);
	value.value = PCR_B;
	assert_int_equal(decide(policy, &request), KEY_POLICY_DENIED);
}

static void test_caller_keys(void **state)
{
	(void)state;
	expect(POLICY("[" STATEMENT("Allow", "'*'", "'*'", "'*'", "{'StringEquals':{'aws:PrincipalArn':'" ROLE "'}}") "]"),
	       by_role("kms:Decrypt"), KEY_POLICY_ALLOWED);
	expect(POLICY("[" STATEMENT("Allow", "'*'", "'*'", "'*'", "{'StringEquals':{'aws:principalarn':'" ROLE "'}}") "]"),
	       by_user("kms:Decrypt"), KEY_POLICY_NOT_ALLOWED);
	expect(POLICY("[" STATEMENT("Allow", "'*'", "'*'", "'*'",
				    "{'StringLike':{'aws:PrincipalArn':'arn:aws:iam::*:user/*'}}") "]"),
	       by_user("kms:Decrypt"), KEY_POLICY_ALLOWED);
	expect(POLICY("[" STATEMENT("Allow", "'*'", "'*'", "'*'", "{'StringEquals':{'kms:CallerAccount':'" ACCOUNT "'}}") "]"),
	       by_user("kms:Decrypt"), KEY_POLICY_ALLOWED);
	expect(POLICY("[" STATEMENT("Allow", "'*'", "'*'", "'*'", "{'StringEquals':{'aws:PrincipalAccount':'1'}}") "]"),
	       by_user("kms:Decrypt"), KEY_POLICY_NOT_ALLOWED);
}

/* Stars that could make a careless matcher exponential. */
static void test_many_stars(void **state)
{
	AUTO_BUFFER struct buffer policy = {0};
	AUTO_BUFFER struct buffer resource = {0};
	struct key_policy_request request = by_user("kms:Decrypt");

	(void)state;
	buffer_append_text(&policy, "{'Statement':{'Effect':'Allow','Principal':'*','Action':'*','Resource':'arn:");
	buffer_append_text(&resource, "arn:");
	for (int i = 0; i < 5000; i++) {
		buffer_append_text(&policy, "a*");
		buffer_append_text(&resource, "a");
	}
	buffer_append_text(&policy, "b'}}");
	request.resource = buffer_text(&resource);
	assert_int_equal(decide(buffer_text(&policy), &request), KEY_POLICY_NOT_ALLOWED);
}

static void test_malformed(void **state)
{
#define CONDITION(condition) POLICY("[" STATEMENT("Allow", "'*'", "'kms:*'", "'*'", condition) "]")
#define PRINCIPAL(principal) POLICY("[" STATEMENT("Allow", principal, "'kms:*'", "'*'", "{}") "]")
	static const struct {
		const char *text;
		const char *message;
	} rows[] = {
		{"", "empty"},
		{"{", "malformed JSON"},
		{"[]", "not a JSON object"},
		{"{}", "Statement: missing"},
		{"{'Version':'2020-01-01','Statement':[" ALLOW_ALL "]}", "Version"},
		{"{'Version':1,'Statement':[" ALLOW_ALL "]}", "Version"},
		{"{'Id':1,'Statement':[" ALLOW_ALL "]}", "Id: not a string"},
		{"{'Extra':1,'Statement':[" ALLOW_ALL "]}", "Extra: unsupported element"},
		{POLICY("[]"), "Statement: an empty list"},
		{POLICY("'x'"), "Statement: [0]: not a JSON object"},
		{POLICY("[" ALLOW_ALL ",1]"), "Statement: [1]: not a JSON object"},
		{POLICY("{'Principal':'*','Action':'*','Resource':'*'}"), "Effect: missing"},
		{POLICY("{'Effect':'allow','Principal':'*','Action':'*','Resource':'*'}"), "Effect: neither"},
		{POLICY("{'Effect':'Allow','Action':'*','Resource':'*'}"), "Principal: missing"},
		{POLICY("{'Effect':'Allow','Principal':'*','Resource':'*'}"), "Action: missing"},
		{POLICY("{'Effect':'Allow','Principal':'*','Action':'*'}"), "Resource: missing"},
		{POLICY("{'Effect':'Allow','NotPrincipal':'*','Principal':'*','Action':'*','Resource':'*'}"),
		 "NotPrincipal: unsupported"},
		{POLICY("{'Effect':'Allow','Principal':'*','NotAction':'x','Action':'*','Resource':'*'}"),
		 "NotAction: unsupported"},
		{POLICY("{'Effect':'Allow','Principal':'*','Action':'*','NotResource':'x','Resource':'*'}"),
		 "NotResource: unsupported"},
		{POLICY("{'Sid':7,'Effect':'Allow','Principal':'*','Action':'*','Resource':'*'}"), "Sid: not a string"},
		{POLICY("{'Effect':'Allow','Principal':'*','Action':'*','Action':'kms:Decrypt','Resource':'*'}"), "malformed JSON"},
		{PRINCIPAL("'" USER "'"), "Principal: not a JSON object"},
		{PRINCIPAL("{}"), "AWS: missing"},
		{PRINCIPAL("{'AWS':[]}"), "an empty list"},
		{PRINCIPAL("{'AWS':1}"), "neither a string nor a list"},
		{PRINCIPAL("{'AWS':['*',1]}"), "neither a string nor a list"},
		{PRINCIPAL("{'AWS':'*','Service':'ec2.amazonaws.com'}"), "Service: unsupported"},
		{PRINCIPAL("{'AWS':'arn:aws:iam::" ACCOUNT ":user/*'}"), "without wildcards"},
		{PRINCIPAL("{'AWS':'arn:aws:iam::1:root'}"), "nor an IAM ARN"},
		{PRINCIPAL("{'AWS':'arn:aws:iam::" ACCOUNT ":role/'}"), "nor an IAM ARN"},
		{PRINCIPAL("{'AWS':'arn:aws:iam::" ACCOUNT ":root2'}"), "nor an IAM ARN"},
		{PRINCIPAL("{'AWS':'arn:aws:s3:::bucket'}"), "nor an IAM ARN"},
		{PRINCIPAL("{'AWS':'arn:aws'}"), "nor an IAM ARN"},
		{PRINCIPAL("{'AWS':'1234'}"), "nor an account"},
		{POLICY("[" STATEMENT("Allow", "'*'", "'s3:GetObject'", "'*'", "{}") "]"), "Action"},
		{POLICY("[" STATEMENT("Allow", "'*'", "'kms:'", "'*'", "{}") "]"), "Action"},
		{POLICY("[" STATEMENT("Allow", "'*'", "[]", "'*'", "{}") "]"), "Action: an empty list"},
		{POLICY("[" STATEMENT("Allow", "'*'", "'*'", "'key/1'", "{}") "]"), "Resource"},
		{POLICY("[" STATEMENT("Allow", "'*'", "'*'", "'arn:${aws:username}'", "{}") "]"), "variables"},
		{CONDITION("'x'"), "Condition: not an object"},
		{CONDITION("{'StringMatches':{'" IMAGE "':'x'}}"), "StringMatches: unsupported operator"},
		{CONDITION("{'ForAnyValue:StringEquals':{'" IMAGE "':'x'}}"), "unsupported operator"},
		{CONDITION("{'IfExists':{'" IMAGE "':'x'}}"), "unsupported operator"},
		{CONDITION("{'NullIfExists':{'" IMAGE "':'true'}}"), "unsupported operator"},
		{CONDITION("{'stringequals':{'" IMAGE "':'x'}}"), "unsupported operator"},
		{CONDITION("{'StringEquals':{}}"), "not an object of condition keys"},
		{CONDITION("{'StringEquals':'x'}"), "not an object of condition keys"},
		{CONDITION("{'StringEquals':{'" IMAGE "':1}}"), "neither a string nor a list"},
		{CONDITION("{'StringEquals':{'" IMAGE "':[]}}"), "an empty list"},
		{CONDITION("{'StringEquals':{'" IMAGE "':['x',null]}}"), "neither a string nor a list"},
		{CONDITION("{'StringEquals':{'aws:PrincipalArn':'${x}'}}"), "variables"},
		{CONDITION("{'Null':{'" IMAGE "':'yes'}}"), "neither true nor false"},
		{CONDITION("{'Null':{'" IMAGE "':[]}}"), "an empty list"},
		{CONDITION("{'StringEquals':{'kms:RecipientAttestation:PCR32':'x'}}"), "unsupported condition key"},
		{CONDITION("{'StringEquals':{'kms:RecipientAttestation:PCR07':'x'}}"), "unsupported condition key"},
		{CONDITION("{'StringEquals':{'kms:RecipientAttestation:PCR':'x'}}"), "unsupported condition key"},
		{CONDITION("{'StringEquals':{'kms:RecipientAttestation:PCR-1':'x'}}"), "unsupported condition key"},
		{CONDITION("{'StringEquals':{'kms:EncryptionContext:':'x'}}"), "unsupported condition key"},
		{CONDITION("{'StringEquals':{'kms:ViaService':'x'}}"), "unsupported condition key"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FREE char *json = json_of(rows[i].text);
		struct error error = {0};

		if (key_policy_parse(view_of_text(json), &error))
			fail_msg("accepted: %s", rows[i].text);
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, rows[i].message);
	}
}

static void test_every_pcr_is_a_key(void **state)
{
	(void)state;
	for (int i = 0; i < 32; i++) {
		AUTO_FREE char *name = memory_format("kms:RecipientAttestation:PCR%d", i);
		AUTO_FREE char *policy =
			memory_format(POLICY("[" STATEMENT("Allow", "'*'", "'*'", "'*'", "{'StringEquals':{'%s':'x'}}") "]"), name);
		const struct key_policy_value value = {name, "x"};
		struct key_policy_request request = by_role("kms:Decrypt");

		request.values = &value;
		request.value_count = 1;
		assert_int_equal(decide(policy, &request), KEY_POLICY_ALLOWED);
	}
}

static void test_size_limit(void **state)
{
	AUTO_FREE char *json = json_of(POLICY("[" ALLOW_ALL "]"));
	AUTO_BUFFER struct buffer text = {0};
	struct error error = {0};
	AUTO_KEY_POLICY struct key_policy *policy = NULL;

	(void)state;
	buffer_append_text(&text, json);
	while (text.size < KEY_POLICY_MAX_SIZE)
		buffer_append_byte(&text, ' ');
	policy = key_policy_parse(buffer_view(&text), &error);
	assert_ok(policy != NULL, &error);
	buffer_append_byte(&text, ' ');
	assert_null(key_policy_parse(buffer_view(&text), &error));
	assert_message_contains(&error, "32769 bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_principals),
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_resources),
		cmocka_unit_test(test_deny_wins),
		cmocka_unit_test(test_operators),
		cmocka_unit_test(test_several_conditions_are_and),
		cmocka_unit_test(test_deny_unless_attested),
		cmocka_unit_test(test_caller_keys),
		cmocka_unit_test(test_many_stars),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_every_pcr_is_a_key),
		cmocka_unit_test(test_size_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
