//===- Kernel.cpp - the code of a plan, as it grows -----------------------===//

#include "targets/HlsC/Kernel.h"

using namespace mlir;
using namespace mezzo;
using namespace mezzo::hlsc;

Kernel::Kernel(CodeBuilder &c, const Plan &plan, const Knobs &knobs)
    : c(c), plan(plan), knobs(knobs) {
  // Wires have their names already, and are in scope where functions are
  // called.
  for (const Wire &wire : plan.wires)
    names.get(wire.name);
}

std::string Kernel::addConstant(ConstantArray constant, Type element,
                                ArrayRef<Partition> partitions) {
  constant.name = names.get(constant.name);
  constant.element = CodeBuilder::spell(element);
  OpBuilder::InsertionGuard guard(c.ops());
  c.ops().setInsertionPointToStart(c.module().getBody());
  c.constantArray(constant.name, c.array(element, constant.shape), partitions);
  constants.push_back(std::move(constant));
  return constants.back().name;
}

std::string Kernel::addFloats(StringRef name, std::vector<int64_t> shape,
                              std::vector<float> values,
                              ArrayRef<Partition> partitions) {
  ConstantArray constant{
      name.str(), "", std::move(shape), std::move(values), {}, {}, 0};
  return addConstant(std::move(constant), c.f32(), partitions);
}

Type Kernel::elementType(const Wire &wire) {
  switch (wire.kind) {
  case Wire::Kind::Floats:
    return c.f32();
  case Wire::Kind::Codes:
    return codeType();
  case Wire::Kind::Tables:
    return tableType();
  case Wire::Kind::Integers:
    return wire.codes.isSigned ? c.signedBits(8) : c.unsignedBits(8);
  }
  llvm_unreachable("all kinds are above");
}

std::vector<int64_t> Kernel::rowShape(const Wire &wire) const {
  if (wire.kind != Wire::Kind::Tables)
    return {wire.columns};
  int64_t group = plan.stages[wire.producer].group;
  int64_t groups = llvm::divideCeil(wire.columns, group);
  return {groups * int64_t(llvm::divideCeil(group, 4)), TableEntries};
}

int64_t Kernel::rowElements(const Wire &wire) const {
  int64_t count = 1;
  for (int64_t size : rowShape(wire))
    count *= size;
  return count;
}

void Kernel::addParameters(SmallVectorImpl<CodeBuilder::Parameter> &parameters,
                           const Wire &wire, StringRef name, bool isInput) {
  Type element = elementType(wire);
  bool isHls = c.isHls();
  parameters.push_back(
      {name.str(), isHls ? c.stream(element) : c.array(element, rowShape(wire)),
       isInput && !isHls});
  if (!wire.hasStep())
    return;
  parameters.push_back({(name + "_step").str(),
                        isHls ? c.stream(c.f32()) : c.array(c.f32(), {1}),
                        isInput && !isHls});
}

void Kernel::stageFunction(const Stage &stage, StringRef what,
                           CodeBuilder::Body body) {
  c.comment(stage.name + ": " + what.str() + ".");
  SmallVector<CodeBuilder::Parameter> parameters;
  for (unsigned index = 0; index < stage.inputs.size(); ++index)
    addParameters(parameters, input(stage, index),
                  stage.inputs.size() == 1 ? "x" : input(stage, index).name,
                  /*isInput=*/true);
  addParameters(parameters, output(stage), "y", /*isInput=*/false);
  functions.push_back(
      c.function(names.get("run_" + stage.name), parameters, Type(),
                 [&](ArrayRef<Value> in) { forRows([&] { body(in); }); }));
  c.blank();
}

void Kernel::clampAndRound(Place code, float low, float high) {
  c.when(Expr(code) < c.real(low), [&] { code = c.real(low); });
  c.when(c.real(high) < Expr(code), [&] { code = c.real(high); });
  c.when(c.compare(emitc::CmpPredicate::ne, code, code),
         [&] { code = c.real(0); });
  // Floats from 2^23 on are integers.
  c.comment("to the nearest integer, ties to even");
  code = Expr(code) + c.real(0x1.8p23f);
  code = Expr(code) - c.real(0x1.8p23f);
}

void Kernel::forRows(llvm::function_ref<void()> body) {
  if (!c.isHls())
    return body();
  c.loop("row", plan.rows, [&](Expr) { body(); });
}

Expr Kernel::read(Value input, ArrayRef<Expr> index) {
  if (c.isHls())
    return c.pop(input);
  return c.element(input, index);
}

void Kernel::write(Value output, ArrayRef<Expr> index, Expr value) {
  if (c.isHls())
    return c.push(output, value);
  c.element(output, index) = value;
}

Value Kernel::readRow(Value input, StringRef name, int64_t columns) {
  if (!c.isHls())
    return input;
  Value row = c.localArray(name, c.f32(), {columns});
  c.loop("i", columns, [&](Expr i) {
    c.pipeline();
    c.element(row, {i}) = c.pop(input);
  });
  return row;
}
