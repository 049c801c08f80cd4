//===- PrepareActivations.cpp - what products need of their activations ---===//

#include "passes/Passes.h"

#include "dialects/Mezzo/Mezzo.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mezzo {
#define GEN_PASS_DEF_PREPAREACTIVATIONS
#include "passes/Passes.h.inc"
} // namespace mezzo

using namespace mlir;
using namespace mezzo;

namespace {

/// x[m, permutation[j]] at [m, j].
Value gatherColumns(OpBuilder &builder, Location loc, Value x,
                    Value permutation) {
  auto type = cast<RankedTensorType>(x.getType());
  Value init = tensor::EmptyOp::create(builder, loc,
                                       tensor::getMixedSizes(builder, loc, x),
                                       type.getElementType());
  AffineExpr m, j;
  bindDims(builder.getContext(), m, j);
  SmallVector<AffineMap> maps{
      AffineMap::get(2, 0, {j}, builder.getContext()),
      AffineMap::get(2, 0, {m, j}, builder.getContext())};
  SmallVector<utils::IteratorType> loops(2, utils::IteratorType::parallel);
  auto generic = linalg::GenericOp::create(
      builder, loc, TypeRange{type}, ValueRange{permutation}, ValueRange{init},
      maps, loops, [&](OpBuilder &body, Location at, ValueRange elements) {
        Value column = arith::IndexCastOp::create(body, at, body.getIndexType(),
                                                  elements[0]);
        Value row = linalg::IndexOp::create(body, at, 0);
        Value element =
            tensor::ExtractOp::create(body, at, x, ValueRange{row, column});
        linalg::YieldOp::create(body, at, element);
      });
  return generic.getResult(0);
}

/// What codes are taken less of where they are added up in chunks.
int64_t centreOf(PackedMatmulOp op) {
  if (op.getConfig().getChunk() == 0)
    return 0;
  if (auto codebook = op.getCodebook())
    return Format::codebook(*codebook).stored().centre();
  return llvm::cantFail(Format::parse(op.getFormat())).stored().centre();
}

/// What activations are prepared for: the value, group, chunk, centre and
/// block.
using Rows = std::tuple<Value, int64_t, int64_t, int64_t, int64_t>;

/// Products of one block that read one activation share what is made for them.
class PrepareActivationsPass
    : public mezzo::impl::PrepareActivationsBase<PrepareActivationsPass> {
  void runOnOperation() override {
    llvm::DenseMap<std::pair<Value, StringRef>, Value> gathered;
    llvm::DenseMap<Rows, QuantizeRowsOp> quantized;
    llvm::DenseMap<Rows, ArrangeRowsOp> arranged;
    llvm::DenseMap<std::pair<Value, int64_t>, LutBuildOp> tables;
    llvm::DenseMap<std::pair<Value, int64_t>, Value> sums;
    getOperation().walk([&](PackedMatmulOp op) {
      OpBuilder builder(op);
      if (Value permutation = op.getPermutation()) {
        // Weights that were quantized together often share the order of
        // columns, but each brings its own copy of it.
        auto load = permutation.getDefiningOp<LoadWeightOp>();
        Value &x = gathered[{op.getActivation()[0],
                             load ? load.getWeight() : StringRef()}];
        if (!x || !load)
          x = gatherColumns(builder, op.getLoc(), op.getActivation()[0],
                            permutation);
        op.getActivationMutable().slice(0, 1).assign(x);
        op.getPermutationMutable().clear();
      }
      Value first = op.getActivation()[0];
      bool codes = getElementTypeOrSelf(first.getType()).isInteger(8);
      if (op.getActivation().size() != (codes ? 2 : 1))
        return;
      if (op.getMode() == ComputeMode::Lut8) {
        LutBuildOp &shared =
            tables[{op.getActivation()[0], int64_t(op.getGroup())}];
        if (!shared)
          shared = buildTables(builder, op);
        else
          shared.emitRemark()
              << "tables built once, read by another product as well";
        op.getActivationMutable().assign(shared.getResults());
      }
      if (op.getMode() == ComputeMode::Float && op.getMinima()) {
        Value x = op.getActivation()[0];
        Value &shared = sums[{x, int64_t(op.getGroup())}];
        if (!shared)
          shared = sumGroups(builder, op);
        op.getActivationMutable().assign({x, shared});
      }
      if (op.getMode() != ComputeMode::Int)
        return;
      Rows rows{first, int64_t(op.getGroup()), op.getConfig().getChunk(),
                centreOf(op), int64_t(op.getBlock())};
      if (codes) {
        ArrangeRowsOp &shared = arranged[rows];
        if (!shared)
          shared = arrange(builder, op);
        else
          shared.emitRemark()
              << "arranged once, read by another product as well";
        SmallVector<Value> prepared(shared.getResults());
        prepared.insert(prepared.begin() + 1, op.getActivation()[1]);
        op.getActivationMutable().assign(prepared);
        return;
      }
      QuantizeRowsOp &shared = quantized[rows];
      if (!shared)
        shared = quantize(builder, op);
      else
        shared.emitRemark()
            << "quantized once, read by another product as well";
      op.getActivationMutable().assign(shared.getResults());
    });
  }

  static LutBuildOp buildTables(OpBuilder &builder, PackedMatmulOp op) {
    Value x = op.getActivation()[0];
    int64_t rows = cast<ShapedType>(x.getType()).getDimSize(0),
            columns = op.getColumns(), group = op.getGroup();
    auto perGroup =
        RankedTensorType::get({rows, int64_t(llvm::divideCeil(columns, group))},
                              builder.getF32Type());
    auto tables = RankedTensorType::get({rows, lutRowLength(columns, group)},
                                        builder.getI8Type());
    return LutBuildOp::create(builder, op.getLoc(), tables, perGroup, perGroup,
                              perGroup, x, group);
  }

  static Value sumGroups(OpBuilder &builder, PackedMatmulOp op) {
    Value x = op.getActivation()[0];
    auto sums = RankedTensorType::get(
        {cast<ShapedType>(x.getType()).getDimSize(0),
         int64_t(llvm::divideCeil(op.getColumns(), op.getGroup()))},
        builder.getF32Type());
    return GroupSumsOp::create(builder, op.getLoc(), sums, x, op.getGroup());
  }

  static QuantizeRowsOp quantize(OpBuilder &builder, PackedMatmulOp op) {
    SmallVector<Type> types = arrangedTypes(builder, op);
    auto sums = cast<RankedTensorType>(types[1]);
    int64_t rows = sums.getDimSize(0);
    SmallVector<int64_t> scales{rows};
    if (op.getBlock())
      scales.push_back(sums.getDimSize(1));
    types.insert(types.begin() + 1,
                 RankedTensorType::get(scales, builder.getF32Type()));
    return QuantizeRowsOp::create(
        builder, op.getLoc(), types, op.getActivation()[0], op.getGroup(),
        op.getConfig().getChunk(), centreOf(op), op.getBlock());
  }

  static ArrangeRowsOp arrange(OpBuilder &builder, PackedMatmulOp op) {
    return ArrangeRowsOp::create(
        builder, op.getLoc(), arrangedTypes(builder, op), op.getActivation()[0],
        op.getGroup(), op.getConfig().getChunk(), centreOf(op));
  }

  /// Of codes, sums and perhaps pairs.
  static SmallVector<Type> arrangedTypes(OpBuilder &builder,
                                         PackedMatmulOp op) {
    int64_t rows =
                cast<ShapedType>(op.getActivation()[0].getType()).getDimSize(0),
            columns = op.getColumns(), group = op.getGroup(),
            chunk = op.getConfig().getChunk();
    int64_t groups = llvm::divideCeil(columns, group);
    SmallVector<Type> types{
        RankedTensorType::get({rows, quantizedRowLength(columns, group)},
                              builder.getI8Type()),
        RankedTensorType::get({rows, groups}, builder.getI32Type())};
    if (chunk)
      types.push_back(RankedTensorType::get(
          {rows, groups * int64_t(llvm::divideCeil(padToFour(group), chunk))},
          builder.getI32Type()));
    return types;
  }
};

} // namespace
