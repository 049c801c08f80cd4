//===- RowTest.cpp - softmax and norms against the reference --------------===//

#include "test/exec/Exec.h"

#include "lib/Golden/Compare.h"
#include "lib/Golden/Rows.h"

#include "mlir/Parser/Parser.h"

using namespace mezzo;
using namespace mezzo::test;

namespace {

/// A module of one row op over [?, columns], written as text.
std::string moduleText(const std::string &constants, const std::string &op,
                       int64_t columns) {
  std::string type = "tensor<?x" + std::to_string(columns) + "xf32>";
  std::string tensor = R"({name = "x", dtype = "f32", dims = array<i64: -1, )" +
                       std::to_string(columns) + R"(>, dim_names = ["m", ""]})";
  return "func.func @main(%x: " + type + ") -> " + type +
         " attributes {mezzo.entry, mezzo.inputs = [" + tensor +
         "], mezzo.outputs = [" + tensor + "]} {\n" + constants +
         "  %y = " + op + " : (" + type;
}

struct RowOp {
  std::string name;
  std::function<std::string(int64_t)> text;
  std::function<void(llvm::ArrayRef<float>, int64_t, int64_t,
                     llvm::MutableArrayRef<float>)>
      reference;
};

/// A per-column constant that is not symmetric in anything: 0.5 + column / 16.
std::vector<float> ramp(int64_t columns, float start) {
  std::vector<float> values(columns);
  for (int64_t column = 0; column < columns; ++column)
    values[column] = start + float(column) / 16;
  return values;
}

std::string rampText(const std::string &name, int64_t columns, float start) {
  std::string text = "  %" + name + " = arith.constant dense<[";
  std::vector<float> values = ramp(columns, start);
  for (int64_t column = 0; column < columns; ++column)
    text += (column ? ", " : "") + std::to_string(values[column]);
  return text + "]> : tensor<" + std::to_string(columns) + "xf32>\n";
}

std::vector<RowOp> rowOps() {
  auto vector = [](int64_t columns) {
    return "tensor<" + std::to_string(columns) + "xf32>";
  };
  auto result = [](int64_t columns) {
    return ") -> tensor<?x" + std::to_string(columns) +
           "xf32>\n  return %y : tensor<?x" + std::to_string(columns) +
           "xf32>\n}\n";
  };
  return {
      {"softmax",
       [=](int64_t c) {
         return moduleText("", "mezzo.softmax %x", c) + result(c);
       },
       [](auto x, int64_t rows, int64_t c, auto y) {
         golden::softmax(x, rows, c, y);
       }},
      {"rms_norm",
       [=](int64_t c) {
         return moduleText(rampText("g", c, 0.5f),
                           "mezzo.rms_norm %x, %g epsilon = 1.0e-05", c) +
                ", " + vector(c) + result(c);
       },
       [](auto x, int64_t rows, int64_t c, auto y) {
         golden::rmsNorm(x, rows, c, ramp(c, 0.5f), 1e-5f, y);
       }},
      {"layer_norm",
       [=](int64_t c) {
         return moduleText(rampText("g", c, 0.5f) + rampText("b", c, -1),
                           "mezzo.layer_norm %x, %g bias(%b) epsilon = 1.0e-05",
                           c) +
                ", " + vector(c) + ", " + vector(c) + result(c);
       },
       [](auto x, int64_t rows, int64_t c, auto y) {
         golden::layerNorm(x, rows, c, ramp(c, 0.5f), ramp(c, -1), 1e-5f, y);
       }},
  };
}

TEST(Rows, EqualTheReference) {
  ScratchFolder folder;
  for (const RowOp &op : rowOps())
    for (int64_t columns : {1, 5, 16, 31, 64, 173}) {
      CompileOptions options;
      options.target = "x86-64-v3";
      auto model = compileAndOpen(
          folder, options, 2,
          [&](mlir::MLIRContext &context)
              -> llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>> {
            auto module = mlir::parseSourceString<mlir::ModuleOp>(
                op.text(columns), &context);
            if (!module)
              return llvm::createStringError("cannot parse " +
                                             op.text(columns));
            return module;
          });
      ASSERT_TRUE(model) << op.name;
      for (int64_t rows : {1, 3, 37}) {
        std::vector<float> x = randomFloats(rows * columns, rows, 3),
                           y(rows * columns);
        op.reference(x, rows, columns, y);
        std::vector<HostTensor> inputs{HostTensor::of(x, {rows, columns})};
        auto outputs = model->run(inputs);
        ASSERT_TRUE(bool(outputs)) << llvm::toString(outputs.takeError());
        golden::Comparison comparison =
            golden::compareX0((*outputs)[0].floats(), y, columns);
        EXPECT_TRUE(comparison.ok) << op.name << " of " << rows << "x"
                                   << columns << ": " << comparison.message;
      }
    }
}

} // namespace
