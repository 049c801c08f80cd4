//===- FileOpen.cpp -------------------------------------------------------===//

#include "lib/Support/FileOpen.h"

#include "lib/Support/Sanitize.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Errno.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/Path.h"

#include <cerrno>
#include <fcntl.h>
#include <linux/magic.h>
#include <map>
#include <mutex>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

using namespace mezzo;
using llvm::ArrayRef;
using llvm::createStringError;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;

namespace {

/// A file descriptor that closes itself.
class Descriptor {
public:
  explicit Descriptor(int fd = -1) : fd(fd) {}
  Descriptor(Descriptor &&other) : fd(std::exchange(other.fd, -1)) {}
  Descriptor &operator=(Descriptor &&other) {
    std::swap(fd, other.fd);
    return *this;
  }
  ~Descriptor() {
    if (fd >= 0)
      ::close(fd);
  }
  int get() const { return fd; }
  explicit operator bool() const { return fd >= 0; }

private:
  int fd;
};

} // namespace

static Error cannotOpen(StringRef path, const Twine &why) {
  return createStringError("cannot open " + quoted(path) + ": " + why);
}

static Error cannotOpen(StringRef path, int error) {
  return cannotOpen(path, llvm::sys::StrError(error));
}

/// What stands where a regular file was expected, in words.
static const char *kindOf(mode_t mode) {
  if (S_ISDIR(mode))
    return "a directory";
  if (S_ISFIFO(mode))
    return "a FIFO";
  if (S_ISSOCK(mode))
    return "a socket";
  if (S_ISCHR(mode) || S_ISBLK(mode))
    return "a device";
  if (S_ISLNK(mode))
    return "a symbolic link";
  return "not a file";
}

//===----------------------------------------------------------------------===//
// MappedFile
//===----------------------------------------------------------------------===//

namespace {

/// All mappings of this process, by where they begin.
class Mappings {
public:
  static Mappings &get() {
    static Mappings instance;
    return instance;
  }
  void add(const uint8_t *base, size_t length) {
    std::lock_guard<std::mutex> lock(mutex);
    lengths[base] = length;
  }
  void remove(const uint8_t *base) {
    std::lock_guard<std::mutex> lock(mutex);
    lengths.erase(base);
  }
  /// Only whole pages: what else lies on the others may still be in use. The
  /// mapping is private and never written, so nothing is lost.
  void forget(ArrayRef<uint8_t> bytes) {
    std::lock_guard<std::mutex> lock(mutex);
    auto mapping = lengths.upper_bound(bytes.begin());
    if (mapping == lengths.begin())
      return;
    auto [base, length] = *--mapping;
    uint64_t page = ::sysconf(_SC_PAGESIZE);
    uint64_t begin = llvm::alignTo(bytes.begin() - base, page);
    uint64_t end = bytes.end() >= base + length
                       ? length
                       : llvm::alignDown(bytes.end() - base, page);
    if (begin < end)
      ::madvise(const_cast<uint8_t *>(base) + begin, end - begin,
                MADV_DONTNEED);
  }

private:
  std::mutex mutex;
  std::map<const uint8_t *, size_t> lengths;
};

} // namespace

MappedFile::MappedFile(MappedFile &&other) noexcept
    : base(std::exchange(other.base, nullptr)),
      length(std::exchange(other.length, 0)), name(std::move(other.name)),
      id(other.id) {}

MappedFile &MappedFile::operator=(MappedFile &&other) noexcept {
  std::swap(base, other.base);
  std::swap(length, other.length);
  std::swap(name, other.name);
  std::swap(id, other.id);
  return *this;
}

MappedFile::~MappedFile() {
  if (length == 0)
    return;
  Mappings::get().remove(base);
  ::munmap(const_cast<uint8_t *>(base), length);
}

void mezzo::forgetPages(ArrayRef<uint8_t> bytes) {
  Mappings::get().forget(bytes);
}

/// The rules about what a file is, applied to the open descriptor, so that they
/// speak about the very file that will be mapped.
Expected<MappedFile> mezzo::mapDescriptor(int fd, StringRef path,
                                          const FileRules &rules) {
  struct stat status;
  struct statfs system;
  if (::fstat(fd, &status) != 0 || ::fstatfs(fd, &system) != 0)
    return cannotOpen(path, errno);
  if (!S_ISREG(status.st_mode))
    return cannotOpen(path, Twine("it is ") + kindOf(status.st_mode) +
                                "; a regular file is needed");
  // Files of /proc and /sys call themselves regular and empty, and are neither.
  if (system.f_type == PROC_SUPER_MAGIC || system.f_type == SYSFS_MAGIC)
    return cannotOpen(path, "it lies in /proc or /sys; a file on disk is "
                            "needed");
  if (!rules.allowHardLinks && status.st_nlink > 1)
    return cannotOpen(path, "it has " + Twine(uint64_t(status.st_nlink)) +
                                " hard links, so that its directory does not "
                                "say where it comes from; copy it");
  uint64_t size = status.st_size;
  if (size > rules.maxBytes || size > SIZE_MAX)
    return cannotOpen(path, "it has " + Twine(size) + " bytes, the limit is " +
                                Twine(rules.maxBytes));

  MappedFile file;
  file.name = path.str();
  file.id = {status.st_dev, status.st_ino};
  if (size == 0)
    return file;
  void *view = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (view == MAP_FAILED)
    return cannotOpen(path, errno);
  file.base = static_cast<const uint8_t *>(view);
  file.length = size;
  Mappings::get().add(file.base, size);
  return file;
}

/// Opens and maps `name`, relative to the directory `parent`. It is looked at
/// before it is opened because opening a device can have effects, and opened
/// with O_NONBLOCK because it may become a FIFO in between.
static Expected<MappedFile> openAt(int parent, const std::string &name,
                                   StringRef shownPath,
                                   const FileRules &rules) {
  struct stat status;
  int follow = rules.followLink ? 0 : AT_SYMLINK_NOFOLLOW;
  if (::fstatat(parent, name.c_str(), &status, follow) != 0)
    return cannotOpen(shownPath, errno);
  if (!S_ISREG(status.st_mode))
    return cannotOpen(shownPath, Twine("it is ") + kindOf(status.st_mode) +
                                     "; a regular file is needed");
  int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  Descriptor fd(::openat(parent, name.c_str(),
                         flags | (rules.followLink ? 0 : O_NOFOLLOW)));
  if (!fd)
    return cannotOpen(shownPath, errno);
  return mapDescriptor(fd.get(), shownPath, rules);
}

Expected<MappedFile> mezzo::openFile(StringRef path, const FileRules &rules) {
  if (path.empty())
    return cannotOpen(path, "the name is empty");
  if (path.contains('\0'))
    return cannotOpen(path, "the name contains a NUL byte");
  return openAt(AT_FDCWD, path.str(), path, rules);
}

//===----------------------------------------------------------------------===//
// DataRoots
//===----------------------------------------------------------------------===//

static Expected<std::string> canonical(StringRef path) {
  llvm::SmallString<256> real;
  if (std::error_code error = llvm::sys::fs::real_path(path, real))
    return cannotOpen(path, error.message());
  return real.str().str();
}

static StringRef directoryOf(StringRef path) {
  StringRef parent = llvm::sys::path::parent_path(path);
  return parent.empty() ? "." : parent;
}

Expected<DataRoots> DataRoots::ofDirectory(StringRef directory) {
  Expected<std::string> root = canonical(directory);
  if (!root)
    return root.takeError();
  DataRoots roots;
  roots.base = directory.str();
  roots.roots.push_back(std::move(*root));
  return roots;
}

Expected<DataRoots> DataRoots::ofModel(StringRef modelPath) {
  Expected<DataRoots> roots = ofDirectory(directoryOf(modelPath));
  if (!roots)
    return roots;
  Expected<std::string> model = canonical(modelPath);
  if (!model)
    return model.takeError();
  roots->roots.push_back(directoryOf(*model).str());
  return roots;
}

Error mezzo::checkLocation(StringRef location) {
  auto refuse = [&](const Twine &why) {
    return createStringError("external data at " + quoted(location) + ": " +
                             why +
                             "; give the path of a file beside the model, "
                             "relative to it");
  };
  if (location.empty())
    return refuse("the location is empty");
  if (location.contains('\0'))
    return refuse("the location contains a NUL byte");
  if (location.starts_with("/"))
    return refuse("absolute paths are not allowed");
  // Nobody names a file of a model with these; on other systems they are '/'.
  if (location.contains('\\'))
    return refuse("backslashes are not allowed");
  llvm::SmallVector<StringRef> components;
  location.split(components, '/');
  if (llvm::is_contained(components, ".."))
    return refuse("the component '..' is not allowed");
  return Error::success();
}

/// The part of `path` below the directory `root`, both canonical; nothing when
/// it is not below.
static std::optional<StringRef> below(StringRef path, StringRef root) {
  if (root != "/" && !path.consume_front(root))
    return std::nullopt;
  if (!path.consume_front("/") || path.empty())
    return std::nullopt;
  return path;
}

/// Opens root/relative one component at a time and never through a link.
static Expected<MappedFile> openBelow(const std::string &root,
                                      StringRef relative, StringRef shownPath,
                                      FileRules rules) {
  constexpr int flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  Descriptor directory(::open(root.c_str(), flags));
  if (!directory)
    return cannotOpen(shownPath, errno);
  for (size_t slash; (slash = relative.find('/')) != StringRef::npos;
       relative = relative.drop_front(slash + 1)) {
    std::string component = relative.take_front(slash).str();
    directory = Descriptor(
        ::openat(directory.get(), component.c_str(), flags | O_NOFOLLOW));
    if (!directory)
      return cannotOpen(shownPath, errno);
  }
  rules.followLink = false;
  return openAt(directory.get(), relative.str(), shownPath, rules);
}

Expected<MappedFile> DataRoots::open(StringRef location,
                                     const FileRules &rules) const {
  if (Error error = checkLocation(location))
    return error;
  if (roots.empty())
    return createStringError("external data at " + quoted(location) +
                             ": the model has no directory because it was "
                             "given as bytes; name one");
  llvm::SmallString<256> named(base);
  llvm::sys::path::append(named, location);
  if (!rules.followLink && llvm::sys::fs::is_symlink_file(named))
    return cannotOpen(named, "it is a symbolic link");
  Expected<std::string> real = canonical(named);
  if (!real)
    return real.takeError();
  for (const std::string &root : roots)
    if (std::optional<StringRef> relative = below(*real, root))
      return openBelow(root, *relative, named, rules);
  return createStringError("external data at " + quoted(location) +
                           " resolves to " + quoted(*real) +
                           ", outside of the model's directory " +
                           quoted(roots[0]) + "; move it below that directory");
}
