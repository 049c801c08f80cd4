//===- CApi.h - what the functions of compiler.h have in common -----------===//
//
// A C function of ours has two layers. The inner one is ordinary code that
// returns llvm::Error; the outer one, `guarded`, turns whatever happens inside
// into a status and a text:
//
//     returns an Error      -->  MEZZO_COMPILER_ERROR
//     returns a UsageError  -->  MEZZO_COMPILER_USAGE
//     returns a BugError    -->  MEZZO_COMPILER_BUG
//     throws                -->  MEZZO_COMPILER_BUG (out of memory: ERROR)
//     llvm fatal error,     -->  MEZZO_COMPILER_BUG, by a jump out of the
//     crash, assertion           signal handler; what was held is leaked
//
// The last case is for hosts that must survive a bug of the compiler long
// enough to save their work. A crash on one of MLIR's own threads is not
// caught.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_TOOLS_DRIVER_CAPI_H
#define MEZZO_TOOLS_DRIVER_CAPI_H

#include "include/mezzo/compiler.h"
#include "lib/Layout/Layout.h"
#include "lib/Number/QuantizedMatrix.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <string>

/// What the handles of compiler.h point to.
struct mezzo_matrix {
  mezzo::QuantizedMatrix value;
  std::string spec; ///< canonical
};

struct mezzo_layout {
  mezzo::Layout value;
  std::string text; ///< as it was written
  unsigned bits;    ///< of a code; 0 where the layout does not tell
};

namespace mezzo::capi {

/// An error that is a text; the subclasses differ in the status they become.
template <typename Kind>
class TextError : public llvm::ErrorInfo<Kind> {
public:
  explicit TextError(std::string text) : text(std::move(text)) {}
  void log(llvm::raw_ostream &os) const override { os << text; }
  std::error_code convertToErrorCode() const override {
    return llvm::inconvertibleErrorCode();
  }

private:
  std::string text;
};

/// A call that no input could make right: a null pointer, a wrong size.
class UsageError : public TextError<UsageError> {
public:
  static char ID;
  using TextError::TextError;
};

/// A mistake of the compiler, which it noticed itself.
class BugError : public TextError<BugError> {
public:
  static char ID;
  using TextError::TextError;
};

/// A UsageError with this text.
llvm::Error usage(const llvm::Twine &text);
/// A UsageError that names the first null pointer, or success.
llvm::Error
checkPointers(std::initializer_list<std::pair<const void *, const char *>> all);

/// Runs `body` as the head of this file says.
int32_t guarded(llvm::function_ref<llvm::Error()> body);

/// Hands a text to the caller, who frees it with mezzo_text_free.
llvm::Error giveText(llvm::StringRef text, char **out);

/// A text that may be NULL.
inline llvm::StringRef orEmpty(const char *text) { return text ? text : ""; }

/// Reads a struct of options that begins with its size in bytes. The caller may
/// have been compiled against an older header, whose struct is shorter (what is
/// missing is the default), or against a newer one: then all that we do not
/// know must be zero, for it would be ignored otherwise.
llvm::Error readSized(void *known, uint64_t knownSize, const void *given,
                      const char *what);

template <typename T>
llvm::Expected<T> readOptions(const T *given, const T &defaults,
                              const char *what) {
  T options = defaults;
  if (given)
    if (llvm::Error error = readSized(&options, sizeof(T), given, what))
      return std::move(error);
  return options;
}

} // namespace mezzo::capi

#endif // MEZZO_TOOLS_DRIVER_CAPI_H
