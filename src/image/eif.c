/* SPDX-License-Identifier: Apache-2.0 */
#include "image/eif.h"

#include <zlib.h>

#define FLAG_AARCH64 0x0001
#define SECTION_HEADER_SIZE 12u
/* What nitro-cli writes, and nobody reads. */
#define DEFAULT_MEMORY (UINT64_C(1) << 30)
#define DEFAULT_CPUS 2

/* Where things are in the file's header. */
#define AT_VERSION 0x004
#define AT_FLAGS 0x006
#define AT_DEFAULT_MEMORY 0x008
#define AT_DEFAULT_CPUS 0x010
#define AT_RESERVED 0x018
#define AT_SECTION_COUNT 0x01a
#define AT_OFFSETS 0x01c
#define AT_SIZES 0x11c
#define AT_UNUSED 0x21c
#define AT_CRC 0x220
#define HEADER_SIZE 0x224u

static const uint8_t magic[] = {'.', 'e', 'i', 'f'};

/* How often a section may be there, and how large it may be. */
static const struct section_rule {
	const char *name;
	size_t min_count, max_count, max_size;
} rules[] = {
	[EIF_SECTION_KERNEL] = {"kernel", 1, 1, EIF_MAX_SIZE},
	[EIF_SECTION_CMDLINE] = {"cmdline", 1, 1, MACHINE_COMMAND_LINE_MAX_SIZE},
	[EIF_SECTION_RAMDISK] = {"ramdisk", 1, EIF_SECTIONS_MAX, EIF_MAX_SIZE},
	[EIF_SECTION_SIGNATURE] = {"signature", 0, 1, EIF_SIGNATURE_MAX_SIZE},
	[EIF_SECTION_METADATA] = {"metadata", 0, 1, EIF_METADATA_MAX_SIZE},
};

static uint16_t load_be16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static uint64_t load_be64(const uint8_t *bytes)
{
	return (uint64_t)load_be32(bytes) << 32 | load_be32(bytes + 4);
}

static void store_be16(uint8_t *bytes, uint16_t value)
{
	bytes[0] = (uint8_t)(value >> 8);
	bytes[1] = (uint8_t)value;
}

static void store_be64(uint8_t *bytes, uint64_t value)
{
	store_be32(bytes, (uint32_t)(value >> 32));
	store_be32(bytes + 4, (uint32_t)value);
}

struct eif eif_new(bool is_aarch64)
{
	return (struct eif){
		.version = EIF_VERSION,
		.is_aarch64 = is_aarch64,
		.default_memory = DEFAULT_MEMORY,
		.default_cpus = DEFAULT_CPUS,
	};
}

const char *eif_section_name(unsigned type)
{
	return type < ARRAY_SIZE(rules) ? rules[type].name : NULL;
}

const struct eif_section *eif_find(const struct eif *eif, enum eif_section_type type)
{
	for (size_t i = 0; i < eif->section_count; i++) {
		if (eif->sections[i].type == type)
			return &eif->sections[i];
	}
	return NULL;
}

bool eif_add(struct eif *eif, enum eif_section_type type, struct view data, struct error *error)
{
	if (eif->section_count == EIF_SECTIONS_MAX)
		return error_set(error, ERROR_INPUT, "%s: more than %d sections", eif_section_name(type), EIF_SECTIONS_MAX);
	eif->sections[eif->section_count++] = (struct eif_section){.type = type, .data = data};
	return true;
}

void eif_remove(struct eif *eif, enum eif_section_type type)
{
	size_t kept = 0;

	for (size_t i = 0; i < eif->section_count; i++) {
		if (eif->sections[i].type != type)
			eif->sections[kept++] = eif->sections[i];
	}
	eif->section_count = kept;
}

static bool check_cmdline(struct view cmdline, struct error *error)
{
	for (size_t i = 0; i < cmdline.size; i++) {
		if (cmdline.data[i] < ' ' || cmdline.data[i] > '~')
			return error_set(error, ERROR_INPUT, "cmdline: byte %zu is 0x%02x, not printable ASCII", i,
					 cmdline.data[i]);
	}
	return true;
}

/* What the format says of the sections together. */
static bool check_sections(const struct eif *eif, struct error *error)
{
	size_t counts[ARRAY_SIZE(rules)] = {0};

	for (size_t i = 0; i < eif->section_count; i++) {
		const struct eif_section *section = &eif->sections[i];
		const struct section_rule *rule = &rules[section->type];

		if (++counts[section->type] > rule->max_count)
			return error_set(error, ERROR_INPUT, "%s: there twice", rule->name);
		if (section->data.size == 0 && section->type != EIF_SECTION_CMDLINE)
			return error_set(error, ERROR_INPUT, "%s: empty", rule->name);
		if (section->data.size > rule->max_size)
			return error_set(error, ERROR_INPUT, "%s: larger than %zu bytes", rule->name, rule->max_size);
		if (section->type == EIF_SECTION_RAMDISK && counts[EIF_SECTION_KERNEL] == 0)
			return error_set(error, ERROR_INPUT, "ramdisk: before the kernel");
		if (section->type == EIF_SECTION_CMDLINE && !check_cmdline(section->data, error))
			return false;
	}
	for (size_t type = EIF_SECTION_KERNEL; type < ARRAY_SIZE(rules); type++) {
		if (counts[type] < rules[type].min_count)
			return error_set(error, ERROR_INPUT, "%s: missing", rules[type].name);
	}
	if (eif->version >= EIF_VERSION && counts[EIF_SECTION_METADATA] == 0)
		return error_set(error, ERROR_INPUT, "metadata: missing");
	return true;
}

/* Of everything but the CRC itself, which stands at the header's end: so the sections come right behind. */
static uint32_t compute_crc(struct view file)
{
	uLong crc = crc32_z(0, file.data, AT_CRC);

	return (uint32_t)crc32_z(crc, file.data + HEADER_SIZE, file.size - HEADER_SIZE);
}

static bool read_header(struct view bytes, struct eif *eif, struct error *error)
{
	const uint8_t *header = bytes.data;

	if (bytes.size < HEADER_SIZE || memcmp(header, magic, sizeof magic) != 0)
		return error_set(error, ERROR_INPUT, "magic: not an enclave image");
	if (bytes.size > EIF_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "larger than %u bytes", EIF_MAX_SIZE);
	eif->version = load_be16(header + AT_VERSION);
	if (eif->version < EIF_VERSION_OLDEST || eif->version > EIF_VERSION)
		return error_set(error, ERROR_INPUT, "version: %u, not %d to %d", eif->version, EIF_VERSION_OLDEST, EIF_VERSION);
	if (load_be16(header + AT_FLAGS) & ~FLAG_AARCH64)
		return error_set(error, ERROR_INPUT, "flags: 0x%04x, of which only 0x%04x is known", load_be16(header + AT_FLAGS),
				 FLAG_AARCH64);
	eif->is_aarch64 = (load_be16(header + AT_FLAGS) & FLAG_AARCH64) != 0;
	eif->default_memory = load_be64(header + AT_DEFAULT_MEMORY);
	eif->default_cpus = load_be64(header + AT_DEFAULT_CPUS);
	if (load_be16(header + AT_RESERVED) != 0 || load_be32(header + AT_UNUSED) != 0)
		return error_set(error, ERROR_INPUT, "reserved: not zero");
	eif->crc = load_be32(header + AT_CRC);
	return true;
}

static bool read_section(struct view bytes, size_t index, size_t *offset, struct eif *eif, struct error *error)
{
	const uint64_t table_offset = load_be64(bytes.data + AT_OFFSETS + 8 * index);
	const uint64_t table_size = load_be64(bytes.data + AT_SIZES + 8 * index);
	const uint8_t *header = bytes.data + *offset;
	uint16_t type;

	if (table_offset != *offset)
		return error_set(error, ERROR_INPUT, "section_offsets[%zu]: %llu, but the section before ends at %zu", index,
				 (unsigned long long)table_offset, *offset);
	if (bytes.size - *offset < SECTION_HEADER_SIZE || table_size > bytes.size - *offset - SECTION_HEADER_SIZE)
		return error_set(error, ERROR_INPUT, "section_sizes[%zu]: beyond the end of the file", index);
	type = load_be16(header);
	if (type == EIF_SECTION_INVALID || type >= ARRAY_SIZE(rules))
		return error_set(error, ERROR_INPUT, "section %zu: type %u, which does not exist", index, type);
	if (load_be16(header + 2) != 0)
		return error_set(error, ERROR_INPUT, "section %zu: flags 0x%04x, not 0", index, load_be16(header + 2));
	if (load_be64(header + 4) != table_size)
		return error_set(error, ERROR_INPUT, "section %zu: size %llu, but %llu in section_sizes", index,
				 (unsigned long long)load_be64(header + 4), (unsigned long long)table_size);
	*offset += SECTION_HEADER_SIZE;
	if (!eif_add(eif, (enum eif_section_type)type, view_of(bytes.data + *offset, (size_t)table_size), error))
		return false;
	*offset += (size_t)table_size;
	return true;
}

static bool read_sections(struct view bytes, struct eif *eif, struct error *error)
{
	const uint16_t count = load_be16(bytes.data + AT_SECTION_COUNT);
	size_t offset = HEADER_SIZE;

	if (count > EIF_SECTIONS_MAX)
		return error_set(error, ERROR_INPUT, "num_sections: %u, more than %d", count, EIF_SECTIONS_MAX);
	for (size_t i = 0; i < EIF_SECTIONS_MAX; i++) {
		if (i < count) {
			if (!read_section(bytes, i, &offset, eif, error))
				return false;
			continue;
		}
		if (load_be64(bytes.data + AT_OFFSETS + 8 * i) != 0 || load_be64(bytes.data + AT_SIZES + 8 * i) != 0)
			return error_set(error, ERROR_INPUT, "section_offsets[%zu]: not zero, and there are %u sections", i, count);
	}
	if (offset != bytes.size)
		return error_set(error, ERROR_INPUT, "%zu bytes behind the last section", bytes.size - offset);
	return true;
}

bool eif_read(struct view bytes, struct eif *ret_eif, struct error *error)
{
	struct eif eif = {0};

	if (!read_header(bytes, &eif, error) || !read_sections(bytes, &eif, error) || !check_sections(&eif, error))
		return false;
	eif.computed_crc = compute_crc(bytes);
	*ret_eif = eif;
	return true;
}

static void fill_header(const struct eif *eif, uint8_t header[HEADER_SIZE])
{
	uint64_t offset = HEADER_SIZE;

	memcpy(header, magic, sizeof magic);
	store_be16(header + AT_VERSION, eif->version);
	store_be16(header + AT_FLAGS, eif->is_aarch64 ? FLAG_AARCH64 : 0);
	store_be64(header + AT_DEFAULT_MEMORY, eif->default_memory);
	store_be64(header + AT_DEFAULT_CPUS, eif->default_cpus);
	store_be16(header + AT_SECTION_COUNT, (uint16_t)eif->section_count);
	for (size_t i = 0; i < eif->section_count; i++) {
		store_be64(header + AT_OFFSETS + 8 * i, offset);
		store_be64(header + AT_SIZES + 8 * i, eif->sections[i].data.size);
		offset += SECTION_HEADER_SIZE + eif->sections[i].data.size;
	}
}

bool eif_write(const struct eif *eif, struct buffer *ret_bytes, struct error *error)
{
	const size_t start = ret_bytes->size;
	uint8_t header[HEADER_SIZE] = {0};
	struct eif check;

	fill_header(eif, header);
	buffer_append(ret_bytes, view_of(header, sizeof header));
	for (size_t i = 0; i < eif->section_count; i++) {
		uint8_t section[SECTION_HEADER_SIZE] = {0};

		store_be16(section, (uint16_t)eif->sections[i].type);
		store_be64(section + 4, eif->sections[i].data.size);
		buffer_append(ret_bytes, view_of(section, sizeof section));
		buffer_append(ret_bytes, eif->sections[i].data);
	}
	store_be32(ret_bytes->data + start + AT_CRC, compute_crc(view_of(ret_bytes->data + start, ret_bytes->size - start)));
	if (eif_read(view_of(ret_bytes->data + start, ret_bytes->size - start), &check, error))
		return true;
	ret_bytes->size = start;
	return false;
}
