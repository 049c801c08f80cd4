//===- AtomicFile.cpp -----------------------------------------------------===//

#include "lib/Support/AtomicFile.h"

#include "lib/Support/Sanitize.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Signals.h"

using namespace mezzo;
namespace fs = llvm::sys::fs;
using llvm::createStringError;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

static std::string cannotWrite(StringRef path) {
  return "cannot write " + quoted(path) + ": ";
}

Expected<AtomicFile> AtomicFile::create(StringRef path, Kind kind) {
  if (path.empty() || path.contains('\0'))
    return createStringError(cannotWrite(path) +
                             "the name is empty or contains a NUL byte");
  // Renaming over /dev/null, as root, would replace it for everybody.
  fs::file_status status;
  if (!fs::status(path, status, /*follow=*/false) && fs::exists(status) &&
      status.type() != fs::file_type::regular_file &&
      status.type() != fs::file_type::symlink_file)
    return createStringError(
        cannotWrite(path) +
        (fs::is_directory(status) ? "it is a directory" : "it is not a file") +
        "; name a regular file");

  // Not fs::TempFile: it would also replace every '%' in the folder's name.
  unsigned mode =
      kind == Executable ? fs::all_all : fs::all_read | fs::all_write;
  AtomicFile file;
  file.path = path.str();
  std::error_code error;
  for (int attempt = 0; attempt < 100; ++attempt) {
    file.temporary = file.path + ".tmp-" +
                     llvm::utohexstr(llvm::sys::Process::GetRandomNumber());
    int descriptor;
    error = fs::openFileForWrite(file.temporary, descriptor, fs::CD_CreateNew,
                                 fs::OF_None, mode);
    if (!error) {
      llvm::sys::RemoveFileOnSignal(file.temporary);
      file.out = std::make_unique<llvm::raw_fd_ostream>(descriptor,
                                                        /*shouldClose=*/true);
      return file;
    }
    if (error != std::errc::file_exists)
      break;
  }
  return createStringError(cannotWrite(path) + error.message());
}

void AtomicFile::discard() {
  // An error of a file that nobody wants any more is no news.
  out->clear_error();
  out.reset();
  fs::remove(temporary);
  llvm::sys::DontRemoveFileOnSignal(temporary);
}

AtomicFile::~AtomicFile() {
  if (out)
    discard();
}

Error AtomicFile::commit() {
  assert(out && "committed twice");
  // Some file systems report a full disk only when the file is closed.
  out->close();
  std::error_code error = out->error();
  if (!error)
    error = fs::rename(temporary, path);
  if (error) {
    discard();
    return createStringError(cannotWrite(path) + error.message());
  }
  out.reset();
  llvm::sys::DontRemoveFileOnSignal(temporary);
  return Error::success();
}
