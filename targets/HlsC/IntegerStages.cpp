//===- IntegerStages.cpp - between floats and static codes ----------------===//

#include "targets/HlsC/Kernel.h"

using namespace mlir;
using namespace mezzo;
using namespace mezzo::hlsc;

/// QuantizeLinear with one scale: clamp(rne(x / s) + z), NaN becomes z.
void mezzo::hlsc::writeStaticQuantize(Kernel &k, const Stage &stage) {
  CodeBuilder &c = k.c;
  const StaticCodes &codes = k.output(stage).codes;
  k.stageFunction(
      stage, "floats to codes of one scale", [&](ArrayRef<Value> in) {
        c.loop("i", k.output(stage).columns, [&](Expr i) {
          c.pipeline();
          Place code = c.variable("code", c.f32(),
                                  k.read(in[0], {i}) / c.real(codes.scale));
          k.clampAndRound(code, codes.lo() - codes.zero,
                          codes.hi() - codes.zero);
          k.write(in[1], {i},
                  c.convert(k.elementType(k.output(stage)),
                            c.convert(c.i32(), code) + codes.zero));
        });
      });
}

/// DequantizeLinear: (q - z) * s.
void mezzo::hlsc::writeStaticDequantize(Kernel &k, const Stage &stage) {
  CodeBuilder &c = k.c;
  const StaticCodes &codes = k.input(stage).codes;
  k.stageFunction(
      stage, "codes of one scale to floats", [&](ArrayRef<Value> in) {
        c.loop("i", k.output(stage).columns, [&](Expr i) {
          c.pipeline();
          Expr difference =
              c.convert(c.i32(), k.read(in[0], {i})) - int64_t(codes.zero);
          k.write(in[1], {i},
                  c.convert(c.f32(), difference) * c.real(codes.scale));
        });
      });
}

/// round(z * m / 2^e), ties to even, as Dyadic::apply; then clamp.
void mezzo::hlsc::writeRescale(Kernel &k) {
  CodeBuilder &c = k.c;
  Type wide = c.ops().getI64Type();
  c.comment("clamp(round(z * m / 2^e) + zero, low, high); ties to even.");
  k.rescale = c.function(
      k.names.get("rescale"),
      {{"z", c.i32()},
       {"m", c.i32()},
       {"e", c.i32()},
       {"zero", c.i32()},
       {"low", c.i32()},
       {"high", c.i32()}},
      c.i32(), [&](ArrayRef<Value> in) {
        auto at = [&](unsigned index) { return c.expr(in[index]); };
        Expr product =
            c.let("product", c.convert(wide, at(0)) * c.convert(wide, at(1)));
        Expr below = c.let("below", product >> at(2));
        Expr half = c.let("half", c.constant(wide, 1) << (at(2) - int64_t(1)));
        Expr rest = c.let("rest", product & (half + half - int64_t(1)));
        Place code = c.variable("code", wide, below + c.convert(wide, at(3)));
        auto both = c.binary<emitc::LogicalAndOp>(
            rest == half, c.compare(emitc::CmpPredicate::ne, below & int64_t(1),
                                    c.constant(wide, 0)));
        c.when(c.binary<emitc::LogicalOrOp>(half < rest, both),
               [&] { code += c.constant(wide, 1); });
        auto clamp = [&](unsigned bound, bool isLow) {
          Expr limit = c.convert(wide, at(bound));
          c.when(isLow ? Expr(code) < limit : limit < Expr(code),
                 [&] { code = c.convert(wide, at(bound)); });
        };
        clamp(4, true);
        clamp(5, false);
        c.give(code);
      });
  c.blank();
}
