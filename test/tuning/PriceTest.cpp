//===- PriceTest.cpp - prices of kernels, and spaces of knobs -------------===//

#include "dialects/Tile/Tile.h"
#include "lib/Number/Quantize.h"
#include "passes/Select/Candidates.h"
#include "tools/driver/ProductModule.h"
#include "tools/driver/Session.h"

#include "gtest/gtest.h"

using namespace mezzo;

namespace {

/// One product, and what its strategies could do with it.
class Priced {
public:
  Priced(llvm::StringRef spec, ComputeMode mode, int64_t m, int64_t n,
         int64_t k, llvm::StringRef targetName = "x86-64-v3")
      : session({},
                [](Severity severity, const std::string &text) {
                  if (severity == Severity::Error)
                    ADD_FAILURE() << text;
                }),
        target(llvm::cantFail(lookupTarget(targetName))) {
    std::vector<float> values(n * k);
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = float(i * 2654435761u % 1000) / 500 - 1;
    Product product{llvm::cantFail(quantize(
                        values, n, k, llvm::cantFail(QuantSpec::parse(spec)))),
                    {}};
    module = llvm::cantFail(productModule(session.context(), product, mode, m));
    module->walk([&](MatmulOp matmul) { op = matmul; });
    module->walk([&](WeightOp found) { weight = found; });
    choices = strategiesOf(op, weight, target);
  }

  Price price(KnobValues knobs) {
    std::vector<Candidate> one{{&choices[0], knobs, {}}};
    EXPECT_TRUE(mlir::succeeded(priceCandidates(op, weight, target, one)));
    return one[0].price;
  }
  Price priceOfSeed() { return price(choices[0].space.seed()); }
  std::vector<Candidate> rank(Search search = Search::Near) {
    auto ranked = rankCandidates(op, weight, target, choices, search);
    EXPECT_TRUE(mlir::succeeded(ranked));
    return *ranked;
  }

  CompileSession session;
  Target target;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  MatmulOp op;
  WeightOp weight;
  std::vector<StrategyChoice> choices;
};

const std::pair<const char *, ComputeMode> products[] = {
    {"int2/g128:f16", ComputeMode::Int},
    {"int3/g64:f16", ComputeMode::Float},
    {"uint4/g32:f16+zp", ComputeMode::Int},
    {"int8/ch", ComputeMode::Float},
    {"int2/g64", ComputeMode::Lut8},
    {"ternary/g256", ComputeMode::Int}};

TEST(Price, ReadsTheWeightFromMemoryOnce) {
  for (auto [spec, mode] : products) {
    Priced product(spec, mode, 1, 512, 1024);
    double bytes = 512 * 1024 * product.weight.getFormat().bits() / 8.0;
    Price price = product.priceOfSeed();
    EXPECT_GE(price.memoryBytes, bytes) << spec;
    // Scales and zero points are at most as much again.
    EXPECT_LE(price.memoryBytes, 2 * bytes) << spec;
    EXPECT_GE(price.microseconds, std::max(price.computeUs, price.memoryUs));
  }
}

TEST(Price, GrowsWithTheWork) {
  for (auto [spec, mode] : products) {
    double one = Priced(spec, mode, 32, 512, 1024).priceOfSeed().computeUs,
           wide = Priced(spec, mode, 32, 1024, 1024).priceOfSeed().computeUs,
           deep = Priced(spec, mode, 32, 512, 2048).priceOfSeed().computeUs,
           tall = Priced(spec, mode, 64, 512, 1024).priceOfSeed().computeUs;
    // Quantized activations, or tables, are shared by all rows of the weight.
    EXPECT_GT(wide / one, 1.5) << spec;
    EXPECT_LT(wide / one, 2.05) << spec;
    EXPECT_NEAR(deep / one, 2, 0.2) << spec;
    // Decoding is shared by all rows.
    EXPECT_GT(tall / one, 1.5) << spec;
    EXPECT_LT(tall / one, 2.05) << spec;
  }
}

/// The roof of the multipliers: sixteen pairs of products in an instruction,
/// two of those in a cycle.
TEST(Price, StaysBelowTheRoof) {
  Priced product("int4/g128", ComputeMode::Int, 128, 1024, 1024);
  double roof =
      128.0 * 1024 * 1024 / (2 * 32) / (1e3 * product.target.costs.gigahertz);
  double compute = product.priceOfSeed().computeUs;
  EXPECT_GT(compute, roof);
  EXPECT_LT(compute, 3 * roof);
}

/// A tile that does not fit into the registers costs much more than one that
/// does.
TEST(Price, SeesSpills) {
  Priced product("int4/g128", ComputeMode::Int, 128, 512, 512);
  KnobValues knobs = product.choices[0].space.seed();
  double fits = product.price(knobs).computeUs;
  knobs[Knob::Rows] = 16;
  EXPECT_GT(product.price(knobs).computeUs, 1.3 * fits);
}

TEST(Price, OfAnyNumberOfRowsLooksAtFewAndMany) {
  Priced any("int4/g128", ComputeMode::Int, mlir::ShapedType::kDynamic, 256,
             512);
  EXPECT_GT(any.priceOfSeed().computeUs,
            Priced("int4/g128", ComputeMode::Int, 64, 256, 512)
                .priceOfSeed()
                .computeUs);
}

/// Candidates are legal, the first is at least as cheap as the default, and the
/// whole space has none that is much cheaper than what is near the default.
TEST(Candidates, AreLegalAndRanked) {
  for (auto [spec, mode] : products)
    for (int64_t m : {1, 16}) {
      Priced product(spec, mode, m, 128, 256);
      std::vector<Candidate> ranked = product.rank(),
                             all = product.rank(Search::Everything);
      double seed = product.priceOfSeed().microseconds;
      EXPECT_LE(ranked[0].price.microseconds, seed * 1.0001) << spec;
      EXPECT_LE(ranked[0].price.microseconds, 1.15 * all[0].price.microseconds)
          << spec << " m = " << m << ": " << ranked[0].str() << " and "
          << all[0].str();
      for (const Candidate &candidate : all)
        EXPECT_EQ(candidate.choice->space.refusal(candidate.knobs),
                  std::nullopt);
      EXPECT_GE(all.size(), ranked.size());
    }
}

/// Whoever adds an op to `tile` says what it takes on every machine; otherwise
/// products that use it are priced by a guess.
TEST(Costs, AreThereForEveryTileOp) {
  mlir::MLIRContext context;
  context.loadDialect<tile::TileDialect>();
  for (const std::string &name : targetNames()) {
    if (name == "native")
      continue;
    Target target = llvm::cantFail(lookupTarget(name));
    if (target.writeFolder)
      continue; // it has no kernels
    for (mlir::RegisteredOperationName op : context.getRegisteredOperations())
      if (op.getDialectNamespace() == "tile") {
        EXPECT_NE(target.costs.find(op.getStringRef()), nullptr)
            << name << " has no cost for " << op.getStringRef().str()
            << ": add a record to the Costs.cpp of its folder";
      }
    EXPECT_GT(target.costs.issue, 0);
    EXPECT_GT(target.costs.memoryRate, 0);
    EXPECT_GT(target.costs.gigahertz, 0);
    EXPECT_FALSE(target.costs.cpu.empty()) << name;
  }
}

} // namespace
