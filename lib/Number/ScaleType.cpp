//===- ScaleType.cpp - groups, and the types their scales have ------------===//

#include "lib/Number/Spec.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/ErrorHandling.h"

#include <algorithm>

using namespace mezzo;
using llvm::StringRef;

//===----------------------------------------------------------------------===//
// Group
//===----------------------------------------------------------------------===//

llvm::Expected<Group> Group::parse(StringRef text) {
  if (text == "t")
    return Group{Kind::Tensor, 0};
  if (text == "ch")
    return Group{Kind::Channel, 0};
  if (text == "row")
    return Group{Kind::Row, 0};
  StringRef digits = text;
  int64_t length;
  if (!digits.consume_front("g") || digits.empty() ||
      !llvm::all_of(digits, llvm::isDigit) || digits.getAsInteger(10, length))
    return llvm::createStringError("'" + text +
                                   "' is not a group: write t (tensor), ch "
                                   "(channel), row (activations) or g<length>");
  if (length < 1)
    return llvm::createStringError(
        "'" + text + "' is not a group: a block has at least one element");
  return Group{Kind::Block, length};
}

std::string Group::str() const {
  switch (kind) {
  case Kind::Tensor:
    return "t";
  case Kind::Channel:
    return "ch";
  case Kind::Row:
    return "row";
  case Kind::Block:
    return "g" + std::to_string(length);
  }
  llvm_unreachable("unknown group");
}

int64_t Group::count(int64_t n, int64_t k) const {
  switch (kind) {
  case Kind::Tensor:
    return 1;
  case Kind::Channel:
  case Kind::Row:
    return n;
  case Kind::Block:
    return n * (k / length + (k % length != 0));
  }
  llvm_unreachable("unknown group");
}

//===----------------------------------------------------------------------===//
// ScaleType
//===----------------------------------------------------------------------===//

llvm::Expected<ScaleType> ScaleType::parse(StringRef text) {
  if (text == "f32")
    return ScaleType{Kind::F32, 32};
  if (text == "f16")
    return ScaleType{Kind::F16, 16};
  if (text == "bf16")
    return ScaleType{Kind::BF16, 16};
  if (text == "e4m3" || text == "e4m3fn")
    return ScaleType{Kind::E4M3, 8};
  if (text == "e8m0")
    return ScaleType{Kind::E8M0, 8};
  StringRef digits = text;
  Kind kind = Kind::UInt;
  if (digits.consume_front("i")) {
    kind = Kind::Int;
    digits.consume_front("nt");
  } else if (digits.consume_front("u")) {
    digits.consume_front("int");
  } else {
    digits = "";
  }
  unsigned bits;
  if (digits.empty() || !llvm::all_of(digits, llvm::isDigit) ||
      digits.getAsInteger(10, bits))
    return llvm::createStringError(
        "'" + text +
        "' is not a scale type: write f32, f16, bf16, e4m3, e8m0, u<n> or "
        "i<n>");
  if (bits < 2 || bits > 8)
    return llvm::createStringError("'" + text +
                                   "' is not a scale type: an integer scale "
                                   "has 2 to 8 bits");
  return ScaleType{kind, bits};
}

std::string ScaleType::str() const {
  switch (kind) {
  case Kind::F32:
    return "f32";
  case Kind::F16:
    return "f16";
  case Kind::BF16:
    return "bf16";
  case Kind::E4M3:
    return "e4m3";
  case Kind::E8M0:
    return "e8m0";
  case Kind::UInt:
    return "u" + std::to_string(bits);
  case Kind::Int:
    return "i" + std::to_string(bits);
  }
  llvm_unreachable("unknown scale type");
}

double ScaleType::maxFinite() const {
  switch (kind) {
  case Kind::F32:
    return 0x1.fffffep127;
  case Kind::F16:
    return 65504;
  case Kind::BF16:
    return 0x1.fep127;
  case Kind::E4M3:
    return 448;
  case Kind::E8M0:
    return 0x1p127;
  case Kind::UInt:
    return (1 << bits) - 1;
  case Kind::Int:
    return (1 << (bits - 1)) - 1;
  }
  llvm_unreachable("unknown scale type");
}

double ScaleType::minPositive() const {
  switch (kind) {
  case Kind::F32:
    return 0x1p-149;
  case Kind::F16:
    return 0x1p-24;
  case Kind::BF16:
    return 0x1p-133;
  case Kind::E4M3:
    return 0x1p-9;
  case Kind::E8M0:
    return 0x1p-127;
  case Kind::UInt:
  case Kind::Int:
    return 1;
  }
  llvm_unreachable("unknown scale type");
}

float ScaleType::round(double value) const {
  switch (kind) {
  case Kind::F32:
    // C++'s conversion is nearest-even, and overflow is kept out of it.
    return static_cast<float>(std::clamp(value, -maxFinite(), maxFinite()));
  case Kind::F16: {
    SmallFloat f16 = SmallFloat::f16();
    return f16.decode(f16.encode(value));
  }
  case Kind::BF16: {
    SmallFloat bf16 = SmallFloat::bf16();
    return bf16.decode(bf16.encode(value));
  }
  case Kind::E4M3: {
    SmallFloat e4m3 = SmallFloat::e4m3fn();
    return e4m3.decode(e4m3.encode(value));
  }
  case Kind::E8M0:
    // No sign and no zero: what is not positive becomes the smallest value.
    return decodeE8M0(encodeE8M0(std::max(value, 0.0)));
  case Kind::UInt:
    return static_cast<float>(
        std::clamp(roundToIntegral(value), 0.0, maxFinite()));
  case Kind::Int:
    return static_cast<float>(
        std::clamp(roundToIntegral(value), -maxFinite() - 1, maxFinite()));
  }
  llvm_unreachable("unknown scale type");
}
