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
  return llvm::cantFail(Format::parse(op.getFormat())).stored().centre();
}

/// Products of one block that read one activation share what is made for them.
class PrepareActivationsPass
    : public mezzo::impl::PrepareActivationsBase<PrepareActivationsPass> {
  void runOnOperation() override {
    llvm::DenseMap<std::pair<Value, StringRef>, Value> gathered;
    llvm::DenseMap<std::tuple<Value, int64_t, int64_t, int64_t>, QuantizeRowsOp>
        quantized;
    llvm::DenseMap<std::pair<Value, int64_t>, LutBuildOp> tables;
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
        op.getActivationMutable().assign(x);
        op.getPermutationMutable().clear();
      }
      if (op.getActivation().size() != 1)
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
      if (op.getMode() != ComputeMode::Int)
        return;
      QuantizeRowsOp &shared =
          quantized[{op.getActivation()[0], int64_t(op.getGroup()),
                     op.getConfig().getChunk(), centreOf(op)}];
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

  static QuantizeRowsOp quantize(OpBuilder &builder, PackedMatmulOp op) {
    Value x = op.getActivation()[0];
    int64_t rows = cast<ShapedType>(x.getType()).getDimSize(0),
            columns = op.getColumns(), group = op.getGroup(),
            chunk = op.getConfig().getChunk();
    int64_t groups = llvm::divideCeil(columns, group);
    SmallVector<Type> types{
        RankedTensorType::get({rows, quantizedRowLength(columns, group)},
                              builder.getI8Type()),
        RankedTensorType::get({rows}, builder.getF32Type()),
        RankedTensorType::get({rows, groups}, builder.getI32Type())};
    if (chunk)
      types.push_back(RankedTensorType::get(
          {rows, groups * int64_t(llvm::divideCeil(padToFour(group), chunk))},
          builder.getI32Type()));
    return QuantizeRowsOp::create(builder, op.getLoc(), types, x, group, chunk,
                                  centreOf(op));
  }
};

} // namespace
