//===- features.c - Does this CPU have what the model needs? --------------===//
//
// A model compiled for AVX2 would die of SIGILL on a machine without it, in the
// middle of somebody's server. So the compiler lists what it used, by LLVM's
// names, and opening the model compares that with the CPU.
//
//===----------------------------------------------------------------------===//

#define _GNU_SOURCE
#include "runtime/runtime.h"

#include <string.h>

typedef enum { Unknown, Missing, Present } Answer;

static int same_name(const char *name, const char *text, size_t length) {
  return strlen(name) == length && memcmp(name, text, length) == 0;
}

#if defined(__x86_64__)
//===----------------------------------------------------------------------===//
// x86-64: CPUID says what the CPU has, XCR0 which registers the system saves
//===----------------------------------------------------------------------===//

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { Eax, Ebx, Ecx, Edx };

// Bits of XCR0: without the system's help the upper halves of registers would
// not survive a switch of threads.
enum { Any = 0, Ymm = 0x6, Zmm = 0xe6, Tiles = 0x60000 };

typedef struct Feature {
  const char *name;
  uint32_t leaf;
  uint8_t subleaf, word, bit;
  uint32_t state;
} Feature;

// Intel SDM, volume 2, CPUID; AMD APM, volume 3, appendix E, for 0x80000001.
static const Feature features[] = {
    {"sse", 1, 0, Edx, 25, Any},
    {"sse2", 1, 0, Edx, 26, Any},
    {"sse3", 1, 0, Ecx, 0, Any},
    {"pclmul", 1, 0, Ecx, 1, Any},
    {"ssse3", 1, 0, Ecx, 9, Any},
    {"fma", 1, 0, Ecx, 12, Ymm},
    {"cx16", 1, 0, Ecx, 13, Any},
    {"sse4.1", 1, 0, Ecx, 19, Any},
    {"sse4.2", 1, 0, Ecx, 20, Any},
    {"movbe", 1, 0, Ecx, 22, Any},
    {"popcnt", 1, 0, Ecx, 23, Any},
    {"aes", 1, 0, Ecx, 25, Any},
    {"avx", 1, 0, Ecx, 28, Ymm},
    {"f16c", 1, 0, Ecx, 29, Ymm},
    {"bmi", 7, 0, Ebx, 3, Any},
    {"avx2", 7, 0, Ebx, 5, Ymm},
    {"bmi2", 7, 0, Ebx, 8, Any},
    {"avx512f", 7, 0, Ebx, 16, Zmm},
    {"avx512dq", 7, 0, Ebx, 17, Zmm},
    {"adx", 7, 0, Ebx, 19, Any},
    {"avx512ifma", 7, 0, Ebx, 21, Zmm},
    {"avx512cd", 7, 0, Ebx, 28, Zmm},
    {"sha", 7, 0, Ebx, 29, Any},
    {"avx512bw", 7, 0, Ebx, 30, Zmm},
    {"avx512vl", 7, 0, Ebx, 31, Zmm},
    {"avx512vbmi", 7, 0, Ecx, 1, Zmm},
    {"avx512vbmi2", 7, 0, Ecx, 6, Zmm},
    {"gfni", 7, 0, Ecx, 8, Any},
    {"vaes", 7, 0, Ecx, 9, Ymm},
    {"vpclmulqdq", 7, 0, Ecx, 10, Ymm},
    {"avx512vnni", 7, 0, Ecx, 11, Zmm},
    {"avx512bitalg", 7, 0, Ecx, 12, Zmm},
    {"avx512vpopcntdq", 7, 0, Ecx, 14, Zmm},
    {"amx-bf16", 7, 0, Edx, 22, Tiles},
    {"avx512fp16", 7, 0, Edx, 23, Zmm},
    {"amx-tile", 7, 0, Edx, 24, Tiles},
    {"amx-int8", 7, 0, Edx, 25, Tiles},
    {"avxvnni", 7, 1, Eax, 4, Ymm},
    {"avx512bf16", 7, 1, Eax, 5, Zmm},
    {"amx-fp16", 7, 1, Eax, 21, Tiles},
    {"avxifma", 7, 1, Eax, 23, Ymm},
    {"avxvnniint8", 7, 1, Edx, 4, Ymm},
    {"avxneconvert", 7, 1, Edx, 5, Ymm},
    {"avxvnniint16", 7, 1, Edx, 10, Ymm},
    {"sahf", 0x80000001, 0, Ecx, 0, Any},
    {"lzcnt", 0x80000001, 0, Ecx, 5, Any},
    {"prfchw", 0x80000001, 0, Ecx, 8, Any},
};

/// XCR0, or 0 where the system does not use XSAVE.
static uint32_t saved_state(void) {
  uint32_t words[4] = {0, 0, 0, 0};
  if (!__get_cpuid(1, &words[Eax], &words[Ebx], &words[Ecx], &words[Edx]) ||
      !(words[Ecx] >> 27 & 1))
    return 0;
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  (void)high;
  return low;
}

/// Linux gives a process the 8 KiB of tile registers only when asked.
static int may_use_tiles(void) {
  const int arch_req_xcomp_perm = 0x1023, xfeature_xtiledata = 18;
  return syscall(SYS_arch_prctl, arch_req_xcomp_perm, xfeature_xtiledata) == 0;
}

static Answer ask(const char *text, size_t length) {
  for (size_t i = 0; i < sizeof features / sizeof features[0]; ++i) {
    const Feature *feature = &features[i];
    if (!same_name(feature->name, text, length))
      continue;
    uint32_t words[4] = {0, 0, 0, 0};
    if (!__get_cpuid_count(feature->leaf, feature->subleaf, &words[Eax],
                           &words[Ebx], &words[Ecx], &words[Edx]) ||
        !(words[feature->word] >> feature->bit & 1) ||
        (saved_state() & feature->state) != feature->state ||
        (feature->state == Tiles && !may_use_tiles()))
      return Missing;
    return Present;
  }
  return Unknown;
}

#elif defined(__aarch64__)
//===----------------------------------------------------------------------===//
// aarch64: the kernel says it in the auxiliary vector
//===----------------------------------------------------------------------===//

#include <sys/auxv.h>

typedef struct Feature {
  const char *name;
  uint8_t word; // 0: AT_HWCAP, 1: AT_HWCAP2
  uint8_t bit;
} Feature;

// Linux, arch/arm64/include/uapi/asm/hwcap.h.
static const Feature features[] = {
    {"fp-armv8", 0, 0}, {"neon", 0, 1},  {"aes", 0, 3},       {"sha2", 0, 6},
    {"crc", 0, 7},      {"lse", 0, 8},   {"fullfp16", 0, 10}, {"rdm", 0, 12},
    {"dotprod", 0, 20}, {"sve", 0, 22},  {"fp16fml", 0, 23},  {"sve2", 1, 1},
    {"i8mm", 1, 13},    {"bf16", 1, 14}, {"sme", 1, 23},
};

static Answer ask(const char *text, size_t length) {
  for (size_t i = 0; i < sizeof features / sizeof features[0]; ++i)
    if (same_name(features[i].name, text, length)) {
      unsigned long word = getauxval(features[i].word ? AT_HWCAP2 : AT_HWCAP);
      return word >> features[i].bit & 1 ? Present : Missing;
    }
  return Unknown;
}

#endif

/// Walks over "avx2,+fma,f16c" and stops at the first feature that is not
/// there, which it points out; Present if all are.
static Answer ask_all(const char *list, const char **name, size_t *length) {
  while (list && *list) {
    size_t size = strcspn(list, ",");
    *name = list[0] == '+' ? list + 1 : list;
    *length = size - (size_t)(*name - list);
    if (*length) {
      Answer answer = ask(*name, *length);
      if (answer != Present)
        return answer;
    }
    list += size + (list[size] == ',');
  }
  return Present;
}

int32_t mezzo_rt_cpu_has(const char *list) {
  const char *name;
  size_t length;
  return ask_all(list, &name, &length) == Present;
}

int32_t mezzo_rt_check_features(const char *list) {
  const char *name = "";
  size_t length = 0;
  switch (ask_all(list, &name, &length)) {
  case Present:
    return MEZZO_OK;
  case Missing:
    return mezzo_rt_error(
        MEZZO_ERROR_CPU,
        "this CPU lacks '%.*s', which the model was compiled for (%s); compile "
        "it again with a --target this machine has",
        (int)length, name, list);
  case Unknown:
    break;
  }
  return mezzo_rt_error(
      MEZZO_ERROR_CPU,
      "the model needs the CPU feature '%.*s', which is none of this machine's "
      "architecture; compile it again with a --target this machine has",
      (int)length, name);
}
