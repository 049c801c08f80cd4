//===- FeaturesTest.cpp - Features of the CPU, against the kernel's list --===//

#include "runtime/TestModel.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>

using namespace mezzo;

namespace {

TEST(Features, None) {
  EXPECT_EQ(mezzo_rt_check_features(nullptr), MEZZO_OK);
  EXPECT_EQ(mezzo_rt_check_features(""), MEZZO_OK);
  EXPECT_EQ(mezzo_rt_check_features(","), MEZZO_OK);
}

TEST(Features, UnknownOnesStopTheModel) {
  for (const char *list : {"warp-drive", "+warp-drive", ",warp-drive,"}) {
    mezzo_module module = mezzo_test_module;
    module.required_features = list;
    OpenModel model(module);
    EXPECT_EQ(model.status, MEZZO_ERROR_CPU);
    EXPECT_EQ(model.model, nullptr);
    EXPECT_NE(model.error().find("'warp-drive'"), std::string::npos)
        << model.error();
    EXPECT_NE(model.error().find("--target"), std::string::npos);
    EXPECT_FALSE(mezzo_rt_cpu_has(list));
  }
}

#if defined(__x86_64__)
/// LLVM's name, Linux's name.
const std::pair<const char *, const char *> names[] = {
    {"sse", "sse"},
    {"sse2", "sse2"},
    {"sse3", "pni"},
    {"pclmul", "pclmulqdq"},
    {"ssse3", "ssse3"},
    {"fma", "fma"},
    {"cx16", "cx16"},
    {"sse4.1", "sse4_1"},
    {"sse4.2", "sse4_2"},
    {"movbe", "movbe"},
    {"popcnt", "popcnt"},
    {"aes", "aes"},
    {"avx", "avx"},
    {"f16c", "f16c"},
    {"bmi", "bmi1"},
    {"avx2", "avx2"},
    {"bmi2", "bmi2"},
    {"avx512f", "avx512f"},
    {"avx512dq", "avx512dq"},
    {"adx", "adx"},
    {"avx512ifma", "avx512ifma"},
    {"avx512cd", "avx512cd"},
    {"sha", "sha_ni"},
    {"avx512bw", "avx512bw"},
    {"avx512vl", "avx512vl"},
    {"avx512vbmi", "avx512vbmi"},
    {"avx512vbmi2", "avx512_vbmi2"},
    {"gfni", "gfni"},
    {"vaes", "vaes"},
    {"vpclmulqdq", "vpclmulqdq"},
    {"avx512vnni", "avx512_vnni"},
    {"avx512bitalg", "avx512_bitalg"},
    {"avx512vpopcntdq", "avx512_vpopcntdq"},
    {"avx512fp16", "avx512_fp16"},
    {"avxvnni", "avx_vnni"},
    {"avx512bf16", "avx512_bf16"},
    {"amx-tile", "amx_tile"},
    {"amx-int8", "amx_int8"},
    {"amx-bf16", "amx_bf16"},
    {"sahf", "lahf_lm"},
    {"lzcnt", "abm"},
    {"prfchw", "3dnowprefetch"},
};

TEST(Features, AgreeWithTheKernel) {
  std::ifstream file("/proc/cpuinfo");
  std::set<std::string> flags;
  for (std::string line; flags.empty() && std::getline(file, line);)
    if (line.compare(0, 5, "flags") == 0) {
      std::istringstream words(line.substr(line.find(':') + 1));
      for (std::string word; words >> word;)
        flags.insert(word);
    }
  if (flags.empty())
    GTEST_SKIP() << "no /proc/cpuinfo";
  std::string all;
  for (auto [ours, kernels] : names) {
    bool present = flags.count(kernels) != 0;
    EXPECT_EQ(mezzo_rt_cpu_has(ours) != 0, present) << ours;
    // Not asked for where missing; each missing one is named.
    if (present) {
      all += (all.empty() ? "" : ",") + std::string(ours);
      continue;
    }
    EXPECT_EQ(mezzo_rt_check_features(("sse2," + std::string(ours)).c_str()),
              MEZZO_ERROR_CPU);
    std::string message = mezzo_rt_last_error();
    EXPECT_NE(message.find("lacks '" + std::string(ours) + "'"),
              std::string::npos)
        << message;
  }
  EXPECT_EQ(mezzo_rt_check_features(all.c_str()), MEZZO_OK) << all;
}
#endif

} // namespace
