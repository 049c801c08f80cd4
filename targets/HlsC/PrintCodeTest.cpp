//===- PrintCodeTest.cpp - readable C, and the same as MLIR's -------------===//

#include "targets/HlsC/PrintCode.h"

#include "targets/HlsC/CodeBuilder.h"

#include "mlir/IR/OwningOpRef.h"
#include "mlir/Target/Cpp/CppEmitter.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"

#include <cstdlib>

using namespace mezzo;
using namespace mezzo::hlsc;
using llvm::ArrayRef;
using mlir::Value;

namespace {

class Printed : public testing::Test {
protected:
  Printed() {
    context.loadDialect<mlir::emitc::EmitCDialect>();
    module = mlir::ModuleOp::create(mlir::UnknownLoc::get(&context));
    c.emplace(*module, Language::C);
  }
  std::string text() {
    std::string result;
    llvm::raw_string_ostream os(result);
    printCode(*module, os);
    return result;
  }
  /// The body of a function of x (i32) and a (8 times i32), printed.
  std::string body(llvm::function_ref<void(Expr x, Value a)> write) {
    c->function("f", {{"x", c->i32()}, {"a", c->array(c->i32(), {8})}},
                mlir::Type(),
                [&](ArrayRef<Value> in) { write(c->expr(in[0]), in[1]); });
    std::string all = text();
    size_t begin = all.find("{\n") + 2;
    return all.substr(begin, all.rfind("}\n") - begin);
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::optional<CodeBuilder> c;
};

TEST_F(Printed, OperatorsBindAsInC) {
  EXPECT_EQ(body([&](Expr x, Value a) {
              c->element(a, {c->integer(0)}) = (x + 1) * 2 - (x - (x - 3));
              c->element(a, {c->integer(1)}) = (x & 7) + (x << 2);
              c->element(a, {c->integer(2)}) = -(x + 1);
              c->element(a, {c->integer(3)}) =
                  c->choose(x < 3, x * x, x / c->integer(2) / x);
            }),
            "  a[0] = (x + 1) * 2 - (x - (x - 3));\n"
            "  a[1] = (x & 7) + (x << 2);\n"
            "  a[2] = -(x + 1);\n"
            "  a[3] = (x < 3) ? x * x : x / 2 / x;\n");
}

/// What is read before something is written stays before it.
TEST_F(Printed, ValuesStandWhereTheyMean) {
  EXPECT_EQ(body([&](Expr x, Value a) {
              Place first = c->element(a, {c->integer(0)});
              Expr before = first;
              first = x;
              c->element(a, {c->integer(1)}) = before;
              Expr twice = c->element(a, {c->integer(2)});
              c->element(a, {c->integer(3)}) = twice * twice;
              first += x;
            }),
            "  const int32_t t = a[0];\n"
            "  a[0] = x;\n"
            "  a[1] = t;\n"
            "  const int32_t t_2 = a[2];\n"
            "  a[3] = t_2 * t_2;\n"
            "  a[0] += x;\n");
}

TEST_F(Printed, NamesAreThoseOfTheirPlace) {
  EXPECT_EQ(body([&](Expr x, Value a) {
              Place sum = c->variable("sum", c->i32(), x);
              for (int loop = 0; loop < 2; ++loop)
                c->loop("x", 8, [&](Expr i) {
                  Expr y = c->let("y", Expr(c->element(a, {i})) + 1);
                  sum += y;
                });
              c->element(a, {c->integer(0)}) = sum;
            }),
            "  int32_t sum = x;\n"
            "  for (int32_t x_2 = 0; x_2 < 8; ++x_2) {\n"
            "    const int32_t y = a[x_2] + 1;\n"
            "    sum += y;\n"
            "  }\n"
            "  for (int32_t x_2 = 0; x_2 < 8; ++x_2) {\n"
            "    const int32_t y = a[x_2] + 1;\n"
            "    sum += y;\n"
            "  }\n"
            "  a[0] = sum;\n");
}

/// MLIR's own translation of the same ops, run on the same numbers.
TEST_F(Printed, MeansWhatMlirPrints) {
  auto weigh = c->function(
      "weigh", {{"word", c->u32()}, {"a", c->array(c->i32(), {8}), true}},
      c->i32(), [&](ArrayRef<Value> in) {
        Place sum = c->variable("sum", c->i32(), 0);
        Place rest = c->variable("rest", c->u32(), c->expr(in[0]));
        c->loop("i", 8, [&](Expr i) {
          Expr code = c->let("code", c->convert(c->i32(), Expr(rest) & 15));
          rest = Expr(rest) >> 4;
          c->when(
              code < 8, [&] { sum += code * c->element(in[1], {i}); },
              [&] { sum = Expr(sum) - code; });
        });
        c->give(sum);
      });
  c->function("f", {{"a", c->array(c->i32(), {8})}}, c->i32(),
              [&](ArrayRef<Value> in) {
                Expr word = c->constant(c->u32(), 0x5af31c72);
                Expr first = c->call(weigh, {word.value, in[0]});
                c->element(in[0], {c->integer(0)}) = first;
                Expr second = c->call(weigh, {word.value, in[0]});
                c->give(first - second * c->element(in[0], {c->integer(1)}));
              });
  std::string theirs;
  llvm::raw_string_ostream os(theirs);
  ASSERT_TRUE(mlir::succeeded(mlir::emitc::translateToCpp(*module, os)));

  llvm::SmallString<128> folder;
  ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("mezzo-print", folder));
  std::string source = (folder + "/both.c").str(),
              program = (folder + "/both").str();
  {
    std::error_code error;
    llvm::raw_fd_ostream file(source, error);
    file << "#include <stdbool.h>\n#include <stdint.h>\n" << text();
    file << "#define weigh their_weigh\n#define f their_f\n" << theirs;
    file << "#undef f\nint main(void) {\n"
            "  int32_t a[8] = {3, -1, 4, 1, -5, 9, 2, 6}, b[8];\n"
            "  for (int i = 0; i < 8; ++i) b[i] = a[i];\n"
            "  int32_t x = f(a), y = their_f(b);\n"
            "  return x == 0 || x != y || a[0] != b[0];\n}\n";
  }
  std::string command =
      "gcc -Wall -Werror " + source + " -o " + program + " && " + program;
  EXPECT_EQ(std::system(command.c_str()), 0) << text() << theirs;
  llvm::sys::fs::remove_directories(folder);
}

} // namespace
