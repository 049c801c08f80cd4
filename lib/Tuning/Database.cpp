//===- Database.cpp - a file of tuning records ----------------------------===//

#include "lib/Tuning/Database.h"

#include "lib/Support/Sanitize.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/Errno.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cerrno>
#include <cmath>
#include <fcntl.h>
#include <map>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace mezzo;
using llvm::StringRef;
using llvm::Twine;

StringRef mezzo::describe(Nearness nearness) {
  switch (nearness) {
  case Nearness::Exact:
    return "measured on this machine";
  case Nearness::SameTarget:
    return "measured on another machine of this target";
  case Nearness::NearbyShape:
    return "measured for a shape nearby";
  }
  llvm_unreachable("every nearness has a name");
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

llvm::Expected<TuningDatabase> TuningDatabase::load(StringRef path) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/true);
  if (!buffer) {
    if (buffer.getError() == std::errc::no_such_file_or_directory)
      return TuningDatabase();
    return llvm::createStringError("cannot read the tuning records in " +
                                   quoted(path) + ": " +
                                   buffer.getError().message());
  }
  return parse((*buffer)->getBuffer(), path);
}

TuningDatabase TuningDatabase::parse(StringRef text, StringRef name) {
  TuningDatabase database;
  for (size_t number = 1; !text.empty(); ++number) {
    auto [line, rest] = text.split('\n');
    text = rest;
    if (line.trim().empty())
      continue;
    llvm::Expected<TuningRecord> record = TuningRecord::parse(line);
    if (record) {
      database.all.push_back(std::move(*record));
      continue;
    }
    database.problems.push_back(
        toPrintable(("line " + Twine(number) + " of " + name +
                     " is left out: " + llvm::toString(record.takeError()))
                        .str(),
                    400));
  }
  return database;
}

/// How far apart two extents are, in doublings.
static double doublings(int64_t a, int64_t b) {
  return std::abs(std::log2(double(std::max<int64_t>(a, 1)) /
                            double(std::max<int64_t>(b, 1))));
}

std::vector<TuningMatch> TuningDatabase::lookup(const TuningKey &key) const {
  constexpr double farthest = 2; // doublings of N, and of K
  struct Ranked {
    TuningMatch match;
    double distance;
  };
  // The newest of a configuration of a shape and machine: the last.
  std::map<std::string, Ranked> found;
  for (const TuningRecord &record : all) {
    const TuningKey &other = record.key;
    if (other.product != key.product || other.target != key.target ||
        rowBucket(other.m) != rowBucket(key.m))
      continue;
    double n = doublings(other.n, key.n), k = doublings(other.k, key.k);
    if (n > farthest || k > farthest)
      continue;
    bool sameMachine = !key.machine.empty() && other.machine == key.machine;
    double distance = n + k + doublings(other.m, key.m) / 4;
    Nearness nearness = distance != 0 ? Nearness::NearbyShape
                        : sameMachine ? Nearness::Exact
                                      : Nearness::SameTarget;
    // Of shapes nearby, those of this machine first.
    if (nearness == Nearness::NearbyShape && !sameMachine)
      distance += 8 * farthest;
    found[other.str() + "|" + other.machine + "|" + record.strategy + "|" +
          record.knobs.str()] = {{&record, nearness}, distance};
  }
  std::vector<Ranked> ranked;
  for (auto &[name, entry] : found)
    if (entry.match.record->failure.empty())
      ranked.push_back(entry);
  llvm::sort(ranked, [](const Ranked &a, const Ranked &b) {
    const TuningRecord &left = *a.match.record, &right = *b.match.record;
    return std::tuple(a.match.nearness, a.distance, left.cost(), left.knobs) <
           std::tuple(b.match.nearness, b.distance, right.cost(), right.knobs);
  });
  std::vector<TuningMatch> matches;
  for (const Ranked &entry : ranked)
    matches.push_back(entry.match);
  // Of those that are as near as the first and not slower beyond noise, the one
  // that was measured for longest: the best of many noisy times is too good to
  // be true.
  size_t best = 0;
  for (size_t i = 1; i < ranked.size(); ++i) {
    const TuningRecord &first = *matches[0].record, &other = *matches[i].record;
    if (ranked[i].match.nearness == ranked[0].match.nearness &&
        ranked[i].distance == ranked[0].distance &&
        other.cost() <=
            first.cost() * (1 + std::max(first.noise, other.noise)) &&
        other.seconds > matches[best].record->seconds)
      best = i;
  }
  std::rotate(matches.begin(), matches.begin() + best,
              matches.begin() + best + 1);
  return matches;
}

const TuningRecord *TuningDatabase::find(const TuningKey &key,
                                         StringRef strategy,
                                         const KnobValues &knobs) const {
  for (const TuningRecord &record : llvm::reverse(all))
    if (record.key.str() == key.str() && record.key.machine == key.machine &&
        record.strategy == strategy && record.knobs == knobs)
      return &record;
  return nullptr;
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

static llvm::Error cannotWrite(StringRef path, const Twine &why) {
  return llvm::createStringError("cannot write tuning records to " +
                                 quoted(path) + ": " + why);
}

llvm::Expected<TuningWriter> TuningWriter::open(StringRef path) {
  int file =
      ::open(path.str().c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (file < 0)
    return cannotWrite(path, llvm::sys::StrError(errno));
  TuningWriter writer(path.str(), file);
  struct stat status;
  if (fstat(file, &status) != 0)
    return cannotWrite(path, llvm::sys::StrError(errno));
  if (!S_ISREG(status.st_mode))
    return cannotWrite(path, "it is no ordinary file");
  if (flock(file, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK)
      return cannotWrite(path, "another process tunes into it: wait for it, or "
                               "name another file and join both by cat");
    return cannotWrite(path, llvm::sys::StrError(errno));
  }
  // Whoever was killed in the middle of a line did not end it.
  char last = '\n';
  if (status.st_size > 0 && pread(file, &last, 1, status.st_size - 1) != 1)
    return cannotWrite(path, llvm::sys::StrError(errno));
  if (last != '\n' && ::write(file, "\n", 1) != 1)
    return cannotWrite(path, llvm::sys::StrError(errno));
  return std::move(writer);
}

TuningWriter::TuningWriter(TuningWriter &&other)
    : path(std::move(other.path)), file(std::exchange(other.file, -1)) {}

TuningWriter::~TuningWriter() {
  if (file >= 0)
    close(file);
}

llvm::Error TuningWriter::append(const TuningRecord &record) {
  std::string line = record.line();
  ssize_t written = ::write(file, line.data(), line.size());
  if (written != ssize_t(line.size()))
    return cannotWrite(path, written < 0 ? llvm::sys::StrError(errno)
                                         : "the disk is full");
  if (fdatasync(file) != 0)
    return cannotWrite(path, llvm::sys::StrError(errno));
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// This machine
//===----------------------------------------------------------------------===//

static std::string readWhole(const Twine &path) {
  auto buffer = llvm::MemoryBuffer::getFileAsStream(path);
  return buffer ? (*buffer)->getBuffer().trim().str() : std::string();
}

std::string mezzo::machineFingerprint() {
  std::string model, family, number;
  std::string info = readWhole("/proc/cpuinfo");
  StringRef rest = info;
  while (!rest.empty()) {
    auto [line, more] = rest.split('\n');
    rest = more;
    if (line.trim().empty())
      break; // the first CPU is enough
    auto [name, value] = line.split(':');
    name = name.trim();
    value = value.trim();
    if (name == "model name")
      model = value.str();
    else if (name == "cpu family" || name == "CPU implementer")
      family = value.str();
    else if (name == "model" || name == "CPU part")
      number = value.str();
  }
  if (model.empty() && number.empty())
    return "";
  std::string text = model.empty() ? "CPU" : model;
  text += ", family " + family + " model " + number;
  for (int index = 0; index < 8; ++index) {
    std::string folder =
        "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index);
    std::string size = readWhole(folder + "/size");
    if (size.empty())
      break;
    if (readWhole(folder + "/type") != "Instruction")
      text += ", L" + readWhole(folder + "/level") + " " + size;
  }
  return text;
}
