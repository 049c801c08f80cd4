//===- Blocks.cpp - DepthToSpace and SpaceToDepth -------------------------===//

#include "passes/Frontend/Registry.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mezzo;

namespace {

/// x[N, C, H, W] and the block size, checked; `dims` must be multiples of
/// `factor`.
FailureOr<int64_t> blockOf(Node &node, ArrayRef<int64_t> dims, bool squared) {
  int64_t block = node.integer("blocksize", 0);
  if (block < 1 || block > 1 << 15 || node.rank(0) != 4)
    return node.error() << "it has blocks of " << block
                        << " and an input of rank " << node.rank(0)
                        << ", but needs blocks of at least 1 and a rank of 4; "
                           "export the model again";
  int64_t factor = squared ? block * block : block;
  for (int64_t dim : dims)
    if (std::optional<int64_t> size =
            getConstantIntValue(node.in(0).sizes[dim]);
        size && *size % factor != 0)
      return node.error() << "dimension " << dim << " has " << *size
                          << " elements, which is no multiple of " << factor
                          << "; check --dim and --shape";
  return block;
}

//   DepthToSpace(x[N, C, H, W], b)
//   -->
//   DCR: x as [N, b, b, C/b^2, H, W] -> [N, C/b^2, H, b, W, b]
//   CRD: x as [N, C/b^2, b, b, H, W] -> [N, C/b^2, H, b, W, b]
LogicalResult importDepthToSpace(Node &node) {
  FailureOr<int64_t> block = blockOf(node, {1}, true);
  if (failed(block))
    return failure();
  std::string mode = node.text("mode", "DCR");
  if (mode != "DCR" && mode != "CRD")
    return node.error() << "its attribute 'mode' is " << quoted(mode)
                        << ": use DCR or CRD";
  SizeArithmetic &sizes = node.sizes;
  SizedTensor x = node.held(0);
  Size n = x.sizes[0], h = x.sizes[2], w = x.sizes[3],
       b = sizes.constant(*block),
       c = sizes.divide(x.sizes[1], sizes.multiply(b, b));
  SizedTensor y =
      mode == "DCR"
          ? node.tensors.transpose(node.tensors.reshape(x, {n, b, b, c, h, w}),
                                   {0, 3, 4, 1, 5, 2})
          : node.tensors.transpose(node.tensors.reshape(x, {n, c, b, b, h, w}),
                                   {0, 1, 4, 2, 5, 3});
  return node.result(node.tensors.reshape(
                         y, {n, c, sizes.multiply(h, b), sizes.multiply(w, b)}),
                     node.type(0));
}

//   SpaceToDepth(x[N, C, H, W], b)
//   -->
//   x as [N, C, H/b, b, W/b, b] -> [N, b, b, C, H/b, W/b]
LogicalResult importSpaceToDepth(Node &node) {
  FailureOr<int64_t> block = blockOf(node, {2, 3}, false);
  if (failed(block))
    return failure();
  SizeArithmetic &sizes = node.sizes;
  SizedTensor x = node.held(0);
  Size n = x.sizes[0], c = x.sizes[1], b = sizes.constant(*block),
       h = sizes.divide(x.sizes[2], b), w = sizes.divide(x.sizes[3], b);
  SizedTensor y = node.tensors.transpose(
      node.tensors.reshape(x, {n, c, h, b, w, b}), {0, 3, 5, 1, 2, 4});
  return node.result(node.tensors.reshape(
                         y, {n, sizes.multiply(c, sizes.multiply(b, b)), h, w}),
                     node.type(0));
}

const OperatorRow rows[] = {
    {OnnxDomain, "DepthToSpace", 1, 1, 1, importDepthToSpace},
    {OnnxDomain, "SpaceToDepth", 1, 1, 1, importSpaceToDepth},
};

} // namespace

ArrayRef<OperatorRow> mezzo::blockOperators() { return rows; }
