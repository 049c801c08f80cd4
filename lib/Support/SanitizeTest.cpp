//===- SanitizeTest.cpp ---------------------------------------------------===//

#include "lib/Support/Sanitize.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/ConvertUTF.h"

#include "gtest/gtest.h"

#include <random>

using namespace mezzo;
using llvm::StringRef;

namespace {

TEST(Identifier, Examples) {
  EXPECT_EQ(toIdentifier("layer/0::w"), "layer_0_w");
  EXPECT_EQ(toIdentifier("3d"), "x3d");
  EXPECT_EQ(toIdentifier("__x"), "x_x");
  EXPECT_EQ(toIdentifier(""), "x");
  EXPECT_EQ(toIdentifier("int"), "int_");
  EXPECT_EQ(toIdentifier("co_await"), "co_await_");
  EXPECT_EQ(toIdentifier("a\"; system(\"x"), "a_system_x");
  EXPECT_EQ(toIdentifier(std::string(500, 'a')).size(), 80u);
}

TEST(Identifier, AlwaysLegal) {
  std::mt19937 random(2);
  for (int i = 0; i < 20000; ++i) {
    std::string name(random() % 12, 0);
    for (char &c : name)
      c = random() % 3 ? "a_9-/:"[random() % 6] : char(random());
    std::string id = toIdentifier(name, 8);
    ASSERT_TRUE(llvm::isAlpha(id[0])) << id;
    ASSERT_LE(id.size(), 9u);
    ASSERT_EQ(id.find("__"), std::string::npos) << id;
    for (char c : id)
      ASSERT_TRUE(llvm::isAlnum(c) || c == '_') << id;
  }
}

TEST(Identifier, Unique) {
  UniqueIdentifiers names;
  EXPECT_EQ(names.get("a.b"), "a_b");
  EXPECT_EQ(names.get("a/b"), "a_b_2");
  EXPECT_EQ(names.get("a_b_2"), "a_b_2_2");
  EXPECT_EQ(names.get("a b"), "a_b_3");
  llvm::StringSet<> seen;
  for (int i = 0; i < 50000; ++i)
    ASSERT_TRUE(seen.insert(names.get(i % 2 ? "n" : "n_")).second);
}

TEST(Printable, Examples) {
  EXPECT_EQ(toPrintable("größe 層 ok"), "größe 層 ok");
  EXPECT_EQ(toPrintable("\x1b[2J\n\t"), "\\x1B[2J\\x0A\\x09");
  EXPECT_EQ(toPrintable("\xff"), "\\xFF");
  EXPECT_EQ(toPrintable("\xc2\x9b"
                        "31m"),
            "\\xC2\\x9B31m"); // CSI as one C1 character
  EXPECT_EQ(toPrintable("\xe2\x80\xae"),
            "\\xE2\\x80\\xAE");                     // right-to-left override
  EXPECT_EQ(toPrintable("\xc0\xaf"), "\\xC0\\xAF"); // overlong '/'
  EXPECT_EQ(toPrintable("\xed\xa0\x80"), "\\xED\\xA0\\x80"); // surrogate
  EXPECT_EQ(toPrintable("\xe5\xb1"), "\\xE5\\xB1");          // truncated
  EXPECT_EQ(toPrintable("aaa層", 5), "aaa...");
  EXPECT_EQ(quoted("a'\n"), "'a'\\x0A'");
}

TEST(Printable, NeverLetsAControlThrough) {
  std::mt19937 random(3);
  for (int i = 0; i < 20000; ++i) {
    std::string text(random() % 16, 0);
    for (char &c : text)
      c = char(random());
    std::string shown = toPrintable(text);
    const auto *bytes = reinterpret_cast<const llvm::UTF8 *>(shown.data());
    ASSERT_TRUE(llvm::isLegalUTF8String(&bytes, bytes + shown.size()));
    for (unsigned char c : shown)
      ASSERT_TRUE(c >= 0x20 && c != 0x7f);
  }
}

TEST(Comment, StaysOpen) {
  EXPECT_EQ(toComment("layer/0 * w"), "layer/0 * w");
  EXPECT_EQ(toComment("*/ int x; /*"), "* / int x; / *");
  EXPECT_EQ(toComment("/*/*/"), "/ * / * /");
  EXPECT_EQ(toComment("*\n/"), "*\\x0A/");
}

} // namespace
