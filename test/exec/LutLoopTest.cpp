//===- LutLoopTest.cpp - the inner loops of look-up kernels, as text ------===//

#include "test/exec/Exec.h"
#include "test/exec/RandomProducts.h"

#include "llvm/Support/Regex.h"

using namespace mezzo;
using namespace mezzo::test;
using llvm::StringRef;

namespace {

/// The innermost loops of an assembly text: from a label to the jump back to
/// it, with no other label inside.
std::vector<std::string> innermostLoops(StringRef text) {
  std::vector<std::string> loops;
  llvm::SmallVector<StringRef> lines;
  text.split(lines, '\n');
  StringRef label;
  std::string body;
  for (StringRef line : lines) {
    line = line.split('#').first.trim();
    if (line.consume_back(":")) {
      label = line;
      body.clear();
    } else if (!label.empty() && line.starts_with("j") &&
               line.ends_with(label)) {
      loops.push_back(body);
      label = "";
    } else {
      body += (line + "\n").str();
    }
  }
  return loops;
}

class LutLoop : public ::testing::TestWithParam<const char *> {};

INSTANTIATE_TEST_SUITE_P(Formats, LutLoop,
                         ::testing::Values("uint1", "int2", "int3", "int4"),
                         [](const auto &info) {
                           return std::string(info.param);
                         });

TEST_P(LutLoop, LooksUpAndDoesNotMultiplyOrSpill) {
  std::string spec = std::string(GetParam()) + "/g128";
  Product product{randomMatrix(spec, 128, 256, 1), {}};
  bool hasPairs = product.weight.spec.format.bits() > 1;
  CompileOptions options;
  options.target = "x86-64-v3";
  for (int64_t m : {1, 8}) {
    CompileSession session(options, [](Severity, const std::string &) {});
    ASSERT_TRUE(mlir::succeeded(session.adopt(llvm::cantFail(
        productModule(session.context(), product, ComputeMode::Lut8, m)))));
    auto text = session.emitText(Stage::Asm);
    ASSERT_TRUE(mlir::succeeded(text));
    int lookups = 0;
    for (const std::string &loop : innermostLoops(*text)) {
      StringRef body = loop;
      if (!body.contains("vpshufb") || body.contains("vdivps"))
        continue; // dividing makes the tables
      ++lookups;
      // Two planes of a row are multiplied by their weights together; of a lone
      // plane nothing is multiplied.
      EXPECT_EQ(body.contains("vpmaddubsw"), hasPairs) << loop;
      llvm::Regex multiplies("mul|vpmaddwd|vfm");
      EXPECT_FALSE(multiplies.match(body)) << "M = " << m << "\n" << loop;
      llvm::Regex spills("vmov[a-z0-9]+[ \t]+%[xy]mm[0-9]+, [-0-9]*\\(%r[sb]p");
      EXPECT_FALSE(spills.match(body)) << "M = " << m << "\n" << loop;
    }
    EXPECT_GE(lookups, 1) << "M = " << m;
  }
}

} // namespace
