//===- ExplainProduct.cpp - why a product is computed as it is ------------===//

#include "tools/driver/ExplainProduct.h"

#include "lib/Support/Sanitize.h"
#include "tools/driver/BenchMatmul.h"
#include "tools/driver/InnerLoop.h"
#include "tools/driver/ProductModule.h"

#include "llvm/Object/ObjectFile.h"
#include "llvm/Support/JSON.h"

using namespace mezzo;
using llvm::Error;
using llvm::StringRef;

void mezzo::printChoices(llvm::raw_ostream &os,
                         llvm::ArrayRef<ProductChoice> choices) {
  for (const ProductChoice &choice : choices) {
    os << "product   " << toPrintable(choice.product, 400) << "\n"
       << "  takes   " << toPrintable(choice.strategy) << " "
       << toPrintable(choice.config) << "\n"
       << "  why     " << toPrintable(choice.reason, 400) << "\n";
    for (const std::string &candidate : choice.candidates)
      os << "  price   " << toPrintable(candidate, 400) << "\n";
  }
}

static Error printLoopsOf(llvm::raw_ostream &os,
                          const llvm::object::ObjectFile &object,
                          const Target &target, StringRef part) {
  bool any = false;
  for (const std::string &name : functionsOf(object, "")) {
    bool isKernel = StringRef(name).contains('.');
    if (!isKernel || (part != "all" && !StringRef(name).contains(part)))
      continue;
    auto loops = innerLoops(object, name, target);
    if (!loops)
      return loops.takeError();
    if (loops->empty())
      continue; // a task of a launch: it only calls the kernel
    any = true;
    os << "kernel    " << toPrintable(name, 400) << "\n";
    const InnerLoop &hottest = loops->front();
    os << "  innermost loop, " << hottest.depth << " deep, "
       << hottest.instructions.size() << " instructions (one of "
       << loops->size() << " loops without loops in them)\n";
    for (const std::string &instruction : hottest.instructions)
      os << "    " << instruction << "\n";
  }
  if (any)
    return Error::success();
  return llvm::createStringError(
      "no kernel with a loop has " + quoted(part) +
      " in its key: "
      "mezzo explain without --kernel lists them, --kernel=all shows each");
}

Error mezzo::printInnerLoops(llvm::raw_ostream &os, CompileSession &session,
                             StringRef part) {
  auto code = session.objectCode();
  if (mlir::failed(code))
    return llvm::createStringError("there is no code to look at");
  auto object = llvm::object::ObjectFile::createObjectFile(
      llvm::MemoryBufferRef(StringRef(code->data(), code->size()), "model.o"));
  if (!object)
    return object.takeError();
  return printLoopsOf(os, **object, session.target(), part);
}

Error mezzo::printInnerLoops(llvm::raw_ostream &os, StringRef path,
                             StringRef signature, StringRef part) {
  auto object = llvm::object::ObjectFile::createObjectFile(path);
  if (!object)
    return object.takeError();
  auto json = llvm::json::parse(signature);
  if (!json)
    return json.takeError();
  const llvm::json::Object *fields = json->getAsObject();
  llvm::Expected<Target> target = lookupTarget(
      fields ? fields->getString("target").value_or("") : StringRef());
  if (!target)
    return target.takeError();
  return printLoopsOf(os, *object->getBinary(), *target, part);
}

Error mezzo::loadProduct(CompileSession &session, StringRef spec,
                         StringRef compute, int64_t m, int64_t n, int64_t k) {
  llvm::Expected<ComputeMode> mode =
      parseComputeMode(compute.empty() ? "float" : compute);
  if (!mode)
    return mode.takeError();
  llvm::Expected<QuantizedMatrix> weight = randomWeight(spec, m, n, k);
  if (!weight)
    return weight.takeError();
  Product product{std::move(*weight), {}};
  auto module = productModule(session.context(), product, *mode, m);
  if (!module)
    return module.takeError();
  if (mlir::failed(session.adopt(std::move(*module))))
    return llvm::createStringError("the product cannot be compiled");
  return Error::success();
}
