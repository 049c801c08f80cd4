//===- WeightSink.h - Where packed weights go -----------------------------===//
//
// Packed weights are the bulk of a model, and leave the compiler as a stream:
// they never enter LLVM IR, where a 256 MB array would cost 1.1 GB of memory on
// its way to the file. The packer writes ascending pieces of one *payload*; the
// two kinds of file (WeightFile.h, EmbeddedObject.h) differ only in what stands
// around it.
//
//   0          4096                                         4096 + n
//   | header ... | part | pad | part | pad | ... | part | pad | trailer |
//                '--------------- payload, n bytes -----------'
//
// The payload begins on a page, so that it can be mapped, and the writer hashes
// it as it goes by. The hash is BLAKE3 (32 bytes): LLVM's SHA-256 runs at 150
// MB/s, its BLAKE3 at 2 to 5 GB/s, and a hash that is slower than the disk
// would decide how long it takes to compile a model. Nothing at run time
// computes it; it is compared with the one noted in the compiled model.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_LIB_WEIGHTS_WEIGHTSINK_H
#define MEZZO_LIB_WEIGHTS_WEIGHTSINK_H

#include "lib/Support/AtomicFile.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/BLAKE3.h"
#include "llvm/Support/Error.h"

#include <array>
#include <cstdint>

namespace mezzo {

/// BLAKE3 of a payload.
using WeightHash = std::array<uint8_t, 32>;

/// Bytes before the payload, in both kinds of file: one page.
inline constexpr uint64_t weightPayloadOffset = 4096;

/// A file that a payload streams into. It appears when `commit` succeeds; an
/// object dropped before leaves nothing behind.
class WeightSink {
public:
  virtual ~WeightSink() = default;

  /// Writes `bytes` at `offset` of the payload. Offsets ascend; the bytes
  /// skipped are zero. Error: `offset` lies before the end of what was written.
  llvm::Error write(uint64_t offset, llvm::ArrayRef<uint8_t> bytes);

  /// Fills the payload with zeros up to `payloadBytes` and completes the file,
  /// under its temporary name. Call once, after the last write. Returns the
  /// hash of the payload. Errors: more than `payloadBytes` were written, and
  /// whatever went wrong with the disk.
  llvm::Expected<WeightHash> seal(uint64_t payloadBytes);

  /// Makes the sealed file appear under its name.
  llvm::Error commit() { return file.commit(); }

  /// Both.
  llvm::Expected<WeightHash> finish(uint64_t payloadBytes);

  /// Where the file is until `commit`.
  llvm::StringRef temporaryPath() const { return file.temporaryPath(); }

  /// Bytes of payload so far.
  uint64_t size() const { return written; }

protected:
  explicit WeightSink(AtomicFile file);

  /// Writes what follows the payload to the stream, then the header over the
  /// first page.
  virtual llvm::Error complete(llvm::raw_pwrite_stream &out,
                               uint64_t payloadBytes,
                               const WeightHash &hash) = 0;

private:
  void append(llvm::ArrayRef<uint8_t> bytes);
  void appendZeros(uint64_t count);

  AtomicFile file;
  llvm::BLAKE3 hasher;
  uint64_t written = 0;
};

} // namespace mezzo

#endif // MEZZO_LIB_WEIGHTS_WEIGHTSINK_H
