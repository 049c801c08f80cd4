//===- Sanitize.h - Names from a model, made safe for where they go -------===//
//
// A node may be called "\x1b[2J", "../../etc/passwd" or "int". Such names reach
// C and terminals only through the functions here, one for each place.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_LIB_SUPPORT_SANITIZE_H
#define MEZZO_LIB_SUPPORT_SANITIZE_H

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/StringSet.h"

#include <string>

namespace mezzo {

/// `name` as an identifier of C and C++ that is neither a keyword nor reserved
/// to the implementation: runs of anything but ASCII letters and digits become
/// one underscore ("layer/0::w" -> "layer_0_w"), a leading digit or underscore
/// is preceded by "x" ("3d" -> "x3d"), a keyword gets an underscore appended
/// ("int" -> "int_"), and what exceeds `maxLength` is cut. Never empty.
/// Not injective; see UniqueIdentifiers.
std::string toIdentifier(llvm::StringRef name, size_t maxLength = 80);

/// Hands out identifiers that differ from each other: the second "a_b" is
/// "a_b_2".
class UniqueIdentifiers {
public:
  /// toIdentifier(name), with a number appended where it was given out before.
  std::string get(llvm::StringRef name);

private:
  llvm::StringSet<> taken;
  llvm::StringMap<unsigned> counts; // the last number given, by stem
};

/// `text` as one line that is safe to print: control characters (C0, DEL, C1),
/// the line separators of Unicode, its bidirectional controls and zero-width
/// characters, and bytes that are not UTF-8 are shown as \xNN; what exceeds
/// `maxLength` bytes is cut on a character boundary and marked with "...".
std::string toPrintable(llvm::StringRef text, size_t maxLength = 120);

/// toPrintable for a comment of C: it neither ends the comment nor begins one.
std::string toComment(llvm::StringRef text);

/// toPrintable between single quotes: how messages mention a name of a model.
std::string quoted(llvm::StringRef name);

} // namespace mezzo

#endif // MEZZO_LIB_SUPPORT_SANITIZE_H
