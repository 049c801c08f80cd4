//===- InnerLoop.cpp - the innermost loop of a kernel, disassembled -------===//

#include "tools/driver/InnerLoop.h"

#include "lib/Support/Sanitize.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/MC/MCAsmInfo.h"
#include "llvm/MC/MCContext.h"
#include "llvm/MC/MCDisassembler/MCDisassembler.h"
#include "llvm/MC/MCInst.h"
#include "llvm/MC/MCInstPrinter.h"
#include "llvm/MC/MCInstrAnalysis.h"
#include "llvm/MC/MCInstrInfo.h"
#include "llvm/MC/MCRegisterInfo.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/TargetParser/Triple.h"

#include <map>

using namespace mezzo;
using llvm::createStringError;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

namespace {

/// A function's bytes, and its address where its section begins.
struct Code {
  llvm::ArrayRef<uint8_t> bytes;
  uint64_t address;
};

/// Calls `visit` with each function of the symbol table and its name.
template <typename Visit>
void forEachFunction(const llvm::object::ObjectFile &object, Visit visit) {
  for (const llvm::object::SymbolRef &symbol : object.symbols()) {
    Expected<llvm::object::SymbolRef::Type> type = symbol.getType();
    Expected<StringRef> name = symbol.getName();
    if (type && name && *type == llvm::object::SymbolRef::ST_Function)
      visit(symbol, *name);
    if (!type)
      llvm::consumeError(type.takeError());
    if (!name)
      llvm::consumeError(name.takeError());
  }
}

Expected<Code> codeOf(const llvm::object::ObjectFile &object,
                      StringRef wanted) {
  std::optional<llvm::object::ELFSymbolRef> found;
  forEachFunction(object,
                  [&](const llvm::object::SymbolRef &symbol, StringRef name) {
                    if (name == wanted)
                      found = symbol;
                  });
  if (!found) {
    std::vector<std::string> there = functionsOf(object, "matmul.");
    if (there.size() > 8)
      there.resize(8);
    return createStringError("there is no kernel " + quoted(wanted) +
                             (there.empty()
                                  ? ": the file has no symbols"
                                  : ": there is " + llvm::join(there, ", ")));
  }
  Expected<llvm::object::section_iterator> section = found->getSection();
  if (!section)
    return section.takeError();
  Expected<StringRef> contents = (*section)->getContents();
  if (!contents)
    return contents.takeError();
  Expected<uint64_t> address = found->getAddress();
  if (!address)
    return address.takeError();
  uint64_t offset = *address - (*section)->getAddress(),
           size = found->getSize();
  if (offset > contents->size() || size > contents->size() - offset)
    return createStringError("the kernel " + quoted(wanted) +
                             " lies outside of its section: the file is "
                             "damaged");
  return Code{llvm::arrayRefFromStringRef(contents->substr(offset, size)),
              *address};
}

/// LLVM's pieces that read machine code.
class Disassembler {
public:
  static Expected<std::unique_ptr<Disassembler>> create(const Target &target);

  struct Line {
    uint64_t address;
    std::string text;
    std::optional<uint64_t> branch; ///< where to
  };
  std::vector<Line> read(const Code &code) const;

private:
  llvm::MCTargetOptions options;
  std::unique_ptr<const llvm::MCRegisterInfo> registers;
  std::unique_ptr<const llvm::MCAsmInfo> assembly;
  std::unique_ptr<const llvm::MCSubtargetInfo> subtarget;
  std::unique_ptr<const llvm::MCInstrInfo> instructions;
  std::unique_ptr<const llvm::MCInstrAnalysis> analysis;
  std::unique_ptr<llvm::MCContext> context;
  std::unique_ptr<const llvm::MCDisassembler> decoder;
  std::unique_ptr<llvm::MCInstPrinter> printer;
};

Expected<std::unique_ptr<Disassembler>>
Disassembler::create(const Target &target) {
  target.initializeBackend();
  auto made = std::make_unique<Disassembler>();
  llvm::Triple triple(target.triple);
  std::string error;
  const llvm::Target *machine =
      llvm::TargetRegistry::lookupTarget(triple, error);
  if (!machine)
    return createStringError(error);
  made->registers.reset(machine->createMCRegInfo(triple));
  made->assembly.reset(
      machine->createMCAsmInfo(*made->registers, triple, made->options));
  made->subtarget.reset(
      machine->createMCSubtargetInfo(triple, target.cpu, target.features));
  made->instructions.reset(machine->createMCInstrInfo());
  made->analysis.reset(
      machine->createMCInstrAnalysis(made->instructions.get()));
  made->context = std::make_unique<llvm::MCContext>(
      triple, made->assembly.get(), made->registers.get(),
      made->subtarget.get());
  made->decoder.reset(
      machine->createMCDisassembler(*made->subtarget, *made->context));
  made->printer.reset(machine->createMCInstPrinter(
      triple, made->assembly->getAssemblerDialect(), *made->assembly,
      *made->instructions, *made->registers));
  if (!made->decoder || !made->printer || !made->analysis)
    return createStringError("this LLVM cannot read the code of " +
                             target.triple);
  made->printer->setPrintImmHex(false);
  return std::move(made);
}

std::vector<Disassembler::Line> Disassembler::read(const Code &code) const {
  std::vector<Line> lines;
  for (uint64_t at = 0; at < code.bytes.size();) {
    llvm::MCInst instruction;
    uint64_t size = 0, address = code.address + at;
    if (decoder->getInstruction(instruction, size, code.bytes.drop_front(at),
                                address, llvm::nulls()) !=
        llvm::MCDisassembler::Success) {
      at += std::max<uint64_t>(size, 1); // data among the code
      continue;
    }
    Line &line = lines.emplace_back();
    line.address = address;
    llvm::raw_string_ostream os(line.text);
    printer->printInst(&instruction, address, "", *subtarget, os);
    line.text = StringRef(line.text).trim().str();
    uint64_t to = 0;
    if (analysis->isBranch(instruction) &&
        analysis->evaluateBranch(instruction, address, size, to))
      line.branch = to;
    at += size;
  }
  return lines;
}

} // namespace

std::vector<std::string>
mezzo::functionsOf(const llvm::object::ObjectFile &object,
                   StringRef beginning) {
  std::vector<std::string> names;
  forEachFunction(object, [&](const llvm::object::SymbolRef &, StringRef name) {
    if (name.starts_with(beginning))
      names.push_back(name.str());
  });
  return names;
}

Expected<std::vector<InnerLoop>>
mezzo::innerLoops(const llvm::object::ObjectFile &object, StringRef symbol,
                  const Target &target) {
  Expected<Code> code = codeOf(object, symbol);
  if (!code)
    return code.takeError();
  auto disassembler = Disassembler::create(target);
  if (!disassembler)
    return disassembler.takeError();
  std::vector<Disassembler::Line> lines = (*disassembler)->read(*code);

  // From the header to the last branch back to it.
  std::map<uint64_t, uint64_t> loops;
  for (const Disassembler::Line &line : lines)
    if (line.branch && *line.branch <= line.address &&
        *line.branch >= code->address)
      loops[*line.branch] = std::max(loops[*line.branch], line.address);
  std::vector<InnerLoop> found;
  for (auto [begin, end] : loops) {
    unsigned depth = 0;
    bool isInner = true;
    for (auto [otherBegin, otherEnd] : loops) {
      depth += otherBegin <= begin && otherEnd >= end;
      isInner &= !(otherBegin > begin && otherEnd <= end);
    }
    if (!isInner)
      continue;
    InnerLoop &loop = found.emplace_back();
    loop.depth = depth;
    for (const Disassembler::Line &line : lines)
      if (line.address >= begin && line.address <= end)
        loop.instructions.push_back(line.text);
  }
  llvm::sort(found, [](const InnerLoop &a, const InnerLoop &b) {
    return std::pair(a.depth, a.instructions.size()) >
           std::pair(b.depth, b.instructions.size());
  });
  return found;
}
