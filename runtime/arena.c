//===- arena.c - The scratch memory of a context --------------------------===//
//
// Buffers whose size the compiler knows lie at planned offsets in one block.
// The others are bumped off chunks, and all freed at once when the run ends:
//
//   run 1:  [chunk 64 KiB | a b c]  c did not fit: [chunk 128 KiB | d e f]
//   reset:  several chunks were needed, so free them and remember 192 KiB
//   run 2:  [chunk 192 KiB | a b c d e f]         from now on nothing is
//   malloced
//
//===----------------------------------------------------------------------===//

#include "runtime/runtime.h"

#include <stdlib.h>

typedef struct mezzo_rt_chunk {
  struct mezzo_rt_chunk *older;
  uint8_t *data; // 64-byte aligned, behind this header
  uint64_t size, used;
} Chunk;

static const uint64_t first_chunk_bytes = 64 * 1024;

// Far above any machine, far below overflow in the sums below.
static const uint64_t most_bytes = (uint64_t)1 << 56;

static uint64_t align_up(uint64_t value) {
  return (value + MEZZO_RT_ALIGNMENT - 1) & ~(uint64_t)(MEZZO_RT_ALIGNMENT - 1);
}

static uint8_t *align_pointer(void *pointer) {
  return (uint8_t *)pointer +
         (align_up((uintptr_t)pointer) - (uintptr_t)pointer);
}

int32_t mezzo_rt_arena_create(mezzo_rt_arena *arena, uint64_t fixed_bytes) {
  arena->fixed = NULL;
  arena->fixed_memory = NULL;
  arena->chunks = NULL;
  arena->next_bytes = first_chunk_bytes;
  pthread_mutex_init(&arena->lock, NULL);
  if (fixed_bytes) {
    // calloc: what is large comes as untouched zero pages from the system.
    if (fixed_bytes <= most_bytes)
      arena->fixed_memory = calloc(1, fixed_bytes + MEZZO_RT_ALIGNMENT);
    if (!arena->fixed_memory)
      return mezzo_rt_error(
          MEZZO_ERROR_OUT_OF_MEMORY,
          "out of memory: a context of this model needs %llu bytes; use fewer "
          "contexts, or compile with smaller dimensions",
          (unsigned long long)fixed_bytes);
    arena->fixed = align_pointer(arena->fixed_memory);
  }
  return MEZZO_OK;
}

static void free_chunks(mezzo_rt_arena *arena) {
  while (arena->chunks) {
    Chunk *chunk = arena->chunks;
    arena->chunks = chunk->older;
    free(chunk);
  }
}

void mezzo_rt_arena_destroy(mezzo_rt_arena *arena) {
  free_chunks(arena);
  free(arena->fixed_memory);
  pthread_mutex_destroy(&arena->lock);
}

static Chunk *add_chunk(mezzo_rt_arena *arena, uint64_t size) {
  Chunk *chunk =
      (Chunk *)malloc(align_up(sizeof(Chunk)) + size + MEZZO_RT_ALIGNMENT);
  if (!chunk)
    return NULL;
  chunk->older = arena->chunks;
  chunk->data = align_pointer(chunk + 1);
  chunk->size = size;
  chunk->used = 0;
  arena->chunks = chunk;
  return chunk;
}

void *mezzo_rt_arena_alloc(mezzo_rt_arena *arena, uint64_t bytes) {
  if (bytes > most_bytes)
    return NULL;
  // Two empty buffers are two buffers.
  bytes = align_up(bytes ? bytes : 1);

  pthread_mutex_lock(&arena->lock);
  Chunk *chunk = arena->chunks;
  if (!chunk || chunk->size - chunk->used < bytes) {
    uint64_t size = bytes > arena->next_bytes ? bytes : arena->next_bytes;
    chunk = add_chunk(arena, size);
    if (!chunk && size > bytes)
      chunk = add_chunk(arena, size = bytes);
    // Doubling keeps the number of chunks logarithmic.
    if (chunk && size <= most_bytes / 2)
      arena->next_bytes = 2 * size;
  }
  uint8_t *memory = NULL;
  if (chunk) {
    memory = chunk->data + chunk->used;
    chunk->used += bytes;
  }
  pthread_mutex_unlock(&arena->lock);
  return memory;
}

void mezzo_rt_arena_reset(mezzo_rt_arena *arena) {
  if (!arena->chunks)
    return;
  if (!arena->chunks->older) {
    arena->chunks->used = 0;
    return;
  }
  uint64_t total = 0;
  for (Chunk *chunk = arena->chunks; chunk; chunk = chunk->older)
    total += chunk->used;
  free_chunks(arena);
  arena->next_bytes = align_up(total);
}
