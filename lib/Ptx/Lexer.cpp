//===- Lexer.cpp - PTX text to tokens -------------------------------------===//

#include "lib/Ptx/Lexer.h"

#include "lib/Ptx/Syntax.h"

#include "llvm/ADT/StringExtras.h"

#include <cstring>

using namespace mezzo::ptx;
using llvm::StringRef;

namespace {

bool beginsWord(char c) {
  return llvm::isAlpha(c) || c == '_' || c == '$' || c == '%';
}

bool continuesWord(char c) {
  return llvm::isAlnum(c) || c == '_' || c == '$' || c == '%' || c == '.';
}

class Lexer {
public:
  Lexer(StringRef text, StringRef module) : rest(text), module(module) {}

  llvm::Expected<std::vector<Token>> run() {
    std::vector<Token> tokens;
    while (true) {
      if (llvm::Error error = skipSpace())
        return std::move(error);
      Token token;
      token.line = line;
      if (rest.empty()) {
        tokens.push_back(token);
        return tokens;
      }
      if (llvm::Error error = lex(token))
        return std::move(error);
      tokens.push_back(token);
    }
  }

private:
  StringRef rest;
  StringRef module;
  unsigned line = 1;

  llvm::Error skipSpace() {
    while (!rest.empty()) {
      if (rest[0] == '\n') {
        ++line;
        rest = rest.drop_front();
      } else if (llvm::isSpace(rest[0])) {
        rest = rest.drop_front();
      } else if (rest.starts_with("//")) {
        rest = rest.drop_front(std::min(rest.size(), rest.find('\n')));
      } else if (rest.starts_with("/*")) {
        size_t end = rest.find("*/", 2);
        if (end == StringRef::npos)
          return errorAt(module, line, "a comment that does not end");
        line += rest.take_front(end).count('\n');
        rest = rest.drop_front(end + 2);
      } else {
        break;
      }
    }
    return llvm::Error::success();
  }

  StringRef take(size_t length) {
    StringRef text = rest.take_front(length);
    rest = rest.drop_front(length);
    return text;
  }

  llvm::Error lex(Token &token) {
    char c = rest[0];
    if (beginsWord(c) || (c == '.' && rest.size() > 1 && beginsWord(rest[1]))) {
      token.kind = c == '.' ? Token::Directive : Token::Word;
      token.text = take(1 + rest.drop_front().take_while(continuesWord).size());
      return llvm::Error::success();
    }
    if (llvm::isDigit(c))
      return lexNumber(token);
    if (c == '"') {
      size_t end = rest.find('"', 1);
      if (end == StringRef::npos)
        return errorAt(module, line, "a string that does not end");
      token.kind = Token::String;
      token.text = take(end + 1).drop_front().drop_back();
      return llvm::Error::success();
    }
    if (std::strchr(",;:{}[]()<>|@!+-=", c)) {
      token.kind = Token::Mark;
      token.text = take(1);
      return llvm::Error::success();
    }
    return errorAt(module, line,
                   llvm::Twine("unexpected character '") + rest.take_front(1) +
                       "'");
  }

  llvm::Error lexNumber(Token &token) {
    StringRef text =
        rest.take_while([](char c) { return llvm::isAlnum(c) || c == '.'; });
    token.text = take(text.size());
    StringRef head = text.take_front(2);
    // The bits of a float: 0f and 0d. A hexadecimal integer begins with 0x.
    bool single = head.equals_insensitive("0f");
    if (single || head.equals_insensitive("0d")) {
      token.kind = single ? Token::Float32 : Token::Float64;
      StringRef digits = text.drop_front(2);
      if (digits.size() != (single ? 8u : 16u) ||
          digits.getAsInteger(16, token.bits))
        return errorAt(module, line, "bad float literal '" + text + "'");
      return llvm::Error::success();
    }
    if (text.contains('.')) {
      token.kind = Token::Float64;
      double value;
      if (text.getAsDouble(value))
        return errorAt(module, line, "bad number '" + text + "'");
      std::memcpy(&token.bits, &value, sizeof value);
      return llvm::Error::success();
    }
    token.kind = Token::Integer;
    StringRef digits =
        text.ends_with_insensitive("U") ? text.drop_back() : text;
    if (digits.getAsInteger(0, token.bits))
      return errorAt(module, line, "bad number '" + text + "'");
    return llvm::Error::success();
  }
};

} // namespace

llvm::Expected<std::vector<Token>> mezzo::ptx::tokenize(StringRef text,
                                                        StringRef module) {
  return Lexer(text, module).run();
}
