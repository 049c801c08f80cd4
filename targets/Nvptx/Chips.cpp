//===- Chips.cpp - What each NVIDIA chip really has -----------------------===//

#include "targets/Nvptx/Chips.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace mezzo::nvptx;

// f16, bf16 and s8 are native on all of them. Slots of 16 bytes, of a kernel
// that takes 24 with a native mma (ptxas 13.0.88):
//
//              sm_80  sm_86  sm_89  sm_90a  sm_100  sm_120
//     s4          24     24     24     216     216     216
//     b1 and      24     24     24      24     136     136
//     b1 xor      24     24     24      40     192     176
//     e4m3         -      -     24      40      40      24
static constexpr Chip table[] = {
    {"sm_80", "+ptx80", true, true, true, false},
    {"sm_86", "+ptx80", true, true, true, false},
    {"sm_89", "+ptx80", true, true, true, true},
    {"sm_90a", "+ptx80", false, true, false, false},
    {"sm_100", "+ptx86", false, false, false, false},
    {"sm_120", "+ptx87", false, false, false, true},
};

llvm::ArrayRef<Chip> mezzo::nvptx::chips() { return table; }

llvm::Expected<Chip> mezzo::nvptx::lookupChip(llvm::StringRef name) {
  for (const Chip &chip : table)
    if (chip.name == name)
      return chip;
  std::string known = llvm::join(
      llvm::map_range(table, [](const Chip &c) { return c.name; }), ", ");
  return llvm::createStringError("no chip '" + name + "': there are " + known);
}
