//===- Model.h - An ONNX model, read and checked --------------------------===//
//
// The only header of this library that shows protobuf's types.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_LIB_ONNX_MODEL_H
#define MEZZO_LIB_ONNX_MODEL_H

#include "lib/Onnx/ElementType.h"
#include "lib/Onnx/Opsets.h"
#include "lib/Onnx/Tensor.h"
#include "lib/Support/FileOpen.h"

#include "onnx.pb.h"

#include <array>
#include <map>
#include <memory>
#include <mutex>

namespace mezzo {

/// What a model may at most ask for. The defaults are far above every published
/// model and far below what hurts; a file beyond them is refused before memory
/// is spent on it.
struct OnnxLimits {
  /// Bytes of the protobuf message itself; 2 GiB is protobuf's own end.
  uint64_t maxModelBytes = INT32_MAX;
  /// Nodes in all graphs and functions together, and again after inlining.
  int64_t maxNodes = 250'000;
  /// Messages, strings and unknown fields: what costs memory per item, not per
  /// byte.
  int64_t maxItems = 4'000'000;
  /// Graphs inside attributes inside graphs (If, Loop, Scan).
  int maxGraphDepth = 24;
  /// Functions that call functions.
  int maxFunctionDepth = 64;
  /// Bytes of the longest name.
  int64_t maxNameBytes = 4096;
  /// Bytes of node protos that inlining may create.
  int64_t maxInlinedBytes = int64_t(64) << 20;
  /// Whether external data may be a file with several hard links.
  bool allowHardLinks = false;
};

/// A model after everything that can be said without knowing what any operator
/// means:
///
///  * the wire format is sound and within OnnxLimits;
///  * opsets and the IR version are supported;
///  * every tensor (initializers, sparse ones, attributes, in subgraphs too)
///  has exactly the bytes that its
///    dims and type declare, external data included;
///  * model-local functions are inlined: proto() has none;
///  * each graph is sorted topologically, every name is defined once per graph
///  and
///    before its use (subgraphs see the names of the graphs around them, and
///    may shadow them).
class OnnxModel {
public:
  /// Maps the file and reads it; external data is looked for beside it.
  static llvm::Expected<std::unique_ptr<OnnxModel>>
  open(llvm::StringRef path, const OnnxLimits &limits = {});

  /// Reads a model from memory. The bytes must outlive the model and its
  /// tensors, unless `owner` keeps them. `directory`: where external data lies;
  /// empty refuses external data.
  static llvm::Expected<std::unique_ptr<OnnxModel>>
  parse(llvm::ArrayRef<uint8_t> bytes, llvm::StringRef directory,
        const OnnxLimits &limits = {}, std::shared_ptr<void> owner = nullptr);
  ~OnnxModel();

  /// The model without its large payloads: a raw_data, float_data or
  /// double_data above 64 KiB has been left in the file. Read tensors through
  /// tensor().
  const onnx::ModelProto &proto() const { return model; }
  const onnx::GraphProto &graph() const { return model.graph(); }

  /// The imported version of `domain` ("" or "ai.onnx", "com.microsoft", ...);
  /// 0 where it is not imported.
  int64_t opset(llvm::StringRef domain) const;

  int64_t irVersion() const { return model.ir_version(); }

  /// The tensor behind a TensorProto of this model (or a copy of one). Large
  /// data is not copied. Strings have no bytes: such a tensor is an error here.
  llvm::Expected<TensorView> tensor(const onnx::TensorProto &proto) const;

  /// SHA-256 of the model file (not of external data), computed at the first
  /// call.
  llvm::ArrayRef<uint8_t> sha256() const;

private:
  OnnxModel() = default;
  static llvm::Expected<std::unique_ptr<OnnxModel>>
  read(llvm::ArrayRef<uint8_t> bytes, std::shared_ptr<void> owner,
       DataRoots roots, const OnnxLimits &limits);
  llvm::Error readOpsets();
  llvm::Error checkDomains() const;
  llvm::Error checkTensors() const;
  llvm::Error checkStrings(const onnx::TensorProto &proto) const;
  llvm::Expected<TensorView> externalTensor(const onnx::TensorProto &proto,
                                            TensorView view,
                                            int64_t bytes) const;

  onnx::ModelProto model;
  llvm::ArrayRef<uint8_t> file;
  std::shared_ptr<void> fileOwner;
  DataRoots roots;
  OnnxLimits limits;
  std::map<std::string, int64_t, std::less<>> opsets;
  mutable std::mutex externalMutex;
  /// External files that are mapped, by location: tensors share one view.
  mutable std::map<std::string, std::shared_ptr<MappedFile>, std::less<>>
      externalFiles;
  mutable std::once_flag hashOnce;
  mutable std::array<uint8_t, 32> hash;
};

} // namespace mezzo

#endif // MEZZO_LIB_ONNX_MODEL_H
