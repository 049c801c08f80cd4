//===- Sanitize.cpp -------------------------------------------------------===//

#include "lib/Support/Sanitize.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/ConvertUTF.h"

using namespace mezzo;
using llvm::StringRef;

// C17 and C++20 together: headers that we write are read by both.
static bool isKeyword(StringRef word) {
  static const llvm::StringSet<> keywords = {"alignas",
                                             "alignof",
                                             "and",
                                             "and_eq",
                                             "asm",
                                             "auto",
                                             "bitand",
                                             "bitor",
                                             "bool",
                                             "break",
                                             "case",
                                             "catch",
                                             "char",
                                             "char8_t",
                                             "char16_t",
                                             "char32_t",
                                             "class",
                                             "compl",
                                             "concept",
                                             "const",
                                             "consteval",
                                             "constexpr",
                                             "constinit",
                                             "const_cast",
                                             "continue",
                                             "co_await",
                                             "co_return",
                                             "co_yield",
                                             "decltype",
                                             "default",
                                             "delete",
                                             "do",
                                             "double",
                                             "dynamic_cast",
                                             "else",
                                             "enum",
                                             "explicit",
                                             "export",
                                             "extern",
                                             "false",
                                             "float",
                                             "for",
                                             "friend",
                                             "goto",
                                             "if",
                                             "inline",
                                             "int",
                                             "long",
                                             "mutable",
                                             "namespace",
                                             "new",
                                             "noexcept",
                                             "not",
                                             "not_eq",
                                             "nullptr",
                                             "operator",
                                             "or",
                                             "or_eq",
                                             "private",
                                             "protected",
                                             "public",
                                             "register",
                                             "reinterpret_cast",
                                             "requires",
                                             "restrict",
                                             "return",
                                             "short",
                                             "signed",
                                             "sizeof",
                                             "static",
                                             "static_assert",
                                             "static_cast",
                                             "struct",
                                             "switch",
                                             "template",
                                             "this",
                                             "thread_local",
                                             "throw",
                                             "true",
                                             "try",
                                             "typedef",
                                             "typeid",
                                             "typename",
                                             "union",
                                             "unsigned",
                                             "using",
                                             "virtual",
                                             "void",
                                             "volatile",
                                             "wchar_t",
                                             "while",
                                             "xor",
                                             "xor_eq"};
  return keywords.contains(word);
}

std::string mezzo::toIdentifier(StringRef name, size_t maxLength) {
  assert(maxLength >= 2 && "no room for an identifier");
  std::string result;
  for (char c : name) {
    if (result.size() == maxLength)
      break;
    // Two underscores in a row are reserved in C++.
    if (llvm::isAlnum(c))
      result += c;
    else if (result.empty() || result.back() != '_')
      result += '_';
  }
  if (result.empty() || !llvm::isAlpha(result.front()))
    result.insert(result.begin(), 'x');
  if (result.size() > maxLength)
    result.pop_back();
  if (isKeyword(result))
    result += '_';
  return result;
}

std::string UniqueIdentifiers::get(StringRef name) {
  std::string stem = toIdentifier(name);
  std::string candidate = stem;
  // The count goes on where the last equal name left it: 10^5 nodes of one name
  // must not take 10^10 steps.
  unsigned &count = counts.try_emplace(stem, 1).first->second;
  while (!taken.insert(candidate).second)
    candidate =
        stem + (stem.back() == '_' ? "" : "_") + std::to_string(++count);
  return candidate;
}

/// Characters that change how the rest of a line is shown, or show nothing.
static bool isHidden(llvm::UTF32 c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c ||
         (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
         (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
         (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe007f);
}

/// The length in bytes of the UTF-8 character at the start of `text`, and the
/// character; length 0 when the bytes are not UTF-8.
static std::pair<size_t, llvm::UTF32> decodeOne(StringRef text) {
  auto *begin = reinterpret_cast<const llvm::UTF8 *>(text.data());
  const llvm::UTF8 *source = begin;
  size_t length = llvm::getNumBytesForUTF8(*source);
  if (length > text.size())
    return {0, 0};
  llvm::UTF32 c;
  if (llvm::convertUTF8Sequence(&source, begin + length, &c,
                                llvm::strictConversion) != llvm::conversionOK)
    return {0, 0};
  return {size_t(source - begin), c};
}

std::string mezzo::toPrintable(StringRef text, size_t maxLength) {
  std::string result;
  while (!text.empty()) {
    auto [length, c] = decodeOne(text);
    std::string shown;
    if (length != 0 && !isHidden(c)) {
      shown = text.take_front(length).str();
    } else {
      length = std::max<size_t>(length, 1);
      for (char byte : text.take_front(length))
        shown += "\\x" + llvm::toHex(StringRef(&byte, 1));
    }
    if (result.size() + shown.size() > maxLength)
      return result + "...";
    result += shown;
    text = text.drop_front(length);
  }
  return result;
}

std::string mezzo::quoted(StringRef name) {
  return "'" + toPrintable(name) + "'";
}

std::string mezzo::toComment(StringRef text) {
  std::string result;
  for (char c : toPrintable(text)) {
    bool meets = !result.empty() && ((result.back() == '*' && c == '/') ||
                                     (result.back() == '/' && c == '*'));
    if (meets)
      result += ' ';
    result += c;
  }
  return result;
}
