//===- Folder.cpp - a folder of sources, all of it or nothing -------------===//

#include "tools/driver/Folder.h"

#include "lib/Support/AtomicFile.h"
#include "lib/Support/Sanitize.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mezzo;
using llvm::StringRef;
namespace fs = llvm::sys::fs;
namespace path = llvm::sys::path;

static std::string pathOf(StringRef folder, StringRef file) {
  llvm::SmallString<128> whole(folder);
  path::append(whole, file);
  return whole.str().str();
}

/// A folder is ours if it is empty, or has the first file that we write.
static bool isOurs(StringRef folder, llvm::ArrayRef<FolderResult::File> files) {
  std::error_code error;
  fs::directory_iterator begin(folder, error), end;
  return error || begin == end || fs::exists(pathOf(folder, files[0].name));
}

/// Makes a folder and remembers it, so that it can be removed again.
static llvm::Error makeFolder(StringRef folder,
                              std::vector<std::string> &made) {
  if (fs::is_directory(folder))
    return llvm::Error::success();
  if (std::error_code error = fs::create_directories(folder))
    return llvm::createStringError("cannot make the folder " + quoted(folder) +
                                   ": " + error.message());
  made.push_back(folder.str());
  return llvm::Error::success();
}

llvm::Error mezzo::writeFiles(StringRef folder,
                              llvm::ArrayRef<FolderResult::File> files) {
  if (fs::exists(folder) && !fs::is_directory(folder))
    return llvm::createStringError("cannot write a folder to " +
                                   quoted(folder) +
                                   ": there is a file of that name");
  if (!isOurs(folder, files))
    return llvm::createStringError(
        "the folder " + quoted(folder) +
        " has files in it that are not ours: name a new one with -o");
  std::vector<std::string> made;
  auto undo = [&](llvm::Error error) {
    for (const std::string &one : llvm::reverse(made))
      fs::remove(one);
    return error;
  };
  std::vector<AtomicFile> written;
  for (const FolderResult::File &file : files) {
    std::string name = pathOf(folder, file.name);
    if (llvm::Error error = makeFolder(path::parent_path(name), made)) {
      written.clear();
      return undo(std::move(error));
    }
    llvm::Expected<AtomicFile> created = AtomicFile::create(name);
    if (!created) {
      written.clear();
      return undo(created.takeError());
    }
    created->stream() << file.text;
    written.push_back(std::move(*created));
  }
  for (AtomicFile &file : written)
    if (llvm::Error error = file.commit())
      return error;
  return llvm::Error::success();
}
