// A C library for instances that live for one call: blocks are handed out from front to back, and all go with the
// instance.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGN = 16, PAGE = 65536 };

extern unsigned char __heap_base;
static uintptr_t next = (uintptr_t)&__heap_base;

// A block's size stands before it, for `realloc`.
void *malloc(size_t size) {
  if (size > SIZE_MAX / 2) return NULL;
  uintptr_t block = (next + sizeof(size_t) + ALIGN - 1) & ~(uintptr_t)(ALIGN - 1);
  uintptr_t after = block + size;
  size_t pages = __builtin_wasm_memory_size(0);
  if (after > pages * PAGE) {
    size_t more = (after - pages * PAGE + PAGE - 1) / PAGE;
    if (__builtin_wasm_memory_grow(0, more) == SIZE_MAX) return NULL;
  }
  ((size_t *)block)[-1] = size;
  next = after;
  return (void *)block;
}

void *realloc(void *block, size_t size) {
  size_t had = block == NULL ? 0 : ((size_t *)block)[-1];
  if (block != NULL && size <= had) return block;
  void *moved = malloc(size);
  if (moved != NULL && block != NULL) memcpy(moved, block, had);
  return moved;
}

void free(void *block) { (void)block; }

void abort(void) { __builtin_trap(); }

void *memcpy(void *restrict to, const void *restrict from, size_t size) {
  return __builtin_memcpy(to, from, size);
}

int memcmp(const void *one, const void *other, size_t size) {
  const unsigned char *a = one, *b = other;
  for (size_t at = 0; at < size; at++) {
    if (a[at] != b[at]) return a[at] < b[at] ? -1 : 1;
  }
  return 0;
}

size_t strlen(const char *text) {
  size_t length = 0;
  while (text[length] != 0) length++;
  return length;
}

// plugin.c asks for an object file that would describe the interface; `reprise plugin build` does it from the WIT files.
void __component_type_object_force_link_plugin(void) {}
