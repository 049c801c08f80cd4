//===- Contest.h - configurations of one product against an incumbent -----===//
//
// What `mezzo tune` measures with, in its child process. The first
// configuration is the incumbent. It is compared with the reference arithmetic,
// where the weight is at hand for that; each later one must give the
// incumbent's bits before its time is taken, and its time is taken in turns
// with the incumbent's, A B B A, so that whatever happens to the machine
// happens to both:
//
//     time = median of its samples / median of the incumbent's * the
//            incumbent's time of the beginning
//
// Cold samples rotate over copies of the weights that together exceed the
// caches; all contenders read the same copies, through mappings of their own.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_TOOLS_DRIVER_CONTEST_H
#define MEZZO_TOOLS_DRIVER_CONTEST_H

#include "dialects/Mezzo/Mezzo.h"
#include "lib/Number/QuantizedMatrix.h"
#include "tools/driver/LoadedModel.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <functional>
#include <map>

namespace mezzo {

/// The product that is measured.
struct ContestProduct {
  /// Makes the module, in the form that the frontend makes.
  std::function<llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>>(
      mlir::MLIRContext &)>
      module;
  std::string target, compute;
  int threads = 1;
  /// Activation rows; empty: those that the product has, or typicalRows().
  std::vector<int64_t> rows;
  /// For the reference arithmetic; empty where nobody has it.
  std::optional<QuantizedMatrix> weight;
  ComputeMode mode = ComputeMode::Float;
};

struct ContestTimes {
  double coldUs = 0, warmUs = 0; ///< 0: not measured
  double noise = 0;              ///< relative
};

class Contest {
public:
  /// `folder` is empty and stays the caller's to remove.
  Contest(ContestProduct product, std::string folder)
      : product(std::move(product)), folder(std::move(folder)) {}
  ~Contest();

  /// The first configuration ("strategy=native_dot,rows=4,...") is the
  /// incumbent. Each takes about `seconds` to measure, and what it takes to
  /// compile. Errors: what the compiler says, and other bits than the
  /// incumbent's, or the reference's.
  llvm::Expected<ContestTimes> measure(llvm::StringRef config, double seconds);

private:
  /// A configuration that is compiled and opened, once for each copy of its
  /// weights.
  struct Contender {
    std::vector<std::unique_ptr<LoadedModel>> models;
    /// By number of activation rows.
    std::vector<std::vector<HostTensor>> outputs;
  };
  /// Copies of the weights of one layout, each in a folder.
  struct Copies {
    std::vector<std::string> folders;
  };
  struct Pair {
    double incumbent, other; ///< medians in microseconds
    double noise;
  };

  llvm::Expected<std::unique_ptr<Contender>> compile(llvm::StringRef config);
  llvm::Expected<Copies *> copiesOf(llvm::StringRef layout,
                                    llvm::StringRef compiled);
  llvm::Error makeInputs(const LoadedModel &model);
  llvm::Error check(Contender &contender);
  llvm::Expected<Pair> race(Contender &other, size_t rows, bool cold,
                            double seconds);

  ContestProduct product;
  std::string folder;
  std::map<std::string, Copies> copies; ///< by layout
  std::unique_ptr<Contender> incumbent;
  std::vector<std::vector<HostTensor>> inputs; ///< by number of rows
  /// The incumbent's own times, of the beginning, cold and warm.
  std::vector<double> coldBase, warmBase;
  size_t coldPosition = 0, warmPosition = 0;
  double floor = 0;
  unsigned number = 0;
  size_t cursor = 0;
};

} // namespace mezzo

#endif // MEZZO_TOOLS_DRIVER_CONTEST_H
