//===- TokenCursor.h - Reading tokens one after the other -------*- C++ -*-===//

#ifndef MEZZO_LIB_PTX_TOKENCURSOR_H
#define MEZZO_LIB_PTX_TOKENCURSOR_H

#include "lib/Ptx/Lexer.h"
#include "lib/Ptx/Syntax.h"

namespace mezzo::ptx {

/// A place in the tokens of a module, and the steps of a parser from there.
class TokenCursor {
public:
  TokenCursor(std::vector<Token> tokens, std::string moduleName)
      : tokens(std::move(tokens)), moduleName(std::move(moduleName)) {}

  const Token &peek(size_t ahead = 0) const {
    return tokens[std::min(at + ahead, tokens.size() - 1)];
  }
  const Token &next() { return tokens[at + 1 < tokens.size() ? at++ : at]; }
  bool accept(char mark) {
    if (!peek().is(mark))
      return false;
    next();
    return true;
  }
  bool accept(llvm::StringRef directive) {
    if (!peek().isDirective(directive))
      return false;
    next();
    return true;
  }
  llvm::Error fail(const llvm::Twine &message) const {
    return errorAt(moduleName, peek().line, message);
  }
  llvm::Error expect(char mark) {
    if (accept(mark))
      return llvm::Error::success();
    return fail("expected '" + llvm::Twine(mark) + "' before '" + peek().text +
                "'");
  }
  llvm::Error expectInteger(uint64_t &value) {
    bool negative = accept('-');
    if (peek().kind != Token::Integer)
      return fail("expected a number before '" + peek().text + "'");
    value = next().bits;
    if (negative)
      value = -value;
    return llvm::Error::success();
  }
  /// `.loc` and `.file` end with their line.
  void skipLine() {
    unsigned line = peek().line;
    while (peek().kind != Token::End && peek().line == line)
      next();
  }
  llvm::Error skipBraces() {
    while (peek().kind != Token::End && !peek().is('{'))
      next();
    unsigned depth = 0;
    do {
      if (peek().kind == Token::End)
        return fail("a section that does not end");
      depth += peek().is('{');
      depth -= peek().is('}');
      next();
    } while (depth > 0);
    return llvm::Error::success();
  }

private:
  std::vector<Token> tokens;
  size_t at = 0;
  std::string moduleName; ///< For messages.
};

} // namespace mezzo::ptx

#endif // MEZZO_LIB_PTX_TOKENCURSOR_H
