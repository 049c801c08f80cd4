//===- ProductTest.cpp - quantized products against the scalar programs ---===//
//
// Every compiled product is compared bit for bit (X0) with lib/Golden, over the
// grid of docs/numbers.md: M in {1, 3, 16, 37}, N and K including primes and
// non-multiples of tile and group, all groups, all offsets, negative scales, 1
// to 8 bits. Outputs are poisoned before each run (LoadedModel::run).
//
//===----------------------------------------------------------------------===//

#include "test/exec/Exec.h"
#include "test/exec/RandomProducts.h"

#include "lib/Golden/Compare.h"
#include "targets/Target.h"

using namespace mezzo;
using namespace mezzo::test;

namespace {

/// Runs every product of a compiled model for every M and compares with the
/// reference.
void check(LoadedModel &model, llvm::ArrayRef<Product> products,
           ComputeMode mode, llvm::ArrayRef<int64_t> ms,
           const std::string &what) {
  int64_t k = products[0].weight.cols;
  for (int64_t m : ms) {
    std::vector<float> x = randomFloats(m * k, 1000 + m);
    std::vector<HostTensor> inputs{HostTensor::of(x, {m, k})};
    auto outputs = model.run(inputs);
    ASSERT_TRUE(bool(outputs)) << llvm::toString(outputs.takeError());
    for (auto [product, output] : llvm::zip_equal(products, *outputs)) {
      golden::Comparison comparison = golden::compareX0(
          output.floats(), expected(product, mode, x, m), product.weight.rows);
      EXPECT_TRUE(comparison.ok) << what << ", " << product.weight.spec.str()
                                 << " " << product.weight.rows << "x" << k
                                 << ", M = " << m << ": " << comparison.message;
    }
  }
}

const std::vector<int64_t> allM{1, 3, 16, 37};

/// Those that the mode computes with.
std::vector<std::string> integerFormats(ComputeMode mode) {
  std::vector<std::string> names;
  int most = mode == ComputeMode::Lut8 ? 4 : 8;
  for (int bits = 1; bits <= most; ++bits)
    for (const char *kind : {"int", "uint", "odd"})
      names.push_back(kind + std::to_string(bits));
  names.push_back("ternary");
  return names;
}

struct Shape {
  int64_t n, k;
};

class ProductGrid : public ::testing::TestWithParam<ComputeMode> {
protected:
  void run(llvm::ArrayRef<Product> products, const std::string &what,
           CompileOptions options = {}, int threads = 2,
           llvm::ArrayRef<int64_t> ms = allM) {
    options.target = options.target == "native" ? "x86-64-v3" : options.target;
    auto model = compileAndOpen(
        folder, options, threads, [&](mlir::MLIRContext &context) {
          return productModule(context, products, GetParam(),
                               mlir::ShapedType::kDynamic);
        });
    ASSERT_TRUE(model) << what;
    check(*model, products, GetParam(), ms, what);
  }
  /// Specs of all widths, or of narrow ones where the mode has tables.
  static std::vector<const char *> specs(std::vector<const char *> all,
                                         std::vector<const char *> narrow) {
    return GetParam() == ComputeMode::Lut8 ? narrow : all;
  }
  ScratchFolder folder;
};

std::string modeName(const ::testing::TestParamInfo<ComputeMode> &info) {
  return stringifyComputeMode(info.param).str();
}

INSTANTIATE_TEST_SUITE_P(Modes, ProductGrid,
                         ::testing::Values(ComputeMode::Float, ComputeMode::Int,
                                           ComputeMode::Lut8),
                         modeName);

TEST_P(ProductGrid, EveryFormatEveryOffset) {
  for (const std::string &format : integerFormats(GetParam())) {
    std::vector<Product> products;
    for (const char *offset : {"", "+zp", "+zp:f32"})
      for (const char *group : {"g32", "ch"})
        products.push_back({randomMatrix(format + "/" + group + offset, 67, 96,
                                         products.size() + 7),
                            {}});
    products.push_back(
        {randomMatrix(format + "/g64+zp", 40, 96, 99), randomFloats(40, 5)});
    run(products, format);
  }
}

TEST_P(ProductGrid, ShapesAndGroups) {
  for (auto [n, k] : {Shape{1, 1}, Shape{5, 7}, Shape{64, 64}, Shape{65, 131},
                      Shape{97, 576}, Shape{130, 255}}) {
    std::vector<Product> products;
    for (const char *spec :
         specs({"int4/g32:f16", "uint4/g128:bf16+zp", "int3/g64", "uint8/ch+zp",
                "uint5/t", "int6/g33+zp", "odd1/g32:f16+zp:f16"},
               {"int4/g32:f16", "uint4/g128:bf16+zp", "int3/g64", "uint2/ch+zp",
                "int1/t", "uint3/g33+zp", "odd1/g32:f16+zp:f16"}))
      products.push_back({randomMatrix(spec, n, k, products.size() + 31), {}});
    run(products, "shape " + std::to_string(n) + "x" + std::to_string(k));
  }
}

TEST_P(ProductGrid, PermutedColumns) {
  Product product{randomMatrix("uint4/g32+zp", 48, 96, 3), {}};
  product.weight.permutation.resize(96);
  std::iota(product.weight.permutation.begin(),
            product.weight.permutation.end(), 0);
  std::shuffle(product.weight.permutation.begin(),
               product.weight.permutation.end(), std::mt19937(1));
  Product plain{randomMatrix("int2/g32", 48, 96, 4), {}};
  run({product, plain}, "permuted");
}

TEST_P(ProductGrid, LongRowsOfExtremeCodes) {
  // 255 x 127 x 8192 columns: what a saturating instruction gets wrong.
  Product product{
      randomMatrix(specs({"uint8/ch"}, {"uint4/ch"})[0], 24, 8192, 3), {}};
  for (uint8_t &code : product.weight.codes)
    code = product.weight.spec.format.numCodes() - 1;
  run({product}, "extreme codes", {}, 1, {1, 5});
}

/// 20 tiles, and the lowering by definitions: one set of bits.
TEST_P(ProductGrid, TilesThreadsAndDefinitionsAgree) {
  std::vector<Product> products;
  for (const char *spec :
       specs({"uint4/g32+zp", "int3/g64", "uint8/ch", "int1/g32"},
             {"uint4/g32+zp", "int3/g64", "ternary/ch", "int1/g32"}))
    products.push_back({randomMatrix(spec, 130, 132, products.size() + 11),
                        randomFloats(130, 8)});
  int serial = 0;
  for (int rows : {1, 2, 3, 4, 6})
    for (int groups : {1, 2})
      for (int unroll : {1, 3}) {
        CompileOptions options;
        options.config = "rows=" + std::to_string(rows) +
                         ",groups=" + std::to_string(groups) +
                         ",unroll=" + std::to_string(unroll);
        run(products, "tile " + options.config, options, 1 + serial++ % 3,
            {1, 3, 37});
      }
  for (const char *target :
       {"x86-64-v3+generic", "x86-64-v4+avx512vnni+generic"}) {
    CompileOptions generic;
    generic.target = target;
    run(products, target, generic, 2, {1, 3, 37});
  }
}

/// Kernels of machines with other instructions or longer vectors: as spelt
/// where this CPU can run that, else their definitions.
class ProductTargets : public ProductGrid {};

INSTANTIATE_TEST_SUITE_P(Modes, ProductTargets,
                         ::testing::Values(ComputeMode::Float, ComputeMode::Int,
                                           ComputeMode::Lut8),
                         modeName);

TEST_P(ProductTargets, AgreeOnFormatsAndShapes) {
  // Dot products are the same for floats, long vectors for indices.
  std::vector<const char *> names{"x86-64-v4+avx512vnni"};
  if (GetParam() == ComputeMode::Int)
    names.insert(names.end(), {"x86-64-v3+avxvnni", "x86-64-v4"});
  for (const char *name : names) {
    CompileOptions options;
    options.target = name;
    if (!runsHere(llvm::cantFail(lookupTarget(name))))
      options.target += "+generic";
    // An odd number of panels; a group that ends inside a step, and one that is
    // longer than a block; panels of all widths.
    std::vector<Product> products;
    for (const std::string &format : integerFormats(GetParam()))
      products.push_back(
          {randomMatrix(format + "/g32:f16" +
                            (products.size() % 3 == 1   ? "+zp"
                             : products.size() % 3 == 2 ? "+zp:f16"
                                                        : ""),
                        133, 131, products.size() + 7),
           randomFloats(133, 5)});
    run(products, options.target, options);
    products.clear();
    for (const char *spec :
         specs({"int8/ch", "uint8/ch+zp", "int4/g33", "uint3/ch+zp:f32"},
               {"int2/ch", "uint4/ch+zp", "int4/g33", "uint3/ch+zp:f32"}))
      products.push_back({randomMatrix(spec, 72, 1300, products.size()), {}});
    run(products, options.target + ", long", options, 2, {1, 2, 13, 70});
    for (const char *tile : {"rows=3,groups=2", "rows=16,groups=8,streams=3"}) {
      options.config = tile;
      run(products, options.target + ", " + tile, options, 2, {1, 19});
    }
  }
}

/// A product of four activation rows.
std::unique_ptr<LoadedModel> openProduct(const ScratchFolder &folder,
                                         const Product &product,
                                         ComputeMode mode) {
  CompileOptions options;
  options.target = "x86-64-v3";
  return compileAndOpen(folder, options, 1, [&](mlir::MLIRContext &context) {
    return productModule(context, {product}, mode, 4);
  });
}

/// XF against the real product, and its negative control: int8 activations must
/// not pass as exact ones.
TEST(ProductBounds, FloatModeIsNearTheRealProduct) {
  ScratchFolder folder;
  Product product{randomMatrix("int4/g128+zp", 64, 1536, 5), {}};
  std::vector<float> x = randomFloats(4 * 1536, 6);
  std::vector<HostTensor> inputs{HostTensor::of(x, {4, 1536})};
  golden::RealProduct real = golden::realProduct(x, 4, product.weight);
  auto floats = openProduct(folder, product, ComputeMode::Float),
       ints = openProduct(folder, product, ComputeMode::Int);
  ASSERT_TRUE(floats && ints);
  golden::Comparison near =
      golden::compareXF(llvm::cantFail(floats->run(inputs))[0].floats(), real);
  EXPECT_TRUE(near.ok) << near.message;
  std::vector<HostTensor> rounded = llvm::cantFail(ints->run(inputs));
  golden::Comparison control =
      golden::negativeControl(rounded[0].floats(), real);
  EXPECT_TRUE(control.ok) << control.message;
}

/// XT, the bound of rounded tables; without their rounding it does not hold.
TEST(ProductBounds, Lut8IsWithinTheRoundingOfItsTables) {
  ScratchFolder folder;
  Product product{randomMatrix("int2/g128+zp", 64, 1536, 5), {}};
  auto model = openProduct(folder, product, ComputeMode::Lut8);
  ASSERT_TRUE(model);
  std::vector<float> x = randomFloats(4 * 1536, 6);
  std::vector<HostTensor> inputs{HostTensor::of(x, {4, 1536})};
  std::vector<HostTensor> outputs = llvm::cantFail(model->run(inputs));
  golden::RealProduct real = golden::realProduct(x, 4, product.weight);
  golden::Comparison near =
      golden::compareXT(outputs[0].floats(), real, x, product.weight);
  EXPECT_TRUE(near.ok) << near.message;
  EXPECT_FALSE(golden::compareXF(outputs[0].floats(), real).ok);
}

/// NaN and infinities poison the results that they belong to, as in the
/// reference, and rows of zeros of either sign have a step.
TEST(ProductBounds, Lut8PassesOnWhatIsNotFinite) {
  ScratchFolder folder;
  Product product{randomMatrix("odd3/g32+zp:f32", 40, 70, 5), {}};
  auto model = openProduct(folder, product, ComputeMode::Lut8);
  ASSERT_TRUE(model);
  std::vector<float> x = randomFloats(4 * 70, 6);
  x[5] = NAN;
  x[70 + 40] = INFINITY;
  x[140 + 69] = -INFINITY;
  std::fill(x.begin() + 210, x.end(), -0.0f);
  std::vector<HostTensor> inputs{HostTensor::of(x, {4, 70})};
  std::vector<HostTensor> outputs = llvm::cantFail(model->run(inputs));
  golden::Comparison same = golden::compareX0(
      outputs[0].floats(), expected(product, ComputeMode::Lut8, x, 4), 40);
  EXPECT_TRUE(same.ok) << same.message;
}

} // namespace
