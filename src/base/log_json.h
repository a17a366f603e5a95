/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON form of a log line: one object of printable ASCII and a line end, in one line. Members are made of the text form's fields:
 * key=value or key="value", where \" and \\ stand for " and \. Decimal numbers without quotes are numbers. From the first place
 * that is no such field, and from a key on that was there before, all is one member "text": so what a peer says can neither
 * take the place of a member nor break the object.
 */
#pragma once

#include "base/log.h"

/* Less than PIPE_BUF, so that a pipe takes it whole; twice LOG_LINE_SIZE, for what is escaped. */
#define LOG_JSON_LINE_SIZE 2048

/* `fields` must be printable ASCII. Returns the size with the line end; what does not fit is cut. */
size_t log_json_format(char ret_line[LOG_JSON_LINE_SIZE], const struct log_origin *origin, const char *fields);
/* A key: a-z first, then a-z, 0-9 and _; at most 32. Returns its size, 0 when `text` begins with none. */
size_t log_json_key_size(const char *text);
/* Whether the value without quotes would be a number. */
bool log_json_is_number(const char *text, size_t size);
