//===- FormMatmul.cpp - products with dequantized weights -----------------===//
//
// DequantizeLinear keeps its weight as the model stores it, W[K, N] or W[N, K],
// with scales of three shapes. A product wants W[N, K] with one scale per row
// and group of columns. Nothing is computed for it: the codes stay where they
// are and a layout says how to read them; scales and zero points, which are
// few, are written out in the new order.
//
//===----------------------------------------------------------------------===//

#include "passes/Passes.h"

#include "dialects/Mezzo/Mezzo.h"
#include "passes/Tensor/CodedActivations.h"
#include "passes/Tensor/Constants.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/AsmState.h"

#include <map>
#include <tuple>

namespace mezzo {
#define GEN_PASS_DEF_FORMMATMUL
#include "passes/Passes.h.inc"
} // namespace mezzo

using namespace mlir;
using namespace mezzo;

namespace {

/// The right operand of a product, traced back to a weight.
struct DequantizedWeight {
  DequantizeOp dequantize;
  WeightOp weight;
  bool transposed; ///< stored as [N, K]
};

/// Groups along K, and where the scale of (row, group) is among the scales of
/// DequantizeLinear.
struct Grouping {
  int64_t length, rowStride, groupStride;
};

/// What a formed weight is made of. Models share codes between products with
/// other scales, and read one matrix by rows and by columns; each of these is a
/// weight of its own.
using Origin = std::tuple<Operation *, const void *, const void *, int64_t,
                          int64_t, int64_t, bool>;
using FormedWeights = std::map<Origin, WeightOp>;

/// Names a constant: equal for equal values behind different loads.
const void *sourceOf(Value value) {
  if (!value)
    return nullptr;
  if (auto load = value.getDefiningOp<LoadWeightOp>())
    return load.getWeightAttr().getAsOpaquePointer();
  if (auto constant = value.getDefiningOp<arith::ConstantOp>())
    return constant.getValue().getAsOpaquePointer();
  return value.getAsOpaquePointer();
}

std::optional<DequantizedWeight> traceWeight(Value right, bool transposed) {
  if (auto transpose = right.getDefiningOp<linalg::TransposeOp>()) {
    if (transpose.getPermutation() != ArrayRef<int64_t>{1, 0})
      return std::nullopt;
    right = transpose.getInput();
    transposed = !transposed;
  }
  auto dequantize = right.getDefiningOp<DequantizeOp>();
  if (!dequantize ||
      dequantize->hasAttr("mezzo.strict")) // --strict-dq keeps the rounding
    return std::nullopt;
  WeightOp weight = plainWeightOf(dequantize.getInput());
  if (!weight || weight.getTensorType().getRank() != 2)
    return std::nullopt;
  auto element = dyn_cast<QType>(weight.getTensorType().getElementType());
  if (!element || !element.getNumberFormat().isInteger() ||
      element.getNumberFormat().bits() > 8)
    return std::nullopt;
  return DequantizedWeight{dequantize, weight, transposed};
}

FailureOr<Grouping> groupingOf(const DequantizedWeight &w,
                               PatternRewriter &rewriter, Operation *op,
                               int64_t n, int64_t k) {
  DequantizeOp dequantize = w.dequantize;
  int64_t kAxis = w.transposed ? 1 : 0, axis = dequantize.getAxis(),
          block = dequantize.getBlock();
  if (dequantize.getScales().getType().getRank() == 0)
    return Grouping{k, 0, 0};
  if (block == 0) {
    if (axis == kAxis)
      return rewriter.notifyMatchFailure(
          op, "scales along K belong to the activations");
    return Grouping{k, 1, 0};
  }
  if (axis != kAxis)
    return rewriter.notifyMatchFailure(
        op, "blocks along N are not groups of a row");
  int64_t groups = llvm::divideCeil(k, block);
  return w.transposed ? Grouping{block, groups, 1} : Grouping{block, 1, n};
}

/// A resource of [n, groups] elements, gathered from `values` by a grouping.
/// Constants of this size are not uniqued.
template <typename T, typename Source>
ElementsAttr gatherPerGroup(WeightOp weight, StringRef suffix,
                            ArrayRef<Source> values, const Grouping &grouping,
                            int64_t n, int64_t groups, Type element) {
  auto type = RankedTensorType::get({n, groups}, element);
  AsmResourceBlob blob = HeapAsmResourceBlob::allocate(
      n * groups * sizeof(T), alignof(T), /*dataIsMutable=*/true);
  auto *out = reinterpret_cast<T *>(blob.getMutableData().data());
  for (int64_t row = 0; row < n; ++row)
    for (int64_t group = 0; group < groups; ++group)
      out[row * groups + group] =
          T(values[row * grouping.rowStride + group * grouping.groupStride]);
  return DenseResourceElementsAttr::get(
      type, (weight.getSymName() + suffix).str(), std::move(blob));
}

//   %w = mezzo.load_weight @w : tensor<KxNx!mezzo.q<int4>>
//   %d = mezzo.dequantize %w scales(%s) axis = 0 block = 32
//   %y = linalg.matmul ins(%x, %d) outs(zero)
//   -->
//   %c, %s = mezzo.load_weight @w.nk : tensor<NxKx!mezzo.q<int4>>,
//   tensor<NxGxf32> %y = mezzo.matmul %x, %c scales(%s) group = 32
struct FormFromDequantize : OpRewritePattern<linalg::MatmulOp> {
  /// `mode`: none where the model's own word counts.
  FormFromDequantize(MLIRContext *context, std::optional<ComputeMode> mode,
                     FormedWeights &formed,
                     llvm::SmallPtrSetImpl<Operation *> &refused)
      : OpRewritePattern(context), wanted(mode), formedWeights(formed),
        refused(refused) {}

  LogicalResult matchAndRewrite(linalg::MatmulOp op,
                                PatternRewriter &rewriter) const override {
    SmallVector<AffineMap> maps = op.getIndexingMapsArray();
    auto defaults = linalg::MatmulOp::getDefaultIndexingMaps(op.getContext());
    AffineExpr m, n, k;
    bindDims(op.getContext(), m, n, k);
    bool transposed = maps[1] == AffineMap::get(3, 0, {n, k}, op.getContext());
    if (maps[0] != defaults[0] || (!transposed && maps[1] != defaults[1]))
      return rewriter.notifyMatchFailure(
          op, "the left operand is transposed or broadcast");
    Value x = op.getInputs()[0];
    auto result = dyn_cast<RankedTensorType>(op.getResult(0).getType());
    if (!result || !result.getElementType().isF32())
      return rewriter.notifyMatchFailure(op, "products are in f32");
    auto fill = op.getOutputs()[0].getDefiningOp<linalg::FillOp>();
    if (!fill || !matchPattern(fill.getInputs()[0], m_AnyZeroFloat()))
      return rewriter.notifyMatchFailure(op, "the destination is not zero");
    std::optional<DequantizedWeight> w =
        traceWeight(op.getInputs()[1], transposed);
    if (!w)
      return rewriter.notifyMatchFailure(
          op, "the right operand is no dequantized weight");
    RankedTensorType stored = w->weight.getTensorType();
    bool coded = areCoded(x);
    ComputeMode mode =
        wanted.value_or(coded ? ComputeMode::Int : ComputeMode::Float);
    if (auto refusal = refusalOf(
            mode, cast<QType>(stored.getElementType()).getNumberFormat())) {
      // Once: a greedy driver comes back to what it could not rewrite.
      if (refused.insert(op).second)
        op.emitError() << "multiplies by " << *refusal;
      return failure();
    }
    int64_t rows = stored.getDimSize(w->transposed ? 0 : 1),
            columns = stored.getDimSize(w->transposed ? 1 : 0);
    FailureOr<Grouping> grouping = groupingOf(*w, rewriter, op, rows, columns);
    if (failed(grouping))
      return failure();
    if (mode == ComputeMode::Int && !sumsFit(*w, *grouping, coded)) {
      if (refused.insert(op).second)
        op.emitError() << "adds up groups of " << grouping->length
                       << " columns, whose sums of products of codes 32 bits "
                          "may not hold: quantize the weight in blocks, or use "
                          "--compute float";
      return failure();
    }
    FailureOr<WeightOp> formed =
        formWeight(*w, *grouping, rows, columns, rewriter, op);
    if (failed(formed))
      return failure();
    SmallVector<Type> types{formed->getTensorType(),
                            formed->getScales()->getType()};
    if (auto offsets = formed->getOffsets())
      types.push_back(offsets->getType());
    auto load = LoadWeightOp::create(rewriter, op.getLoc(), types,
                                     formed->getSymName());
    CodedActivations activations{x, Value(), Value()};
    if (coded && mode == ComputeMode::Int)
      activations = codedActivations(x, rewriter);
    rewriter.replaceOpWithNewOp<MatmulOp>(
        op, result, activations.codes, activations.scales, activations.zeros,
        load.getResult(0), load.getResult(1),
        types.size() == 3 ? load.getResult(2) : Value(),
        /*permutation=*/Value(),
        /*bias=*/Value(), mode, grouping->length, /*block=*/int64_t(0),
        ConfigAttr());
    return success();
  }

  /// Whether every sum over a group is an int32, whatever the codes are.
  static bool sumsFit(DequantizedWeight w, const Grouping &grouping,
                      bool coded) {
    Format format = cast<QType>(w.weight.getTensorType().getElementType())
                        .getNumberFormat();
    int64_t low = format.minValue(), high = format.maxValue();
    int64_t largest =
        w.dequantize.getZeros() ? high - low : std::max(-low, high);
    // Differences of bytes, or activations that are quantized here.
    int64_t activation = coded ? 255 : ActivationMax;
    return grouping.length <= INT32_MAX / (largest * activation);
  }

  /// The quantized weight beside the plain one; made once, however many
  /// products read it with these scales.
  FailureOr<WeightOp> formWeight(DequantizedWeight w, const Grouping &grouping,
                                 int64_t rows, int64_t columns,
                                 PatternRewriter &rewriter,
                                 Operation *op) const {
    WeightOp &known =
        formedWeights[{w.weight, sourceOf(w.dequantize.getScales()),
                       sourceOf(w.dequantize.getZeros()), grouping.length,
                       grouping.rowStride, grouping.groupStride, w.transposed}];
    if (known)
      return known;
    ElementsAttr scaleConstant = constantOf(w.dequantize.getScales());
    std::optional<SmallVector<float>> scales =
        scaleConstant ? floatsOf(scaleConstant) : std::nullopt;
    if (!scales)
      return rewriter.notifyMatchFailure(op, "the scales are not constant");
    int64_t groups = llvm::divideCeil(columns, grouping.length);
    ElementsAttr offsets;
    if (Value zeros = w.dequantize.getZeros()) {
      std::optional<SmallVector<int32_t>> values = integersOf(zeros);
      if (!values)
        return rewriter.notifyMatchFailure(
            op, "the zero points are not constant integers");
      if (llvm::any_of(*values, [](int32_t zero) { return zero != 0; }))
        offsets = gatherPerGroup<int16_t, int32_t>(w.weight, ".zeros", *values,
                                                   grouping, rows, groups,
                                                   rewriter.getI16Type());
    }
    auto code = cast<QType>(w.weight.getTensorType().getElementType());
    Format format = code.getNumberFormat();
    std::string bits = std::to_string(format.bits());
    std::string layout =
        w.transposed
            ? "flat=[b:" + bits + ", k:" + std::to_string(columns) + ", n:*]"
            : "flat=[b:" + bits + ", n:" + std::to_string(rows) + ", k:*]";
    std::string group = grouping.length == columns
                            ? "ch"
                            : "g" + std::to_string(grouping.length);
    std::string spec = format.str() + "/" + group + (offsets ? "+zp" : "");
    std::string base = (w.weight.getSymName() + ".rows").str(), name = base;
    for (unsigned count = 1; SymbolTable::lookupNearestSymbolFrom(
             w.weight->getParentOp(), rewriter.getStringAttr(name));
         ++count)
      name = base + std::to_string(count);
    OpBuilder::InsertionGuard guard(rewriter);
    rewriter.setInsertionPointAfter(w.weight);
    auto formed = WeightOp::create(rewriter, w.weight.getLoc(), name,
                                   RankedTensorType::get({rows, columns}, code),
                                   w.weight.getData());
    formed.setSpec(spec);
    formed.setGroup(grouping.length);
    formed.setLayoutAttr(LayoutAttr::get(op->getContext(), layout));
    formed.setScalesAttr(
        gatherPerGroup<float, float>(w.weight, ".scales", *scales, grouping,
                                     rows, groups, rewriter.getF32Type()));
    if (offsets)
      formed.setOffsetsAttr(offsets);
    return known = formed;
  }

  std::optional<ComputeMode> wanted;
  FormedWeights &formedWeights;
  llvm::SmallPtrSetImpl<Operation *> &refused; ///< products, reported
};

class FormMatmulPass : public mezzo::impl::FormMatmulBase<FormMatmulPass> {
  using FormMatmulBase::FormMatmulBase;

  void runOnOperation() override {
    std::optional<ComputeMode> mode = symbolizeComputeMode(compute);
    if (!compute.empty() && (!mode || !isComputable(*mode))) {
      getOperation().emitError() << "cannot compute products in mode '"
                                 << compute << "': use float, int or lut8";
      return signalPassFailure();
    }
    RewritePatternSet patterns(&getContext());
    FormedWeights formed;
    llvm::SmallPtrSet<Operation *, 4> refused;
    patterns.add<FormFromDequantize>(&getContext(), mode, formed, refused);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))) ||
        !refused.empty())
      signalPassFailure();
  }
};

} // namespace
