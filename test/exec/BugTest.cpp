//===- BugTest.cpp - what happens when a pass is at fault -----------------===//

#include "test/exec/Exec.h"

#include "tools/driver/Context.h"
#include "tools/driver/CrashWatch.h"

#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace mezzo;
using namespace mezzo::test;
using llvm::StringRef;

namespace {

/// A pass that misbehaves as its name says.
template <int Kind>
struct Misbehave
    : mlir::PassWrapper<Misbehave<Kind>, mlir::OperationPass<mlir::ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(Misbehave)
  static constexpr StringRef names[] = {
      "test-complain", "test-fail", "test-break", "test-give-up", "test-crash"};
  StringRef getArgument() const override { return names[Kind]; }
  StringRef getDescription() const override { return "misbehaves"; }
  void runOnOperation() override {
    mlir::ModuleOp module = this->getOperation();
    auto main = module.lookupSymbol<mlir::func::FuncOp>("main");
    switch (Kind) {
    case 0:
      main.emitError("complained");
      return this->signalPassFailure();
    case 1:
      return this->signalPassFailure();
    case 2: // no longer what its block says
      main.setType(mlir::FunctionType::get(module.getContext(), {}, {}));
      return;
    case 3:
      llvm::report_fatal_error("cannot select this");
    case 4:
      *reinterpret_cast<volatile int *>(8) = 0;
    }
  }
};

const char *const moduleText = R"(
  func.func @main(%x: tensor<?x4xf32>) -> tensor<?x4xf32> attributes {
      mezzo.entry,
      mezzo.inputs = [{name = "x", dtype = "f32", dims = array<i64: -1, 4>,
                       dim_names = ["m", ""]}],
      mezzo.outputs = [{name = "y", dtype = "f32", dims = array<i64: -1, 4>,
                        dim_names = ["m", ""]}]} {
    return %x : tensor<?x4xf32>
  })";

class Bug : public ::testing::Test {
protected:
  static void SetUpTestSuite() {
    mlir::PassRegistration<Misbehave<0>>();
    mlir::PassRegistration<Misbehave<1>>();
    mlir::PassRegistration<Misbehave<2>>();
    mlir::PassRegistration<Misbehave<3>>();
    mlir::PassRegistration<Misbehave<4>>();
  }

  /// Compiles the module above with these passes in between.
  void compile(const std::string &passes) {
    CompileOptions options;
    options.extraPasses = passes;
    options.reproducer = folder.file("m.so.reproducer.mlir");
    messages.clear();
    // Not destroyed after a crash.
    session = new CompileSession(
        options, [this](Severity severity, const std::string &text) {
          if (severity == Severity::Error)
            messages += text + "\n";
        });
    auto body = [&] {
      auto module = mlir::parseSourceString<mlir::ModuleOp>(
          moduleText, &session->context());
      ASSERT_TRUE(module);
      succeeded = mlir::succeeded(session->adopt(std::move(module))) &&
                  mlir::succeeded(session->writeShared(folder.file("m.so")));
    };
    crash = runGuarded(body);
    if (crash)
      session->reportCrash(*crash);
  }

  std::string reproducer() {
    auto buffer =
        llvm::MemoryBuffer::getFile(folder.file("m.so.reproducer.mlir"));
    return buffer ? (*buffer)->getBuffer().str() : std::string();
  }

  ScratchFolder folder;
  CompileSession *session = nullptr;
  bool succeeded = false;
  std::optional<std::string> crash;
  std::string messages;
};

/// The module as it was before the pipeline, which is named and can be read
/// again.
void expectReproducer(const std::string &text, StringRef pipeline) {
  EXPECT_TRUE(StringRef(text).contains("func.func @main(%arg0")) << text;
  EXPECT_TRUE(StringRef(text).contains(
      ("pipeline: \"builtin.module(" + pipeline + ")\"").str()))
      << text;
  mlir::DialectRegistry registry;
  registerDialects(registry);
  mlir::MLIRContext context(registry);
  EXPECT_TRUE(mlir::parseSourceString<mlir::ModuleOp>(text, &context));
}

TEST_F(Bug, NoneInOrdinaryPasses) {
  compile("canonicalize,cse");
  EXPECT_TRUE(succeeded) << messages;
  EXPECT_FALSE(session->foundBug());
  EXPECT_EQ(messages, "");
  EXPECT_EQ(reproducer(), "");
  delete session;
}

TEST_F(Bug, PassThatDoesNotExistIsTheUsers) {
  compile("test-nothing");
  EXPECT_FALSE(succeeded);
  EXPECT_FALSE(session->foundBug());
  EXPECT_TRUE(StringRef(messages).contains("'test-nothing' does not refer"))
      << messages;
  EXPECT_EQ(reproducer(), "");
  delete session;
}

TEST_F(Bug, PassThatComplains) {
  compile("canonicalize,test-complain");
  EXPECT_FALSE(succeeded);
  EXPECT_TRUE(session->foundBug());
  EXPECT_EQ(messages, "pass test-complain failed while running extra passes: "
                      "complained; this is a bug of mezzo: please report it "
                      "with '" +
                          folder.file("m.so.reproducer.mlir") +
                          "', which mezzo-opt --run-reproducer repeats\n");
  expectReproducer(reproducer(), "canonicalize{  max-iterations=10 "
                                 "max-num-rewrites=-1 region-simplify=normal "
                                 "test-convergence=false top-down=true},"
                                 "test-complain");
  delete session;
}

TEST_F(Bug, PassThatFailsInSilence) {
  compile("test-fail");
  EXPECT_TRUE(session->foundBug());
  EXPECT_TRUE(StringRef(messages).starts_with(
      "pass test-fail failed while running extra passes; this is a bug"))
      << messages;
  expectReproducer(reproducer(), "test-fail");
  delete session;
}

TEST_F(Bug, VerifierComplains) {
  compile("test-break");
  EXPECT_TRUE(session->foundBug());
  EXPECT_TRUE(StringRef(messages).starts_with(
      "pass test-break failed while running extra passes: "))
      << messages;
  EXPECT_EQ(StringRef(messages).count('\n'), 1u) << messages;
  expectReproducer(reproducer(), "test-break");
  delete session;
}

TEST_F(Bug, GivingUp) {
  compile("test-give-up");
  ASSERT_TRUE(crash);
  EXPECT_EQ(*crash, "cannot select this");
  EXPECT_TRUE(StringRef(messages).starts_with(
      "the compiler crashed while running extra passes (cannot select this); "
      "this is a bug of mezzo: please report it with '"))
      << messages;
  expectReproducer(reproducer(), "test-give-up");
}

TEST_F(Bug, Crash) {
  compile("test-crash");
  ASSERT_TRUE(crash);
  EXPECT_EQ(*crash, "");
  EXPECT_TRUE(StringRef(messages).starts_with(
      "the compiler crashed while running extra passes; this is a bug"))
      << messages;
  expectReproducer(reproducer(), "test-crash");
}

TEST_F(Bug, NowhereToWrite) {
  ASSERT_FALSE(
      llvm::sys::fs::create_directory(folder.file("m.so.reproducer.mlir")));
  compile("test-fail");
  EXPECT_TRUE(session->foundBug());
  EXPECT_TRUE(StringRef(messages).contains("(no reproducer: cannot write"))
      << messages;
  delete session;
}

} // namespace
