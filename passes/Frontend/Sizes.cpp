//===- Sizes.cpp - arithmetic on dimensions, known or not -----------------===//

#include "passes/Frontend/Sizes.h"

#include "dialects/Mezzo/Mezzo.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mezzo;

Sizes SizeArithmetic::constants(ArrayRef<int64_t> values) {
  return llvm::map_to_vector(values,
                             [&](int64_t value) { return constant(value); });
}

Value SizeArithmetic::value(Size size) {
  if (auto known = dyn_cast<Value>(size))
    return known;
  int64_t constant = *getConstantIntValue(size);
  Polynomial key = polynomialOf(size);
  Value &made = values[key];
  if (!made) {
    made = arith::ConstantIndexOp::create(b, constant);
    polynomials[made] = key;
  }
  return made;
}

Size SizeArithmetic::atom(Value value, bool nonnegative) {
  if (polynomials.count(value))
    return value;
  Polynomial self{{{unsigned(atoms.size())}, 1}};
  atoms.push_back({value, nonnegative});
  values[self] = value;
  polynomials[value] = std::move(self);
  return value;
}

void SizeArithmetic::forgetAllBut(const SizeArithmetic &before) {
  atoms = before.atoms;
  polynomials = before.polynomials;
  values = before.values;
  unified = before.unified;
  checked = before.checked;
  made = before.made;
  open = before.open;
}

Size SizeArithmetic::once(llvm::StringRef operation, Size lhs, Size rhs,
                          llvm::function_ref<Size()> make) {
  std::tuple key(operation.str(), polynomialOf(lhs), polynomialOf(rhs));
  auto known = made.find(key);
  return known != made.end() ? known->second : made[key] = make();
}

SizeArithmetic::Polynomial SizeArithmetic::polynomialOf(Size size) {
  if (std::optional<int64_t> constant = getConstantIntValue(size))
    return *constant ? Polynomial{{{}, *constant}} : Polynomial{};
  atom(cast<Value>(size));
  return polynomials.lookup(cast<Value>(size));
}

Size SizeArithmetic::sizeOf(const Polynomial &polynomial) {
  if (polynomial.empty())
    return constant(0);
  if (polynomial.size() == 1 && polynomial.begin()->first.empty())
    return constant(polynomial.begin()->second);
  auto known = values.find(polynomial);
  if (known != values.end())
    return known->second;
  Value sum;
  for (const auto &[factors, coefficient] : polynomial) {
    Value term;
    for (unsigned factor : factors)
      term =
          term ? arith::MulIOp::create(b, term, atoms[factor].value).getResult()
               : atoms[factor].value;
    if (!term)
      term = value(constant(coefficient));
    else if (coefficient != 1)
      term = arith::MulIOp::create(b, term, value(constant(coefficient)));
    sum = sum ? arith::AddIOp::create(b, sum, term).getResult() : term;
  }
  values[polynomial] = sum;
  polynomials[sum] = polynomial;
  return sum;
}

/// lhs + factor * rhs; none where a coefficient overflows.
std::optional<SizeArithmetic::Polynomial>
SizeArithmetic::sum(Polynomial lhs, const Polynomial &rhs, int64_t factor) {
  for (const auto &[factors, coefficient] : rhs) {
    int64_t scaled, total;
    if (llvm::MulOverflow(coefficient, factor, scaled) ||
        llvm::AddOverflow(lhs[factors], scaled, total))
      return std::nullopt;
    if (total == 0)
      lhs.erase(factors);
    else
      lhs[factors] = total;
  }
  return lhs;
}

Size SizeArithmetic::add(Size lhs, Size rhs) {
  if (std::optional<Polynomial> total =
          sum(polynomialOf(lhs), polynomialOf(rhs), 1))
    return sizeOf(*total);
  return atom(arith::AddIOp::create(b, value(lhs), value(rhs)), false);
}

Size SizeArithmetic::subtract(Size lhs, Size rhs) {
  if (std::optional<Polynomial> difference =
          sum(polynomialOf(lhs), polynomialOf(rhs), -1))
    return sizeOf(*difference);
  return atom(arith::SubIOp::create(b, value(lhs), value(rhs)), false);
}

Size SizeArithmetic::multiply(Size lhs, Size rhs) {
  Polynomial left = polynomialOf(lhs), right = polynomialOf(rhs), product;
  for (const auto &[leftFactors, leftCoefficient] : left)
    for (const auto &[rightFactors, rightCoefficient] : right) {
      std::vector<unsigned> factors;
      llvm::append_range(factors, leftFactors);
      llvm::append_range(factors, rightFactors);
      llvm::sort(factors);
      int64_t coefficient, total;
      if (llvm::MulOverflow(leftCoefficient, rightCoefficient, coefficient) ||
          llvm::AddOverflow(product[factors], coefficient, total))
        return atom(arith::MulIOp::create(b, value(lhs), value(rhs)), false);
      product[factors] = total;
    }
  for (auto term = product.begin(); term != product.end();)
    term = term->second == 0 ? product.erase(term) : std::next(term);
  return sizeOf(product);
}

Size SizeArithmetic::product(ArrayRef<Size> factors) {
  Size result = constant(1);
  for (Size factor : factors)
    result = multiply(result, factor);
  return result;
}

/// The exact quotient by a single term: every term of the dividend must contain
/// it. This drops the case that the divisor is 0 at run time; then the dividend
/// is 0 as well, and whatever is computed from 0 elements is of no consequence.
std::optional<SizeArithmetic::Polynomial>
SizeArithmetic::quotient(const Polynomial &dividend,
                         const Polynomial &divisor) {
  if (divisor.size() != 1)
    return std::nullopt;
  const auto &[factors, coefficient] = *divisor.begin();
  Polynomial result;
  for (const auto &[terms, multiple] : dividend) {
    if (multiple % coefficient != 0 ||
        !std::includes(terms.begin(), terms.end(), factors.begin(),
                       factors.end()))
      return std::nullopt;
    std::vector<unsigned> rest;
    std::set_difference(terms.begin(), terms.end(), factors.begin(),
                        factors.end(), std::back_inserter(rest));
    result[rest] = multiple / coefficient;
  }
  return result;
}

Size SizeArithmetic::divide(Size lhs, Size rhs) {
  std::optional<int64_t> left = getConstantIntValue(lhs),
                         right = getConstantIntValue(rhs);
  if (right && *right == 0)
    return constant(0);
  if (left && right)
    return *right == -1 ? subtract(constant(0), lhs) : constant(*left / *right);
  if (std::optional<Polynomial> exact =
          quotient(polynomialOf(lhs), polynomialOf(rhs)))
    return sizeOf(*exact);
  return once("divide", lhs, rhs, [&] {
    Value divisor = value(rhs);
    if (!right) // at least 1, since divisors are sizes
      divisor = arith::MaxSIOp::create(b, divisor, value(constant(1)));
    return atom(arith::DivSIOp::create(b, value(lhs), divisor),
                isNonnegative(lhs));
  });
}

Size SizeArithmetic::ceilDivide(Size lhs, int64_t rhs) {
  assert(rhs > 0 && "sizes are divided by positive numbers");
  if (std::optional<int64_t> left = getConstantIntValue(lhs))
    return constant(llvm::divideCeilSigned(*left, rhs));
  if (std::optional<Polynomial> exact =
          quotient(polynomialOf(lhs), {{{}, rhs}}))
    return sizeOf(*exact);
  return once("ceilDivide", lhs, constant(rhs), [&] {
    return atom(arith::CeilDivSIOp::create(b, value(lhs), value(constant(rhs))),
                isNonnegative(lhs));
  });
}

Size SizeArithmetic::minimum(Size lhs, Size rhs) {
  if (lessOrEqual(lhs, rhs).value_or(false))
    return lhs;
  if (lessOrEqual(rhs, lhs).value_or(false))
    return rhs;
  return once("minimum", lhs, rhs, [&] {
    return atom(arith::MinSIOp::create(b, value(lhs), value(rhs)),
                isNonnegative(lhs) && isNonnegative(rhs));
  });
}

Size SizeArithmetic::maximum(Size lhs, Size rhs) {
  if (lessOrEqual(lhs, rhs).value_or(false))
    return rhs;
  if (lessOrEqual(rhs, lhs).value_or(false))
    return lhs;
  return once("maximum", lhs, rhs, [&] {
    return atom(arith::MaxSIOp::create(b, value(lhs), value(rhs)),
                isNonnegative(lhs) || isNonnegative(rhs));
  });
}

/// With no negative coefficient on sizes that are never negative, a polynomial
/// is at least its constant.
std::optional<int64_t>
SizeArithmetic::lowerBound(const std::optional<Polynomial> &polynomial) const {
  if (!polynomial)
    return std::nullopt;
  int64_t constant = 0;
  for (const auto &[factors, coefficient] : *polynomial) {
    if (factors.empty())
      constant = coefficient;
    else if (coefficient < 0 ||
             !llvm::all_of(
                 factors,
                 [&](unsigned factor) { return atoms[factor].nonnegative; }))
      return std::nullopt;
  }
  return constant;
}

bool SizeArithmetic::isNonnegative(Size size) {
  return lowerBound(polynomialOf(size)).value_or(-1) >= 0;
}

Size SizeArithmetic::select(Value condition, Size lhs, Size rhs) {
  if (surelyEqual(lhs, rhs))
    return lhs;
  return atom(arith::SelectOp::create(b, condition, value(lhs), value(rhs)),
              isNonnegative(lhs) && isNonnegative(rhs));
}

void SizeArithmetic::setOpen(Size size) {
  if (auto value = dyn_cast<Value>(size))
    open.insert(cast<Value>(atom(value)));
}

Size SizeArithmetic::fromEnd(Size index, Size extent) {
  if (isNonnegative(index))
    return index;
  if (lessOrEqual(constant(0), index) == std::optional<bool>(false))
    return add(index, extent);
  Value negative = arith::CmpIOp::create(b, arith::CmpIPredicate::slt,
                                         value(index), value(constant(0)));
  return select(negative, add(index, extent), index);
}

std::optional<bool> SizeArithmetic::lessOrEqual(Size lhs, Size rhs) {
  Polynomial left = polynomialOf(lhs), right = polynomialOf(rhs);
  if (lowerBound(sum(right, left, -1)).value_or(-1) >= 0)
    return true;
  if (lowerBound(sum(left, right, -1)).value_or(0) > 0)
    return false;
  std::set<Polynomial> inner = unifiedSizes(rhs), outer = unifiedSizes(lhs);
  if (outer.size() > 1 &&
      std::includes(outer.begin(), outer.end(), inner.begin(), inner.end()))
    return true; // a minimum of what includes rhs
  return std::nullopt;
}

std::optional<bool> SizeArithmetic::equal(Size lhs, Size rhs) {
  Polynomial left = polynomialOf(lhs), right = polynomialOf(rhs);
  if (left == right)
    return true;
  if (lowerBound(sum(left, right, -1)).value_or(0) > 0 ||
      lowerBound(sum(right, left, -1)).value_or(0) > 0)
    return false;
  return std::nullopt;
}

bool SizeArithmetic::surelyEqual(ArrayRef<Size> lhs, ArrayRef<Size> rhs) {
  return lhs.size() == rhs.size() &&
         llvm::all_of(llvm::zip(lhs, rhs), [&](auto pair) {
           return surelyEqual(std::get<0>(pair), std::get<1>(pair));
         });
}

std::set<SizeArithmetic::Polynomial> SizeArithmetic::unifiedSizes(Size size) {
  if (auto value = dyn_cast<Value>(size)) {
    auto known = unified.find(value);
    if (known != unified.end())
      return known->second;
  }
  return {polynomialOf(size)};
}

Size SizeArithmetic::unify(Size lhs, Size rhs, const Twine &message) {
  if (surelyEqual(lhs, rhs))
    return lhs;
  std::set<Polynomial> left = unifiedSizes(lhs), right = unifiedSizes(rhs),
                       both = left;
  both.insert(right.begin(), right.end());
  if (both == left) // rhs is among those that lhs is the minimum of, and was
                    // checked then
    return lhs;
  if (both == right)
    return rhs;
  if (checked.insert({polynomialOf(lhs), polynomialOf(rhs)}).second) {
    Value same = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, value(lhs),
                                       value(rhs));
    CheckOp::create(b, same, message.str());
  }
  if (getConstantIntValue(lhs))
    return lhs;
  if (getConstantIntValue(rhs))
    return rhs;
  Size smaller = minimum(lhs, rhs);
  if (auto value = dyn_cast<Value>(smaller))
    unified[value] = both;
  return smaller;
}
