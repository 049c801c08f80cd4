//===- ModuleTable.cpp - the C interface of a compiled model --------------===//
//
// Emits what runtime/abi.h expects: `mezzo_rt_module`, with names, shapes and
// types of all tensors and two functions,
//
//     void run(frame, in_data, in_shapes, out_data, out_shapes)
//         builds descriptors from raw pointers, calls @main
//     int32_t shapes(in_shapes, out_shapes, in_data)
//         calls @shapes
//
// and the one exported function `<prefix>_api`. The layout of the structs is
// asserted in runtime/abi.h.
//
//===----------------------------------------------------------------------===//

#include "passes/Lower/LowerRuntime.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace {

constexpr int64_t AbiVersion = 1;
constexpr int64_t NoVerifyFlag = 1, ShapesReadDataFlag = 2;

/// One tensor of the signature.
struct Tensor {
  std::string name, dtype;
  SmallVector<int64_t> dims; ///< -1 where dynamic
  SmallVector<std::string> dimNames;
};

SmallVector<Tensor> readSignature(ArrayAttr tensors) {
  SmallVector<Tensor> result;
  for (auto entry : tensors.getAsRange<DictionaryAttr>()) {
    Tensor &tensor = result.emplace_back();
    tensor.name = entry.getAs<StringAttr>("name").str();
    tensor.dtype = entry.getAs<StringAttr>("dtype").str();
    tensor.dims.assign(
        entry.getAs<DenseI64ArrayAttr>("dims").asArrayRef().begin(),
        entry.getAs<DenseI64ArrayAttr>("dims").asArrayRef().end());
    for (Attribute name : entry.getAs<ArrayAttr>("dim_names"))
      tensor.dimNames.push_back(cast<StringAttr>(name).str());
  }
  return result;
}

/// DLPack's code and width of a type name: "f32", "bf16", "i64", "u8", "bool".
std::pair<int64_t, int64_t> dlpackType(StringRef name) {
  enum { Int = 0, UInt = 1, Float = 2, BFloat = 4, Bool = 6 };
  int64_t bits = 8;
  if (name == "bool" || name == "i1")
    return {Bool, 8};
  int64_t small = llvm::StringSwitch<int64_t>(name)
                      .Case("f8e4m3fn", 10)
                      .Case("f8e4m3fnuz", 11)
                      .Case("f8e5m2", 12)
                      .Case("f8e5m2fnuz", 13)
                      .Case("f8e8m0", 14)
                      .Case("f4e2m1", 17)
                      .Default(0);
  if (small)
    return {small, small == 17 ? 4 : 8};
  name.drop_while([](char c) { return !llvm::isDigit(c); })
      .getAsInteger(10, bits);
  if (name.starts_with("bf"))
    return {BFloat, bits};
  if (name.starts_with("f"))
    return {Float, bits};
  return {name.starts_with("u") ? UInt : Int, bits};
}

class TableWriter {
public:
  TableWriter(ModuleOp module, ArrayAttr inputs, ArrayAttr outputs)
      : module(module), b(module.getLoc(), module.getContext()),
        inputs(readSignature(inputs)), outputs(readSignature(outputs)) {
    pointer = LLVM::LLVMPointerType::get(module.getContext());
    i64 = b.getI64Type();
    i32 = b.getI32Type();
    if (auto values =
            module->getAttrOfType<DenseI64ArrayAttr>("mezzo.shape_values"))
      shapeValues.assign(values.asArrayRef().begin(),
                         values.asArrayRef().end());
  }
  LogicalResult write();

private:
  using Fill = llvm::function_ref<Value()>;

  Value constant(Type type, int64_t value) {
    return LLVM::ConstantOp::create(b, type, b.getIntegerAttr(type, value));
  }
  Value null() { return LLVM::ZeroOp::create(b, pointer); }
  Value aggregate(Type type, ArrayRef<Value> values) {
    Value result = LLVM::UndefOp::create(b, type);
    for (auto [position, value] : llvm::enumerate(values))
      result = LLVM::InsertValueOp::create(
          b, result, value, ArrayRef<int64_t>{int64_t(position)});
    return result;
  }
  /// A constant global filled by code; its address where it is used.
  void global(StringRef name, Type type, LLVM::Linkage linkage, Fill fill);
  Value address(StringRef name) {
    return LLVM::AddressOfOp::create(b, pointer, name);
  }
  std::string string(StringRef text);
  std::string integers(ArrayRef<int64_t> values);
  std::string strings(ArrayRef<std::string> values);
  void descriptors(StringRef name, ArrayRef<Tensor> tensors);
  void runFunction();
  void shapesFunction();
  void apiFunction(StringRef prefix);
  void moduleGlobal(StringRef prefix);
  /// array[index] of an array of `type`.
  Value element(Type type, Value array, int64_t index) {
    Value at = LLVM::GEPOp::create(b, pointer, type, array,
                                   ArrayRef<LLVM::GEPArg>{int32_t(index)});
    return LLVM::LoadOp::create(b, type, at);
  }
  LLVM::LLVMFuncOp beginFunction(StringRef name, Type result,
                                 ArrayRef<Type> arguments,
                                 LLVM::Linkage linkage) {
    b.setInsertionPointToEnd(module.getBody());
    auto function = LLVM::LLVMFuncOp::create(
        b, name, LLVM::LLVMFunctionType::get(result, arguments), linkage);
    b.setInsertionPointToStart(function.addEntryBlock(b));
    return function;
  }
  std::string stringAttr(StringRef name) {
    auto attr = module->getAttrOfType<StringAttr>(name);
    return attr ? attr.str() : std::string();
  }
  int64_t integerAttr(StringRef name) {
    auto attr = module->getAttrOfType<IntegerAttr>(name);
    return attr ? attr.getInt() : 0;
  }

  ModuleOp module;
  ImplicitLocOpBuilder b;
  SmallVector<Tensor> inputs, outputs;
  /// Pairs (input, position) of the elements that @shapes is passed.
  SmallVector<int64_t> shapeValues;
  Type pointer, i64, i32;
  unsigned constants = 0;
};

void TableWriter::global(StringRef name, Type type, LLVM::Linkage linkage,
                         Fill fill) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(module.getBody());
  auto op = LLVM::GlobalOp::create(b, type, /*isConstant=*/true, linkage, name,
                                   Attribute(), /*alignment=*/16);
  b.createBlock(&op.getInitializerRegion());
  Value value = fill();
  LLVM::ReturnOp::create(b, value);
}

std::string TableWriter::string(StringRef text) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(module.getBody());
  std::string name = "mezzo.constant." + std::to_string(constants++);
  std::string terminated = text.str() + '\0';
  LLVM::GlobalOp::create(
      b, LLVM::LLVMArrayType::get(b.getI8Type(), terminated.size()),
      /*isConstant=*/true, LLVM::Linkage::Internal, name,
      b.getStringAttr(terminated));
  return name;
}

std::string TableWriter::integers(ArrayRef<int64_t> values) {
  std::string name = "mezzo.constant." + std::to_string(constants++);
  auto type = LLVM::LLVMArrayType::get(i64, std::max<size_t>(1, values.size()));
  global(name, type, LLVM::Linkage::Internal, [&] {
    SmallVector<Value> elements;
    for (int64_t value : values)
      elements.push_back(constant(i64, value));
    return aggregate(type, elements);
  });
  return name;
}

/// An array of C strings; empty ones are NULL.
std::string TableWriter::strings(ArrayRef<std::string> values) {
  SmallVector<std::string> names;
  for (const std::string &value : values)
    names.push_back(value.empty() ? std::string() : string(value));
  std::string name = "mezzo.constant." + std::to_string(constants++);
  auto type =
      LLVM::LLVMArrayType::get(pointer, std::max<size_t>(1, values.size()));
  global(name, type, LLVM::Linkage::Internal, [&] {
    SmallVector<Value> elements;
    for (const std::string &element : names)
      elements.push_back(element.empty() ? null() : address(element));
    if (elements.empty())
      elements.push_back(null());
    return aggregate(type, elements);
  });
  return name;
}

/// An array of mezzo_tensor_desc: {name, dims, dim_names, rank, code, bits,
/// lanes}.
void TableWriter::descriptors(StringRef name, ArrayRef<Tensor> tensors) {
  Type i8 = b.getI8Type(), i16 = b.getI16Type();
  auto type = LLVM::LLVMStructType::getLiteral(
      b.getContext(), {pointer, pointer, pointer, i32, i8, i8, i16});
  auto array =
      LLVM::LLVMArrayType::get(type, std::max<size_t>(1, tensors.size()));
  SmallVector<std::array<std::string, 3>> names;
  for (const Tensor &tensor : tensors)
    names.push_back(
        {string(tensor.name), integers(tensor.dims), strings(tensor.dimNames)});
  global(name, array, LLVM::Linkage::Internal, [&]() -> Value {
    SmallVector<Value> elements;
    for (auto [tensor, symbols] : llvm::zip_equal(tensors, names)) {
      auto [code, bits] = dlpackType(tensor.dtype);
      elements.push_back(aggregate(
          type, {address(symbols[0]), address(symbols[1]), address(symbols[2]),
                 constant(i32, tensor.dims.size()), constant(i8, code),
                 constant(i8, bits), constant(i16, 1)}));
    }
    return elements.empty() ? LLVM::ZeroOp::create(b, array).getResult()
                            : aggregate(array, elements);
  });
}

void TableWriter::runFunction() {
  auto function = beginFunction(
      "mezzo.run", LLVM::LLVMVoidType::get(b.getContext()),
      {pointer, pointer, pointer, pointer, pointer}, LLVM::Linkage::Internal);
  SmallVector<Value> operands{function.getArgument(0)};
  auto pass = [&](ArrayRef<Tensor> tensors, Value data, Value shapes) {
    for (auto [position, tensor] : llvm::enumerate(tensors)) {
      Value base = element(pointer, data, position);
      Value shape = element(pointer, shapes, position);
      operands.append({base, base, constant(i64, 0)});
      SmallVector<Value> sizes;
      for (auto [dim, size] : llvm::enumerate(tensor.dims))
        sizes.push_back(size < 0 ? element(i64, shape, dim)
                                 : constant(i64, size));
      SmallVector<Value> strides(sizes.size());
      Value stride = constant(i64, 1);
      for (size_t dim = sizes.size(); dim-- > 0;) {
        strides[dim] = stride;
        stride = LLVM::MulOp::create(b, stride, sizes[dim]);
      }
      llvm::append_range(operands, sizes);
      llvm::append_range(operands, strides);
    }
  };
  pass(inputs, function.getArgument(1), function.getArgument(2));
  pass(outputs, function.getArgument(3), function.getArgument(4));
  LLVM::CallOp::create(b, TypeRange(), "main", operands);
  LLVM::ReturnOp::create(b, ValueRange());
}

void TableWriter::shapesFunction() {
  auto function =
      beginFunction("mezzo.shapes", i32, {pointer, pointer, pointer},
                    LLVM::Linkage::Internal);
  SmallVector<Value> operands;
  for (auto [position, tensor] : llvm::enumerate(inputs)) {
    if (llvm::none_of(tensor.dims, [](int64_t size) { return size < 0; }))
      continue;
    Value shape = element(pointer, function.getArgument(0), position);
    for (auto [dim, size] : llvm::enumerate(tensor.dims))
      if (size < 0)
        operands.push_back(element(i64, shape, dim));
  }
  // Then the elements of inputs that shapes follow from: (input, position).
  for (size_t i = 0; i < shapeValues.size(); i += 2) {
    Value data = element(pointer, function.getArgument(2), shapeValues[i]);
    StringRef dtype = inputs[shapeValues[i]].dtype;
    Type type = dtype == "f32"    ? Type(b.getF32Type())
                : dtype == "f64"  ? Type(b.getF64Type())
                : dtype == "f16"  ? Type(b.getF16Type())
                : dtype == "bf16" ? Type(b.getBF16Type())
                                  : b.getIntegerType(dlpackType(dtype).second);
    Value value = element(type, data, shapeValues[i + 1]);
    if (dtype == "bool") // a byte in memory, a bit in IR
      value = LLVM::ICmpOp::create(b, LLVM::ICmpPredicate::ne, value,
                                   constant(b.getIntegerType(8), 0));
    operands.push_back(value);
  }
  int64_t count = 0;
  for (const Tensor &tensor : outputs)
    count += tensor.dims.size();
  SmallVector<Type> results;
  if (count == 1)
    results.push_back(i64);
  else if (count > 1)
    results.push_back(LLVM::LLVMStructType::getLiteral(
        b.getContext(), SmallVector<Type>(count, i64)));
  auto call = LLVM::CallOp::create(b, results, "shapes", operands);
  int64_t next = 0;
  Value negative = constant(b.getI1Type(), 0);
  for (auto [position, tensor] : llvm::enumerate(outputs)) {
    if (tensor.dims.empty())
      continue;
    Value shape = element(pointer, function.getArgument(1), position);
    for (size_t dim = 0; dim < tensor.dims.size(); ++dim, ++next) {
      Value size = count == 1
                       ? call.getResult()
                       : LLVM::ExtractValueOp::create(b, call.getResult(),
                                                      ArrayRef<int64_t>{next})
                             .getResult();
      Value at = LLVM::GEPOp::create(b, pointer, i64, shape,
                                     ArrayRef<LLVM::GEPArg>{int32_t(dim)});
      LLVM::StoreOp::create(b, size, at);
      Value below = LLVM::ICmpOp::create(b, LLVM::ICmpPredicate::slt, size,
                                         constant(i64, 0));
      negative = LLVM::OrOp::create(b, negative, below);
    }
  }
  LLVM::ReturnOp::create(b, LLVM::ZExtOp::create(b, i32, negative).getResult());
}

void TableWriter::apiFunction(StringRef prefix) {
  b.setInsertionPointToEnd(module.getBody());
  LLVM::LLVMFuncOp::create(b, "mezzo_rt_api",
                           LLVM::LLVMFunctionType::get(pointer, {i32}));
  auto function = beginFunction((prefix + "_api").str(), pointer, {i32},
                                LLVM::Linkage::External);
  auto call = LLVM::CallOp::create(b, TypeRange{pointer}, "mezzo_rt_api",
                                   ValueRange{function.getArgument(0)});
  LLVM::ReturnOp::create(b, call.getResult());
}

void TableWriter::moduleGlobal(StringRef prefix) {
  std::string name = string(prefix),
              signature = string(stringAttr("mezzo.signature"));
  std::string features = string(stringAttr("mezzo.required_features"));
  std::string file = stringAttr("mezzo.weights_file"),
              fileName = file.empty() ? std::string() : string(file);
  std::string hash = llvm::fromHex(stringAttr("mezzo.weights_hash"));
  hash.resize(32);
  bool embedded = module->hasAttr("mezzo.weights_symbol");
  std::string symbol = stringAttr("mezzo.weights_symbol");
  if (embedded) {
    b.setInsertionPointToEnd(module.getBody());
    LLVM::GlobalOp::create(b, b.getI8Type(), /*isConstant=*/true,
                           LLVM::Linkage::External, symbol, Attribute());
  }
  auto hashType = LLVM::LLVMArrayType::get(b.getI8Type(), 32);
  auto type = LLVM::LLVMStructType::getLiteral(
      b.getContext(),
      {i64, pointer, pointer, pointer, pointer, pointer, i64, i64, pointer,
       pointer, i64, pointer, i64, pointer, hashType, i64});
  global("mezzo_rt_module", type, LLVM::Linkage::External, [&] {
    Value hashValue =
        LLVM::ConstantOp::create(b, hashType, b.getStringAttr(hash));
    return aggregate(
        type,
        {constant(i64, AbiVersion), address(name), address(signature),
         address(features), address("mezzo.inputs"), address("mezzo.outputs"),
         constant(i64, inputs.size()), constant(i64, outputs.size()),
         address("mezzo.shapes"), address("mezzo.run"),
         constant(i64, integerAttr("mezzo.arena_bytes")),
         embedded ? address(symbol) : null(),
         constant(i64, integerAttr("mezzo.weight_bytes")),
         fileName.empty() ? null() : address(fileName), hashValue,
         constant(i64, (module->hasAttr("mezzo.no_verify") ? NoVerifyFlag : 0) |
                           (shapeValues.empty() ? 0 : ShapesReadDataFlag))});
  });
}

LogicalResult TableWriter::write() {
  std::string prefix = stringAttr("mezzo.prefix");
  if (prefix.empty())
    prefix = "model";
  descriptors("mezzo.inputs", inputs);
  descriptors("mezzo.outputs", outputs);
  runFunction();
  shapesFunction();
  apiFunction(prefix);
  moduleGlobal(prefix);
  return success();
}

} // namespace

LogicalResult mezzo::emitModuleTable(ModuleOp module, ArrayAttr inputs,
                                     ArrayAttr outputs) {
  return TableWriter(module, inputs, outputs).write();
}
