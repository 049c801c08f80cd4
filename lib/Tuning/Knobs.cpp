//===- Knobs.cpp - the choices of a product, without IR -------------------===//

#include "lib/Tuning/Knobs.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Support/xxhash.h"

using namespace mezzo;
using llvm::ArrayRef;
using llvm::StringRef;
using llvm::Twine;

ArrayRef<KnobInfo> mezzo::knobInfos() {
  static const KnobInfo infos[KnobCount] = {
      {"rows", "activation rows of a register tile", 1, 16},
      {"groups", "row groups of the weight in a register tile", 1, 8},
      {"unroll",
       "steps of four columns written out in a round of the inner loop", 1, 8},
      {"streams", "panels read side by side for one activation row", 1, 4},
      {"block", "columns decoded together for many activation rows", 4, 4096},
      {"chunk", "columns added up in 16 bits before they are widened; 0: none",
       0, 4096}};
  return infos;
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

std::string KnobValues::str() const {
  std::string text;
  for (auto [info, value] : llvm::zip_equal(knobInfos(), values))
    text += (text.empty() ? "" : ",") + info.name.str() + "=" +
            std::to_string(value);
  return text;
}

llvm::Error KnobValues::set(StringRef text) {
  llvm::SmallVector<StringRef> settings;
  text.split(settings, ',', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  for (StringRef setting : settings) {
    auto [name, value] = setting.split('=');
    const KnobInfo *found =
        llvm::find_if(knobInfos(), [name = name.trim()](const KnobInfo &info) {
          return info.name == name;
        });
    if (found == knobInfos().end()) {
      std::string known;
      for (const KnobInfo &info : knobInfos())
        known += (known.empty() ? "" : ", ") + info.name.str();
      return llvm::createStringError("has no knob '" + name + "': it has " +
                                     known + "; write rows=4,unroll=2");
    }
    if (value.trim().getAsInteger(10, values[found - knobInfos().begin()]))
      return llvm::createStringError("has the knob '" + setting +
                                     "': write a number, such as " + name +
                                     "=4");
  }
  return llvm::Error::success();
}

std::optional<std::string> mezzo::refusalOf(const KnobValues &values) {
  for (auto [index, info] : llvm::enumerate(knobInfos())) {
    int64_t value = values[Knob(index)];
    if (value < info.low || value > info.high)
      return ("the knob " + info.name + " is " + Twine(value) + ": use " +
              Twine(info.low) + ".." + Twine(info.high))
          .str();
  }
  int64_t block = values[Knob::Block], chunk = values[Knob::Chunk];
  if (block % 4 != 0 || chunk % 4 != 0)
    return ("a block of " + Twine(block) + " and a chunk of " + Twine(chunk) +
            " columns: use multiples of 4")
        .str();
  if (chunk != 0 && block % chunk != 0)
    return ("a block of " + Twine(block) + " columns is cut by chunks of " +
            Twine(chunk) + ": use a multiple of the chunk")
        .str();
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// The space
//===----------------------------------------------------------------------===//

KnobSpace::KnobSpace(KnobValues seed) : start(seed) {
  for (unsigned i = 0; i < KnobCount; ++i)
    axes[i] = {seed[Knob(i)]};
}

void KnobSpace::setValues(Knob knob, ArrayRef<int64_t> values) {
  auto &axis = axes[unsigned(knob)];
  axis.assign(values.begin(), values.end());
  axis.push_back(start[knob]);
  llvm::sort(axis);
  axis.erase(llvm::unique(axis), axis.end());
}

void KnobSpace::require(StringRef name, Refusal refusal) {
  requirements.push_back({name.str(), std::move(refusal)});
}

void KnobSpace::exclude(StringRef name, Refusal refusal) {
  exclusions.push_back({name.str(), std::move(refusal)});
}

std::optional<std::string> KnobSpace::refusal(const KnobValues &values) const {
  if (auto why = refusalOf(values))
    return why;
  for (const Condition &condition : requirements)
    if (auto why = condition.refusal(values))
      return why;
  return std::nullopt;
}

bool KnobSpace::isWorthTrying(const KnobValues &values) const {
  if (values == start)
    return true;
  return !refusal(values) &&
         llvm::none_of(exclusions, [&](const Condition &condition) {
           return condition.refusal(values).has_value();
         });
}

std::vector<KnobValues> KnobSpace::candidates() const {
  static constexpr Knob all[] = {Knob::Rows,    Knob::Groups, Knob::Unroll,
                                 Knob::Streams, Knob::Block,  Knob::Chunk};
  return neighbours(start, all);
}

std::vector<KnobValues> KnobSpace::neighbours(const KnobValues &from,
                                              ArrayRef<Knob> knobs) const {
  std::vector<KnobValues> found{from};
  for (Knob knob : knobs) {
    std::vector<KnobValues> more;
    for (const KnobValues &values : found)
      for (int64_t value : valuesOf(knob)) {
        more.push_back(values);
        more.back()[knob] = value;
      }
    found = std::move(more);
  }
  llvm::erase_if(
      found, [&](const KnobValues &values) { return !isWorthTrying(values); });
  llvm::sort(found);
  found.erase(llvm::unique(found), found.end());
  return found;
}

uint64_t KnobSpace::hash() const {
  std::string text;
  llvm::raw_string_ostream os(text);
  for (auto [index, axis] : llvm::enumerate(axes)) {
    os << knobInfos()[index].name << ":";
    llvm::interleaveComma(axis, os);
    os << ";";
  }
  for (const auto *conditions : {&requirements, &exclusions})
    for (const Condition &condition : *conditions)
      os << condition.name << ";";
  return llvm::xxh3_64bits(text);
}
