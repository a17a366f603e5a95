/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/sigv4.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

/* The name=value pairs of one query; AWS's JSON services take none at all. */
#define MAX_PARAMETERS 64
#define ALGORITHM "AWS4-HMAC-SHA256"
#define TERMINATOR "aws4_request"

static bool is_alphanumeric(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* RFC 3986 section 2.3; a slash stays as well in paths. */
static bool is_unreserved(uint8_t c)
{
	return is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

static void append_encoded(struct view bytes, bool keep_slash, struct buffer *text)
{
	static const char digits[16] = "0123456789ABCDEF";

	for (size_t i = 0; i < bytes.size; i++) {
		uint8_t c = bytes.data[i];

		if (is_unreserved(c) || (keep_slash && c == '/')) {
			buffer_append_byte(text, c);
			continue;
		}
		buffer_append_byte(text, '%');
		buffer_append_byte(text, (uint8_t)digits[c >> 4]);
		buffer_append_byte(text, (uint8_t)digits[c & 15]);
	}
}

/* Up to `delimiter`, which is skipped, or up to the end. */
static struct view take_until(struct view *text, uint8_t delimiter)
{
	const uint8_t *found = text->size ? (const uint8_t *)memchr(text->data, delimiter, text->size) : NULL;
	size_t size = found ? (size_t)(found - text->data) : text->size;
	struct view front = view_of(text->data, size);

	*text = found ? view_of(found + 1, text->size - size - 1) : view_of(NULL, 0);
	return front;
}

/* Dot segments resolved and empty ones dropped; a slash at the end stays. */
static void normalize(struct view path, struct buffer *ret_path)
{
	bool ends_in_slash = path.size > 0 && path.data[path.size - 1] == '/';

	while (path.size > 0) {
		struct view segment = take_until(&path, '/');

		if (segment.size == 0 || view_equal_text(segment, "."))
			continue;
		if (view_equal_text(segment, "..")) {
			while (ret_path->size > 0 && ret_path->data[--ret_path->size] != '/')
				;
			continue;
		}
		buffer_append_byte(ret_path, '/');
		buffer_append(ret_path, segment);
	}
	if (ret_path->size == 0 || ends_in_slash)
		buffer_append_byte(ret_path, '/');
}

static void append_path(const struct sigv4_request *request, struct buffer *text)
{
	AUTO_BUFFER struct buffer normalized = {0};
	struct view path = request->path.size ? request->path : view_of_text("/");

	if (request->normalize_path) {
		normalize(path, &normalized);
		path = buffer_view(&normalized);
	}
	if (!request->double_encode_path) {
		buffer_append(text, path);
		return;
	}
	append_encoded(path, true, text);
}

static void percent_decode(struct view text, struct buffer *ret_bytes)
{
	buffer_clear(ret_bytes);
	for (size_t i = 0; i < text.size; i++) {
		uint8_t byte;

		if (text.data[i] == '%' && i + 2 < text.size && hex_decode(view_of(text.data + i + 1, 2), &byte, 1)) {
			buffer_append_byte(ret_bytes, byte);
			i += 2;
			continue;
		}
		buffer_append_byte(ret_bytes, text.data[i]);
	}
}

struct parameter {
	struct buffer name;
	struct buffer value;
};

struct parameters {
	struct parameter list[MAX_PARAMETERS];
	size_t count;
};

static void parameters_done(struct parameters *parameters)
{
	for (size_t i = 0; i < parameters->count; i++) {
		buffer_done(&parameters->list[i].name);
		buffer_done(&parameters->list[i].value);
	}
}

static int compare_views(struct view a, struct view b)
{
	size_t common = a.size < b.size ? a.size : b.size;
	int order = common ? memcmp(a.data, b.data, common) : 0;

	if (order != 0)
		return order;
	return a.size == b.size ? 0 : a.size < b.size ? -1 : 1;
}

static int compare_parameters(const void *a_, const void *b_)
{
	const struct parameter *a = (const struct parameter *)a_;
	const struct parameter *b = (const struct parameter *)b_;
	int order = compare_views(buffer_view(&a->name), buffer_view(&b->name));

	return order ? order : compare_views(buffer_view(&a->value), buffer_view(&b->value));
}

/* Whatever way the sender encoded a parameter, it is signed in the one canonical encoding. */
static bool append_query(struct view query, struct buffer *text, struct error *error)
{
	CLEANUP(parameters_done) struct parameters parameters = {.count = 0};
	AUTO_BUFFER struct buffer decoded = {0};

	while (query.size > 0) {
		struct view value = take_until(&query, '&');
		struct view name = take_until(&value, '=');
		struct parameter *parameter = &parameters.list[parameters.count];

		if (name.size == 0 && value.size == 0)
			continue;
		if (parameters.count == MAX_PARAMETERS)
			return error_set(error, ERROR_INPUT, "more than %d query parameters", MAX_PARAMETERS);
		*parameter = (struct parameter){0};
		parameters.count++;
		percent_decode(name, &decoded);
		append_encoded(buffer_view(&decoded), false, &parameter->name);
		percent_decode(value, &decoded);
		append_encoded(buffer_view(&decoded), false, &parameter->value);
	}
	qsort(parameters.list, parameters.count, sizeof parameters.list[0], compare_parameters);
	for (size_t i = 0; i < parameters.count; i++) {
		if (i > 0)
			buffer_append_byte(text, '&');
		buffer_append(text, buffer_view(&parameters.list[i].name));
		buffer_append_byte(text, '=');
		buffer_append(text, buffer_view(&parameters.list[i].value));
	}
	return true;
}

/* RFC 9110 section 5.6.2. */
static bool is_token(struct view name)
{
	for (size_t i = 0; i < name.size; i++) {
		uint8_t c = name.data[i];

		if (!is_alphanumeric(c) && (c == 0 || !strchr("!#$%&'*+-.^_`|~", c)))
			return false;
	}
	return name.size > 0;
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 'a' - 'A') : c;
}

static int compare_names(struct view a, struct view b)
{
	for (size_t i = 0; i < a.size && i < b.size; i++) {
		int difference = lower(a.data[i]) - lower(b.data[i]);

		if (difference != 0)
			return difference;
	}
	return a.size == b.size ? 0 : a.size < b.size ? -1 : 1;
}

/* Insertion sort: stable, so values of a repeated name keep their order; there are at most SIGV4_MAX_HEADERS. */
static void sort_headers(const struct sigv4_header **headers, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		const struct sigv4_header *header = headers[i];
		size_t j = i;

		for (; j > 0 && compare_names(headers[j - 1]->name, header->name) > 0; j--)
			headers[j] = headers[j - 1];
		headers[j] = header;
	}
}

static void append_lower(struct view name, struct buffer *text)
{
	for (size_t i = 0; i < name.size; i++)
		buffer_append_byte(text, lower(name.data[i]));
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void append_folded(struct view value, struct buffer *text)
{
	bool gap = false;
	bool started = false;

	for (size_t i = 0; i < value.size; i++) {
		if (is_blank(value.data[i])) {
			gap = started;
			continue;
		}
		if (gap)
			buffer_append_byte(text, ' ');
		buffer_append_byte(text, value.data[i]);
		gap = false;
		started = true;
	}
}

static void append_headers(const struct sigv4_header **headers, size_t count, struct buffer *text, struct buffer *names)
{
	for (size_t i = 0; i < count; i++) {
		bool repeated = i > 0 && compare_names(headers[i - 1]->name, headers[i]->name) == 0;

		if (repeated) {
			buffer_append_byte(text, ',');
			append_folded(headers[i]->value, text);
			continue;
		}
		if (i > 0) {
			buffer_append_byte(text, '\n');
			buffer_append_byte(names, ';');
		}
		append_lower(headers[i]->name, text);
		append_lower(headers[i]->name, names);
		buffer_append_byte(text, ':');
		append_folded(headers[i]->value, text);
	}
	if (count > 0)
		buffer_append_byte(text, '\n');
}

/* An upper bound, taken at once: the security token is among the headers and growing would leave copies of it behind. */
static size_t canonical_size(const struct sigv4_request *request)
{
	size_t size = request->method.size + 3 * (request->path.size + request->query.size) + 2 * 32 + 64;

	for (size_t i = 0; i < request->header_count; i++)
		size += 2 * request->headers[i].name.size + request->headers[i].value.size + 4;
	return size;
}

bool sigv4_canonical_request(const struct sigv4_request *request, struct buffer *ret_canonical, struct buffer *ret_signed_headers,
			     struct error *error)
{
	const struct sigv4_header *headers[SIGV4_MAX_HEADERS];
	AUTO_BUFFER struct buffer query = {0};
	AUTO_BUFFER struct buffer names = {0};
	char payload_hash[65];

	if (request->header_count > SIGV4_MAX_HEADERS)
		return error_set(error, ERROR_INPUT, "%zu signed headers, at most %d are allowed", request->header_count,
				 SIGV4_MAX_HEADERS);
	for (size_t i = 0; i < request->header_count; i++) {
		if (!is_token(request->headers[i].name))
			return error_set(error, ERROR_INPUT, "the name of signed header %zu is malformed", i);
		headers[i] = &request->headers[i];
	}
	if (!append_query(request->query, &query, error))
		return false;
	sort_headers(headers, request->header_count);
	buffer_reserve(ret_canonical, canonical_size(request));
	buffer_append(ret_canonical, request->method);
	buffer_append_byte(ret_canonical, '\n');
	append_path(request, ret_canonical);
	buffer_append_byte(ret_canonical, '\n');
	buffer_append(ret_canonical, buffer_view(&query));
	buffer_append_byte(ret_canonical, '\n');
	append_headers(headers, request->header_count, ret_canonical, &names);
	buffer_append_byte(ret_canonical, '\n');
	buffer_append(ret_canonical, buffer_view(&names));
	buffer_append_byte(ret_canonical, '\n');
	hex_encode(view_of(request->payload_sha256, sizeof request->payload_sha256), payload_hash);
	buffer_append_text(ret_canonical, payload_hash);
	if (ret_signed_headers)
		buffer_append(ret_signed_headers, buffer_view(&names));
	return true;
}

void sigv4_string_to_sign(struct view canonical_request, const struct sigv4_scope *scope, struct buffer *ret_text)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	char text[2 * SHA256_DIGEST_LENGTH + 1];

	(void)SHA256(canonical_request.data, canonical_request.size, digest);
	hex_encode(view_of(digest, sizeof digest), text);
	buffer_append_format(ret_text, ALGORITHM "\n%s\n%.8s/%s/%s/" TERMINATOR "\n%s", scope->date_time, scope->date_time,
			     scope->region, scope->service, text);
}

static bool hmac(struct view key, struct view data, uint8_t ret_mac[SHA256_DIGEST_LENGTH])
{
	unsigned size = SHA256_DIGEST_LENGTH;

	return HMAC(EVP_sha256(), key.data, (int)key.size, data.data, data.size, ret_mac, &size) != NULL;
}

/* key = HMAC(key, data), for each step of the chain. */
static bool advance(uint8_t key[SHA256_DIGEST_LENGTH], struct view data)
{
	uint8_t next[SHA256_DIGEST_LENGTH];
	bool ok = hmac(view_of(key, SHA256_DIGEST_LENGTH), data, next);

	memcpy(key, next, sizeof next);
	secret_wipe(next, sizeof next);
	return ok;
}

bool sigv4_signature(struct view string_to_sign, const struct sigv4_scope *scope, struct view secret_access_key, char ret_hex[65],
		     struct error *error)
{
	static const char prefix[4] = "AWS4";
	AUTO_SECRET struct secret first = {0};
	AUTO_SECRET struct secret key = {0};

	if (strlen(scope->date_time) < 8)
		return error_set(error, ERROR_INPUT, "the date of the signature is malformed");
	if (!secret_init(&first, sizeof prefix + secret_access_key.size, error) || !secret_init(&key, SHA256_DIGEST_LENGTH, error))
		return false;
	memcpy(first.data, prefix, sizeof prefix);
	if (secret_access_key.size)
		memcpy(first.data + sizeof prefix, secret_access_key.data, secret_access_key.size);
	if (!hmac(secret_view(&first), view_of(scope->date_time, 8), key.data) || !advance(key.data, view_of_text(scope->region)) ||
	    !advance(key.data, view_of_text(scope->service)) || !advance(key.data, view_of_text(TERMINATOR)) ||
	    !advance(key.data, string_to_sign))
		return error_set(error, ERROR_CRYPTO, "HMAC-SHA256 failed");
	hex_encode(secret_view(&key), ret_hex);
	return true;
}
