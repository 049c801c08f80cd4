//===- ProductKernel.cpp - what product kernels share ---------------------===//

#include "passes/Kernel/ProductKernel.h"

#include "dialects/Tile/Tile.h"
#include "passes/Kernel/KernelTypes.h"
#include "passes/Layout/WeightParts.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/StringExtras.h"
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

/// The format of a product, with its code book where the op has it.
static Format formatOf(PackedMatmulOp op) {
  if (auto codebook = op.getCodebook())
    return Format::codebook(*codebook);
  return llvm::cantFail(Format::parse(op.getFormat()));
}

ProductFacts::ProductFacts(PackedMatmulOp op, const Target &target)
    : format(formatOf(op)), zero(op.getZero()), code(), config(op.getConfig()),
      group(op.getGroup()), tail(op.getColumns() % op.getGroup()),
      scaleType(op.getScaleType()),
      offsetType(op.getOffsetType().value_or(Type())),
      superScaleType(op.getSuperScaleType().value_or(Type())),
      superOffsetType(op.getSuperOffsetType().value_or(Type())),
      table(op.getTable()), minima(op.getMinima()), amax(op.getAmax()),
      accumulates(op.getOutput().getType().getElementType().isInteger()) {
  if (format.isInteger() || op.getMode() == ComputeMode::Int)
    code = format.stored();
  code.offset -= zero;
  panel = llvm::cantFail(
      fieldsOfAnyPanel(op.getLayout().getLayout(), format.bits()));
  auto bits = [](Type type) {
    return type ? int64_t(type.getIntOrFloatBitWidth()) : 0;
  };
  record = panelRecord(
      panel,
      {group, bits(scaleType), bits(offsetType), bits(superScaleType),
       bits(superOffsetType), int64_t(op.getSuper()) / group,
       tableBytes(table, format.numCodes(), panel.rowsPerPanel), op.getSums()});
  int64_t rows = op.getOutput().getType().getDimSize(0);
  if (!ShapedType::isDynamic(rows))
    m = rows;
  // Panels of indices have sixteen or more rows in a vector as it is. Tables,
  // and numbers that no machine loads as they are, come for one row group.
  constexpr unsigned narrow = PanelFields::VectorBytes;
  bool isSpecial = !format.isInteger() || record.headBytes ||
                   bits(scaleType) % 16 ||
                   (!hasIntegerZeros() && bits(offsetType) % 16);
  span = panel.holdsIndices() || isSpecial
             ? 1
             : std::max(1u, target.vectorBytes / narrow);
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

RowGroupRecord ProductKernel::place(ArrayRef<Value> panels, Value group,
                                    Value rowGroup) {
  const PanelRecord &record = facts.record;
  RowGroupRecord at;
  at.rowGroup = rowGroup;
  if (!record.headBytes && !record.tableBytes) {
    for (Value panel : panels)
      at.records.push_back(builder.mul(
          builder.add(builder.mul(panel, groups), group), record.bytes));
    return at;
  }
  assert(panels.size() == 1 && "vectors of one row group");
  Value super = builder.index(0), supers = builder.index(1);
  if (record.superGroups) {
    super = builder.divide(group, record.superGroups);
    supers = builder.ceilDivide(groups, record.superGroups);
  }
  Value panelBytes = builder.add(builder.mul(groups, record.bytes),
                                 builder.mul(supers, record.headBytes));
  at.panel = builder.mul(panels[0], builder.add(panelBytes, record.tableBytes));
  Value first = builder.add(at.panel, record.tableBytes);
  at.head = builder.add(
      first,
      builder.mul(super, record.headBytes + record.superGroups * record.bytes));
  Value heads = builder.mul(builder.add(super, 1), record.headBytes);
  at.records.push_back(
      builder.add(builder.add(first, heads), builder.mul(group, record.bytes)));
  return at;
}

Value ProductKernel::record(Value panel, Value group) {
  return place(panel, group, Value()).records[0];
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

WholeCode mezzo::wholeCode(KernelBuilder &builder, const ProductFacts &facts,
                           ArrayRef<Value> packed, unsigned rowGroup) {
  ArrayRef<Field> fields = facts.panel.fields[rowGroup];
  if (fields.size() == 1)
    return {packed[fields[0].unit], fields[0].shift, fields[0].width};
  return {gatherCode(builder, facts, packed, rowGroup), 0, facts.panel.bits};
}

//===----------------------------------------------------------------------===//
// The kernel
//===----------------------------------------------------------------------===//

/// Sixteen digits that tell arrays apart.
template <typename T>
static std::string hash(ArrayRef<T> values) {
  ArrayRef<uint8_t> bytes(reinterpret_cast<const uint8_t *>(values.data()),
                          values.size() * sizeof(T));
  return llvm::utohexstr(llvm::xxh3_64bits(bytes), /*LowerCase=*/true,
                         /*Width=*/16);
}

std::string mezzo::productKernelKey(PackedMatmulOp op, const Target &target) {
  ProductFacts facts(op, target);
  ConfigAttr config = facts.config;
  std::string key;
  llvm::raw_string_ostream os(key);
  os << "matmul." << stringifyComputeMode(op.getMode()) << "." << op.getFormat()
     << "." << facts.scaleType;
  if (facts.superScaleType)
    os << "^" << op.getSuper() << "_" << facts.superScaleType;
  if (facts.offsetType)
    os << (facts.minima ? ".min_" : ".zp_") << facts.offsetType;
  if (facts.superOffsetType)
    os << "^" << op.getSuper() << "_" << facts.superOffsetType;
  if (facts.table != TableForm::None)
    os << ".table_" << stringifyTableForm(facts.table);
  if (auto codebook = op.getCodebook()) // its entries are in the kernel
    os << "." << hash(*codebook);
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
  StringRef layout = op.getLayout().getText();
  os << "." << hash(ArrayRef(layout.data(), layout.size()));
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
