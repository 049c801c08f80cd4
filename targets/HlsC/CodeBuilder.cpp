//===- CodeBuilder.cpp - C as EmitC ops, written like C -------------------===//

#include "targets/HlsC/CodeBuilder.h"

#include "lib/Support/Sanitize.h"

using namespace mlir;
using namespace mezzo;
using namespace mezzo::hlsc;

Place::operator Expr() const {
  auto &ops = builder->ops();
  auto type = cast<emitc::LValueType>(lvalue.getType()).getValueType();
  return {builder,
          emitc::LoadOp::create(ops, ops.getUnknownLoc(), type, lvalue)};
}

Place &Place::operator=(Expr value) {
  auto &ops = builder->ops();
  auto type = cast<emitc::LValueType>(lvalue.getType()).getValueType();
  emitc::AssignOp::create(ops, ops.getUnknownLoc(), lvalue,
                          builder->convert(type, value).value);
  return *this;
}

Place &Place::operator+=(Expr value) { return *this = Expr(*this) + value; }

CodeBuilder::CodeBuilder(ModuleOp module, Language language)
    : moduleOp(module), lang(language), b(module.getLoc(), module) {
  b.getContext()->getOrLoadDialect<emitc::EmitCDialect>();
  b.setInsertionPointToEnd(module.getBody());
}

Location CodeBuilder::named(StringRef name) {
  return NameLoc::get(b.getStringAttr(name));
}

static unsigned cBits(unsigned bits) {
  return bits <= 8 ? 8 : bits <= 16 ? 16 : bits <= 32 ? 32 : 64;
}

Type CodeBuilder::signedBits(unsigned bits) {
  if (isHls())
    return opaque("ap_int<" + Twine(bits) + ">");
  return b.getIntegerType(cBits(bits));
}

Type CodeBuilder::unsignedBits(unsigned bits) {
  if (isHls())
    return opaque("ap_uint<" + Twine(bits) + ">");
  return b.getIntegerType(cBits(bits), /*isSigned=*/false);
}

std::string CodeBuilder::spell(Type type) {
  if (type.isF32())
    return "float";
  if (type.isInteger(1))
    return "int";
  if (auto integer = dyn_cast<IntegerType>(type))
    return (integer.isUnsigned() ? "uint" : "int") +
           std::to_string(integer.getWidth()) + "_t";
  if (auto pointer = dyn_cast<emitc::PointerType>(type))
    return spell(pointer.getPointee()) + " *";
  return cast<emitc::OpaqueType>(type).getValue().str();
}

Type CodeBuilder::stream(Type element) {
  return opaque("hls::stream<" + spell(element) + "> &");
}

emitc::FuncOp CodeBuilder::function(StringRef name,
                                    ArrayRef<Parameter> parameters, Type result,
                                    Body body) {
  SmallVector<Type> types;
  for (const Parameter &parameter : parameters)
    types.push_back(parameter.type);
  SmallVector<Type> results;
  if (result)
    results.push_back(result);
  auto op = emitc::FuncOp::create(b, name, b.getFunctionType(types, results));
  op.setSpecifiersAttr(b.getStrArrayAttr({"static"}));
  OpBuilder::InsertionGuard guard(b);
  Block *entry = op.addEntryBlock();
  SmallVector<Value> arguments;
  for (auto [index, parameter] : llvm::enumerate(parameters)) {
    BlockArgument argument = entry->getArgument(index);
    argument.setLoc(named(parameter.name));
    if (parameter.isConst)
      op.setArgAttr(index, constAttrName(), b.getUnitAttr());
    arguments.push_back(argument);
  }
  b.setInsertionPointToEnd(entry);
  body(arguments);
  if (!result)
    emitc::ReturnOp::create(b, Value());
  return op;
}

static Attribute partitionAttr(Builder &b, ArrayRef<Partition> partitions) {
  SmallVector<int64_t> pairs;
  for (Partition partition : partitions)
    pairs.append({int64_t(partition.dimension), partition.factor});
  return b.getDenseI64ArrayAttr(pairs);
}

static std::string partitionPragma(StringRef variable, int64_t dimension,
                                   int64_t factor) {
  std::string how = factor == 0 ? std::string("complete")
                                : "cyclic factor=" + std::to_string(factor);
  return ("#pragma HLS ARRAY_PARTITION variable=" + variable + " type=" + how +
          " dim=" + Twine(dimension + 1))
      .str();
}

void CodeBuilder::constantArray(StringRef name, Type type,
                                ArrayRef<Partition> partitions) {
  auto op = emitc::GlobalOp::create(
      b, name, type, /*initial_value=*/Attribute(), /*extern_specifier=*/true,
      /*static_specifier=*/false, /*const_specifier=*/true);
  op->setAttr(partitionAttrName(), partitionAttr(b, partitions));
}

void CodeBuilder::partitioned(StringRef name) {
  if (!isHls())
    return;
  auto op = moduleOp.lookupSymbol<emitc::GlobalOp>(name);
  auto pairs = op->getAttrOfType<DenseI64ArrayAttr>(partitionAttrName());
  for (int64_t at = 0; at < pairs.size(); at += 2)
    line(partitionPragma(name, pairs[at], pairs[at + 1]));
}

void CodeBuilder::comment(StringRef text) {
  // Braces are placeholders of verbatim lines only where there are arguments.
  emitc::VerbatimOp::create(b, "/* " + toComment(text) + " */");
}

void CodeBuilder::line(const Twine &text, ArrayRef<Value> args) {
  emitc::VerbatimOp::create(b, b.getStringAttr(text), ValueRange(args));
}

void CodeBuilder::loop(StringRef name, int64_t end,
                       llvm::function_ref<void(Expr)> body) {
  loop(name, integer(end), body);
}

void CodeBuilder::loop(StringRef name, Expr end,
                       llvm::function_ref<void(Expr)> body) {
  Value zero = integer(0).value, one = integer(1).value;
  auto op = emitc::ForOp::create(b, zero, end.value, one);
  op.getInductionVar().setLoc(named(name));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(op.getBody()->getTerminator());
  body(expr(op.getInductionVar()));
}

void CodeBuilder::when(Expr condition, llvm::function_ref<void()> then,
                       llvm::function_ref<void()> otherwise) {
  OpBuilder::InsertionGuard guard(b);
  auto filled = [&](llvm::function_ref<void()> body) {
    return [this, body](OpBuilder &inner, Location loc) {
      b.restoreInsertionPoint(inner.saveInsertionPoint());
      body();
      emitc::YieldOp::create(b, loc);
    };
  };
  if (otherwise)
    emitc::IfOp::create(b, condition.value, filled(then), filled(otherwise));
  else
    emitc::IfOp::create(b, condition.value, filled(then));
}

void CodeBuilder::give(Expr value) {
  auto function = cast<emitc::FuncOp>(b.getInsertionBlock()->getParentOp());
  Type type = function.getFunctionType().getResult(0);
  emitc::ReturnOp::create(b, convert(type, value).value);
}

void CodeBuilder::pipeline(int64_t interval) {
  if (!isHls())
    return;
  b.getInsertionBlock()->getParentOp()->setAttr(pipelineAttrName(),
                                                b.getI64IntegerAttr(interval));
  line("#pragma HLS PIPELINE II=" + Twine(interval));
}

void CodeBuilder::unroll() {
  if (isHls())
    line("#pragma HLS UNROLL");
}

void CodeBuilder::inlined() {
  if (isHls())
    line("#pragma HLS INLINE");
}

Place CodeBuilder::variable(StringRef name, Type type,
                            std::optional<int64_t> value) {
  Attribute initial = emitc::OpaqueAttr::get(
      b.getContext(), !value         ? std::string()
                      : type.isF32() ? std::to_string(*value) + ".0f"
                                     : std::to_string(*value));
  return {this, emitc::VariableOp::create(
                    b, named(name), emitc::LValueType::get(type), initial)};
}

Place CodeBuilder::variable(StringRef name, Type type, Expr value) {
  Place place = variable(name, type);
  place = value;
  return place;
}

Value CodeBuilder::localArray(StringRef name, Type element,
                              ArrayRef<int64_t> shape,
                              ArrayRef<Partition> partitions) {
  auto op =
      emitc::VariableOp::create(b, named(name), array(element, shape),
                                emitc::OpaqueAttr::get(b.getContext(), ""));
  if (!isHls())
    return op.getResult();
  op->setAttr(partitionAttrName(), partitionAttr(b, partitions));
  for (Partition partition : partitions)
    line(partitionPragma(name, partition.dimension, partition.factor));
  return op.getResult();
}

Expr CodeBuilder::let(StringRef name, Expr value) {
  if (Operation *op = value.value.getDefiningOp()) {
    op->setLoc(named(name));
    op->setAttr("mezzo.let", b.getUnitAttr());
  }
  return value;
}

Place CodeBuilder::element(Value array, ArrayRef<Expr> indices) {
  SmallVector<Value> values;
  for (Expr index : indices)
    values.push_back(index.value);
  auto type = cast<emitc::ArrayType>(array.getType()).getElementType();
  return {this, emitc::SubscriptOp::create(b, emitc::LValueType::get(type),
                                           array, values)};
}

Value CodeBuilder::global(StringRef name) {
  auto op = moduleOp.lookupSymbol<emitc::GlobalOp>(name);
  return emitc::GetGlobalOp::create(b, op.getType(), name);
}

Place CodeBuilder::element(StringRef constantArray, ArrayRef<Expr> indices) {
  return element(global(constantArray), indices);
}

Expr CodeBuilder::constant(Type type, int64_t value) {
  TypedAttr attr;
  if (type.isF32())
    return real(value);
  if (isa<IntegerType>(type))
    return {this,
            emitc::ConstantOp::create(b, type, b.getIntegerAttr(type, value))};
  return {this,
          emitc::ConstantOp::create(
              b, type,
              emitc::OpaqueAttr::get(b.getContext(), std::to_string(value)))};
}

Expr CodeBuilder::real(float value) {
  return {this, emitc::ConstantOp::create(b, f32(), b.getF32FloatAttr(value))};
}

Expr CodeBuilder::convert(Type type, Expr value) {
  if (value.value.getType() == type)
    return value;
  return {this, emitc::CastOp::create(b, type, value.value)};
}

Expr CodeBuilder::compare(emitc::CmpPredicate predicate, Expr x, Expr y) {
  return {this,
          emitc::CmpOp::create(b, boolean(), predicate, x.value, y.value)};
}

Expr CodeBuilder::choose(Expr condition, Expr x, Expr y) {
  return {this, emitc::ConditionalOp::create(
                    b, x.value.getType(), condition.value, x.value, y.value)};
}

Expr CodeBuilder::negate(Expr x) {
  return {this, emitc::UnaryMinusOp::create(b, x.value.getType(), x.value)};
}

Expr CodeBuilder::call(StringRef name, Type type, ArrayRef<Expr> args) {
  SmallVector<Value> values;
  for (Expr arg : args)
    values.push_back(arg.value);
  auto op = emitc::CallOpaqueOp::create(b, type ? TypeRange(type) : TypeRange(),
                                        name, values);
  return {this, type ? op.getResult(0) : Value()};
}

Expr CodeBuilder::call(emitc::FuncOp function, ArrayRef<Value> args) {
  auto op = emitc::CallOp::create(b, function, ValueRange(args));
  return {this, op.getNumResults() ? op.getResult(0) : Value()};
}

Expr CodeBuilder::pop(Value stream) {
  StringRef text = cast<emitc::OpaqueType>(stream.getType()).getValue();
  text.consume_front("hls::stream<");
  text.consume_back("> &");
  Type type = text == "float" ? f32() : opaque(text);
  return call("pop", type, {expr(stream)});
}

void CodeBuilder::push(Value stream, Expr value) {
  call("push", Type(), {expr(stream), value});
}
