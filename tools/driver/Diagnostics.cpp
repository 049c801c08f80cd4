//===- Diagnostics.cpp - what the compiler says to people -----------------===//

#include "tools/driver/Diagnostics.h"

#include "lib/Support/Sanitize.h"

#include "mlir/IR/Location.h"

using namespace mlir;
using namespace mezzo;

/// The name of the node at a location, or nothing.
static std::string nodeName(Location location) {
  std::string name;
  location->walk([&](Location at) {
    if (auto named = dyn_cast<NameLoc>(at)) {
      name = named.getName().str();
      return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  return name;
}

std::string mezzo::messageOf(Diagnostic &diagnostic) {
  std::string message = diagnostic.str(),
              name = nodeName(diagnostic.getLocation());
  if (!name.empty() && !StringRef(message).contains("'" + name + "'"))
    message = "'" + name + "': " + message;
  return toPrintable(message, 4096);
}

DiagnosticForwarder::DiagnosticForwarder(MLIRContext *context, MessageSink sink)
    : ScopedDiagnosticHandler(
          context, [this, sink = std::move(sink)](Diagnostic &diagnostic) {
            std::string text = messageOf(diagnostic);
            switch (diagnostic.getSeverity()) {
            case DiagnosticSeverity::Error:
              ++errorCount;
              sink(Severity::Error, text);
              break;
            case DiagnosticSeverity::Warning:
              sink(Severity::Warning, text);
              break;
            case DiagnosticSeverity::Remark:
            case DiagnosticSeverity::Note:
              sink(Severity::Remark, text);
              break;
            }
            return success();
          }) {}
