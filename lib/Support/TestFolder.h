//===- TestFolder.h - A temporary folder for one test ---------------------===//

#ifndef MEZZO_LIB_SUPPORT_TESTFOLDER_H
#define MEZZO_LIB_SUPPORT_TESTFOLDER_H

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

#include "gtest/gtest.h"

namespace mezzo {

/// A folder that is removed with everything in it when the test ends.
class TestFolder {
public:
  TestFolder() {
    llvm::SmallString<128> name;
    EXPECT_FALSE(llvm::sys::fs::createUniqueDirectory("mezzo-test", name));
    // Canonical, so that tests can compare with resolved paths.
    llvm::SmallString<128> real;
    EXPECT_FALSE(llvm::sys::fs::real_path(name, real));
    path = real.str().str();
  }
  ~TestFolder() { llvm::sys::fs::remove_directories(path); }

  /// The path of `name` in the folder.
  std::string operator/(llvm::StringRef name) const {
    return path + "/" + name.str();
  }

  /// Writes a file, and the folders above it.
  std::string write(llvm::StringRef name, llvm::StringRef content) const {
    std::string full = *this / name;
    EXPECT_FALSE(
        llvm::sys::fs::create_directories(full.substr(0, full.rfind('/'))));
    std::error_code error;
    llvm::raw_fd_ostream out(full, error);
    EXPECT_FALSE(error) << full;
    out << content;
    return full;
  }

  /// The content of a file, or "(none)".
  std::string read(llvm::StringRef name) const {
    auto buffer = llvm::MemoryBuffer::getFile(*this / name);
    return buffer ? (*buffer)->getBuffer().str() : "(none)";
  }

  /// How many entries the folder itself has.
  int entries() const {
    int count = 0;
    std::error_code error;
    for (llvm::sys::fs::directory_iterator it(path, error), end; it != end;
         it.increment(error))
      ++count;
    return count;
  }

  std::string path;
};

} // namespace mezzo

#endif // MEZZO_LIB_SUPPORT_TESTFOLDER_H
