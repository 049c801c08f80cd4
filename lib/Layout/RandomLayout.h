//===- RandomLayout.h - Layouts for property tests ------------------------===//

#ifndef MEZZO_LIB_LAYOUT_RANDOMLAYOUT_H
#define MEZZO_LIB_LAYOUT_RANDOMLAYOUT_H

#include "lib/Layout/BoundLayout.h"
#include <algorithm>
#include <random>

namespace mezzo::test {

/// Draws bijective layouts of n, (g,) k, b: each axis split into digits of
/// random radices, the digits shuffled over a few spaces, some spaces padded or
/// with a base, and sometimes a digit of n cut into two pieces with digits of
/// their own.
class RandomLayout {
public:
  explicit RandomLayout(unsigned seed) : random(seed) {}

  int64_t below(int64_t bound) { return int64_t(random() % uint64_t(bound)); }

  /// Extents with small primes and powers of two among them.
  Extents extents(bool grouped = false) {
    Extents e = {{'n', 1 + below(40)}};
    if (grouped)
      e.push_back({'g', 1 + below(5)});
    e.push_back({'k', 1 + below(40)});
    e.push_back({'b', 1 + below(8)});
    return e;
  }

  Layout layout(const Extents &extents) {
    std::vector<Digit> digits;
    for (auto [axis, extent] : extents)
      split(axis, extent, digits);
    std::shuffle(digits.begin(), digits.end(), random);

    Piece piece;
    const char *names[] = {"bit", "lane", "line", "tile"};
    for (const char *name : names) {
      piece.spaces.emplace_back();
      piece.spaces.back().name = name;
    }
    for (const Digit &d : digits)
      piece.spaces[below(4)].digits.push_back(d);
    for (Space &space : piece.spaces) {
      int64_t product = 1;
      for (const Digit &d : space.digits)
        product *= d.radix;
      if (product && below(3) == 0) {
        space.base = below(3);
        space.size = product + space.base + below(4);
      }
    }
    if (below(2))
      return llvm::cantFail(Layout::get({piece}));
    return llvm::cantFail(Layout::get(cut(piece)));
  }

private:
  // Digits of an axis; the last is `*` half of the time.
  void split(char axis, int64_t extent, std::vector<Digit> &digits) {
    static constexpr int64_t Radices[] = {2, 2, 3, 4, 5, 8};
    Digit d;
    d.axis = axis;
    while (d.stride < extent) {
      int64_t radix = Radices[below(6)];
      if (below(3) == 0) {
        d.radix = below(2) ? Digit::Rest
                           : (extent + d.stride - 1) / d.stride + below(2);
        digits.push_back(d);
        return;
      }
      d.radix = radix;
      digits.push_back(d);
      d.stride *= radix;
    }
  }

  // Cuts a digit of n with radix r >= 2 into the values below c and the rest,
  // which lie one after the other in a space of their own.
  std::vector<Piece> cut(const Piece &whole) {
    for (size_t s = 0; s < whole.spaces.size(); ++s)
      for (size_t i = 0; i < whole.spaces[s].digits.size(); ++i) {
        Digit d = whole.spaces[s].digits[i];
        if (d.axis != 'n' || d.radix < 2)
          continue;
        Piece low = whole;
        low.spaces[s].digits.erase(low.spaces[s].digits.begin() + i);
        Piece high = low;
        int64_t c = 1 + below(d.radix - 1);
        low.conditions.push_back({'n', d.stride, d.radix, 0, c});
        high.conditions.push_back(
            {'n', d.stride, d.radix, c, Condition::Unbounded});
        Space space;
        space.name = "cut";
        space.size = d.radix;
        space.digits = {{'n', d.stride, c}};
        low.spaces.push_back(space);
        space.base = c;
        space.digits = {{'n', d.stride, d.radix - c}};
        high.spaces.push_back(space);
        return {low, high};
      }
    return {whole};
  }

  std::mt19937 random;
};

} // namespace mezzo::test

#endif // MEZZO_LIB_LAYOUT_RANDOMLAYOUT_H
