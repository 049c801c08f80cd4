//===- QuantizeModel.cpp - a float model with quantized products ----------===//

#include "lib/Onnx/QuantizeModel.h"

#include "lib/Number/Quantize.h"
#include "lib/Support/Sanitize.h"

#include "llvm/Support/MathExtras.h"

#include <cmath>
#include <cstring>

using namespace mezzo;
using llvm::createStringError;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

namespace {

float realOf(const onnx::NodeProto &node, StringRef name, float absent) {
  for (const onnx::AttributeProto &attribute : node.attribute())
    if (StringRef(attribute.name()) == name)
      return attribute.f();
  return absent;
}

} // namespace

//===----------------------------------------------------------------------===//
// What ONNX can say
//===----------------------------------------------------------------------===//

Error mezzo::checkExpressible(const ModelQuantization &how) {
  const QuantSpec &w = how.weights;
  auto refuse = [&](const std::string &what, const std::string &instead) {
    return createStringError("cannot write weights of " + w.str() +
                             " in ONNX: " + what + "; use " + instead);
  };
  unsigned bits = w.format.bits();
  bool integer = w.format.kind() == Format::Kind::Int ||
                 w.format.kind() == Format::Kind::UInt;
  if (!integer || (bits != 2 && bits != 4 && bits != 8) ||
      w.format != (w.format.kind() == Format::Kind::Int
                       ? Format::integer(bits)
                       : Format::unsignedInteger(bits)))
    return refuse("it has no type for codes of " + w.format.str(),
                  "int2, int4, int8, uint2, uint4 or uint8");
  if (w.group.kind == Group::Kind::Row)
    return refuse("rows are of activations", "a channel (ch) or a block (g32)");
  if (w.scale.super || w.scale.type != ScaleType())
    return refuse("scales are of the type of the weights", "f32 scales");
  if (w.offset.kind != OffsetSpec::Kind::None &&
      (w.offset.kind != OffsetSpec::Kind::IntegerZero ||
       (w.offset.zeroFormat && *w.offset.zeroFormat != w.format)))
    return refuse("zero points are of the type of the codes", "+zp");
  if (!how.activations)
    return Error::success();
  const QuantSpec &a = *how.activations;
  bool zero = a.offset.kind == OffsetSpec::Kind::IntegerZero;
  if (a.group.kind == Group::Kind::Tensor && a.scale == ScaleSpec() &&
      ((a.format == Format::integer(8) && !zero &&
        a.offset.kind == OffsetSpec::Kind::None) ||
       (a.format == Format::unsignedInteger(8) && zero)))
    return Error::success();
  return createStringError(
      "cannot write activations of " + a.str() +
      " in ONNX: one scale and zero point for the tensor are known when the "
      "model is written; use int8/t or uint8/t+zp, or no activations here and "
      "--compute int when the model is compiled");
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

namespace {

class Writer {
public:
  Writer(const OnnxModel &model, const ModelQuantization &how)
      : model(model), how(how), constants(constantsOf(model.graph())) {}

  Expected<QuantizedModel> run();

private:
  /// A weight in its new form.
  struct Weight {
    bool nbits; ///< as MatMulNBits has it: the inputs behind the activations
    std::vector<std::string> inputs;
    std::string dequantized; ///< of a DequantizeLinear
  };

  Error quantizeProduct(const FloatProduct &product, onnx::NodeProto &node);
  Expected<Weight> weightOf(const FloatProduct &product);
  Weight asDequantize(const FloatProduct &product, const QuantizedMatrix &q);
  Weight asNBits(const FloatProduct &product, const QuantizedMatrix &q);
  Expected<std::string> quantizedActivation(const std::string &name);
  bool needsNBits() const;

  std::string fresh(const std::string &base);
  std::string constant(const std::string &base, int32_t type,
                       llvm::ArrayRef<int64_t> dims,
                       const std::vector<uint8_t> &bytes);
  std::string floats(const std::string &base, llvm::ArrayRef<int64_t> dims,
                     llvm::ArrayRef<float> values);
  onnx::NodeProto &insert(const char *type, std::vector<std::string> inputs,
                          const std::string &output);
  static void setInteger(onnx::NodeProto &node, const char *name,
                         int64_t value);

  const OnnxModel &model;
  const ModelQuantization &how;
  Constants constants;
  std::set<std::string> names;
  std::vector<onnx::NodeProto> nodes; ///< of the new graph
  onnx::GraphProto *graph = nullptr;
  std::map<std::pair<std::string, bool>, Weight> weights;
  std::map<std::string, std::string> activations;
  bool usesMicrosoft = false;
  QuantizedModel result;
};

std::string Writer::fresh(const std::string &base) {
  std::string name = base;
  for (int count = 1; !names.insert(name).second; ++count)
    name = base + "_" + std::to_string(count);
  return name;
}

std::string Writer::constant(const std::string &base, int32_t type,
                             llvm::ArrayRef<int64_t> dims,
                             const std::vector<uint8_t> &bytes) {
  onnx::TensorProto &tensor = *graph->add_initializer();
  tensor.set_name(fresh(base));
  tensor.set_data_type(type);
  for (int64_t dim : dims)
    tensor.add_dims(dim);
  tensor.set_raw_data(bytes.data(), bytes.size());
  result.weightBytes += bytes.size();
  return tensor.name();
}

std::string Writer::floats(const std::string &base,
                           llvm::ArrayRef<int64_t> dims,
                           llvm::ArrayRef<float> values) {
  std::vector<uint8_t> bytes(values.size() * sizeof(float));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return constant(base, onnx::TensorProto::FLOAT, dims, bytes);
}

onnx::NodeProto &Writer::insert(const char *type,
                                std::vector<std::string> inputs,
                                const std::string &output) {
  onnx::NodeProto &node = nodes.emplace_back();
  node.set_op_type(type);
  node.set_name(output);
  for (const std::string &input : inputs)
    node.add_input(input);
  node.add_output(output);
  return node;
}

void Writer::setInteger(onnx::NodeProto &node, const char *name,
                        int64_t value) {
  onnx::AttributeProto &attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::INT);
  attribute.set_i(value);
}

/// ONNX's type of codes of the format.
int32_t codeType(const Format &format) {
  bool isSigned = format.kind() == Format::Kind::Int;
  switch (format.bits()) {
  case 2:
    return isSigned ? onnx::TensorProto::INT2 : onnx::TensorProto::UINT2;
  case 4:
    return isSigned ? onnx::TensorProto::INT4 : onnx::TensorProto::UINT4;
  default:
    return isSigned ? onnx::TensorProto::INT8 : onnx::TensorProto::UINT8;
  }
}

/// Codes packed as the standard has them: lowest bits first, across rows.
std::vector<uint8_t> packed(llvm::ArrayRef<uint8_t> codes, unsigned bits) {
  std::vector<uint8_t> bytes(llvm::divideCeil(codes.size() * bits, 8));
  for (size_t i = 0; i < codes.size(); ++i)
    bytes[i * bits / 8] |= (codes[i] & ((1u << bits) - 1)) << (i * bits % 8);
  return bytes;
}

/// Whether the model's opset lacks the types or the blocks of DequantizeLinear.
bool Writer::needsNBits() const {
  int64_t opset = model.opset(""), bits = how.weights.format.bits();
  if (bits == 2) // opset 25 has the type, but few who read it
    return true;
  if (bits == 4 || how.weights.group.kind == Group::Kind::Block)
    return opset < 21;
  return false;
}

Writer::Weight Writer::asDequantize(const FloatProduct &product,
                                    const QuantizedMatrix &q) {
  int64_t n = q.rows, k = q.cols, groups = q.groups();
  bool turned = product.transposed;
  bool blocks = q.spec.group.kind == Group::Kind::Block,
       tensor = q.spec.group.kind == Group::Kind::Tensor;
  std::vector<uint8_t> codes(n * k);
  for (int64_t row = 0; row < n; ++row)
    for (int64_t column = 0; column < k; ++column)
      codes[turned ? row * k + column : column * n + row] = q.code(row, column);
  // One per group, in the order of the weight as it is stored.
  std::vector<float> scales;
  std::vector<uint8_t> zeros;
  auto add = [&](int64_t row, int64_t group) {
    scales.push_back(q.scales[q.groupIndex(row, group)]);
    if (!q.zeros.empty())
      zeros.push_back(q.zeros[q.groupIndex(row, group)]);
  };
  std::vector<int64_t> shape;
  if (tensor) {
    add(0, 0);
  } else if (!blocks) {
    shape = {n};
    for (int64_t row = 0; row < n; ++row)
      add(row, 0);
  } else if (turned) {
    shape = {n, groups};
    for (int64_t row = 0; row < n; ++row)
      for (int64_t group = 0; group < groups; ++group)
        add(row, group);
  } else {
    shape = {groups, n};
    for (int64_t group = 0; group < groups; ++group)
      for (int64_t row = 0; row < n; ++row)
        add(row, group);
  }
  unsigned bits = q.spec.format.bits();
  int32_t type = codeType(q.spec.format);
  std::vector<int64_t> dims{turned ? n : k, turned ? k : n};
  std::vector<std::string> inputs{
      constant(product.weight + "_codes", type, dims, packed(codes, bits)),
      floats(product.weight + "_scale", shape, scales)};
  if (!zeros.empty())
    inputs.push_back(constant(product.weight + "_zero_point", type, shape,
                              packed(zeros, bits)));
  Weight weight{false, {}, fresh(product.weight + "_dequantized")};
  onnx::NodeProto &node =
      insert("DequantizeLinear", inputs, weight.dequantized);
  int64_t kAxis = turned ? 1 : 0;
  if (!tensor)
    setInteger(node, "axis", blocks ? kAxis : 1 - kAxis);
  if (blocks)
    setInteger(node, "block_size", q.spec.group.length);
  return weight;
}

/// B [N, blocks, block * bits / 8]; signed codes become unsigned ones about the
/// middle, which is the default zero point.
Writer::Weight Writer::asNBits(const FloatProduct &product,
                               const QuantizedMatrix &q) {
  unsigned bits = q.spec.format.bits();
  int64_t n = q.rows, block = q.groupLength, groups = q.groups(),
          blockBytes = block * bits / 8;
  bool isSigned = q.spec.format.kind() == Format::Kind::Int;
  int32_t middle = isSigned ? 1 << (bits - 1) : 0;
  std::vector<uint8_t> bytes(n * groups * blockBytes);
  std::vector<uint8_t> zeros;
  int64_t zeroBytes = llvm::divideCeil(groups * bits, 8);
  // Unsigned codes without zero points have one of 0, which is not the default.
  if (!q.zeros.empty() || !isSigned)
    zeros.resize(n * zeroBytes);
  for (int64_t row = 0; row < n; ++row) {
    for (int64_t column = 0; column < q.cols; ++column) {
      unsigned code = q.integerCode(row, column) + middle;
      int64_t at = column % block * bits;
      bytes[(row * groups + column / block) * blockBytes + at / 8] |=
          code << (at % 8);
    }
    for (int64_t group = 0; group < groups && !zeros.empty(); ++group) {
      unsigned zero =
          middle + (q.zeros.empty() ? 0 : q.zeros[q.groupIndex(row, group)]);
      int64_t at = group * bits;
      zeros[row * zeroBytes + at / 8] |= zero << (at % 8);
    }
  }
  Weight weight{true, {}, {}};
  weight.inputs = {constant(product.weight + "_codes", onnx::TensorProto::UINT8,
                            {n, groups, blockBytes}, bytes),
                   floats(product.weight + "_scale", {n, groups}, q.scales)};
  if (!zeros.empty())
    weight.inputs.push_back(constant(product.weight + "_zero_point",
                                     onnx::TensorProto::UINT8, {n, zeroBytes},
                                     zeros));
  usesMicrosoft = true;
  return weight;
}

Expected<Writer::Weight> Writer::weightOf(const FloatProduct &product) {
  auto known = weights.find({product.weight, product.transposed});
  if (known != weights.end())
    return known->second;
  Expected<TensorView> view = model.tensor(*constants[product.weight]);
  if (!view)
    return view.takeError();
  auto stored = view->toFloats();
  if (!stored)
    return stored.takeError();
  std::vector<float> rows(product.n * product.k);
  for (int64_t row = 0; row < product.n; ++row)
    for (int64_t column = 0; column < product.k; ++column)
      rows[row * product.k + column] =
          (*stored)[product.transposed ? row * product.k + column
                                       : column * product.n + row];
  Expected<QuantizedMatrix> q =
      quantize(rows, product.n, product.k, how.weights);
  if (!q)
    return createStringError("weight " + quoted(product.weight) + ": " +
                             llvm::toString(q.takeError()));
  result.floatBytes += rows.size() * sizeof(float);
  Weight weight;
  if (!needsNBits()) {
    weight = asDequantize(product, *q);
  } else {
    int64_t block = how.weights.group.length;
    if (how.weights.group.kind != Group::Kind::Block || block < 16 ||
        !llvm::isPowerOf2_64(block))
      return createStringError(
          "cannot write weights of " + how.weights.str() +
          " in ONNX of opset " + llvm::Twine(model.opset("")) +
          ": MatMulNBits has blocks of 16, 32, 64 ... columns; use g32, or "
          "int8 with ch or t, or convert the model to opset 21 "
          "(onnx.version_converter)");
    weight = asNBits(product, *q);
  }
  return weights[{product.weight, product.transposed}] = weight;
}

/// The tensor through Q and DQ, once for all products that read it.
Expected<std::string> Writer::quantizedActivation(const std::string &name) {
  if (!how.activations)
    return name;
  std::string &known = activations[name];
  if (!known.empty())
    return known;
  auto found = how.ranges.find(name);
  if (found == how.ranges.end())
    return createStringError("there is no range of the activations " +
                             quoted(name) + ": calibrate the model on samples");
  ValueRange range = found->second;
  float low = std::min(range.low, 0.0f), high = std::max(range.high, 0.0f);
  bool isSigned = how.activations->format.kind() == Format::Kind::Int;
  float scale = isSigned ? std::max(-low, high) / 127 : (high - low) / 255;
  if (!(scale > 0) || !std::isfinite(scale))
    scale = 1;
  int32_t zero = isSigned
                     ? 0
                     : int32_t(std::clamp(roundToIntegral(double(-low / scale)),
                                          0.0, 255.0));
  std::string scaleName = floats(name + "_scale", {}, {scale});
  std::string zeroName =
      constant(name + "_zero_point",
               isSigned ? onnx::TensorProto::INT8 : onnx::TensorProto::UINT8,
               {}, {uint8_t(zero)});
  std::string codes = fresh(name + "_codes");
  insert("QuantizeLinear", {name, scaleName, zeroName}, codes);
  known = fresh(name + "_dequantized");
  insert("DequantizeLinear", {codes, scaleName, zeroName}, known);
  return known;
}

Error Writer::quantizeProduct(const FloatProduct &product,
                              onnx::NodeProto &node) {
  Expected<std::string> activation = quantizedActivation(product.activation);
  if (!activation)
    return activation.takeError();
  Expected<Weight> weight = weightOf(product);
  if (!weight)
    return weight.takeError();
  ++result.products;
  if (!weight->nbits) {
    node.set_input(0, *activation);
    node.set_input(1, weight->dequantized);
    nodes.push_back(node);
    return Error::success();
  }
  bool hasBias = node.op_type() == "Gemm" && node.input_size() > 2 &&
                 !node.input(2).empty();
  if (node.op_type() == "Gemm" &&
      (realOf(node, "alpha", 1) != 1 || realOf(node, "beta", 1) != 1))
    return createStringError(
        "node " + quoted(node.name().empty() ? node.output(0) : node.name()) +
        " (Gemm) has an alpha or beta, which MatMulNBits does not: convert the "
        "model to opset 21 (onnx.version_converter), or use int8/ch");
  std::string output = node.output(0);
  std::string sum = hasBias ? fresh(output + "_product") : output;
  std::vector<std::string> inputs{*activation};
  inputs.insert(inputs.end(), weight->inputs.begin(), weight->inputs.end());
  onnx::NodeProto &made = insert("MatMulNBits", inputs, sum);
  made.set_domain("com.microsoft");
  setInteger(made, "K", product.k);
  setInteger(made, "N", product.n);
  setInteger(made, "bits", how.weights.format.bits());
  setInteger(made, "block_size", how.weights.group.length);
  onnx::NodeProto &last =
      hasBias ? insert("Add", {sum, node.input(2)}, output) : nodes.back();
  if (!node.name().empty())
    last.set_name(node.name());
  return Error::success();
}

Expected<QuantizedModel> Writer::run() {
  if (Error error = checkExpressible(how))
    return std::move(error);
  Expected<std::vector<FloatProduct>> products = listFloatProducts(model);
  if (!products)
    return products.takeError();
  if (products->empty())
    return createStringError(
        "the model has no MatMul or Gemm with a constant matrix of f32: there "
        "is nothing to quantize");
  if (how.activations && model.opset("") < 10)
    return createStringError("the model is of opset " +
                             llvm::Twine(model.opset("")) +
                             ", which has no QuantizeLinear: convert it to "
                             "opset 13 or later (onnx.version_converter)");
  if (how.weights.group.kind == Group::Kind::Channel && model.opset("") < 13)
    return createStringError(
        "the model is of opset " + llvm::Twine(model.opset("")) +
        ", which has no scales for channels: use int8/t, or convert it to "
        "opset 13 or later (onnx.version_converter)");
  result.proto = model.proto();
  graph = result.proto.mutable_graph();
  if (Error error = embedTensors(model, *graph))
    return std::move(error);
  collectReads(*graph, names);
  for (const onnx::NodeProto &node : graph->node())
    names.insert(node.output().begin(), node.output().end());
  for (const onnx::TensorProto &tensor : graph->initializer())
    names.insert(tensor.name());
  for (const onnx::ValueInfoProto &input : graph->input())
    names.insert(input.name());

  std::vector<onnx::NodeProto> old(graph->node().begin(), graph->node().end());
  size_t next = 0;
  for (size_t index = 0; index < old.size(); ++index) {
    if (next < products->size() && (*products)[next].node == int(index)) {
      if (Error error = quantizeProduct((*products)[next++], old[index]))
        return std::move(error);
      continue;
    }
    nodes.push_back(std::move(old[index]));
  }
  graph->clear_node();
  for (onnx::NodeProto &node : nodes)
    *graph->add_node() = std::move(node);
  dropUnread(*graph);
  // Old files list initializers among the inputs; those that are gone are none.
  std::set<std::string> reads;
  collectReads(*graph, reads);
  auto *inputs = graph->mutable_input();
  inputs->erase(std::remove_if(inputs->begin(), inputs->end(),
                               [&](const onnx::ValueInfoProto &input) {
                                 return constants.count(input.name()) &&
                                        !reads.count(input.name());
                               }),
                inputs->end());
  if (usesMicrosoft && model.opset("com.microsoft") == 0) {
    onnx::OperatorSetIdProto &opset = *result.proto.add_opset_import();
    opset.set_domain("com.microsoft");
    opset.set_version(1);
  }
  return std::move(result);
}

} // namespace

Expected<QuantizedModel> mezzo::quantizeModel(const OnnxModel &model,
                                              const ModelQuantization &how) {
  return Writer(model, how).run();
}
