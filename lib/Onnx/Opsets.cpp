//===- Opsets.cpp ---------------------------------------------------------===//

#include "lib/Onnx/Opsets.h"

#include "lib/Support/Sanitize.h"

using namespace mezzo;
using llvm::StringRef;
using llvm::Twine;

static constexpr OpsetDomain domains[] = {
    {"", 27, "the standard operators (ai.onnx), ONNX 1.22"},
    {"com.microsoft", 1, "contributed operators of ONNX Runtime"},
    {"qonnx.custom_op.general", 2, "Quant, BipolarQuant, Trunc of QONNX"},
    {"onnx.brevitas", 2, "the same under the name that Brevitas writes"},
    {"finn.custom_op.general", 2, "the same under the name of old files"},
};

llvm::ArrayRef<OpsetDomain> mezzo::knownDomains() { return domains; }

StringRef mezzo::canonicalDomain(StringRef domain) {
  return domain == "ai.onnx" ? StringRef() : domain;
}

const OpsetDomain *mezzo::findDomain(StringRef domain) {
  domain = canonicalDomain(domain);
  for (const OpsetDomain &known : domains)
    if (known.name == domain)
      return &known;
  return nullptr;
}

llvm::Error mezzo::checkOpset(StringRef domain, int64_t version) {
  const OpsetDomain *known = findDomain(domain);
  std::string shown =
      known && known->name.empty() ? "'ai.onnx'" : quoted(domain);
  if (version < 1)
    return llvm::createStringError("opset " + Twine(version) + " of domain " +
                                   shown +
                                   " does not exist; versions start "
                                   "at 1");
  if (known && version > known->newest)
    return llvm::createStringError(
        "opset " + Twine(version) + " of domain " + shown +
        " is newer than the newest supported one, " + Twine(known->newest) +
        "; export the model for opset " + Twine(known->newest) +
        ", or convert it with onnx.version_converter");
  return llvm::Error::success();
}
