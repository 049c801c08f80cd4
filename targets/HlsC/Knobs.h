//===- Knobs.h - what a user decides about the hardware -------------------===//

#ifndef MEZZO_TARGETS_HLSC_KNOBS_H
#define MEZZO_TARGETS_HLSC_KNOBS_H

#include "targets/HlsC/CodeBuilder.h"
#include "targets/HlsC/Plan.h"

namespace mezzo::hlsc {

/// `engine=shift-add,parallel_n=4,parallel_k=8,...`. None changes a result.
struct Knobs {
  enum class Interface { AxiStream, MAxi };

  Engine engine = Engine::Dot;
  /// Rows of a weight, and columns of each, that are multiplied at once.
  int64_t parallelN = 4, parallelK = 8;
  /// How often a multiplier is used for one row of activations; in place of
  /// parallelN, which follows for each product. 0: not given.
  int64_t reuse = 0;
  Interface interface = Interface::AxiStream; ///< HLS only
  double clockNs = 5;                         ///< HLS only

  /// Errors: a knob that is none (lists those that are), a value that is out of
  /// its range, `reuse` beside `parallel_n`, and knobs that C does not have.
  static llvm::Expected<Knobs> parse(llvm::StringRef text, Language language);
};

llvm::StringRef name(Engine engine);

/// The loops of one product.
struct ProductShape {
  int64_t rows, columns, group, groups; ///< N, K, columns of a group, G
  unsigned bits;
  int64_t parallelN, parallelK; ///< as the engine has them
  int64_t blocks;               ///< of parallelN rows; the last may be padded
  int64_t padded;               ///< columns of a group, whole steps
  int64_t steps;                ///< of parallelK columns, in a group
  unsigned wordBits;            ///< of parallelK codes: 8, 16, 32 or 64
  unsigned sumBits;             ///< of a group's sum of products, signed
  unsigned activationBits;      ///< 8, or 9: differences of codes and zeros

  /// Errors: knobs that do not fit the product, sums beyond 32 bits.
  static llvm::Expected<ProductShape> of(const Stage &stage,
                                         const Knobs &knobs);
};

} // namespace mezzo::hlsc

#endif // MEZZO_TARGETS_HLSC_KNOBS_H
