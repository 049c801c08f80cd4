//===- AtomicFileTest.cpp -------------------------------------------------===//

#include "lib/Support/AtomicFile.h"
#include "lib/Support/TestFolder.h"

#include <sys/stat.h>
#include <unistd.h>

using namespace mezzo;
using llvm::Expected;
using llvm::StringRef;

namespace {

TEST(AtomicFile, AppearsOnCommit) {
  TestFolder folder;
  folder.write("out", "old");
  {
    Expected<AtomicFile> file = AtomicFile::create(folder / "out");
    ASSERT_TRUE(bool(file));
    file->stream() << "new";
    file->stream().flush();
    EXPECT_EQ(folder.read("out"), "old");
    EXPECT_EQ(folder.entries(), 2);
    AtomicFile moved = std::move(*file);
    EXPECT_FALSE(llvm::errorToBool(moved.commit()));
    EXPECT_EQ(folder.read("out"), "new");
  }
  EXPECT_EQ(folder.read("out"), "new");
  EXPECT_EQ(folder.entries(), 1);
}

TEST(AtomicFile, DroppedLeavesNothing) {
  TestFolder folder;
  folder.write("out", "old");
  {
    Expected<AtomicFile> file = AtomicFile::create(folder / "out");
    ASSERT_TRUE(bool(file));
    file->stream() << "new";
  }
  EXPECT_EQ(folder.read("out"), "old");
  EXPECT_EQ(folder.entries(), 1);
}

TEST(AtomicFile, PercentInNames) {
  TestFolder folder;
  folder.write("100%/a%b", "old");
  Expected<AtomicFile> file = AtomicFile::create(folder / "100%/a%b");
  ASSERT_TRUE(bool(file));
  file->stream() << "new";
  EXPECT_FALSE(llvm::errorToBool(file->commit()));
  EXPECT_EQ(folder.read("100%/a%b"), "new");
}

TEST(AtomicFile, FailedCommit) {
  // The destination became a directory in the meantime: the commit fails and
  // takes the temporary file with it.
  TestFolder folder;
  Expected<AtomicFile> file = AtomicFile::create(folder / "out");
  ASSERT_TRUE(bool(file));
  file->stream() << "new";
  folder.write("out/x", "");
  EXPECT_TRUE(llvm::errorToBool(file->commit()));
  EXPECT_EQ(folder.entries(), 1);
}

TEST(AtomicFile, Permissions) {
  TestFolder folder;
  mode_t mask = ::umask(022);
  for (auto [kind, mode] : {std::pair(AtomicFile::Plain, 0644),
                            std::pair(AtomicFile::Executable, 0755)}) {
    Expected<AtomicFile> file = AtomicFile::create(folder / "out", kind);
    ASSERT_TRUE(bool(file));
    EXPECT_FALSE(llvm::errorToBool(file->commit()));
    struct stat status;
    ASSERT_EQ(::stat((folder / "out").c_str(), &status), 0);
    EXPECT_EQ(int(status.st_mode & 0777), mode);
  }
  ::umask(mask);
}

// Saving must not overwrite what a link planted in the output folder points to.
TEST(AtomicFile, ReplacesLinks) {
  TestFolder folder;
  folder.write("precious", "precious");
  ::symlink("precious", (folder / "out").c_str());
  Expected<AtomicFile> file = AtomicFile::create(folder / "out");
  ASSERT_TRUE(bool(file));
  file->stream() << "new";
  EXPECT_FALSE(llvm::errorToBool(file->commit()));
  EXPECT_EQ(folder.read("precious"), "precious");
  EXPECT_EQ(folder.read("out"), "new");
}

TEST(AtomicFile, Refusals) {
  TestFolder folder;
  auto message = [](std::string path) {
    Expected<AtomicFile> file = AtomicFile::create(path);
    return file ? std::string("none") : llvm::toString(file.takeError());
  };
  EXPECT_TRUE(StringRef(message(folder.path)).contains("it is a directory"));
  EXPECT_TRUE(StringRef(message("/dev/null")).contains("it is not a file"));
  EXPECT_TRUE(StringRef(message(folder / "none/out")).contains("No such file"))
      << message(folder / "none/out");
  EXPECT_TRUE(StringRef(message("")).contains("empty"));
  EXPECT_EQ(folder.entries(), 0);
}

} // namespace
