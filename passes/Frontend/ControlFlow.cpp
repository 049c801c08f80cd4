//===- ControlFlow.cpp - graphs inside of nodes, and If -------------------===//
//
// An If whose condition is known when the model is compiled is its branch, and
// nothing is left of the other one, whatever the ranks. Else both branches
// become an scf.if, and must agree in types; sizes that differ are results of
// their own. Where ranks differ, one of the branches removes dimensions of
// size 1 ("squeeze it if it can be squeezed", as PyTorch exports it), and the
// rest of the model is written for that one: it is taken, and a run in which
// the condition is another ends in an error.
//
//===----------------------------------------------------------------------===//

#include "passes/Frontend/ControlFlow.h"

#include "passes/Frontend/Importer.h"
#include "passes/Frontend/Registry.h"
#include "passes/Frontend/Types.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mezzo;

FailureOr<const onnx::GraphProto *> mezzo::bodyOf(Node &node,
                                                  StringRef attribute,
                                                  int64_t inputs,
                                                  int64_t outputs) {
  const onnx::AttributeProto *found = node.find(attribute);
  if (!found || !found->has_g())
    return node.error() << "its attribute '" << attribute
                        << "' is missing; export the model again";
  const onnx::GraphProto &graph = found->g();
  if (graph.input_size() != inputs || graph.output_size() < outputs)
    return node.error() << "its '" << attribute << "' has "
                        << graph.input_size() << " inputs and "
                        << graph.output_size() << " outputs, but " << inputs
                        << " and " << outputs
                        << " are needed; export the model again";
  return &graph;
}

SizedTensor mezzo::declaredTensor(Node &node, OnnxValue &value) {
  SizedTensor tensor{node.importer.materialize(value), value.sizes};
  Type declared = irType(node.b.getContext(), value.type);
  if (tensor.elementType() == declared)
    return tensor;
  if (isa<FloatType>(declared))
    return node.tensors.convertFloat(tensor, declared);
  Value integers = UnrealizedConversionCastOp::create(
                       node.b, TypeRange{tensor.type().clone(declared)},
                       ValueRange{tensor.value})
                       .getResult(0);
  return {integers, tensor.sizes};
}

OnnxValue mezzo::tensorValue(SizedTensor tensor, ElementType type) {
  OnnxValue value;
  value.type = type;
  value.sizes = std::move(tensor.sizes);
  value.tensor = tensor.value;
  return value;
}

LogicalResult mezzo::checkCarried(Node &node, const OnnxValue &before,
                                  const OnnxValue &next, const Twine &what) {
  if (before.type != next.type)
    return node.error() << what << " is of type " << name(before.type)
                        << " before a round and of type " << name(next.type)
                        << " after it; insert a Cast";
  bool same = before.sizes.size() == next.sizes.size();
  for (size_t dim = 0; same && dim < before.sizes.size(); ++dim)
    same = node.sizes.equal(before.sizes[dim], next.sizes[dim]) != false;
  if (!same)
    return node.error() << what << " has the shape " << describe(before.sizes)
                        << " before a round and " << describe(next.sizes)
                        << " after it: shapes that change from round to round "
                           "are not supported; give it its last size at once";
  return success();
}

std::optional<Sizes> mezzo::sizesOutside(ArrayRef<Size> sizes,
                                         Operation *around) {
  for (Size size : sizes)
    if (auto value = dyn_cast<Value>(size))
      if (around->isProperAncestor(value.getParentBlock()->getParentOp()) ||
          value.getParentBlock()->getParentOp() == around)
        return std::nullopt;
  return Sizes(sizes);
}

Value mezzo::writeOver(Node &node, SizedTensor next, SizedTensor before) {
  for (auto [have, want] : llvm::zip_equal(next.sizes, before.sizes))
    node.sizes.unify(want, have,
                     node.subject() + ": a value that it carries from round to "
                                      "round has changed its shape");
  next = node.tensors.fit(next, before.sizes);
  return linalg::CopyOp::create(node.b, next.value, before.value).getResult(0);
}

//===----------------------------------------------------------------------===//
// If
//===----------------------------------------------------------------------===//

namespace {

/// A branch that has been imported into a block.
struct Branch {
  SmallVector<OnnxValue> outputs;
  SmallVector<SizedTensor> tensors;
};

FailureOr<Branch> importBranch(Node &node, const onnx::GraphProto &graph,
                               Block *block) {
  OpBuilder::InsertionGuard guard(node.b);
  node.b.setInsertionPointToStart(block);
  SizeArithmetic::Scope scope(node.sizes);
  FailureOr<SmallVector<OnnxValue>> outputs =
      node.importer.importSubgraph(graph, {});
  if (failed(outputs))
    return failure();
  Branch branch{*outputs, {}};
  for (OnnxValue &output : branch.outputs)
    branch.tensors.push_back(declaredTensor(node, output));
  return branch;
}

LogicalResult importKnownIf(Node &node, bool condition) {
  FailureOr<const onnx::GraphProto *> graph = bodyOf(
      node, condition ? "then_branch" : "else_branch", 0, node.numOutputs());
  if (failed(graph))
    return failure();
  FailureOr<SmallVector<OnnxValue>> outputs =
      node.importer.importSubgraph(**graph, {});
  if (failed(outputs))
    return failure();
  for (unsigned output = 0; output < node.numOutputs(); ++output)
    if (failed(node.result((*outputs)[output], output)))
      return failure();
  return success();
}

bool squeezes(const onnx::GraphProto &graph) {
  return llvm::any_of(graph.node(), [](const onnx::NodeProto &node) {
    return node.op_type() == "Squeeze";
  });
}

bool haveOtherRanks(const Branch &yes, const Branch &no) {
  return llvm::any_of(llvm::zip_equal(yes.outputs, no.outputs), [](auto pair) {
    return std::get<0>(pair).rank() != std::get<1>(pair).rank();
  });
}

/// The If as if it were known, and the run ends where it is not so.
LogicalResult specialize(Node &node, Value condition, bool taken) {
  Value holds = condition;
  if (!taken) {
    Value yes = arith::ConstantOp::create(node.b, node.b.getBoolAttr(true));
    holds = arith::XOrIOp::create(node.b, condition, yes);
  }
  CheckOp::create(node.b, holds,
                  node.subject() +
                      ": its branches give tensors of different ranks, and the "
                      "model was compiled for the one that squeezes; fix the "
                      "shapes of the inputs with --shape or --dim");
  return importKnownIf(node, taken);
}

/// What both branches give, as one result.
struct Joined {
  ElementType type;
  SmallVector<int64_t> shape; ///< dynamic where the branches may differ
  Sizes sizes;                ///< null where it is a result of its own
};

FailureOr<Joined> join(Node &node, Operation *around, const OnnxValue &yes,
                       const OnnxValue &no, unsigned output) {
  if (yes.type != no.type || yes.rank() != no.rank())
    return node.error()
           << "its branches give output " << output << " as " << name(yes.type)
           << " " << describe(yes.sizes) << " and as " << name(no.type) << " "
           << describe(no.sizes)
           << ", and which of them is known only at run time: make "
              "the ranks and types equal, or its condition a "
              "constant (--shape and --dim fix what it follows "
              "from)";
  Joined joined{yes.type, {}, {}};
  for (auto [left, right] : llvm::zip_equal(yes.sizes, no.sizes)) {
    bool one = node.sizes.surelyEqual(left, right) &&
               sizesOutside({left, right}, around);
    joined.sizes.push_back(one ? left : Size());
    std::optional<int64_t> constant =
        one ? getConstantIntValue(left) : std::nullopt;
    joined.shape.push_back(constant.value_or(ShapedType::kDynamic));
  }
  return joined;
}

/// The end of a branch: its tensors in the common types, then the sizes that
/// are results of their own.
void yieldBranch(Node &node, Block *block, const Branch &branch,
                 ArrayRef<Joined> joined) {
  OpBuilder::InsertionGuard guard(node.b);
  node.b.setInsertionPointToEnd(block);
  SizeArithmetic::Scope scope(node.sizes);
  SmallVector<Value> values;
  for (auto [tensor, common] : llvm::zip_equal(branch.tensors, joined)) {
    auto type = RankedTensorType::get(common.shape, tensor.elementType());
    values.push_back(
        tensor.type() == type
            ? tensor.value
            : tensor::CastOp::create(node.b, type, tensor.value).getResult());
  }
  for (auto [tensor, common] : llvm::zip_equal(branch.tensors, joined))
    for (auto [size, shared] : llvm::zip_equal(tensor.sizes, common.sizes))
      if (!shared)
        values.push_back(node.sizes.value(size));
  scf::YieldOp::create(node.b, values);
}

} // namespace

LogicalResult mezzo::importIf(Node &node) {
  if (std::optional<SmallVector<int64_t>> known = node.knownIntegers(0);
      known && known->size() == 1)
    return importKnownIf(node, (*known)[0] != 0);
  FailureOr<const onnx::GraphProto *> yes = bodyOf(node, "then_branch", 0,
                                                   node.numOutputs()),
                                      no = bodyOf(node, "else_branch", 0,
                                                  node.numOutputs());
  if (failed(yes) || failed(no))
    return failure();
  SizedTensor flag = node.tensors.reshape(node.tensor(0), {});
  Value condition = tensor::ExtractOp::create(node.b, flag.value, ValueRange());
  // Which results there are is known behind the branches, so these are imported
  // into an op without results that then gives its regions to the right one.
  auto draft = scf::IfOp::create(node.b, TypeRange(), condition,
                                 /*addThenBlock=*/true, /*addElseBlock=*/true);
  for (Block *block : {draft.thenBlock(), draft.elseBlock()})
    if (!block->empty())
      block->clear();
  FailureOr<Branch> thenBranch = importBranch(node, **yes, draft.thenBlock());
  if (failed(thenBranch))
    return failure();
  FailureOr<Branch> elseBranch = importBranch(node, **no, draft.elseBlock());
  if (failed(elseBranch))
    return failure();
  if (thenBranch->outputs.size() != elseBranch->outputs.size())
    return node.error() << "its branches have " << thenBranch->outputs.size()
                        << " and " << elseBranch->outputs.size()
                        << " outputs; export the model again";
  if (haveOtherRanks(*thenBranch, *elseBranch) &&
      squeezes(**yes) != squeezes(**no)) {
    draft.erase();
    return specialize(node, condition, squeezes(**yes));
  }
  SmallVector<Joined> joined;
  SmallVector<Type> types;
  for (unsigned output = 0; output < thenBranch->outputs.size(); ++output) {
    FailureOr<Joined> both = join(node, draft, thenBranch->outputs[output],
                                  elseBranch->outputs[output], output);
    if (failed(both))
      return failure();
    types.push_back(RankedTensorType::get(
        both->shape, thenBranch->tensors[output].elementType()));
    joined.push_back(*both);
  }
  for (const Joined &both : joined)
    types.append(llvm::count_if(both.sizes, [](Size size) { return !size; }),
                 node.b.getIndexType());
  yieldBranch(node, draft.thenBlock(), *thenBranch, joined);
  yieldBranch(node, draft.elseBlock(), *elseBranch, joined);
  auto either = scf::IfOp::create(node.b, types, condition,
                                  /*withElseRegion=*/true);
  either.getThenRegion().takeBody(draft.getThenRegion());
  either.getElseRegion().takeBody(draft.getElseRegion());
  draft.erase();
  unsigned next = joined.size();
  for (auto [output, both] : llvm::enumerate(joined)) {
    Sizes sizes;
    for (Size size : both.sizes)
      sizes.push_back(size ? size : Size(either.getResult(next++)));
    if (output < node.numOutputs() &&
        failed(
            node.result({either.getResult(output), sizes}, both.type, output)))
      return failure();
  }
  return success();
}

ArrayRef<OperatorRow> mezzo::controlFlowOperators() {
  static const OperatorRow rows[] = {
      {OnnxDomain, "If", 1, 1, 1, importIf},
      {OnnxDomain, "Loop", 1, 0, OperatorRow::Variadic, importLoop},
      {OnnxDomain, "Scan", 9, 1, OperatorRow::Variadic, importScan},
  };
  return rows;
}
