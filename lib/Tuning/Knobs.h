//===- Knobs.h - the choices of a product, without IR ---------------------===//
//
// A product kernel is the same numbers whatever its knobs are; they change its
// time. This is the one list of them: `#mezzo.config` is verified by it, the
// command line and tuning records are read by it, and a strategy describes by
// it which values are legal and which are worth a try (KnobSpace).
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_LIB_TUNING_KNOBS_H
#define MEZZO_LIB_TUNING_KNOBS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace mezzo {

/// In the order of `#mezzo.config`.
enum class Knob : unsigned { Rows, Groups, Unroll, Streams, Block, Chunk };
inline constexpr unsigned KnobCount = 6;

struct KnobInfo {
  llvm::StringRef name, meaning;
  int64_t low, high; ///< of every strategy and machine
};
/// What the knobs are, indexed by Knob.
llvm::ArrayRef<KnobInfo> knobInfos();

/// A value for each knob.
class KnobValues {
public:
  KnobValues() = default;
  explicit KnobValues(std::array<int64_t, KnobCount> values) : values(values) {}

  int64_t &operator[](Knob knob) { return values[unsigned(knob)]; }
  int64_t operator[](Knob knob) const { return values[unsigned(knob)]; }

  /// "rows=4,groups=2,unroll=2,streams=2,block=512,chunk=64", which `set` reads
  /// again.
  std::string str() const;
  /// Sets the knobs that `text` names. Errors: no such knob, and no number;
  /// both are the end of a sentence: "has no knob 'columns': ...".
  llvm::Error set(llvm::StringRef text);

  bool operator==(const KnobValues &o) const { return values == o.values; }
  bool operator!=(const KnobValues &o) const { return values != o.values; }
  bool operator<(const KnobValues &o) const { return values < o.values; }

private:
  std::array<int64_t, KnobCount> values{};
};

/// Why no strategy takes these values: a knob out of its range, a chunk that
/// does not divide its block. None where they are in order.
std::optional<std::string> refusalOf(const KnobValues &values);

/// The knobs of one product: what a strategy can do with its format and shape
/// on a machine. Two kinds of conditions: a *requirement* keeps a kernel
/// correct, so whoever breaks it is told why; an *exclusion* keeps a search
/// from trying what cannot be good (a register tile that does not fit into the
/// registers), and may be overruled by name.
class KnobSpace {
public:
  /// Says why, if `values` are to be refused: the end of a sentence that begins
  /// with them, with the way out.
  using Refusal =
      std::function<std::optional<std::string>(const KnobValues &values)>;

  /// `seed`: what is good without asking anybody. It is a candidate always.
  explicit KnobSpace(KnobValues seed);

  const KnobValues &seed() const { return start; }
  /// Values worth a try; the seed's is added to them.
  void setValues(Knob knob, llvm::ArrayRef<int64_t> values);
  llvm::ArrayRef<int64_t> valuesOf(Knob knob) const {
    return axes[unsigned(knob)];
  }
  /// `name` says in a few words what is required, and is part of the hash.
  void require(llvm::StringRef name, Refusal refusal);
  void exclude(llvm::StringRef name, Refusal refusal);

  /// Why `values` are not legal here; what refusalOf says comes first.
  std::optional<std::string> refusal(const KnobValues &values) const;
  /// Whether a search should look at `values`: legal, and not excluded, or the
  /// seed.
  bool isWorthTrying(const KnobValues &values) const;

  /// All that is worth trying, in ascending order.
  std::vector<KnobValues> candidates() const;
  /// The part of it that differs from `from` in the named knobs only.
  std::vector<KnobValues> neighbours(const KnobValues &from,
                                     llvm::ArrayRef<Knob> knobs) const;

  /// Of knobs, values and conditions: equal for equal spaces, for people who
  /// compare records of two versions.
  uint64_t hash() const;

private:
  struct Condition {
    std::string name;
    Refusal refusal;
  };

  KnobValues start;
  std::array<llvm::SmallVector<int64_t, 8>, KnobCount> axes;
  std::vector<Condition> requirements, exclusions;
};

} // namespace mezzo

#endif // MEZZO_LIB_TUNING_KNOBS_H
