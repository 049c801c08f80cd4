//===- Device.h - A GPU that executes PTX text ------------------*- C++ -*-===//
//
// An interpreter for the PTX that this compiler emits, built to find what is
// wrong with a kernel rather than to be fast. It is adversarial: blocks and
// warps run in a random order that a seed decides, diverged lanes take turns at
// random, the destination of an asynchronous copy holds rubbish until its group
// has been waited for, and shared memory starts out unwritten. Reads of what
// nobody wrote, accesses out of bounds or misaligned, races between barriers
// (Memory.h) and barriers that not everybody reaches end the launch with an
// error that names the PTX line, the block and the thread.
//
// An instruction, a modifier or a special register that is not known is an
// error when the module is loaded.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_LIB_PTX_DEVICE_H
#define MEZZO_LIB_PTX_DEVICE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace mezzo::ptx {

class Program;

struct Dim3 {
  uint32_t x = 1, y = 1, z = 1;
  uint64_t count() const { return uint64_t(x) * y * z; }
};

struct LaunchOptions {
  /// Decides every order that the machine leaves open.
  uint64_t seed = 0;
  /// How many blocks run at a time. With 1, a block that waits for another
  /// never returns.
  unsigned residentBlocks = 4;
  /// Instructions of warps after which the launch is given up.
  uint64_t instructionLimit = 1ull << 32;
  /// Sums inside a floating-point mma: in exact arithmetic with one rounding at
  /// the end, or in f32, in a random order and rounding toward zero, the worst
  /// that hardware does.
  bool roughMma = false;
};

/// What a launch did. Conflicts and sectors are counts of the hardware's units
/// of work: they say how well the accesses are laid out.
struct LaunchReport {
  uint64_t instructions = 0; ///< Of warps.
  std::map<std::string, uint64_t> byOpcode;
  uint64_t sharedAccesses = 0; ///< Warp-wide accesses of shared memory...
  uint64_t bankConflicts = 0;  ///< ...and the passes they needed beyond the
                               ///< fewest possible.
  uint64_t globalAccesses = 0; ///< Warp-wide accesses of global memory...
  uint64_t sectors = 0;        ///< ...the 32-byte sectors they touched...
  uint64_t idealSectors = 0;   ///< ...and what the same bytes need when dense.
  uint64_t mostCopyGroups = 0; ///< cp.async groups in flight at once in a lane.
};

class Device {
public:
  Device();
  ~Device();
  Device(const Device &) = delete;
  Device &operator=(const Device &) = delete;

  /// Parses and decodes `text`; `name` is what messages call it.
  llvm::Expected<std::shared_ptr<const Program>> load(llvm::StringRef text,
                                                      llvm::StringRef name);

  /// The address of `size` bytes of device memory, unwritten.
  uint64_t allocate(uint64_t size);
  llvm::Error free(uint64_t address);
  llvm::Error write(uint64_t address, const void *data, uint64_t size);
  /// Bytes that were never written are an error.
  llvm::Error read(uint64_t address, void *data, uint64_t size);
  /// The address of a `.global` or `.const` variable.
  llvm::Expected<uint64_t> symbol(const Program &program, llvm::StringRef name);

  /// Runs a kernel to its end. `params` is the parameter block, each parameter
  /// at its natural alignment, as the driver interface has it.
  llvm::Expected<LaunchReport> launch(const Program &program,
                                      llvm::StringRef kernel, Dim3 grid,
                                      Dim3 block, uint64_t dynamicSharedBytes,
                                      llvm::ArrayRef<uint8_t> params,
                                      const LaunchOptions &options = {});

private:
  struct State;
  std::unique_ptr<State> state;
};

/// The parameter block of a kernel, one argument after the other.
class Arguments {
public:
  template <typename T>
  Arguments &add(T value) {
    bytes.resize((bytes.size() + sizeof(T) - 1) / sizeof(T) * sizeof(T));
    const uint8_t *begin = reinterpret_cast<const uint8_t *>(&value);
    bytes.insert(bytes.end(), begin, begin + sizeof(T));
    return *this;
  }
  operator llvm::ArrayRef<uint8_t>() const { return bytes; }

private:
  std::vector<uint8_t> bytes;
};

} // namespace mezzo::ptx

#endif // MEZZO_LIB_PTX_DEVICE_H
