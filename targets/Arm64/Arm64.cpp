//===- Arm64.cpp - Facts about 64-bit ARM machines ------------------------===//
//
// Sources: registers are those of section B1.2 of the Arm Architecture
// Reference Manual for A-profile (DDI 0487); what FEAT_DotProd and FEAT_I8MM
// bring, and that both are optional from Armv8.1 on and mandatory from Armv8.4
// and Armv8.6, is in its list of architecture extensions (chapter A2). The
// feature of an intrinsic is that of its instruction in chapter C7. LLVM's
// names of features are those of AArch64Features.td.
//
//===----------------------------------------------------------------------===//

#include "targets/Arm64/Arm64.h"

#include "llvm/Support/TargetSelect.h"

#include <mutex>

using namespace mezzo;
using llvm::StringRef;

namespace {

void initializeBackend() {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeAArch64TargetInfo();
    LLVMInitializeAArch64Target();
    LLVMInitializeAArch64TargetMC();
    LLVMInitializeAArch64AsmPrinter();
    LLVMInitializeAArch64AsmParser(); // inline assembly
    LLVMInitializeAArch64Disassembler();
  });
}

/// What is not listed is refused: one prefix is home to instructions of many
/// ages.
constexpr IntrinsicFamily families[] = {
    {"neon.addp.", "neon"},    {"neon.saddlp.", "neon"},
    {"neon.smull.", "neon"},   {"neon.sqxtn.", "neon"},
    {"neon.tbl1.", "neon"},    {"neon.tbl2.", "neon"},
    {"neon.uaddlp.", "neon"},  {"neon.umull.", "neon"},
    {"neon.sdot.", "dotprod"}, {"neon.udot.", "dotprod"},
    {"neon.smmla.", "i8mm"},   {"neon.ummla.", "i8mm"},
    {"neon.usdot.", "i8mm"},   {"neon.usmmla.", "i8mm"},
};

std::optional<StringRef> intrinsicFeature(StringRef name) {
  return featureOfIntrinsic(name, "llvm.aarch64.", families);
}

/// Every 64-bit ARM CPU that runs Linux: Cortex-A53 (2012), Cortex-A72 (2015)
/// and onwards.
Target neon() {
  Target target;
  target.name = "aarch64";
  target.triple = "aarch64-unknown-linux-gnu";
  target.cpu = "generic";
  target.features = "+neon";
  target.requiredFeatures = "fp-armv8,neon";
  target.vectorBytes = 16;
  target.vectorRegisters = 32;
  target.tuneCpu = "cortex-a72";
  target.hasFma = true;
  target.pairsWorthAdding = 8; // llvm-mca: 4 of them, of 6 bits, do not pay
  target.sinksDecoding = true;
  target.costs = arm64::neonCosts();
  target.populateTileSpellings = arm64::populateNeonSpellings;
  target.initializeBackend = initializeBackend;
  target.intrinsicFeature = intrinsicFeature;
  return target;
}

/// Cortex-A55 and A75 (2017), Neoverse N1 (2019: Graviton2, Altra) and onwards.
Target dotprod() {
  Target target = neon();
  target.name += "+dotprod";
  target.features += ",+dotprod";
  target.tuneCpu = "neoverse-n1";
  target.requiredFeatures += ",dotprod";
  target.pairsWorthAdding = 0; // sdot
  target.costs = arm64::dotprodCosts();
  target.populateTileSpellings = arm64::populateDotprodSpellings;
  return target;
}

/// Neoverse V1 and N2 (2020: Graviton3), Cortex-A510 and A710 (2021) and
/// onwards; no CPU has i8mm without dotprod.
Target i8mm() {
  Target target = dotprod();
  target.name += "+i8mm";
  target.features += ",+i8mm";
  target.requiredFeatures += ",i8mm";
  target.populateTileSpellings = arm64::populateI8mmSpellings;
  return target;
}

} // namespace

std::vector<Target> arm64::targets() { return {neon(), dotprod(), i8mm()}; }
