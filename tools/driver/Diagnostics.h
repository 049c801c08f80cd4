//===- Diagnostics.h - what the compiler says to people -------------------===//

#ifndef MEZZO_TOOLS_DRIVER_DIAGNOSTICS_H
#define MEZZO_TOOLS_DRIVER_DIAGNOSTICS_H

#include "mlir/IR/Diagnostics.h"

#include <functional>
#include <string>

namespace mezzo {

enum class Severity { Error, Warning, Remark };

/// Receives one message: no newline at the end, no terminal escapes.
using MessageSink = std::function<void(Severity, const std::string &)>;

/// The message of a diagnostic, preceded by the name of the node that it is
/// about: that is what locations are.
std::string messageOf(mlir::Diagnostic &diagnostic);

/// Forwards the diagnostics of a context while it lives.
class DiagnosticForwarder : public mlir::ScopedDiagnosticHandler {
public:
  DiagnosticForwarder(mlir::MLIRContext *context, MessageSink sink);
  /// How many errors went by.
  unsigned errors() const { return errorCount; }

private:
  unsigned errorCount = 0;
};

} // namespace mezzo

#endif // MEZZO_TOOLS_DRIVER_DIAGNOSTICS_H
