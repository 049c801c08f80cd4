//===- FileOpen.h - The one routine that opens a file for reading ---------===//
//
// Whatever Mezzo reads as bytes (models, their external data, side files of
// weights) goes through here, so that there is one place where a FIFO cannot
// hang the compiler, /dev/zero cannot fill memory and a model cannot read
// /etc/shadow.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_LIB_SUPPORT_FILEOPEN_H
#define MEZZO_LIB_SUPPORT_FILEOPEN_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <string>

namespace mezzo {

/// A read-only, private view of a whole regular file; unmapped when destroyed.
/// Pages are read on first use, so mapping a file larger than memory is fine.
/// (A file that somebody truncates while it is mapped raises SIGBUS on use, as
/// for every mmap.)
class MappedFile {
public:
  MappedFile(MappedFile &&other) noexcept;
  MappedFile &operator=(MappedFile &&other) noexcept;
  ~MappedFile();

  /// The contents; empty for an empty file. The start is aligned to a page.
  llvm::ArrayRef<uint8_t> bytes() const { return {base, length}; }

  /// The name under which the file was opened.
  const std::string &path() const { return name; }

  /// Device and inode: equal for two views of the same file.
  std::pair<uint64_t, uint64_t> identity() const { return id; }

private:
  friend llvm::Expected<MappedFile>
  mapDescriptor(int fd, llvm::StringRef path, const struct FileRules &rules);
  MappedFile() = default;

  const uint8_t *base = nullptr;
  size_t length = 0;
  std::string name;
  std::pair<uint64_t, uint64_t> id;
};

/// Drops the pages of mapped files that lie within `bytes` from memory; whoever
/// reads them again gets them from the file again. Memory that is no MappedFile
/// is left alone. For those who stream through a file larger than what they may
/// keep.
void forgetPages(llvm::ArrayRef<uint8_t> bytes);

/// What a file must be in order to be opened.
struct FileRules {
  /// Larger files are refused, in bytes.
  uint64_t maxBytes = UINT64_MAX;
  /// Whether the last component of the path may be a symbolic link.
  bool followLink = true;
  /// Whether the file may have other names (st_nlink > 1). A hard link has no
  /// target to check: it can bring a file of another directory below a trusted
  /// one.
  bool allowHardLinks = true;
};

/// Maps a regular file on a real file system. Errors name the path and what is
/// there instead: a FIFO, socket, device, directory, a file of /proc or /sys, a
/// link where rules forbid it, too many bytes.
llvm::Expected<MappedFile> openFile(llvm::StringRef path,
                                    const FileRules &rules = {});

/// The directories under which the external data of a model may lie: the one
/// that the model was named in, and the parent of the model's canonical path.
/// The second is for hub caches, where `snapshots/x/model.onnx` and
/// `snapshots/x/model.onnx.data` are both links into `blobs/`.
class DataRoots {
public:
  /// No root: every open is refused (a model that was given as bytes).
  DataRoots() = default;

  static llvm::Expected<DataRoots> ofModel(llvm::StringRef modelPath);
  static llvm::Expected<DataRoots> ofDirectory(llvm::StringRef directory);

  /// Maps the file that a model calls `location`, a path relative to the
  /// directory the model was named in. Refused are: empty names, NUL bytes,
  /// absolute paths, any component
  /// `..`, and files that after resolving all links do not lie under one of the
  /// roots.
  ///
  /// There is no window between check and use: the resolved path is walked
  /// again from the root, directory by directory, without following links, so
  /// that a link swapped in after the check is an error, not a way out.
  llvm::Expected<MappedFile> open(llvm::StringRef location,
                                  const FileRules &rules = {}) const;

private:
  /// The directory the model was named in; locations are relative to it.
  std::string base;
  /// Canonical paths.
  llvm::SmallVector<std::string, 2> roots;
};

/// Checks the spelling of an external location without touching the file
/// system.
llvm::Error checkLocation(llvm::StringRef location);

} // namespace mezzo

#endif // MEZZO_LIB_SUPPORT_FILEOPEN_H
