/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "aws/dynamodb_answers.h"
#include "slashing/dynamodb_row.h"

#define TABLE "t"

/* Whatever can be read can be written, as a new row and in place of what it was read from. */
static void check_row(json_t *item)
{
	struct dynamodb_row row;
	AUTO_JSON json_t *made = NULL;
	AUTO_JSON json_t *changed = NULL;
	struct error error;

	if (!dynamodb_row_read(item, &row, &error))
		return;
	made = dynamodb_row_replace(TABLE, (const uint8_t[BLS_PUBLIC_KEY_SIZE]){1}, NULL, &row);
	changed = dynamodb_row_replace(TABLE, (const uint8_t[BLS_PUBLIC_KEY_SIZE]){1}, item, &row);
	if (!made && (dynamodb_row_has_history(&row) || row.is_retired))
		abort();
}

/* An answer of either operation to a call about two keys, and the rows that it shows. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_JSON json_t *answer = json_parse_object(view_of(data, size), "answer", NULL);
	AUTO_JSON json_t *first = dynamodb_row_key((const uint8_t[BLS_PUBLIC_KEY_SIZE]){1});
	AUTO_JSON json_t *second = dynamodb_row_key((const uint8_t[BLS_PUBLIC_KEY_SIZE]){2});
	struct dynamodb_item items[2] = {{.request = first}, {.request = second}};
	const struct dynamodb_chunk chunk = {.count = 2, .items = {&items[0], &items[1]}};
	struct dynamodb_verdicts verdicts;
	struct error error;

	if (!answer)
		return 0;
	if (dynamodb_read_cancellation(answer, &chunk, &verdicts, &error)) {
		/* Never a success: an innocent has to be sent again. */
		if (verdicts.verdicts[0] == VERDICT_DONE || verdicts.verdicts[1] == VERDICT_DONE)
			abort();
		check_row(verdicts.found[0]);
		check_row(verdicts.found[1]);
	}
	if (dynamodb_read_batch(answer, TABLE, &chunk, &verdicts, &error)) {
		check_row(verdicts.found[0]);
		check_row(verdicts.found[1]);
	}
	return 0;
}
