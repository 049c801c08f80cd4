//===- TensorTest.cpp -----------------------------------------------------===//

#include "lib/Onnx/TestModel.h"

#include "llvm/ADT/APFloat.h"
#include "llvm/Support/MathExtras.h"

#include <random>

using namespace mezzo;
using llvm::StringRef;
using onnx::TensorProto;

namespace {

std::unique_ptr<OnnxModel> anyModel() {
  return llvm::cantFail(readModel(reluModel()));
}

std::string refusal(const TensorProto &tensor) {
  return messageOf(anyModel()->tensor(tensor));
}

std::vector<ElementType> numericTypes() {
  std::vector<ElementType> types;
  for (int i = 1; i <= lastElementType; ++i)
    if (ElementType(i) != ElementType::String)
      types.push_back(ElementType(i));
  return types;
}

TEST(ElementTypes, MatchTheSchema) {
  EXPECT_EQ(lastElementType, int(TensorProto::DataType_MAX));
  auto check = [](ElementType type, StringRef schemaName, StringRef ours,
                  unsigned bits) {
    EXPECT_EQ(TensorProto::DataType_Name(TensorProto::DataType(int(type))),
              schemaName);
    EXPECT_EQ(name(type), ours);
    EXPECT_EQ(bitWidth(type), bits);
  };
  check(ElementType::F32, "FLOAT", "f32", 32);
  check(ElementType::U8, "UINT8", "u8", 8);
  check(ElementType::I8, "INT8", "i8", 8);
  check(ElementType::U16, "UINT16", "u16", 16);
  check(ElementType::I16, "INT16", "i16", 16);
  check(ElementType::I32, "INT32", "i32", 32);
  check(ElementType::I64, "INT64", "i64", 64);
  check(ElementType::String, "STRING", "string", 0);
  check(ElementType::Bool, "BOOL", "bool", 8);
  check(ElementType::F16, "FLOAT16", "f16", 16);
  check(ElementType::F64, "DOUBLE", "f64", 64);
  check(ElementType::U32, "UINT32", "u32", 32);
  check(ElementType::U64, "UINT64", "u64", 64);
  check(ElementType::Complex64, "COMPLEX64", "complex64", 64);
  check(ElementType::Complex128, "COMPLEX128", "complex128", 128);
  check(ElementType::BF16, "BFLOAT16", "bf16", 16);
  check(ElementType::F8E4M3FN, "FLOAT8E4M3FN", "f8e4m3fn", 8);
  check(ElementType::F8E4M3FNUZ, "FLOAT8E4M3FNUZ", "f8e4m3fnuz", 8);
  check(ElementType::F8E5M2, "FLOAT8E5M2", "f8e5m2", 8);
  check(ElementType::F8E5M2FNUZ, "FLOAT8E5M2FNUZ", "f8e5m2fnuz", 8);
  check(ElementType::U4, "UINT4", "u4", 4);
  check(ElementType::I4, "INT4", "i4", 4);
  check(ElementType::F4E2M1, "FLOAT4E2M1", "f4e2m1", 4);
  check(ElementType::F8E8M0, "FLOAT8E8M0", "f8e8m0", 8);
  check(ElementType::U2, "UINT2", "u2", 2);
  check(ElementType::I2, "INT2", "i2", 2);
  for (int bad : {-1, 0, 27, INT32_MAX, INT32_MIN})
    EXPECT_TRUE(llvm::errorToBool(elementType(bad).takeError())) << bad;
}

// For every type, and sizes that do not fill the last byte: the typed field and
// raw_data give the same dense bytes.
TEST(Tensor, TypedFieldsEqualRawData) {
  std::mt19937_64 random(1);
  auto model = anyModel();
  for (ElementType type : numericTypes())
    for (int64_t n : {0, 1, 2, 3, 7, 24}) {
      unsigned bits = bitWidth(type);
      std::string bytes((n * bits + 7) / 8, 0);
      for (char &c : bytes)
        c = char(type == ElementType::Bool ? random() % 2 : random());
      TensorProto raw;
      raw.set_data_type(int(type));
      raw.add_dims(n);
      TensorProto typed = raw;
      raw.set_raw_data(bytes);
      auto entry = [&](auto zero, size_t at) {
        std::memcpy(&zero, bytes.data() + at, sizeof(zero));
        return zero;
      };
      size_t size = bytes.size();
      for (size_t at = 0; at < size;)
        switch (type) {
        case ElementType::F32:
        case ElementType::Complex64:
          typed.add_float_data(entry(float(), at));
          at += 4;
          break;
        case ElementType::F64:
        case ElementType::Complex128:
          typed.add_double_data(entry(double(), at));
          at += 8;
          break;
        case ElementType::I64:
          typed.add_int64_data(entry(int64_t(), at));
          at += 8;
          break;
        case ElementType::U64:
          typed.add_uint64_data(entry(uint64_t(), at));
          at += 8;
          break;
        case ElementType::U32:
          typed.add_uint64_data(entry(uint32_t(), at));
          at += 4;
          break;
        case ElementType::I32:
          typed.add_int32_data(entry(int32_t(), at));
          at += 4;
          break;
        case ElementType::I16:
          typed.add_int32_data(entry(int16_t(), at));
          at += 2;
          break;
        case ElementType::U16:
        case ElementType::F16:
        case ElementType::BF16:
          typed.add_int32_data(entry(uint16_t(), at));
          at += 2;
          break;
        case ElementType::I8:
          typed.add_int32_data(entry(int8_t(), at));
          at += 1;
          break;
        default:
          typed.add_int32_data(entry(uint8_t(), at));
          at += 1;
          break;
        }
      auto a = model->tensor(raw), b = model->tensor(typed);
      ASSERT_TRUE(bool(a)) << name(type).str() << llvm::toString(a.takeError());
      ASSERT_TRUE(bool(b)) << name(type).str() << llvm::toString(b.takeError());
      EXPECT_EQ(llvm::toStringRef(a->bytes), bytes) << name(type).str();
      EXPECT_EQ(llvm::toStringRef(b->bytes), bytes) << name(type).str();
      EXPECT_EQ(a->elements(), n);
      if (n == 0)
        continue;
      // One byte less, one more, one entry more: all refused.
      TensorProto wrong = raw;
      wrong.set_raw_data(bytes + "x");
      expectRefusal(refusal(wrong), "bytes by its dims and type, but");
      wrong.set_raw_data(bytes.substr(1));
      expectRefusal(refusal(wrong), "bytes by its dims and type, but");
      wrong = typed;
      wrong.set_dims(0, n + 8);
      expectRefusal(refusal(wrong), "bytes by its dims and type, but");
      wrong = typed;
      wrong.set_raw_data(bytes);
      expectRefusal(refusal(wrong), "only one can hold the data");
    }
}

TEST(Tensor, WrongTypedField) {
  for (ElementType type : numericTypes()) {
    int accepted = 0;
    for (int field = 0; field < 6; ++field) {
      TensorProto tensor;
      tensor.set_data_type(int(type));
      // As many elements as one entry of the right field makes, at most.
      tensor.add_dims(1);
      bool complex =
          type == ElementType::Complex64 || type == ElementType::Complex128;
      for (int i = 0; i < (complex ? 2 : 1); ++i)
        switch (field) {
        case 0:
          tensor.add_float_data(1);
          break;
        case 1:
          tensor.add_double_data(1);
          break;
        case 2:
          tensor.add_int32_data(1);
          break;
        case 3:
          tensor.add_int64_data(1);
          break;
        case 4:
          tensor.add_uint64_data(1);
          break;
        case 5:
          tensor.add_string_data("1");
          break;
        }
      std::string message = refusal(tensor);
      accepted += message == "accepted";
      if (message != "accepted")
        expectRefusal(message, "belongs in");
    }
    EXPECT_EQ(accepted, 1) << name(type).str();
  }
}

TEST(Tensor, EntriesThatDoNotFit) {
  auto refused = [](ElementType type, int64_t entry) {
    TensorProto tensor;
    tensor.set_data_type(int(type));
    tensor.add_dims(1);
    if (type == ElementType::U32)
      tensor.add_uint64_data(uint64_t(entry));
    else
      tensor.add_int32_data(int32_t(entry));
    std::string message = refusal(tensor);
    return StringRef(message).contains("does not fit in");
  };
  struct {
    ElementType type;
    int64_t low, high;
  } ranges[] = {{ElementType::I8, -128, 127},
                {ElementType::U8, 0, 255},
                {ElementType::I16, -32768, 32767},
                {ElementType::U16, 0, 65535},
                {ElementType::Bool, 0, 1},
                {ElementType::F16, 0, 65535},
                {ElementType::BF16, 0, 65535},
                {ElementType::F8E5M2, 0, 255},
                {ElementType::I4, -128, 255},
                {ElementType::U2, -128, 255},
                {ElementType::I32, INT32_MIN, INT32_MAX},
                {ElementType::U32, 0, UINT32_MAX}};
  for (auto [type, low, high] : ranges) {
    EXPECT_FALSE(refused(type, low)) << name(type).str();
    EXPECT_FALSE(refused(type, high)) << name(type).str();
    if (type == ElementType::I32)
      continue;
    EXPECT_TRUE(refused(type, low - 1)) << name(type).str();
    EXPECT_TRUE(refused(type, high + 1)) << name(type).str();
  }
}

TEST(Tensor, Dims) {
  TensorProto tensor;
  tensor.set_name("w");
  tensor.set_data_type(TensorProto::FLOAT);
  tensor.set_raw_data(std::string(4, 0));
  EXPECT_EQ(refusal(tensor), "accepted"); // a scalar
  tensor.add_dims(-1);
  expectRefusal(refusal(tensor), "tensor 'w': its dims [-1] are negative");
  tensor.set_dims(0, int64_t(1) << 32);
  tensor.add_dims(int64_t(1) << 32);
  expectRefusal(refusal(tensor), "their product overflows");
  tensor.add_dims(0);
  expectRefusal(refusal(tensor), "their product overflows");
  // Fits in 63 bits, but not as bits.
  tensor.clear_dims();
  tensor.add_dims(int64_t(1) << 60);
  expectRefusal(refusal(tensor), "their product overflows");
  tensor.set_dims(0, int64_t(1) << 50);
  expectRefusal(refusal(tensor), "but 4 are present");
}

TEST(Tensor, Oddities) {
  TensorProto tensor = rawTensor("w", "abc");
  tensor.set_data_type(27);
  expectRefusal(refusal(tensor), "element type 27 is unknown");
  tensor.set_data_type(0);
  expectRefusal(refusal(tensor), "element type 0 is unknown");
  tensor = rawTensor("w", "abc");
  tensor.mutable_segment()->set_begin(0);
  expectRefusal(refusal(tensor), "segment");
  tensor = rawTensor("w\x1b[2J", "abc");
  tensor.set_dims(0, 4);
  expectRefusal(refusal(tensor), "tensor 'w\\x1B[2J'");
  tensor = TensorProto();
  tensor.set_data_type(TensorProto::STRING);
  expectRefusal(refusal(tensor), "strings");
}

TEST(Tensor, Strings) {
  onnx::ModelProto model = reluModel();
  TensorProto &tensor = *model.mutable_graph()->add_initializer();
  tensor.set_name("s");
  tensor.set_data_type(TensorProto::STRING);
  tensor.add_dims(2);
  tensor.add_string_data("a");
  expectRefusal(messageOf(readModel(model)), "declares 2 strings, but has 1");
  tensor.add_string_data("b");
  EXPECT_EQ(messageOf(readModel(model)), "accepted");
}

TEST(TensorView, Ints) {
  auto model = anyModel();
  auto ints = [&](ElementType type, std::vector<uint8_t> bytes, int64_t n) {
    TensorProto tensor;
    tensor.set_data_type(int(type));
    tensor.add_dims(n);
    tensor.set_raw_data(std::string(bytes.begin(), bytes.end()));
    auto values = llvm::cantFail(model->tensor(tensor)).toInts();
    EXPECT_TRUE(bool(values));
    return std::vector<int64_t>(values->begin(), values->end());
  };
  using V = std::vector<int64_t>;
  // Low bits first.
  EXPECT_EQ(ints(ElementType::U4, {0x21, 0x43}, 3), (V{1, 2, 3}));
  EXPECT_EQ(ints(ElementType::I4, {0xf8, 0x07}, 3), (V{-8, -1, 7}));
  EXPECT_EQ(ints(ElementType::U2, {0xe4, 0x01}, 5), (V{0, 1, 2, 3, 1}));
  EXPECT_EQ(ints(ElementType::I2, {0xe4}, 4), (V{0, 1, -2, -1}));
  EXPECT_EQ(ints(ElementType::Bool, {0, 1, 2}, 3), (V{0, 1, 1}));
  EXPECT_EQ(ints(ElementType::I8, {0x80, 0x7f}, 2), (V{-128, 127}));
  EXPECT_EQ(ints(ElementType::U16, {0x34, 0x12}, 1), (V{0x1234}));
  EXPECT_EQ(ints(ElementType::I32, {0xfe, 0xff, 0xff, 0xff}, 1), (V{-2}));
  EXPECT_EQ(ints(ElementType::U32, {0xfe, 0xff, 0xff, 0xff}, 1),
            (V{4294967294}));
  EXPECT_EQ(ints(ElementType::I64,
                 {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 1),
            (V{-2}));
  TensorProto big;
  big.set_data_type(TensorProto::UINT64);
  big.add_uint64_data(UINT64_MAX);
  expectRefusal(messageOf(llvm::cantFail(model->tensor(big)).toInts()),
                "more than 2^63 - 1");
  TensorProto f;
  f.set_data_type(TensorProto::FLOAT);
  f.add_float_data(1);
  expectRefusal(messageOf(llvm::cantFail(model->tensor(f)).toInts()),
                "must hold integers, but has type f32");
  expectRefusal(
      messageOf(llvm::cantFail(model->tensor(rawTensor("u", "a"))).toFloats()),
      "must hold floats");
}

/// The value of a small float by the definition of the format.
double byDefinition(unsigned raw, int exponentBits, int mantissaBits,
                    int bias) {
  unsigned sign = raw >> (exponentBits + mantissaBits) & 1;
  int exponent = raw >> mantissaBits & ((1u << exponentBits) - 1);
  int mantissa = raw & ((1u << mantissaBits) - 1);
  double value = exponent == 0 ? std::ldexp(mantissa, 1 - bias - mantissaBits)
                               : std::ldexp((1 << mantissaBits) + mantissa,
                                            exponent - bias - mantissaBits);
  return sign ? -value : value;
}

TEST(TensorView, Floats) {
  auto model = anyModel();
  auto decode = [&](ElementType type, uint64_t raw) {
    TensorProto tensor;
    tensor.set_data_type(int(type));
    tensor.add_dims(1);
    std::string bytes(std::max(1u, bitWidth(type) / 8), 0);
    std::memcpy(bytes.data(), &raw, bytes.size());
    tensor.set_raw_data(bytes);
    return llvm::cantFail(llvm::cantFail(model->tensor(tensor)).toFloats())[0];
  };
  for (unsigned raw = 0; raw < 256; ++raw) {
    unsigned magnitude = raw & 0x7f;
    EXPECT_TRUE(magnitude == 0x7f
                    ? std::isnan(decode(ElementType::F8E4M3FN, raw))
                    : decode(ElementType::F8E4M3FN, raw) ==
                          byDefinition(raw, 4, 3, 7))
        << raw;
    EXPECT_TRUE(raw == 0x80 ? std::isnan(decode(ElementType::F8E4M3FNUZ, raw))
                            : decode(ElementType::F8E4M3FNUZ, raw) ==
                                  byDefinition(raw, 4, 3, 8))
        << raw;
    EXPECT_TRUE(magnitude > 0x7c ? std::isnan(decode(ElementType::F8E5M2, raw))
                : magnitude == 0x7c
                    ? std::isinf(decode(ElementType::F8E5M2, raw))
                    : decode(ElementType::F8E5M2, raw) ==
                          byDefinition(raw, 5, 2, 15))
        << raw;
    EXPECT_TRUE(raw == 0x80 ? std::isnan(decode(ElementType::F8E5M2FNUZ, raw))
                            : decode(ElementType::F8E5M2FNUZ, raw) ==
                                  byDefinition(raw, 5, 2, 16))
        << raw;
    EXPECT_TRUE(raw == 0xff ? std::isnan(decode(ElementType::F8E8M0, raw))
                            : decode(ElementType::F8E8M0, raw) ==
                                  std::ldexp(1.0f, int(raw) - 127))
        << raw;
    if (raw < 16)
      EXPECT_EQ(decode(ElementType::F4E2M1, raw), byDefinition(raw, 2, 1, 1))
          << raw;
  }
  for (unsigned raw = 0; raw < 65536; raw += 7)
    if ((raw & 0x7c00) != 0x7c00)
      ASSERT_EQ(decode(ElementType::F16, raw), byDefinition(raw, 5, 10, 15))
          << raw;
  EXPECT_EQ(decode(ElementType::BF16, 0x4049), 3.140625f);
  EXPECT_EQ(decode(ElementType::F32, 0xc0490fdb),
            llvm::bit_cast<float>(0xc0490fdbu));
  EXPECT_EQ(decode(ElementType::F64, llvm::bit_cast<uint64_t>(0.1)), 0.1f);
}

// A view outlives the model and the message that it was made from.
TEST(TensorView, Ownership) {
  std::optional<TensorView> view, large;
  {
    onnx::ModelProto proto = reluModel();
    *proto.mutable_graph()->add_initializer() = rawTensor("w", "abc");
    *proto.mutable_graph()->add_initializer() =
        rawTensor("l", std::string(100000, 'l'));
    auto model = llvm::cantFail(readModel(proto));
    view = llvm::cantFail(model->tensor(model->graph().initializer(0)));
    large = llvm::cantFail(model->tensor(model->graph().initializer(1)));
  }
  EXPECT_EQ(llvm::toStringRef(view->bytes), "abc");
  EXPECT_EQ(llvm::toStringRef(large->bytes), std::string(100000, 'l'));
}

} // namespace
