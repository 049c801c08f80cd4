//===- MezzoTypes.cpp - the element type and the attributes ---------------===//

#include "dialects/Mezzo/Mezzo.h"
#include "lib/Tuning/Knobs.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mezzo;

#define GET_TYPEDEF_CLASSES
#include "dialects/Mezzo/MezzoTypes.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Mezzo/MezzoAttrs.cpp.inc"

void MezzoDialect::registerTypes() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/Mezzo/MezzoTypes.cpp.inc"
      >();
}

void MezzoDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/Mezzo/MezzoAttrs.cpp.inc"
      >();
}

llvm::Expected<ComputeMode> mezzo::parseComputeMode(StringRef name) {
  std::optional<ComputeMode> mode = symbolizeComputeMode(name);
  if (!mode || !isComputable(*mode))
    return llvm::createStringError("cannot compute in mode '" + name +
                                   "': use float, int or lut8");
  return *mode;
}

/// Format names are keywords (`int3`) except for the general small float,
/// `float<3,2>`, which is quoted.
Type QType::parse(AsmParser &parser) {
  std::string format;
  if (parser.parseLess() || parser.parseKeywordOrString(&format) ||
      parser.parseGreater())
    return {};
  return parser.getChecked<QType>(parser.getContext(), format);
}

void QType::print(AsmPrinter &printer) const {
  printer << '<';
  printer.printKeywordOrString(getFormat());
  printer << '>';
}

LogicalResult QType::verify(function_ref<InFlightDiagnostic()> emitError,
                            StringRef format) {
  llvm::Expected<Format> parsed = Format::parse(format);
  if (!parsed)
    return emitError() << llvm::toString(parsed.takeError());
  return success();
}

Format QType::getNumberFormat() const {
  return llvm::cantFail(Format::parse(getFormat()));
}

LogicalResult LayoutAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                 StringRef text) {
  llvm::Expected<Layout> parsed = Layout::parse(text);
  if (!parsed)
    return emitError() << llvm::toString(parsed.takeError());
  return success();
}

Layout LayoutAttr::getLayout() const {
  return llvm::cantFail(Layout::parse(getText()));
}

LogicalResult ConfigAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                 StrategyKind, int64_t rows, int64_t groups,
                                 int64_t unroll, int64_t streams, int64_t block,
                                 int64_t chunk) {
  if (auto why =
          refusalOf(KnobValues({rows, groups, unroll, streams, block, chunk})))
    return emitError() << *why;
  return success();
}
