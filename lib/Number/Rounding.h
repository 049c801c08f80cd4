//===- Rounding.h - rounding modes, once and exactly ------------*- C++ -*-===//
//
// Every number that Mezzo rounds at compile time passes through this file: a
// rounding mode is a decision between two neighbours, and that decision is
// written down once.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_LIB_NUMBER_ROUNDING_H
#define MEZZO_LIB_NUMBER_ROUNDING_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>

namespace mezzo {

/// How a value between two neighbours on a grid is rounded.
enum class Rounding : uint8_t {
  NearestEven, ///< nearest; a tie goes to the even neighbour (the default)
  NearestAway, ///< nearest; a tie goes away from zero
  HalfUp,      ///< nearest; a tie goes towards +infinity
  TowardZero,
  Up,              ///< towards +infinity
  Down,            ///< towards -infinity
  ToOdd,           ///< the odd neighbour, unless exact ("sticky")
  Stochastic,      ///< away from zero with probability equal to the fraction
  StochasticEqual, ///< either neighbour with probability 1/2, unless exact
};

/// "nearest-even", "half-up", "stochastic", ...; used in messages and options.
llvm::StringRef name(Rounding mode);
/// The inverse of name(). The error lists the modes there are.
llvm::Expected<Rounding> parseRounding(llvm::StringRef text);

/// An exact position between two neighbours on a grid. The neighbours are
/// called *near* and *far* by their distance from zero, because the distance of
/// a float from the near one is always a float again, while the distance from
/// the lower one is not (take -2^-60 on the grid of integers).
struct Gap {
  bool negative;   ///< the value is below zero
  bool nearIsOdd;  ///< the code of the near neighbour is odd
  double fraction; ///< (|value| - |near|) / (|far| - |near|), in [0, 1), exact
};

/// Decides which neighbour a value becomes: true for the far one. An exact
/// value (fraction 0) stays where it is in every mode. `random` is read by the
/// stochastic modes only: 64 uniform bits, of which the upper 53 are used.
bool roundsToFar(Rounding mode, const Gap &gap, uint64_t random = 0);

/// Rounds to an integral double. Exact for every finite x; infinities, NaN and
/// the sign of zero pass through.
double roundToIntegral(double x, Rounding mode = Rounding::NearestEven,
                       uint64_t random = 0);

/// A counter-based generator (Philox4x32-10; Salmon et al., "Parallel random
/// numbers: as easy as 1, 2, 3", SC 2011): 64 bits as a pure function of a seed
/// and a position. Stochastic rounding draws from it by element index, so one
/// seed gives the same codes on any machine, in any order, on any number of
/// threads.
class CounterRandom {
public:
  explicit CounterRandom(uint64_t seed) : seed(seed) {}
  uint64_t at(uint64_t index) const;

  /// The raw block function, for its published test vectors.
  struct Block {
    uint32_t word[4];
  };
  static Block philox4x32(Block counter, uint64_t key);

private:
  uint64_t seed;
};

} // namespace mezzo

#endif // MEZZO_LIB_NUMBER_ROUNDING_H
