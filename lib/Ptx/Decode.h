//===- Decode.h - From the text of an instruction to what it does -*- C++ -*-=//
//
// Each family of instructions has a file; it enters its opcodes in the table.
// A decoder takes the words of `mad.lo.s32` one after the other; a word that
// nobody took is an unknown modifier, and unknown modifiers are errors: to run
// `add.sat` as `add` would be worse than not to run it.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_LIB_PTX_DECODE_H
#define MEZZO_LIB_PTX_DECODE_H

#include "lib/Ptx/Machine.h"

#include "llvm/ADT/StringMap.h"

#include <optional>

namespace mezzo::ptx {

class Decoder;
using DecodeFn = Action (*)(Decoder &);
using OpcodeTable = llvm::StringMap<DecodeFn>;

void addArithmetic(OpcodeTable &table);  // Integer.cpp
void addBits(OpcodeTable &table);        // Bits.cpp
void addFloat(OpcodeTable &table);       // Float.cpp
void addComparisons(OpcodeTable &table); // Compare.cpp
void addConversions(OpcodeTable &table); // Convert.cpp
void addMoves(OpcodeTable &table);       // Move.cpp
void addMemory(OpcodeTable &table);      // LoadStore.cpp
void addAtomics(OpcodeTable &table);     // Atomic.cpp
void addCopies(OpcodeTable &table);      // AsyncCopy.cpp
void addControl(OpcodeTable &table);     // Control.cpp
void addWarpWide(OpcodeTable &table);    // WarpWide.cpp
void addMatrix(OpcodeTable &table);      // Matrix.cpp

/// Where the program put its .global and .const variables.
using SymbolAddresses = llvm::StringMap<uint64_t>;

/// Decodes one instruction. The first complaint counts; after it all functions
/// still return something harmless.
class Decoder {
public:
  Decoder(const Kernel &kernel, const Instruction &instruction,
          const SymbolAddresses &symbols)
      : kernel(kernel), instruction(instruction), symbols(symbols) {}

  /// The step, or an error without a place.
  llvm::Expected<Step> run(const OpcodeTable &table);

  // The words.

  llvm::StringRef opcode() const { return instruction.words[0]; }
  /// Whether the next word is `word`; takes it.
  bool take(llvm::StringRef word);
  /// Which of `words` is next; takes it. -1: none of them.
  int takeOneOf(llvm::ArrayRef<llvm::StringRef> words);
  std::optional<Type> takeType();
  /// A type has to come next.
  Type type();
  /// The next word, taken whatever it is; "" at the end.
  llvm::StringRef word();
  llvm::StringRef peekWord() const;

  // The operands.

  size_t operandCount() const { return instruction.operands.size(); }
  const Operand &operand(unsigned i);
  void expectOperands(unsigned least, unsigned most = 0);
  /// A register that is written.
  int32_t destination(unsigned i);
  int32_t destination(const Operand &operand);
  /// The same, or -1 for `_`.
  int32_t destinationOrSink(const Operand &operand);
  /// Bits of a register.
  unsigned widthOf(int32_t reg) const;
  /// A value of `type`, zero-extended; immediates are converted to it.
  Reader source(unsigned i, Type type);
  Reader source(const Operand &operand, Type type);
  /// A predicate, `!p` understood.
  Reader predicate(unsigned i);
  Reader predicate(const Operand &operand);
  /// All registers of {a, b, ...}, or the one.
  llvm::SmallVector<int32_t, 8> destinations(unsigned i);
  llvm::SmallVector<Reader, 8> sources(unsigned i, Type type);
  /// What [a + 8] means; a Symbol's address counts from its space's start.
  Reader address(unsigned i);
  /// The variable that an address names directly, or null.
  const Variable *variableOf(unsigned i);

  void gatherAll() { step.gathering = Step::Aligned; }
  void gatherMembers(Reader mask) {
    step.gathering = Step::Members;
    step.members = std::move(mask);
  }

  Action complain(const llvm::Twine &message);
  bool complained() const { return !complaint.empty(); }

  const Kernel &kernel;
  const Instruction &instruction;

private:
  const SymbolAddresses &symbols;
  size_t nextWord = 1;
  Step step;
  std::string complaint;

  Reader special(llvm::StringRef name);
  uint64_t addressOf(const Operand &operand);
};

/// All bits of a width.
inline uint64_t maskOf(unsigned bits) {
  return bits >= 64 ? ~0ull : (1ull << bits) - 1;
}

/// The value of `bits` bits as a signed number.
inline int64_t signExtend(uint64_t value, unsigned bits) {
  return bits >= 64 ? int64_t(value)
                    : int64_t(value << (64 - bits)) >> (64 - bits);
}

/// dst[lane] = f(sources[lane]...), cut to `bits`.
template <typename F>
Action unary(int32_t dst, unsigned bits, Reader a, F f) {
  return [=, mask = maskOf(bits)](Warp &warp, uint32_t active) {
    forEachLane(active, [&](unsigned lane) {
      warp.set(dst, lane, uint64_t(f(a(warp, lane))) & mask);
    });
  };
}
template <typename F>
Action binary(int32_t dst, unsigned bits, Reader a, Reader b, F f) {
  return [=, mask = maskOf(bits)](Warp &warp, uint32_t active) {
    forEachLane(active, [&](unsigned lane) {
      warp.set(dst, lane, uint64_t(f(a(warp, lane), b(warp, lane))) & mask);
    });
  };
}
template <typename F>
Action ternary(int32_t dst, unsigned bits, Reader a, Reader b, Reader c, F f) {
  return [=, mask = maskOf(bits)](Warp &warp, uint32_t active) {
    forEachLane(active, [&](unsigned lane) {
      warp.set(dst, lane,
               uint64_t(f(a(warp, lane), b(warp, lane), c(warp, lane))) & mask);
    });
  };
}

} // namespace mezzo::ptx

#endif // MEZZO_LIB_PTX_DECODE_H
