//===- WeightOps.cpp - weights: verifiers ---------------------------------===//

#include "dialects/Mezzo/Mezzo.h"

using namespace mlir;
using namespace mezzo;

Format WeightOp::getFormat() {
  return cast<QType>(getTensorType().getElementType()).getNumberFormat();
}

int64_t WeightOp::getGroups() {
  return llvm::divideCeil(getColumns(), *getGroup());
}

/// The number of elements that an array of the weight must have; `what` names
/// it in the message.
static LogicalResult verifyExtent(WeightOp op,
                                  std::optional<ElementsAttr> array,
                                  StringRef what, ArrayRef<int64_t> expected) {
  if (!array)
    return success();
  if (array->getShapedType().getShape() != expected) {
    auto diag = op.emitOpError() << what << " have shape "
                                 << array->getShapedType() << ", but [";
    llvm::interleaveComma(expected, diag);
    return diag << "] is needed, one per row and group";
  }
  return success();
}

/// Scales of integers, and of anything on two levels, are counted in
/// super-scales.
static LogicalResult verifyLevels(WeightOp op) {
  auto check = [&](std::optional<ElementsAttr> inner,
                   std::optional<ElementsAttr> outer,
                   StringRef what) -> LogicalResult {
    bool counts = inner && inner->getElementType().isInteger() &&
                  !inner->getElementType().isSignlessInteger();
    if (counts && !outer)
      return op.emitOpError() << "has integer " << what << " without super-"
                              << what << " that they count in";
    if (!outer)
      return success();
    if (!inner || !isa<FloatType>(outer->getElementType()))
      return op.emitOpError()
             << "has super-" << what << " of " << outer->getShapedType()
             << ": floats are needed, and " << what;
    int64_t super = op.getSuper().value_or(0), group = *op.getGroup();
    if (super < 0 || super % group != 0)
      return op.emitOpError()
             << "has super-blocks of " << super
             << " columns, which do not hold whole groups of " << group;
    int64_t supers = super ? llvm::divideCeil(op.getColumns(), super) : 1;
    return verifyExtent(op, outer, "super-factors", {op.getRows(), supers});
  };
  if (failed(check(op.getScales(), op.getSuperScales(), "scales")))
    return failure();
  return check(op.getOffsets(), op.getSuperOffsets(), "offsets");
}

LogicalResult WeightOp::verify() {
  RankedTensorType type = getTensorType();
  if (!type.hasStaticShape())
    return emitOpError() << "has the type " << type
                         << ": a weight needs a static shape";
  if (!isQuantized()) {
    if (getScales() || getOffsets() || getPermutation() || getLayout() ||
        getGroup() || getSuperScales() || getSuperOffsets() || getCodebook())
      return emitOpError("is plain, but has scales, offsets, a permutation, a "
                         "layout or a group: give it a `spec` too");
    return success();
  }
  auto element = dyn_cast<QType>(type.getElementType());
  if (!element || type.getRank() != 2)
    return emitOpError()
           << "has a spec, so its type must be a matrix of codes [N, K], not "
           << type;
  llvm::Expected<QuantSpec> spec = QuantSpec::parse(*getSpec());
  if (!spec)
    return emitOpError() << llvm::toString(spec.takeError());
  if (spec->format.str() != element.getFormat())
    return emitOpError() << "has the spec " << *getSpec()
                         << ", but its codes are " << element;
  if (!getGroup() || !getLayout() || !getScales())
    return emitOpError("is quantized and needs `group`, `layout` and `scales`");
  if (*getGroup() < 1)
    return emitOpError() << "has a group of " << *getGroup()
                         << " columns: at least 1 is needed";
  int64_t groups = getGroups();
  if (failed(verifyExtent(*this, getScales(), "scales", {getRows(), groups})) ||
      failed(verifyExtent(*this, getOffsets(), "offsets", {getRows(), groups})))
    return failure();
  if (failed(verifyLevels(*this)))
    return failure();
  if (auto codebook = getCodebook()) {
    Format format = element.getNumberFormat();
    ArrayRef<int64_t> shape = codebook->getShapedType().getShape();
    int64_t entries = format.numCodes();
    if (format.hasValues() || !codebook->getElementType().isF32() ||
        (shape != ArrayRef<int64_t>{entries} &&
         shape != ArrayRef<int64_t>{getRows(), entries}))
      return emitOpError() << "has a code book of " << codebook->getShapedType()
                           << " for codes of " << format.str() << ": "
                           << entries
                           << " floats are needed, for all rows or for each, "
                              "and a format codebook<n>";
  } else if (!element.getNumberFormat().hasValues()) {
    return emitOpError() << "has codes of " << element.getFormat()
                         << " without their `codebook`";
  }
  if (auto permutation = getPermutation())
    if (permutation->getShapedType().getShape() !=
        ArrayRef<int64_t>{getColumns()})
      return emitOpError() << "has a permutation of "
                           << permutation->getShapedType() << ", but "
                           << getColumns() << " columns";
  if (getPiece() && (*getPiece() < 1 || *getPiece() > *getGroup()))
    return emitOpError() << "has records of " << *getPiece()
                         << " columns for groups of " << *getGroup();
  if (getUnsorted() && !getPermutation())
    return emitOpError("is unsorted, but has no `permutation` to sort it by");
  return success();
}

RankedTensorType mezzo::loadedType(ElementsAttr part) {
  auto type = cast<RankedTensorType>(part.getType());
  Type element = type.getElementType();
  bool isNumber = isa<Float16Type, BFloat16Type, Float32Type>(element) ||
                  element.isSignlessInteger();
  return isNumber ? type : type.clone(Float32Type::get(type.getContext()));
}

static FailureOr<WeightOp> lookupWeight(Operation *op, FlatSymbolRefAttr name,
                                        SymbolTableCollection &symbols) {
  auto weight = symbols.lookupNearestSymbolFrom<WeightOp>(op, name);
  if (!weight)
    return op->emitOpError() << "refers to " << name
                             << ", which is no `mezzo.weight` of this module";
  return weight;
}

LogicalResult LoadWeightOp::verifySymbolUses(SymbolTableCollection &symbols) {
  FailureOr<WeightOp> weight = lookupWeight(*this, getWeightAttr(), symbols);
  if (failed(weight))
    return failure();
  // Once storage is resolved (mezzo-lower-quantize), a code of at most eight
  // bits is loaded as a byte.
  RankedTensorType type = weight->getTensorType();
  auto loaded = getNumResults()
                    ? dyn_cast<RankedTensorType>(getResult(0).getType())
                    : RankedTensorType();
  if (loaded && isa<QType>(type.getElementType()) &&
      loaded.getElementType().isInteger(8))
    type = type.clone(loaded.getElementType());
  SmallVector<Type> expected{type};
  for (auto part : {weight->getScales(), weight->getOffsets()})
    if (part)
      expected.push_back(loadedType(*part));
  if (auto permutation = weight->getPermutation())
    expected.push_back(permutation->getType());
  if (!llvm::equal(expected, getResultTypes())) {
    auto diag = emitOpError() << "loads the types ";
    llvm::interleaveComma(getResultTypes(), diag);
    diag << ", but " << getWeightAttr() << " is ";
    llvm::interleaveComma(expected, diag);
    return diag;
  }
  return success();
}

LogicalResult LoadPackedOp::verifySymbolUses(SymbolTableCollection &symbols) {
  FailureOr<WeightOp> weight = lookupWeight(*this, getWeightAttr(), symbols);
  if (failed(weight))
    return failure();
  if (!weight->getPlace())
    return emitOpError()
           << "loads " << getWeightAttr()
           << ", which has no packed layout yet: run mezzo-pack-weights";
  return success();
}
