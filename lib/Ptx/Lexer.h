//===- Lexer.h - PTX text to tokens -----------------------------*- C++ -*-===//

#ifndef MEZZO_LIB_PTX_LEXER_H
#define MEZZO_LIB_PTX_LEXER_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <vector>

namespace mezzo::ptx {

struct Token {
  enum Kind : uint8_t {
    End,
    Word,      ///< Identifiers, with all their dots: mad.lo.s32, %tid.x, $L1.
    Directive, ///< A word that begins with a dot: .reg, .visible.
    Integer,   ///< `bits`.
    Float32,   ///< 0f3F800000
    Float64,   ///< 0d..., and decimal literals with a point.
    String,
    Mark ///< One character: , ; : { } [ ] ( ) < > | @ ! + - =
  };
  Kind kind = End;
  unsigned line = 0;
  llvm::StringRef text;
  uint64_t bits = 0;

  bool is(char mark) const { return kind == Mark && text[0] == mark; }
  bool isDirective(llvm::StringRef name) const {
    return kind == Directive && text == name;
  }
};

/// All tokens of `text`, an End last. Errors name `module` and the line.
llvm::Expected<std::vector<Token>> tokenize(llvm::StringRef text,
                                            llvm::StringRef module);

} // namespace mezzo::ptx

#endif // MEZZO_LIB_PTX_LEXER_H
