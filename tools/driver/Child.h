//===- Child.h - a child process that answers line by line ----------------===//

#ifndef MEZZO_TOOLS_DRIVER_CHILD_H
#define MEZZO_TOOLS_DRIVER_CHILD_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <optional>
#include <string>
#include <vector>

namespace mezzo {

/// This program once more, with other arguments: its standard input and output
/// are a socket, its standard error is dropped. Whatever goes wrong in it ends
/// the child alone. It sees the end of its input when this process is gone,
/// however that came about.
class Child {
public:
  /// `keep` is a file that the child inherits, or -1. Errors: the system's.
  static llvm::Expected<Child> start(llvm::ArrayRef<std::string> arguments,
                                     int keep = -1);
  Child(Child &&other);
  Child &operator=(Child &&other);
  ~Child(); ///< kills it

  /// Sends a line and waits for one. Nothing where the child has ended, or has
  /// not answered within `seconds`, and was killed for it; `howItEnded` says
  /// which.
  std::optional<std::string> ask(llvm::StringRef line, double seconds);
  const std::string &howItEnded() const { return end; }

private:
  Child(int process, int socket) : process(process), socket(socket) {}
  void finish(bool tooSlow);

  int process = -1, socket = -1;
  std::string buffer, end;
};

} // namespace mezzo

#endif // MEZZO_TOOLS_DRIVER_CHILD_H
