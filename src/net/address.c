/* SPDX-License-Identifier: Apache-2.0 */
#include "net/address.h"

#include <linux/vm_sockets.h>

static const struct {
	const char *prefix;
	enum address_kind kind;
} kinds[] = {
	{"vsock:", ADDRESS_VSOCK},
	{"unix:", ADDRESS_UNIX},
	{"tcp:", ADDRESS_TCP},
	{"hybrid:", ADDRESS_HYBRID},
};

/* The last colon divides the port from what comes before it, which may have colons itself. */
static bool split_port(struct view text, uint64_t max_port, struct view *ret_front, uint32_t *ret_port, struct error *error)
{
	size_t colon = text.size;
	uint64_t port;

	while (colon > 0 && text.data[colon - 1] != ':')
		colon--;
	if (colon == 0)
		return error_set(error, ERROR_INPUT, "no port");
	if (!u64_parse(view_of(text.data + colon, text.size - colon), &port) || port > max_port)
		return error_set(error, ERROR_INPUT, "the port is not a number from 0 to %llu", (unsigned long long)max_port);
	*ret_front = view_of(text.data, colon - 1);
	*ret_port = (uint32_t)port;
	return true;
}

static bool copy_text(struct view text, const char *what, char *ret_text, size_t size, struct error *error)
{
	if (text.size == 0)
		return error_set(error, ERROR_INPUT, "no %s", what);
	if (text.size >= size)
		return error_set(error, ERROR_INPUT, "the %s has %zu bytes, at most %zu are allowed", what, text.size, size - 1);
	memcpy(ret_text, text.data, text.size);
	ret_text[text.size] = 0;
	return true;
}

static bool parse_path(struct view text, struct address *address, struct error *error)
{
	if (!copy_text(text, "path", address->path, sizeof address->path, error))
		return false;
	if (text.data[text.size - 1] == '/')
		return error_set(error, ERROR_INPUT, "the path names a folder");
	return true;
}

static bool parse_vsock(struct view text, struct address *address, struct error *error)
{
	struct view cid_text;
	uint64_t cid;

	/* 2^32-1 means "any" for both numbers in the kernel; for a port it would not be an address that anybody can reach. */
	if (!split_port(text, UINT32_MAX - 1, &cid_text, &address->port, error))
		return false;
	if (view_equal_text(cid_text, "any")) {
		address->cid = VMADDR_CID_ANY;
		return true;
	}
	if (!u64_parse(cid_text, &cid) || cid >= UINT32_MAX)
		return error_set(error, ERROR_INPUT, "the CID is neither a number below 2^32-1 nor \"any\"");
	address->cid = (uint32_t)cid;
	return true;
}

static bool parse_hybrid(struct view text, struct address *address, struct error *error)
{
	struct view path;

	return split_port(text, UINT32_MAX - 1, &path, &address->port, error) && parse_path(path, address, error);
}

/* Letters, digits and the marks of names and numeric addresses (with a v6 zone); the resolver is asked about nothing else. */
static bool host_is_plausible(const char *host)
{
	for (; *host; host++) {
		bool letter_or_digit =
			(*host >= 'a' && *host <= 'z') || (*host >= 'A' && *host <= 'Z') || (*host >= '0' && *host <= '9');

		if (!letter_or_digit && !strchr(".-_:%", *host))
			return false;
	}
	return true;
}

static bool parse_tcp(struct view text, struct address *address, struct error *error)
{
	struct view host;
	bool bracketed;

	if (!split_port(text, UINT16_MAX, &host, &address->port, error))
		return false;
	bracketed = host.size >= 2 && host.data[0] == '[' && host.data[host.size - 1] == ']';
	if (bracketed)
		host = view_of(host.data + 1, host.size - 2);
	if (!copy_text(host, "host", address->host, sizeof address->host, error))
		return false;
	if (!bracketed && strchr(address->host, ':'))
		return error_set(error, ERROR_INPUT, "an IPv6 address belongs in brackets");
	if (bracketed && !strchr(address->host, ':'))
		return error_set(error, ERROR_INPUT, "brackets are for IPv6 addresses");
	if (!host_is_plausible(address->host))
		return error_set(error, ERROR_INPUT, "the host has characters that no host name has");
	return true;
}

static bool (*const parsers[])(struct view, struct address *, struct error *) = {
	[ADDRESS_VSOCK] = parse_vsock,
	[ADDRESS_UNIX] = parse_path,
	[ADDRESS_TCP] = parse_tcp,
	[ADDRESS_HYBRID] = parse_hybrid,
};

bool address_parse(const char *text, struct address *ret_address, struct error *error)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct address address = {.kind = kinds[i].kind};
		size_t prefix_size = strlen(kinds[i].prefix);

		if (strncmp(text, kinds[i].prefix, prefix_size) != 0)
			continue;
		if (!parsers[address.kind](view_of_text(text + prefix_size), &address, error))
			return error_prefix(error, "address \"%.200s\"", text);
		*ret_address = address;
		return true;
	}
	return error_set(error, ERROR_INPUT,
			 "address \"%.200s\": not one of vsock:CID:PORT, unix:PATH, tcp:HOST:PORT, hybrid:PATH:PORT", text);
}

void address_format(const struct address *address, char ret_text[ADDRESS_TEXT_SIZE])
{
	bool v6 = strchr(address->host, ':') != NULL;

	switch (address->kind) {
	case ADDRESS_VSOCK:
		if (address->cid == VMADDR_CID_ANY)
			(void)snprintf(ret_text, ADDRESS_TEXT_SIZE, "vsock:any:%u", address->port);
		if (address->cid != VMADDR_CID_ANY)
			(void)snprintf(ret_text, ADDRESS_TEXT_SIZE, "vsock:%u:%u", address->cid, address->port);
		return;
	case ADDRESS_UNIX:
		(void)snprintf(ret_text, ADDRESS_TEXT_SIZE, "unix:%s", address->path);
		return;
	case ADDRESS_TCP:
		(void)snprintf(ret_text, ADDRESS_TEXT_SIZE, v6 ? "tcp:[%s]:%u" : "tcp:%s:%u", address->host, address->port);
		return;
	case ADDRESS_HYBRID:
		(void)snprintf(ret_text, ADDRESS_TEXT_SIZE, "hybrid:%s:%u", address->path, address->port);
		return;
	}
}
