//===- ProductKernel.cpp - what product kernels share ---------------------===//

#include "passes/Kernel/ProductKernel.h"

#include "dialects/Tile/Tile.h"
#include "passes/Kernel/KernelTypes.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/xxhash.h"

using namespace mlir;
using namespace mezzo;

const ProductStrategy &mezzo::productStrategy(StrategyKind kind) {
  switch (kind) {
  case StrategyKind::Dequant:
    return dequantStrategy();
  case StrategyKind::NativeDot:
    return nativeDotStrategy();
  case StrategyKind::Lut:
    return lutStrategy();
  }
  llvm_unreachable("every kind of strategy is listed");
}

static int64_t bytesOf(Type type) {
  return type ? type.getIntOrFloatBitWidth() / 8 : 0;
}

ProductFacts::ProductFacts(PackedMatmulOp op, const Target &target)
    : format(llvm::cantFail(Format::parse(op.getFormat()))), zero(op.getZero()),
      code(format.stored()), config(op.getConfig()), group(op.getGroup()),
      tail(op.getColumns() % op.getGroup()), scaleType(op.getScaleType()),
      offsetType(op.getOffsetType().value_or(Type())), amax(op.getAmax()),
      accumulates(op.getOutput().getType().getElementType().isInteger()) {
  code.offset -= zero;
  panel = llvm::cantFail(
      fieldsOfAnyPanel(op.getLayout().getLayout(), format.bits()));
  record = panelRecord(panel, group, bytesOf(scaleType), bytesOf(offsetType),
                       op.getSums());
  int64_t rows = op.getOutput().getType().getDimSize(0);
  if (!ShapedType::isDynamic(rows))
    m = rows;
  // Panels of indices have sixteen or more rows in a vector as it is.
  constexpr unsigned narrow = PanelFields::VectorBytes;
  span = panel.holdsIndices() ? 1 : std::max(1u, target.vectorBytes / narrow);
  tileSums =
      target.vectorRegisters / 2 *
      (span > 1 ? target.vectorBytes : std::min(target.vectorBytes, narrow)) /
      narrow;
  biasesCodes = target.multipliesUnsignedCodes && code.isSigned() &&
                config.getStrategy() == StrategyKind::NativeDot &&
                config.getChunk() == 0;
}

//===----------------------------------------------------------------------===//
// Pieces of kernels
//===----------------------------------------------------------------------===//

Value ProductKernel::wholeGroups() {
  return hasTail() ? builder.divide(operands.columns, facts.group) : groups;
}

Value ProductKernel::record(Value panel, Value group) {
  return builder.mul(builder.add(builder.mul(panel, groups), group),
                     facts.record.bytes);
}

Values ProductKernel::loadPacked(ArrayRef<Value> bases,
                                 ArrayRef<unsigned> rowGroups) {
  auto bytes = VectorType::get(PanelFields::VectorBytes, builder.getI8Type());
  auto load = [&](unsigned unit) {
    Values parts;
    for (Value base : bases)
      parts.push_back(builder.loadBytes(
          bytes, operands.weight,
          builder.add(base, unit * PanelFields::VectorBytes)));
    return builder.concatenate(parts);
  };
  Values vectors(facts.panel.vectorsPerStep);
  for (unsigned rowGroup : rowGroups)
    for (const Field &field : facts.panel.fields[rowGroup])
      if (!vectors[field.unit])
        vectors[field.unit] = load(field.unit);
  return vectors;
}

void ProductKernel::store(Value m, Value firstRow, Value y) {
  VectorType lanes = builder.lanesOf(builder.getF32Type());
  Value present = arith::MaxSIOp::create(
      builder, builder.sub(operands.rows, firstRow), builder.index(0));
  Value mask = vector::CreateMaskOp::create(
      builder, builder.lanesOf(builder.getI1Type()), ValueRange{present});
  if (operands.bias) {
    Value added = vector::MaskedLoadOp::create(builder, lanes, operands.bias,
                                               ValueRange{firstRow}, mask,
                                               builder.zeros(lanes));
    y = arith::AddFOp::create(builder, y, added);
  }
  if (facts.accumulates)
    y = builder.bitcast(builder.lanesOf(builder.getI32Type()), y);
  vector::MaskedStoreOp::create(builder, operands.output,
                                ValueRange{m, firstRow}, mask, y);
}

/// A vector's elements of an array in the record that has one for each row.
static Value loadPerRow(KernelBuilder &builder, const ProductFacts &facts,
                        Type element, int64_t array, Value weight,
                        const RowGroupRecord &at) {
  auto lanes = VectorType::get(builder.getLanes() / at.records.size(), element);
  Value offset =
      builder.mul(at.rowGroup, facts.panel.rowsPerGroup * bytesOf(element));
  Values parts;
  for (Value record : at.records)
    parts.push_back(builder.loadBytes(
        lanes, weight, builder.add(builder.add(record, array), offset)));
  return builder.concatenate(parts);
}

static Value widenToFloat(KernelBuilder &builder, Value values) {
  VectorType lanes = builder.lanesOf(builder.getF32Type());
  if (values.getType() == lanes)
    return values;
  return arith::ExtFOp::create(builder, lanes, values);
}

Value mezzo::loadScales(KernelBuilder &builder, const ProductFacts &facts,
                        Value weight, const RowGroupRecord &at) {
  return widenToFloat(builder, loadPerRow(builder, facts, facts.scaleType,
                                          facts.record.scales, weight, at));
}

Value mezzo::loadFloatZeros(KernelBuilder &builder, const ProductFacts &facts,
                            Value weight, const RowGroupRecord &at) {
  return widenToFloat(builder, loadPerRow(builder, facts, facts.offsetType,
                                          facts.record.offsets, weight, at));
}

Value mezzo::loadIntegerZeros(KernelBuilder &builder, const ProductFacts &facts,
                              Value weight, const RowGroupRecord &at) {
  return arith::ExtSIOp::create(builder, builder.lanesOf(builder.getI32Type()),
                                loadPerRow(builder, facts, facts.offsetType,
                                           facts.record.offsets, weight, at));
}

Value mezzo::loadCodeSums(KernelBuilder &builder, const ProductFacts &facts,
                          Value weight, const RowGroupRecord &at) {
  return loadPerRow(builder, facts, builder.getI32Type(), facts.record.sums,
                    weight, at);
}

Value mezzo::gatherCode(KernelBuilder &builder, const ProductFacts &facts,
                        ArrayRef<Value> packed, unsigned rowGroup) {
  Value code;
  for (const Field &field : facts.panel.fields[rowGroup]) {
    Value part = tile::FieldOp::create(builder, packed[field.unit], field.shift,
                                       field.width, field.codeBit);
    code = code ? arith::OrIOp::create(builder, code, part).getResult() : part;
  }
  return code;
}

//===----------------------------------------------------------------------===//
// The kernel
//===----------------------------------------------------------------------===//

std::string mezzo::productKernelKey(PackedMatmulOp op, const Target &target) {
  ProductFacts facts(op, target);
  ConfigAttr config = facts.config;
  std::string key;
  llvm::raw_string_ostream os(key);
  os << "matmul." << stringifyComputeMode(op.getMode()) << "." << op.getFormat()
     << "." << facts.scaleType;
  if (facts.offsetType)
    os << ".zp_" << facts.offsetType;
  os << ".g" << facts.group;
  if (facts.tail)
    os << "t" << facts.tail;
  if (op.getZero())
    os << ".z" << op.getZero();
  if (op.getSums())
    os << ".sums";
  if (facts.amax != ActivationMax)
    os << ".a" << facts.amax;
  if (op.getInputZeros())
    os << ".zx";
  if (op.getBlock())
    os << ".sb";
  if (facts.accumulates)
    os << ".i32";
  if (op.getBias())
    os << ".bias";
  os << (facts.m ? *facts.m == 1 ? ".m1" : ".mn" : ".m");
  os << "." << stringifyStrategyKind(config.getStrategy()) << ".r"
     << config.getRows() << "g" << config.getGroups() << "u"
     << config.getUnroll() << "s" << config.getStreams() << "b"
     << config.getBlock() << "c" << config.getChunk();
  if (facts.span > 1)
    os << ".v" << facts.span * PanelFields::VectorBytes;
  // Layouts of one format differ only where somebody asked for it; then the
  // digits tell them apart.
  os << "."
     << llvm::format_hex_no_prefix(llvm::xxh3_64bits(op.getLayout().getText()),
                                   16);
  for (char &c : key)
    if (!llvm::isAlnum(c) && c != '.' && c != '_')
      c = '_';
  return key;
}

/// The arguments of the kernel in their order; see launchProduct in
/// EmitKernels.cpp, which passes them.
static SmallVector<Type> argumentTypes(PackedMatmulOp op) {
  SmallVector<Type> types;
  auto add = [&](Value operand) {
    types.push_back(anyShape(cast<ShapedType>(operand.getType())));
  };
  for (Value activation : op.getActivation())
    add(activation);
  if (Value zeros = op.getInputZeros())
    add(zeros);
  add(op.getWeight());
  if (Value bias = op.getBias())
    add(bias);
  Type index = IndexType::get(op.getContext());
  types.append(2, index); // N, K
  add(op.getOutput());
  types.append(2, index); // [begin, end)
  return types;
}

/// One loop nest or both, as M is known or not.
static void writeLoops(ProductKernel &kernel, Value begin, Value end) {
  KernelBuilder &builder = kernel.builder;
  if (kernel.facts.m) {
    if (*kernel.facts.m == 1)
      return writeDirectKernel(kernel, begin, end);
    return writeBlockedKernel(kernel, begin, end);
  }
  Value m =
      memref::DimOp::create(builder, kernel.operands.output, builder.index(0));
  Value isOne = arith::CmpIOp::create(builder, arith::CmpIPredicate::eq, m,
                                      builder.index(1));
  auto branch = scf::IfOp::create(builder, isOne, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(branch.thenBlock());
  writeDirectKernel(kernel, begin, end);
  builder.setInsertionPointToStart(branch.elseBlock());
  writeBlockedKernel(kernel, begin, end);
}

func::FuncOp mezzo::emitProductKernel(ModuleOp module, PackedMatmulOp op,
                                      const Target &target, StringRef name) {
  OpBuilder atEnd = OpBuilder::atBlockEnd(module.getBody());
  auto function = func::FuncOp::create(
      atEnd, op.getLoc(), name, atEnd.getFunctionType(argumentTypes(op), {}));
  function.setPrivate();
  Block *entry = function.addEntryBlock();
  auto next = [&, position = 0u](unsigned count) mutable {
    ValueRange taken = ValueRange(entry->getArguments()).slice(position, count);
    position += count;
    return taken;
  };
  ProductKernel kernel{
      KernelBuilder(op.getLoc(), OpBuilder::atBlockBegin(entry)),
      productStrategy(op.getConfig().getStrategy()),
      ProductFacts(op, target),
      {},
      {}};
  kernel.builder.setLanes(kernel.facts.panel.rowsPerGroup);
  kernel.operands.activations = next(op.getActivation().size());
  if (op.getInputZeros())
    kernel.operands.inputZeros = next(1)[0];
  kernel.operands.weight = next(1)[0];
  if (op.getBias())
    kernel.operands.bias = next(1)[0];
  kernel.operands.rows = next(1)[0];
  kernel.operands.columns = next(1)[0];
  kernel.operands.output = next(1)[0];
  ValueRange range = next(2);
  kernel.groups =
      kernel.builder.ceilDivide(kernel.operands.columns, kernel.facts.group);
  writeLoops(kernel, range[0], range[1]);
  func::ReturnOp::create(kernel.builder);
  return function;
}
