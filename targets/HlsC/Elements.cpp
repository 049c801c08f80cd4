//===- Elements.cpp - what happens to one element -------------------------===//
//
// The body of an elementwise operator, and the programs of lib/Math, are walked
// over an algebra (lib/Math/Elementary.h): over floats to compute what is
// expected, and over code to write it.
//
//===----------------------------------------------------------------------===//

#include "targets/HlsC/Elements.h"

#include "lib/Math/Elementary.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace mezzo;
using namespace mezzo::hlsc;

namespace {

/// max as arith.maximumf has it: NaN where one is NaN, and +0 above -0.
template <typename Ops>
typename Ops::Value maximumProgram(Ops &o, typename Ops::Value x,
                                   typename Ops::Value y) {
  // What is left after both comparisons is NaN, or equal: the sum of two zeros
  // is -0 only where both are.
  auto sum = o.add(x, y);
  auto zero = o.constant(0.0f);
  auto equal = o.select(o.lessThan(zero, o.abs(x)), x, sum);
  auto rest = o.select(o.equal(x, y), equal, sum);
  return o.select(o.lessThan(x, y), y, o.select(o.lessThan(y, x), x, rest));
}

/// The elementary functions by name, each of one argument, and `maximum`.
template <typename Ops>
typename Ops::Value program(Ops &o, StringRef name,
                            ArrayRef<typename Ops::Value> x) {
  if (name == "exp")
    return expProgram(o, x[0]);
  if (name == "log")
    return logProgram(o, x[0]);
  if (name == "tanh")
    return tanhProgram(o, x[0]);
  if (name == "erf")
    return erfProgram(o, x[0]);
  if (name == "sin")
    return sincosProgram(o, x[0], /*cosine=*/false);
  if (name == "cos")
    return sincosProgram(o, x[0], /*cosine=*/true);
  return maximumProgram(o, x[0], x[1]);
}

struct Floats : ScalarOps {
  Value sqrt(Value x) const { return std::sqrt(x); }
  Bool equal(Value x, Value y) const { return x == y; }
  Bool lessOrEqual(Value x, Value y) const { return x <= y; }
  Bool both(Bool x, Bool y) const { return x && y; }
  Bool either(Bool x, Bool y) const { return x || y; }
  Bool invert(Bool x) const { return !x; }
  Bool truth(bool x) const { return x; }
  Value call(StringRef name, ArrayRef<Value> x) {
    return program(*this, name, x);
  }
};

struct Code {
  using Value = Expr;
  using Int = Expr;
  using Bool = Expr;

  CodeBuilder &c;

  Value constant(float x) { return c.real(x); }
  Int integer(int32_t x) { return c.constant(c.u32(), uint32_t(x)); }
  Value add(Value x, Value y) { return x + y; }
  Value sub(Value x, Value y) { return x - y; }
  Value mul(Value x, Value y) { return x * y; }
  Value div(Value x, Value y) { return x / y; }
  Value fma(Value x, Value y, Value z) {
    return c.let("f", c.call("fmaf", c.f32(), {x, y, z}));
  }
  Value neg(Value x) { return -x; }
  Value abs(Value x) { return c.call("fabsf", c.f32(), {x}); }
  Value sqrt(Value x) { return c.call("sqrtf", c.f32(), {x}); }
  Bool lessThan(Value x, Value y) { return x < y; }
  Bool lessOrEqual(Value x, Value y) {
    return c.compare(emitc::CmpPredicate::le, x, y);
  }
  Bool equal(Value x, Value y) { return x == y; }
  Value select(Bool condition, Value x, Value y) {
    return c.choose(condition, x, y);
  }
  Int iadd(Int x, Int y) { return x + y; }
  Int isub(Int x, Int y) { return x - y; }
  Int iand(Int x, Int y) { return x & y; }
  Int ior(Int x, Int y) { return x | y; }
  Int ishl(Int x, unsigned bits) { return x << bits; }
  Int isar(Int x, unsigned bits) {
    return c.convert(c.u32(), c.convert(c.i32(), x) >> bits);
  }
  Bool iequal(Int x, Int y) { return x == y; }
  Int asInt(Value x) { return c.call("bits_of", c.u32(), {x}); }
  Value asFloat(Int x) { return c.call("float_of", c.f32(), {x}); }

  Bool both(Bool x, Bool y) { return c.binary<emitc::LogicalAndOp>(x, y); }
  Bool either(Bool x, Bool y) { return c.binary<emitc::LogicalOrOp>(x, y); }
  Bool invert(Bool x) {
    auto &b = c.ops();
    return {&c, emitc::LogicalNotOp::create(b, b.getUnknownLoc(), c.boolean(),
                                            x.value)};
  }
  Bool truth(bool x) {
    auto &b = c.ops();
    return {&c, emitc::LiteralOp::create(b, b.getUnknownLoc(), c.boolean(),
                                         x ? "1" : "0")};
  }
  Value call(StringRef name, ArrayRef<Value> x) {
    return c.let("value", c.call(("math_" + name).str(), c.f32(), x));
  }
};

/// The elementary function that an op is, by name; empty if it is none.
StringRef elementaryName(Operation *op) {
  return llvm::TypeSwitch<Operation *, StringRef>(op)
      .Case([](math::ExpOp) { return "exp"; })
      .Case([](math::LogOp) { return "log"; })
      .Case([](math::TanhOp) { return "tanh"; })
      .Case([](math::ErfOp) { return "erf"; })
      .Case([](math::SinOp) { return "sin"; })
      .Case([](math::CosOp) { return "cos"; })
      .Case<arith::MaximumFOp, arith::MinimumFOp>(
          [](auto) { return "maximum"; })
      .Default([](Operation *) { return ""; });
}

/// x OP y by comparisons that are false on NaN; those that are true there are
/// the opposite of one that is not.
template <typename Ops>
std::optional<typename Ops::Bool> comparison(Ops &o, arith::CmpFPredicate kind,
                                             typename Ops::Value x,
                                             typename Ops::Value y) {
  using P = arith::CmpFPredicate;
  switch (kind) {
  case P::OLT:
    return o.lessThan(x, y);
  case P::OLE:
    return o.lessOrEqual(x, y);
  case P::OGT:
    return o.lessThan(y, x);
  case P::OGE:
    return o.lessOrEqual(y, x);
  case P::OEQ:
    return o.equal(x, y);
  case P::UNE:
    return o.invert(o.equal(x, y));
  case P::UGE:
    return o.invert(o.lessThan(x, y));
  case P::UGT:
    return o.invert(o.lessOrEqual(x, y));
  case P::ULE:
    return o.invert(o.lessThan(y, x));
  case P::ULT:
    return o.invert(o.lessOrEqual(y, x));
  default:
    return std::nullopt;
  }
}

/// Walks the body of an elementwise op.
template <typename Ops>
class Walk {
  using Number = typename Ops::Value;
  using Truth = typename Ops::Bool;

public:
  explicit Walk(Ops &o) : o(o) {}

  Number run(linalg::GenericOp op, ArrayRef<Number> inputs) {
    for (auto [argument, value] :
         llvm::zip(op.getBody()->getArguments(), inputs))
      numbers.try_emplace(argument, value);
    for (Operation &inner : op.getBody()->without_terminator())
      step(&inner);
    return number(op.getBody()->getTerminator()->getOperand(0));
  }

private:
  Number number(Value value) {
    auto found = numbers.find(value);
    if (found != numbers.end())
      return found->second;
    auto constant = cast<arith::ConstantOp>(value.getDefiningOp());
    return o.constant(
        cast<FloatAttr>(constant.getValue()).getValue().convertToFloat());
  }
  Truth truth(Value value) {
    auto found = truths.find(value);
    if (found != truths.end())
      return found->second;
    auto constant = cast<arith::ConstantOp>(value.getDefiningOp());
    return o.truth(cast<IntegerAttr>(constant.getValue()).getValue().isOne());
  }

  void step(Operation *op) {
    auto in = [&](unsigned index) { return number(op->getOperand(index)); };
    auto flag = [&](unsigned index) { return truth(op->getOperand(index)); };
    auto set = [&](Number value) {
      numbers.try_emplace(op->getResult(0), value);
    };
    auto setFlag = [&](Truth value) {
      truths.try_emplace(op->getResult(0), value);
    };
    llvm::TypeSwitch<Operation *>(op)
        .Case([&](arith::ConstantOp) {})
        .Case([&](arith::AddFOp) { set(o.add(in(0), in(1))); })
        .Case([&](arith::SubFOp) { set(o.sub(in(0), in(1))); })
        .Case([&](arith::MulFOp) { set(o.mul(in(0), in(1))); })
        .Case([&](arith::DivFOp) { set(o.div(in(0), in(1))); })
        .Case([&](arith::NegFOp) { set(o.neg(in(0))); })
        .Case([&](math::AbsFOp) { set(o.abs(in(0))); })
        .Case([&](math::SqrtOp) { set(o.sqrt(in(0))); })
        .Case([&](math::FmaOp) { set(o.fma(in(0), in(1), in(2))); })
        .Case([&](math::PowFOp) {
          // As passes/Lower/ExpandMath.cpp has it.
          Number log = o.call("log", {in(0)});
          set(o.call("exp", {o.mul(in(1), log)}));
        })
        .Case(
            [&](arith::MaximumFOp) { set(o.call("maximum", {in(0), in(1)})); })
        .Case([&](arith::MinimumFOp) {
          set(o.neg(o.call("maximum", {o.neg(in(0)), o.neg(in(1))})));
        })
        .Case([&](arith::CmpFOp compare) {
          setFlag(*comparison(o, compare.getPredicate(), in(0), in(1)));
        })
        .Case([&](arith::AndIOp) { setFlag(o.both(flag(0), flag(1))); })
        .Case([&](arith::OrIOp) { setFlag(o.either(flag(0), flag(1))); })
        .Case([&](arith::SelectOp) { set(o.select(flag(0), in(1), in(2))); })
        .Default([&](Operation *other) {
          set(o.call(elementaryName(other), {in(0)}));
        });
  }

  Ops &o;
  llvm::DenseMap<Value, Number> numbers;
  llvm::DenseMap<Value, Truth> truths;
};

} // namespace

bool mezzo::hlsc::isElementOp(Operation *op) {
  for (Type type : op->getResultTypes())
    if (!type.isF32() && !type.isInteger(1))
      return false;
  for (Value operand : op->getOperands())
    if (!operand.getType().isF32() && !operand.getType().isInteger(1))
      return false;
  if (auto compare = dyn_cast<arith::CmpFOp>(op)) {
    Floats floats;
    return comparison(floats, compare.getPredicate(), 0.0f, 0.0f).has_value();
  }
  if (auto constant = dyn_cast<arith::ConstantOp>(op))
    return true;
  if (auto select = dyn_cast<arith::SelectOp>(op))
    return select.getType().isF32();
  if (isa<arith::AndIOp, arith::OrIOp>(op))
    return op->getResult(0).getType().isInteger(1);
  return isa<linalg::YieldOp, arith::AddFOp, arith::SubFOp, arith::MulFOp,
             arith::DivFOp, arith::NegFOp, math::AbsFOp, math::SqrtOp,
             math::FmaOp, math::PowFOp>(op) ||
         !elementaryName(op).empty();
}

float mezzo::hlsc::evaluateElement(linalg::GenericOp op,
                                   ArrayRef<float> inputs) {
  Floats floats;
  return Walk<Floats>(floats).run(op, inputs);
}

Expr mezzo::hlsc::elementCode(CodeBuilder &c, linalg::GenericOp op,
                              ArrayRef<Expr> inputs) {
  Code code{c};
  return Walk<Code>(code).run(op, inputs);
}

void mezzo::hlsc::collectElementary(linalg::GenericOp op,
                                    llvm::StringSet<> &names) {
  for (Operation &inner : *op.getBody()) {
    if (StringRef name = elementaryName(&inner); !name.empty())
      names.insert(name);
    if (isa<math::PowFOp>(inner)) {
      names.insert("exp");
      names.insert("log");
    }
  }
}

void mezzo::hlsc::writeElementary(CodeBuilder &c, StringRef name) {
  bool isMaximum = name == "maximum";
  c.comment(isMaximum ? "The larger of two; NaN if one is, and +0 above -0."
                      : (name + ", by the program of lib/Math: arithmetic "
                                "alone, so no libm decides a bit.")
                            .str());
  SmallVector<CodeBuilder::Parameter> parameters = {{"x", c.f32()}};
  if (isMaximum)
    parameters.push_back({"y", c.f32()});
  c.function(("math_" + name).str(), parameters, c.f32(),
             [&](ArrayRef<Value> in) {
               Code code{c};
               SmallVector<Expr> x;
               for (Value value : in)
                 x.push_back(c.expr(value));
               c.give(program<Code>(code, name, x));
             });
  c.blank();
}
