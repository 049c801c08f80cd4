//===- CodeBuilder.h - C as EmitC ops, written like C ---------------------===//
//
// Engines and stages are written with this: EmitC ops, each value with the name
// that it has in the printed code (in its location, where PrintCode.cpp finds
// it). The same text serves both languages; what differs is how integers are
// typed, as C99 has them or as wide as they need to be.
//
//   CodeBuilder c(module, Language::C);
//   c.function("dot", {{"a", c.array(c.signedBits(8), {64}),
//   /*isConst=*/true}},
//              c.i32(), [&](ArrayRef<Value> in) {
//     Place sum = c.variable("sum", c.i32(), 0);
//     c.loop("k", 64, [&](Expr k) { sum += c.element(in[0], {k}); });
//     c.give(sum);
//   });
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_TARGETS_HLSC_CODEBUILDER_H
#define MEZZO_TARGETS_HLSC_CODEBUILDER_H

#include "mlir/Dialect/EmitC/IR/EmitC.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <optional>

namespace mezzo::hlsc {

/// What is written: C99, or C++ for high-level synthesis.
enum class Language { C, Hls };

class CodeBuilder;

/// The value of an expression.
struct Expr {
  CodeBuilder *builder = nullptr;
  mlir::Value value;
};

/// Something that can be assigned to: a variable, or an element of an array.
/// Used as an Expr it is what it holds at that point.
class Place {
public:
  Place(CodeBuilder *builder, mlir::Value lvalue)
      : builder(builder), lvalue(lvalue) {}
  Place(const Place &) = default;
  operator Expr() const;
  Place &operator=(Expr value);
  Place &operator=(const Place &other) { return *this = Expr(other); }
  Place &operator+=(Expr value);

private:
  CodeBuilder *builder;
  mlir::Value lvalue;
};

/// How an array is spread over memories that are accessed at the same time:
/// dimension `dimension` (from 0), into `factor` banks, or 0: one per element.
struct Partition {
  unsigned dimension = 0;
  int64_t factor = 0;
};

/// Attributes that the check of ports reads; each was printed as a pragma too.
inline llvm::StringRef pipelineAttrName() { return "mezzo.pipeline"; }
/// Pairs of Partition, one after the other.
inline llvm::StringRef partitionAttrName() { return "mezzo.partition"; }
/// On an argument: an array that the function does not write.
inline llvm::StringRef constAttrName() { return "mezzo.const"; }

class CodeBuilder {
public:
  CodeBuilder(mlir::ModuleOp module, Language language);

  Language language() const { return lang; }
  bool isHls() const { return lang == Language::Hls; }
  mlir::ModuleOp module() { return moduleOp; }

  // Types.
  mlir::Type f32() { return b.getF32Type(); }
  mlir::Type i32() { return b.getI32Type(); }
  mlir::Type u32() { return b.getIntegerType(32, /*isSigned=*/false); }
  mlir::Type word(unsigned bits) {
    return b.getIntegerType(bits, /*isSigned=*/false);
  }
  mlir::Type boolean() { return b.getI1Type(); }
  /// Integers of at least `bits` bits: the next type of C, or ap_int<bits>.
  mlir::Type signedBits(unsigned bits);
  mlir::Type unsignedBits(unsigned bits);
  mlir::Type opaque(const llvm::Twine &text) {
    return mlir::emitc::OpaqueType::get(b.getContext(), text.str());
  }
  mlir::Type array(mlir::Type element, llvm::ArrayRef<int64_t> shape) {
    return mlir::emitc::ArrayType::get(shape, element);
  }
  /// `hls::stream<element> &`, a parameter.
  mlir::Type stream(mlir::Type element);
  /// As the printed code spells it.
  static std::string spell(mlir::Type type);

  // Declarations.
  struct Parameter {
    std::string name;
    mlir::Type type;
    bool isConst = false;
  };
  using Body = llvm::function_ref<void(llvm::ArrayRef<mlir::Value>)>;
  /// A static function; a null result type is void.
  mlir::emitc::FuncOp function(llvm::StringRef name,
                               llvm::ArrayRef<Parameter> parameters,
                               mlir::Type result, Body body);
  /// A constant array that a header defines; banks as `partitions` say.
  void constantArray(llvm::StringRef name, mlir::Type type,
                     llvm::ArrayRef<Partition> partitions = {});

  // Statements.
  void comment(llvm::StringRef text);
  void line(const llvm::Twine &text, llvm::ArrayRef<mlir::Value> args = {});
  void blank() { line(""); }
  void loop(llvm::StringRef name, int64_t end,
            llvm::function_ref<void(Expr)> body);
  void loop(llvm::StringRef name, Expr end,
            llvm::function_ref<void(Expr)> body);
  void when(Expr condition, llvm::function_ref<void()> then,
            llvm::function_ref<void()> otherwise = nullptr);
  void give(Expr value);
  /// In a loop's body: one iteration begins every `interval` cycles.
  void pipeline(int64_t interval = 1);
  /// In a loop's body: all iterations at once.
  void unroll();
  /// In a function's body: no hierarchy of its own.
  void inlined();

  // Variables.
  Place variable(llvm::StringRef name, mlir::Type type,
                 std::optional<int64_t> value = std::nullopt);
  Place variable(llvm::StringRef name, mlir::Type type, Expr value);
  mlir::Value localArray(llvm::StringRef name, mlir::Type element,
                         llvm::ArrayRef<int64_t> shape,
                         llvm::ArrayRef<Partition> partitions = {});
  /// A constant with a name.
  Expr let(llvm::StringRef name, Expr value);
  Place element(mlir::Value array, llvm::ArrayRef<Expr> indices);
  /// Of a constant array.
  Place element(llvm::StringRef name, llvm::ArrayRef<Expr> indices);
  /// In a function that reads the constant array: where its banks are said.
  void partitioned(llvm::StringRef name);
  mlir::Value global(llvm::StringRef name);

  // Expressions.
  Expr expr(mlir::Value value) { return {this, value}; }
  Expr integer(int64_t value) { return constant(i32(), value); }
  Expr constant(mlir::Type type, int64_t value);
  Expr real(float value);
  Expr convert(mlir::Type type, Expr value);
  template <typename Op>
  Expr binary(Expr x, Expr y, mlir::Type type = {}) {
    if (!type)
      type = x.value.getType();
    return {this, Op::create(b, b.getLoc(), type, x.value, y.value)};
  }
  Expr compare(mlir::emitc::CmpPredicate predicate, Expr x, Expr y);
  Expr choose(Expr condition, Expr x, Expr y);
  Expr negate(Expr x);
  /// A function of the C library or of the header; `type` null: void.
  Expr call(llvm::StringRef name, mlir::Type type, llvm::ArrayRef<Expr> args);
  Expr call(mlir::emitc::FuncOp function, llvm::ArrayRef<mlir::Value> args);
  /// The next element of a stream, and putting one in.
  Expr pop(mlir::Value stream);
  void push(mlir::Value stream, Expr value);

  mlir::OpBuilder &ops() { return b; }
  mlir::Location named(llvm::StringRef name);

private:
  mlir::ModuleOp moduleOp;
  Language lang;
  mlir::ImplicitLocOpBuilder b;
};

inline Expr operator+(Expr x, Expr y) {
  return x.builder->binary<mlir::emitc::AddOp>(x, y);
}
inline Expr operator-(Expr x, Expr y) {
  return x.builder->binary<mlir::emitc::SubOp>(x, y);
}
inline Expr operator*(Expr x, Expr y) {
  return x.builder->binary<mlir::emitc::MulOp>(x, y);
}
inline Expr operator/(Expr x, Expr y) {
  return x.builder->binary<mlir::emitc::DivOp>(x, y);
}
inline Expr operator%(Expr x, Expr y) {
  return x.builder->binary<mlir::emitc::RemOp>(x, y);
}
inline Expr operator&(Expr x, Expr y) {
  return x.builder->binary<mlir::emitc::BitwiseAndOp>(x, y);
}
inline Expr operator|(Expr x, Expr y) {
  return x.builder->binary<mlir::emitc::BitwiseOrOp>(x, y);
}
inline Expr operator<<(Expr x, Expr y) {
  return x.builder->binary<mlir::emitc::BitwiseLeftShiftOp>(x, y);
}
inline Expr operator>>(Expr x, Expr y) {
  return x.builder->binary<mlir::emitc::BitwiseRightShiftOp>(x, y);
}
inline Expr operator<(Expr x, Expr y) {
  return x.builder->compare(mlir::emitc::CmpPredicate::lt, x, y);
}
inline Expr operator==(Expr x, Expr y) {
  return x.builder->compare(mlir::emitc::CmpPredicate::eq, x, y);
}
inline Expr operator-(Expr x) { return x.builder->negate(x); }

/// With an integer of the same type.
inline Expr literal(Expr x, int64_t value) {
  return x.builder->constant(x.value.getType(), value);
}
inline Expr operator+(Expr x, int64_t y) { return x + literal(x, y); }
inline Expr operator-(Expr x, int64_t y) { return x - literal(x, y); }
inline Expr operator*(Expr x, int64_t y) { return x * literal(x, y); }
inline Expr operator%(Expr x, int64_t y) { return x % literal(x, y); }
inline Expr operator&(Expr x, int64_t y) { return x & literal(x, y); }
inline Expr operator<<(Expr x, int64_t y) { return x << x.builder->integer(y); }
inline Expr operator>>(Expr x, int64_t y) { return x >> x.builder->integer(y); }
inline Expr operator<(Expr x, int64_t y) { return x < literal(x, y); }

} // namespace mezzo::hlsc

#endif // MEZZO_TARGETS_HLSC_CODEBUILDER_H
