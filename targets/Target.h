//===- Target.h - What the compiler knows about a machine -----------------===//
//
// A pass sees a machine only through this struct: facts to size a kernel by,
// and functions of the machine's own folder to spell it with. No pass names an
// instruction set.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_TARGETS_TARGET_H
#define MEZZO_TARGETS_TARGET_H

#include "targets/Cost.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <optional>
#include <string>
#include <vector>

namespace mlir {
class ModuleOp;
class RewritePatternSet;
} // namespace mlir

namespace mezzo {

/// LLVM's intrinsics whose names begin alike, and the feature they need; where
/// one of several is enough, "avxvnni|avx512vnni". An array of these has the
/// longer beginning first where one begins another.
struct IntrinsicFamily {
  llvm::StringRef prefix, feature;
};

/// The feature that the intrinsic `name` of a machine needs; the names of all
/// its intrinsics begin with `machine` ("llvm.x86."). Results as those of
/// Target::intrinsicFeature.
std::optional<llvm::StringRef>
featureOfIntrinsic(llvm::StringRef name, llvm::StringRef machine,
                   llvm::ArrayRef<IntrinsicFamily> families);

/// What a target is asked for that writes a folder of sources.
struct FolderRequest {
  std::string name;  ///< of the model, an identifier of C
  std::string knobs; ///< as the user wrote them: "engine=dot,parallel_n=4"
  /// Products are of mode `integer-only`; in the module they say `float`, and
  /// lie between dequantize and quantize.
  bool isIntegerOnly = false;
};

/// Files by their names below the folder, and what the user should be told.
struct FolderResult {
  struct File {
    std::string name, text;
  };
  std::vector<File> files;
  std::string summary; ///< one line, or nothing
};

/// A machine to compile for.
struct Target {
  /// As users and tuning records write it: "x86-64-v3". `lookupTarget(name)`
  /// gives this target again.
  std::string name;

  /// What LLVM is told: "x86_64-unknown-linux-gnu", "x86-64-v3",
  /// "+avx2,+fma,+f16c".
  std::string triple, cpu, features;

  /// The CPU whose pipelines LLVM schedules for; empty: those of `cpu`. It may
  /// have more features than the target, which are not used.
  std::string tuneCpu;

  /// What a CPU must have for the code to run, in LLVM's names, separated by
  /// commas. The runtime checks them when a model is opened.
  std::string requiredFeatures;

  /// Bytes in a vector register, and how many of them there are.
  unsigned vectorBytes = 0, vectorRegisters = 0;

  /// Whether a multiply-add rounds once at no extra cost.
  bool hasFma = false;

  /// How many sums of two byte products a 16-bit lane has to hold for it to pay
  /// that they are added up there first, and widened to 32 bits later. 0:
  /// never, since one instruction adds four products to a 32-bit lane.
  unsigned pairsWorthAdding = 0;

  /// Whether that instruction takes unsigned codes only, by signed activations.
  bool multipliesUnsignedCodes = false;

  /// Whether codes are decoded right before they are used (Common/Sink.h).
  bool sinksDecoding = false;

  /// Set for a target whose output is a folder of sources, made from the
  /// module of tensors, without kernels of ours; nothing else of it is set.
  /// Errors: what the target cannot do with the model, and knobs.
  llvm::Expected<FolderResult> (*writeFolder)(
      mlir::ModuleOp module, const FolderRequest &request) = nullptr;

  /// What ops take, and how fast memory is: what candidates are ranked by.
  CoreCosts costs;

  /// Patterns that turn `tile` ops into instructions of this machine. Null:
  /// every op is lowered by its definition.
  void (*populateTileSpellings)(mlir::RewritePatternSet &patterns) = nullptr;

  /// Makes LLVM's backend known; may be called any number of times.
  void (*initializeBackend)() = nullptr;

  /// The feature that the LLVM intrinsic `name` ("llvm.x86.avx2.pshuf.b")
  /// needs, in LLVM's spelling; empty if it needs none, nullopt if nobody has
  /// said. LLVM aborts the process on an intrinsic that the CPU lacks, so this
  /// is asked before.
  std::optional<llvm::StringRef> (*intrinsicFeature)(llvm::StringRef name) =
      nullptr;
};

/// The target of a name: "native" is the best one for this CPU. "x+generic" is
/// x without its spellings, and for the oldest CPU of its kind: kernels as x
/// has them, their length of vectors included, that run everywhere. "generic"
/// is the default machine so. Errors: an unknown name (lists the known ones), a
/// machine that is planned but not there yet, and "native" on a CPU that no
/// target fits.
llvm::Expected<Target> lookupTarget(llvm::StringRef name);

/// Whether this CPU has what code for `target` needs.
bool runsHere(const Target &target);
/// The same, of a target that kernels are written for. Errors: those above, and
/// a target that writes a folder of sources.
llvm::Expected<Target> lookupMachine(llvm::StringRef name);

/// All names that lookupTarget takes, in the order of a help text.
std::vector<std::string> targetNames();

} // namespace mezzo

#endif // MEZZO_TARGETS_TARGET_H
