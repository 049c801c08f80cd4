//===- Sizes.h - arithmetic on dimensions, known or not -------------------===//

#ifndef MEZZO_PASSES_FRONTEND_SIZES_H
#define MEZZO_PASSES_FRONTEND_SIZES_H

#include "mlir/IR/ImplicitLocOpBuilder.h"

#include "llvm/ADT/DenseSet.h"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

namespace mezzo {

/// A dimension: an integer attribute where it is known, a value of type `index`
/// where it is not.
using Size = mlir::OpFoldResult;
using Sizes = llvm::SmallVector<Size>;

/// Computes with dimensions so that what is equal *looks* equal.
///
/// A model reshapes [batch, seq, 768] to [batch * seq, 768] and back again, and
/// asks for the shapes on the way by chains of Shape, Gather, Mul and Concat.
/// To compile that without checks at run time, the importer has to see that the
/// last shape is the first. So every size is a polynomial with integer
/// coefficients over *atoms*, sizes that cannot be taken apart (a dimension of
/// an input), and two sizes are equal if their polynomials are:
///
///     Shape(x) = [batch, seq, 768]                 the atoms batch and seq,
///     the constant 768 Reshape(x, [-1, 768]): -1 stands for batch*seq*768 /
///     768        = batch*seq, an exact division Concat(Shape(x)[0:2], [12,
///     64]):             [batch, seq, 12, 64], the product batch*seq*768 again
///
/// Where polynomials end (a division that leaves a remainder, a minimum), the
/// result is a new atom. Each polynomial is computed once; later requests
/// return the same value. Atoms are sizes, so they are never negative, and that
/// decides many comparisons.
class SizeArithmetic {
public:
  explicit SizeArithmetic(mlir::ImplicitLocOpBuilder &b) : b(b) {}

  Size constant(int64_t value) { return b.getIndexAttr(value); }
  Sizes constants(llvm::ArrayRef<int64_t> values);

  Size add(Size lhs, Size rhs);
  Size subtract(Size lhs, Size rhs);
  Size multiply(Size lhs, Size rhs);
  /// Rounded toward zero. A divisor of 0 gives some value, never a trap.
  Size divide(Size lhs, Size rhs);
  /// Rounded up; for a divisor that is positive.
  Size ceilDivide(Size lhs, int64_t rhs);
  Size minimum(Size lhs, Size rhs);
  Size maximum(Size lhs, Size rhs);
  Size product(llvm::ArrayRef<Size> factors);

  /// Whether the two are equal, lhs <= rhs, for all sizes of the inputs; none
  /// where it depends on them.
  std::optional<bool> equal(Size lhs, Size rhs);
  std::optional<bool> lessOrEqual(Size lhs, Size rhs);
  bool surelyEqual(Size lhs, Size rhs) {
    return equal(lhs, rhs).value_or(false);
  }
  bool surelyEqual(llvm::ArrayRef<Size> lhs, llvm::ArrayRef<Size> rhs);

  /// The common size of two dimensions that the model says are equal. Where
  /// that is not known, a check is emitted that fails the run with `message`,
  /// once per pair. The result is the one that is a constant, else the smaller;
  /// tensors are brought to it by TensorBuilder::fit, so that the rest of a
  /// failed run stays inside every buffer.
  Size unify(Size lhs, Size rhs, const llvm::Twine &message);

  /// As an SSA value of type `index`.
  mlir::Value value(Size size);

  /// While it lives, the code that is built is a region of an op. Sizes that
  /// are computed there are forgotten behind it: they do not dominate what
  /// follows, and what is checked in one branch holds in that branch only.
  class Scope {
  public:
    explicit Scope(SizeArithmetic &sizes)
        : sizes(sizes), before(std::make_unique<SizeArithmetic>(sizes)) {}
    ~Scope() { sizes.forgetAllBut(*before); }

  private:
    SizeArithmetic &sizes;
    std::unique_ptr<const SizeArithmetic> before;
  };

  /// A number that only the run knows, of type `index`: an atom.
  Size unknown(mlir::Value value, bool nonnegative) {
    return atom(value, nonnegative);
  }
  bool isNonnegative(Size size);
  /// The dimension of an input that has no name: nothing says that it equals
  /// another, so it may be 1 and stretched in a broadcast.
  void setOpen(Size size);
  bool isOpen(Size size) {
    auto value = llvm::dyn_cast<mlir::Value>(size);
    return value && open.contains(value);
  }
  /// `condition ? lhs : rhs`, the condition an i1.
  Size select(mlir::Value condition, Size lhs, Size rhs);
  /// A place counted from the end where it is negative: index, or index +
  /// extent.
  Size fromEnd(Size index, Size extent);

private:
  /// Coefficients by the sorted list of the atoms they multiply; the empty list
  /// is the constant.
  using Polynomial = std::map<std::vector<unsigned>, int64_t>;

  void forgetAllBut(const SizeArithmetic &before);
  Polynomial polynomialOf(Size size);
  Size sizeOf(const Polynomial &polynomial);
  Size atom(mlir::Value value, bool nonnegative = true);
  /// The result of an operation that polynomials do not have; made once for
  /// equal operands.
  Size once(llvm::StringRef operation, Size lhs, Size rhs,
            llvm::function_ref<Size()> make);
  std::set<Polynomial> unifiedSizes(Size size);

  static std::optional<Polynomial> sum(Polynomial lhs, const Polynomial &rhs,
                                       int64_t factor);
  static std::optional<Polynomial> quotient(const Polynomial &dividend,
                                            const Polynomial &divisor);
  std::optional<int64_t>
  lowerBound(const std::optional<Polynomial> &polynomial) const;

  mlir::ImplicitLocOpBuilder &b;
  struct Atom {
    mlir::Value value;
    bool nonnegative; ///< all but some differences
  };
  std::vector<Atom> atoms;
  llvm::DenseMap<mlir::Value, Polynomial>
      polynomials;                          ///< of every value handed out
  std::map<Polynomial, mlir::Value> values; ///< the way back
  /// For minima made by `unify`, all sizes that went into them.
  llvm::DenseMap<mlir::Value, std::set<Polynomial>> unified;
  std::set<std::pair<Polynomial, Polynomial>> checked;
  std::map<std::tuple<std::string, Polynomial, Polynomial>, Size> made;
  llvm::DenseSet<mlir::Value> open;
};

} // namespace mezzo

#endif // MEZZO_PASSES_FRONTEND_SIZES_H
