//===- WindowGeometry.cpp - kernels, strides, pads and what follows -------===//

#include "passes/Frontend/WindowGeometry.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mezzo;

FailureOr<SmallVector<int64_t>> mezzo::perDimension(Node &node,
                                                    StringRef attribute,
                                                    size_t rank, int64_t absent,
                                                    int64_t least) {
  std::optional<SmallVector<int64_t>> given = node.integerList(attribute);
  if (!given || given->empty())
    return SmallVector<int64_t>(rank, absent);
  if (given->size() != rank)
    return node.error() << "its attribute '" << attribute << "' has "
                        << given->size() << " entries, but " << rank
                        << " are needed; export the model again";
  for (int64_t entry : *given)
    if (entry < least || entry > std::numeric_limits<int32_t>::max())
      return node.error() << "its attribute '" << attribute
                          << "' has the entry " << entry << ": use " << least
                          << " or more, within 31 "
                          << "bits";
  return *given;
}

LogicalResult mezzo::requireLessOrEqual(Node &node, Size lhs, Size rhs,
                                        const Twine &message) {
  std::optional<bool> known = node.sizes.lessOrEqual(lhs, rhs);
  if (known == false)
    return node.error() << message;
  if (!known) {
    Value holds =
        arith::CmpIOp::create(node.b, arith::CmpIPredicate::sle,
                              node.sizes.value(lhs), node.sizes.value(rhs));
    CheckOp::create(node.b, holds, (node.subject() + ": " + message).str());
  }
  return success();
}

namespace {

/// One dimension: what it is padded with, and the size of its output.
struct Extent {
  Size padBegin, padEnd, output;
};

/// The first and last element that a window covers lie so far apart, plus one.
Size reach(SizeArithmetic &sizes, Size kernel, int64_t dilation) {
  return sizes.add(sizes.multiply(sizes.subtract(kernel, sizes.constant(1)),
                                  sizes.constant(dilation)),
                   sizes.constant(1));
}

/// SAME: as many outputs as strides fit into the image.
Extent padToSame(SizeArithmetic &sizes, Size image, Size reach, int64_t stride,
                 bool upper) {
  Size output = sizes.ceilDivide(image, stride);
  Size covered =
      sizes.add(sizes.multiply(sizes.subtract(output, sizes.constant(1)),
                               sizes.constant(stride)),
                reach);
  Size total = sizes.maximum(sizes.subtract(covered, image), sizes.constant(0));
  Size smaller = sizes.divide(total, sizes.constant(2)),
       larger = sizes.subtract(total, smaller);
  return {upper ? smaller : larger, upper ? larger : smaller, output};
}

} // namespace

FailureOr<WindowGeometry> mezzo::readWindow(Node &node, ArrayRef<Size> image,
                                            ArrayRef<Size> kernel,
                                            bool rounds) {
  SizeArithmetic &sizes = node.sizes;
  size_t rank = image.size();
  auto strides = perDimension(node, "strides", rank, 1, 1),
       dilations = perDimension(node, "dilations", rank, 1, 1);
  auto pads = perDimension(node, "pads", 2 * rank, 0,
                           std::numeric_limits<int32_t>::min());
  std::string automatic = node.text("auto_pad", "NOTSET");
  if (failed(strides) || failed(dilations) || failed(pads))
    return failure();
  bool same = automatic == "SAME_UPPER" || automatic == "SAME_LOWER";
  if (!same && automatic != "NOTSET" && automatic != "VALID" &&
      !automatic.empty())
    return node.error() << "its auto_pad is " << quoted(automatic)
                        << ": use NOTSET, VALID, SAME_UPPER or SAME_LOWER";
  if (automatic == "VALID")
    pads->assign(2 * rank, 0);
  for (int64_t pad : *pads)
    if (pad < 0)
      return node.error() << "it pads by " << pad
                          << ", which is not supported: cut the image by a "
                             "Slice before";
  bool up = rounds && node.integer("ceil_mode", 0) != 0;
  WindowGeometry window{Sizes(image), Sizes(kernel), {},        {},
                        {},           *strides,      *dilations};
  for (size_t dim = 0; dim < rank; ++dim) {
    int64_t stride = (*strides)[dim];
    Size covered = reach(sizes, kernel[dim], (*dilations)[dim]);
    Extent extent;
    if (same) {
      extent = padToSame(sizes, image[dim], covered, stride,
                         automatic == "SAME_UPPER");
    } else {
      extent.padBegin = sizes.constant((*pads)[dim]);
      extent.padEnd = sizes.constant((*pads)[rank + dim]);
      Size padded =
          sizes.add(image[dim], sizes.add(extent.padBegin, extent.padEnd));
      // One stride more than the windows move through: 0 is no window at all.
      Size room = sizes.add(sizes.subtract(padded, covered),
                            sizes.constant(up ? 2 * stride - 1 : stride));
      if (failed(requireLessOrEqual(
              node, sizes.constant(0), room,
              "its window of " + describe({covered}) +
                  " does not fit into an image of " + describe({image[dim]}) +
                  " in dimension " + Twine(dim) +
                  "; check the shapes of the inputs of the model")))
        return failure();
      room = sizes.maximum(room, sizes.constant(0));
      extent.output = sizes.divide(room, sizes.constant(stride));
      if (up) // no window begins in what is padded behind the image
        extent.output = sizes.minimum(
            extent.output,
            sizes.ceilDivide(sizes.add(image[dim], extent.padBegin), stride));
    }
    window.padsBegin.push_back(extent.padBegin);
    window.padsEnd.push_back(extent.padEnd);
    window.output.push_back(extent.output);
  }
  return window;
}
