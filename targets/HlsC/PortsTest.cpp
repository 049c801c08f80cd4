//===- PortsTest.cpp - loops that their arrays cannot feed ----------------===//

#include "targets/HlsC/Ports.h"

#include "targets/HlsC/CodeBuilder.h"
#include "targets/HlsC/Fifos.h"

#include "mlir/IR/OwningOpRef.h"
#include "gtest/gtest.h"

using namespace mezzo;
using namespace mezzo::hlsc;
using mlir::Value;

namespace {

class Ports : public testing::Test {
protected:
  Ports() {
    context.loadDialect<mlir::emitc::EmitCDialect>();
    module = mlir::ModuleOp::create(mlir::UnknownLoc::get(&context));
    c.emplace(*module, Language::Hls);
  }

  /// A function whose local array `a` has `banks`, read at 8 i + j, j < 8, in
  /// a loop over i that states `interval`.
  std::string eightReads(llvm::ArrayRef<Partition> banks, int64_t interval) {
    c->function("f", {}, mlir::Type(), [&](llvm::ArrayRef<Value>) {
      Value a = c->localArray("a", c->i32(), {64}, banks);
      c->loop("i", 8, [&](Expr i) {
        c->pipeline(interval);
        Place sum = c->variable("sum", c->i32(), 0);
        c->loop("j", 8, [&](Expr j) {
          c->unroll();
          sum += c->element(a, {i * 8 + j});
        });
      });
    });
    return llvm::toString(checkPorts(*module));
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::optional<CodeBuilder> c;
};

TEST_F(Ports, EveryBankOnce) { EXPECT_EQ(eightReads({{0, 8}}, 1), ""); }

TEST_F(Ports, TwoPortsForEveryBank) { EXPECT_EQ(eightReads({{0, 4}}, 1), ""); }

TEST_F(Ports, TooFewBanks) {
  EXPECT_EQ(eightReads({{0, 2}}, 1),
            "function 'f' accesses bank 0 of array 'a' at 4 addresses in an "
            "iteration; with 2 ports and an initiation interval of 1 there can "
            "be 2");
}

TEST_F(Ports, MoreTimeHelps) { EXPECT_EQ(eightReads({{0, 2}}, 2), ""); }

TEST_F(Ports, OneMemory) {
  EXPECT_EQ(eightReads({}, 1),
            "function 'f' accesses array 'a' at 8 addresses in an "
            "iteration; with 2 ports and an initiation interval of 1 there can "
            "be 2");
}

TEST_F(Ports, Registers) { EXPECT_EQ(eightReads({{0, 0}}, 1), ""); }

/// Through a function that is called, with an index that depends on data: a
/// column of its own for each makes them one address.
TEST_F(Ports, LookUps) {
  auto tables = [&](llvm::StringRef name, llvm::ArrayRef<Partition> banks) {
    mlir::Type type = c->array(c->i32(), {16, 8});
    auto look = c->function(("look_" + name).str(),
                            {{"t", type, true}, {"at", c->i32()}}, c->i32(),
                            [&](llvm::ArrayRef<Value> in) {
                              Place sum = c->variable("sum", c->i32(), 0);
                              for (int i = 0; i < 4; ++i) {
                                Expr key = c->call("key", c->i32(), {});
                                sum += c->element(in[0], {c->expr(in[1]), key});
                              }
                              c->give(sum);
                            });
    c->function(name, {}, mlir::Type(), [&](llvm::ArrayRef<Value>) {
      Value t = c->localArray("t", c->i32(), {16, 8}, banks);
      Value y = c->localArray("y", c->i32(), {16}, {});
      c->loop("i", 16, [&](Expr i) {
        c->pipeline();
        c->element(y, {i}) = c->call(look, {t, i.value});
      });
    });
  };
  tables("partitioned", {{1, 0}});
  EXPECT_EQ(llvm::toString(checkPorts(*module)), "");
  tables("whole", {});
  EXPECT_EQ(llvm::toString(checkPorts(*module)),
            "function 'whole' accesses array 't' at 4 addresses in an "
            "iteration; with 2 ports and an initiation interval of 1 there can "
            "be 2");
}

//===----------------------------------------------------------------------===//
// FIFOs
//===----------------------------------------------------------------------===//

/// x -> norm -> gated -> y, and x -> y: `y` reads its first element of x when
/// two rows, of the norm and of the softmax, have been read.
TEST(Fifos, HoldRowsForTheLongerWay) {
  Plan plan;
  auto wire = [&](int producer) {
    Wire w;
    w.columns = 8;
    w.producer = producer;
    plan.wires.push_back(w);
  };
  auto stage = [&](Stage::Kind kind, std::vector<int> inputs) {
    Stage s;
    s.kind = kind;
    s.inputs = std::move(inputs);
    s.output = plan.wires.size();
    wire(plan.stages.size());
    plan.stages.push_back(std::move(s));
  };
  wire(-1);
  stage(Stage::Kind::RmsNorm, {0});
  stage(Stage::Kind::Elementwise, {1});
  stage(Stage::Kind::Softmax, {2});
  stage(Stage::Kind::Elementwise, {0, 3});
  EXPECT_EQ(rowsHeld(plan, 0, 3), 2);
  EXPECT_EQ(rowsHeld(plan, 3, 3), 0);
  EXPECT_EQ(rowsHeld(plan, 0, 0), 0);
}

} // namespace
