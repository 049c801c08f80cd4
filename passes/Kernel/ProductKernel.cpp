//===- ProductKernel.cpp - the loops around every product kernel ----------===//

#include "passes/Kernel/ProductKernel.h"

#include "passes/Kernel/KernelTypes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/xxhash.h"

#include <numeric>

using namespace mlir;
using namespace mezzo;

const ProductStrategy &mezzo::productStrategy(StrategyKind kind) {
  switch (kind) {
  case StrategyKind::Dequant:
    return dequantStrategy();
  case StrategyKind::NativeDot:
    return nativeDotStrategy();
  }
  llvm_unreachable("every kind of strategy is listed");
}

//===----------------------------------------------------------------------===//
// Helpers
//===----------------------------------------------------------------------===//

VectorType mezzo::lanesOf(Type element) {
  return VectorType::get(PanelFields::RowsPerGroup, element);
}

Value mezzo::indexConstant(ImplicitLocOpBuilder &builder, int64_t value) {
  return arith::ConstantIndexOp::create(builder, value);
}

Value mezzo::splatI32(ImplicitLocOpBuilder &builder, int64_t value) {
  return arith::ConstantOp::create(
      builder, DenseElementsAttr::get(lanesOf(builder.getI32Type()),
                                      builder.getI32IntegerAttr(value)));
}

Accumulators
mezzo::accumulateOver(ImplicitLocOpBuilder &builder, Value begin, Value end,
                      int64_t step, Accumulators init,
                      function_ref<Accumulators(Value, Accumulators)> body) {
  auto loop = scf::ForOp::create(builder, begin, end,
                                 indexConstant(builder, step), init);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Accumulators carried(loop.getRegionIterArgs().begin(),
                       loop.getRegionIterArgs().end());
  Accumulators next = body(loop.getInductionVar(), carried);
  if (!init.empty())
    scf::YieldOp::create(builder, next);
  return Accumulators(loop.getResults().begin(), loop.getResults().end());
}

Accumulators mezzo::accumulateUnrolled(
    ImplicitLocOpBuilder &builder, Value count, int64_t unroll,
    Accumulators init, function_ref<Accumulators(Value, Accumulators)> body) {
  Value zero = indexConstant(builder, 0);
  if (unroll == 1)
    return accumulateOver(builder, zero, count, 1, std::move(init), body);
  Value rest =
      arith::RemUIOp::create(builder, count, indexConstant(builder, unroll));
  Value whole = arith::SubIOp::create(builder, count, rest);
  Accumulators sums = accumulateOver(
      builder, zero, whole, unroll, std::move(init),
      [&](Value index, Accumulators carried) {
        for (int64_t i = 0; i < unroll; ++i)
          carried = body(
              arith::AddIOp::create(builder, index, indexConstant(builder, i)),
              std::move(carried));
        return carried;
      });
  return accumulateOver(builder, whole, count, 1, std::move(sums), body);
}

SmallVector<Value> mezzo::loadStep(ImplicitLocOpBuilder &builder,
                                   const ProductArguments &arguments,
                                   const GroupTile &tile, Value step) {
  const PanelFields &panel = arguments.panel;
  auto bytes = VectorType::get(PanelFields::VectorBytes, builder.getI8Type());
  Value base = arith::AddIOp::create(
      builder, tile.codeOffset,
      arith::MulIOp::create(builder, step,
                            indexConstant(builder, panel.stepBytes()))
          .getResult());
  SmallVector<Value> vectors(panel.vectorsPerStep);
  for (unsigned group : tile.groups)
    for (const Field &field : panel.fields[group])
      if (!vectors[field.unit]) {
        Value offset =
            indexConstant(builder, field.unit * PanelFields::VectorBytes);
        Value address = arith::AddIOp::create(builder, base, offset);
        vectors[field.unit] =
            vector::LoadOp::create(builder, bytes, arguments.codes, address);
      }
  return vectors;
}

/// Eight consecutive elements of a flat array of per-row values.
static Value loadRowGroup(ImplicitLocOpBuilder &builder, Value array,
                          const GroupTile &tile, unsigned rowGroup) {
  Value offset = arith::AddIOp::create(
      builder, tile.scaleOffset,
      indexConstant(builder, rowGroup * PanelFields::RowsPerGroup));
  Type element = cast<MemRefType>(array.getType()).getElementType();
  return vector::LoadOp::create(builder, lanesOf(element), array, offset);
}

Value mezzo::loadGroupFloats(ImplicitLocOpBuilder &builder, Value array,
                             const GroupTile &tile, unsigned rowGroup) {
  Value values = loadRowGroup(builder, array, tile, rowGroup);
  if (cast<VectorType>(values.getType()).getElementType().isF32())
    return values;
  return arith::ExtFOp::create(builder, lanesOf(builder.getF32Type()), values);
}

Value mezzo::loadGroupIntegers(ImplicitLocOpBuilder &builder, Value array,
                               const GroupTile &tile, unsigned rowGroup) {
  return arith::ExtSIOp::create(builder, lanesOf(builder.getI32Type()),
                                loadRowGroup(builder, array, tile, rowGroup));
}

bool mezzo::hasIntegerZeros(const ProductArguments &arguments) {
  return arguments.offsets && cast<MemRefType>(arguments.offsets.getType())
                                  .getElementType()
                                  .isInteger();
}

bool mezzo::hasFloatZeros(const ProductArguments &arguments) {
  return arguments.offsets && !hasIntegerZeros(arguments);
}

//===----------------------------------------------------------------------===//
// The kernel
//===----------------------------------------------------------------------===//

std::string mezzo::productKernelKey(PackedMatmulOp op) {
  std::string key;
  llvm::raw_string_ostream os(key);
  auto element = [](Value value) {
    return cast<ShapedType>(value.getType()).getElementType();
  };
  ConfigAttr config = op.getConfig();
  os << "matmul." << stringifyComputeMode(op.getMode()) << "." << op.getFormat()
     << "." << element(op.getWeight()[1]);
  if (op.getWeight().size() == 3)
    os << ".zp_" << element(op.getWeight()[2]);
  if (op.getBias())
    os << ".bias";
  os << "." << stringifyStrategyKind(config.getStrategy()) << ".r"
     << config.getRows() << "g" << config.getGroups() << "u"
     << config.getUnroll();
  // Layouts of one format differ only where somebody asked for it; then the
  // digits tell them apart.
  os << "."
     << llvm::format_hex_no_prefix(
            llvm::xxh3_64bits(op.getLayout().getText()) & 0xffff, 4);
  for (char &c : key)
    if (!llvm::isAlnum(c) && c != '.' && c != '_')
      c = '_';
  return key;
}

namespace {

/// Writes one kernel: holds what its loops share.
class KernelWriter {
public:
  KernelWriter(PackedMatmulOp op, func::FuncOp function, PanelFields panel)
      : op(op), function(function), builder(op.getLoc(), function.getContext()),
        strategy(productStrategy(op.getConfig().getStrategy())) {
    arguments.panel = std::move(panel);
    Format format = llvm::cantFail(Format::parse(op.getFormat()));
    arguments.bits = format.bits();
    arguments.affine = format.affine();
  }

  void write();

private:
  void writePanel(Value index);
  void writeRows(Value panelIndex, ArrayRef<unsigned> groups, Value begin,
                 Value end, int64_t rows);
  void store(ArrayRef<Value> rows, ArrayRef<unsigned> groups, Value panelIndex,
             const Accumulators &y);

  PackedMatmulOp op;
  func::FuncOp function;
  ImplicitLocOpBuilder builder;
  const ProductStrategy &strategy;
  ProductArguments arguments;
  Value bias, rowCount, output, zero;
  Value groups;        ///< G
  Value codesPerGroup; ///< bytes of a group of a panel
};

void KernelWriter::write() {
  Block *entry = function.addEntryBlock();
  builder.setInsertionPointToStart(entry);
  auto next = [&, position = 0u](unsigned count) mutable {
    ValueRange taken = ValueRange(entry->getArguments()).slice(position, count);
    position += count;
    return taken;
  };
  arguments.activations = next(op.getActivation().size());
  ValueRange weight = next(op.getWeight().size());
  arguments.codes = weight[0];
  arguments.scales = weight[1];
  arguments.offsets = weight.size() == 3 ? weight[2] : Value();
  if (op.getBias())
    bias = next(1)[0];
  ValueRange sizes = next(3);
  rowCount = sizes[0];
  arguments.columns = sizes[1];
  arguments.groupLength = sizes[2];
  output = next(1)[0];
  ValueRange range = next(2);

  zero = indexConstant(builder, 0);
  groups = arith::CeilDivUIOp::create(builder, arguments.columns,
                                      arguments.groupLength);
  Value steps = arith::CeilDivUIOp::create(
      builder, arguments.groupLength,
      indexConstant(builder, PanelFields::ColumnsPerStep));
  codesPerGroup = arith::MulIOp::create(
      builder, steps, indexConstant(builder, arguments.panel.stepBytes()));

  accumulateOver(builder, range[0], range[1], 1, {},
                 [&](Value index, Accumulators) {
                   writePanel(index);
                   return Accumulators();
                 });
  func::ReturnOp::create(builder);
}

void KernelWriter::writePanel(Value index) {
  int64_t rows = op.getConfig().getRows(), width = op.getConfig().getGroups();
  unsigned all = arguments.panel.fields.size();
  Value m = memref::DimOp::create(builder, output, zero);
  Value rest = arith::RemUIOp::create(builder, m, indexConstant(builder, rows));
  Value whole = arith::SubIOp::create(builder, m, rest);
  if (rows > 1)
    for (unsigned first = 0; first < all; first += width) {
      SmallVector<unsigned> block;
      for (unsigned group = first;
           group < std::min<unsigned>(first + width, all); ++group)
        block.push_back(group);
      writeRows(index, block, zero, whole, rows);
    }
  // A single activation row leaves the registers to the weight: all row groups
  // at once, up to eight.
  SmallVector<unsigned> block(all);
  std::iota(block.begin(), block.end(), 0);
  writeRows(index, block, rows > 1 ? whole : zero, m, 1);
}

void KernelWriter::writeRows(Value panelIndex, ArrayRef<unsigned> blockGroups,
                             Value begin, Value end, int64_t rows) {
  auto loop =
      scf::ForOp::create(builder, begin, end, indexConstant(builder, rows));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  SmallVector<Value> rowIndices;
  for (int64_t row = 0; row < rows; ++row)
    rowIndices.push_back(arith::AddIOp::create(builder, loop.getInductionVar(),
                                               indexConstant(builder, row)));

  Value firstGroup = arith::MulIOp::create(builder, panelIndex, groups);
  Value zeros = arith::ConstantOp::create(
      builder, builder.getZeroAttr(lanesOf(builder.getF32Type())));
  Accumulators y(rows * blockGroups.size(), zeros);
  y = accumulateOver(
      builder, zero, groups, 1, y, [&](Value group, Accumulators carried) {
        Value position = arith::AddIOp::create(builder, firstGroup, group);
        GroupTile tile;
        tile.rows = rowIndices;
        tile.groups.assign(blockGroups.begin(), blockGroups.end());
        tile.group = group;
        tile.codeOffset =
            arith::MulIOp::create(builder, position, codesPerGroup);
        tile.scaleOffset = arith::MulIOp::create(
            builder, position,
            indexConstant(builder, arguments.panel.rowsPerPanel));
        tile.unroll = op.getConfig().getUnroll();
        return strategy.groupStep(builder, arguments, tile, std::move(carried));
      });
  store(rowIndices, blockGroups, panelIndex, y);
}

void KernelWriter::store(ArrayRef<Value> rows, ArrayRef<unsigned> blockGroups,
                         Value panelIndex, const Accumulators &y) {
  Value firstRow = arith::MulIOp::create(
      builder, panelIndex,
      indexConstant(builder, arguments.panel.rowsPerPanel));
  VectorType lanes = lanesOf(builder.getF32Type());
  for (auto [position, group] : llvm::enumerate(blockGroups)) {
    Value column = arith::AddIOp::create(
        builder, firstRow,
        indexConstant(builder, group * PanelFields::RowsPerGroup));
    // The last panel is padded; only rows that exist are stored.
    Value present = arith::SubIOp::create(builder, rowCount, column);
    present = arith::MaxSIOp::create(builder, present, zero);
    Value mask = vector::CreateMaskOp::create(
        builder, lanesOf(builder.getI1Type()), ValueRange{present});
    Value added;
    if (bias) {
      Value none =
          arith::ConstantOp::create(builder, builder.getZeroAttr(lanes));
      added = vector::MaskedLoadOp::create(builder, lanes, bias,
                                           ValueRange{column}, mask, none);
    }
    for (auto [row, m] : llvm::enumerate(rows)) {
      Value value = y[row * blockGroups.size() + position];
      if (bias)
        value = arith::AddFOp::create(builder, value, added);
      vector::MaskedStoreOp::create(builder, output, ValueRange{m, column},
                                    mask, value);
    }
  }
}

} // namespace

FailureOr<func::FuncOp>
mezzo::emitProductKernel(ModuleOp module, PackedMatmulOp op, StringRef name) {
  Format format = llvm::cantFail(Format::parse(op.getFormat()));
  llvm::Expected<PanelFields> panel =
      panelFields(op.getLayout().getLayout(), format.bits());
  if (!panel)
    return op.emitError() << "no kernel reads the layout " << op.getLayout()
                          << ": " << llvm::toString(panel.takeError());
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  Type index = builder.getIndexType();
  SmallVector<Type> types;
  for (ValueRange operands : {op.getActivation(), op.getWeight()})
    for (Value operand : operands)
      types.push_back(anyShape(cast<ShapedType>(operand.getType())));
  if (Value bias = op.getBias())
    types.push_back(anyShape(cast<ShapedType>(bias.getType())));
  types.append(3, index);
  types.push_back(anyShape(op.getOutput().getType()));
  types.append(2, index);
  auto function = func::FuncOp::create(builder, op.getLoc(), name,
                                       builder.getFunctionType(types, {}));
  function.setPrivate();
  KernelWriter(op, function, std::move(*panel)).write();
  return function;
}
