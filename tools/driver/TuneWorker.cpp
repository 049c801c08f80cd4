//===- TuneWorker.cpp - the child process of `mezzo tune` -----------------===//
//
// In: "SECONDS CONFIG", a line. Out: a line of JSON, {"cold_us", "warm_us",
// "noise"} or {"error"}. The first configuration is the incumbent.
//
//===----------------------------------------------------------------------===//

#include "tools/driver/Tune.h"

#include "tools/driver/BenchMatmul.h"
#include "tools/driver/Contest.h"
#include "tools/driver/ProductModule.h"

#include "mlir/Parser/Parser.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"

#include <iostream>

using namespace mezzo;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

namespace {

/// A module read from the file that the parent has opened.
Expected<ContestProduct> productOfFile(int file) {
  auto buffer = llvm::MemoryBuffer::getOpenFile(
      file, "product", -1, /*RequiresNullTerminator=*/false);
  if (!buffer)
    return llvm::createStringError("cannot read the product: " +
                                   buffer.getError().message());
  std::shared_ptr<llvm::MemoryBuffer> bytes = std::move(*buffer);
  ContestProduct product;
  product.module = [bytes](mlir::MLIRContext &context)
      -> Expected<mlir::OwningOpRef<mlir::ModuleOp>> {
    auto module =
        mlir::parseSourceString<mlir::ModuleOp>(bytes->getBuffer(), &context);
    if (!module)
      return llvm::createStringError("cannot read the product");
    return std::move(module);
  };
  return product;
}

Expected<ContestProduct> randomProduct(const TuneOptions &options) {
  Expected<QuantizedMatrix> weight =
      randomWeight(options.weights, options.m, options.n, options.k);
  if (!weight)
    return weight.takeError();
  Expected<ComputeMode> mode = parseComputeMode(
      options.compile.compute.empty() ? "float" : options.compile.compute);
  if (!mode)
    return mode.takeError();
  ContestProduct product;
  product.weight = *weight;
  product.mode = *mode;
  product.module = [made = Product{std::move(*weight), {}}, mode = *mode,
                    m = options.m](mlir::MLIRContext &context) {
    return productModule(context, made, mode, m);
  };
  return product;
}

void answer(llvm::json::Object object) {
  llvm::outs() << llvm::json::Value(std::move(object)) << "\n";
  llvm::outs().flush();
}

} // namespace

int mezzo::runTuneWorker(const TuneOptions &options, StringRef folder,
                         int file) {
  Expected<ContestProduct> product =
      file >= 0 ? productOfFile(file) : randomProduct(options);
  std::string problem;
  if (!product)
    problem = llvm::toString(product.takeError());
  else {
    product->target = options.compile.target;
    product->compute = options.compile.compute;
    product->threads = options.threads;
  }
  std::optional<Contest> contest;
  if (problem.empty())
    contest.emplace(std::move(*product), folder.str());
  std::string line;
  while (std::getline(std::cin, line)) {
    auto [seconds, config] = StringRef(line).split(' ');
    double time = 0;
    if (problem.empty() && seconds.getAsDouble(time))
      problem = "cannot read the line '" + line + "'";
    if (!problem.empty()) {
      answer(llvm::json::Object{{"error", llvm::json::fixUTF8(problem)}});
      continue;
    }
    Expected<ContestTimes> times = contest->measure(config, time);
    if (times)
      answer(llvm::json::Object{{"cold_us", times->coldUs},
                                {"warm_us", times->warmUs},
                                {"noise", times->noise}});
    else
      answer(llvm::json::Object{
          {"error", llvm::json::fixUTF8(llvm::toString(times.takeError()))}});
  }
  return 0;
}
