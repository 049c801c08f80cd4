//===- Record.cpp - what was measured for one configuration ---------------===//

#include "lib/Tuning/Record.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Support/xxhash.h"

#include <cmath>

using namespace mezzo;
using llvm::StringRef;
using llvm::Twine;

/// Of the format, which a reader must know.
static constexpr int64_t Version = 1;
static constexpr StringRef SumField = ",\"sum\":\"";

static std::string hex(uint64_t value) {
  return llvm::utohexstr(value, /*LowerCase=*/true, /*Width=*/16);
}

std::string TuningKey::shape() const {
  std::string rows = m < 0 ? "any" : std::to_string(m);
  return "m = " + rows + ", n = " + std::to_string(n) +
         ", k = " + std::to_string(k);
}

std::string TuningKey::str() const {
  return product + ", " + shape() + ", " + target;
}

double TuningRecord::cost() const {
  if (key.m < 0 && coldUs > 0 && warmUs > 0)
    return std::sqrt(coldUs * warmUs);
  return coldUs > 0 ? coldUs : warmUs;
}

//===----------------------------------------------------------------------===//
// Lines
//===----------------------------------------------------------------------===//

std::string TuningRecord::line() const {
  std::string text;
  llvm::raw_string_ostream os(text);
  auto string = [&](StringRef name, StringRef value) {
    os << ",\"" << name
       << "\":" << llvm::json::Value(llvm::json::fixUTF8(value));
  };
  auto number = [&](StringRef name, int64_t value) {
    os << ",\"" << name << "\":" << value;
  };
  auto real = [&](StringRef name, double value) {
    os << ",\"" << name << "\":" << llvm::format("%.6g", value);
  };
  os << "{\"v\":" << Version;
  string("product", key.product);
  number("m", key.m);
  number("n", key.n);
  number("k", key.k);
  number("threads", threads);
  string("target", key.target);
  string("machine", key.machine);
  string("strategy", strategy);
  string("config", knobs.str());
  real("cold_us", coldUs);
  real("warm_us", warmUs);
  real("noise", noise);
  real("seconds", seconds);
  string("space", hex(space));
  if (!failure.empty())
    string("failure", failure);
  uint64_t sum = llvm::xxh3_64bits(text);
  os << SumField << hex(sum) << "\"}\n";
  return text;
}

llvm::Expected<TuningRecord> TuningRecord::parse(StringRef line) {
  line = line.trim();
  size_t at = line.rfind(SumField);
  if (at == StringRef::npos)
    return llvm::createStringError(
        "it has no checksum: it was cut off, or is no tuning record");
  StringRef sum = line.drop_front(at + SumField.size());
  if (!sum.consume_back("\"}") ||
      sum != hex(llvm::xxh3_64bits(line.take_front(at))))
    return llvm::createStringError(
        "its checksum is wrong: it was cut off or changed by hand");

  llvm::Expected<llvm::json::Value> value = llvm::json::parse(line);
  if (!value)
    return value.takeError();
  const llvm::json::Object *object = value->getAsObject();
  if (!object || object->getInteger("v") != Version)
    return llvm::createStringError(
        "its format is not version " + Twine(Version) +
        ", the one that this compiler reads: tune again");
  TuningRecord record;
  std::string config, space;
  for (auto [name, field] :
       {std::pair<StringRef, std::string *>("product", &record.key.product),
        {"target", &record.key.target},
        {"machine", &record.key.machine},
        {"strategy", &record.strategy},
        {"config", &config},
        {"space", &space}}) {
    auto text = object->getString(name);
    if (!text)
      return llvm::createStringError("it has no " + name);
    *field = text->str();
  }
  for (auto [name, field] :
       {std::pair<StringRef, int64_t *>("m", &record.key.m),
        {"n", &record.key.n},
        {"k", &record.key.k},
        {"threads", &record.threads}}) {
    auto number = object->getInteger(name);
    if (!number)
      return llvm::createStringError("it has no number " + name);
    *field = *number;
  }
  for (auto [name, field] :
       {std::pair<StringRef, double *>("cold_us", &record.coldUs),
        {"warm_us", &record.warmUs},
        {"noise", &record.noise},
        {"seconds", &record.seconds}}) {
    auto number = object->getNumber(name);
    if (!number || !(*number >= 0))
      return llvm::createStringError("it has no time or share " + name);
    *field = *number;
  }
  record.failure = object->getString("failure").value_or("").str();
  if (llvm::to_integer(space, record.space, 16) == false)
    return llvm::createStringError("its hash of the space is no number");
  if (llvm::Error error = record.knobs.set(config))
    return std::move(error);
  if (auto why = refusalOf(record.knobs))
    return llvm::createStringError(*why);
  if (record.failure.empty() && record.cost() <= 0)
    return llvm::createStringError("it has no time");
  return record;
}

//===----------------------------------------------------------------------===//
// Buckets
//===----------------------------------------------------------------------===//

int mezzo::rowBucket(int64_t m) {
  if (m < 0)
    return 5;
  return m <= 1 ? 0 : m <= 4 ? 1 : m <= 16 ? 2 : m <= 64 ? 3 : 4;
}

StringRef mezzo::rowBucketName(int bucket) {
  static constexpr StringRef names[] = {"1",     "2-4",        "5-16",
                                        "17-64", "65 or more", "any"};
  return names[bucket];
}
