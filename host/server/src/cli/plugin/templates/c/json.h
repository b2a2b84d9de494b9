// A small reader of JSON, front to back:
//
//   json in = json_of(settings);
//   for (json_open(&in, '{'); json_more(&in, '}');) {
//     plugin_string_t key = json_key(&in);
//     …read the value with json_text, json_u32 or json_open…
//   }
//   if (!json_done(&in)) …it was no such JSON…
//
// After the first thing that is not as asked for `ok` is false, loops end, and values are empty.
#pragma once
#include "plugin.h"
#include <stdlib.h>

typedef struct {
  const uint8_t *at, *end;
  bool ok, first;
} json;

static inline json json_of(const plugin_string_t *text) {
  return (json){.at = text->ptr, .end = text->ptr + text->len, .ok = true, .first = true};
}

// The next byte that is no space; 0 at the end.
static inline uint8_t json_peek(json *in) {
  while (in->at < in->end && (*in->at == ' ' || *in->at == '\n' || *in->at == '\r' || *in->at == '\t')) in->at++;
  return in->ok && in->at < in->end ? *in->at : 0;
}

// Takes one byte, which must come next.
static inline void json_take(json *in, uint8_t wanted) {
  if (json_peek(in) != wanted) in->ok = false;
  else in->at++;
}

// Begins an object `{` or a list `[`.
static inline void json_open(json *in, uint8_t bracket) {
  json_take(in, bracket);
  in->first = true;
}

// Whether one more element follows; takes the comma before it, or the closing bracket.
static inline bool json_more(json *in, uint8_t bracket) {
  if (in->ok && json_peek(in) == bracket) {
    in->at++;
    in->first = false;
    return false;
  }
  if (!in->first) json_take(in, ',');
  in->first = false;
  return in->ok;
}

// Four hexadecimal digits.
static inline uint32_t json_hex(json *in) {
  uint32_t code = 0;
  for (int digit = 0; digit < 4; digit++) {
    uint8_t c = in->at < in->end ? *in->at++ : 0, low = c | 0x20;
    if (c >= '0' && c <= '9') code = code * 16 + (c - '0');
    else if (low >= 'a' && low <= 'f') code = code * 16 + (low - 'a' + 10);
    else in->ok = false;
  }
  return code;
}

static inline uint8_t *json_utf8(uint8_t *to, uint32_t code) {
  if (code < 0x80) return *to++ = code, to;
  if (code < 0x800) *to++ = 0xc0 | code >> 6;
  else {
    if (code < 0x10000) *to++ = 0xe0 | code >> 12;
    else *to++ = 0xf0 | code >> 18, *to++ = 0x80 | (code >> 12 & 0x3f);
    *to++ = 0x80 | (code >> 6 & 0x3f);
  }
  return *to++ = 0x80 | (code & 0x3f), to;
}

// A text. What it is written as is never shorter than what it stands for.
static inline plugin_string_t json_text(json *in) {
  json_take(in, '"');
  const uint8_t *closing = in->at;
  while (in->ok && closing < in->end && *closing != '"') {
    if (*closing++ == '\\' && closing < in->end) closing++;
  }
  if (closing == in->end) in->ok = false;
  if (!in->ok) return (plugin_string_t){0};
  uint8_t *text = malloc((size_t)(closing - in->at)), *to = text;
  if (text == NULL) abort();
  while (in->ok) {
    uint8_t c = in->at < in->end ? *in->at++ : 0;
    if (c == '"') return (plugin_string_t){.ptr = text, .len = (size_t)(to - text)};
    if (c < 0x20) in->ok = false;
    else if (c != '\\') *to++ = c;
    else {
      static const char written[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
      uint8_t escape = in->at < in->end ? *in->at++ : 0;
      size_t which = 0;
      while (written[which] != 0 && written[which] != escape) which++;
      if (written[which] != 0) *to++ = meant[which];
      else if (escape != 'u') in->ok = false;
      else {
        uint32_t code = json_hex(in);
        // A character beyond 16 bits is written as two halves.
        if (code >= 0xd800 && code < 0xdc00 && in->end - in->at > 6 && in->at[0] == '\\' && in->at[1] == 'u') {
          in->at += 2;
          uint32_t low = json_hex(in);
          if (low < 0xdc00 || low > 0xdfff) in->ok = false;
          code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        } else if (code >= 0xd800 && code <= 0xdfff) in->ok = false;
        if (in->ok) to = json_utf8(to, code);
      }
    }
  }
  return (plugin_string_t){0};
}

static inline plugin_string_t json_key(json *in) {
  plugin_string_t key = json_text(in);
  json_take(in, ':');
  return key;
}

// A whole number of 32 bits.
static inline uint32_t json_u32(json *in) {
  uint64_t number = 0;
  uint8_t c = json_peek(in);
  if (c < '0' || c > '9') in->ok = false;
  while (in->ok && in->at < in->end && *in->at >= '0' && *in->at <= '9') {
    number = number * 10 + (*in->at++ - '0');
    if (number > UINT32_MAX) in->ok = false;
  }
  if (in->ok && in->at < in->end && (*in->at == '.' || *in->at == 'e' || *in->at == 'E')) in->ok = false;
  return (uint32_t)number;
}

// Whether all was as asked for, and nothing follows.
static inline bool json_done(json *in) {
  json_peek(in);
  return in->ok && in->at == in->end;
}
