//===- EmbeddedObject.cpp - Weights inside the compiled model -------------===//
//
// A relocatable ELF file, written by hand because it is so little:
//
//   0               Elf64_Ehdr
//   4096            .lrodata.mezzo_weights (AArch64: .rodata.mezzo_weights)
//   4096 + n        .symtab: null, mezzo_weights_payload
//                   .strtab, .shstrtab
//                   section headers
//
// On x86-64 the section is a *large* one: code reaches its own data with 32-bit
// offsets, so 2 GB of weights between the two would break every one of them.
// The linker puts large sections outside, where only the 64-bit pointer of the
// model's description has to reach. AArch64 has no such section, and its code
// reaches 4 GB.
//
//===----------------------------------------------------------------------===//

#include "lib/Weights/EmbeddedObject.h"

#include "llvm/BinaryFormat/ELF.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"

#include <cstring>

using namespace mezzo;
namespace ELF = llvm::ELF;

// The structs are written as they lie in memory.
static_assert(llvm::endianness::native == llvm::endianness::little,
              "both machines are little-endian, and so is the compiler's");

namespace {

/// A string table, and where in it each string begins.
struct StringTable {
  std::string bytes = std::string(1, '\0');

  uint32_t add(llvm::StringRef name) {
    uint32_t offset = bytes.size();
    bytes.append(name.begin(), name.end());
    bytes.push_back('\0');
    return offset;
  }
};

enum Section { Null, Weights, NoExecStack, SymbolTable, Strings, Names, Count };

template <typename T>
void writeStruct(llvm::raw_ostream &out, const T &value) {
  out.write(reinterpret_cast<const char *>(&value), sizeof(value));
}

} // namespace

llvm::Expected<std::unique_ptr<EmbeddedObject>>
EmbeddedObject::create(llvm::StringRef path, Machine machine) {
  llvm::Expected<AtomicFile> file = AtomicFile::create(path);
  if (!file)
    return file.takeError();
  return std::unique_ptr<EmbeddedObject>(
      new EmbeddedObject(std::move(*file), machine));
}

llvm::Error EmbeddedObject::complete(llvm::raw_pwrite_stream &out,
                                     uint64_t payloadBytes,
                                     const WeightHash &hash) {
  bool large = machine == Machine::X86_64;
  // Half of what `adrp` reaches, for the code and data on both sides.
  constexpr uint64_t reach = uint64_t(2) << 30;
  if (!large && payloadBytes > reach)
    return llvm::createStringError(
        "%llu bytes of weights do not fit inside a shared object for AArch64, "
        "where code reaches 2 GiB: store them beside it "
        "(--weight-storage=file)",
        (unsigned long long)payloadBytes);

  StringTable names, strings;
  ELF::Elf64_Shdr sections[Count] = {};
  // All names first, since the table of names is one of the sections.
  sections[Weights].sh_name =
      names.add(large ? ".lrodata.mezzo_weights" : ".rodata.mezzo_weights");
  sections[NoExecStack].sh_name = names.add(".note.GNU-stack");
  sections[SymbolTable].sh_name = names.add(".symtab");
  sections[Strings].sh_name = names.add(".strtab");
  sections[Names].sh_name = names.add(".shstrtab");

  ELF::Elf64_Shdr &weights = sections[Weights];
  weights.sh_type = ELF::SHT_PROGBITS;
  weights.sh_flags = ELF::SHF_ALLOC | (large ? ELF::SHF_X86_64_LARGE : 0);
  weights.sh_offset = weightPayloadOffset;
  weights.sh_size = payloadBytes;
  weights.sh_addralign = weightPayloadOffset;

  // An object without this section asks some linkers for an executable stack.
  sections[NoExecStack].sh_type = ELF::SHT_PROGBITS;
  sections[NoExecStack].sh_offset = weightPayloadOffset + payloadBytes;
  sections[NoExecStack].sh_addralign = 1;

  ELF::Elf64_Sym symbols[2] = {};
  symbols[1].st_name = strings.add(weightPayloadSymbol);
  symbols[1].setBindingAndType(ELF::STB_GLOBAL, ELF::STT_OBJECT);
  symbols[1].st_other = ELF::STV_HIDDEN;
  symbols[1].st_shndx = Weights;
  symbols[1].st_size = payloadBytes;

  uint64_t end = out.tell();
  assert(end == weightPayloadOffset + payloadBytes &&
         "payload is not complete");
  auto padTo = [&](uint64_t alignment) {
    uint64_t aligned = llvm::alignTo(end, alignment);
    out.write_zeros(aligned - end);
    end = aligned;
  };
  auto place = [&](Section which, uint32_t type, llvm::StringRef bytes) {
    sections[which].sh_type = type;
    sections[which].sh_offset = end;
    sections[which].sh_size = bytes.size();
    sections[which].sh_addralign = 1;
    out << bytes;
    end += bytes.size();
  };

  padTo(alignof(uint64_t));
  place(SymbolTable, ELF::SHT_SYMTAB,
        llvm::StringRef(reinterpret_cast<const char *>(symbols),
                        sizeof(symbols)));
  sections[SymbolTable].sh_addralign = alignof(uint64_t);
  sections[SymbolTable].sh_entsize = sizeof(ELF::Elf64_Sym);
  sections[SymbolTable].sh_link = Strings;
  sections[SymbolTable].sh_info = 1; // the first symbol that is not local
  place(Strings, ELF::SHT_STRTAB, strings.bytes);
  place(Names, ELF::SHT_STRTAB, names.bytes);

  padTo(alignof(uint64_t));
  for (const ELF::Elf64_Shdr &section : sections)
    writeStruct(out, section);

  ELF::Elf64_Ehdr header = {};
  std::memcpy(header.e_ident, ELF::ElfMagic, 4);
  header.e_ident[ELF::EI_CLASS] = ELF::ELFCLASS64;
  header.e_ident[ELF::EI_DATA] = ELF::ELFDATA2LSB;
  header.e_ident[ELF::EI_VERSION] = ELF::EV_CURRENT;
  header.e_type = ELF::ET_REL;
  header.e_machine =
      machine == Machine::X86_64 ? ELF::EM_X86_64 : ELF::EM_AARCH64;
  header.e_version = ELF::EV_CURRENT;
  header.e_shoff = end;
  header.e_ehsize = sizeof(ELF::Elf64_Ehdr);
  header.e_shentsize = sizeof(ELF::Elf64_Shdr);
  header.e_shnum = Count;
  header.e_shstrndx = Names;
  out.pwrite(reinterpret_cast<const char *>(&header), sizeof(header), 0);
  return llvm::Error::success();
}
