//===- ArenaTest.cpp - Scratch memory: aligned, apart, kept over runs -----===//

#include "runtime/runtime.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <thread>
#include <vector>

namespace {

struct Arena : mezzo_rt_arena {
  explicit Arena(uint64_t fixed_bytes = 0) {
    EXPECT_EQ(mezzo_rt_arena_create(this, fixed_bytes), MEZZO_OK);
  }
  ~Arena() { mezzo_rt_arena_destroy(this); }
};

bool aligned(const void *pointer) {
  return (uintptr_t)pointer % MEZZO_RT_ALIGNMENT == 0;
}

TEST(Arena, FixedPartIsAlignedAndZero) {
  for (uint64_t bytes : {1, 64, 100, 1 << 20}) {
    Arena arena(bytes);
    EXPECT_TRUE(aligned(arena.fixed));
    for (uint64_t i = 0; i < bytes; ++i)
      ASSERT_EQ(arena.fixed[i], 0);
    memset(arena.fixed, 1, bytes);
  }
  EXPECT_EQ(Arena(0).fixed, nullptr);
}

TEST(Arena, BuffersAreApartAndKeepTheirContents) {
  Arena arena;
  std::mt19937_64 random(2);
  for (int run = 0; run < 20; ++run) {
    struct Buffer {
      uint8_t *data;
      size_t size;
      uint8_t value;
    };
    std::vector<Buffer> buffers;
    for (int i = 0; i < 100; ++i) {
      size_t size = random() % (i % 10 ? 3000 : 100000);
      auto *data = (uint8_t *)mezzo_rt_arena_alloc(&arena, size);
      ASSERT_NE(data, nullptr);
      EXPECT_TRUE(aligned(data));
      memset(data, i, size);
      buffers.push_back({data, size, (uint8_t)i});
    }
    for (const Buffer &buffer : buffers)
      for (size_t i = 0; i < buffer.size; ++i)
        ASSERT_EQ(buffer.data[i], buffer.value);
    mezzo_rt_arena_reset(&arena);
  }
}

TEST(Arena, SecondRunReusesTheFirstOnesMemory) {
  Arena arena;
  auto run = [&] {
    std::vector<void *> pointers;
    for (int i = 0; i < 10; ++i)
      pointers.push_back(mezzo_rt_arena_alloc(&arena, 50000));
    mezzo_rt_arena_reset(&arena);
    return pointers;
  };
  run(); // needs several chunks, which then become one
  std::vector<void *> second = run();
  EXPECT_EQ(run(), second);
  EXPECT_EQ((uint8_t *)second[1] - (uint8_t *)second[0], 50048);
}

TEST(Arena, EmptyBuffersDiffer) {
  Arena arena;
  void *first = mezzo_rt_arena_alloc(&arena, 0);
  EXPECT_NE(first, nullptr);
  EXPECT_NE(first, mezzo_rt_arena_alloc(&arena, 0));
}

TEST(Arena, OutOfMemory) {
  Arena arena;
  for (uint64_t bytes : {UINT64_MAX, UINT64_MAX - 63, (uint64_t)1 << 56})
    EXPECT_EQ(mezzo_rt_arena_alloc(&arena, bytes), nullptr) << bytes;
  EXPECT_NE(mezzo_rt_arena_alloc(&arena, 10), nullptr) << "and it goes on";

  for (uint64_t bytes : {UINT64_MAX, (uint64_t)1 << 55}) {
    mezzo_rt_arena big;
    EXPECT_EQ(mezzo_rt_arena_create(&big, bytes), MEZZO_ERROR_OUT_OF_MEMORY);
    EXPECT_NE(strstr(mezzo_rt_last_error(), std::to_string(bytes).c_str()),
              nullptr);
    mezzo_rt_arena_destroy(&big);
  }
}

TEST(Arena, FrameSaysSo) {
  mezzo_rt_context context = {};
  ASSERT_EQ(mezzo_rt_arena_create(&context.arena, 0), MEZZO_OK);
  context.frame.context = &context;
  EXPECT_EQ(mezzo_rt_alloc(&context.frame, UINT64_MAX), nullptr);
  EXPECT_EQ(context.frame.error_code, MEZZO_ERROR_OUT_OF_MEMORY);
  EXPECT_NE(strstr(context.frame.error_message, "smaller"), nullptr);
  mezzo_rt_arena_destroy(&context.arena);
}

TEST(Arena, TasksMayAllocate) {
  Arena arena;
  std::vector<std::thread> threads;
  std::vector<std::vector<uint8_t *>> buffers(4);
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) {
        buffers[t].push_back((uint8_t *)mezzo_rt_arena_alloc(&arena, 500));
        memset(buffers[t].back(), t, 500);
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  for (int t = 0; t < 4; ++t)
    for (const uint8_t *buffer : buffers[t])
      for (int i = 0; i < 500; ++i)
        ASSERT_EQ(buffer[i], t);
}

} // namespace
