//===- Sink.cpp - Decoding moved to where its result is used --------------===//

#include "targets/Common/Sink.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/IR/InstrTypes.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Module.h"

/// Whether an instruction is a step on the way from memory to a multiplication:
/// a load, a broadcast, decoding.
static bool isDecoding(const llvm::Instruction &instruction) {
  if (!instruction.getType()->isVectorTy() &&
      !instruction.getType()->isFloatingPointTy())
    return false;
  if (auto *binary = llvm::dyn_cast<llvm::BinaryOperator>(&instruction))
    return binary->isBitwiseLogicOp() || binary->isShift() ||
           binary->getOpcode() == llvm::Instruction::FSub;
  if (auto *load = llvm::dyn_cast<llvm::LoadInst>(&instruction))
    return load->isSimple();
  return llvm::isa<llvm::InsertElementInst, llvm::ShuffleVectorInst,
                   llvm::BitCastInst>(instruction);
}

/// Whether loads must not pass an instruction. LLVM takes a prefetch for a
/// write, so that nothing moves it.
static bool writes(const llvm::Instruction &instruction) {
  auto *call = llvm::dyn_cast<llvm::IntrinsicInst>(&instruction);
  if (call && call->getIntrinsicID() == llvm::Intrinsic::prefetch)
    return false;
  return instruction.mayWriteToMemory();
}

/// The first use of an instruction, if all are in its block. Null otherwise.
static llvm::Instruction *firstUse(llvm::Instruction &instruction) {
  llvm::Instruction *first = nullptr;
  for (llvm::User *user : instruction.users()) {
    auto *use = llvm::cast<llvm::Instruction>(user);
    if (use->getParent() != instruction.getParent() ||
        llvm::isa<llvm::PHINode>(use))
      return nullptr;
    if (!first || use->comesBefore(first))
      first = use;
  }
  return first;
}

/// Whether an instruction may move down to `use`.
static bool mayMove(const llvm::Instruction &instruction,
                    const llvm::Instruction &use) {
  if (!instruction.mayReadFromMemory())
    return true;
  for (const llvm::Instruction *next = instruction.getNextNode(); next != &use;
       next = next->getNextNode())
    if (writes(*next))
      return false;
  return true;
}

void mezzo::sinkDecoding(llvm::Module &module) {
  for (llvm::Function &function : module)
    for (llvm::BasicBlock &block : function)
      // From the end: what an instruction is used by is already in its place.
      for (llvm::Instruction &instruction :
           llvm::make_early_inc_range(llvm::reverse(block)))
        if (isDecoding(instruction))
          if (llvm::Instruction *use = firstUse(instruction);
              use && mayMove(instruction, *use))
            instruction.moveBefore(use->getIterator());
}
