//===- Decode.cpp - From the text of an instruction to what it does -------===//

#include "lib/Ptx/Decode.h"

#include "lib/Number/Half.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"

#include <cstring>

using namespace mezzo;
using namespace mezzo::ptx;
using llvm::StringRef;

llvm::Expected<Step> Decoder::run(const OpcodeTable &table) {
  step.source = &instruction;
  if (instruction.guard >= 0)
    step.reads.push_back(instruction.guard);
  auto it = table.find(opcode());
  if (it == table.end())
    return llvm::createStringError("the instruction '" + opcode() +
                                   "' is not known to the interpreter");
  step.action = it->second(*this);
  if (!complained() && nextWord < instruction.words.size())
    complain("the modifier '." + peekWord() + "' of '" + opcode() +
             "' is not known to the interpreter");
  if (complained())
    return llvm::createStringError(complaint);
  return std::move(step);
}

Action Decoder::complain(const llvm::Twine &message) {
  if (complaint.empty())
    complaint = message.str();
  return [](Warp &, uint32_t) {};
}

StringRef Decoder::peekWord() const {
  return nextWord < instruction.words.size()
             ? StringRef(instruction.words[nextWord])
             : StringRef();
}

StringRef Decoder::word() {
  StringRef word = peekWord();
  nextWord += !word.empty();
  return word;
}

bool Decoder::take(StringRef word) {
  if (peekWord() != word)
    return false;
  ++nextWord;
  return true;
}

int Decoder::takeOneOf(llvm::ArrayRef<StringRef> words) {
  for (auto [i, word] : llvm::enumerate(words))
    if (take(word))
      return int(i);
  return -1;
}

std::optional<Type> Decoder::takeType() {
  Type type = Type::parse(peekWord());
  if (type.kind == Type::None)
    return std::nullopt;
  ++nextWord;
  return type;
}

Type Decoder::type() {
  if (std::optional<Type> type = takeType())
    return *type;
  complain("expected a type after '" + llvm::join(instruction.words, ".") +
           "'");
  return {Type::Bits, 32, 1};
}

const Operand &Decoder::operand(unsigned i) {
  static const Operand none;
  if (i < operandCount())
    return instruction.operands[i];
  complain("too few operands: " + llvm::Twine(operandCount()));
  return none;
}

void Decoder::expectOperands(unsigned least, unsigned most) {
  if (operandCount() < least || operandCount() > std::max(least, most))
    complain(llvm::Twine(operandCount()) + " operands where '" + opcode() +
             "' takes " + llvm::Twine(least));
}

int32_t Decoder::destinationOrSink(const Operand &operand) {
  return operand.kind == Operand::Sink ? -1 : destination(operand);
}

int32_t Decoder::destination(const Operand &operand) {
  if (operand.kind != Operand::Register) {
    complain("the destination of '" + opcode() + "' is no register");
    return 0;
  }
  step.writes.push_back(operand.reg);
  return operand.reg;
}

int32_t Decoder::destination(unsigned i) { return destination(operand(i)); }

unsigned Decoder::widthOf(int32_t reg) const {
  return kernel.registers[reg].type.width();
}

/// An immediate operand as bits of `type`.
static uint64_t immediateBits(const Operand &operand, Type type) {
  if (operand.literal == Operand::Integer)
    return operand.imm & maskOf(type.width());
  // Literals of f32 and f64 serve either type; a float of 16 bits has none.
  double value;
  if (operand.literal == Operand::F32)
    value = floatOf(uint32_t(operand.imm));
  else
    std::memcpy(&value, &operand.imm, sizeof value);
  if (type.width() == 32)
    return operand.literal == Operand::F32 ? operand.imm : bitsOf(float(value));
  uint64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

Reader Decoder::source(const Operand &operand, Type type) {
  switch (operand.kind) {
  case Operand::Register: {
    if (operand.negated)
      complain("'!' before a register that is no predicate");
    step.reads.push_back(operand.reg);
    uint64_t mask = maskOf(type.width());
    return [reg = operand.reg, mask](const Warp &warp, unsigned lane) {
      return warp.get(reg, lane) & mask;
    };
  }
  case Operand::Immediate:
    if (operand.literal != Operand::Integer && type.width() < 32)
      complain("a float literal for a type of 16 bits");
    return [bits = immediateBits(operand, type)](const Warp &, unsigned) {
      return bits;
    };
  case Operand::Special:
    return special(operand.name);
  case Operand::Symbol:
    return [address = addressOf(operand)](const Warp &, unsigned) {
      return address;
    };
  default:
    complain("operand of '" + opcode() + "' is no value");
    return [](const Warp &, unsigned) { return uint64_t(0); };
  }
}

Reader Decoder::source(unsigned i, Type type) {
  return source(operand(i), type);
}

Reader Decoder::predicate(const Operand &operand) {
  if (operand.kind == Operand::Immediate)
    return [value = operand.imm != 0](const Warp &, unsigned) {
      return uint64_t(value);
    };
  if (operand.kind != Operand::Register || widthOf(operand.reg) != 1) {
    complain("an operand of '" + opcode() + "' should be a predicate");
    return [](const Warp &, unsigned) { return uint64_t(0); };
  }
  step.reads.push_back(operand.reg);
  return [reg = operand.reg, flip = uint64_t(operand.negated)](const Warp &warp,
                                                               unsigned lane) {
    return warp.get(reg, lane) ^ flip;
  };
}

Reader Decoder::predicate(unsigned i) { return predicate(operand(i)); }

llvm::SmallVector<int32_t, 8> Decoder::destinations(unsigned i) {
  const Operand &op = operand(i);
  llvm::SmallVector<int32_t, 8> regs;
  if (op.kind != Operand::Vector)
    return {destination(op)};
  for (const Operand &part : op.parts)
    regs.push_back(destinationOrSink(part));
  return regs;
}

llvm::SmallVector<Reader, 8> Decoder::sources(unsigned i, Type type) {
  const Operand &op = operand(i);
  llvm::SmallVector<Reader, 8> readers;
  if (op.kind != Operand::Vector)
    return {source(op, type)};
  for (const Operand &part : op.parts)
    readers.push_back(source(part, type));
  return readers;
}

uint64_t Decoder::addressOf(const Operand &operand) {
  const Variable &variable = kernel.variables[operand.variable];
  if (variable.space == Space::Global || variable.space == Space::Const)
    return symbols.lookup(variable.name) + operand.imm;
  return variable.offset + operand.imm;
}

Reader Decoder::address(unsigned i) {
  const Operand &op = operand(i);
  if (op.kind != Operand::Address) {
    complain("operand " + llvm::Twine(i) + " of '" + opcode() +
             "' should be an address in brackets");
    return [](const Warp &, unsigned) { return uint64_t(0); };
  }
  if (op.hasBase) {
    step.reads.push_back(op.reg);
    return [reg = op.reg, offset = op.imm](const Warp &warp, unsigned lane) {
      return warp.get(reg, lane) + offset;
    };
  }
  uint64_t fixed = op.variable >= 0 ? addressOf(op) : op.imm;
  return [fixed](const Warp &, unsigned) { return fixed; };
}

const Variable *Decoder::variableOf(unsigned i) {
  const Operand &op = operand(i);
  return op.variable >= 0 ? &kernel.variables[op.variable] : nullptr;
}

/// The thread's place in its block.
static Dim3 threadIndex(const Warp &warp, unsigned lane) {
  const Dim3 &extents = warp.grid().block;
  uint32_t linear = warp.threadOf(lane);
  return {linear % extents.x, linear / extents.x % extents.y,
          linear / extents.x / extents.y};
}

static uint32_t axisOf(const Dim3 &dims, char axis) {
  return axis == 'x' ? dims.x : axis == 'y' ? dims.y : dims.z;
}

Reader Decoder::special(StringRef name) {
  auto [base, axisName] = name.rsplit('.');
  if (axisName.size() == 1 && StringRef("xyz").contains(axisName[0])) {
    char axis = axisName[0];
    if (base == "%tid")
      return [axis](const Warp &w, unsigned lane) -> uint64_t {
        return axisOf(threadIndex(w, lane), axis);
      };
    if (base == "%ntid")
      return [axis](const Warp &w, unsigned) -> uint64_t {
        return axisOf(w.grid().block, axis);
      };
    if (base == "%ctaid")
      return [axis](const Warp &w, unsigned) -> uint64_t {
        return axisOf(w.block->index, axis);
      };
    if (base == "%nctaid")
      return [axis](const Warp &w, unsigned) -> uint64_t {
        return axisOf(w.grid().grid, axis);
      };
  }
  if (name == "%laneid")
    return [](const Warp &, unsigned lane) -> uint64_t { return lane; };
  if (name == "%warpid")
    return [](const Warp &w, unsigned) -> uint64_t { return w.index; };
  if (name.consume_front("%lanemask_")) {
    int kind = llvm::StringSwitch<int>(name)
                   .Case("eq", 0)
                   .Case("lt", 1)
                   .Case("le", 2)
                   .Case("gt", 3)
                   .Case("ge", 4)
                   .Default(-1);
    if (kind >= 0)
      return [kind](const Warp &, unsigned lane) -> uint64_t {
        uint32_t self = 1u << lane, below = self - 1;
        const uint32_t masks[] = {self, below, self | below, ~(self | below),
                                  ~below};
        return masks[kind];
      };
  }
  complain("the special register '" + instruction.operands.back().name +
           "' is not known to the interpreter");
  return [](const Warp &, unsigned) { return uint64_t(0); };
}
