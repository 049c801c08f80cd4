//===- PackWeights.cpp - a place for every weight -------------------------===//
//
// The payload of a weight file is a sequence of weights, each 64-byte aligned.
// A plain weight is its bytes as they are; a packed one is a sequence of
// records, [panel][group]. WeightParts.h is the one description of this that
// the pass and the writer of the file share.
//
//===----------------------------------------------------------------------===//

#include "passes/Passes.h"

#include "dialects/Mezzo/Mezzo.h"
#include "passes/Layout/WeightParts.h"

namespace mezzo {
#define GEN_PASS_DEF_PACKWEIGHTS
#include "passes/Passes.h.inc"
} // namespace mezzo

using namespace mlir;
using namespace mezzo;

namespace {

/// Columns of activations that share a scale, where it is not all of them.
int64_t blockOf(MatmulOp op) {
  int64_t block = op.getBlock();
  return block < op.getCodes().getType().getDimSize(1) ? block : 0;
}

/// What a product needs of the records of its weight. All products that read it
/// read the same ones.
LogicalResult shapeRecords(MatmulOp op, WeightOp weight,
                           llvm::DenseMap<WeightOp, int64_t> &pieces) {
  if (op.getInputZeros())
    weight.setSums(true);
  int64_t piece = blockOf(op) ? op.getPiece() : *weight.getGroup();
  int64_t &known = pieces.try_emplace(weight, piece).first->second;
  if (known != piece)
    return op.emitError()
           << "needs records of " << piece << " columns of "
           << weight.getSymName() << ", but a product before it needs " << known
           << ": give both the same blocks of activations, or each a weight of "
              "its own";
  if (piece != int64_t(*weight.getGroup()))
    weight.setPiece(piece);
  return success();
}

TypeAttr typeOrNull(Type type) {
  return type ? TypeAttr::get(type) : TypeAttr();
}

/// The code book that mode `int` needs to know when it is compiled; in mode
/// `float` one kernel reads all.
DenseF32ArrayAttr codebookOf(MatmulOp op, WeightOp weight) {
  if (!weight.getCodebook() || op.getMode() != ComputeMode::Int)
    return {};
  return DenseF32ArrayAttr::get(op.getContext(), readCodebook(weight));
}

/// A product and its load, packed.
//   %c, %s, %z = mezzo.load_weight @w
//   %y = mezzo.matmul %x, %c scales(%s) offsets(%z)
//   -->
//   %w = mezzo.load_packed @w
//   %y = mezzo.packed_matmul (%x), %w
void packProduct(MatmulOp op, WeightOp weight) {
  OpBuilder builder(op);
  PackedWeight packed(weight);
  auto bytes = RankedTensorType::get({packed.bytes()}, builder.getI8Type());
  auto load =
      LoadPackedOp::create(builder, op.getLoc(), bytes, weight.getSymName());
  SmallVector<Value> activation{op.getInput()};
  if (op.takesCodes())
    activation.push_back(op.getInputScales());
  auto product = PackedMatmulOp::create(
      builder, op.getLoc(), op.getOutput().getType(), activation,
      op.getInputZeros(), load.getBytes(), op.getPermutation(), op.getBias(),
      weight.getFormat().str(), *weight.getPacked(), packed.scaleType,
      typeOrNull(packed.offsetType), op.getMode(), *op.getConfig(),
      weight.getRows(), weight.getColumns(), packed.columns, packed.zero,
      blockOf(op), op.getActivationMax(), weight.getSums(),
      typeOrNull(packed.superScaleType), typeOrNull(packed.superOffsetType),
      packed.super, packed.table, codebookOf(op, weight), packed.minima);
  op.getOutput().replaceAllUsesWith(product.getOutput());
  op.erase();
}

class PackWeightsPass : public mezzo::impl::PackWeightsBase<PackWeightsPass> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    SymbolTableCollection symbols;
    SmallVector<MatmulOp> products;
    module.walk([&](MatmulOp op) { products.push_back(op); });
    llvm::DenseMap<WeightOp, int64_t> pieces;
    SmallVector<std::pair<WeightOp, LoadWeightOp>> weights;
    for (MatmulOp op : products) {
      auto load = op.getCodes().getDefiningOp<LoadWeightOp>();
      auto weight = load ? symbols.lookupNearestSymbolFrom<WeightOp>(
                               op, load.getWeightAttr())
                         : WeightOp();
      if (!weight || !weight.getPacked() || !op.getConfig()) {
        op.emitError(
            "has no strategy or layout: run mezzo-select-strategy first");
        return signalPassFailure();
      }
      if (failed(shapeRecords(op, weight, pieces)))
        return signalPassFailure();
      weights.push_back({weight, load});
    }
    for (auto [op, read] : llvm::zip_equal(products, weights)) {
      if (op.getPermutation())
        if (failed(separatePermutation(op, read.first, read.second)))
          return signalPassFailure();
      packProduct(op, read.first);
    }
    dropUnused(module);
    int64_t offset = 0;
    for (WeightOp weight : module.getOps<WeightOp>()) {
      weight.setPlace(offset);
      offset = llvm::alignTo(offset + weightPart(weight).bytes(),
                             WeightPart::Alignment);
    }
    module->setAttr(
        weightBytesAttrName(),
        IntegerAttr::get(IntegerType::get(&getContext(), 64), offset));
  }

  /// The permutation is an ordinary tensor for `Prepare`: a plain weight of its
  /// own.
  LogicalResult separatePermutation(MatmulOp op, WeightOp weight,
                                    LoadWeightOp load) {
    OpBuilder builder(weight);
    std::string name = (weight.getSymName() + ".permutation").str();
    auto type = cast<RankedTensorType>(weight.getPermutation()->getType());
    if (!SymbolTable::lookupNearestSymbolFrom(weight->getParentOp(),
                                              builder.getStringAttr(name)))
      WeightOp::create(builder, weight.getLoc(), name, type,
                       *weight.getPermutation());
    builder.setInsertionPoint(op);
    auto plain =
        LoadWeightOp::create(builder, op.getLoc(), TypeRange{type}, name);
    op.getPermutationMutable().assign(plain.getResult(0));
    return success();
  }

  /// Loads and weights that nothing reads any more are not written.
  static void dropUnused(ModuleOp module) {
    SmallVector<LoadWeightOp> dead;
    module.walk([&](LoadWeightOp load) {
      if (load->use_empty())
        dead.push_back(load);
    });
    for (LoadWeightOp load : dead)
      load.erase();
    for (WeightOp weight :
         llvm::make_early_inc_range(module.getOps<WeightOp>()))
      if (SymbolTable::symbolKnownUseEmpty(weight, module))
        weight.erase();
  }
};

} // namespace
