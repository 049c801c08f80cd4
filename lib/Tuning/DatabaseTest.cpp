//===- DatabaseTest.cpp - records, files of them, look-up -----------------===//

#include "lib/Tuning/Database.h"

#include "lib/Support/TestFolder.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"
#include <gtest/gtest.h>

using namespace mezzo;

namespace {

TuningRecord record(int64_t rows = 4, double us = 100, int64_t n = 4096,
                    llvm::StringRef machine = "here", int64_t m = 1) {
  TuningRecord made;
  made.key = {"int int4/g128", m, n, 4096, "x86-64-v3", machine.str()};
  made.strategy = "native_dot";
  made.knobs = KnobValues({rows, 2, 2, 2, 512, 64});
  made.coldUs = us;
  made.warmUs = us / 2;
  made.noise = 0.01;
  made.space = 0xfedcba9876543210;
  return made;
}

TuningDatabase databaseOf(std::vector<TuningRecord> records) {
  std::string text;
  for (const TuningRecord &each : records)
    text += each.line();
  return TuningDatabase::parse(text, "db");
}

std::string written(const std::string &path) {
  return (*llvm::MemoryBuffer::getFile(path))->getBuffer().str();
}

TEST(TuningRecord, IsALine) {
  TuningRecord made = record();
  made.key.machine = "a \"machine\"\nof two lines";
  std::string line = made.line();
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  llvm::Expected<TuningRecord> read = TuningRecord::parse(line);
  ASSERT_TRUE(bool(read)) << llvm::toString(read.takeError());
  EXPECT_EQ(read->line(), line);
  EXPECT_EQ(read->key.machine, made.key.machine);
  EXPECT_EQ(read->space, made.space);
}

/// Whatever byte is changed, and wherever a line ends, it is no record.
TEST(TuningRecord, NoticesEveryChange) {
  std::string line = record().line();
  line.pop_back();
  for (size_t at = 0; at < line.size(); ++at) {
    std::string changed = line;
    changed[at] ^= 1;
    auto read = TuningRecord::parse(changed);
    EXPECT_FALSE(bool(read)) << changed;
    llvm::consumeError(read.takeError());
    auto cut = TuningRecord::parse(llvm::StringRef(line).take_front(at));
    EXPECT_FALSE(bool(cut)) << at;
    llvm::consumeError(cut.takeError());
  }
}

TEST(TuningRecord, HasLegalKnobs) {
  TuningRecord wild = record(/*rows=*/99);
  auto read = TuningRecord::parse(wild.line());
  ASSERT_FALSE(bool(read));
  EXPECT_EQ(llvm::toString(read.takeError()), "the knob rows is 99: use 1..16");
}

TEST(TuningDatabase, SkipsWhatIsNoRecordAndSaysSo) {
  std::string good = record().line();
  TuningDatabase database =
      TuningDatabase::parse(good + "nonsense\n\n" + good.substr(0, 40) + "\n" +
                                good + good.substr(0, 7),
                            "file");
  EXPECT_EQ(database.records().size(), 2u);
  ASSERT_EQ(database.skipped().size(), 3u);
  EXPECT_EQ(database.skipped()[0].find("line 2 of file is left out: "), 0u);
  EXPECT_EQ(database.skipped()[2].find("line 6 of file is left out: "), 0u);
}

TEST(TuningDatabase, AFileThatIsNotThereIsEmpty) {
  auto database = TuningDatabase::load("/nonexistent/records");
  ASSERT_TRUE(bool(database));
  EXPECT_TRUE(database->records().empty());
}

TEST(TuningDatabase, FindsTheNearest) {
  TuningDatabase database = databaseOf({
      record(1, 50, 8192),          // a shape nearby, fast
      record(2, 90, 4096, "there"), // another machine
      record(3, 110),               // exact
      record(4, 100),               // exact, and faster
      record(5, 10, 1 << 20),       // too far
      record(6, 10, 4096, "here", 128),
  });
  std::vector<TuningMatch> found = database.lookup(record().key);
  std::vector<int64_t> rows;
  for (const TuningMatch &match : found)
    rows.push_back(match.record->knobs[Knob::Rows]);
  EXPECT_EQ(rows, (std::vector<int64_t>{4, 3, 2, 1}));
  EXPECT_EQ(found[0].nearness, Nearness::Exact);
  EXPECT_EQ(found[2].nearness, Nearness::SameTarget);
  EXPECT_EQ(found[3].nearness, Nearness::NearbyShape);

  TuningKey other = record().key;
  other.product = "float int4/g128";
  EXPECT_TRUE(database.lookup(other).empty());
}

TEST(TuningDatabase, TakesTheNewestOfOneConfiguration) {
  TuningDatabase database =
      databaseOf({record(4, 50), record(3, 80), record(4, 100)});
  std::vector<TuningMatch> found = database.lookup(record().key);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].record->knobs[Knob::Rows], 3);
  EXPECT_EQ(found[1].record->coldUs, 100);
  EXPECT_EQ(database.find(record().key, "native_dot", record(4).knobs)->coldUs,
            100);
}

TEST(TuningDatabase, TrustsWhatWasMeasuredForLonger) {
  TuningRecord lucky = record(3, 99.5), confirmed = record(4, 100),
               slow = record(5, 110);
  lucky.seconds = 0.5;
  confirmed.seconds = slow.seconds = 2;
  std::vector<TuningRecord> all{lucky, confirmed, slow};
  TuningDatabase database = databaseOf(all);
  EXPECT_EQ(database.lookup(record().key)[0].record->knobs[Knob::Rows], 4);
  EXPECT_EQ(database.lookup(record().key)[1].record->knobs[Knob::Rows], 3);
}

TEST(TuningRecord, OfAnyNumberOfRowsCountsBothTimes) {
  TuningRecord any = record(4, 100);
  any.key.m = -1;
  EXPECT_NEAR(any.cost(), 70.7, 0.1);
  any.key.m = 1;
  EXPECT_EQ(any.cost(), 100);
}

TEST(TuningDatabase, LeavesFailuresOut) {
  TuningRecord wrong = record(3, 1);
  wrong.failure = "other bits than the incumbent";
  TuningDatabase database = databaseOf({wrong, record(4)});
  ASSERT_EQ(database.lookup(record().key).size(), 1u);
  EXPECT_NE(database.find(record().key, "native_dot", wrong.knobs), nullptr);
}

TEST(TuningWriter, AppendsAndMendsATornLine) {
  TestFolder folder;
  std::string path = folder / "records";
  {
    auto writer = TuningWriter::open(path);
    ASSERT_TRUE(bool(writer)) << llvm::toString(writer.takeError());
    ASSERT_FALSE(bool(writer->append(record(1))));
  }
  std::string torn = record(2).line();
  {
    std::error_code error;
    llvm::raw_fd_ostream out(path, error, llvm::sys::fs::OF_Append);
    out << llvm::StringRef(torn).take_front(torn.size() / 2);
  }
  {
    auto writer = TuningWriter::open(path);
    ASSERT_TRUE(bool(writer)) << llvm::toString(writer.takeError());
    ASSERT_FALSE(bool(writer->append(record(3))));
  }
  TuningDatabase database = TuningDatabase::parse(written(path), "db");
  ASSERT_EQ(database.records().size(), 2u);
  EXPECT_EQ(database.records()[1].knobs[Knob::Rows], 3);
  EXPECT_EQ(database.skipped().size(), 1u);
}

TEST(TuningWriter, IsAloneWithItsFile) {
  TestFolder folder;
  std::string path = folder / "records";
  auto first = TuningWriter::open(path);
  ASSERT_TRUE(bool(first));
  auto second = TuningWriter::open(path);
  ASSERT_FALSE(bool(second));
  EXPECT_NE(llvm::toString(second.takeError()).find("another process tunes"),
            std::string::npos);
}

TEST(TuningWriter, RefusesWhatIsNoFile) {
  auto writer = TuningWriter::open("/dev/null");
  ASSERT_FALSE(bool(writer));
  EXPECT_NE(llvm::toString(writer.takeError()).find("no ordinary file"),
            std::string::npos);
}

TEST(RowBucket, Counts) {
  for (auto [m, name] : {std::pair<int64_t, llvm::StringRef>(1, "1"),
                         {2, "2-4"},
                         {4, "2-4"},
                         {5, "5-16"},
                         {64, "17-64"},
                         {65, "65 or more"},
                         {-1, "any"}})
    EXPECT_EQ(rowBucketName(rowBucket(m)), name);
}

TEST(MachineFingerprint, IsStableAndNamesTheCaches) {
  EXPECT_EQ(machineFingerprint(), machineFingerprint());
}

} // namespace
