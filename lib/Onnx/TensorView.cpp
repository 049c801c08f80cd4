//===- TensorView.cpp - Reading elements ----------------------------------===//

#include "lib/Onnx/Tensor.h"
#include "lib/Support/CheckedInt.h"
#include "lib/Support/Sanitize.h"

#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/APInt.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>
#include <cstring>
#include <limits>

using namespace mezzo;
using llvm::APFloat;
using llvm::createStringError;
using llvm::Expected;
using llvm::SmallVector;

int64_t TensorView::elements() const { return *CheckedInt::product(dims); }

uint64_t mezzo::rawElement(const TensorView &tensor, int64_t index) {
  unsigned bits = bitWidth(tensor.type);
  assert(bits >= 1 && bits <= 64 && "element has no bits, or too many");
  if (bits >= 8) {
    uint64_t raw = 0; // the host is little-endian, as the tensor is
    std::memcpy(&raw, tensor.bytes.data() + index * (bits / 8), bits / 8);
    return raw;
  }
  int64_t perByte = 8 / bits;
  uint8_t byte = tensor.bytes[index / perByte];
  return byte >> (index % perByte * bits) &
         llvm::maskTrailingOnes<uint8_t>(bits);
}

Expected<SmallVector<int64_t>> TensorView::toInts() const {
  if (!isInteger(type) && type != ElementType::Bool)
    return createStringError("tensor " + quoted(name) +
                             " must hold integers, but has type " +
                             mezzo::name(type));
  unsigned bits = bitWidth(type);
  SmallVector<int64_t> result;
  result.reserve(elements());
  for (int64_t i = 0, n = elements(); i < n; ++i) {
    uint64_t raw = rawElement(*this, i);
    if (isSignedInteger(type))
      result.push_back(llvm::SignExtend64(raw, bits));
    else if (raw <= uint64_t(INT64_MAX))
      result.push_back(type == ElementType::Bool ? raw != 0 : int64_t(raw));
    else
      return createStringError("element " + llvm::Twine(i) + " of tensor " +
                               quoted(name) + " is " + llvm::Twine(raw) +
                               ", more than 2^63 - 1");
  }
  return result;
}

static const llvm::fltSemantics *semantics(ElementType type) {
  switch (type) {
  case ElementType::F16:
    return &APFloat::IEEEhalf();
  case ElementType::BF16:
    return &APFloat::BFloat();
  case ElementType::F32:
    return &APFloat::IEEEsingle();
  case ElementType::F8E4M3FN:
    return &APFloat::Float8E4M3FN();
  case ElementType::F8E4M3FNUZ:
    return &APFloat::Float8E4M3FNUZ();
  case ElementType::F8E5M2:
    return &APFloat::Float8E5M2();
  case ElementType::F8E5M2FNUZ:
    return &APFloat::Float8E5M2FNUZ();
  case ElementType::F4E2M1:
    return &APFloat::Float4E2M1FN();
  default:
    return nullptr;
  }
}

/// The value of a float with these storage bits; every type but F64 is a subset
/// of f32.
static float decode(ElementType type, uint64_t raw) {
  if (type == ElementType::F32 || type == ElementType::BF16)
    return llvm::bit_cast<float>(
        uint32_t(type == ElementType::F32 ? raw : raw << 16));
  if (type == ElementType::F64)
    return float(llvm::bit_cast<double>(raw));
  if (type ==
      ElementType::F8E8M0) // APFloat's conversion makes its NaN an infinity
    return raw == 0xff ? std::numeric_limits<float>::quiet_NaN()
                       : std::ldexp(1.0f, int(raw) - 127);
  APFloat value(*semantics(type), llvm::APInt(bitWidth(type), raw));
  bool losesInfo;
  value.convert(APFloat::IEEEsingle(), APFloat::rmNearestTiesToEven,
                &losesInfo);
  return value.convertToFloat();
}

Expected<SmallVector<float>> TensorView::toFloats() const {
  if (!isFloat(type))
    return createStringError("tensor " + quoted(name) +
                             " must hold floats, but has type " +
                             mezzo::name(type));
  int64_t n = elements();
  SmallVector<float> result(n);
  if (bitWidth(type) <= 8) {
    float values[256];
    for (unsigned raw = 0; raw < 1u << bitWidth(type); ++raw)
      values[raw] = decode(type, raw);
    for (int64_t i = 0; i < n; ++i)
      result[i] = values[rawElement(*this, i)];
  } else {
    for (int64_t i = 0; i < n; ++i)
      result[i] = decode(type, rawElement(*this, i));
  }
  return result;
}
