//===- Opsets.h - Operator domains and their versions ---------------------===//

#ifndef MEZZO_LIB_ONNX_OPSETS_H
#define MEZZO_LIB_ONNX_OPSETS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>

namespace mezzo {

/// A domain whose operators Mezzo may know.
struct OpsetDomain {
  llvm::StringLiteral name;
  /// The newest version that the importer was written for.
  int64_t newest;
  llvm::StringLiteral what;
};

/// The table of known domains; "" stands for ai.onnx.
llvm::ArrayRef<OpsetDomain> knownDomains();

/// The same domain under its one name: "ai.onnx" is "".
llvm::StringRef canonicalDomain(llvm::StringRef domain);

/// The row of `domain`, or null where it is unknown.
const OpsetDomain *findDomain(llvm::StringRef domain);

/// Success for every version from 1 to the newest known. A version of an
/// unknown domain is not an error here: its operators are either functions of
/// the model, or are listed, all at once, as unsupported by the importer.
llvm::Error checkOpset(llvm::StringRef domain, int64_t version);

} // namespace mezzo

#endif // MEZZO_LIB_ONNX_OPSETS_H
