//===- Indexing.cpp - Gather and Slice
//------------------------------------------===//

#include "passes/Frontend/Registry.h"
#include "passes/Frontend/Types.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mezzo;

namespace {

/// y[.., i.., ..] = x[.., index[i..], ..]. Negative indices count from the end;
/// one out of range fails the run and reads the first element, so that nothing
/// is ever read outside.
LogicalResult importGather(Node &node) {
  SizedTensor x = node.tensor(0), indices = node.tensor(1);
  FailureOr<int64_t> axis = node.axis(node.integer("axis", 0), x.rank());
  if (failed(axis))
    return failure();
  if (node.type(1) != ElementType::I64 && node.type(1) != ElementType::I32)
    return node.error() << "its indices are of type " << name(node.type(1))
                        << ": use i64 or i32";
  if (isa<QType>(x.elementType()))
    return node.error() << "it gathers codes of less than a byte, which is not "
                           "supported; dequantize the table first";
  Sizes shape(x.sizes.begin(), x.sizes.begin() + *axis);
  llvm::append_range(shape, indices.sizes);
  shape.append(x.sizes.begin() + *axis + 1, x.sizes.end());
  Value extent = node.sizes.value(x.sizes[*axis]);
  std::string message = node.subject() + ": an index is out of range";
  SizedTensor y = node.tensors.generate(
      shape, x.elementType(),
      [&](ImplicitLocOpBuilder &b, ValueRange at) -> Value {
        Value zero = arith::ConstantIndexOp::create(b, 0);
        Value raw = tensor::ExtractOp::create(b, indices.value,
                                              at.slice(*axis, indices.rank()));
        Value index = arith::IndexCastOp::create(b, b.getIndexType(), raw);
        Value isNegative =
            arith::CmpIOp::create(b, arith::CmpIPredicate::slt, index, zero);
        Value wrapped = arith::AddIOp::create(b, index, extent);
        index = arith::SelectOp::create(b, isNegative, wrapped, index);
        Value below =
            arith::CmpIOp::create(b, arith::CmpIPredicate::ult, index, extent);
        CheckOp::create(b, below, message);
        index = arith::SelectOp::create(b, below, index, zero);
        SmallVector<Value> position(at.begin(), at.begin() + *axis);
        position.push_back(index);
        position.append(at.begin() + *axis + indices.rank(), at.end());
        return tensor::ExtractOp::create(b, x.value, position);
      });
  return node.result(y, node.type(0));
}

/// Starts, ends, axes and steps as inputs (from version 10 on) or attributes,
/// with constant positive steps.
LogicalResult importSlice(Node &node) {
  SizedTensor x = node.held(0);
  SmallVector<int64_t> starts, ends, axes, steps;
  auto read = [&](unsigned input, StringRef attribute, StringRef what,
                  SmallVector<int64_t> &values) -> LogicalResult {
    if (auto list = node.integerList(attribute)) {
      values = *list;
      return success();
    }
    if (!node.has(input))
      return success();
    FailureOr<SmallVector<int64_t>> known = node.integers(input, what);
    if (failed(known))
      return failure();
    values = *known;
    return success();
  };
  if (failed(read(1, "starts", "starts", starts)) ||
      failed(read(2, "ends", "ends", ends)) ||
      failed(read(3, "axes", "axes", axes)) ||
      failed(read(4, "", "steps", steps)))
    return failure();
  if (axes.empty())
    axes = llvm::to_vector(llvm::seq<int64_t>(0, starts.size()));
  if (steps.empty())
    steps.assign(starts.size(), 1);
  if (ends.size() != starts.size() || axes.size() != starts.size() ||
      steps.size() != starts.size())
    return node.error() << "its starts, ends, axes and steps differ in length; "
                           "export the model again";
  Sizes offsets(x.rank(), node.sizes.constant(0)), shape = x.sizes;
  SmallVector<int64_t> strides(x.rank(), 1);
  for (auto [start, end, given, step] :
       llvm::zip_equal(starts, ends, axes, steps)) {
    FailureOr<int64_t> axis = node.axis(given, x.rank());
    if (failed(axis))
      return failure();
    if (step < 1)
      return node.error() << "it slices with the step " << step
                          << ", which is not supported: use 1 or more";
    Size extent = x.sizes[*axis];
    auto clamp = [&](int64_t position) {
      Size at =
          position < 0
              ? node.sizes.maximum(
                    node.sizes.add(extent, node.sizes.constant(position)),
                    node.sizes.constant(0))
              : node.sizes.constant(std::min<int64_t>(position, INT32_MAX));
      return node.sizes.minimum(at, extent);
    };
    offsets[*axis] = clamp(start);
    Size length =
        node.sizes.maximum(node.sizes.subtract(clamp(end), offsets[*axis]),
                           node.sizes.constant(0));
    shape[*axis] = node.sizes.ceilDivide(length, step);
    strides[*axis] = step;
  }
  return node.result(node.tensors.slice(x, offsets, shape, strides),
                     node.type(0));
}

} // namespace

ArrayRef<OperatorRow> mezzo::indexingOperators() {
  static const OperatorRow rows[] = {
      {OnnxDomain, "Gather", 1, 2, 2, importGather},
      {OnnxDomain, "Slice", 1, 1, 5, importSlice},
  };
  return rows;
}
