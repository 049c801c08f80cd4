//===- Engines.cpp - three ways to multiply codes by activations ----------===//
//
// An engine is a function of one word of codes and the activations that they
// meet. Codes are as Format::affine flips them, c in [0, 2^bits), so that none
// of the three asks for the format; what format and zero point add is one
// correction per group, by the sum of its activations (ProductStage.cpp).
//
//   dot        sum += c * a
//   shift-add  for every bit of c that is set: sum += a << bit
//   look-up    the activations are tables already: of four of them, for signs s
//              in {-1, +1}^4, T[s] = s0 a0 + s1 a1 + s2 a2 + s3 a3. With
//              c = sum over bits of 2^bit (1 + s) / 2,
//
//                  2 sum c a = (2^bits - 1) sum a + sum over bits 2^bit T[s],
//
//              and since T[-s] = -T[s], half of a table is enough: an index has
//              its sign in bit 3, and the others inverted where that is set,
//              which is done when the weights are packed.
//
// A worked example of the last, one bit, a = (5, 3, 2, 1), c = (1, 0, 1, 1):
// s = (+, -, +, +), index 1101; bit 3 is set, so the index is stored as 1010
// and entry 010, -5 + 3 - 2 - 1 = -5, counts negatively: +5. Twice the product
// is 1 * 11 + 5 = 16, and 5 + 2 + 1 = 8.
//
//===----------------------------------------------------------------------===//

#include "targets/HlsC/Kernel.h"

using namespace mlir;
using namespace mezzo;
using namespace mezzo::hlsc;

namespace {

struct EngineWriter {
  Kernel &k;
  CodeBuilder &c;
  const ProductShape &shape;

  /// The low `bits` of what is left of the word, which then moves on.
  Expr next(Place &rest, StringRef name, unsigned bits) {
    Expr low = Expr(rest) & ((int64_t(1) << bits) - 1);
    Expr value = c.let(name, c.convert(c.u32(), low));
    if (bits < shape.wordBits)
      rest = Expr(rest) >> bits;
    return value;
  }

  void dot(ArrayRef<Value> in) {
    Type sumType = c.signedBits(c.isHls() ? shape.sumBits : 32),
         productType = c.isHls()
                           ? c.signedBits(shape.bits + shape.activationBits)
                           : c.i32();
    Place sum = c.variable("sum", sumType, 0);
    Place rest = c.variable("rest", c.word(shape.wordBits), c.expr(in[0]));
    c.loop("i", shape.parallelK, [&](Expr i) {
      c.unroll();
      Expr code = next(rest, "code", shape.bits);
      Expr narrow =
          c.convert(c.isHls() ? c.unsignedBits(shape.bits) : c.i32(), code);
      Expr activation = c.element(in[1], {c.expr(in[2]) + i});
      sum = c.binary<emitc::AddOp>(
          sum, c.binary<emitc::MulOp>(narrow, activation, productType));
    });
    c.give(sum);
  }

  /// In C, shifts of negative numbers have no meaning, so it is done modulo
  /// 2^32.
  Type shiftType(unsigned bits) {
    return c.isHls() ? c.signedBits(bits) : c.u32();
  }

  void shiftAdd(ArrayRef<Value> in) {
    Place sum = c.variable("sum", shiftType(shape.sumBits), 0);
    Place rest = c.variable("rest", c.word(shape.wordBits), c.expr(in[0]));
    c.loop("i", shape.parallelK, [&](Expr i) {
      c.unroll();
      Expr code = next(rest, "code", shape.bits);
      Expr a =
          c.let("a", c.convert(shiftType(shape.bits + shape.activationBits),
                               c.element(in[1], {c.expr(in[2]) + i})));
      for (unsigned bit = 0; bit < shape.bits; ++bit)
        whenBit(code, bit, [&] { sum += bit ? a << bit : a; });
    });
    c.give(sum);
  }

  void lookUp(ArrayRef<Value> in) {
    Place sum = c.variable("sum", shiftType(shape.sumBits), 0);
    Place rest = c.variable("rest", c.word(shape.wordBits), c.expr(in[0]));
    c.loop("i", shape.parallelK / 4, [&](Expr i) {
      c.unroll();
      for (unsigned bit = 0; bit < shape.bits; ++bit) {
        Expr index = next(rest, "index", 4);
        Expr entry =
            c.let("entry",
                  c.convert(shiftType(shape.bits + 10),
                            c.element(in[1], {c.expr(in[2]) + i, index & 7})));
        whenBit(
            index, 3, [&] { sum = Expr(sum) - (bit ? entry << bit : entry); },
            [&] { sum += bit ? entry << bit : entry; });
      }
    });
    c.give(sum);
  }

  void whenBit(Expr code, unsigned bit, llvm::function_ref<void()> then,
               llvm::function_ref<void()> otherwise = nullptr) {
    c.when(c.compare(emitc::CmpPredicate::ne, code & (int64_t(1) << bit),
                     c.constant(c.u32(), 0)),
           then, otherwise);
  }
};

} // namespace

emitc::FuncOp mezzo::hlsc::writeEngine(Kernel &k, const Stage &stage,
                                       const ProductShape &shape) {
  CodeBuilder &c = k.c;
  bool isLookUp = k.knobs.engine == Engine::LookUp;
  std::vector<int64_t> row = {shape.groups * shape.padded};
  if (isLookUp)
    row = {row[0] / 4, Kernel::TableEntries};
  Type element = isLookUp ? k.tableType() : c.signedBits(shape.activationBits);
  std::string what =
      std::to_string(shape.parallelK) + " codes of " +
      std::to_string(shape.bits) + " bits by as many " +
      (isLookUp ? "activations, by their tables" : "activations");
  c.comment(stage.name + ": " + what + ".");
  EngineWriter writer{k, c, shape};
  auto function = c.function(
      k.names.get(stage.name + (isLookUp ? "_look_up" : "_dot")),
      {{"word", c.word(shape.wordBits)},
       {isLookUp ? "table" : "a", c.array(element, row), true},
       {"at", c.i32()}},
      c.signedBits(c.isHls() ? shape.sumBits : 32), [&](ArrayRef<Value> in) {
        c.inlined();
        switch (k.knobs.engine) {
        case Engine::Dot:
          return writer.dot(in);
        case Engine::ShiftAdd:
          return writer.shiftAdd(in);
        case Engine::LookUp:
          return writer.lookUp(in);
        }
      });
  c.blank();
  return function;
}
