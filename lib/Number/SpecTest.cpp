//===- SpecTest.cpp -------------------------------------------------------===//

#include "lib/Number/Spec.h"

#include "gtest/gtest.h"

using namespace mezzo;

namespace {

QuantSpec parsed(llvm::StringRef text) {
  llvm::Expected<QuantSpec> spec = QuantSpec::parse(text);
  if (!spec) {
    ADD_FAILURE() << llvm::toString(spec.takeError());
    return {};
  }
  return *spec;
}

std::string messageOf(llvm::StringRef text) {
  llvm::Expected<QuantSpec> spec = QuantSpec::parse(text);
  return spec ? "parsed" : llvm::toString(spec.takeError());
}

TEST(Spec, CanonicalFormsRoundTrip) {
  for (const char *text : {"int4/g128",
                           "uint4/g32:f16+zp",
                           "int3/ch",
                           "e2m1/g16:e4m3^t:f32",
                           "codebook4/ch",
                           "uint4/g32:u6^g256:f16+min:u6^g256:f16",
                           "ternary/t",
                           "int8/row",
                           "int3/g64:f16+zp",
                           "uint3/g64:f16+min",
                           "int4/g32",
                           "e2m1/g32:e8m0",
                           "int8/g32:e8m0",
                           "uint2/g16:u4^g256:f16+min:u4^g256:f16",
                           "int3/g16:i6^g256:f16",
                           "uint4/g32:f16+zp:f16",
                           "uint4/g128+zp:uint8",
                           "odd1/ch:f16",
                           "int8[-127,127]/ch",
                           "float<3,2,4,finite>/g32:bf16",
                           "float<4,3,7,fn,nosub>/t",
                           "nf4/g64",
                           "int4/g32:f16+min:f32",
                           "uint8/row+zp",
                           "uint4/g32:i4^ch:bf16+min:f16"})
    EXPECT_EQ(parsed(text).str(), text);
}

TEST(Spec, DefaultsAndAbbreviations) {
  const std::pair<const char *, const char *> same[] = {
      {"int4", "int4/t"},
      {"ternary", "ternary/t"},
      {"int4:f32", "int4/t"},
      {"int4+zp", "int4/t+zp"},
      {"uint4/g32:uint6^g256:f16", "uint4/g32:u6^g256:f16"},
      {"int3/g16:int6^g256:f16", "int3/g16:i6^g256:f16"},
      {"e2m1/g16:e4m3fn^t:f32", "e2m1/g16:e4m3^t:f32"},
      {"uint4/g32:f16+zp:uint4", "uint4/g32:f16+zp"},
      {"uint4/g32:f16+zp:u8", "uint4/g32:f16+zp:uint8"},
      {"uint4/g32:f16+min:f16", "uint4/g32:f16+min"},
      {"uint4/g32:u6^g256:f16+min", "uint4/g32:u6^g256:f16+min:u6^g256:f16"},
  };
  for (auto [text, canonical] : same) {
    EXPECT_EQ(parsed(text).str(), canonical);
    EXPECT_EQ(parsed(text), parsed(canonical));
  }
}

TEST(Spec, Parts) {
  QuantSpec spec = parsed("uint4/g32:u6^g256:f16+min:i8^ch:bf16");
  EXPECT_EQ(spec.format, Format::unsignedInteger(4));
  EXPECT_EQ(spec.group, (Group{Group::Kind::Block, 32}));
  EXPECT_EQ(spec.scale.type, (ScaleType{ScaleType::Kind::UInt, 6}));
  ASSERT_TRUE(spec.scale.super.has_value());
  EXPECT_EQ(spec.scale.super->group.length, 256);
  EXPECT_EQ(spec.scale.super->type.kind, ScaleType::Kind::F16);
  EXPECT_EQ(spec.offset.kind, OffsetSpec::Kind::Minimum);
  EXPECT_EQ(spec.offset.minimum.type, (ScaleType{ScaleType::Kind::Int, 8}));
  EXPECT_EQ(spec.offset.minimum.super->group.kind, Group::Kind::Channel);

  QuantSpec zero = parsed("uint4/g32:f16+zp");
  EXPECT_EQ(zero.offset.kind, OffsetSpec::Kind::IntegerZero);
  EXPECT_EQ(zero.offset.zeroFormat, Format::unsignedInteger(4));
  QuantSpec floatZero = parsed("uint4/g32+zp:bf16");
  EXPECT_EQ(floatZero.offset.kind, OffsetSpec::Kind::FloatZero);
  EXPECT_EQ(floatZero.offset.zeroType.kind, ScaleType::Kind::BF16);
}

TEST(Spec, Errors) {
  const std::pair<const char *, const char *> rows[] = {
      {"int4/g", "'g' is not a group: write t (tensor), ch (channel), row "
                 "(activations) or g<length>"},
      {"int4/g0", "'g0' is not a group: a block has at least one element"},
      {"int4/g99999999999999999999",
       "'g99999999999999999999' is not a group: write t (tensor), ch "
       "(channel), row (activations) or g<length>"},
      {"int4/", "'' is not a group: write t (tensor), ch (channel), row "
                "(activations) or g<length>"},
      {"int4:f64", "'f64' is not a scale type: write f32, f16, bf16, e4m3, "
                   "e8m0, u<n> or i<n>"},
      {"int4/g32:u9^g64:f16",
       "'u9' is not a scale type: an integer scale has 2 to 8 bits"},
      {"int4/g32:u6", "the integer scale 'u6' needs a super-block scale to "
                      "count in; write u6^g256:f16"},
      {"int4/g32:u6^g256", "the super-block 'g256' has no type; write "
                           "g256:f16"},
      {"int4/g32:u6^g256:i8", "a super-block scale of i8; it is one of f32, "
                              "f16, bf16 and e4m3"},
      {"int4/ch:u6^t:f16", "a super-block 't:f16' over groups of 'ch'; "
                           "super-blocks hold blocks, as in "
                           "int4/g32:u6^g256:f16"},
      {"int4/g32:u6^row:f16",
       "'row' cannot be a super-block; it is t, ch or g<length>"},
      {"int4/g32:u6^g100:f16",
       "a super-block of 100 does not hold whole blocks of 32; take a "
       "multiple"},
      {"int4/g32:f16^t:f32",
       "a super-block over scales of f16, which span a float's range "
       "themselves; quantized scales are u<n>, i<n> or e4m3, so drop "
       "'^t:f32'"},
      {"e2m1/g32+zp", "an integer zero point with codes of e2m1; write zp:f32 "
                      "for a float zero, or min"},
      {"int4+zp:e2m1", "'e2m1' is not the type of a zero point; write an "
                       "integer format such as uint8, or f32, f16, bf16, "
                       "e4m3"},
      {"int4+max", "'max' is not an offset: write zp[:TYPE] or "
                   "min[:SCALE[^SUPER]]"},
      {"int4/g32:e8m0+min",
       "a minimum of e8m0, which has neither a sign nor a zero; write "
       "min:f16"},
      {"nt4/g32", "'nt4' is not a format: unknown name; write int<n>, uint<n>, "
                  "odd<n>, ternary, codebook<n>, nf4 or a small float such as "
                  "e2m1 or e4m3fn"},
  };
  for (auto [text, message] : rows)
    EXPECT_EQ(messageOf(text),
              "quantization spec '" + std::string(text) + "': " + message);
}

TEST(Spec, NoTruncationOfAGoodSpecIsMistaken) {
  // Every prefix either parses to something that prints and parses again, or
  // gives a message; none is taken for another spec silently.
  std::string text = "uint4/g32:u6^g256:f16+min:u6^g256:f16";
  for (size_t length = 0; length < text.size(); ++length) {
    llvm::Expected<QuantSpec> spec =
        QuantSpec::parse(llvm::StringRef(text).take_front(length));
    if (spec)
      EXPECT_EQ(parsed(spec->str()), *spec);
    else
      EXPECT_FALSE(llvm::toString(spec.takeError()).empty());
  }
}

TEST(Spec, BitsPerWeight) {
  EXPECT_EQ(
      parsed("uint4/g32:u6^g256:f16+min:u6^g256:f16").bitsPerWeight(4096, 4096),
      4.5); // Q4_K
  EXPECT_EQ(parsed("int4/g32:f16").bitsPerWeight(16, 64), 4.5);
  EXPECT_EQ(parsed("uint4/g32:f16+zp").bitsPerWeight(16, 64), 4.625);
  EXPECT_EQ(parsed("int4/ch").bitsPerWeight(10, 32), 5);
  EXPECT_EQ(parsed("int8/t").bitsPerWeight(4, 8), 9);
  // A short last group costs a whole scale.
  EXPECT_EQ(parsed("int4/g32:f16").bitsPerWeight(1, 33), 4 + 32.0 / 33);
  EXPECT_EQ(parsed("codebook4/ch").bitsPerWeight(1, 64), 4 + 0.5 + 8);
  EXPECT_EQ(parsed("e2m1/g16:e4m3^t:f32").bitsPerWeight(2, 16), 4.5 + 1);
}

TEST(ScaleType, RoundsIntoTheType) {
  auto type = [](llvm::StringRef text) {
    return llvm::cantFail(ScaleType::parse(text));
  };
  EXPECT_EQ(type("f16").round(1e9), 65504);
  EXPECT_EQ(type("f32").round(1e300), 0x1.fffffep127f);
  EXPECT_EQ(type("e4m3").round(460), 448);
  EXPECT_EQ(type("e4m3").maxFinite(), 448);
  EXPECT_EQ(type("e8m0").round(1.9), 1);
  EXPECT_EQ(type("u6").round(99), 63);
  EXPECT_EQ(type("u6").round(-3), 0);
  EXPECT_EQ(type("i6").round(-99), -32);
  EXPECT_EQ(type("i6").round(2.5), 2);
  for (const char *text : {"f32", "f16", "bf16", "e4m3", "e8m0", "u4", "i8"}) {
    EXPECT_EQ(type(text).round(type(text).maxFinite()), type(text).maxFinite());
    EXPECT_EQ(type(text).round(type(text).minPositive()),
              type(text).minPositive());
    EXPECT_EQ(type(text).str(), text);
  }
}

} // namespace
