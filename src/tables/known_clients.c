/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/known_clients.h"

#define PURPOSE "known-clients"

/* ---- the file ---- */

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct view trim(struct view text)
{
	while (text.size > 0 && is_blank(text.data[0]))
		text = view_of(text.data + 1, text.size - 1);
	while (text.size > 0 && is_blank(text.data[text.size - 1]))
		text.size--;
	return text;
}

/* All of it in hex, or each byte with a colon behind it but for the last. */
static bool read_fingerprint(struct view text, uint8_t ret_fingerprint[KNOWN_CLIENT_FINGERPRINT_SIZE])
{
	char hex[2 * KNOWN_CLIENT_FINGERPRINT_SIZE];

	if (text.size == sizeof hex)
		return hex_decode(text, ret_fingerprint, KNOWN_CLIENT_FINGERPRINT_SIZE);
	if (text.size != 3 * KNOWN_CLIENT_FINGERPRINT_SIZE - 1)
		return false;
	for (size_t i = 0; i < KNOWN_CLIENT_FINGERPRINT_SIZE; i++) {
		if (i > 0 && text.data[3 * i - 1] != ':')
			return false;
		memcpy(hex + 2 * i, text.data + 3 * i, 2);
	}
	return hex_decode(view_of(hex, sizeof hex), ret_fingerprint, KNOWN_CLIENT_FINGERPRINT_SIZE);
}

/* Control characters are nobody's name, and a NUL would end it early. */
static bool is_name(struct view text)
{
	if (text.size == 0 || text.size >= KNOWN_CLIENT_NAME_SIZE)
		return false;
	for (size_t i = 0; i < text.size; i++) {
		if (text.data[i] < ' ' || text.data[i] == 0x7f)
			return false;
	}
	return true;
}

static bool read_line(struct view line, struct known_client *ret_client, struct error *error)
{
	size_t start = line.size;

	while (start > 0 && !is_blank(line.data[start - 1]))
		start--;
	if (start == 0)
		return error_set(error, ERROR_INPUT, "not a common name and a fingerprint");
	if (!read_fingerprint(view_of(line.data + start, line.size - start), ret_client->fingerprint))
		return error_set(error, ERROR_INPUT, "the fingerprint is not the 64 hex digits of a SHA-256");
	line = trim(view_of(line.data, start));
	if (!is_name(line))
		return error_set(error, ERROR_INPUT, "the common name has %zu bytes (1 to %d are allowed) or control characters",
				 line.size, KNOWN_CLIENT_NAME_SIZE - 1);
	memcpy(ret_client->common_name, line.data, line.size);
	return true;
}

static bool is_there(const struct known_clients *clients, const struct known_client *client)
{
	for (size_t i = 0; i < clients->count; i++) {
		if (memcmp(&clients->clients[i], client, sizeof *client) == 0)
			return true;
	}
	return false;
}

static bool take_line(struct view line, struct known_clients *clients, struct error *error)
{
	struct known_client client = {0};

	line = trim(line);
	if (line.size == 0 || line.data[0] == '#')
		return true;
	if (!read_line(line, &client, error))
		return false;
	if (is_there(clients, &client))
		return true;
	if (clients->count == KNOWN_CLIENTS_MAX)
		return error_set(error, ERROR_INPUT, "more than %d clients", KNOWN_CLIENTS_MAX);
	clients->clients[clients->count++] = client;
	return true;
}

static int compare_clients(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct known_client));
}

bool known_clients_parse(struct view text, struct known_clients *ret_clients, struct error *error)
{
	struct known_clients clients = {.serial = ret_clients->serial};
	size_t number = 1;

	if (text.size > KNOWN_CLIENTS_FILE_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "known clients: more than %u bytes", KNOWN_CLIENTS_FILE_MAX_SIZE);
	while (text.size > 0) {
		const uint8_t *end = (const uint8_t *)memchr(text.data, '\n', text.size);
		size_t size = end ? (size_t)(end - text.data) : text.size;

		if (!take_line(view_of(text.data, size), &clients, error))
			return error_prefix(error, "known clients: line %zu", number);
		size += end ? 1 : 0;
		text = view_of(text.data + size, text.size - size);
		number++;
	}
	qsort(clients.clients, clients.count, sizeof clients.clients[0], compare_clients);
	*ret_clients = clients;
	return true;
}

/* ---- sealed ---- */

void known_clients_encode(const struct known_clients *clients, struct buffer *ret_bytes)
{
	uint8_t serial[8];

	store_be32(serial, (uint32_t)(clients->serial >> 32));
	store_be32(serial + 4, (uint32_t)clients->serial);
	buffer_append(ret_bytes, view_of(serial, sizeof serial));
	for (size_t i = 0; i < clients->count; i++) {
		const struct known_client *client = &clients->clients[i];
		size_t size = strlen(client->common_name);

		buffer_append_byte(ret_bytes, (uint8_t)size);
		buffer_append(ret_bytes, view_of(client->common_name, size));
		buffer_append(ret_bytes, view_of(client->fingerprint, sizeof client->fingerprint));
	}
}

bool known_clients_decode(struct view bytes, struct known_clients *ret_clients, struct error *error)
{
	struct known_clients clients = {0};

	if (bytes.size < 8)
		return error_set(error, ERROR_INPUT, "known clients: no serial");
	clients.serial = (uint64_t)load_be32(bytes.data) << 32 | load_be32(bytes.data + 4);
	bytes = view_of(bytes.data + 8, bytes.size - 8);
	while (bytes.size > 0) {
		struct known_client *client = &clients.clients[clients.count];
		size_t size = bytes.data[0];

		if (clients.count == KNOWN_CLIENTS_MAX)
			return error_set(error, ERROR_INPUT, "known clients: more than %d", KNOWN_CLIENTS_MAX);
		if (bytes.size < 1 + size + sizeof client->fingerprint || !is_name(view_of(bytes.data + 1, size)))
			return error_set(error, ERROR_INPUT, "known clients: entry %zu is malformed", clients.count);
		memcpy(client->common_name, bytes.data + 1, size);
		memcpy(client->fingerprint, bytes.data + 1 + size, sizeof client->fingerprint);
		size += 1 + sizeof client->fingerprint;
		bytes = view_of(bytes.data + size, bytes.size - size);
		clients.count++;
	}
	*ret_clients = clients;
	return true;
}

bool known_clients_seal(struct view data_key, const char *fleet, const struct known_clients *clients, struct buffer *ret_sealed,
			struct error *error)
{
	AUTO_FREE char *additional = memory_format(PURPOSE "%s", fleet);
	AUTO_BUFFER struct buffer bytes = {0};

	known_clients_encode(clients, &bytes);
	return aead_seal(data_key, view_of_text(additional), buffer_view(&bytes), ret_sealed, error) ||
	       error_prefix(error, "known clients");
}

bool known_clients_open(struct view data_key, const char *fleet, struct view sealed, struct known_clients *ret_clients,
			struct error *error)
{
	AUTO_FREE char *additional = memory_format(PURPOSE "%s", fleet);
	AUTO_SECRET struct secret bytes = {0};

	if (!aead_open(data_key, view_of_text(additional), sealed, &bytes, error))
		return error_prefix(error, "known clients");
	return known_clients_decode(secret_view(&bytes), ret_clients, error);
}
