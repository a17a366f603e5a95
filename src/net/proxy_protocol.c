/* SPDX-License-Identifier: Apache-2.0 */
#include "net/proxy_protocol.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static const uint8_t signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

/* Byte 12, version and command; byte 13, family and transport. */
#define COMMAND_LOCAL 0x20
#define COMMAND_PROXY 0x21
#define FAMILY_NONE 0x00
#define FAMILY_TCP4 0x11
#define FAMILY_TCP6 0x21
#define FAMILY_UNIX 0x31

/* Source and destination address, then source and destination port. */
static const struct family {
	uint8_t code;
	int number; /* AF_UNSPEC: no address that we tell */
	size_t address_size;
	size_t block_size;
} families[] = {
	{FAMILY_NONE, AF_UNSPEC, 0, 0},
	{FAMILY_TCP4, AF_INET, 4, 12},
	{FAMILY_TCP6, AF_INET6, 16, 36},
	{FAMILY_UNIX, AF_UNSPEC, 108, 216},
};

static const struct family *family_of(uint8_t code)
{
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		if (families[i].code == code)
			return &families[i];
	}
	return NULL;
}

static size_t announced_size(struct view header)
{
	return (size_t)header.data[14] << 8 | header.data[15];
}

/* ---- writing ---- */

static void append_v4(const struct sockaddr_storage *source, const struct sockaddr_storage *target, struct buffer *ret_header)
{
	const struct sockaddr_in *ends[] = {(const struct sockaddr_in *)source, (const struct sockaddr_in *)target};

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		buffer_append(ret_header, view_of(&ends[i]->sin_addr, 4));
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		buffer_append(ret_header, view_of(&ends[i]->sin_port, 2));
}

static void append_v6(const struct sockaddr_storage *source, const struct sockaddr_storage *target, struct buffer *ret_header)
{
	const struct sockaddr_in6 *ends[] = {(const struct sockaddr_in6 *)source, (const struct sockaddr_in6 *)target};

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		buffer_append(ret_header, view_of(&ends[i]->sin6_addr, 16));
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		buffer_append(ret_header, view_of(&ends[i]->sin6_port, 2));
}

static void append_start(uint8_t command, const struct family *family, struct buffer *ret_header)
{
	const uint8_t rest[] = {command, family->code, 0, (uint8_t)family->block_size};

	buffer_append(ret_header, view_of(signature, sizeof signature));
	buffer_append(ret_header, view_of(rest, sizeof rest));
}

void proxy_header_write(int fd, const struct sockaddr *peer, struct buffer *ret_header)
{
	struct sockaddr_storage source = {0}, target = {0};
	socklen_t size = sizeof target;

	if (getsockname(fd, (struct sockaddr *)&target, &size) != 0 || target.ss_family != peer->sa_family)
		target.ss_family = AF_UNSPEC;
	if (target.ss_family == AF_INET) {
		memcpy(&source, peer, sizeof(struct sockaddr_in));
		append_start(COMMAND_PROXY, family_of(FAMILY_TCP4), ret_header);
		append_v4(&source, &target, ret_header);
	} else if (target.ss_family == AF_INET6) {
		memcpy(&source, peer, sizeof(struct sockaddr_in6));
		append_start(COMMAND_PROXY, family_of(FAMILY_TCP6), ret_header);
		append_v6(&source, &target, ret_header);
	} else {
		append_start(COMMAND_LOCAL, family_of(FAMILY_NONE), ret_header);
	}
}

/* ---- reading ---- */

bool proxy_header_missing(struct view so_far, size_t *ret_missing, struct error *error)
{
	const struct family *family;
	size_t size;

	if (so_far.size > 0 && memcmp(so_far.data, signature, so_far.size < sizeof signature ? so_far.size : sizeof signature) != 0)
		return error_set(error, ERROR_INPUT, "not the signature of the PROXY protocol");
	*ret_missing = PROXY_HEADER_MIN_SIZE - so_far.size;
	if (so_far.size < PROXY_HEADER_MIN_SIZE)
		return true;
	family = family_of(so_far.data[13]);
	if ((so_far.data[12] != COMMAND_LOCAL && so_far.data[12] != COMMAND_PROXY) || !family)
		return error_set(error, ERROR_INPUT, "PROXY protocol: command 0x%02x, family 0x%02x", so_far.data[12],
				 so_far.data[13]);
	size = announced_size(so_far);
	if (size > PROXY_HEADER_MAX_SIZE - PROXY_HEADER_MIN_SIZE)
		return error_set(error, ERROR_INPUT, "PROXY protocol: a header of %zu bytes, at most %d are taken",
				 size + PROXY_HEADER_MIN_SIZE, PROXY_HEADER_MAX_SIZE);
	if (so_far.data[12] == COMMAND_PROXY && size < family->block_size)
		return error_set(error, ERROR_INPUT, "PROXY protocol: %zu bytes of addresses, %zu are needed", size,
				 family->block_size);
	*ret_missing = PROXY_HEADER_MIN_SIZE + size - so_far.size;
	return true;
}

void proxy_header_address(struct view header, char ret_address[PROXY_ADDRESS_SIZE])
{
	const struct family *family = family_of(header.data[13]);
	const uint8_t *block = header.data + PROXY_HEADER_MIN_SIZE;
	char text[INET6_ADDRSTRLEN];
	unsigned port;

	ret_address[0] = '\0';
	/* Of a LOCAL connection addresses mean nothing, even where there are some. */
	if (header.data[12] != COMMAND_PROXY || !family || family->number == AF_UNSPEC ||
	    !inet_ntop(family->number, block, text, sizeof text))
		return;
	port = (unsigned)block[2 * family->address_size] << 8 | block[2 * family->address_size + 1];
	(void)snprintf(ret_address, PROXY_ADDRESS_SIZE, family->number == AF_INET6 ? "[%s]:%u" : "%s:%u", text, port);
}
