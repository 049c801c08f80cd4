//===- PlaceDequantize.cpp - dequantization, moved to its product ---------===//
//
// A product takes its scales out of the sum only if it sees them: between
// `mezzo.dequantize` and the product there must be nothing. What lies there in
// models moves data (transpose, reshape, slice, concat, gather) and computes
// nothing, so it may as well move codes, and the dequantization comes behind
// it:
//
//     reshape(dequantize(q, s))  -->  dequantize(reshape(q), s')
//
// Which scale belongs to which element may need another description after that.
// It is found by looking: each element of the weight is followed through all
// that moves it, with the number of its scale; and then the numbers in the
// result are described as one for all, one for each row, or one for each row
// and block of columns, whichever is the first that is right. Nothing has to be
// known about any kind of movement but where its elements come from.
//
// Worked example: W[2, 6] with blocks of 3 along the columns has four scales,
// here as numbers; a reshape to [4, 3] is followed by a transpose.
//
//     0 0 0 1 1 1         0 0 0          0 1 2 3
//     2 2 2 3 3 3   -->   1 1 1   -->    0 1 2 3     one for each column
//                         2 2 2          0 1 2 3
//                         3 3 3
//
//===----------------------------------------------------------------------===//

#include "passes/Passes.h"

#include "dialects/Mezzo/Mezzo.h"
#include "passes/Tensor/Constants.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/AsmState.h"

#include <numeric>

namespace mezzo {
#define GEN_PASS_DEF_PLACEDEQUANTIZE
#include "passes/Passes.h.inc"
} // namespace mezzo

using namespace mlir;
using namespace mezzo;

namespace {

/// Elements that are followed at most: nine bytes of memory for each.
constexpr int64_t MostElements = int64_t(1) << 28;

/// A constant matrix before its dequantization, element by element.
struct Codes {
  SmallVector<int64_t> shape;
  std::optional<Format> format; ///< none: not known yet, nothing is filled
  std::vector<uint8_t> raw;     ///< codes
  std::vector<int32_t> scale;   ///< the number of each one's scale; -1: no code
  std::vector<float> scales;    ///< by number
  std::vector<int32_t> zeros;   ///< likewise
  std::vector<std::string> path; ///< what moved them, for the remark

  int64_t size() const {
    return std::accumulate(shape.begin(), shape.end(), int64_t(1),
                           std::multiplies<>());
  }
};

/// Row-major strides.
SmallVector<int64_t> stridesOf(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> strides(shape.size(), 1);
  for (int64_t dim = int64_t(shape.size()) - 2; dim >= 0; --dim)
    strides[dim] = strides[dim + 1] * shape[dim + 1];
  return strides;
}

/// Calls `visit` with the linear position of each element of `shape`, in order,
/// and offset + sum of its coordinates by `strides`.
void forEachElement(ArrayRef<int64_t> shape, int64_t offset,
                    ArrayRef<int64_t> strides,
                    llvm::function_ref<void(int64_t, int64_t)> visit) {
  SmallVector<int64_t> at(shape.size());
  int64_t count = 1, other = offset;
  for (int64_t extent : shape)
    count *= extent;
  for (int64_t position = 0; position < count; ++position) {
    visit(position, other);
    for (int64_t dim = int64_t(shape.size()) - 1; dim >= 0; --dim) {
      other += strides[dim];
      if (++at[dim] < shape[dim])
        break;
      other -= strides[dim] * shape[dim];
      at[dim] = 0;
    }
  }
}

/// Follows the elements of a value back to codes. What cannot be followed is
/// `why`.
class Tracer {
public:
  FailureOr<Codes> trace(Value value);
  /// Whether there is a dequantization behind `value`, and something between.
  static bool isMoved(Value value);
  std::string why;

private:
  FailureOr<Codes> stop(const Twine &reason) {
    why = reason.str();
    return failure();
  }
  FailureOr<Codes> read(DequantizeOp op);
  FailureOr<Codes> transpose(linalg::TransposeOp op);
  FailureOr<Codes> slice(tensor::ExtractSliceOp op);
  FailureOr<Codes> insert(tensor::InsertSliceOp op);
  FailureOr<Codes> rename(Operation *op, StringRef what);
  FailureOr<Codes> select(Codes from, ArrayRef<int64_t> shape, int64_t offset,
                          ArrayRef<int64_t> strides, StringRef what);
};

/// The value that an op moves, and what users call the movement.
std::pair<Value, StringRef> movedBy(Operation *op) {
  if (!op)
    return {};
  if (auto transpose = dyn_cast<linalg::TransposeOp>(op))
    return {transpose.getInput(), "transpose"};
  if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(op))
    return {op->getOperand(0), "reshape"};
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op))
    return {slice.getSource(), "slice"};
  if (auto insert = dyn_cast<tensor::InsertSliceOp>(op))
    return {insert.getSource(), "concat"};
  return {};
}

bool Tracer::isMoved(Value value) {
  Value source = movedBy(value.getDefiningOp()).first;
  if (!source)
    return false;
  while (Value next = movedBy(source.getDefiningOp()).first)
    source = next;
  return source.getDefiningOp<DequantizeOp>() != nullptr;
}

FailureOr<Codes> Tracer::read(DequantizeOp op) {
  WeightOp weight = plainWeightOf(op.getInput());
  if (!weight)
    return stop("its codes are computed at run time");
  if (op->hasAttr("mezzo.strict"))
    return stop("--strict-dq keeps the rounding of the dequantization");
  auto code = dyn_cast<QType>(weight.getTensorType().getElementType());
  if (!code || !code.getNumberFormat().isInteger() ||
      code.getNumberFormat().bits() > 8)
    return stop("its codes are no integers of up to eight bits");
  Codes codes;
  codes.shape = llvm::to_vector(weight.getTensorType().getShape());
  codes.format = code.getNumberFormat();
  if (codes.size() > MostElements)
    return stop("it has more than " + Twine(MostElements) + " elements");
  std::optional<SmallVector<int32_t>> values = integersOf(op.getInput());
  if (!values)
    return stop("the bytes of its codes are not at hand");
  ElementsAttr constant = constantOf(op.getScales());
  std::optional<SmallVector<float>> scales =
      constant ? floatsOf(constant) : std::nullopt;
  if (!scales)
    return stop("its scales are not constant");
  codes.scales.assign(scales->begin(), scales->end());
  codes.zeros.assign(codes.scales.size(), 0);
  if (Value zeros = op.getZeros()) {
    std::optional<SmallVector<int32_t>> numbers = integersOf(zeros);
    if (!numbers)
      return stop("its zero points are not constant integers");
    codes.zeros.assign(numbers->begin(), numbers->end());
  }
  codes.raw.resize(values->size());
  for (auto [raw, value] : llvm::zip_equal(codes.raw, *values))
    raw = codes.format->rawOf(value);
  // The number of a scale is its place.
  codes.scale.resize(codes.raw.size());
  int64_t axis = op.getAxis(), block = op.getBlock(), rank = codes.shape.size();
  SmallVector<int64_t> strides(rank, 0);
  if (op.getScales().getType().getRank() == 0) {
    // all share the first
  } else if (block == 0) {
    strides[axis] = 1;
  } else {
    SmallVector<int64_t> grid(codes.shape);
    grid[axis] = llvm::divideCeil(grid[axis], block);
    strides = stridesOf(grid);
  }
  SmallVector<int64_t> at(rank);
  for (int32_t &number : codes.scale) {
    int64_t place = 0;
    for (int64_t dim = 0; dim < rank; ++dim)
      place +=
          strides[dim] * (block && dim == axis ? at[dim] / block : at[dim]);
    number = place;
    for (int64_t dim = rank - 1; dim >= 0 && ++at[dim] == codes.shape[dim];
         --dim)
      at[dim] = 0;
  }
  return codes;
}

/// The elements of `from` at offset + strides * coordinates, for all of
/// `shape`.
FailureOr<Codes> Tracer::select(Codes from, ArrayRef<int64_t> shape,
                                int64_t offset, ArrayRef<int64_t> strides,
                                StringRef what) {
  Codes to = from;
  to.shape = llvm::to_vector(shape);
  to.raw.resize(to.size());
  to.scale.resize(to.size());
  forEachElement(shape, offset, strides, [&](int64_t target, int64_t source) {
    to.raw[target] = from.raw[source];
    to.scale[target] = from.scale[source];
  });
  to.path.push_back(what.str());
  return to;
}

FailureOr<Codes> Tracer::transpose(linalg::TransposeOp op) {
  FailureOr<Codes> from = trace(op.getInput());
  if (failed(from))
    return failure();
  SmallVector<int64_t> old = stridesOf(from->shape), shape, strides;
  for (int64_t dim : op.getPermutation()) {
    shape.push_back(from->shape[dim]);
    strides.push_back(old[dim]);
  }
  return select(std::move(*from), shape, 0, strides, "transpose");
}

FailureOr<Codes> Tracer::slice(tensor::ExtractSliceOp op) {
  if (!op.getType().hasStaticShape() ||
      llvm::any_of(op.getStaticOffsets(), ShapedType::isDynamic) ||
      llvm::any_of(op.getStaticStrides(), ShapedType::isDynamic))
    return stop("where it is sliced is known at run time only");
  FailureOr<Codes> from = trace(op.getSource());
  if (failed(from))
    return failure();
  SmallVector<int64_t> old = stridesOf(from->shape), strides;
  int64_t offset = 0;
  for (auto [start, step, stride] :
       llvm::zip_equal(op.getStaticOffsets(), op.getStaticStrides(), old)) {
    offset += start * stride;
    strides.push_back(step * stride);
  }
  auto selected =
      select(std::move(*from), op.getStaticSizes(), offset, strides, "slice");
  // Dimensions of size 1 may be dropped.
  selected->shape = llvm::to_vector(op.getType().getShape());
  return selected;
}

/// One of the parts of a concatenation; the others are behind its destination,
/// and at the end of all an empty tensor.
FailureOr<Codes> Tracer::insert(tensor::InsertSliceOp op) {
  if (!op.getType().hasStaticShape() ||
      llvm::any_of(op.getStaticOffsets(), ShapedType::isDynamic) ||
      llvm::any_of(op.getStaticSizes(), ShapedType::isDynamic) ||
      llvm::any_of(op.getStaticStrides(), ShapedType::isDynamic))
    return stop("where it is put is known at run time only");
  Codes to;
  if (op.getDest().getDefiningOp<tensor::EmptyOp>()) {
    to.shape = llvm::to_vector(op.getType().getShape());
    if (to.size() > MostElements)
      return stop("it has more than " + Twine(MostElements) + " elements");
    to.raw.resize(to.size());
    to.scale.assign(to.size(), -1);
  } else {
    FailureOr<Codes> rest = trace(op.getDest());
    if (failed(rest))
      return failure();
    to = std::move(*rest);
  }
  FailureOr<Codes> from = trace(op.getSource());
  if (failed(from))
    return failure();
  if (to.format && to.format->str() != from->format->str())
    return stop("it is put together of " + to.format->str() + " and " +
                from->format->str());
  to.format = from->format;
  int32_t first = to.scales.size();
  llvm::append_range(to.scales, from->scales);
  llvm::append_range(to.zeros, from->zeros);
  SmallVector<int64_t> all = stridesOf(to.shape), strides;
  int64_t offset = 0;
  for (auto [start, step, stride] :
       llvm::zip_equal(op.getStaticOffsets(), op.getStaticStrides(), all)) {
    offset += start * stride;
    strides.push_back(step * stride);
  }
  forEachElement(op.getStaticSizes(), offset, strides,
                 [&](int64_t source, int64_t target) {
                   to.raw[target] = from->raw[source];
                   to.scale[target] = first + from->scale[source];
                 });
  to.path = from->path;
  to.path.push_back("concat");
  return to;
}

FailureOr<Codes> Tracer::rename(Operation *op, StringRef what) {
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  if (!type.hasStaticShape())
    return stop("its shape is known at run time only");
  FailureOr<Codes> codes = trace(op->getOperand(0));
  if (failed(codes))
    return failure();
  codes->shape = llvm::to_vector(type.getShape());
  codes->path.push_back(what.str());
  return codes;
}

FailureOr<Codes> Tracer::trace(Value value) {
  Operation *op = value.getDefiningOp();
  if (auto dequantize = dyn_cast_or_null<DequantizeOp>(op))
    return read(dequantize);
  if (auto transposeOp = dyn_cast_or_null<linalg::TransposeOp>(op))
    return transpose(transposeOp);
  if (auto sliceOp = dyn_cast_or_null<tensor::ExtractSliceOp>(op))
    return slice(sliceOp);
  if (auto insertOp = dyn_cast_or_null<tensor::InsertSliceOp>(op))
    return insert(insertOp);
  if (StringRef what = movedBy(op).second; !what.empty())
    return rename(op, what);
  return stop("a part of it is not dequantized");
}

//===----------------------------------------------------------------------===//
// Describing the scales of a matrix
//===----------------------------------------------------------------------===//

/// How the scales of the result are told.
struct Sharing {
  enum Kind { All, PerRow, PerBlock } kind;
  int64_t block; ///< columns
};

/// Rows and columns as the product sees them, whichever way they are stored.
class MatrixView {
public:
  MatrixView(const Codes &codes, int64_t kAxis)
      : codes(codes), rows(codes.shape[1 - kAxis]), columns(codes.shape[kAxis]),
        rowStride(kAxis == 1 ? columns : 1),
        columnStride(kAxis == 1 ? 1 : rows) {}

  int32_t scale(int64_t row, int64_t column) const {
    return codes.scale[row * rowStride + column * columnStride];
  }
  Sharing sharing() const;

  const Codes &codes;
  int64_t rows, columns, rowStride, columnStride;
};

Sharing MatrixView::sharing() const {
  // The greatest common divisor of the places where the scale changes.
  int64_t block = 0;
  bool rowsDiffer = false;
  for (int64_t row = 0; row < rows; ++row) {
    rowsDiffer |= scale(row, 0) != scale(0, 0);
    for (int64_t column = 1; column < columns; ++column)
      if (scale(row, column) != scale(row, column - 1))
        block = std::gcd(block, column);
  }
  if (block)
    return {Sharing::PerBlock, block};
  return {rowsDiffer ? Sharing::PerRow : Sharing::All, columns};
}

template <typename T>
ElementsAttr resourceOf(StringRef name, ArrayRef<T> values,
                        RankedTensorType type) {
  return DenseResourceElementsAttr::get(
      type, name,
      HeapAsmResourceBlob::allocateAndCopyWithAlign(
          ArrayRef<char>(reinterpret_cast<const char *>(values.data()),
                         values.size() * sizeof(T)),
          alignof(T)));
}

class PlaceDequantizePass
    : public mezzo::impl::PlaceDequantizeBase<PlaceDequantizePass> {
  void runOnOperation() override {
    SmallVector<linalg::MatmulOp> products;
    getOperation().walk([&](linalg::MatmulOp op) { products.push_back(op); });
    for (linalg::MatmulOp op : products)
      place(op);
  }

  //   %d = mezzo.dequantize %w scales(%s)
  //   %m = tensor.collapse_shape %d ...
  //   %y = linalg.matmul ins(%x, %m)
  //   -->
  //   %m = mezzo.load_weight @w.moved
  //   %d = mezzo.dequantize %m scales(...)
  //   %y = linalg.matmul ins(%x, %d)
  void place(linalg::MatmulOp op) {
    Value right = op.getInputs()[1];
    auto type = dyn_cast<RankedTensorType>(right.getType());
    // A transposition right before the product is a layout: mezzo-form-matmul.
    Value source = right;
    if (auto transpose = right.getDefiningOp<linalg::TransposeOp>())
      source = transpose.getInput();
    if (!type || type.getRank() != 2 || !Tracer::isMoved(source))
      return;
    AffineExpr m, n, k;
    bindDims(&getContext(), m, n, k);
    bool transposed = op.getIndexingMapsArray()[1] ==
                      AffineMap::get(3, 0, {n, k}, &getContext());
    Tracer tracer;
    FailureOr<Codes> codes = tracer.trace(right);
    if (failed(codes) || llvm::is_contained(codes->scale, -1)) {
      op.emitRemark() << "the dequantization of its weight stays where it is: "
                      << (failed(codes) ? tracer.why
                                        : "a part of it is not dequantized");
      return;
    }
    MatrixView view(*codes, transposed ? 1 : 0);
    Sharing sharing = view.sharing();
    if (sharing.kind == Sharing::PerBlock && sharing.block == 1) {
      op.emitRemark()
          << "the dequantization of its weight stays where it is: behind the "
          << llvm::join(codes->path, ", ")
          << ", each column of a row would have a scale of its own";
      return;
    }
    op.getInputsMutable()[1].set(dequantized(op, view, sharing, transposed));
    auto remark = op.emitRemark();
    remark << "the dequantization of its weight was moved behind "
           << llvm::join(codes->path, ", ") << ": ";
    if (sharing.kind == Sharing::PerBlock)
      remark << "a scale for each row and " << sharing.block << " columns";
    else
      remark << (sharing.kind == Sharing::All ? "one scale"
                                              : "a scale for each row");
  }

  /// The matrix as a weight of its own, dequantized.
  Value dequantized(linalg::MatmulOp op, const MatrixView &view,
                    Sharing sharing, bool transposed) {
    const Codes &codes = view.codes;
    std::string name = weightName();
    OpBuilder builder(getOperation().getBodyRegion());
    unsigned bits = codes.format->bits();
    std::vector<uint8_t> packed((codes.raw.size() * bits + 7) / 8);
    for (size_t i = 0; i < codes.raw.size(); ++i)
      for (unsigned bit = 0; bit < bits; ++bit)
        packed[(i * bits + bit) / 8] |= (codes.raw[i] >> bit & 1)
                                        << (i * bits + bit) % 8;
    auto type = RankedTensorType::get(
        codes.shape, QType::get(&getContext(), codes.format->str()));
    WeightOp::create(
        builder, op.getLoc(), name, type,
        resourceOf<uint8_t>(name, packed,
                            RankedTensorType::get({int64_t(packed.size())},
                                                  builder.getI8Type())));

    // The scale of each row and group, in the order of DequantizeLinear.
    SmallVector<int64_t> shape;
    int64_t groups = 1, kAxis = transposed ? 1 : 0;
    if (sharing.kind == Sharing::PerRow)
      shape = {view.rows};
    if (sharing.kind == Sharing::PerBlock) {
      groups = llvm::divideCeil(view.columns, sharing.block);
      shape = {view.rows, view.rows};
      shape[kAxis] = groups;
    }
    int64_t rows = sharing.kind == Sharing::All ? 1 : view.rows;
    std::vector<float> scales(rows * groups);
    std::vector<int16_t> zeros(rows * groups);
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t group = 0; group < groups; ++group) {
        int32_t number = view.scale(row, group * sharing.block);
        int64_t to = transposed ? row * groups + group : group * rows + row;
        scales[to] = codes.scales[number];
        zeros[to] = codes.zeros[number];
      }
    builder.setInsertionPoint(op);
    auto constant = [&](DenseElementsAttr values) -> Value {
      return arith::ConstantOp::create(builder, op.getLoc(), values);
    };
    Value load =
        LoadWeightOp::create(builder, op.getLoc(), TypeRange{type}, name)
            .getResult(0);
    Value scale = constant(DenseElementsAttr::get(
        RankedTensorType::get(shape, builder.getF32Type()), ArrayRef(scales)));
    Value zero;
    if (llvm::any_of(zeros, [](int16_t z) { return z != 0; }))
      zero = constant(DenseElementsAttr::get(
          RankedTensorType::get(shape, builder.getI16Type()), ArrayRef(zeros)));
    int64_t axis = sharing.kind == Sharing::PerRow ? 1 - kAxis : kAxis;
    return DequantizeOp::create(
        builder, op.getLoc(),
        RankedTensorType::get(codes.shape, builder.getF32Type()), load, scale,
        zero, axis, sharing.kind == Sharing::PerBlock ? sharing.block : 0);
  }

  std::string weightName() {
    std::string name;
    do
      name = "moved" + std::to_string(made++);
    while (getOperation().lookupSymbol(name));
    return name;
  }

  unsigned made = 0;
};

} // namespace
