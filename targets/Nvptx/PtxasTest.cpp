//===- PtxasTest.cpp - What the assembler makes of the kernels ------------===//
//
// Through ptxas, where there is one: for every chip no spill, no stack, no more
// registers than let a multiprocessor hold two blocks, and code of about one
// size on all chips, since an instruction that a chip lacks shows there.
//
//===----------------------------------------------------------------------===//

#include "targets/Nvptx/TestKernels.h"

#include "lib/Support/TestFolder.h"

#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/Regex.h"

#include "gtest/gtest.h"

using namespace mezzo;
using namespace mezzo::nvptx;

namespace {

struct Assembled {
  std::string log;
  unsigned registers = 0;
  uint64_t codeBytes = 0;
};

/// The number that `pattern`'s first group matches, or -1.
int numberIn(llvm::StringRef text, const char *pattern) {
  llvm::SmallVector<llvm::StringRef, 2> groups;
  int number = -1;
  if (llvm::Regex(pattern).match(text, &groups))
    groups[1].getAsInteger(10, number);
  return number;
}

Assembled assemble(const EngineSpec &spec, llvm::StringRef chip) {
  TestFolder folder;
  std::string source = folder.write("k.ptx", ptxOf(spec, chip));
  std::string object = folder / "k.cubin", log = folder / "log";
  std::string arch = "-arch=" + chip.str();
  llvm::StringRef command[] = {MEZZO_PTXAS, "-v", arch, source, "-o", object};
  std::optional<llvm::StringRef> redirects[] = {std::nullopt, log, log};
  int status =
      llvm::sys::ExecuteAndWait(MEZZO_PTXAS, command, std::nullopt, redirects);
  Assembled result;
  if (auto buffer = llvm::MemoryBuffer::getFile(log))
    result.log = (*buffer)->getBuffer().str();
  EXPECT_EQ(status, 0) << result.log;
  if (status != 0)
    return result;
  result.registers = numberIn(result.log, "Used ([0-9]+) registers");
  auto file = llvm::object::ObjectFile::createObjectFile(object);
  if (!file) {
    ADD_FAILURE() << llvm::toString(file.takeError());
    return result;
  }
  for (const llvm::object::SectionRef &section : file->getBinary()->sections())
    if (section.isText())
      result.codeBytes += section.getSize();
  return result;
}

/// Kernels that differ in all that changes the code.
std::vector<EngineSpec> specs() {
  auto make = [](Arithmetic arithmetic, unsigned bits, unsigned rowTiles,
                 bool hasZeros) {
    EngineSpec spec;
    spec.arithmetic = arithmetic;
    spec.bits = bits;
    spec.rowTiles = rowTiles;
    spec.hasZeros = hasZeros;
    spec.hasBias = true;
    return spec;
  };
  return {make(Arithmetic::HalfFloat, 4, 1, false),
          make(Arithmetic::HalfFloat, 3, 2, true),
          make(Arithmetic::Integer, 8, 1, true),
          make(Arithmetic::Integer, 4, 2, false)};
}

TEST(NvptxPtxas, NoSpillOnAnyChip) {
  if (std::string(MEZZO_PTXAS).empty())
    GTEST_SKIP() << "no ptxas: install CUDA's assembler to run this test";
  for (const EngineSpec &spec : specs()) {
    uint64_t least = ~0ull, most = 0;
    std::string sizes;
    for (const Chip &chip : chips()) {
      SCOPED_TRACE(spec.key() + " for " + chip.name.str());
      Assembled made = assemble(spec, chip.name);
      EXPECT_EQ(numberIn(made.log, "([0-9]+) bytes stack frame"), 0);
      EXPECT_EQ(numberIn(made.log, "([0-9]+) bytes spill stores"), 0);
      EXPECT_EQ(numberIn(made.log, "([0-9]+) bytes spill loads"), 0);
      EXPECT_LE(made.registers, spec.rowTiles == 1 ? 168u : 255u);
      least = std::min(least, made.codeBytes);
      most = std::max(most, made.codeBytes);
      sizes += " " + chip.name.str() + " " + std::to_string(made.codeBytes) +
               "/" + std::to_string(made.registers);
    }
    EXPECT_LE(most, least * 3 / 2) << spec.key() << sizes;
    EXPECT_LE(spec.sharedBytes(), 96u * 1024);
    RecordProperty(spec.key(), sizes);
  }
}

} // namespace
