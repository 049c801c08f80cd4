//===- ActivationTest.cpp - every kind of activations of mode `int` -------===//
//
// Static and dynamic codes, signed and unsigned, with and without a zero point,
// and scales for blocks of a row, against lib/Golden bit for bit, over the
// grid of ProductTest.cpp.
//
//===----------------------------------------------------------------------===//

#include "test/exec/Exec.h"
#include "test/exec/RandomProducts.h"

#include "lib/Golden/Compare.h"

using namespace mezzo;
using namespace mezzo::test;

namespace {

using Kind = ActivationSpec::Kind;

struct NamedSpec {
  const char *name;
  ActivationSpec spec;
};

/// Static scales are small enough that codes saturate at both ends: -128 occurs
/// often, which no dynamic code is.
const NamedSpec specs[] = {
    {"static_int8", {Kind::Static, 0, "int8", 0.011f, 0}},
    {"static_int8_zp", {Kind::Static, 0, "int8", 0.013f, -37}},
    {"static_uint8", {Kind::Static, 0, "uint8", 0.012f, 0}},
    {"static_uint8_zp", {Kind::Static, 0, "uint8", 0.016f, 93}},
    {"static_uint8_mid", {Kind::Static, 0, "uint8", 0.016f, 128}},
    {"static_uint4_zp", {Kind::Static, 0, "uint4", 0.25f, 7}},
    {"dynamic_uint8", {Kind::Dynamic}},
    {"block_32", {Kind::Int8, 32}},
    {"block_96", {Kind::Int8, 96}},
};

class Activations : public ::testing::TestWithParam<NamedSpec> {
protected:
  void run(llvm::ArrayRef<Product> products, CompileOptions options = {},
           int threads = 2, llvm::ArrayRef<int64_t> ms = {1, 3, 16, 37}) {
    const ActivationSpec &spec = GetParam().spec;
    options.target = options.target == "native" ? "x86-64-v3" : options.target;
    auto model = compileAndOpen(
        folder, options, threads, [&](mlir::MLIRContext &context) {
          return productModule(context, products, ComputeMode::Int,
                               mlir::ShapedType::kDynamic, spec);
        });
    ASSERT_TRUE(model);
    int64_t k = products[0].weight.cols;
    for (int64_t m : ms) {
      std::vector<float> x = randomFloats(m * k, 1000 + m);
      std::vector<HostTensor> inputs{HostTensor::of(x, {m, k})};
      auto outputs = model->run(inputs);
      ASSERT_TRUE(bool(outputs)) << llvm::toString(outputs.takeError());
      for (auto [product, output] : llvm::zip_equal(products, *outputs)) {
        golden::Comparison comparison = golden::compareX0(
            output.floats(), expected(product, ComputeMode::Int, x, m, spec),
            product.weight.rows);
        EXPECT_TRUE(comparison.ok)
            << product.weight.spec.str() << " " << product.weight.rows << "x"
            << k << ", M = " << m << ": " << comparison.message;
      }
    }
  }

  /// Whether the weight's groups and the activations' blocks fit each other.
  bool fits(llvm::StringRef weight, int64_t k) const {
    int64_t block = GetParam().spec.block;
    QuantSpec spec = llvm::cantFail(QuantSpec::parse(weight));
    int64_t group =
        spec.group.kind == Group::Kind::Block ? spec.group.length : k;
    return block == 0 || group >= k || block % group == 0 || group % block == 0;
  }

  std::vector<Product> products(llvm::ArrayRef<const char *> weights, int64_t n,
                                int64_t k) const {
    std::vector<Product> result;
    for (const char *weight : weights)
      if (fits(weight, k))
        result.push_back(
            {randomMatrix(weight, n, k, result.size() + 31),
             result.size() % 2 ? randomFloats(n, 5) : std::vector<float>()});
    return result;
  }

  ScratchFolder folder;
};

INSTANTIATE_TEST_SUITE_P(Kinds, Activations, ::testing::ValuesIn(specs),
                         [](const ::testing::TestParamInfo<NamedSpec> &info) {
                           return std::string(info.param.name);
                         });

/// Every width, and every offset; over all kinds, every one with every other.
TEST_P(Activations, EveryWidthEveryOffset) {
  size_t kind = 0;
  for (const NamedSpec &spec : specs)
    if (llvm::StringRef(spec.name) == GetParam().name)
      kind = &spec - specs;
  const char *offsets[] = {"", "+zp", "+zp:f32"};
  std::vector<std::string> weights;
  for (int bits = 1; bits <= 8; ++bits)
    weights.push_back((bits % 2 ? "int" : "uint") + std::to_string(bits) +
                      (bits % 3 ? "/g32" : "/ch") + offsets[(bits + kind) % 3]);
  weights.push_back(std::string("int8/g96") + offsets[kind % 3]);
  weights.push_back(std::string("odd3/g96") + offsets[(kind + 1) % 3]);
  std::vector<const char *> texts;
  for (const std::string &text : weights)
    texts.push_back(text.c_str());
  run(products(texts, 67, 192));
}

TEST_P(Activations, OddShapes) {
  run(products({"uint4/g128:bf16+zp", "int8/t"}, 5, 7), {}, 1, {1, 3});
  run(products({"int4/g32:f16", "uint8/ch+zp"}, 65, 131));
}

TEST_P(Activations, PermutedColumns) {
  std::vector<Product> both = products({"uint4/g32+zp", "int2/ch"}, 48, 96);
  if (both.empty())
    GTEST_SKIP() << "groups and blocks do not fit";
  QuantizedMatrix &weight = both[0].weight;
  weight.permutation.resize(96);
  std::iota(weight.permutation.begin(), weight.permutation.end(), 0);
  std::shuffle(weight.permutation.begin(), weight.permutation.end(),
               std::mt19937(1));
  run(both);
}

/// 255 by -128 over many columns: what a saturating instruction gets wrong.
TEST_P(Activations, LongRowsOfExtremeCodes) {
  std::vector<Product> wide = products({"uint8/ch", "int8/ch+zp"}, 24, 4096);
  for (Product &product : wide)
    for (size_t i = 0; i < product.weight.codes.size(); ++i)
      product.weight.codes[i] = product.weight.spec.format.rawOf(
          i % 5 ? product.weight.spec.format.maxValue()
                : product.weight.spec.format.minValue());
  run(wide, {}, 1, {1, 5});
}

TEST_P(Activations, TilesThreadsAndDefinitionsAgree) {
  std::vector<Product> some = products({"uint4/g32+zp", "int8/t"}, 130, 192);
  CompileOptions tiled;
  tiled.config = "rows=3,groups=1,block=16,chunk=0";
  run(some, tiled, 3, {1, 37});
  CompileOptions generic;
  generic.target = "x86-64-v3+generic";
  run(some, generic, 1, {1, 37});
}

} // namespace
