//===- RowKernels.cpp - kernels that work on one row at a time ------------===//
//
// The order of every reduction is that of docs/numbers.md: lane j of 16 folds
// the elements i = j mod 16 ascending, then lanes meet in pairs, + 8, + 4, + 2,
// + 1. A vector of 16 floats is that order by itself, on any machine.
//
//===----------------------------------------------------------------------===//

#include "passes/Kernel/RowKernels.h"

#include "dialects/Mezzo/Mezzo.h"
#include "passes/Kernel/KernelTypes.h"
#include "passes/Kernel/LutBuild.h"
#include "passes/Kernel/PairSums.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mezzo;

namespace {

constexpr int64_t Lanes = 16;

/// The body of one row, in terms of whole-row operations.
class RowWriter {
public:
  RowWriter(func::FuncOp function, Location loc)
      : builder(loc, function.getContext()), function(function) {}

  /// Opens the loop over rows; what is built next is its body.
  void begin();

  void softmax();
  void layerNorm(bool hasBias, const APFloat &epsilon);
  void rmsNorm(const APFloat &epsilon);
  void quantizeRows(QuantizeRowsOp op);
  void arrangeRows(ArrangeRowsOp op);
  void lutBuild(int64_t group);
  void groupSums(int64_t group);

private:
  using Map = llvm::function_ref<Value(Value column, Value element)>;
  using Combine = llvm::function_ref<Value(Value, Value)>;

  Value argument(unsigned index) { return function.getArgument(index); }
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(builder, value);
  }
  VectorType floats(int64_t lanes = Lanes) {
    return VectorType::get(lanes, builder.getF32Type());
  }
  Value constant(Type type, double value) {
    auto scalar = builder.getF32FloatAttr(value);
    auto vector = dyn_cast<VectorType>(type);
    return vector ? arith::ConstantOp::create(
                        builder, DenseElementsAttr::get(vector, scalar))
                        .getResult()
                  : arith::ConstantOp::create(builder, scalar).getResult();
  }
  Value splat(Value scalar, int64_t lanes = Lanes) {
    return vector::BroadcastOp::create(
        builder, VectorType::get(lanes, scalar.getType()), scalar);
  }
  Value wholeColumns() {
    return arith::SubIOp::create(
        builder, columns,
        arith::RemUIOp::create(builder, columns, index(Lanes)).getResult());
  }
  Value loop(Value from, Value to, int64_t step, ValueRange carried,
             llvm::function_ref<SmallVector<Value>(Value, ValueRange)> body);
  Value load(Value matrix, Value column) {
    return vector::LoadOp::create(builder, floats(), matrix,
                                  ValueRange{row, column});
  }
  Value loadMasked(Value array, ValueRange at, Value mask,
                   int64_t lanes = Lanes) {
    return vector::MaskedLoadOp::create(builder, floats(lanes), array, at, mask,
                                        constant(floats(lanes), 0));
  }
  Value maskOf(Value count, int64_t lanes = Lanes) {
    Value present = arith::MaxSIOp::create(builder, count, index(0));
    return vector::CreateMaskOp::create(
        builder, VectorType::get(lanes, builder.getI1Type()),
        ValueRange{present});
  }
  Value reduce(Value matrix, double start, Map map, Combine combine);
  void
  mapRow(Value from, Value to,
         llvm::function_ref<Value(Value element,
                                  llvm::function_ref<Value(Value)> perColumn)>);
  Value sumOf(Value matrix, Map map) {
    return reduce(matrix, 0, map, [&](Value a, Value b) -> Value {
      return arith::AddFOp::create(builder, a, b);
    });
  }
  Value larger(
      Value a,
      Value b) { // b where a < b: NaN is passed over, of equals the first stays
    Value less =
        arith::CmpFOp::create(builder, arith::CmpFPredicate::OLT, a, b);
    return arith::SelectOp::create(builder, less, b, a);
  }
  Value meanOf(Value sum) {
    Value count =
        arith::IndexCastOp::create(builder, builder.getI64Type(), columns);
    Value divisor =
        arith::SIToFPOp::create(builder, builder.getF32Type(), count);
    return arith::DivFOp::create(builder, sum, divisor);
  }
  Value inverseRoot(Value variance, const APFloat &epsilon) {
    Value shifted = arith::AddFOp::create(
        builder, variance,
        constant(builder.getF32Type(), epsilon.convertToFloat()));
    Value root = math::SqrtOp::create(builder, shifted);
    return arith::DivFOp::create(builder, constant(builder.getF32Type(), 1),
                                 root);
  }
  Value toCodes(Value x, Value scale);
  Value absoluteMaximum(Value x, Value from, Value count);
  Value int8Scale(Value maximum);

  /// Where one group's codes go, and how they are read.
  struct Arrangement {
    Value codes, sums, pairs; ///< pairs: null where there is no chunk
    int64_t group, chunk, centre;
    /// Codes from a column on, as i32 lanes; a mask says which exist.
    llvm::function_ref<Value(Value column, Value mask, int64_t lanes)> read;
  };
  void arrangeGroup(Value g, const Arrangement &arrangement);

  KernelBuilder builder;
  func::FuncOp function;
  Value row, columns;
};

void RowWriter::begin() {
  Block *entry = function.addEntryBlock();
  builder.setInsertionPointToStart(entry);
  unsigned count = entry->getNumArguments();
  columns = memref::DimOp::create(builder, argument(0), index(1));
  auto rows = scf::ForOp::create(builder, argument(count - 2),
                                 argument(count - 1), index(1));
  func::ReturnOp::create(builder);
  builder.setInsertionPointToStart(rows.getBody());
  row = rows.getInductionVar();
}

/// A loop that carries values and returns the first of them (or null).
Value RowWriter::loop(
    Value from, Value to, int64_t step, ValueRange carried,
    llvm::function_ref<SmallVector<Value>(Value, ValueRange)> body) {
  auto op = scf::ForOp::create(builder, from, to, index(step), carried);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(op.getBody());
  SmallVector<Value> next = body(op.getInductionVar(), op.getRegionIterArgs());
  if (!next.empty())
    scf::YieldOp::create(builder, next);
  return op.getNumResults() ? op.getResult(0) : Value();
}

/// Sixteen lanes fold the mapped row; the last, partial vector leaves the lanes
/// beyond the row as they are.
Value RowWriter::reduce(Value matrix, double start, Map map, Combine combine) {
  Value whole = wholeColumns();
  Value lanes = loop(index(0), whole, Lanes, constant(floats(), start),
                     [&](Value column, ValueRange carried) {
                       return SmallVector<Value>{combine(
                           carried[0], map(column, load(matrix, column)))};
                     });
  Value mask = maskOf(arith::SubIOp::create(builder, columns, whole));
  Value last = map(whole, loadMasked(matrix, {row, whole}, mask));
  lanes = arith::SelectOp::create(builder, mask, combine(lanes, last), lanes);
  for (int64_t half = Lanes / 2; half >= 1; half /= 2) {
    auto part = [&](int64_t offset) -> Value {
      return vector::ExtractStridedSliceOp::create(builder, lanes, offset, half,
                                                   1);
    };
    lanes = combine(part(0), part(half));
  }
  return vector::ExtractOp::create(builder, lanes, int64_t(0));
}

/// to[row, i] = f(from[row, i]); `perColumn` loads an array of one value per
/// column at the same place.
void RowWriter::mapRow(
    Value from, Value to,
    llvm::function_ref<Value(Value, llvm::function_ref<Value(Value)>)> f) {
  Value whole = wholeColumns();
  loop(index(0), whole, Lanes, {}, [&](Value column, ValueRange) {
    auto perColumn = [&](Value array) -> Value {
      return vector::LoadOp::create(builder, floats(), array,
                                    ValueRange{column});
    };
    vector::StoreOp::create(builder, f(load(from, column), perColumn), to,
                            ValueRange{row, column});
    return SmallVector<Value>();
  });
  Value mask = maskOf(arith::SubIOp::create(builder, columns, whole));
  auto perColumn = [&](Value array) -> Value {
    return loadMasked(array, {whole}, mask);
  };
  Value result = f(loadMasked(from, {row, whole}, mask), perColumn);
  vector::MaskedStoreOp::create(builder, to, ValueRange{row, whole}, mask,
                                result);
}

/// max; e = exp(x - max); their sum; one division per element.
void RowWriter::softmax() {
  Value x = argument(0), y = argument(1);
  Value max = reduce(
      x, -std::numeric_limits<double>::infinity(),
      [](Value, Value element) { return element; },
      [&](Value a, Value b) { return larger(a, b); });
  mapRow(x, y, [&](Value element, llvm::function_ref<Value(Value)>) -> Value {
    Value shifted = arith::SubFOp::create(builder, element, splat(max));
    return math::ExpOp::create(builder, shifted);
  });
  Value sum = sumOf(y, [](Value, Value element) { return element; });
  mapRow(y, y, [&](Value element, llvm::function_ref<Value(Value)>) -> Value {
    return arith::DivFOp::create(builder, element, splat(sum));
  });
}

/// d = x - mean; variance of d in a second pass; ((d * inv) * scale) + bias.
void RowWriter::layerNorm(bool hasBias, const APFloat &epsilon) {
  Value x = argument(0), scale = argument(1), y = argument(hasBias ? 3 : 2);
  Value mean = meanOf(sumOf(x, [](Value, Value element) { return element; }));
  auto difference = [&](Value element) -> Value {
    return arith::SubFOp::create(builder, element, splat(mean));
  };
  Value variance = meanOf(sumOf(x, [&](Value, Value element) -> Value {
    Value d = difference(element);
    return arith::MulFOp::create(builder, d, d);
  }));
  Value inverse = inverseRoot(variance, epsilon);
  mapRow(
      x, y,
      [&](Value element, llvm::function_ref<Value(Value)> perColumn) -> Value {
        Value value =
            arith::MulFOp::create(builder, difference(element), splat(inverse));
        value = arith::MulFOp::create(builder, value, perColumn(scale));
        return hasBias ? arith::AddFOp::create(builder, value,
                                               perColumn(argument(2)))
                             .getResult()
                       : value;
      });
}

/// (x * inv) * scale with inv of the mean square.
void RowWriter::rmsNorm(const APFloat &epsilon) {
  Value x = argument(0), scale = argument(1), y = argument(2);
  Value square = meanOf(sumOf(x, [&](Value, Value element) -> Value {
    return arith::MulFOp::create(builder, element, element);
  }));
  Value inverse = inverseRoot(square, epsilon);
  mapRow(
      x, y,
      [&](Value element, llvm::function_ref<Value(Value)> perColumn) -> Value {
        Value value = arith::MulFOp::create(builder, element, splat(inverse));
        return arith::MulFOp::create(builder, value, perColumn(scale));
      });
}

/// clamp(round_half_even(x / s), -127, 127) as i32 lanes; NaN becomes 0.
Value RowWriter::toCodes(Value x, Value scale) {
  auto type = cast<VectorType>(x.getType());
  Value low = constant(type, -127), high = constant(type, 127);
  Value quotient =
      arith::DivFOp::create(builder, x, splat(scale, type.getNumElements()));
  Value code = math::RoundEvenOp::create(builder, quotient);
  code = larger(low,
                code); // low < code ? code : low: NaN becomes low here, 0 below
  Value over =
      arith::CmpFOp::create(builder, arith::CmpFPredicate::OLT, high, code);
  code = arith::SelectOp::create(builder, over, high, code);
  Value ordered = arith::CmpFOp::create(builder, arith::CmpFPredicate::ORD,
                                        quotient, quotient);
  code = arith::SelectOp::create(builder, ordered, code, constant(type, 0));
  return arith::FPToSIOp::create(builder, type.clone(builder.getI32Type()),
                                 code);
}

/// The largest |x| of `count` columns of the row from `from` on.
Value RowWriter::absoluteMaximum(Value x, Value from, Value count) {
  Value whole = arith::SubIOp::create(
      builder, count,
      arith::RemUIOp::create(builder, count, index(Lanes)).getResult());
  auto fold = [&](Value lanes, Value elements) {
    return larger(lanes, math::AbsFOp::create(builder, elements).getResult());
  };
  Value lanes =
      loop(index(0), whole, Lanes, constant(floats(), 0),
           [&](Value at, ValueRange carried) {
             Value column = arith::AddIOp::create(builder, from, at);
             return SmallVector<Value>{fold(carried[0], load(x, column))};
           });
  Value mask = maskOf(arith::SubIOp::create(builder, count, whole));
  Value rest = arith::AddIOp::create(builder, from, whole);
  lanes = fold(lanes, loadMasked(x, {row, rest}, mask)); // 0 where masked
  for (int64_t half = Lanes / 2; half >= 1; half /= 2) {
    auto part = [&](int64_t offset) -> Value {
      return vector::ExtractStridedSliceOp::create(builder, lanes, offset, half,
                                                   1);
    };
    lanes = larger(part(0), part(half));
  }
  return vector::ExtractOp::create(builder, lanes, int64_t(0));
}

/// max / 127, and 1 for 0.
Value RowWriter::int8Scale(Value maximum) {
  Type f32 = builder.getF32Type();
  Value scale = arith::DivFOp::create(builder, maximum, constant(f32, 127));
  Value isZero = arith::CmpFOp::create(builder, arith::CmpFPredicate::OEQ,
                                       scale, constant(f32, 0));
  return arith::SelectOp::create(builder, isZero, constant(f32, 1), scale);
}

/// Group g of the row, padded with zeros to a multiple of four, its sum and its
/// pairs.
void RowWriter::arrangeGroup(Value g, const Arrangement &a) {
  Type i8 = builder.getI8Type(), i32 = builder.getI32Type();
  Value padded = index(padToFour(a.group));
  auto zeros = [&](int64_t lanes) -> Value {
    return arith::ConstantOp::create(
        builder, builder.getZeroAttr(VectorType::get(lanes, i32)));
  };
  Value source = arith::MulIOp::create(builder, g, index(a.group));
  Value target = arith::MulIOp::create(builder, g, padded);
  Value left = arith::SubIOp::create(builder, columns, source);
  Value length = arith::MinUIOp::create(builder, left, index(a.group));
  // Whole vectors, then four at a time up to the padded end: a column beyond
  // the group is code 0.
  Value whole = arith::SubIOp::create(
      builder, length,
      arith::RemUIOp::create(builder, length, index(Lanes)).getResult());
  auto move = [&](Value at, Value lanes, Value sum) -> SmallVector<Value> {
    auto type = cast<VectorType>(lanes.getType());
    Value bytes = arith::TruncIOp::create(builder, type.clone(i8), lanes);
    vector::StoreOp::create(
        builder, bytes, a.codes,
        ValueRange{row,
                   arith::AddIOp::create(builder, target, at).getResult()});
    return {arith::AddIOp::create(builder, sum, lanes)};
  };
  auto columnOf = [&](Value at) -> Value {
    return arith::AddIOp::create(builder, source, at);
  };
  Value wide = loop(
      index(0), whole, Lanes, zeros(Lanes), [&](Value at, ValueRange carried) {
        return move(at, a.read(columnOf(at), Value(), Lanes), carried[0]);
      });
  Value narrow =
      loop(whole, padded, 4, zeros(4), [&](Value at, ValueRange carried) {
        Value mask = maskOf(arith::SubIOp::create(builder, length, at), 4);
        return move(at, a.read(columnOf(at), mask, 4), carried[0]);
      });
  Value total = arith::AddIOp::create(
      builder,
      vector::ReductionOp::create(builder, vector::CombiningKind::ADD, wide)
          .getResult(),
      vector::ReductionOp::create(builder, vector::CombiningKind::ADD, narrow)
          .getResult());
  memref::StoreOp::create(builder, total, a.sums, ValueRange{row, g});
  if (a.chunk)
    writePairSums(builder,
                  {a.codes, row, target, padToFour(a.group), a.chunk, a.centre},
                  a.pairs, g);
}

/// Arguments: x, codes, scales, sums, and pairs where there is a chunk.
void RowWriter::quantizeRows(QuantizeRowsOp op) {
  Value x = argument(0), scales = argument(2), sums = argument(3), scale;
  auto read = [&](Value column, Value mask, int64_t lanes) {
    return toCodes(mask ? loadMasked(x, {row, column}, mask, lanes)
                        : load(x, column),
                   scale);
  };
  Arrangement arrangement{argument(1),
                          sums,
                          op.getChunk() ? argument(4) : Value(),
                          int64_t(op.getGroup()),
                          int64_t(op.getChunk()),
                          int64_t(op.getCentre()),
                          read};
  Value groups = memref::DimOp::create(builder, sums, index(1));
  if (op.getBlock() == 0) {
    scale = int8Scale(reduce(
        x, 0,
        [&](Value, Value element) -> Value {
          return math::AbsFOp::create(builder, element);
        },
        [&](Value a, Value b) { return larger(a, b); }));
    memref::StoreOp::create(builder, scale, scales, ValueRange{row});
    loop(index(0), groups, 1, {}, [&](Value g, ValueRange) {
      arrangeGroup(g, arrangement);
      return SmallVector<Value>();
    });
    return;
  }
  // A scale for each block, repeated for the groups in it.
  Value block = index(op.getBlock()),
        perBlock = index(op.getBlock() / op.getGroup());
  loop(index(0), columns, op.getBlock(), {}, [&](Value from, ValueRange) {
    Value left = arith::SubIOp::create(builder, columns, from);
    scale = int8Scale(
        absoluteMaximum(x, from, arith::MinUIOp::create(builder, left, block)));
    Value first = arith::DivUIOp::create(builder, from, index(op.getGroup()));
    Value last = arith::MinUIOp::create(
        builder, groups,
        arith::AddIOp::create(builder, first, perBlock).getResult());
    loop(first, last, 1, {}, [&](Value g, ValueRange) {
      memref::StoreOp::create(builder, scale, scales, ValueRange{row, g});
      arrangeGroup(g, arrangement);
      return SmallVector<Value>();
    });
    return SmallVector<Value>();
  });
}

/// Arguments: codes as they are, codes, sums, and pairs where there is a chunk.
void RowWriter::arrangeRows(ArrangeRowsOp op) {
  Value given = argument(0), sums = argument(2);
  auto read = [&](Value column, Value mask, int64_t lanes) -> Value {
    auto bytes = VectorType::get(lanes, builder.getI8Type());
    SmallVector<Value> at{row, column};
    Value codes =
        mask
            ? vector::MaskedLoadOp::create(
                  builder, bytes, given, at, mask,
                  arith::ConstantOp::create(builder, builder.getZeroAttr(bytes))
                      .getResult())
                  .getResult()
            : vector::LoadOp::create(builder, bytes, given, at).getResult();
    return arith::ExtSIOp::create(builder, bytes.clone(builder.getI32Type()),
                                  codes);
  };
  Arrangement arrangement{argument(1),
                          sums,
                          op.getChunk() ? argument(3) : Value(),
                          int64_t(op.getGroup()),
                          int64_t(op.getChunk()),
                          int64_t(op.getCentre()),
                          read};
  Value groups = memref::DimOp::create(builder, sums, index(1));
  loop(index(0), groups, 1, {}, [&](Value g, ValueRange) {
    arrangeGroup(g, arrangement);
    return SmallVector<Value>();
  });
}

/// Arguments: x, tables, steps, negatives, sums.
void RowWriter::lutBuild(int64_t group) {
  LutRow lut{argument(0), argument(1), argument(2), argument(3),
             argument(4), row,         columns,     group};
  writeLutTables(builder, lut);
}

/// Arguments: x, sums. Each is a fold of scalars, whose order is the promise.
void RowWriter::groupSums(int64_t group) {
  Value x = argument(0), sums = argument(1);
  Value groups = memref::DimOp::create(builder, sums, index(1));
  loop(index(0), groups, 1, {}, [&](Value g, ValueRange) {
    Value first = builder.mul(g, group);
    Value end = builder.min(builder.add(first, group), columns);
    Value sum = loop(first, end, 1, constant(builder.getF32Type(), 0),
                     [&](Value column, ValueRange carried) {
                       Value element = memref::LoadOp::create(
                           builder, x, ValueRange{row, column});
                       return SmallVector<Value>{
                           arith::AddFOp::create(builder, carried[0], element)};
                     });
    memref::StoreOp::create(builder, sum, sums, ValueRange{row, g});
    return SmallVector<Value>();
  });
}

} // namespace

bool mezzo::isRowOp(Operation *op) {
  return isa<SoftmaxOp, LayerNormOp, RmsNormOp, QuantizeRowsOp, ArrangeRowsOp,
             LutBuildOp, GroupSumsOp>(op);
}

std::string mezzo::rowKernelKey(Operation *op) {
  std::string key;
  llvm::raw_string_ostream os(key);
  auto epsilon = [](const APFloat &value) {
    return llvm::utohexstr(value.bitcastToAPInt().getZExtValue(),
                           /*LowerCase=*/true);
  };
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](SoftmaxOp) { os << "softmax.f32"; })
      .Case([&](LayerNormOp norm) {
        os << "layer_norm.f32" << (norm.getBias() ? ".bias" : "") << ".e"
           << epsilon(norm.getEpsilon());
      })
      .Case([&](RmsNormOp norm) {
        os << "rms_norm.f32.e" << epsilon(norm.getEpsilon());
      })
      .Case([&](QuantizeRowsOp quantize) {
        os << "quantize_rows.int8.g" << quantize.getGroup();
        if (quantize.getChunk())
          os << "c" << quantize.getChunk() << "m" << quantize.getCentre();
        if (quantize.getBlock())
          os << ".sb" << quantize.getBlock();
      })
      .Case([&](ArrangeRowsOp arrange) {
        os << "arrange_rows.g" << arrange.getGroup();
        if (arrange.getChunk())
          os << "c" << arrange.getChunk() << "m" << arrange.getCentre();
      })
      .Case([&](LutBuildOp lut) { os << "lut_build.g" << lut.getGroup(); })
      .Case([&](GroupSumsOp sums) { os << "group_sums.g" << sums.getGroup(); });
  return key;
}

func::FuncOp mezzo::emitRowKernel(ModuleOp module, Operation *op,
                                  StringRef name) {
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  SmallVector<Type> types;
  for (Type type : llvm::concat<Type>(SmallVector<Type>(op->getOperandTypes()),
                                      SmallVector<Type>(op->getResultTypes())))
    types.push_back(anyShape(cast<ShapedType>(type)));
  types.append(2, builder.getIndexType());
  auto function = func::FuncOp::create(builder, op->getLoc(), name,
                                       builder.getFunctionType(types, {}));
  function.setPrivate();
  RowWriter writer(function, op->getLoc());
  writer.begin();
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](SoftmaxOp) { writer.softmax(); })
      .Case([&](LayerNormOp norm) {
        writer.layerNorm(bool(norm.getBias()), norm.getEpsilon());
      })
      .Case([&](RmsNormOp norm) { writer.rmsNorm(norm.getEpsilon()); })
      .Case([&](QuantizeRowsOp quantize) { writer.quantizeRows(quantize); })
      .Case([&](ArrangeRowsOp arrange) { writer.arrangeRows(arrange); })
      .Case([&](LutBuildOp lut) { writer.lutBuild(lut.getGroup()); })
      .Case([&](GroupSumsOp sums) { writer.groupSums(sums.getGroup()); });
  return function;
}
