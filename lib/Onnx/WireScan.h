//===- WireScan.h - A model's wire format, checked and thinned out --------===//
//
// Protobuf copies every byte of a message it parses, and trusts that what it is
// given is worth the memory. A model of 500 MB is 499 MB of weights that the
// compiler wants to read in place, and a hostile model is 10 MB of two-byte
// messages that protobuf turns into a gigabyte of objects. So a scan goes over
// the wire format first.
//
// It walks the nested messages, guided by the descriptors of ONNX's schema, and
// makes a list of pieces: ranges of the file which, read one after another, are
// the same message less
//
//  * large payloads of tensors. In place of raw_data (field 9) stands a small
//  field
//    that the schema does not have and that says where the payload is:
//
//      file:    ... | 0a 03 'w' ... | 4a 80 80 80 02 <4 MiB of raw_data> | ...
//      pieces:  ... | 0a 03 'w' ... | <tag of payload, 17> offset, length, 9 |
//      ...
//
//    and the length of each message around it is written anew;
//  * fields that the schema does not know. Nobody would read them, and so a
//  model
//    cannot contain a payload field of its own making.
//
// Protobuf then parses the pieces through a ZeroCopyInputStream. Payloads are
// never copied, nor is a second copy of the model ever made.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_LIB_ONNX_WIRESCAN_H
#define MEZZO_LIB_ONNX_WIRESCAN_H

#include "lib/Onnx/Model.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Allocator.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace mezzo {

/// Payloads of at most this many bytes stay in the message.
constexpr size_t smallPayload = 64 * 1024;

/// Where in the model file the bytes of a tensor lie.
struct Payload {
  uint64_t offset;
  uint64_t length;
  /// The field they were in: raw_data, float_data or double_data (whose packed
  /// form is the dense little-endian array itself).
  int field;
};

/// The payload that the scan left in the file, or nothing; an error if there
/// are several.
llvm::Expected<std::optional<Payload>>
payloadOf(const onnx::TensorProto &tensor);

/// The thinned message, as consecutive pieces of memory.
struct ThinMessage {
  std::vector<llvm::ArrayRef<uint8_t>> pieces;
  /// Holds the few bytes that are not the file's.
  llvm::BumpPtrAllocator made;
  int64_t nodes = 0;
  int64_t items = 0;

  uint64_t size() const;
};

/// Scans a serialized ModelProto in O(size of the file outside of strings and
/// payloads). Errors say at which byte: a broken wire format, or more nodes,
/// items or nested graphs than `limits` allows.
llvm::Error scanModel(llvm::ArrayRef<uint8_t> file, const OnnxLimits &limits,
                      ThinMessage &result);

/// Scans the file and parses what remains of it.
llvm::Error parseThin(llvm::ArrayRef<uint8_t> file, const OnnxLimits &limits,
                      onnx::ModelProto &model);

} // namespace mezzo

#endif // MEZZO_LIB_ONNX_WIRESCAN_H
