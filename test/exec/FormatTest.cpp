//===- FormatTest.cpp - products of every format, scale and offset --------===//
//
// Bit for bit (X0) with lib/Golden, as ProductTest.cpp does for integers: small
// floats, code books, scales and minima of every type on one level and two.
//
//===----------------------------------------------------------------------===//

#include "test/exec/Exec.h"
#include "test/exec/RandomProducts.h"

#include "lib/Golden/Compare.h"

using namespace mezzo;
using namespace mezzo::test;

namespace {

const std::vector<int64_t> allM{1, 3, 16, 37};

class Formats : public ::testing::Test {
protected:
  /// One model of all products, which have equally many columns.
  void check(llvm::ArrayRef<Product> products, ComputeMode mode,
             const std::string &what, const std::string &target = "x86-64-v3",
             llvm::ArrayRef<int64_t> ms = allM) {
    CompileOptions options;
    options.target = target;
    auto model =
        compileAndOpen(folder, options, 2, [&](mlir::MLIRContext &context) {
          return productModule(context, products, mode,
                               mlir::ShapedType::kDynamic);
        });
    ASSERT_TRUE(model) << what;
    int64_t k = products[0].weight.cols;
    for (int64_t m : ms) {
      std::vector<float> x = randomFloats(m * k, 1000 + m);
      std::vector<HostTensor> inputs{HostTensor::of(x, {m, k})};
      auto outputs = model->run(inputs);
      ASSERT_TRUE(bool(outputs)) << llvm::toString(outputs.takeError());
      for (auto [product, output] : llvm::zip_equal(products, *outputs)) {
        golden::Comparison same =
            golden::compareX0(output.floats(), expected(product, mode, x, m),
                              product.weight.rows);
        EXPECT_TRUE(same.ok) << what << ", " << product.weight.spec.str() << " "
                             << product.weight.rows << "x" << k << ", M = " << m
                             << ": " << same.message;
      }
    }
  }

  static std::vector<Product> products(llvm::ArrayRef<std::string> specs,
                                       int64_t n, int64_t k) {
    std::vector<Product> all;
    for (const std::string &spec : specs)
      all.push_back({randomMatrix(spec, n, k, all.size() + 3), {}});
    return all;
  }

  ScratchFolder folder;
};

/// All small floats with a name, and others at the edges: every kind of NaN and
/// infinity, no subnormals, no mantissa, exponents that a half does not hold.
const std::vector<std::string> smallFloats{"e2m1",
                                           "e3m2",
                                           "e2m3",
                                           "e4m3",
                                           "e4m3fn",
                                           "e4m3fnuz",
                                           "e5m2",
                                           "e5m2fnuz",
                                           "float<1,1,0,finite>",
                                           "float<2,0,1,finite>",
                                           "float<3,1,3,fn>",
                                           "float<2,2,1,ieee>",
                                           "float<3,3,3,fnuz>",
                                           "float<3,2,3,finite,nosub>",
                                           "float<5,1,15,finite>",
                                           "float<6,1,31,ieee>",
                                           "float<7,0,63,finite>",
                                           "float<4,3,-90,fn>",
                                           "float<4,3,125,fn>"};

TEST_F(Formats, SmallFloatsInModeFloat) {
  for (const std::string &format : smallFloats) {
    std::vector<Product> all =
        products({format + "/g32", format + "/ch:f16+zp:f32"}, 67, 96);
    // The codes themselves, in order: all of them, NaN and infinities too.
    QuantizedMatrix &w = all[0].weight;
    for (size_t i = 0; i < w.codes.size(); ++i)
      w.codes[i] = i % w.spec.format.numCodes();
    all[1].bias = randomFloats(67, 5);
    check(all, ComputeMode::Float, format);
  }
}

TEST_F(Formats, CodeBooksInModeFloat) {
  for (int bits = 1; bits <= 8; ++bits) {
    std::string format = "codebook" + std::to_string(bits);
    std::vector<Product> all =
        products({format + "/g32" + (bits % 2 ? "" : "+zp:f32")}, 67, 96);
    bool perRow = bits == 2 || bits == 4 || bits == 7;
    if (perRow) // a table for each row
      all.push_back({randomMatrix(format + "/g64", 40, 96, 7, true), {}});
    if (bits <= 4) { // entries that are their upper halves
      all.push_back({randomMatrix(format + "/g96", 40, 96, 8), {}});
      for (float &entry : all.back().weight.codebook)
        entry = roundToBF16(entry);
    }
    check(all, ComputeMode::Float, format, "x86-64-v3", {1, 3, 37});
  }
  check(products({"nf4/g64", "nf4/g32:e4m3^t:f32"}, 67, 131),
        ComputeMode::Float, "nf4");
}

TEST_F(Formats, WholeNumbersInModeInt) {
  check(products({"e2m1/g32", "e2m1/ch:f16+zp:f32", "e2m3/g64+min",
                  "e2m3/g32:bf16", "float<1,1,0,finite>/g32",
                  "float<2,0,1,finite>/g32", "float<2,2,1,finite>/ch"},
                 67, 96),
        ComputeMode::Int, "small floats");
  for (int bits = 1; bits <= 8; ++bits) {
    std::string format = "codebook" + std::to_string(bits);
    std::vector<Product> all =
        products({format + (bits % 2 ? "/g32" : "/ch")}, 67, 96);
    for (float &entry : all[0].weight.codebook)
      entry = std::ldexp(std::clamp<float>(std::rint(entry * 40), -128, 127),
                         bits % 3 ? -9 : 3);
    check(all, ComputeMode::Int, format, "x86-64-v3", {1, 3, 37});
  }
}

TEST_F(Formats, ScalesAndMinimaOfEveryType) {
  for (ComputeMode mode :
       {ComputeMode::Float, ComputeMode::Int, ComputeMode::Lut8}) {
    std::string what = stringifyComputeMode(mode).str();
    std::vector<std::string> specs;
    for (std::string scale : {"f32", "f16", "bf16", "e4m3", "e8m0"})
      specs.push_back("uint4/g32:" + scale);
    for (std::string minimum : {"f32", "f16", "bf16", "e4m3"})
      specs.push_back("uint4/g32:f16+min:" + minimum);
    specs.push_back("int3/ch+min");
    specs.push_back("odd2/t:bf16+min:f32");
    check(products(specs, 67, 131), mode, what);
  }
}

TEST_F(Formats, TwoLevels) {
  std::vector<std::string> specs;
  for (int bits = 2; bits <= 8; ++bits) {
    std::string n = std::to_string(bits);
    specs.push_back("uint4/g32:u" + n + "^g128:f16+min:i" + n + "^g128:bf16");
  }
  specs.push_back("int2/g16:i5^g64:f32+zp");
  for (std::string super : {"t:f32", "ch:f16", "g64:bf16", "g128:e4m3"})
    specs.push_back("int4/g32:e4m3^" + super);
  // One on two levels, the other on one.
  specs.push_back("uint3/g32:f16+min:u5^g64:f16");
  specs.push_back("uint3/g32:u5^ch:f16+min:f32");
  // Super-blocks and groups that do not divide the columns.
  check(products(specs, 67, 300), ComputeMode::Float, "float");
  llvm::erase_if(specs, [](const std::string &spec) {
    return llvm::StringRef(spec).contains("min:i2^") ||
           llvm::StringRef(spec).contains("min:i4^") ||
           llvm::StringRef(spec).contains("min:i5^") ||
           llvm::StringRef(spec).contains("min:i7^");
  });
  check(products(specs, 24, 40), ComputeMode::Int, "int, short rows");
  check(products(specs, 67, 300), ComputeMode::Lut8, "lut8");
}

/// The block formats of GGUF and of microscaling.
TEST_F(Formats, BlockFormats) {
  std::vector<std::string> any{"uint2/g16:u4^g256:f16+min:u4^g256:f16", // Q2_K
                               "uint3/g16:i6^g256:f16+zp",              // Q3_K
                               "uint4/g32:u6^g256:f16+min:u6^g256:f16", // Q4_K
                               "uint4/g32:f16+zp",
                               "uint4/g32:f16+min"}; // Q4_0, Q4_1
  std::vector<std::string> wide{"uint5/g32:u6^g256:f16+min:u6^g256:f16", // Q5_K
                                "uint6/g16:i8^g256:f16+zp",
                                "int8/g32:f16", // Q6_K, Q8_0
                                "e2m1/g32:e8m0",
                                "e2m1/g16:e4m3^t:f32",
                                "e2m3/g32:e8m0"};
  std::vector<std::string> real{"e3m2/g32:e8m0", "e4m3fn/g32:e8m0",
                                "e5m2/g32:e8m0"};
  check(products(any, 67, 512), ComputeMode::Lut8, "lut8", "x86-64-v3",
        {1, 37});
  std::vector<std::string> all = any;
  llvm::append_range(all, wide);
  check(products(all, 67, 512), ComputeMode::Int, "int", "x86-64-v3", {1, 37});
  llvm::append_range(all, real);
  check(products(all, 130, 576), ComputeMode::Float, "float");
  check(products({any[0], wide[0], wide[4], real[1], "nf4/g64"}, 67, 512),
        ComputeMode::Float, "definitions", "x86-64-v3+generic", {1, 3});
}

} // namespace
