//===- Spec.cpp - the one grammar of quantization specs -------------------===//

#include "lib/Number/Spec.h"

#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/FormatVariadic.h"

#include <cassert>

using namespace mezzo;
using llvm::StringRef;

//===----------------------------------------------------------------------===//
// ScaleSpec and OffsetSpec
//===----------------------------------------------------------------------===//

std::string ScaleSpec::str() const {
  if (!super)
    return type.str();
  return type.str() + "^" + super->group.str() + ":" + super->type.str();
}

bool OffsetSpec::operator==(const OffsetSpec &other) const {
  if (kind != other.kind)
    return false;
  switch (kind) {
  case Kind::None:
    return true;
  case Kind::IntegerZero:
    return zeroFormat == other.zeroFormat;
  case Kind::FloatZero:
    return zeroType == other.zeroType;
  case Kind::Minimum:
    return minimum == other.minimum;
  }
  llvm_unreachable("unknown offset");
}

//===----------------------------------------------------------------------===//
// The grammar
//===----------------------------------------------------------------------===//

/// SCALE[^SUPER] for groups of `group`.
static llvm::Expected<ScaleSpec> parseScale(StringRef text,
                                            const Group &group) {
  auto [first, second] = text.split('^');
  llvm::Expected<ScaleType> type = ScaleType::parse(first);
  if (!type)
    return type.takeError();
  ScaleSpec scale{*type, std::nullopt};
  if (first.size() == text.size()) { // no '^'
    if (type->isInteger())
      return llvm::createStringError(
          "the integer scale '" + text +
          "' needs a super-block scale to count in; write " + text +
          "^g256:f16");
    return scale;
  }

  if (!type->isInteger() && type->kind != ScaleType::Kind::E4M3)
    return llvm::createStringError(
        "a super-block over scales of " + first +
        ", which span a float's range themselves; quantized scales are u<n>, "
        "i<n> or e4m3, so drop '^" +
        second + "'");
  auto [superGroup, superType] = second.split(':');
  llvm::Expected<Group> outer = Group::parse(superGroup);
  if (!outer)
    return outer.takeError();
  if (superType.empty())
    return llvm::createStringError("the super-block '" + second +
                                   "' has no type; write " + superGroup +
                                   ":f16");
  llvm::Expected<ScaleType> outerType = ScaleType::parse(superType);
  if (!outerType)
    return outerType.takeError();
  if (outerType->isInteger() || outerType->kind == ScaleType::Kind::E8M0)
    return llvm::createStringError("a super-block scale of " + superType +
                                   "; it is one of f32, f16, bf16 and e4m3");
  if (group.kind != Group::Kind::Block)
    return llvm::createStringError(
        "a super-block '" + second + "' over groups of '" + group.str() +
        "'; super-blocks hold blocks, as in int4/g32:u6^g256:f16");
  if (outer->kind == Group::Kind::Row)
    return llvm::createStringError(
        "'row' cannot be a super-block; it is t, ch or g<length>");
  if (outer->kind == Group::Kind::Block && outer->length % group.length != 0)
    return llvm::createStringError(
        llvm::formatv("a super-block of {0} does not hold whole blocks of {1}; "
                      "take a multiple",
                      outer->length, group.length)
            .str());
  scale.super = ScaleSpec::Super{*outer, *outerType};
  return scale;
}

/// zp[:TYPE] | min[:SCALE[^SUPER]]
static llvm::Expected<OffsetSpec> parseOffset(StringRef text,
                                              const QuantSpec &spec) {
  auto [name, type] = text.split(':');
  bool typed = name.size() != text.size();
  OffsetSpec offset;
  if (name == "zp") {
    std::optional<Format> abbreviated;
    if (typed) {
      llvm::Expected<ScaleType> parsed = ScaleType::parse(type);
      if (!parsed)
        llvm::consumeError(parsed.takeError());
      else if (parsed->isInteger()) // u<n> and i<n> abbreviate here too
        abbreviated = parsed->kind == ScaleType::Kind::UInt
                          ? Format::unsignedInteger(parsed->bits)
                          : Format::integer(parsed->bits);
      else if (parsed->kind != ScaleType::Kind::E8M0) {
        offset.kind = OffsetSpec::Kind::FloatZero;
        offset.zeroType = *parsed;
        return offset;
      }
    }
    if (!spec.format.isInteger())
      return llvm::createStringError("an integer zero point with codes of " +
                                     spec.format.str() +
                                     "; write zp:f32 for a float zero, or min");
    offset.kind = OffsetSpec::Kind::IntegerZero;
    offset.zeroFormat = spec.format;
    if (abbreviated)
      offset.zeroFormat = abbreviated;
    if (!typed || abbreviated)
      return offset;
    llvm::Expected<Format> format = Format::parse(type);
    if (!format || !format->isInteger()) {
      if (!format)
        llvm::consumeError(format.takeError());
      return llvm::createStringError(
          "'" + type +
          "' is not the type of a zero point; write an integer format such as "
          "uint8, or f32, f16, bf16, e4m3");
    }
    offset.zeroFormat = *format;
    return offset;
  }
  if (name == "min") {
    offset.kind = OffsetSpec::Kind::Minimum;
    offset.minimum = spec.scale;
    if (typed) {
      llvm::Expected<ScaleSpec> minimum = parseScale(type, spec.group);
      if (!minimum)
        return minimum.takeError();
      offset.minimum = *minimum;
    }
    if (offset.minimum.type.kind == ScaleType::Kind::E8M0)
      return llvm::createStringError(
          "a minimum of e8m0, which has neither a sign nor a zero; write "
          "min:f16");
    return offset;
  }
  return llvm::createStringError("'" + text +
                                 "' is not an offset: write zp[:TYPE] or "
                                 "min[:SCALE[^SUPER]]");
}

/// The parts behind their marks: '/' before the group, ':' before the scale,
/// '+' before the offset. A format may hold any of them inside of brackets.
static size_t findMark(StringRef text, StringRef marks) {
  int depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '<' || text[i] == '[')
      ++depth;
    else if (text[i] == '>' || text[i] == ']')
      --depth;
    else if (depth == 0 && marks.contains(text[i]))
      return i;
  }
  return text.size();
}

static llvm::Expected<QuantSpec> parseParts(StringRef text) {
  QuantSpec spec;
  StringRef rest = text;
  auto take = [&](StringRef until) {
    size_t end = findMark(rest, until);
    StringRef part = rest.take_front(end);
    rest = rest.drop_front(end);
    return part;
  };

  llvm::Expected<Format> format = Format::parse(take("/:+"));
  if (!format)
    return format.takeError();
  spec.format = *format;
  if (rest.consume_front("/")) {
    llvm::Expected<Group> group = Group::parse(take(":+"));
    if (!group)
      return group.takeError();
    spec.group = *group;
  }
  if (rest.consume_front(":")) {
    llvm::Expected<ScaleSpec> scale = parseScale(take("+"), spec.group);
    if (!scale)
      return scale.takeError();
    spec.scale = *scale;
  }
  if (rest.consume_front("+")) {
    llvm::Expected<OffsetSpec> offset = parseOffset(rest, spec);
    if (!offset)
      return offset.takeError();
    spec.offset = *offset;
  } else if (!rest.empty()) {
    return llvm::createStringError("'" + rest + "' is left over");
  }
  return spec;
}

llvm::Expected<QuantSpec> QuantSpec::parse(StringRef text) {
  llvm::Expected<QuantSpec> spec = parseParts(text);
  if (spec)
    return spec;
  return llvm::createStringError("quantization spec '" + text +
                                 "': " + llvm::toString(spec.takeError()));
}

std::string QuantSpec::str() const {
  std::string text = format.str() + "/" + group.str();
  if (scale != ScaleSpec())
    text += ":" + scale.str();
  switch (offset.kind) {
  case OffsetSpec::Kind::None:
    break;
  case OffsetSpec::Kind::IntegerZero:
    text += "+zp";
    if (offset.zeroFormat != format)
      text += ":" + offset.zeroFormat->str();
    break;
  case OffsetSpec::Kind::FloatZero:
    text += "+zp:" + offset.zeroType.str();
    break;
  case OffsetSpec::Kind::Minimum:
    text += "+min";
    if (offset.minimum != scale || offset.minimum.super)
      text += ":" + offset.minimum.str();
    break;
  }
  return text;
}

double QuantSpec::bitsPerWeight(int64_t n, int64_t k) const {
  assert(n > 0 && k > 0);
  // In double: sizes that overflow 64 bits still have a density.
  double groups = static_cast<double>(group.count(n, k));
  auto bitsOf = [&](const ScaleSpec &spec) {
    double bits = groups * spec.type.bits;
    if (spec.super)
      bits += static_cast<double>(spec.super->group.count(n, k)) *
              spec.super->type.bits;
    return bits;
  };
  double side = bitsOf(scale);
  if (offset.kind == OffsetSpec::Kind::IntegerZero)
    side += groups * offset.zeroFormat->bits();
  else if (offset.kind == OffsetSpec::Kind::FloatZero)
    side += groups * offset.zeroType.bits;
  else if (offset.kind == OffsetSpec::Kind::Minimum)
    side += bitsOf(offset.minimum);
  if (format.isCodebook())
    side += 32.0 * format.numCodes();
  return format.bits() + side / (static_cast<double>(n) * double(k));
}
