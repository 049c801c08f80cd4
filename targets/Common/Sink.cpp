//===- Sink.cpp - Decoding moved to where its result is used --------------===//

#include "targets/Common/Sink.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/IR/InstrTypes.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/Module.h"

/// Whether an instruction is a step of decoding: cheap, and free to move.
static bool isDecoding(const llvm::Instruction &instruction) {
  if (!instruction.getType()->isVectorTy())
    return false;
  if (auto *binary = llvm::dyn_cast<llvm::BinaryOperator>(&instruction))
    return binary->isBitwiseLogicOp() || binary->isShift();
  return llvm::isa<llvm::ShuffleVectorInst, llvm::BitCastInst>(instruction);
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

void mezzo::sinkDecoding(llvm::Module &module) {
  for (llvm::Function &function : module)
    for (llvm::BasicBlock &block : function)
      // From the end: what an instruction is used by is already in its place.
      for (llvm::Instruction &instruction :
           llvm::make_early_inc_range(llvm::reverse(block)))
        if (isDecoding(instruction))
          if (llvm::Instruction *use = firstUse(instruction))
            instruction.moveBefore(use->getIterator());
}
