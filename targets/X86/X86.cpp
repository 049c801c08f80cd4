//===- X86.cpp - Facts about x86 machines ---------------------------------===//
//
// Sources: the levels are those of the System V psABI for AMD64 (section 3.1.1,
// "Microarchitecture levels"); the features of an intrinsic are those that
// Intel's Intrinsics Guide lists for its instruction.
//
//===----------------------------------------------------------------------===//

#include "targets/X86/X86.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/TargetSelect.h"

#include <mutex>

using namespace mezzo;
using llvm::StringRef;

namespace {

void initializeBackend() {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeX86AsmParser(); // inline assembly
    LLVMInitializeX86Disassembler();
  });
}

constexpr IntrinsicFamily families[] = {
    {"avx2.", "avx2"},
    {"avx.", "avx"},
    {"avx512.vpdpbusd.256", "avxvnni|avx512vnni"},
    {"avx512.vpdp", "avx512vnni"},
    {"avx512.pmadd", "avx512bw"},
    {"avx512.pshuf.b", "avx512bw"},
    {"avx512.permvar.qi", "avx512vbmi"},
    {"avx512.vpermi2var.qi", "avx512vbmi"},
    {"avx512.", "avx512f"},
    {"avx10.", "avx10.2-512"},
    {"amx.", "amx-tile"},
    {"bmi.", "bmi"},
    {"fma.", "fma"},
    {"sse42.crc32", "crc32"},
    {"sse.", "sse"},
    {"sse2.", "sse2"},
    {"sse3.", "sse3"},
    {"ssse3.", "ssse3"},
    {"sse41.", "sse4.1"},
    {"sse42.", "sse4.2"},
    {"vcvtph2ps", "f16c"},
    {"vcvtps2ph", "f16c"},
};

std::optional<StringRef> intrinsicFeature(StringRef name) {
  return featureOfIntrinsic(name, "llvm.x86.", families);
}

/// Haswell (2013) and Excavator (2015) onwards: what kernels are written for.
Target level3() {
  Target target;
  target.name = "x86-64-v3";
  target.triple = "x86_64-unknown-linux-gnu";
  target.cpu = "x86-64-v3";
  target.features = "+avx2,+fma,+f16c";
  // All that LLVM may use at this level beyond what AVX2 implies. Kernels ask
  // for the first three only, but `lzcnt` is decoded as `bsr` where it is
  // missing, a wrong result without a fault, and hypervisors do mask it.
  target.requiredFeatures = "avx2,fma,f16c,bmi,bmi2,lzcnt,movbe";
  target.vectorBytes = 32;
  target.vectorRegisters = 16;
  target.hasFma = true;
  target.pairsWorthAdding = 2;
  target.sinksDecoding = true;
  target.costs = x86::avx2Costs();
  target.populateTileSpellings = x86::populateAvx2Spellings;
  target.initializeBackend = initializeBackend;
  target.intrinsicFeature = intrinsicFeature;
  return target;
}

/// Alder Lake (2021), Zen 5 (2024) and onwards.
Target level3WithVnni() {
  Target target = level3();
  target.name += "+avxvnni";
  target.features += ",+avxvnni";
  target.requiredFeatures += ",avxvnni";
  target.pairsWorthAdding = 0; // vpdpbusd
  target.multipliesUnsignedCodes = true;
  target.costs = x86::vnniCosts();
  target.populateTileSpellings = x86::populateAvxVnniSpellings;
  return target;
}

/// Skylake-X (2017), Zen 4 (2022) and onwards.
Target level4() {
  Target target = level3();
  target.name = target.cpu = "x86-64-v4";
  target.requiredFeatures += ",avx512f,avx512bw,avx512cd,avx512dq,avx512vl";
  target.vectorBytes = 64;
  target.vectorRegisters = 32;
  target.populateTileSpellings = x86::populateAvx512Spellings;
  return target;
}

/// Cascade Lake (2019), Zen 4 (2022) and onwards.
Target level4WithVnni() {
  Target target = level4();
  target.name += "+avx512vnni";
  target.features += ",+avx512vnni";
  target.requiredFeatures += ",avx512vnni";
  target.pairsWorthAdding = 0; // vpdpbusd
  target.multipliesUnsignedCodes = true;
  target.costs = x86::vnniCosts();
  target.populateTileSpellings = x86::populateAvx512VnniSpellings;
  return target;
}

} // namespace

std::vector<Target> x86::targets() {
  return {level3(), level3WithVnni(), level4(), level4WithVnni()};
}

llvm::Expected<Target> x86::bestFor(const llvm::StringMap<bool> &features) {
  // Outside of the loop: what is missing points into it.
  const std::vector<Target> all = targets();
  llvm::SmallVector<StringRef> missing;
  for (const Target &target : llvm::reverse(all)) {
    missing.clear();
    llvm::SmallVector<StringRef> required;
    StringRef(target.requiredFeatures).split(required, ',');
    llvm::copy_if(required, std::back_inserter(missing),
                  [&](StringRef name) { return !features.lookup(name); });
    if (missing.empty())
      return target;
  }
  return llvm::createStringError(
      "this CPU lacks " + llvm::join(missing, ", ") +
      ", which every x86 target needs: to compile for another machine, name it "
      "(--target=x86-64-v3)");
}
