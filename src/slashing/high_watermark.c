/* SPDX-License-Identifier: Apache-2.0 */
#include "slashing/high_watermark.h"

void high_watermark_write(const struct high_watermark *high, struct buffer *ret_text)
{
	buffer_append_byte(ret_text, '{');
	if (high->has_epoch)
		buffer_append_format(ret_text, "\"epoch\":\"%llu\"", (unsigned long long)high->epoch);
	if (high->has_epoch && high->has_slot)
		buffer_append_byte(ret_text, ',');
	if (high->has_slot)
		buffer_append_format(ret_text, "\"slot\":\"%llu\"", (unsigned long long)high->slot);
	buffer_append_byte(ret_text, '}');
}

json_t *high_watermark_to_json(const struct high_watermark *high)
{
	AUTO_BUFFER struct buffer text = {0};

	high_watermark_write(high, &text);
	return json_parse(buffer_view(&text), "high watermark", NULL);
}

static bool read_number(json_t *object, const char *name, uint8_t *ret_there, uint64_t *ret_number, struct error *error)
{
	*ret_there = json_object_get(object, name) != NULL;
	return !*ret_there || json_read_u64(object, name, ret_number, error);
}

bool high_watermark_from_json(json_t *object, struct high_watermark *ret_high, struct error *error)
{
	struct high_watermark high = {0};

	if (!read_number(object, "slot", &high.has_slot, &high.slot, error) ||
	    !read_number(object, "epoch", &high.has_epoch, &high.epoch, error))
		return false;
	*ret_high = high;
	return true;
}

bool high_watermark_equal(const struct high_watermark *a, const struct high_watermark *b)
{
	return a->has_slot == b->has_slot && a->has_epoch == b->has_epoch && a->slot == b->slot && a->epoch == b->epoch;
}
