/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/keeper/lanes.h"

#define IN_A_ROW_MAX 8
/* How much the last one counts in the average: an eighth. */
#define AVERAGE_SHIFT 3

/*
 * Clients give up after 3 to 12 s; what cannot be signed by then is better refused at once. A block that is 4 s old gets no votes any
 * more, but until then the worst of chances is better than none.
 */
static const uint64_t patience_us[LANE_COUNT] = {[LANE_PROPOSALS] = 4000000, [LANE_VOTES] = 2500000, [LANE_REST] = 2500000};

void job_ring_put(struct job_ring *ring, uint32_t number)
{
	ring->numbers[(ring->first + ring->count) % KEEPER_JOBS_MAX] = number;
	ring->count++;
}

uint32_t job_ring_take(struct job_ring *ring)
{
	uint32_t number = ring->numbers[ring->first];

	ring->first = (ring->first + 1) % KEEPER_JOBS_MAX;
	ring->count--;
	return number;
}

void lanes_put(struct lanes *lanes, enum lane lane, uint32_t number)
{
	job_ring_put(&lanes->rings[lane], number);
}

size_t lanes_count(const struct lanes *lanes, enum lane lane)
{
	size_t count = 0;

	for (size_t i = 0; i <= (size_t)lane; i++)
		count += lanes->rings[i].count;
	return count;
}

/* How many wait behind this lane. */
static size_t count_behind(const struct lanes *lanes, size_t lane)
{
	return lanes_count(lanes, LANE_COUNT - 1) - lanes_count(lanes, (enum lane)lane);
}

/* The lane that is next; `in_a_row` becomes what it is once one of it is taken. */
static size_t choose(const struct lanes *lanes, unsigned in_a_row[LANE_COUNT])
{
	size_t lane = 0;

	for (; lane < LANE_COUNT - 1; lane++) {
		bool others_wait = count_behind(lanes, lane) > 0;
		bool has_turn = lanes->rings[lane].count > 0 && (!others_wait || in_a_row[lane] < IN_A_ROW_MAX);

		in_a_row[lane] = has_turn && others_wait ? in_a_row[lane] + 1 : 0;
		if (has_turn)
			break;
	}
	return lane;
}

bool lanes_take(struct lanes *lanes, uint32_t *ret_number)
{
	struct job_ring *ring = &lanes->rings[choose(lanes, lanes->in_a_row)];

	if (ring->count == 0)
		return false;
	*ret_number = job_ring_take(ring);
	return true;
}

bool lanes_peek(const struct lanes *lanes, uint32_t *ret_number)
{
	unsigned in_a_row[LANE_COUNT];
	const struct job_ring *ring;

	memcpy(in_a_row, lanes->in_a_row, sizeof in_a_row);
	ring = &lanes->rings[choose(lanes, in_a_row)];
	if (ring->count == 0)
		return false;
	*ret_number = ring->numbers[ring->first];
	return true;
}

bool lane_is_too_late(enum lane lane, uint64_t wait_us)
{
	return wait_us > patience_us[lane];
}

uint64_t moving_average(uint64_t average_us, uint64_t last_us)
{
	return average_us ? average_us - (average_us >> AVERAGE_SHIFT) + (last_us >> AVERAGE_SHIFT) : last_us;
}
