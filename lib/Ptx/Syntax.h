//===- Syntax.h - A PTX module as it is written -----------------*- C++ -*-===//
//
// What the parser makes of PTX text: names resolved to registers, variables and
// labels, instructions still spelt as text. What an instruction means is
// Decode.h's affair, so that this file does not grow with the instruction set.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_LIB_PTX_SYNTAX_H
#define MEZZO_LIB_PTX_SYNTAX_H

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <string>
#include <vector>

namespace mezzo::ptx {

/// Where a variable lies.
enum class Space : uint8_t { Generic, Global, Shared, Local, Param, Const };

llvm::StringRef nameOf(Space space);

/// A fundamental type: `.u32`, `.f16x2`, `.pred`.
struct Type {
  enum Kind : uint8_t { None, Pred, Bits, Unsigned, Signed, Float, BFloat };
  Kind kind = None;
  uint8_t bits = 0; ///< Of one element.
  uint8_t lanes = 1;

  unsigned width() const { return bits * lanes; }
  unsigned bytes() const { return width() / 8; }
  bool isInteger() const { return kind >= Bits && kind <= Signed; }
  bool isFloat() const { return kind == Float || kind == BFloat; }
  bool operator==(const Type &o) const {
    return kind == o.kind && bits == o.bits && lanes == o.lanes;
  }
  /// `name` without its dot. None, with bits = 0, where it is no type.
  static Type parse(llvm::StringRef name);
};

/// A variable of the module or of a kernel, and the parameters.
struct Variable {
  std::string name;
  Space space = Space::Global;
  uint64_t size = 0;   ///< Bytes. 0: `extern`, sized by the launch.
  uint64_t align = 1;  ///< Bytes.
  uint64_t offset = 0; ///< In its space's frame; filled in by the parser.
  std::vector<uint8_t> init;
};

struct Operand {
  enum Kind : uint8_t {
    Register,  ///< `reg`.
    Immediate, ///< `imm`: bits of an integer, or of an f32 or f64 literal.
    Special,   ///< `name`: %tid.x and the like.
    Address,   ///< [base + imm]; base a register, a variable or nothing.
    Symbol,    ///< A variable's address.
    Label,     ///< `imm`: the index of an instruction.
    Vector,    ///< {a, b, ...}.
    Pair,      ///< d|p, two destinations.
    Sink       ///< `_`.
  };
  enum Literal : uint8_t { Integer, F32, F64 };

  Kind kind = Sink;
  Literal literal = Integer;
  bool negated = false;  ///< `!p` as a source.
  bool hasBase = false;  ///< Of an Address: `reg` is meant.
  int32_t reg = -1;      ///< Index in the kernel's register file.
  int32_t variable = -1; ///< Index in the kernel's variables.
  uint64_t imm = 0;
  std::string name; ///< Of a Special; of a Label before it is resolved.
  std::vector<Operand> parts;
};

struct Instruction {
  unsigned line = 0;
  std::string text;                        ///< As written, without the guard.
  llvm::SmallVector<std::string, 6> words; ///< `mad`, `lo`, `s32`.
  int32_t guard = -1;                      ///< Register of @p; -1: none.
  bool guardNegated = false;
  llvm::SmallVector<Operand, 4> operands;
};

struct Register {
  std::string name;
  Type type;
};

struct Kernel {
  std::string name;
  unsigned line = 0;
  std::vector<Variable> variables; ///< Of the module first, then its own.
  std::vector<int32_t> params;     ///< Indices into `variables`, in order.
  std::vector<Register> registers;
  std::vector<Instruction> instructions;
  uint64_t sharedBytes = 0; ///< Static.
  uint64_t localBytes = 0;
  uint64_t paramBytes = 0;
  /// .reqntid and .maxntid, 0 where not given.
  unsigned requiredThreads[3] = {0, 0, 0};
  unsigned maxThreads[3] = {0, 0, 0};
};

struct Module {
  std::string name; ///< What messages call it: a file's name.
  std::string version;
  std::string target;              ///< sm_80
  std::vector<Variable> variables; ///< .global and .const.
  std::vector<Kernel> kernels;

  const Kernel *lookup(llvm::StringRef kernel) const;
};

/// `name` is what messages call the text: "NAME:LINE: what is wrong".
llvm::Expected<Module> parseModule(llvm::StringRef text, llvm::StringRef name);

/// "NAME:LINE: message".
llvm::Error errorAt(llvm::StringRef name, unsigned line,
                    const llvm::Twine &message);

} // namespace mezzo::ptx

#endif // MEZZO_LIB_PTX_SYNTAX_H
