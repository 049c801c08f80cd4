//===- AtomicFile.h - A file appears complete or not at all ---------------===//

#ifndef MEZZO_LIB_SUPPORT_ATOMICFILE_H
#define MEZZO_LIB_SUPPORT_ATOMICFILE_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

#include <memory>
#include <string>

namespace mezzo {

/// Writes a file under a temporary name in the folder of `path` and renames it
/// on commit. Dropped without commit, or killed by a signal, it leaves nothing
/// behind and whatever `path` named before is intact.
///
///   Expected<AtomicFile> file = AtomicFile::create("model.so",
///   AtomicFile::Executable); file->stream() << ...; if (Error error =
///   file->commit()) ...
///
/// A symbolic link at `path` is replaced, never followed: what it points to is
/// not ours to overwrite. A directory or device there is an error at once.
class AtomicFile {
public:
  enum Kind { Plain, Executable };

  /// Permissions are 0666 or 0777 less the umask.
  static llvm::Expected<AtomicFile> create(llvm::StringRef path,
                                           Kind kind = Plain);

  AtomicFile(AtomicFile &&other) = default;
  AtomicFile &operator=(AtomicFile &&other) = delete;
  ~AtomicFile();

  /// Where to write. Errors are kept and reported by commit. Seekable.
  llvm::raw_fd_ostream &stream() { return *out; }

  /// Where the bytes are until commit (for tools that write by name).
  llvm::StringRef temporaryPath() const { return temporary; }

  /// Makes the file appear under its name. Call at most once.
  llvm::Error commit();

private:
  AtomicFile() = default;
  void discard();

  std::string path;
  std::string temporary;
  // Null once committed, discarded or moved from.
  std::unique_ptr<llvm::raw_fd_ostream> out;
};

} // namespace mezzo

#endif // MEZZO_LIB_SUPPORT_ATOMICFILE_H
