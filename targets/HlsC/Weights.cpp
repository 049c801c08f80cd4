//===- Weights.cpp - constants of a module, read out ----------------------===//

#include "targets/HlsC/Weights.h"

#include "lib/Layout/BoundLayout.h"
#include "lib/Layout/Relayout.h"
#include "lib/Number/Half.h"
#include "lib/Support/Sanitize.h"

#include "mlir/IR/DialectResourceBlobManager.h"

#include <cstring>

using namespace mlir;
using namespace mezzo;
using namespace mezzo::hlsc;

llvm::Expected<std::vector<uint8_t>> mezzo::hlsc::bytesOf(ElementsAttr constant,
                                                          size_t want) {
  ArrayRef<char> raw;
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(constant)) {
    if (AsmResourceBlob *blob = resource.getRawHandle().getBlob())
      raw = blob->getData();
  } else {
    raw = cast<DenseElementsAttr>(constant).getRawData();
  }
  std::vector<uint8_t> bytes(raw.begin(), raw.end());
  if (constant.isSplat() && !bytes.empty()) {
    size_t element = bytes.size();
    while (bytes.size() < want)
      for (size_t i = 0; i < element; ++i)
        bytes.push_back(bytes[i]);
  }
  if (bytes.size() < want)
    return llvm::createStringError("a constant has " + Twine(bytes.size()) +
                                   " bytes of data, but " + Twine(want) +
                                   " are needed");
  return bytes;
}

template <typename T>
static llvm::Expected<std::vector<T>> elementsOf(ElementsAttr constant) {
  size_t count = constant.getNumElements();
  auto bytes = bytesOf(constant, count * sizeof(T));
  if (!bytes)
    return bytes.takeError();
  std::vector<T> elements(count);
  if (count)
    std::memcpy(elements.data(), bytes->data(), count * sizeof(T));
  return elements;
}

llvm::Expected<std::vector<float>>
mezzo::hlsc::floatsOf(ElementsAttr constant) {
  Type type = constant.getElementType();
  if (type.isF32())
    return elementsOf<float>(constant);
  if (!type.isF16() && !type.isBF16())
    return llvm::createStringError("a constant is not of a float type");
  auto halves = elementsOf<uint16_t>(constant);
  if (!halves)
    return halves.takeError();
  std::vector<float> floats;
  for (uint16_t bits : *halves)
    floats.push_back(type.isF16() ? f16ToF32(bits) : bf16ToF32(bits));
  return floats;
}

llvm::Expected<QuantizedMatrix> mezzo::hlsc::matrixOf(WeightOp weight) {
  QuantizedMatrix matrix;
  auto spec = QuantSpec::parse(*weight.getSpec());
  if (!spec)
    return spec.takeError();
  matrix.spec = *spec;
  if (!spec->format.isInteger() || spec->scale.super ||
      spec->offset.kind == OffsetSpec::Kind::Minimum)
    return llvm::createStringError(
        "has weights of " + spec->str() +
        ", and this target has those with integer codes, one level of scales "
        "and zero points: quantize it so");
  matrix.rows = weight.getRows();
  matrix.cols = weight.getColumns();
  matrix.groupLength = *weight.getGroup();
  auto layout = weight.getLayout()->getLayout().bind(
      {{'n', matrix.rows},
       {'k', matrix.cols},
       {'b', int64_t(matrix.spec.format.bits())}});
  if (!layout)
    return layout.takeError();
  auto stored = bytesOf(weight.getData(), layout->totalBytes());
  if (!stored)
    return stored.takeError();
  matrix.codes.resize(matrix.rows * matrix.cols);
  ArrayRef<uint8_t> in(*stored);
  if (llvm::Error error =
          unpack(*layout, in.take_front(layout->totalBytes()), matrix.codes))
    return std::move(error);
  auto scales = floatsOf(*weight.getScales());
  if (!scales)
    return scales.takeError();
  matrix.scales = std::move(*scales);
  if (auto offsets = weight.getOffsets()) {
    if (offsets->getElementType().isInteger(16)) {
      auto zeros = elementsOf<int16_t>(*offsets);
      if (!zeros)
        return zeros.takeError();
      matrix.zeros.assign(zeros->begin(), zeros->end());
    } else {
      auto zeros = floatsOf(*offsets);
      if (!zeros)
        return zeros.takeError();
      matrix.floatZeros = std::move(*zeros);
    }
  }
  return matrix;
}
